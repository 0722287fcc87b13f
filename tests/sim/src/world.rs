//! A simulation: a plan carried out, one step after another, and what clients saw of it.
//!
//! Everything that happens is chosen by one generator among what could happen now: a core thread's
//! next step, a client's next bytes, the end of an fsync, time. The server is judged by what its
//! clients saw (`judge`), by whether it comes to rest with everything answered, and by whether
//! it starts again on what its crashes left.

mod waiters;

use std::time::Duration;

use config::{Config, Fsync};
use net::{Clock, VirtualTime};
use resp::Value as Reply;
use server::simulation::{Options, Server, Step};
use testing::{MemoryStorage, Random};

use crate::census::Census;
use crate::history::{Event, Moment, NEVER, Span, brief};
use crate::line::{Line, LineEnd};
use crate::operation::Operation;
use crate::plan::{End, Era, Fault, Leaves, Plan, Sync};
use waiters::{Waiters, number_keys};

/// What came of a simulation.
pub(crate) struct Outcome {
    pub(crate) history: Vec<Event>,
    /// What went wrong before the history was judged.
    pub(crate) failure: Option<String>,
    pub(crate) census: Census,
    /// What happened, if it was asked for.
    pub(crate) trace: Vec<String>,
}

/// When the simulated machine was switched on: 2026-01-01, in microseconds since 1970.
const UNIX_START_US: u64 = 1_767_225_600_000_000;

/// Steps of an era after which something goes round in circles: a plan needs some hundreds.
const STEPS_MAX: u64 = 200_000;

/// How often time may have to pass for an answer while the disk was at fault: a failed write is
/// tried again after a second, and background work wakes a core thread ten times a second.
const WAITS_MAX: u32 = 60;

/// Carries a plan out.
pub(crate) fn run(plan: &Plan, with_trace: bool) -> Outcome {
    // One for each simulation, for ever: a clock is a plain copy.
    let time: &'static VirtualTime = Box::leak(Box::new(VirtualTime::new(UNIX_START_US)));
    let mut world = World {
        plan,
        random: Random::new(plan.schedule),
        storage: MemoryStorage::new(plan.schedule),
        time,
        history: Vec::new(),
        moment: 0,
        census: Census::default(),
        first_session: 0,
        trace: with_trace.then(Vec::new),
    };
    let result = plan.eras.iter().try_for_each(|era| world.live(era));
    Outcome {
        history: world.history.into_iter().filter(|event| event.invoked != NEVER).collect(),
        failure: result.err(),
        census: world.census,
        trace: world.trace.unwrap_or_default(),
    }
}

struct World<'a> {
    plan: &'a Plan,
    random: Random,
    storage: MemoryStorage,
    time: &'static VirtualTime,
    history: Vec<Event>,
    moment: Moment,
    census: Census,
    /// Number of the era's first connection.
    first_session: usize,
    trace: Option<Vec<String>>,
}

/// A life of the server, under way.
struct Life<'a> {
    era: &'a Era,
    server: Server,
    lines: Vec<Line>,
    /// Steps of this era.
    step: u64,
    /// How often each core thread is chosen.
    weights: Vec<usize>,
    /// Whether the log refused writes once: then waiting may be for time.
    has_refused: bool,
    /// How often time had to pass for something to happen.
    waits: u32,
    /// How often it had to pass for clients that wait for keys.
    patience: u32,
}

/// Something that could happen.
#[derive(Clone, Copy)]
enum Act {
    Core(usize),
    Send(usize),
    Leave(usize),
    /// The disk carries an fsync out.
    Sync(usize),
    /// The core thread learns of its end.
    EndSync(usize),
}

