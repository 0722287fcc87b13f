//! A transaction that holds its keys, as its home drives it.
//!
//! ```text
//! home                               participants
//! claim (markers)                ->  hold the keys, check WATCH, lend what the first command needs
//! run what depends on it         <-  values
//! take back, run, lend ...       ->  as often as there are commands that need keys together
//! take back, run, settle         ->  log one part each, let go of the keys
//! reply                          <-  once each part is written
//! ```
//!
//! RENAME over shards takes two hops; an EXEC that only has to check its WATCH on several shards
//! does, too: claim, then run and settle. All stages travel in the tick's bundles
//! (`message/bundle.rs`), which enter the inboxes as one step: so they are the markers.

use commands::Wait;
use durability::{Participants, TransactionId};
use resp::{CommandError, Writer};
use smallvec::SmallVec;
use spec::Flags;

use super::gather::{Gather, Outline, Piece};
use super::held_plan::{HeldCommand, HeldPlan};
use super::lend::Lent;
use super::numbers::NumberMap;
use super::plan::Plan;
use super::stage::Stage;
use crate::core::Core;
use crate::input::dispatch::Place;
use crate::memory::kept::KEPT_BYTES_MAX;
use crate::message::Origin;
use crate::message::gathering::Target;
use crate::waiting::Lining;

mod needs;

/// The held transactions that connections of this core thread began.
pub(crate) type HeldTransactions = NumberMap<TransactionId, Box<Held>>;

/// A held transaction under way.
pub(crate) struct Held {
    id: TransactionId,
    /// The moment of all that it does, unix milliseconds.
    now_ms: i64,
    plan: HeldPlan,
    place: u64,
    /// The shards that take part.
    participants: Vec<Participant>,
    /// The next command to run.
    next: usize,
    /// What the stages under way bring.
    coming: Coming,
    /// Whether they are those that settle.
    settling: bool,
    /// The replies so far. Of a command that waits: its answer, if its wait ends before this has.
    replies: Vec<u8>,
    /// A watched key was touched, or the wait it was to end has ended: nothing runs.
    dirty: bool,
    /// Its command found nothing, and waits.
    wait: Option<Box<Wait>>,
    /// Why a part of it is not in the log.
    refused: Option<CommandError>,
}

/// A shard that takes part.
struct Participant {
    shard: usize,
    /// What is to be asked of it next.
    stage: Option<Box<Stage>>,
}

/// What stages under way bring.
#[derive(Default)]
struct Coming {
    /// The replies of their commands.
    replies: Gather,
    /// Values that were lent.
    lent: Vec<Lent>,
}

impl Core {
    /// Claims the keys of a held transaction, on all its shards as one step.
    pub(crate) fn begin_held(&mut self, plan: HeldPlan) {
        let Some(connection) = self.connections.find(plan.sender.key) else { return };
        self.bundles.take_further_commands_of(&mut connection.pipeline);
        let place = match plan.waits {
            Some(place) => place,
            None => connection.pipeline.open(plan.sender.silent),
        };
        let id = self.shard.log.next_transaction(self.mail.shard as u16);
        let mut held = self.spare.take_held((id, self.time.unix_ms()), plan, place);
        self.claim(&mut held);
        if held.participants.is_empty() {
            // All of it runs here, at once: what the connection sent before comes before.
            self.send_bundles();
            self.drain_inbox();
        }
        self.want(&mut held);
        let (sender, parts) = (held.plan.sender, held.participants.len());
        held.coming.replies.begin(sender.client.protocol, &mut Outline::default(), parts, 0);
        let mut is_full = false;
        for (index, participant) in held.participants.iter_mut().enumerate() {
            let (shard, Some(mut stage)) = (participant.shard, participant.stage.take()) else {
                continue;
            };
            stage.index = index as u16;
            self.bundles.begin_run(shard, sender.client, &mut self.mail);
            self.bundles.complete_stage(shard, sender, stage);
            is_full |= self.bundles.is_full(shard);
        }
        self.end_stages(held, is_full);
    }

    /// The stages of a transaction are in the bundles.
    fn end_stages(&mut self, held: Box<Held>, is_full: bool) {
        let (id, is_attempt) = (held.id, held.plan.waits.is_some());
        self.held.insert(id, held);
        if is_full || is_attempt {
            // What else is sent for a command that waits must not overtake its attempts.
            self.send_bundles();
        }
        // Where there is nothing to wait for.
        self.advance_held(id);
    }

    /// A stage came back from a shard, with the replies of its commands.
    pub(crate) fn handle_stage(&mut self, mut stage: Box<Stage>, reply: &[u8]) {
        let id = stage.id;
        if let Some(held) = self.held.get_mut(&id) {
            held.coming.replies.add_bytes(stage.index, reply, &stage.report.shares);
            held.coming.lent.append(&mut stage.lent);
            held.dirty |= stage.report.dirty;
            if stage.report.refused.is_some() {
                held.refused = stage.report.refused.take();
            }
        }
        self.spare.keep_stage(stage);
        self.advance_held(id);
    }

