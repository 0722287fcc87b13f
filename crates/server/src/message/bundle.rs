//! Commands on their way to shards, gathered from all connections of a tick.
//!
//! What a tick's connections want from a shard travels together: one *bundle* a shard, a message
//! with one [`Run`] for each stretch of consecutive commands of one connection. So what a message
//! costs (its cache lines, its way through an inbox, a wake-up) is paid once for many commands.
//!
//! # Why this keeps the order
//! All open bundles enter their inboxes in one step, as the markers of a transaction do: whoever
//! sees one of them sees all. So it does not matter which bundle a command is in, and a connection
//! whose commands alternate between shards fills several at once. Only what a connection runs
//! *outside* of them must not overtake what it has inside: once it has a command in an open bundle,
//! its commands for the home's own shard join a bundle, too, which goes through the home's own
//! inbox like any other; and all else that it may do sends the bundles first
//! ([`Core::send_bundles`]). They are sent at the end of the tick's input at the latest, before
//! any reply of the tick leaves. Commands of *different* connections have no order among each other
//! until one of them is answered.

use net::Envelope;
use resp::Writer;

use crate::canary::{self, Canary};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::Request;
use crate::message::{Client, Message, Origin, Purpose, Queued, Work};
use crate::output::pipeline::Pipeline;
use crate::output::weave::RunReplies;
use crate::shard::Sink;

/// Most commands that travel as one message: what a message costs is small for each of so many, and
/// the shard can begin with them while its peer goes on.
const BUNDLE_COMMANDS_MAX: usize = 64;

/// Most bytes of commands in a message to which another command is added.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;

/// The messages that collect this tick's commands for shards.
pub(crate) struct Bundles {
    /// By shard.
    open: Vec<Option<Envelope<Message>>>,
    /// How many are open.
    count: usize,
    /// Counts how often they were sent: a connection notes when it last put a command in.
    epoch: u64,
}

/// Consecutive commands of one connection in a bundle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The connection.
    pub(crate) connection: ConnectionKey,
    /// The place in its pipeline that waits for the replies.
    pub(crate) place: u64,
    /// Which of that place's parts this is: the connection may have runs in several bundles.
    pub(crate) part: u16,
    /// As whom the commands run.
    pub(crate) client: Client,
    /// Whether the replies are not sent (CLIENT REPLY).
    pub(crate) silent: bool,
    /// The end of its commands in [`Work::commands`]; they begin where the run before ends.
    pub(crate) commands_end: u32,
    /// The replies exceed what the client may leave unread: the commands after that were not run,
    /// and the connection is to be closed.
    pub(crate) overflown: bool,
    /// The end of its replies in [`Work::reply`], once they are there.
    pub(crate) reply_end: usize,
}

/// The runs of a bundle; none in any other message.
#[derive(Default)]
pub(crate) struct Runs {
    each: Vec<Run>,
    /// Where the reply to each command ends in [`Work::reply`], once they were run.
    reply_ends: Vec<usize>,
}

impl Runs {
    /// Whether the message is no bundle.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.each.clear();
        self.reply_ends.clear();
    }
}

impl Bundles {
    /// Nothing for any of `shards`.
    pub(crate) fn new(shards: usize) -> Self {
        Self { open: (0..shards).map(|_| None).collect(), count: 0, epoch: 1 }
    }

    /// Whether there is anything to be sent.
    #[cfg(test)]
    pub(crate) fn are_open(&self) -> bool {
        self.count > 0
    }

    /// Whether a connection's commands are to join the bundles: some of them are in.
    #[inline]
    pub(crate) fn hold_commands_of(&self, pipeline: &Pipeline) -> bool {
        pipeline.bundled_in == self.epoch
    }

    /// All further commands of a connection, until the bundles are sent, are to join them.
    pub(crate) fn hold_further_commands_of(&self, pipeline: &mut Pipeline) {
        pipeline.bundled_in = self.epoch;
    }
}

impl Core {
    /// Adds a command to the bundle for `shard`, which may be this thread's own.
    pub(crate) fn run_bundled(&mut self, shard: usize, request: &Request<'_>) {
        let Some(connection) = self.connections.find(request.key) else { return };
        let (mail, bundles) = (&mut self.mail, &mut self.bundles);
        let home = mail.shard as u16;
        let envelope = bundles.open[shard].get_or_insert_with(|| {
            bundles.count += 1;
            let mut envelope = mail.envelope();
            envelope.purpose = Purpose::Run;
            envelope.work.origin = Origin { home, ..Origin::default() };
            envelope
        });
        let work = &mut envelope.work;
        let pipeline = &mut connection.pipeline;
        pipeline.bundled_in = bundles.epoch;
        let joined = work.runs.each.last().is_some_and(|run| {
            run.connection == request.key && pipeline.join((run.place, run.part), request.silent)
        });
        if !joined {
            let (place, part) = pipeline.open_run(bundles.epoch, request.silent);
            work.runs.each.push(Run {
                connection: request.key,
                place,
                part,
                client: request.client,
                silent: request.silent,
                commands_end: 0,
                overflown: false,
                reply_end: 0,
            });
        }
        work.client = request.client;
        work.add(request.command, request.number, *request.arguments);
        let commands_end = work.commands.len();
        if let Some(run) = work.runs.each.last_mut() {
            run.commands_end = commands_end as u32;
        }
        if commands_end >= BUNDLE_COMMANDS_MAX || work.text.bytes.len() >= BUNDLE_BYTES_MAX {
            self.send_bundles();
        }
    }

