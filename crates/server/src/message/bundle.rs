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
//!
//! # Transactions
//! For the same reason the bundles serve as the markers of transactions whose parts do not depend
//! on each other: each part is a run of the bundle for its shard ([`Kind::Part`]), and all of them
//! are in before the bundles are sent. An EXEC that lives on one shard is a run of its own there
//! ([`Kind::Exec`]). A shard runs either as one step. Stages of transactions that hold their keys
//! ([`Kind::Stage`]) travel like parts.
//!
//! A shard runs a bundle in `running.rs`; `returned.rs` is what its home does with the replies.

use net::Envelope;

use crate::canary::{self, Canary};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::Request;
use crate::memory::kept::empty;
use crate::message::mail::Mail;
use crate::message::{Client, Message, Origin, Purpose, Queued, Work};
use crate::output::pipeline::Pipeline;
use crate::transaction::watchers::Watcher;
use crate::transaction::{Part, Sender, Stage};

/// Most commands that travel as one message: what a message costs is small for each of so many, and
/// the shard can begin with them while its peer goes on.
const BUNDLE_COMMANDS_MAX: usize = 64;

/// Most bytes of commands in a message to which another command is added.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;

/// How often a tick looks, after its input, for what its own bundles brought about: each hop of a
/// transaction between two shards that are awake takes one. More would keep clients waiting.
const ROUNDS_MAX: usize = 2;

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
    /// What its commands are to each other.
    pub(crate) kind: Kind,
    /// Whose WATCH is to be checked before they run: it ends with this.
    pub(crate) watcher: Option<Watcher>,
    /// The end of its commands in [`Work::commands`]; they begin where the run before ends.
    pub(crate) commands_end: u32,
    /// The replies exceed what the client may leave unread: the commands after that were not run,
    /// and the connection is to be closed.
    pub(crate) overflown: bool,
    /// The end of its replies in [`Work::reply`], once they are there.
    pub(crate) reply_end: usize,
}

/// What the commands of a run are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One is sent after the other, no more.
    Several,
    /// They are all of an EXEC: one step, whose replies become one array.
    Exec,
    /// They are part of a transaction over several shards: one step, and [`Runs::parts`] tells
    /// which one.
    Part(u16),
    /// They are those of a stage of a transaction that holds its keys: this one of
    /// [`Runs::stages`].
    Stage(u16),
    /// What became of them comes home as a message of its own.
    Apart,
}

impl Kind {
    /// Which of these parts a run is, if it is one.
    pub(super) fn part_in(self, parts: &[Part]) -> Option<&Part> {
        match self {
            Self::Part(at) => parts.get(usize::from(at)),
            _ => None,
        }
    }
}

impl Run {
    /// The run of a connection that begins.
    fn new(
        connection: ConnectionKey,
        (place, part): (u64, u16),
        client: Client,
        silent: bool,
    ) -> Self {
        Self {
            connection,
            place,
            part,
            client,
            silent,
            kind: Kind::Several,
            watcher: None,
            commands_end: 0,
            overflown: false,
            reply_end: 0,
        }
    }
}

/// The runs of a bundle; none in any other message.
#[derive(Default)]
pub(crate) struct Runs {
    pub(super) each: Vec<Run>,
    /// Where the reply to each command ends in [`Work::reply`], once they were run.
    pub(super) reply_ends: Vec<usize>,
    /// What makes runs parts of transactions: see [`Kind::Part`].
    pub(super) parts: Vec<Part>,
    /// Stages, until they are taken out: see [`Kind::Stage`].
    pub(super) stages: Vec<Option<Box<Stage>>>,
}

impl Runs {
    /// Whether the message is no bundle.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        empty(&mut self.each);
        empty(&mut self.reply_ends);
        empty(&mut self.parts);
        empty(&mut self.stages);
    }

    /// Which part of a transaction a run is.
    pub(super) fn part_of(&self, kind: Kind) -> Option<&Part> {
        kind.part_in(&self.parts)
    }

    /// The stage that a run is.
    pub(crate) fn stage_of(&self, kind: Kind) -> Option<&Stage> {
        let Kind::Stage(at) = kind else { return None };
        self.stages.get(usize::from(at))?.as_deref()
    }

    /// Takes the stage out that a run is.
    pub(super) fn take_stage(&mut self, kind: Kind) -> Option<Box<Stage>> {
        let Kind::Stage(at) = kind else { return None };
        self.stages.get_mut(usize::from(at))?.take()
    }

    /// Puts a stage back that was taken out.
    pub(super) fn put_stage(&mut self, kind: Kind, stage: Box<Stage>) {
        if let Kind::Stage(at) = kind
            && let Some(place) = self.stages.get_mut(usize::from(at))
        {
            *place = Some(stage);
        }
    }

    /// Puts a stage in, and says what a run that is this stage is.
    pub(super) fn add_stage(&mut self, stage: Box<Stage>) -> Kind {
        self.stages.push(Some(stage));
        Kind::Stage(self.stages.len() as u16 - 1)
    }
}

