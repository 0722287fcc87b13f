//! Replies wait for the log: acknowledged means written.
//!
//! What a tick's commands replied may leave once the records they depend on are written (or, with
//! `appendfsync always`, on disk), and once no transaction part before them is written only here. A
//! reply depends on everything that its shard logged up to the end of its tick, so one position per
//! tick is enough. Almost always the tick's own write satisfies it at once; otherwise the tick's
//! replies are kept as a batch with the position they wait for.
//!
//! # A log that refuses writes
//!
//! While the disk is full nothing more is written, so no position is reached; but reads go on. From
//! the first tick on in which some shard's log refuses, what a tick without a logged command
//! replied leaves at once, though it may show writes that only memory has. Connections with a reply
//! of such a write are *stalled*: their replies leave in order, when there is room again.
//!
//! After a failed fsync there will be no more room. What waits for that, on the shard whose log
//! failed and on those that wait for the parts which it lost (`durability::TransactionGate`), is
//! answered with the error, where it came as a message; the connections that wait here are closed.
//! Whether these writes survive is not known.

use std::collections::{HashSet, VecDeque};

use net::Envelope;
use resp::CommandError;

use crate::connections::ConnectionKey;
use crate::core::Core;
use crate::message::Message;

/// Replies that wait.
#[derive(Default)]
pub(crate) struct Release {
    /// Messages of this tick, to go back to their homes.
    messages: Vec<Envelope<Message>>,
    /// Ticks whose replies wait, oldest first: positions ascend.
    waiting: VecDeque<Batch>,
    /// While some log refuses writes: connections that have, or may have, replies of writes which
    /// wait.
    stalled: Option<HashSet<ConnectionKey>>,
}

/// What one tick replied.
struct Batch {
    /// The log position that it depends on.
    position: u64,
    /// Whether one of the tick's commands was logged.
    wrote: bool,
    messages: Vec<Envelope<Message>>,
    /// Connections, and the end of their output then.
    outputs: Vec<(ConnectionKey, u64)>,
}

impl Release {
    /// Keeps a message that was run until its tick's log is written.
    pub(crate) fn hold_message(&mut self, envelope: Envelope<Message>) {
        self.messages.push(envelope);
    }

    /// Whether replies of earlier ticks wait.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether messages of this tick are held.
    #[cfg(test)]
    pub(crate) fn holds_messages(&self) -> bool {
        !self.messages.is_empty()
    }
}

impl Core {
    /// After the tick's log was written: lets go what may leave.
    pub(crate) fn release_replies(&mut self) {
        self.settle_own_messages();
        let position = self.shard.log.appended();
        let reached = self.shard.log.release_position();
        let wrote = self.shard.log.take_wrote();
        let replied = !self.release.messages.is_empty() || !self.agenda.flush.is_empty();
        if reached >= position {
            self.release.stalled = None;
            if replied {
                self.allow_listed();
                let messages = std::mem::take(&mut self.release.messages);
                self.return_messages(messages);
            }
        } else {
            if replied {
                let messages = std::mem::take(&mut self.release.messages);
                let outputs = self.take_listed();
                self.release.waiting.push_back(Batch { position, wrote, messages, outputs });
            }
            self.pass_reads(replied);
        }
        while self.release.waiting.front().is_some_and(|it| it.position <= reached) {
            let Some(batch) = self.release.waiting.pop_front() else { break };
            self.let_go(batch.messages, batch.outputs);
        }
        let lost = self.shard.log.lost_position();
        if self.release.waiting.back().is_some_and(|it| it.position > lost) {
            self.fail_waiting(lost);
        }
    }

    /// Parts of this thread's own transactions that ran here: their replies join the outputs, which
    /// depend on this tick like everything else replied in it.
    fn settle_own_messages(&mut self) {
        let home = self.mail.shard as u16;
        let is_own = |envelope: &mut Envelope<Message>| envelope.work.origin.home == home;
        if self.release.messages.iter_mut().any(&is_own) {
            let own: Vec<_> = self.release.messages.extract_if(.., is_own).collect();
            own.into_iter().for_each(|envelope| self.handle_replies(envelope));
        }
    }