    /// Sends the open bundles, if there are any: from now on what is in them has taken effect.
    #[inline]
    pub(crate) fn send_bundles(&mut self) {
        if self.bundles.count > 0 {
            self.push_bundles();
        }
    }

    fn push_bundles(&mut self) {
        let (mail, bundles) = (&mut self.mail, &mut self.bundles);
        let several = bundles.count > 1;
        bundles.count = 0;
        bundles.epoch += 1;
        for (shard, open) in bundles.open.iter_mut().enumerate() {
            let Some(envelope) = open.take() else { continue };
            mail.under_way += envelope.work.runs.each.len();
            if several {
                mail.add_marker(shard, envelope);
            } else {
                mail.push(shard, envelope);
            }
        }
        if several {
            mail.push_markers();
        }
    }

    /// The tick's input was read: sends what is still open, and runs this shard's own part of it.
    pub(crate) fn end_input_of_tick(&mut self) {
        let late = self.bundles.count > 0 && !self.inputs.is_multiple_of(2);
        if canary::is_out(Canary::LocalOvertakesRun) && late {
            // They leave with the next tick, which this brings about.
            self.inputs += 1;
            return self.agenda.resume.push(ConnectionKey::default());
        }
        self.send_bundles();
        if !self.mail.inbox.is_empty() {
            self.drain_inbox();
        }
    }

    /// Runs the commands of a bundle, and sends it back when the tick's log is written.
    pub(crate) fn run_bundle(&mut self, mut envelope: Envelope<Message>) {
        if !self.shard.holds.is_idle() {
            // What has to wait for a held key must not detain the rest.
            return self.split(&envelope).for_each(|it| self.run_work(it));
        }
        let work = &mut envelope.work;
        let commands = std::mem::take(&mut work.commands);
        let mut runs = std::mem::take(&mut work.runs);
        let mut reply = std::mem::take(&mut work.reply);
        // The home has brought its own keys near when it parsed them.
        if commands.len() > 1 && usize::from(work.origin.home) != self.mail.shard {
            self.prefetch_commands(work, &commands);
        }
        let limit = self.settings.limits.output_normal.hard_bytes;
        let mut at = 0;
        let Runs { each, reply_ends } = &mut runs;
        for run in each {
            let begin = reply.len();
            work.origin.connection = run.connection;
            work.client = run.client;
            for queued in &commands[at..run.commands_end as usize] {
                if run.silent {
                    // What is not going to be sent counts for nothing.
                    reply.truncate(begin);
                } else if limit != 0 && (reply.len() - begin) as u64 >= limit {
                    run.overflown = true;
                    break;
                }
                if let Err(error) = self.make_room_for(queued.command) {
                    self.statistics.count_rejected(Some(queued.number), &error);
                    Writer::new(&mut reply, run.client.protocol).error(&error);
                } else {
                    self.run_queued(work, queued, &mut reply, &mut Sink::Log);
                }
                reply_ends.push(reply.len());
            }
            at = run.commands_end as usize;
            run.reply_end = reply.len();
            // Also those of commands that were not run.
            reply_ends.resize(at, reply.len());
        }
        (work.commands, work.runs, work.reply) = (commands, runs, reply);
        envelope.purpose = Purpose::Replies;
        self.release.hold_message(envelope);
    }

    /// Messages that were run, with a message of its own for each run of a bundle.
    pub(crate) fn split_bundles(
        &mut self,
        messages: Vec<Envelope<Message>>,
    ) -> Vec<Envelope<Message>> {
        let mut all = Vec::with_capacity(messages.len());
        for envelope in messages {
            if envelope.work.runs.is_empty() {
                all.push(envelope);
                continue;
            }
            all.extend(self.split(&envelope).map(|mut it| {
                it.purpose = Purpose::Replies;
                it
            }));
            self.mail.recycle(envelope);
        }
        all
    }

    /// A message for each run of a bundle, with its replies if there are any.
    fn split(&mut self, bundle: &Envelope<Message>) -> std::vec::IntoIter<Envelope<Message>> {
        let work = &bundle.work;
        let mut from = 0;
        let messages = work.each_run().map(|(run, commands)| {
            let mut envelope = self.mail.envelope();
            let own = &mut envelope.work;
            let home = work.origin.home;
            let Run { connection, place, part, .. } = *run;
            own.origin = Origin { home, connection, place, part };
            own.client = run.client;
            own.silent = run.silent;
            own.overflown = run.overflown;
            for queued in commands {
                own.add_for(queued.db, queued.command, queued.number, work.arguments(queued));
            }
            own.reply.extend_from_slice(&work.reply[from..run.reply_end.max(from)]);
            from = run.reply_end;
            envelope
        });
        messages.collect::<Vec<_>>().into_iter()
    }