    /// The answer to a question that a command of a held transaction asks.
    pub(crate) fn handle_held_answer(&mut self, id: TransactionId, piece: usize, reply: Vec<u8>) {
        if let Some(held) = self.held.get_mut(&id) {
            held.coming.replies.add_answer(piece, reply);
        }
        self.advance_held(id);
    }

    /// Goes on once everything of the stages under way is here.
    fn advance_held(&mut self, id: TransactionId) {
        if !self.held.get(&id).is_some_and(|held| held.coming.replies.is_complete()) {
            return;
        }
        let Some(mut held) = self.held.remove(&id) else { return };
        let replies = &mut held.replies;
        if held.plan.framed && replies.is_empty() {
            Writer::new(replies, held.plan.sender.client.protocol).array(held.plan.commands.len());
        }
        held.coming.replies.each(&self.time, |reply| replies.extend_from_slice(reply));
        self.note_shared(held.plan.sender.key, &held.coming.replies);
        if held.settling {
            self.end_held(&mut held);
            return self.spare.keep_held(held);
        }
        let mut lent = std::mem::take(&mut held.coming.lent);
        let key = held.plan.sender.key;
        let is_attempt = held.plan.waits.is_some();
        if is_attempt && !self.still_waits(key, held.place) {
            held.dirty = true;
        }
        if held.dirty {
            held.next = held.plan.commands.len();
            lent.retain(|lent| !lent.is_copy);
        } else if let Some(next) = held.plan.commands.get(held.next)
            && let HeldCommand::Shard(command) = next
            && next.is_dependent()
        {
            // Whatever stage comes before such a command lends what it needs.
            let how = (command, &held.plan.sender, held.now_ms);
            self.run_on_lent(how, is_attempt, &mut lent, &mut held.replies);
            held.next += 1;
            held.hand_out(&mut self.guests.effects, self.mail.shards(), &mut self.spare);
            if is_attempt {
                held.wait = self.shard.asked.take();
                self.note_attempt(key, id, held.wait.as_deref());
                if held.wait.is_some() && !self.still_waits(key, held.place) {
                    // It ended in that moment: what it would join it has left already.
                    (held.wait, held.dirty) = (None, true);
                }
            }
        }
        for lent in lent.drain(..) {
            held.stage(usize::from(lent.loan.owner), &mut self.spare).back.push(lent);
        }
        held.coming.lent = lent;
        self.send_stages(held);
    }

    /// Sends the next stages: what comes back to its owners, the commands up to the next one that
    /// needs keys together, and what is lent for that; or the end.
    fn send_stages(&mut self, mut held: Box<Held>) {
        let mut plan = self.spare.take_plan();
        plan.begin(self.mail.shards());
        let asks = self.plan_stages(&mut held, &mut plan);
        held.settling = held.next == held.plan.commands.len() && !asks;
        let sender = held.plan.sender;
        for at in 0..held.participants.len() {
            if held.settling || held.participants[at].stage.is_some() {
                self.part_on(&mut plan, held.participants[at].shard, sender.client);
            }
        }
        let (protocol, random) = (sender.client.protocol, self.shared.random());
        held.coming.replies.begin(protocol, &mut plan.outline, plan.parts.len(), random);
        let writers = held.writers();
        let mut is_full = false;
        for (index, shard) in plan.parts.iter().map(|part| part.shard).enumerate() {
            let lining = self.lining_of(&held, shard);
            let settle = held.settling.then_some(writers);
            held.stage(shard, &mut self.spare);
            let Some(mut stage) = held.take_stage(shard) else { continue };
            (stage.index, stage.settle, stage.lining) = (index as u16, settle, lining);
            self.bundles.complete_stage(shard, sender, stage);
            is_full |= self.bundles.is_full(shard);
        }
        self.spare.keep_plan(plan);
        self.end_stages(held, is_full);
    }

    /// Lays out the commands of the next stages. True: one of them asks all core threads.
    fn plan_stages(&mut self, held: &mut Held, plan: &mut Plan) -> bool {
        let mut asks = false;
        while let Some(command) = held.plan.commands.get(held.next).filter(|_| !asks) {
            match command {
                _ if command.is_dependent() => {
                    self.want(held);
                    break;
                }
                HeldCommand::Shard(owned) => {
                    let place = held.place_of(owned.place);
                    self.plan(plan, &owned.planned(held.plan.sender.client), place);
                }
                // What it asks for must show what the commands before it did.
                HeldCommand::Session(..) if !plan.parts.is_empty() || held.has_stages() => break,
                HeldCommand::Session(entry, arguments) => {
                    let target = Target::Held { id: held.id, piece: plan.outline.pieces.len() };
                    let key = held.plan.sender.key;
                    let piece =
                        crate::commands::run_in_exec(self, key, entry, arguments.get(), target);
                    // What comes after it, the end included, must not be seen by it.
                    asks = matches!(piece, Piece::Asked);
                    plan.outline.pieces.push(piece);
                    // SELECT, say, is for the commands after it.
                    if let Some(connection) = self.connections.find(key) {
                        held.plan.sender.client = connection.session.client;
                    }
                }
            }
            held.next += 1;
        }
        asks
    }