impl Bundles {
    /// Nothing for any of `shards`.
    pub(crate) fn new(shards: usize) -> Self {
        Self { open: (0..shards).map(|_| None).collect(), count: 0, epoch: 1 }
    }

    /// Whether there is anything to be sent.
    pub(crate) fn are_open(&self) -> bool {
        self.count > 0
    }

    /// The open bundle for `shard`.
    fn open(&mut self, shard: usize, mail: &mut Mail) -> &mut Work {
        let envelope = self.open[shard].get_or_insert_with(|| {
            self.count += 1;
            let mut envelope = mail.envelope();
            envelope.purpose = Purpose::Run;
            envelope.work.origin = Origin { home: mail.shard as u16, ..Origin::default() };
            envelope
        });
        &mut envelope.work
    }

    /// What is in the open bundle for `shard`, if there is one.
    pub(crate) fn work(&mut self, shard: usize) -> Option<&mut Work> {
        self.open[shard].as_mut().map(|envelope| &mut envelope.work)
    }

    /// Begins a run for `shard` that is a part of a transaction, or an EXEC:
    /// [`Self::complete_part`] or [`Self::complete_exec`] follows.
    pub(crate) fn begin_run(&mut self, shard: usize, client: Client, mail: &mut Mail) {
        let work = self.open(shard, mail);
        let commands_end = work.commands.len() as u32;
        let run = Run::new(ConnectionKey::default(), (0, 0), client, false);
        work.runs.each.push(Run { commands_end, ..run });
    }

    /// What was added for `shard` since [`Self::begin_run`] is all of an EXEC.
    pub(crate) fn complete_exec(
        &mut self,
        (shard, place): (usize, u64),
        sender: Sender,
        watcher: Option<Watcher>,
    ) {
        let work = self.begun(shard);
        let run = work.complete_run(place, sender, Kind::Exec);
        run.watcher = watcher;
    }

    /// What was added for `shard` since [`Self::begin_run`] is this part of a transaction.
    pub(crate) fn complete_part(
        &mut self,
        (shard, place): (usize, u64),
        sender: Sender,
        part: Part,
    ) {
        let work = self.begun(shard);
        let kind = Kind::Part(work.runs.parts.len() as u16);
        work.runs.parts.push(part);
        work.complete_run(place, sender, kind);
    }

    /// What was added for `shard` since [`Self::begin_run`] is this stage of a transaction.
    pub(crate) fn complete_stage(&mut self, shard: usize, sender: Sender, stage: Box<Stage>) {
        let work = self.begun(shard);
        let kind = work.runs.add_stage(stage);
        work.complete_run(0, sender, kind);
    }

    /// # Panics
    /// If no run was begun.
    fn begun(&mut self, shard: usize) -> &mut Work {
        self.work(shard).expect("a run was begun")
    }

    /// Whether nothing more is to be added to the open bundle for `shard`.
    pub(crate) fn is_full(&self, shard: usize) -> bool {
        self.open[shard].as_ref().is_some_and(|envelope| envelope.work.fills_bundle())
    }

    /// Whether a connection's commands are to join the bundles: some of them are in, or will be, as
    /// its input names keys of other shards.
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
        let pipeline = &mut connection.pipeline;
        let epoch = self.bundles.epoch;
        pipeline.bundled_in = epoch;
        let work = self.bundles.open(shard, &mut self.mail);
        let joined = work.runs.each.last().is_some_and(|run| {
            run.connection == request.key
                && run.kind == Kind::Several
                && pipeline.join((run.place, run.part), request.silent)
        });
        if !joined {
            let place = pipeline.open_run(epoch, request.silent);
            work.runs.each.push(Run::new(request.key, place, request.client, request.silent));
        }
        work.client = request.client;
        work.add(request.command, request.number, *request.arguments);
        let commands_end = work.commands.len();
        if let Some(run) = work.runs.each.last_mut() {
            run.commands_end = commands_end as u32;
        }
        if work.fills_bundle() {
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
        for _ in 0..ROUNDS_MAX {
            if self.mail.inbox.is_empty() {
                break;
            }
            self.drain_inbox();
            // What came back may go on at once.
            self.send_bundles();
        }
    }
}

impl Work {
    /// # Panics
    /// If no run was begun.
    fn complete_run(&mut self, place: u64, sender: Sender, kind: Kind) -> &mut Run {
        let commands_end = self.commands.len() as u32;
        self.client = sender.client;
        let run = self.runs.each.last_mut().expect("a run was begun");
        (run.connection, run.client, run.silent) = (sender.key, sender.client, sender.silent);
        (run.place, run.kind, run.commands_end) = (place, kind, commands_end);
        run
    }

    /// Whether nothing more is to be added to this bundle.
    pub(crate) fn fills_bundle(&self) -> bool {
        self.commands.len() >= BUNDLE_COMMANDS_MAX || self.text.bytes.len() >= BUNDLE_BYTES_MAX
    }

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
mod tests;
