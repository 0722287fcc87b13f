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
//! While the disk is full nothing more is written, so no position is reached; but reads go on: they
//! leave at once, though they may show writes that only memory has. The replies of the writes that
//! met the full disk, and what their connections were replied behind them, are *stalled*: they
//! leave in order when there is room again.
//!
//! If that takes longer than [`STALL_MS_MAX`], or never comes (after a failed fsync), these replies
//! are replaced by the error: whether the writes survive is not known (they do, if there is room
//! again before a crash). That is exact for commands that came as a message and for a connection
//! that waits for one reply. One with several waiting gets the error for the first and is closed:
//! it is not kept which of the others are of writes.
//!
//! The same holds on shards whose own log is well, for parts of transactions that wait for a part
//! on the one that refuses; and at once for those that wait for a part which is lost, because an
//! fsync failed (`Log::lost_position`).

use std::collections::VecDeque;

use net::Envelope;
use resp::{CommandError, ReplyReader, Writer};

use crate::clients::connection::Connection;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::{Message, Purpose, Queued, Work};
use crate::transaction::Stage;

/// Replies that wait.
#[derive(Default)]
pub(crate) struct Release {
    /// Messages of this tick, to go back to their homes.
    messages: Vec<Envelope<Message>>,
    /// Ticks whose replies wait, oldest first: positions ascend.
    waiting: VecDeque<Batch>,
    /// Since when replies are stalled, because some log refuses writes: unix milliseconds.
    stalled_since_ms: Option<i64>,
}

