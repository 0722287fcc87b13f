//! One core thread of a simulated server: its tick in steps.

use std::collections::VecDeque;

use crate::canary::{self, Canary};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::life::ending::Ending;
use crate::log::shard_log::DueSync;

use super::client::Ends;

/// A step of a core thread's tick: what happens without anything else happening in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The tick begins: time is looked at, and what came is taken note of.
    Reap,
    /// The inbox is drained.
    Drain,
    /// One piece of what came is run: as many of these as there are pieces.
    Input,
    /// What was held back runs, and a slice of background work.
    Run,
    /// The log is written.
    Write,
    /// Replies leave, and who sleeps is woken.
    Send,
    /// Rest: sleep, if there is nothing to do.
    Rest,
}

/// What came from outside.
pub(super) enum Arrival {
    Bytes(ConnectionKey, Vec<u8>),
    /// The client sends nothing more, but reads on.
    Finished(ConnectionKey),
    /// The client is gone.
    Gone(ConnectionKey),
    /// An fsync has ended.
    Synced {
        token: u32,
        result: i32,
    },
}

/// A core thread.
pub(crate) struct SimulatedCore {
    pub(crate) core: Core,
    /// The next step.
    pub(super) next: Step,
    /// What came since the last [`Step::Reap`].
    pub(super) arrivals: VecDeque<Arrival>,
    /// By the slot of a connection, the client that has it, or had it last.
    pub(super) clients: Vec<usize>,
    /// Pieces that this tick runs.
    received: VecDeque<(ConnectionKey, Vec<u8>)>,
    /// The fsync under way.
    pub(super) sync: Option<DueSync>,
    /// How it ended, if the disk is done with it.
    pub(super) synced: Option<i32>,
    /// Until when it sleeps, in unix milliseconds, if nothing comes; `None`: it is awake.
    pub(super) sleeps_until_ms: Option<i64>,
}

impl SimulatedCore {
    pub(super) fn new(core: Core) -> Self {
        Self {
            core,
            next: Step::Reap,
            arrivals: VecDeque::new(),
            clients: Vec::new(),
            received: VecDeque::new(),
            sync: None,
            synced: None,
            sleeps_until_ms: None,
        }
    }

    /// Takes the next step. Whom it wakes is added to `wakes`.
    pub(super) fn step(&mut self, clients: &mut [Ends], wakes: &mut Vec<usize>) -> Step {
        let step = self.next;
        self.next = self.after(step);
        match step {
            Step::Reap => self.reap(clients),
            Step::Drain => self.core.drain_inbox(),
            Step::Input => self.run_piece(),
            Step::Run => {
                self.core.resume_held();
                self.core.end_input_of_tick();
                self.core.run_background();
                self.core.agenda.arm.clear();
            }
            Step::Write => {
                let due = self.core.write_log();
                self.sync = self.sync.take().or(due);
            }
            Step::Send => self.send(clients, wakes),
            Step::Rest => self.rest(),
        }
        if matches!(step, Step::Drain | Step::Input) && !self.received.is_empty() {
            self.next = Step::Input;
        }
        // Late markers of the canary `Unarmed`.
        self.core.mail.push_late_marker();
        step
    }

    fn after(&self, step: Step) -> Step {
        let replies_first = canary::is_out(Canary::ReplyBeforeWrite);
        match step {
            Step::Reap => Step::Drain,
            Step::Drain | Step::Input => Step::Run,
            Step::Run if replies_first => Step::Send,
            Step::Send if replies_first => Step::Write,
            Step::Write if replies_first => Step::Rest,
            Step::Run => Step::Write,
            Step::Write => Step::Send,
            Step::Send => Step::Rest,
            Step::Rest => Step::Reap,
        }
    }