impl World<'_> {
    /// One life of the server. `Err`: what is wrong.
    fn live(&mut self, era: &Era) -> Result<(), String> {
        if let End::KillAtDisk(operation) = era.end {
            self.storage.freeze_at(self.storage.operations() + operation);
        }
        let Some(server) = self.boot(era)? else {
            self.census.killed_starts += 1;
            self.storage = self.storage.after_kill();
            self.first_session += era.sessions.len();
            return Ok(());
        };
        let weights = (0..era.shards).map(|_| *self.random.pick(&[1, 2, 8])).collect();
        let mut life = Life {
            era,
            server,
            lines: Vec::new(),
            step: 0,
            weights,
            has_refused: false,
            waits: 0,
            patience: 0,
        };
        for (at, script) in era.sessions.iter().enumerate() {
            let client = life.server.connect(script.home % era.shards);
            life.lines.push(Line::new(client, self.first_session + at, script.clone()));
        }
        let result = self.run_to_end(&mut life);
        let is_crash = era.end != End::Rest;
        self.note(|| format!("-- the server's life ends: {:?}", era.end));
        self.bury(&life, is_crash);
        drop(life);
        self.storage = match era.end {
            End::PowerLoss(_) => self.storage.after_power_loss(self.random.bits()),
            _ => self.storage.after_kill(),
        };
        self.first_session += era.sessions.len();
        result
    }

    /// A server on what the disk has; `None`: the process died in the attempt.
    fn boot(&mut self, era: &Era) -> Result<Option<Server>, String> {
        self.note(|| {
            let Era { shards, sync, fault, .. } = era;
            format!("-- start: {shards} shards, appendfsync {sync:?}, fault {fault:?}")
        });
        self.time.pass(Duration::from_millis(5));
        let mut config = Config::default();
        config.log.enabled = true;
        config.log.fsync = match era.sync {
            Sync::Always => Fsync::Always,
            Sync::EverySecond => Fsync::EverySecond,
            Sync::No => Fsync::No,
        };
        let options = Options {
            shards: era.shards,
            seed: self.random.bits(),
            short_writes: if era.short_writes { self.random.bits() | 1 } else { 0 },
            clock: Clock::simulated(self.time),
        };
        match Server::boot(config, options, &self.storage) {
            Ok(server) => Ok(Some(server).filter(|_| !self.storage.is_frozen())),
            Err(_) if self.storage.is_frozen() => Ok(None),
            Err(error) => Err(format!("the server does not start: {error}")),
        }
    }

    fn run_to_end(&mut self, life: &mut Life<'_>) -> Result<(), String> {
        loop {
            if life.step > STEPS_MAX {
                return Err("the server does not come to rest".to_owned());
            }
            if self.is_over(life) {
                return Ok(());
            }
            self.apply_faults(life);
            if let Some(act) = self.choose(life) {
                self.act(life, act)?;
                continue;
            }
            if life.lines.iter().all(Line::is_done) {
                return Ok(());
            }
            match self.see_to_waiters(life) {
                Waiters::Passing => continue,
                Waiters::AtRest => return Ok(()),
                Waiters::None => self.wait(life)?,
            }
        }
    }

    /// Whether the process dies now.
    fn is_over(&self, life: &Life<'_>) -> bool {
        match life.era.end {
            End::Rest => false,
            End::Kill(at) | End::PowerLoss(at) => life.step >= at,
            End::KillAtDisk(_) => self.storage.is_frozen(),
        }
    }

    fn apply_faults(&mut self, life: &mut Life<'_>) {
        match life.era.fault {
            Fault::Full { from, bytes, shard: None, .. } if life.step == from => {
                self.note(|| format!("-- disk full after {bytes} bytes"));
                self.storage.set_capacity(Some(self.storage.used_bytes() + bytes));
            }
            Fault::Full { from, bytes, shard: Some(shard), .. } if life.step == from => {
                let shard = shard % life.era.shards;
                self.note(|| format!("-- disk of shard {shard} full after {bytes} bytes"));
                life.server.set_room(shard, Some(bytes));
            }
            Fault::Full { until, .. } if life.step == until => self.mend(life),
            Fault::Syncs { from } if life.step == from => self.storage.fail_syncs(true),
            _ => {}
        }
        life.has_refused |= life.server.refuses_writes();
    }

    /// The disk has room again.
    fn mend(&mut self, life: &mut Life<'_>) {
        self.note(|| "-- disk has room".to_owned());
        self.storage.set_capacity(None);
        (0..life.era.shards).for_each(|shard| life.server.set_room(shard, None));
    }

    /// Nothing moves, and something is not answered: only the passing of time can help, and only
    /// where a disk was at fault.
    fn wait(&mut self, life: &mut Life<'_>) -> Result<(), String> {
        if matches!(life.era.fault, Fault::Full { .. }) {
            self.mend(life);
        }
        life.waits += 1;
        let owed: Vec<usize> = life.lines.iter().flat_map(Line::unanswered).collect();
        if !life.has_refused || life.waits > WAITS_MAX {
            let first = owed.first().map(|event| self.history[*event].line(&self.plan.keys));
            let first = first.unwrap_or_else(|| "a connection is not closed".to_owned());
            return Err(format!("nothing moves, and {} wait for ever: {first}", owed.len().max(1)));
        }
        self.time.pass(Duration::from_millis(100));
        Ok(())
    }

    /// Chooses among what could happen now.
    fn choose(&mut self, life: &Life<'_>) -> Option<Act> {
        let mut acts = Vec::new();
        for shard in 0..life.era.shards {
            if !life.server.is_asleep(shard) {
                acts.extend(std::iter::repeat_n(Act::Core(shard), life.weights[shard]));
            }
            if life.server.is_syncing(shard) && (!life.era.slow_syncs || self.random.one_in(16)) {
                acts.extend([Act::Sync(shard), Act::EndSync(shard)]);
            }
        }
        let all_done = life.lines.iter().all(|line| line.script.is_last || line.is_done());
        for (at, line) in life.lines.iter().enumerate() {
            if line.may_send() && (all_done || !line.script.is_last) {
                acts.extend([Act::Send(at), Act::Send(at)]);
            }
            if line.may_leave() {
                acts.push(Act::Leave(at));
            }
        }
        if acts.is_empty() {
            // A slow fsync ends, too, when there is nothing else to wait for.
            let syncing = (0..life.era.shards).find(|shard| life.server.is_syncing(*shard));
            return syncing.map(Act::EndSync);
        }
        Some(*self.random.pick(&acts))
    }

    fn act(&mut self, life: &mut Life<'_>, act: Act) -> Result<(), String> {
        if self.random.one_in(30) {
            let most = *self.random.pick(&[2_000, 2_000, 2_000, 2_000, 2_000, 30_000, 1_200_000]);
            self.time.pass(Duration::from_micros(self.random.below(most) as u64));
        }
        match act {
            Act::Core(shard) => self.step(life, shard)?,
            Act::Send(at) => self.send(life, at),
            Act::Leave(at) => self.leave(life, at),
            Act::Sync(shard) => life.server.sync(shard),
            Act::EndSync(shard) => {
                self.note(|| format!("core {shard}: fsync ends"));
                life.server.end_sync(shard);
            }
        }
        life.step += 1;
        Ok(())
    }

    /// A step of a core thread, or what is left of its tick.
    fn step(&mut self, life: &mut Life<'_>, shard: usize) -> Result<(), String> {
        loop {
            let step = life.server.step(shard);
            self.census.steps += 1;
            self.note(|| format!("core {shard}: {step:?}"));
            if self.storage.is_frozen() {
                return Ok(());
            }
            if step == Step::Send || step == Step::Reap {
                self.collect(life)?;
            }
            if life.era.fine || step == Step::Rest {
                return Ok(());
            }
        }
    }

    fn send(&mut self, life: &mut Life<'_>, at: usize) {
        let line = &mut life.lines[at];
        if let Some(pipeline) = line.begin_pipeline() {
            let mut operations = Vec::with_capacity(pipeline.len());
            for operation in pipeline {
                operations.push((self.history.len(), operation.clone()));
                self.history.push(unsent(line.session, operation));
            }
            line.queue(&operations, &self.plan.keys, &mut self.random);
        }
        let Some((bytes, whole)) = line.send() else { return };
        life.server.give(line.client, &bytes);
        for event in whole {
            self.moment += 1;
            self.history[event].invoked = self.moment;
            self.history[event].span.from_ms = life.server.clock_ms();
            let (moment, session) = (self.moment, line.session);
            let text =
                self.trace.is_some().then(|| self.history[event].operation.line(&self.plan.keys));
            self.note(|| format!("@{moment} [{session}] sends {}", text.unwrap_or_default()));
        }
    }

    fn leave(&mut self, life: &mut Life<'_>, at: usize) {
        let line = &mut life.lines[at];
        let session = line.session;
        self.note(|| format!("[{session}] leaves"));
        if line.script.leaves == Leaves::Finishes {
            life.server.finish_sending(line.client);
            line.end = LineEnd::Finished;
        } else {
            life.server.disconnect(line.client);
            line.end = LineEnd::Broken;
        }
    }

    /// Takes what the server sent, and notes which connections it has closed.
    fn collect(&mut self, life: &mut Life<'_>) -> Result<(), String> {
        let is_weak = life.server.refuses_writes();
        life.has_refused |= is_weak;
        for line in &mut life.lines {
            let bytes = life.server.take(line.client);
            if matches!(line.end, LineEnd::No | LineEnd::Finished) {
                let answers = line.receive(&bytes).map_err(|error| error.0)?;
                for (event, replies) in answers {
                    self.answer(event, replies, is_weak)?;
                }
            }
            if line.end != LineEnd::Known && !life.server.is_open(line.client) {
                // Who stops sending is not waited for.
                let owes = line.unanswered().next().is_some_and(|event| !self.waits(event));
                let unasked = line.end == LineEnd::No || line.end == LineEnd::Finished && owes;
                if unasked && !life.has_refused {
                    return Err(format!("connection {} was closed", line.session));
                }
                line.end = LineEnd::Known;
                // What is under way to another shard has its place in the order already, though not
                // its time: that shard may look at the clock later.
                for event in line.unanswered() {
                    self.history[event].deadline = self.moment;
                }
            }
        }
        Ok(())
    }

    /// An operation was answered.
    fn answer(
        &mut self,
        event: usize,
        mut replies: Vec<Reply>,
        is_weak: bool,
    ) -> Result<(), String> {
        self.moment += 1;
        let refused = replies.iter().any(is_refusal);
        let last = replies.pop().unwrap_or(Reply::Null);
        let last = number_keys(&self.history[event].operation, &self.plan.keys, last);
        let queued = |(at, reply): (usize, &Reply)| {
            reply.as_str() == Some(if at == 0 { "OK" } else { "QUEUED" })
        };
        if !refused && !replies.iter().enumerate().all(queued) {
            let line = self.history[event].operation.line(&self.plan.keys);
            let replies: Vec<String> = replies.iter().map(brief).collect();
            return Err(format!("{line} was answered {}", replies.join(", ")));
        }
        let moment = self.moment;
        let event = &mut self.history[event];
        event.answered = moment;
        // WATCH is answered before the shards of its keys come to it.
        if !matches!(event.operation, Operation::Watch(_)) {
            event.span.to_ms = now_ms(self.time);
        }
        event.is_weak = is_weak;
        event.refused = refused;
        if refused {
            event.deadline = moment;
        }
        self.census.answers += 1;
        self.census.refusals += u64::from(refused);
        let served = event.operation.timeout_ms().is_some() && last != Reply::Null;
        self.census.served += u64::from(served);
        self.census.aborts += u64::from(event.is_abort(&last));
        event.reply = Some(last);
        let text = self.trace.is_some().then(|| event.line(&self.plan.keys));
        self.note(|| format!("@{moment} {}", text.unwrap_or_default()));
        Ok(())
    }

    /// A life is over: what was not answered by now never will be.
    fn bury(&mut self, life: &Life<'_>, is_crash: bool) {
        let busy = life.lines.iter().any(|line| line.unanswered().next().is_some());
        self.census.busy_crashes += u64::from(busy && is_crash);
        self.census.power_losses += u64::from(matches!(life.era.end, End::PowerLoss(_)));
        self.census.refusing_lives += u64::from(life.has_refused);
        self.census.expired += life.server.expired_keys();
        for event in life.lines.iter().flat_map(Line::unanswered) {
            let Event { deadline, span, .. } = &mut self.history[event];
            *deadline = (*deadline).min(self.moment);
            span.to_ms = span.to_ms.min(now_ms(self.time));
        }
        self.moment += 1;
        if is_crash && life.has_refused {
            // What was seen while the log refused writes may be gone: it says nothing any more.
            for event in self.history.iter_mut().filter(|event| event.is_weak) {
                event.refused |= event.changed_nothing();
            }
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(text());
        }
    }
}

/// An operation that is about to be sent.
fn unsent(session: usize, operation: Operation) -> Event {
    Event {
        session,
        operation,
        invoked: NEVER,
        answered: NEVER,
        deadline: NEVER,
        reply: None,
        refused: false,
        span: Span::ALWAYS,
        is_weak: false,
    }
}

/// What clocks show now: unix milliseconds.
fn now_ms(time: &VirtualTime) -> i64 {
    (time.unix_us() / 1000) as i64
}

/// Whether the log's trouble is the answer, or a part of it.
fn is_refusal(reply: &Reply) -> bool {
    match reply {
        Reply::Error(text) => text.starts_with("MISCONF") || text.starts_with("EXECABORT"),
        Reply::Array(replies) => replies.iter().any(is_refusal),
        _ => false,
    }
}
