//! Answers that every core thread contributes to: `INFO`, `CLIENT LIST`, `CONFIG SET`, `SLOWLOG
//! GET`.
//!
//! A question is a function that runs on each core thread and returns a part; the parts are merged
//! at home, and the reply takes its place in the connection's pipeline. The question travels
//! through the inboxes like everything else, so it is in order with the connection's commands.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use durability::TransactionId;
use resp::{Protocol, Writer};

use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;

type AnyPart = Box<dyn Any + Send>;
type Ask = Arc<dyn Fn(&mut Core, Answer) -> Option<AnyPart> + Send + Sync>;
type Merge = Box<dyn FnOnce(&mut Core, Vec<AnyPart>, &mut Writer<'_>) -> Option<Question>>;

/// A question to all core threads.
pub(crate) struct Question {
    ask: Ask,
    merge: Merge,
    /// Whether the connection's further commands wait for the answer.
    barrier: bool,
}

impl Question {
    /// `ask` runs on each core thread, `merge` at home with the parts in the order of the shards.
    pub(crate) fn new<Part: Send + 'static>(
        ask: impl Fn(&mut Core) -> Part + Send + Sync + 'static,
        merge: impl FnOnce(&mut Core, Vec<Part>, &mut Writer<'_>) + 'static,
    ) -> Self {
        Self::of_several(ask, move |core, parts, writer| {
            merge(core, parts, writer);
            None
        })
    }

    /// The same, where `merge` may have another question, whose answer stands for this one's.
    pub(crate) fn of_several<Part: Send + 'static>(
        ask: impl Fn(&mut Core) -> Part + Send + Sync + 'static,
        merge: impl FnOnce(&mut Core, Vec<Part>, &mut Writer<'_>) -> Option<Self> + 'static,
    ) -> Self {
        Self::later(move |core, _| Some(ask(core)), merge)
    }

    /// The same; where `ask` returns `None`, its part is given by the [`Answer`], later.
    pub(crate) fn later<Part: Send + 'static>(
        ask: impl Fn(&mut Core, Answer) -> Option<Part> + Send + Sync + 'static,
        merge: impl FnOnce(&mut Core, Vec<Part>, &mut Writer<'_>) -> Option<Self> + 'static,
    ) -> Self {
        let ask: Ask = Arc::new(move |core: &mut Core, answer| {
            ask(core, answer).map(|part| Box::new(part) as AnyPart)
        });
        let merge: Merge = Box::new(move |core, parts, writer| {
            let parts = parts.into_iter().filter_map(|part| part.downcast::<Part>().ok());
            merge(core, parts.map(|part| *part).collect(), writer)
        });
        Self { ask, merge, barrier: false }
    }

    /// The connection's further commands wait for the answer.
    pub(crate) fn barrier(mut self) -> Self {
        self.barrier = true;
        self
    }
}

/// What a core thread owes to a question.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    id: u64,
    /// Whose question it is.
    home: usize,
    /// Whose part.
    shard: usize,
}

impl Answer {
    /// Gives the part, from any core thread.
    pub(crate) fn give<Part: Send + 'static>(self, core: &mut Core, part: Part) {
        self.give_any(core, Box::new(part));
    }

    fn give_any(self, core: &mut Core, part: AnyPart) {
        let Self { id, home, shard } = self;
        core.mail.call(home, move |core| {
            if shard != home {
                core.mail.under_way -= 1;
            }
            core.handle_part(id, shard, part);
        });
    }
}

/// Questions whose answers are under way.
#[derive(Default)]
pub(crate) struct Gatherings {
    next: u64,
    open: HashMap<u64, Gathering>,
}

struct Gathering {
    target: Target,
    protocol: Protocol,
    parts: Vec<Option<AnyPart>>,
    merge: Merge,
}

/// Where an answer goes.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// To a place of a connection's pipeline.
    Place { key: ConnectionKey, place: u64 },
    /// To a piece of a held transaction's stage.
    Held { id: TransactionId, piece: usize },
}

impl Core {
    /// Asks all core threads, in the name of a connection.
    pub(crate) fn ask(&mut self, key: ConnectionKey, question: Question) {
        let Some(connection) = self.connections.find(key) else { return };
        let silent = connection.session.replies.is_silent();
        let place = connection.pipeline.open(silent);
        let protocol = connection.session.client.protocol;
        if question.barrier {
            connection.input.held = Held::Barrier;
        }
        if let Some(reply) = self.ask_for(Target::Place { key, place }, protocol, question) {
            self.settle_place(key, place, &reply);
        }
    }

    /// Asks all core threads; the answer goes to `target`, unless it is here at once.
    pub(crate) fn ask_for(
        &mut self,
        target: Target,
        protocol: Protocol,
        question: Question,
    ) -> Option<Vec<u8>> {
        let (home, shards) = (self.mail.shard, self.mail.shards());
        let id = self.gatherings.next;
        self.gatherings.next += 1;
        let parts = (0..shards).map(|_| None).collect();
        let merge = question.merge;
        self.gatherings.open.insert(id, Gathering { target, protocol, parts, merge });
        for shard in (0..shards).filter(|shard| *shard != home) {
            let ask = Arc::clone(&question.ask);
            self.mail.under_way += 1;
            self.mail.call(shard, move |core| {
                let answer = Answer { id, home, shard };
                if let Some(part) = ask(core, answer) {
                    answer.give_any(core, part);
                }
            });
        }
        let own = (question.ask)(self, Answer { id, home, shard: home })?;
        self.take_part(id, home, own).map(|(_, reply)| reply)
    }

    fn handle_part(&mut self, id: u64, shard: usize, part: AnyPart) {
        let Some((target, reply)) = self.take_part(id, shard, part) else { return };
        match target {
            Target::Place { key, place } => self.settle_place(key, place, &reply),
            Target::Held { id, piece } => self.handle_held_answer(id, piece, reply),
        }
    }

    /// Takes one part in; the whole answer, if that was the last.
    fn take_part(&mut self, id: u64, shard: usize, part: AnyPart) -> Option<(Target, Vec<u8>)> {
        let gathering = self.gatherings.open.get_mut(&id)?;
        gathering.parts[shard] = Some(part);
        if gathering.parts.iter().any(Option::is_none) {
            return None;
        }
        let done = self.gatherings.open.remove(&id)?;
        let mut reply = Vec::new();
        let parts = done.parts.into_iter().flatten().collect();
        match (done.merge)(self, parts, &mut Writer::new(&mut reply, done.protocol)) {
            None => Some((done.target, reply)),
            Some(next) => {
                let reply = self.ask_for(done.target, done.protocol, next)?;
                Some((done.target, reply))
            }
        }
    }
}
