//! Replies on their way to the sockets.
//!
//! All outputs of a tick are handed to the ring, and submitted together: one call of the kernel for
//! all of them, in which nearly every send is done at once
//! (`docs/decisions/0008-one-call-for-all-sends.md`). What comes for a socket meanwhile waits until
//! that is sent: at most one send per socket is under way, so bytes stay in order. What a client
//! does not take piles up here, and is bounded by `client-output-buffer-limit`.

use std::collections::VecDeque;

use net::Completion;

use crate::clients::connection::{Connection, Sending};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::memory::kept::empty;
use crate::settings::OutputLimit;
use crate::tick::core_thread::CoreThread;

/// For how long outputs may be kept back: what one command at a time may take of a core thread.
const POSTPONED_US_MAX: u64 = 1000;

/// Outputs that are kept back: further replies of the same input are under way from other shards,
/// and one `send` for all of them costs little more than one for a part. They are sent when these
/// replies come, or after [`POSTPONED_US_MAX`].
#[derive(Default)]
pub(crate) struct Postponed(VecDeque<Late>);

/// One of them. It may have been sent meanwhile.
struct Late {
    key: ConnectionKey,
    /// The end of what was kept back, in the stream of all replies.
    end: u64,
    /// When it is to be sent all the same: unix microseconds.
    due_us: u64,
}

impl Postponed {
    fn add(&mut self, key: ConnectionKey, end: u64, now_us: u64) {
        self.0.push_back(Late { key, end, due_us: now_us + POSTPONED_US_MAX });
    }

    /// One that was kept back for long enough: its key, and the end of what it is about.
    fn take_due(&mut self, now_us: u64) -> Option<(ConnectionKey, u64)> {
        let late = self.0.pop_front_if(|late| wait_us(late.due_us, now_us) == 0)?;
        Some((late.key, late.end))
    }

    /// In how many microseconds the next one is due.
    pub(crate) fn due_us(&self, now_us: u64) -> Option<u64> {
        self.0.front().map(|late| wait_us(late.due_us, now_us))
    }
}

/// How long it is until then: 0 as well where the clock was set back so far that it would be longer
/// than anything waits.
fn wait_us(due_us: u64, now_us: u64) -> u64 {
    let wait_us = due_us.saturating_sub(now_us);
    if wait_us > POSTPONED_US_MAX { 0 } else { wait_us }
}

/// Whether an output may be kept back for replies that are due soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    Allowed,
    Over,
}

impl CoreThread {
    /// Sends what the listed connections were replied.
    pub(crate) fn flush_outputs(&mut self) {
        let mut listed = std::mem::take(&mut self.core.agenda.flush);
        for key in listed.drain(..) {
            self.flush(key, Delay::Allowed);
        }
        self.core.agenda.flush = listed;
        let now_us = self.core.time.unix_us();
        while let Some((key, end)) = self.postponed.take_due(now_us) {
            let unsent = |it: &mut Connection| it.output.base < end;
            if self.core.connections.find(key).is_some_and(unsent) {
                self.flush(key, Delay::Over);
            }
        }
    }

    fn flush(&mut self, key: ConnectionKey, delay: Delay) {
        let now_ms = self.core.time.unix_ms();
        let limit = self.core.settings.limits.output_normal;
        let Some(connection) = self.core.connections.find(key) else { return };
        connection.output.listed = false;
        if connection.session.modes.close_now {
            return;
        }
        // Before anything of it is sent: whether the peer reads fast must not decide.
        if limit.hard_bytes != 0 && connection.output.pending_bytes() as u64 >= limit.hard_bytes {
            return self.core.disconnect_slow(key);
        }
        if connection.output.sending.is_some() {
            if over_limit(connection, limit, now_ms) {
                self.core.disconnect_slow(key);
            }
            return;
        }
        if delay == Delay::Allowed && connection.pipeline.owes() {
            let end = connection.output.end();
            return self.postponed.add(key, end, self.core.time.unix_us());
        }
        let handed = hand_over(&mut self.ring, key.token, connection);
        if handed > 0 {
            self.handed_over = true;
            // The kernel nearly always takes all of it: that it is the kernel's counts as sent.
            connection.session.activity.bytes_out += handed as u64;
            self.core.statistics.counters.traffic.output_bytes += handed as u64;
            self.core.statistics.counters.traffic.writes += 1;
            return;
        }
        let finished = connection.session.modes.close_after_reply
            && connection.output.pending_bytes() == 0
            && connection.pipeline.is_empty();
        if finished {
            self.core.close(key);
        }
    }

