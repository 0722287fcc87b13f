//! Running the commands of a message.

use resp::Writer;
use spec::Flags;

use crate::core::Core;
use crate::message::{Client, Queued, Work, writes};
use crate::shard::{ShardRequest, Sink};
use crate::statistics::notable::Ran;
use crate::transaction::watchers::Watcher;
use crate::transaction::{Part, Shares};

/// What makes commands one step.
pub(crate) struct Unit<'a> {
    /// They are a part of this transaction.
    pub(crate) part: Option<&'a Part>,
    /// They are all of an EXEC: their replies become one array.
    pub(crate) framed: bool,
    /// Whose WATCH is to be checked first: it ends with this.
    pub(crate) watcher: Option<Watcher>,
}

/// How commands that are one step are marked in the log.
pub(crate) struct Marks<'a> {
    /// Other shards have parts of the same transaction.
    shared: Option<&'a Part>,
    /// Several commands may write: they are one unit.
    unit: bool,
}

impl Core {
    /// Runs commands that were sent one after the other, no more, and tells `ended` where each
    /// reply ends. True: the replies exceed what the client may leave unread, and the commands
    /// after that were not run.
    pub(crate) fn run_several(
        &mut self,
        work: &Work,
        commands: &[Queued],
        reply: &mut Vec<u8>,
        mut ended: impl FnMut(usize),
    ) -> bool {
        let (limit, begin) = (self.settings.limits.output_normal.hard_bytes, reply.len());
        for queued in commands {
            if work.silent {
                // What is not going to be sent counts for nothing.
                reply.truncate(begin);
            } else if limit != 0 && (reply.len() - begin) as u64 >= limit {
                return true;
            }
            if let Err(error) = self.make_room_for(queued.command) {
                self.statistics.count_rejected(Some(queued.number), &error);
                Writer::new(reply, work.client.protocol).error(&error);
            } else {
                self.run_queued(work, queued, reply, &mut Sink::Log);
            }
            self.end_unit();
            ended(reply.len());
        }
        false
    }

    /// Runs commands of a message that are one step. Nothing of it is ever refused: its home has
    /// asked. How long those took that other shards run as well.
    pub(crate) fn run_unit(
        &mut self,
        work: &Work,
        commands: &[Queued],
        unit: &Unit<'_>,
        reply: &mut Vec<u8>,
    ) -> Shares {
        let now_ms = self.time.unix_ms();
        let dirty = unit.watcher.is_some_and(|watcher| self.shard.end_watcher(watcher, now_ms));
        if dirty {
            Writer::new(reply, work.client.protocol).null_array();
            return Shares::new();
        }
        self.make_room_once(commands);
        if unit.framed {
            Writer::new(reply, work.client.protocol).array(commands.len());
        }
        let marks = Marks::of(unit.part, writes(commands));
        self.begin_marks(&marks);
        let shares = self.run_each(work, commands, reply, &mut Sink::Log);
        self.end_marks(&marks);
        // However many commands it has.
        self.end_unit();
        shares
    }

    /// Runs the commands of a stage of a transaction that holds its keys. Nothing of it is ever
    /// refused: its home has asked. How long those took that other shards run as well.
    pub(crate) fn run_staged(
        &mut self,
        work: &Work,
        commands: &[Queued],
        reply: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> Shares {
        self.make_room_once(commands);
        self.run_each(work, commands, reply, sink)
    }

    /// Runs commands one after the other. How long those took that other shards run as well.
    fn run_each(
        &mut self,
        work: &Work,
        commands: &[Queued],
        reply: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> Shares {
        let mut shares = Shares::new();
        for queued in commands {
            let took_ns = self.run_queued(work, queued, reply, sink);
            if queued.is_shared() {
                shares.push(took_ns);
            }
        }
        shares
    }

    /// Makes room before commands that are one step: between them no key goes that one of them may
    /// have looked at.
    fn make_room_once(&mut self, commands: &[Queued]) {
        if commands.iter().any(|it| it.command.spec.flags.has(Flags::DENYOOM)) {
            self.make_room();
        }
    }

    /// Runs one command of a message. How many nanoseconds it took.
    pub(crate) fn run_queued(
        &mut self,
        work: &Work,
        queued: &Queued,
        reply: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) -> u64 {
        let request = ShardRequest {
            command: queued.command,
            number: queued.number,
            arguments: work.arguments(queued),
            client: Client { db: queued.db, ..work.client },
            counted: !queued.is_shared(),
            may_wait: false,
            now_ms: match sink {
                Sink::Kept { now_ms, .. } => *now_ms,
                Sink::Log | Sink::Nothing => self.time.unix_ms(),
            },
        };
        let meters = (&mut self.statistics, &self.time);
        let took_ns = self.shard.run_to(sink, &request, meters, reply);
        // What is shared is noted at its home, as the one command that it is.
        if self.statistics.is_notable(took_ns) && !queued.is_shared() {
            let arguments = request.arguments;
            let (home, connection) = (usize::from(work.origin.home), work.origin.connection);
            let spec = &queued.command.spec;
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
        took_ns
    }

    pub(crate) fn begin_marks(&mut self, marks: &Marks<'_>) {
        if let Some(part) = marks.shared {
            self.shard.log.begin_part(part);
        }
        if marks.unit {
            self.shard.log.begin_unit();
        }
    }

    pub(crate) fn end_marks(&mut self, marks: &Marks<'_>) {
        if marks.unit {
            self.shard.log.end_unit();
        }
        if let Some(part) = marks.shared {
            self.shard.log.end_part(part);
        }
    }
}

impl<'a> Marks<'a> {
    /// The marks around `writes` commands that may write.
    pub(crate) fn of(part: Option<&'a Part>, writes: usize) -> Self {
        let shared = part.filter(|part| writes > 0 && part.participants.len() > 1);
        Self { shared, unit: writes > 1 }
    }
}