    fn reap(&mut self, clients: &mut [Ends]) {
        if self.sleeps_until_ms.take().is_some() {
            self.core.mail.inbox.awake();
        }
        self.core.begin_tick();
        while let Some(arrival) = self.arrivals.pop_front() {
            match arrival {
                Arrival::Bytes(key, bytes) => self.received.push_back((key, bytes)),
                Arrival::Synced { token, result } => {
                    self.core.shard.log.handle_synced(token, result);
                }
                Arrival::Finished(key) => self.end_receiving(key, true, clients),
                Arrival::Gone(key) => self.end_receiving(key, false, clients),
            }
        }
    }

    /// As `tick/core_thread.rs` does when a receive ends.
    fn end_receiving(&mut self, key: ConnectionKey, orderly: bool, clients: &mut [Ends]) {
        while !self.received.is_empty() {
            self.run_piece();
        }
        let Some(connection) = self.core.connections.find(key) else { return };
        connection.output.receive_ended = true;
        if orderly && !connection.session.modes.close_now && connection.is_busy() {
            return self.core.end_input(key);
        }
        connection.session.modes.close_now = true;
        self.forget(key, clients);
    }

    fn run_piece(&mut self) {
        let Some((key, bytes)) = self.received.pop_front() else { return };
        // What came on a connection that is gone is nobody's.
        if self.core.connections.find(key).is_some() {
            self.core.handle_received(key.token, &bytes);
        }
    }

    fn send(&mut self, clients: &mut [Ends], wakes: &mut Vec<usize>) {
        self.core.release_replies();
        for key in std::mem::take(&mut self.core.agenda.flush) {
            self.flush(key, clients);
        }
        for key in std::mem::take(&mut self.core.agenda.close) {
            self.forget(key, clients);
        }
        wakes.append(self.core.mail.wakes());
    }

    /// Gives a client what may leave, as `output/outgoing.rs` does.
    fn flush(&mut self, key: ConnectionKey, clients: &mut [Ends]) {
        let Some(connection) = self.core.connections.find(key) else { return };
        connection.output.listed = false;
        if connection.session.modes.close_now {
            return;
        }
        let sendable = connection.output.sendable();
        let sent = connection.output.bytes.drain(..sendable);
        match end_of(&self.clients, clients, key) {
            Some(end) => end.received.extend(sent),
            None => drop(sent),
        }
        connection.output.base += sendable as u64;
        let finished = connection.session.modes.close_after_reply
            && connection.output.pending_bytes() == 0
            && connection.pipeline.is_empty();
        if finished {
            self.core.close(key);
        }
    }

    /// A connection is gone.
    fn forget(&mut self, key: ConnectionKey, clients: &mut [Ends]) {
        if self.core.connections.find(key).is_some() {
            drop(self.core.handle_ended(key.token));
        }
        if let Some(end) = end_of(&self.clients, clients, key) {
            end.open = false;
        }
    }

    /// As `tick/rest.rs` does, but for looking a little longer.
    fn rest(&mut self) {
        self.core.end_tick();
        if self.core.has_work() || !self.core.mail.inbox.prepare_sleep() {
            return;
        }
        let sleep_ms = i64::try_from(self.core.sleep_ms_max()).unwrap_or(i64::MAX);
        self.sleeps_until_ms = Some(self.core.time.unix_ms().saturating_add(sleep_ms));
    }

    /// Whether it would not wake up at `now_ms`.
    pub(super) fn is_asleep(&self, now_ms: i64) -> bool {
        let sleeps = self.sleeps_until_ms.is_some_and(|until_ms| now_ms < until_ms);
        sleeps && self.arrivals.is_empty() && self.core.ending != Ending::Ended
    }
}

/// The client's end of a connection.
fn end_of<'a>(
    by_slot: &[usize],
    clients: &'a mut [Ends],
    key: ConnectionKey,
) -> Option<&'a mut Ends> {
    let end = &mut clients[*by_slot.get(key.token as usize)?];
    Some(end).filter(|end| end.key == key)
}
