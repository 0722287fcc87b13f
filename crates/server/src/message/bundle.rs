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
//! inbox like any other; and all else that it may do, MULTI and EXEC aside, sends the bundles first
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
use crate::message::mail::Mail;
use crate::message::runs::{Kind, Run};
use crate::message::{Client, Message, Origin, Purpose, Work};
use crate::output::pipeline::Pipeline;
use crate::transaction::watchers::Watcher;
use crate::transaction::{Part, Sender, Stage};

/// Most commands, or runs, that travel as one message: what a message costs is small for each of so
/// many, and the shard can begin with them while its peer goes on.
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

    /// Begins a run for `shard` that is an EXEC, or a part or a stage of a transaction:
    /// [`Self::complete_exec`], [`Self::complete_part`] or [`Self::complete_stage`] follows.
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
        let kind = Kind::Part(work.runs.parts.len() as u32);
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
    pub(crate) fn takes_commands_of(&self, pipeline: &Pipeline) -> bool {
        pipeline.bundled_in == self.epoch
    }

    /// All further commands of a connection, until the bundles are sent, are to join them.
    pub(crate) fn take_further_commands_of(&self, pipeline: &mut Pipeline) {
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
                && pipeline.join((run.place, run.strand), request.silent)
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
    fn fills_bundle(&self) -> bool {
        let many = self.commands.len().max(self.runs.each.len()) >= BUNDLE_COMMANDS_MAX;
        many || self.text.bytes.len() >= BUNDLE_BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
