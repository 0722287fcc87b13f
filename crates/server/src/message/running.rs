//! A bundle on the shard that it was sent to.
//!
//! Its runs are run in order, each as what it is ([`Kind`]). One that has to wait for a held key
//! detains nobody else: it goes on as a bundle of its own. What is only for the home of a
//! transaction under way (a stage that does not settle) need not wait for the log with the rest:
//! all such answers of a bundle go home at once, as one message.

use net::Envelope;

use crate::core::Core;
use crate::message::runs::{Kind, Run, Runs};
use crate::message::work::Unit;
use crate::message::{Message, Origin, Purpose, Queued, Work};
use crate::transaction::Stage;

/// A bundle's contents while it is run.
struct Running {
    commands: Vec<Queued>,
    runs: Runs,
    reply: Vec<u8>,
    /// Whether it is what waited for held keys.
    gate: Gate,
    /// Stages on their way home before the rest.
    answers: Option<Envelope<Message>>,
}

/// Whether runs have to wait for keys that transactions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// They have to.
    Closed,
    /// They have waited, and it is their turn.
    Open,
}

impl Core {
    /// Runs the commands of a bundle, and sends it back when the tick's log is written.
    pub(crate) fn run_bundle(&mut self, envelope: Envelope<Message>) {
        self.run_runs(envelope, Gate::Closed);
    }

    /// The same of a bundle of one run, whose turn it is.
    pub(crate) fn run_granted(&mut self, envelope: Envelope<Message>) {
        self.run_runs(envelope, Gate::Open);
    }

    fn run_runs(&mut self, mut envelope: Envelope<Message>, gate: Gate) {
        let work = &mut envelope.work;
        let mut running = Running {
            commands: std::mem::take(&mut work.commands),
            runs: std::mem::take(&mut work.runs),
            reply: std::mem::take(&mut work.reply),
            gate,
            answers: None,
        };
        self.prefetch_bundle(work, &running);
        let mut at = 0;
        for index in 0..running.runs.each.len() {
            at = self.run_run(work, &mut running, index, at);
        }
        let Running { commands, runs, reply, answers, .. } = running;
        if let Some(answers) = answers {
            self.mail.push(usize::from(work.origin.home), answers);
        }
        let is_empty = runs.each.iter().all(|run| run.kind == Kind::Gone);
        (work.commands, work.runs, work.reply) = (commands, runs, reply);
        if is_empty {
            return self.mail.recycle(envelope);
        }
        envelope.purpose = Purpose::Replies;
        self.release.keep_message(envelope);
    }

    /// Runs one run of a bundle, whose commands begin at `begin`; returns where they end.
    fn run_run(
        &mut self,
        work: &mut Work,
        running: &mut Running,
        index: usize,
        begin: usize,
    ) -> usize {
        let Running { commands, runs, reply, gate, answers } = running;
        let mut run = runs.each[index];
        let end = run.commands_end as usize;
        let own = &commands[begin..end];
        work.origin.connection = run.connection;
        (work.client, work.silent) = (run.client, run.silent);
        if let Some(mut stage) = runs.take_stage(run.kind) {
            let from = reply.len();
            if let Err(claimed) = self.claim_for(&mut stage) {
                let mut single = self.single(work, &run, own);
                single.work.runs.make_sole_stage(stage);
                self.shard.holds.wait(single, claimed);
                run.kind = Kind::Gone;
            } else {
                self.run_stage(work, own, &mut stage, reply);
                if stage.settle.is_some() {
                    runs.put_stage(run.kind, stage);
                } else {
                    self.answer(answers, (work.origin.home, &run), stage, &reply[from..]);
                    reply.truncate(from);
                    run.kind = Kind::Gone;
                }
            }
        } else if *gate == Gate::Closed && self.is_held(work, own, run.watcher) {
            let mut single = self.single(work, &run, own);
            single.work.runs.make_sole_part(runs.part_of(run.kind));
            self.wait_for_held(single);
            run.kind = Kind::Gone;
        } else if run.kind == Kind::Several {
            let ends = &mut runs.reply_ends;
            run.overflown = self.run_several(work, own, reply, |end| ends.push(end));
        } else {
            let (part, framed) = (run.kind.part_in(&runs.parts), run.kind == Kind::Exec);
            let unit = Unit { part, framed, watcher: run.watcher.take() };
            let shares = self.run_unit(work, own, &unit, reply);
            if let Some(part) = run.kind.part_in_mut(&mut runs.parts) {
                part.shares = shares;
            }
        }
        run.reply_end = reply.len();
        // Also those of commands that were not run.
        runs.reply_ends.resize(end, reply.len());
        runs.each[index] = run;
        end
    }

    /// Adds a stage that goes home at once.
    fn answer(
        &mut self,
        answers: &mut Option<Envelope<Message>>,
        (home, run): (u16, &Run),
        stage: Box<Stage>,
        reply: &[u8],
    ) {
        let work = &mut answers
            .get_or_insert_with(|| {
                let mut envelope = self.mail.envelope();
                envelope.purpose = Purpose::Replies;
                envelope.work.origin = Origin { home, ..Origin::default() };
                envelope
            })
            .work;
        work.reply.extend_from_slice(reply);
        let kind = work.runs.add_stage(stage);
        let reply_end = work.reply.len();
        work.runs.each.push(Run { kind, commands_end: 0, reply_end, ..*run });
    }

    /// A bundle of its own for a run.
    pub(super) fn single(
        &mut self,
        work: &Work,
        run: &Run,
        commands: &[Queued],
    ) -> Envelope<Message> {
        let mut envelope = self.mail.envelope();
        envelope.purpose = Purpose::Run;
        let own = &mut envelope.work;
        own.origin = Origin { home: work.origin.home, ..Origin::default() };
        own.client = run.client;
        for queued in commands {
            own.add_for(queued.db, queued.command, queued.number, work.arguments(queued));
            own.share_last(queued.share);
        }
        own.runs.each.push(Run { commands_end: commands.len() as u32, reply_end: 0, ..*run });
        envelope
    }

    /// Brings the keys of a bundle near the processor: first all buckets, then all records. The
    /// home has done that with its own keys when it parsed them, but for those of commands that
    /// split, and those that are lent.
    fn prefetch_bundle(&mut self, work: &Work, running: &Running) {
        let Running { commands, runs, .. } = running;
        let is_home = usize::from(work.origin.home) == self.mail.shard;
        self.shard.prefetch_begin();
        if commands.len() > 1 || commands.first().is_some_and(|it| it.command.splits()) {
            let has_keys = |it: &&Queued| !it.command.spec.keys.is_empty();
            let is_far = |it: &&Queued| !is_home || it.command.splits();
            for queued in commands.iter().filter(has_keys).filter(is_far) {
                self.shard.prefetch_buckets(queued.db, queued.command, work.arguments(queued));
            }
        }
        for stage in runs.stages.iter().flatten() {
            for lent in stage.back.iter().chain(&stage.lent).take(PREFETCH_LENT_MAX) {
                self.shard.prefetch_bucket(lent.loan.db, &lent.loan.key);
            }
        }
        self.shard.prefetch_records();
    }
}

/// Keys of a stage that are brought near the processor before it runs.
const PREFETCH_LENT_MAX: usize = 16;
