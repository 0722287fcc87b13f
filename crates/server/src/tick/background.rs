//! Work that nobody asked for: expiry, freeing in slices, shrinking, idle clients, samples.
//!
//! It runs in slices at the end of a tick's commands. A slice is bounded by time
//! ([`SLICE_NS_MAX`]), and when there is more, the thread comes back after looking at its sockets
//! and its inbox. Periodic work has a deadline (`hz`); between deadlines nothing is done, so an
//! idle server sleeps.

use crate::clients::connections::ConnectionKey;
use crate::core::Core;

/// The longest a slice of background work keeps a core thread from its clients: a quarter of the
/// millisecond that a tick may be kept in all (docs/architecture.md: never the whole server).
const SLICE_NS_MAX: u64 = 250_000;

/// What is to be done when.
#[derive(Default)]
pub(crate) struct Background {
    /// When periodic work is due next: unix milliseconds.
    due_ms: i64,
    /// Whether the last slice left something undone.
    pub(crate) pending: bool,
    /// Periods since the start, for what is not done in each of them.
    periods: u64,
}

impl Core {
    /// Does a slice of the background work that is due.
    pub(crate) fn run_background(&mut self) {
        let now_ms = self.time.unix_ms();
        if now_ms >= self.background.due_ms {
            self.background.due_ms = now_ms + 1000 / i64::from(self.settings.limits.hz.max(1));
            self.background.periods += 1;
            self.begin_period();
        }
        // What was deleted is given back before new keys take its place, not a period later.
        if self.background.pending || !self.shard.keyspace.doomed().is_empty() {
            let more = self.run_slice();
            let base = self.advance_base(self.time.now_ns() + SLICE_NS_MAX);
            self.background.pending = more || base;
        }
    }

    /// What is done once a period, and is short.
    fn begin_period(&mut self) {
        self.background.pending = true;
        self.end_pause_if_due();
        let (now_us, traffic) = (self.time.unix_us(), self.statistics.counters.traffic);
        self.statistics.rates.sample(&traffic, now_us);
        // Publishes as well; what a time slice could not free goes on in the next period.
        self.publish_memory();
        self.make_room();
        if self.background.periods.is_multiple_of(10) {
            self.close_idle_clients();
            self.close_slow_clients();
        }
        self.leave_failed_log();
        self.begin_ending_if_asked();
    }

    /// A slice of what the keyspace has to do. True: there is more.
    fn run_slice(&mut self) -> bool {
        let until_ns = self.time.now_ns() + SLICE_NS_MAX;
        let shard = &mut self.shard;
        loop {
            let more = shard.run_slice(self.time.unix_ms());
            if !more || self.time.now_ns() >= until_ns {
                return more || self.has_to_evict() && self.make_room();
            }
        }
    }

    /// Closes connections on which nothing came for `timeout` seconds.
    fn close_idle_clients(&mut self) {
        let timeout_ms = self.settings.limits.idle_timeout_s as i64 * 1000;
        if timeout_ms == 0 {
            return;
        }
        let now_ms = self.time.unix_ms();
        let idle: Vec<ConnectionKey> = self
            .connections
            .iter_mut()
            .filter(|(_, connection)| now_ms - connection.session.activity.last_ms > timeout_ms)
            .map(|(token, connection)| ConnectionKey { token, generation: connection.generation })
            .collect();
        for key in idle {
            tracing::debug!("Closing idle client");
            self.statistics.counters.clients.timed_out += 1;
            self.close(key);
        }
    }

    /// Whether there is something to do without waiting for anything.
    pub(crate) fn has_work(&self) -> bool {
        self.background.pending
            || !self.shard.keyspace.doomed().is_empty()
            || !self.agenda.resume.is_empty()
            || !self.agenda.flush.is_empty()
            || !self.agenda.close.is_empty()
            || !self.mail.inbox.is_empty()
    }

    /// How long the thread may sleep if nothing comes.
    pub(crate) fn sleep_ms_max(&self) -> u64 {
        let now_ms = self.time.unix_ms();
        let period = self.background.due_ms - now_ms;
        let log = self.shard.log.next_wake_ms().map_or(i64::MAX, |at| at as i64 - now_ms);
        period.min(log).max(0) as u64
    }
}