    /// Has the kernel send what was handed over, if anything was, and takes back what is sent.
    pub(crate) fn submit_outputs(&mut self) {
        if !std::mem::take(&mut self.handed_over) {
            return;
        }
        self.poll();
        // Everything else is for the next tick.
        let mut completions = std::mem::take(&mut self.completions);
        self.ring.reap(&mut completions);
        let is_sent = |it: &mut Completion| matches!(it, Completion::Sent { .. });
        for sent in completions.extract_if(.., is_sent) {
            self.handle_completion(sent);
        }
        self.completions = completions;
    }

    /// A send of the ring has ended.
    pub(crate) fn handle_sent(&mut self, token: u32, result: i32, mut bytes: Vec<u8>) {
        let Some(connection) = self.core.connections.at(token) else { return };
        let key = ConnectionKey { token, generation: connection.generation };
        let Some(mut sending) = connection.output.sending.take() else { return };
        if connection.output.receive_ended && connection.session.modes.close_now {
            drop(self.core.handle_ended(token));
            return;
        }
        if result <= 0 {
            return self.core.close(key);
        }
        sending.sent += result as usize;
        if sending.sent < sending.length {
            connection.output.sending = Some(sending);
            if let Some(stream) = &connection.stream {
                self.ring.send(stream.descriptor(), bytes, sending.sent, token);
            }
            return;
        }
        connection.output.soft_limit_since_ms = 0;
        if connection.output.bytes.is_empty() {
            empty(&mut bytes);
            connection.output.bytes = bytes;
            if connection.session.modes.close_after_reply && connection.pipeline.is_empty() {
                self.core.close(key);
            }
        } else {
            self.core.list_for_flush(key);
        }
    }
}

impl Core {
    /// Disconnects clients whose output exceeds its limits though nothing new was replied: a soft
    /// limit passes with time alone. To be called about once a second.
    pub(crate) fn close_slow_clients(&mut self) {
        let now_ms = self.time.unix_ms();
        let limit = self.settings.limits.output_normal;
        let slow: Vec<ConnectionKey> = self
            .connections
            .iter_mut()
            .filter(|(_, connection)| connection.output.sending.is_some())
            .filter_map(|(token, connection)| {
                let key = ConnectionKey { token, generation: connection.generation };
                over_limit(connection, limit, now_ms).then_some(key)
            })
            .collect();
        slow.into_iter().for_each(|key| self.disconnect_slow(key));
    }

    /// Disconnects a client that let more replies pile up than it may.
    pub(crate) fn disconnect_slow(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        if connection.session.modes.close_now {
            return;
        }
        tracing::warn!(
            "Client {} closed for overcoming of output buffer limits.",
            crate::clients::describe::client(&connection.session)
        );
        self.statistics.counters.clients.output_buffer_limit += 1;
        self.close(key);
    }
}

/// Hands what may leave to the ring; returns how many bytes that is.
fn hand_over(ring: &mut net::Ring, token: u32, connection: &mut Connection) -> usize {
    let output = &mut connection.output;
    let sendable = output.sendable();
    let Some(stream) = &connection.stream else { return 0 };
    if sendable == 0 {
        return 0;
    }
    output.base += sendable as u64;
    let rest = output.bytes.split_off(sendable);
    let handed = std::mem::replace(&mut output.bytes, rest);
    output.sending = Some(Sending { length: sendable, sent: 0 });
    ring.send(stream.descriptor(), handed, 0, token);
    sendable
}

/// Whether a client has let too much pile up, for too long.
fn over_limit(connection: &mut Connection, limit: OutputLimit, now_ms: i64) -> bool {
    let pending = connection.output.pending_bytes() as u64;
    if limit.hard_bytes != 0 && pending >= limit.hard_bytes {
        return true;
    }
    let since = &mut connection.output.soft_limit_since_ms;
    if limit.soft_bytes == 0 || pending < limit.soft_bytes {
        *since = 0;
        return false;
    }
    if *since == 0 {
        *since = now_ms;
    }
    now_ms - *since >= limit.soft_seconds as i64 * 1000
}
