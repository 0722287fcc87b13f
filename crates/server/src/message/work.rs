//! Running the commands of a message.

use net::Envelope;
use resp::Writer;
use spec::Flags;

use crate::core::Core;
use crate::message::{Client, Message, Purpose, Queued, Work};
use crate::shard::{ShardRequest, Sink};
use crate::statistics::notable::Ran;
use crate::transaction::Part;

/// How the commands of a part are marked in the log.
struct Marks<'a> {
    part: &'a Part,
    /// Other shards have parts of the same transaction.
    shared: bool,
    /// Several commands may write: they are one unit.
    unit: bool,
}

impl Core {
    /// Runs the commands of a message, and sends it back when the tick's log is written.
    pub(crate) fn run_now(&mut self, mut envelope: Envelope<Message>) {
        let work = &mut envelope.work;
        if let Some(watcher) = work.watcher.take() {
            work.dirty = self.shard.end_watcher(watcher, self.time.unix_ms());
        }
        if !work.dirty {
            let part = work.part.take();
            let marks = part.as_ref().and_then(|part| Marks::of(part, work.writes()));
            if let Some(marks) = &marks {
                self.begin_marks(marks);
            }
            self.run_commands(work, part.is_some(), &mut Sink::Log);
            if let Some(marks) = &marks {
                self.end_marks(marks);
            }
            work.part = part;
        }
        envelope.purpose = Purpose::Replies;
        self.release.hold_message(envelope);
    }

    /// Runs the commands of a message one after another. `part`: of a transaction, of which nothing
    /// is ever refused: its home has asked.
    pub(crate) fn run_commands(&mut self, work: &mut Work, part: bool, sink: &mut Sink<'_>) {
        let commands = std::mem::take(&mut work.commands);
        let mut reply = std::mem::take(&mut work.reply);
        let limit = self.settings.limits.output_normal.hard_bytes;
        if part && commands.iter().any(|it| it.command.spec.flags.has(Flags::DENYOOM)) {
            // Once, before: between its commands no key goes that one of them may have looked at.
            self.make_room();
        }
        for queued in &commands {
            // What is not going to be sent counts for nothing; and a transaction runs to its end.
            if work.silent && !part {
                reply.clear();
            } else if limit != 0 && !part && reply.len() as u64 >= limit {
                work.overflown = true;
                break;
            }
            if !part && let Err(error) = self.make_room_for(queued.command) {
                self.statistics.count_rejected(Some(queued.number), &error);
                Writer::new(&mut reply, work.client.protocol).error(&error);
                continue;
            }
            self.run_queued(work, queued, &mut reply, sink);
        }
        work.commands = commands;
        work.reply = reply;
    }

    /// Runs one command of a message.
    pub(crate) fn run_queued(
        &mut self,
        work: &Work,
        queued: &Queued,
        reply: &mut Vec<u8>,
        sink: &mut Sink<'_>,
    ) {
        let request = ShardRequest {
            command: queued.command,
            number: queued.number,
            arguments: work.arguments(queued),
            client: Client { db: queued.db, ..work.client },
            counted: queued.counted,
            now_ms: match sink {
                Sink::Kept { now_ms, .. } => *now_ms,
                Sink::Log | Sink::Nothing => self.time.unix_ms(),
            },
        };
        let meters = (&mut self.statistics, &self.time);
        let took_ns = self.shard.run_to(sink, &request, meters, reply);
        if self.statistics.is_notable(took_ns) {
            let arguments = request.arguments;
            let (home, connection) = (usize::from(work.origin.home), work.origin.connection);
            let spec = &queued.command.spec;
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
    }

    fn begin_marks(&mut self, marks: &Marks<'_>) {
        if marks.shared {
            self.shard.log.begin_part(marks.part);
        }
        if marks.unit {
            self.shard.log.begin_unit();
        }
    }

    fn end_marks(&mut self, marks: &Marks<'_>) {
        if marks.unit {
            self.shard.log.end_unit();
        }
        if marks.shared {
            self.shard.log.end_part(marks.part);
        }
    }
}

impl<'a> Marks<'a> {
    /// The marks around `writes` commands that may write; `None`: none are needed.
    fn of(part: &'a Part, writes: usize) -> Option<Self> {
        let shared = writes > 0 && part.participants.len() > 1;
        let unit = writes > 1;
        (shared || unit).then_some(Self { part, shared, unit })
    }
}