    /// Brings the keys of a message's commands near the processor: first all buckets, then all
    /// records.
    fn prefetch_commands(&mut self, work: &Work, commands: &[Queued]) {
        self.shard.prefetch_begin();
        for queued in commands.iter().filter(|it| !it.command.spec.keys.is_empty()) {
            if let Some(key) = work.arguments(queued).get(1) {
                self.shard.prefetch_bucket(queued.db, key);
            }
        }
        self.shard.prefetch_records();
    }

    /// A bundle of ours came back: hands the replies of each run to its connection.
    pub(crate) fn handle_bundle_replies(&mut self, envelope: Envelope<Message>) {
        let work = &envelope.work;
        self.mail.under_way -= work.runs.each.len();
        let (mut from, mut at) = (0, 0);
        for (index, run) in work.runs.each.iter().enumerate() {
            let until = run.commands_end as usize;
            let replies = RunReplies {
                commands: until - at,
                bytes: &work.reply[from..run.reply_end],
                ends: work.runs.reply_ends.get(at..until).unwrap_or_default(),
                begin: from,
            };
            (from, at) = (run.reply_end, until);
            let Some(connection) = self.connections.find(run.connection) else { continue };
            if run.overflown {
                self.disconnect_slow(run.connection);
                continue;
            }
            let (pipeline, output) = (&mut connection.pipeline, &mut connection.output.bytes);
            let mail = &mut self.mail;
            let place = (run.place, run.part);
            pipeline.settle_run(place, replies, output, &mut |spent| mail.recycle(spent));
            let same = |next: &Run| next.connection == run.connection && !next.overflown;
            if !work.runs.each.get(index + 1).is_some_and(same) {
                self.note_settled(run.connection);
            }
        }
        self.mail.recycle(envelope);
    }
}

impl Work {
    /// The runs of a bundle, each with its commands; nothing of what is no bundle.
    pub(crate) fn each_run(&self) -> impl Iterator<Item = (&Run, &[Queued])> {
        let mut at = 0;
        self.runs.each.iter().map(move |run| {
            let commands = &self.commands[at..run.commands_end as usize];
            at = run.commands_end as usize;
            (run, commands)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    /// Commands that alternate between shards, and what they are to be answered.
    fn alternating(count: usize) -> (String, String) {
        let (mut commands, mut replies) = (String::new(), String::new());
        for at in 0..count {
            commands.push_str(&format!("SET k{at} v{at}\r\nINCR n{}\r\nGET k{at}\r\n", at % 7));
            let value = format!("v{at}");
            replies.push_str(&format!("+OK\r\n:{}\r\n${}\r\n{value}\r\n", at / 7 + 1, value.len()));
        }
        (commands, replies)
    }

    #[test]
    fn a_long_pipeline_over_all_shards_is_answered_in_order() {
        for shards in [1, 2, 5] {
            for count in [1, 10, 400] {
                let mut server = Fixture::new(shards);
                let client = server.connect(shards - 1);
                let (commands, replies) = alternating(count);
                assert_eq!(server.send(client, commands.as_bytes()), replies, "{shards} {count}");
            }
        }
    }

    #[test]
    fn what_is_no_shard_command_keeps_its_place() {
        let mut server = Fixture::new(3);
        let client = server.connect(0);
        let text = "SET a 1\r\nSET b 1\r\nPING\r\nGET a\r\nINCR a b\r\nMGET a b c\r\nSELECT 1\r\n\
                    GET a\r\nGET b\r\nSELECT 0\r\nDEL a b c\r\nGET a\r\n";
        let replies = "+OK\r\n+OK\r\n+PONG\r\n$1\r\n1\r\n\
                       -ERR wrong number of arguments for 'incr' command\r\n\
                       *3\r\n$1\r\n1\r\n$1\r\n1\r\n$-1\r\n\
                       +OK\r\n$-1\r\n$-1\r\n+OK\r\n:2\r\n$-1\r\n";
        assert_eq!(server.send(client, text.as_bytes()), replies);
    }

    #[test]
    fn clients_share_bundles_and_keep_their_replies_apart() {
        let mut server = Fixture::new(2);
        let clients: Vec<_> = (0..6).map(|_| server.connect(0)).collect();
        for (at, client) in clients.iter().enumerate() {
            server.give(*client, format!("SET k{at} {at}\r\nGET k{at}\r\n").as_bytes());
        }
        server.settle();
        for (at, client) in clients.iter().enumerate() {
            assert_eq!(server.take(*client), format!("+OK\r\n$1\r\n{at}\r\n"));
        }
    }

    #[test]
    fn silent_commands_are_done_and_not_answered() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        let text = "CLIENT REPLY OFF\r\nSET a 1\r\nSET b 2\r\nSET c 3\r\nCLIENT REPLY ON\r\n\
                    GET a\r\nGET b\r\nGET c\r\n";
        let replies = "+OK\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n";
        assert_eq!(server.send(client, text.as_bytes()), replies);
    }
}