    /// Everything that the listed connections were replied may be sent.
    fn allow_listed(&mut self) {
        for key in &self.agenda.flush {
            if let Some(connection) = self.connections.find(*key) {
                connection.output.allowed = connection.output.end();
            }
        }
    }

    /// The listed connections with the ends of their outputs; none is listed afterwards.
    fn take_listed(&mut self) -> Vec<(ConnectionKey, u64)> {
        let listed = std::mem::take(&mut self.agenda.flush);
        let mut outputs = Vec::with_capacity(listed.len());
        for key in listed {
            if let Some(connection) = self.connections.find(key) {
                connection.output.listed = false;
                outputs.push((key, connection.output.end()));
            }
        }
        outputs
    }

    /// The log does not get on: lets reads go, if that is because some log refuses writes.
    /// `replied`: this tick's replies are the youngest batch.
    fn pass_reads(&mut self, replied: bool) {
        let has_lost = self.shard.log.lost_position() < u64::MAX;
        if !has_lost && !self.shared.some_log_refuses() {
            self.release.stalled = None;
        } else if self.release.stalled.is_none() {
            self.begin_stall();
        } else if replied && let Some(batch) = self.release.waiting.pop_back() {
            self.keep_if_stalled(batch);
        }
    }

    /// Some log has begun to refuse writes: finds out who is stalled, and lets go who is not.
    fn begin_stall(&mut self) {
        // The reply of a write may stand in a pipeline, behind one that is still under way.
        let holding = self.connections.iter_mut().filter(|(_, it)| it.pipeline.has_local_replies());
        let mut stalled: HashSet<_> = holding
            .map(|(token, connection)| ConnectionKey { token, generation: connection.generation })
            .collect();
        for batch in self.release.waiting.iter().filter(|batch| batch.wrote) {
            stalled.extend(batch.outputs.iter().map(|(key, _)| *key));
        }
        self.release.stalled = Some(stalled);
        for batch in std::mem::take(&mut self.release.waiting) {
            self.keep_if_stalled(batch);
        }
    }

    /// Of a batch that waits while a log refuses writes, keeps what is stalled.
    fn keep_if_stalled(&mut self, mut batch: Batch) {
        let stalled = self.release.stalled.get_or_insert_default();
        if batch.wrote {
            stalled.extend(batch.outputs.iter().map(|(key, _)| *key));
            return self.release.waiting.push_back(batch);
        }
        let (kept, free) = batch.outputs.into_iter().partition(|(key, _)| stalled.contains(key));
        let messages = std::mem::take(&mut batch.messages);
        batch.outputs = kept;
        if !batch.outputs.is_empty() {
            self.release.waiting.push_back(batch);
        }
        self.let_go(messages, free);
    }

    /// What depends on more than the position `lost` would wait for ever.
    fn fail_waiting(&mut self, lost: u64) {
        let error = CommandError::MisconfLog(self.shared.log_refusal().into_boxed_str());
        let first = self.release.waiting.partition_point(|batch| batch.position <= lost);
        for batch in self.release.waiting.split_off(first) {
            batch.outputs.iter().for_each(|(key, _)| self.close(*key));
            let mut messages = batch.messages;
            if batch.wrote {
                messages.iter_mut().for_each(|envelope| envelope.work.fail(&error));
            }
            self.return_messages(messages);
        }
    }

    /// Lets everything go that waits for a log which was turned off.
    pub(crate) fn let_waiting_go(&mut self) {
        for batch in std::mem::take(&mut self.release.waiting) {
            self.let_go(batch.messages, batch.outputs);
        }
    }

    fn let_go(&mut self, messages: Vec<Envelope<Message>>, outputs: Vec<(ConnectionKey, u64)>) {
        for (key, end) in outputs {
            let Some(connection) = self.connections.find(key) else { continue };
            connection.output.allowed = connection.output.allowed.max(end);
            self.list_for_flush(key);
        }
        self.return_messages(messages);
    }

    fn return_messages(&mut self, mut messages: Vec<Envelope<Message>>) {
        for envelope in messages.drain(..) {
            let home = usize::from(envelope.work.origin.home);
            self.mail.push(home, envelope);
        }
        if self.release.messages.capacity() == 0 {
            self.release.messages = messages;
        }
    }
}

#[cfg(test)]
mod tests;