    /// All parts are settled: the reply takes its place.
    fn end_held(&mut self, held: &mut Held) {
        let sender = held.plan.sender;
        if held.plan.waits.is_some() && (held.dirty || held.wait.is_some()) {
            // Its wait goes on, or was answered when it ended; or is answered now.
            if !held.replies.is_empty() {
                self.settle_place(sender.key, held.place, &held.replies);
            }
            return;
        }
        if let Some(error) = &held.refused {
            held.replies.clear();
            Writer::new(&mut held.replies, sender.client.protocol).error(error);
        } else if held.dirty {
            held.replies.clear();
            Writer::new(&mut held.replies, sender.client.protocol).null_array();
        }
        self.settle_place(sender.key, held.place, &held.replies);
        if !held.plan.has_session_commands() {
            // An EXEC behind this one may have.
            return;
        }
        let Some(connection) = self.connections.find(sender.key) else { return };
        connection.session.multi.executing = false;
        if connection.ended {
            drop(self.handle_ended(sender.key.token));
        }
    }

    /// Has an attempt of a command that waits answer it, as soon as it has settled: what it saw is
    /// written then. The reply comes back if it has.
    pub(crate) fn answer_settled(&mut self, id: TransactionId, reply: Vec<u8>) -> Option<Vec<u8>> {
        let Some(held) = self.held.get_mut(&id) else { return Some(reply) };
        held.replies = reply;
        None
    }

    /// What an attempt of a command that may wait changes in the lines of a shard, as it settles.
    fn lining_of(&self, held: &Held, shard: usize) -> Option<Lining> {
        let (Some(place), true) = (held.plan.waits, held.settling) else { return None };
        let Some(HeldCommand::Shard(command)) = held.plan.commands.first() else { return None };
        let (key, client) = (held.plan.sender.key, held.plan.sender.client);
        let origin = Origin { home: self.mail.shard as u16, connection: key, place };
        Some(self.lining_on(shard, origin, command, (client.db, held.wait.as_deref())))
    }
}

impl Held {
    /// Begins at the moment `now_ms`, with nothing done yet.
    pub(super) fn new((id, now_ms): (TransactionId, i64), plan: HeldPlan, place: u64) -> Self {
        Self {
            id,
            now_ms,
            plan,
            place,
            participants: Vec::new(),
            next: 0,
            coming: Coming::default(),
            settling: false,
            replies: Vec::new(),
            dirty: false,
            wait: None,
            refused: None,
        }
    }

    /// The same, with the memory of one that is over.
    pub(super) fn begin(&mut self, moment: (TransactionId, i64), plan: HeldPlan, place: u64) {
        let mut begun = Self::new(moment, plan, place);
        std::mem::swap(&mut begun.participants, &mut self.participants);
        std::mem::swap(&mut begun.coming, &mut self.coming);
        std::mem::swap(&mut begun.replies, &mut self.replies);
        *self = begun;
    }

    /// It is over: lets go of what it was about.
    pub(super) fn clear(&mut self) {
        // A large EXEC's took memory; the next one brings its own.
        self.plan.commands = SmallVec::new();
        self.participants.clear();
        self.coming.lent.clear();
        self.replies.clear();
    }

    /// Whether it is small enough to be kept for the next use.
    pub(super) fn is_worth_keeping(&self) -> bool {
        let Coming { replies, lent } = &self.coming;
        let lent_bytes = lent.capacity() * size_of::<Lent>();
        replies.is_worth_keeping() && self.replies.capacity().max(lent_bytes) <= KEPT_BYTES_MAX
    }

    /// Where a command runs: on a shard that takes part, and so is settled. One that is refused
    /// whatever its keys has its place at home, which may hold none.
    fn place_of(&self, place: Place) -> Place {
        let takes_part = |shard| self.participants.iter().any(|it| it.shard == shard);
        match (place, self.participants.first()) {
            (Place::One(shard), Some(first)) if !takes_part(shard) => Place::One(first.shard),
            _ => place,
        }
    }

    /// The shards that log a part: all, where anything may have been changed.
    fn writers(&self) -> Participants {
        let mut writers = Participants::new();
        let mut commands = self.plan.shard_commands();
        let is_idle = self.dirty || self.wait.is_some();
        if !is_idle && commands.any(|it| it.command.spec.flags.has(Flags::WRITE)) {
            self.participants.iter().for_each(|it| writers.insert(it.shard as u16));
        }
        writers
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn a_large_exec_leaves_no_memory_behind() {
        let mut server = Fixture::new(2);
        let (client, other) = (server.connect(0), server.connect(0));
        // On the second shard and on the first.
        server.ask(client, "WATCH {a} {b}");
        server.ask(other, "SET {a} 2");
        let commands = "SET {a} 1\r\n".repeat(1000);
        server.send(client, format!("MULTI\r\n{commands}").as_bytes());
        assert_eq!(server.ask(client, "EXEC"), "*-1\r\n");
        let held = server.cores[0].spare.some_held().expect("what replied little is kept");
        assert!(!held.plan.commands.spilled());
    }
}