/// How long replies are stalled: until a full disk was tried three times more.
const STALL_MS_MAX: i64 = 3000;

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
    pub(crate) fn keep_message(&mut self, envelope: Envelope<Message>) {
        self.messages.push(envelope);
    }

    /// Whether replies of earlier ticks wait.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether messages of this tick are held.
    #[cfg(test)]
    pub(crate) fn keeps_messages(&self) -> bool {
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
            if replied {
                self.allow_listed();
                let messages = std::mem::take(&mut self.release.messages);
                self.return_messages(messages);
            }
        } else if replied {
            let messages = std::mem::take(&mut self.release.messages);
            let outputs = self.take_listed();
            self.release.waiting.push_back(Batch { position, wrote, messages, outputs });
        }
        while self.release.waiting.front().is_some_and(|it| it.position <= reached) {
            let Some(batch) = self.release.waiting.pop_front() else { break };
            self.let_go(batch.messages, batch.outputs);
        }
        let lost = self.shard.log.lost_position();
        if lost == u64::MAX && !self.shared.some_log_refuses() || !self.release.is_waiting() {
            self.release.stalled_since_ms = None;
        } else {
            self.pass_reads(lost);
        }
    }

    /// Messages of this thread that ran here: bundles, waits, stages. Their replies join the
    /// outputs, which depend on this tick like everything else replied in it.
    fn settle_own_messages(&mut self) {
        let home = self.mail.shard as u16;
        let is_own = |envelope: &mut Envelope<Message>| envelope.work.origin.home == home;
        if self.release.messages.iter_mut().any(&is_own) {
            let own: Vec<_> = self.release.messages.extract_if(.., is_own).collect();
            for envelope in own {
                self.note_own_writes(&envelope);
                match envelope.purpose {
                    Purpose::Waited { parked } => self.handle_waited(envelope, parked),
                    _ => self.handle_replies(envelope),
                }
            }
        }
    }

    /// Remembers whose outputs may have replies of writes on this shard.
    fn note_own_writes(&mut self, envelope: &Envelope<Message>) {
        let work = &envelope.work;
        if work.runs.is_empty()
            && may_be_logged(envelope)
            && let Some(connection) = self.connections.find(work.origin.connection)
        {
            connection.output.wrote = true;
        }
        for (run, commands) in work.each_run() {
            let settles = work.runs.stage_of(run.kind).is_some_and(Stage::may_be_logged);
            if (settles || commands.iter().any(Queued::writes))
                && let Some(connection) = self.connections.find(run.connection)
            {
                connection.output.wrote = true;
            }
        }
    }

    /// Everything that the listed connections were replied may be sent.
    fn allow_listed(&mut self) {
        for key in &self.agenda.flush {
            if let Some(connection) = self.connections.find(*key) {
                connection.output.allowed = connection.output.end();
                connection.output.wrote = false;
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

    /// Some log refuses writes: lets reads go, and ends what was stalled for too long, or depends
    /// on more than the position `lost`.
    fn pass_reads(&mut self, lost: u64) {
        let now_ms = self.time.unix_ms();
        if self.release.stalled_since_ms.is_none() {
            for batch in std::mem::take(&mut self.release.waiting) {
                self.keep_writes(batch);
            }
        } else if let Some(batch) = self.release.waiting.pop_back() {
            // Older ones were looked at in earlier ticks.
            self.keep_writes(batch);
        }
        if !self.release.is_waiting() {
            self.release.stalled_since_ms = None;
            return;
        }
        let since_ms = *self.release.stalled_since_ms.get_or_insert(now_ms);
        let over = self.shard.log.is_poisoned() || now_ms - since_ms >= STALL_MS_MAX;
        if over || self.release.waiting.back().is_some_and(|batch| batch.position > lost) {
            self.fail_stalled(over, lost);
        }
    }

    /// Of a batch, keeps what depends on a write, and lets the rest go.
    fn keep_writes(&mut self, batch: Batch) {
        let Batch { position, wrote, messages, outputs } = batch;
        let messages = self.split_bundles(messages);
        let depends = |envelope: &Envelope<Message>| wrote && may_be_logged(envelope);
        let (messages, free) = messages.into_iter().partition(depends);
        let (outputs, passing): (Vec<_>, _) = outputs
            .into_iter()
            .partition(|(key, _)| self.connections.find(*key).is_some_and(|it| it.output.wrote));
        let batch = Batch { position, wrote, messages, outputs };
        if !batch.messages.is_empty() || !batch.outputs.is_empty() {
            self.release.waiting.push_back(batch);
        }
        self.let_go(free, passing);
    }

    /// Answers with the error what depends on more than the position `lost` and, if the stall is
    /// `over`, all that waits for a log which refuses writes.
    fn fail_stalled(&mut self, over: bool, lost: u64) {
        let own = self.shard.log.refusal().is_some();
        let acknowledged = self.shard.log.acknowledged();
        let error = CommandError::MisconfLog(self.shared.log_refusal().into_boxed_str());
        if over {
            self.release.stalled_since_ms = None;
        }
        for mut batch in std::mem::take(&mut self.release.waiting) {
            // What waits for this shard's own sync waits for nobody who refuses.
            let stalled = over && (own || batch.position <= acknowledged);
            if !stalled && batch.position <= lost {
                self.release.waiting.push_back(batch);
                continue;
            }
            for envelope in &mut batch.messages {
                refuse_writes(&mut envelope.work, &error);
            }
            for (key, _) in &batch.outputs {
                let connection = self.connections.find(*key).filter(|it| it.output.wrote);
                if connection.is_some_and(|it| !it.refuse_unsent(&error)) {
                    self.close(*key);
                }
            }
            self.let_go(batch.messages, batch.outputs);
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
            let output = &mut connection.output;
            output.allowed = output.allowed.max(end);
            output.wrote &= output.allowed < output.end() || !connection.pipeline.is_empty();
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

impl Connection {
    /// Puts the error in the place of what was replied and not yet allowed to leave: one reply, or
    /// the first of several, in which case the connection ends behind it. False: replies are under
    /// way elsewhere, and cannot be told from those that would follow the error.
    fn refuse_unsent(&mut self, error: &CommandError) -> bool {
        if !self.pipeline.is_empty() {
            return false;
        }
        let output = &mut self.output;
        let (start, end) = (output.sendable(), output.end());
        let unsent = &output.bytes[start..];
        if unsent.is_empty() {
            return true;
        }
        if ReplyReader::new().read(unsent) != Ok(Some(unsent.len())) {
            self.session.modes.close_after_reply = true;
        }
        output.bytes.truncate(start);
        Writer::new(&mut output.bytes, self.session.client.protocol).error(error);
        // Positions only rise: batches behind this one remember what the end was.
        output.base += end.saturating_sub(output.end());
        output.allowed = output.end();
        output.wrote = false;
        true
    }
}

/// Whether a message that was run may have left something in the log.
fn may_be_logged(message: &Message) -> bool {
    let work = &message.work;
    work.commands.iter().any(Queued::writes)
        || work.runs.sole_stage().is_some_and(Stage::may_be_logged)
}

/// Replaces the replies of a message's writes by `error`, except where they are errors already.
fn refuse_writes(work: &mut Work, error: &CommandError) {
    if let Some(stage) = work.runs.sole_stage_mut() {
        stage.report.refused = Some(error.clone());
    }
    let replies = std::mem::take(&mut work.reply);
    let mut reader = ReplyReader::new();
    let mut rest = &replies[..];
    if work.runs.is_exec() {
        Writer::new(&mut work.reply, work.client.protocol).array(work.commands.len());
        let Some(elements) = rest.strip_prefix(&work.reply[..]) else {
            // A watched key was touched: nothing was run.
            work.reply = replies;
            return;
        };
        rest = elements;
    }
    let mut ends = Vec::with_capacity(work.commands.len());
    for queued in &work.commands {
        let length = reader.read(rest).ok().flatten().unwrap_or(rest.len());
        let (reply, behind) = rest.split_at(length);
        rest = behind;
        if reply.is_empty() || !queued.writes() || reply[0] == b'-' {
            work.reply.extend_from_slice(reply);
        } else {
            Writer::new(&mut work.reply, work.client.protocol).error(error);
        }
        ends.push(work.reply.len());
    }
    work.runs.refit(ends, work.reply.len());
}

#[cfg(test)]
mod lost_tests;
#[cfg(test)]
mod tests;
