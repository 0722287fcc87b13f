//! Work that nobody asked for: expiry, freeing in slices, shrinking, idle clients, samples.
//!
//! It runs in slices at the end of a tick's commands. A slice is bounded by time
//! ([`SLICE_NS_MAX`]), whatever there is to do in it, and when there is more, the thread comes back
//! after looking at its sockets and its inbox. Periodic work has a deadline (`hz`); between
//! deadlines nothing is done, so an idle server sleeps.
//!
//! Where nothing has come for [`QUIET_PERIODS_MIN`] periods and nothing is timed, no period would
//! find anything: the thread sleeps for [`QUIET_MS`] and not for the tenth of it. Whatever wakes it
//! in between finds the period due. A wake-up costs some 100 us of CPU, all caches being cold, so
//! ten a second would be most of what an idle server takes.

use std::sync::atomic::Ordering;

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::memory::eviction::Room;

/// The longest a slice of background work keeps a core thread from its clients: a quarter of the
/// millisecond that a tick may be kept in all (docs/architecture.md: never the whole server). What
/// is under way then ends first, and each kind of work takes one step at least, so that none waits
/// for ever for another: 0.3 ms more at worst.
const SLICE_NS_MAX: u64 = 250_000;

/// How often connections are looked at one by one: `timeout` counts seconds.
const CLIENTS_MS: i64 = 1000;

/// Periods without traffic before the thread sleeps longer: the samples of INFO's rates, so that
/// these have come down to nothing.
const QUIET_PERIODS_MIN: u32 = telemetry::RATE_SAMPLES as u32;

/// How long it then sleeps, if nothing wakes it. `timeout`, in seconds, allows no more.
const QUIET_MS: i64 = 1000;

/// What is to be done when.
#[derive(Default)]
pub(crate) struct Background {
    /// When periodic work is due next: unix milliseconds.
    due_ms: i64,
    /// When connections are to be looked at next: unix milliseconds.
    clients_due_ms: i64,
    /// Whether the last slice left something undone.
    pub(crate) pending: bool,
    /// Whether the next slice begins with the base of a log instead of the keyspace: who begins may
    /// use all of it.
    base_first: bool,
    /// What had come and gone when the last period began.
    traffic: Traffic,
    /// Periods in a row that found the same as the one before.
    quiet_periods: u32,
}

/// What comes and goes: commands, bytes in, bytes out.
type Traffic = (u64, u64, u64);

impl Core {
    /// Does a slice of the background work that is due.
    pub(crate) fn run_background(&mut self) {
        let now_ms = self.time.unix_ms();
        let is_due = now_ms >= self.background.due_ms;
        // What was deleted is given back before new keys take its place, not a period later.
        if !is_due && !self.background.pending && self.shard.keyspace.doomed().is_empty() {
            return;
        }
        let until_ns = self.time.now_ns() + SLICE_NS_MAX;
        if is_due {
            self.background.due_ms = now_ms + 1000 / i64::from(self.settings.limits.hz.max(1));
            self.begin_period(until_ns);
        }
        let base_first = std::mem::replace(&mut self.background.base_first, false);
        let base = base_first && self.advance_base(until_ns);
        let more = self.run_slice(until_ns);
        let base = base || !base_first && self.advance_base(until_ns);
        self.background.base_first = base && !base_first;
        self.background.pending = more || base;
    }

    /// What is done once a period, and is short.
    fn begin_period(&mut self, until_ns: u64) {
        self.end_pause_if_due();
        let (now_us, traffic) = (self.time.unix_us(), self.statistics.counters.traffic);
        self.statistics.rates.sample(&traffic, now_us);
        let now = self.traffic();
        let background = &mut self.background;
        let quiet = std::mem::replace(&mut background.traffic, now) == now;
        background.quiet_periods =
            if quiet { background.quiet_periods.saturating_add(1) } else { 0 };
        // Publishes as well; what a time slice could not free goes on in the next period.
        self.publish_memory();
        if self.mail.shard == 0 {
            self.shared.note_memory_peak();
        }
        self.publish_bounded_evictable();
        self.make_room_until(until_ns);
        let now_ms = self.time.unix_ms();
        if now_ms >= self.background.clients_due_ms {
            self.background.clients_due_ms = now_ms + CLIENTS_MS;
            self.close_idle_clients();
            self.close_slow_clients();
        }
        self.leave_failed_log();
        self.begin_ending_if_asked();
    }

    /// A slice of what the keyspace has to do, one step at least. True: there is more.
    fn run_slice(&mut self, until_ns: u64) -> bool {
        let shard = &mut self.shard;
        loop {
            let more = shard.run_slice(self.time.unix_ms());
            if !more || self.time.now_ns() >= until_ns {
                let evicts =
                    self.has_to_evict() && self.make_room_until(until_ns) == Room::Unfinished;
                return more || evicts;
            }
        }
    }

    fn traffic(&self) -> Traffic {
        let traffic = &self.statistics.counters.traffic;
        (traffic.commands, traffic.input_bytes, traffic.output_bytes)
    }

    /// Whether a period would find nothing to do: nothing has come for long, and nothing happens
    /// because time passes, or because another core thread needs memory.
    fn is_quiet(&self) -> bool {
        let limits = &self.settings.limits;
        self.background.quiet_periods >= QUIET_PERIODS_MIN
            && self.background.traffic == self.traffic()
            && self.pause.until_ms == 0
            && !self.shared.life.ending.load(Ordering::Acquire)
            && !(limits.memory_bytes_max != 0 && self.shard.keys() > 0)
            && self.shard.keyspace.database_stats().all(|(_, stats)| stats.expires == 0)
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
            .filter(|(_, connection)| connection.waiting.is_none())
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
            || self.bundles.are_open()
    }

    /// How long the thread may sleep if nothing comes.
    pub(crate) fn sleep_ms_max(&self) -> u64 {
        let now_ms = self.time.unix_ms();
        let period = if self.is_quiet() { QUIET_MS } else { self.background.due_ms - now_ms };
        let log = self.shard.log.next_wake_ms().map_or(i64::MAX, |at| at as i64 - now_ms);
        let wait = self.shard.waiting.next_deadline_ms().map_or(i64::MAX, |at| at - now_ms);
        period.min(log).min(wait).max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::Config;
    use keyspace::EvictionPolicy;
    use net::{Clock, VirtualTime};

    use super::{QUIET_MS, QUIET_PERIODS_MIN, SLICE_NS_MAX};
    use crate::fixture::Fixture;

    const UNIX_START_US: u64 = 1_700_000_000_000_000;

    /// A server of one core thread whose clock takes `look` to be looked at.
    fn server(look: Duration) -> (Fixture, &'static VirtualTime) {
        let time = Box::leak(Box::new(VirtualTime::with_looks_of(look, UNIX_START_US)));
        (Fixture::with_clock(1, Config::default(), Clock::simulated(time)), time)
    }

    /// A tick that does nothing but background work.
    fn run(server: &mut Fixture) {
        server.cores[0].begin_tick();
        server.cores[0].run_background();
    }

    #[test]
    fn all_kinds_of_work_share_one_slice() {
        let look = Duration::from_micros(20);
        let (mut server, time) = server(look);
        let client = server.connect(0);
        let value = "v".repeat(500);
        for round in ["a", "b"] {
            for number in 0..4000 {
                server.ask_words(client, &["SET", &format!("{round}{number}"), &value]);
            }
            if round == "a" {
                server.ask(client, "FLUSHALL ASYNC");
            }
        }
        // More to free than a slice can, and more memory in use than there may be.
        let core = &mut server.cores[0];
        core.settings.limits.memory_bytes_max = 1;
        core.settings.limits.evict_ns_max = 10 * SLICE_NS_MAX;
        core.settings.keyspace.eviction = EvictionPolicy::AllkeysLru;
        core.shard.keyspace.configure(core.settings.keyspace);
        let (mut runs, keys) = (0, core.shard.keys());
        while server.cores[0].shard.keys() > keys / 2 {
            let before_ns = time.now_ns();
            run(&mut server);
            let took_ns = time.now_ns() - before_ns;
            let steps = (took_ns - SLICE_NS_MAX.min(took_ns)) / look.as_nanos() as u64;
            assert!(steps <= 8, "{steps} steps beyond the slice");
            assert!(server.cores[0].background.pending);
            time.pass(Duration::from_millis(1));
            runs += 1;
            assert!(runs < 100_000, "nothing is evicted");
        }
        assert!(runs > 100, "{runs}");
    }

    #[test]
    fn a_pause_with_too_much_in_memory_is_no_work() {
        let (mut server, time) = server(Duration::from_nanos(10));
        let client = server.connect(0);
        server.ask(client, "SET k v");
        let core = &mut server.cores[0];
        core.settings.limits.memory_bytes_max = 1;
        core.settings.keyspace.eviction = EvictionPolicy::AllkeysLru;
        core.shard.keyspace.configure(core.settings.keyspace);
        core.begin_pause(core.time.unix_ms() + 1000, false);
        time.pass(Duration::from_millis(100));
        run(&mut server);
        assert!(!server.cores[0].has_work(), "nothing may be evicted");
        assert_eq!(server.cores[0].shard.keys(), 1);
        time.pass(Duration::from_millis(1000));
        run(&mut server);
        assert_eq!(server.cores[0].shard.keys(), 0);
    }

    #[test]
    fn a_quiet_thread_sleeps_longer_unless_something_is_timed() {
        let (mut server, time) = server(Duration::from_nanos(10));
        let client = server.connect(0);
        let rest = |server: &mut Fixture, periods: u32| {
            (0..periods).for_each(|_| {
                time.pass(Duration::from_millis(100));
                run(server);
            });
            server.cores[0].sleep_ms_max()
        };
        server.ask(client, "SET k v");
        assert!(rest(&mut server, QUIET_PERIODS_MIN) <= 100);
        assert_eq!(rest(&mut server, 1), QUIET_MS as u64);
        assert_eq!(server.cores[0].statistics.rates.commands.per_second(), 0);
        // Whatever came meanwhile, it is awake again.
        server.ask(client, "PING");
        assert!(server.cores[0].sleep_ms_max() <= 100);
        assert_eq!(rest(&mut server, QUIET_PERIODS_MIN + 1), QUIET_MS as u64);
        server.ask(client, "PEXPIRE k 60000");
        assert!(rest(&mut server, 100) <= 100, "a key expires");
        server.ask(client, "PERSIST k");
        assert_eq!(rest(&mut server, QUIET_PERIODS_MIN + 1), QUIET_MS as u64);
        server.ask(client, "CLIENT PAUSE 100000");
        assert!(rest(&mut server, 100) <= 100, "a pause ends");
        assert_eq!(rest(&mut server, 1000), QUIET_MS as u64);
        server.cores[0].settings.limits.memory_bytes_max = 1 << 40;
        assert!(rest(&mut server, 100) <= 100, "others may need memory");
    }

    #[test]
    fn an_expiring_key_goes_in_time_though_the_thread_was_quiet() {
        let (mut server, time) = server(Duration::from_nanos(10));
        let client = server.connect(0);
        for _ in 0..=QUIET_PERIODS_MIN {
            time.pass(Duration::from_millis(100));
            run(&mut server);
        }
        assert_eq!(server.cores[0].sleep_ms_max(), QUIET_MS as u64);
        time.pass(Duration::from_millis(50));
        server.ask(client, "SET k v PX 10");
        let mut slept_ms = 0;
        while server.cores[0].shard.keys() > 0 {
            let sleep_ms = server.cores[0].sleep_ms_max();
            time.pass(Duration::from_millis(sleep_ms.max(1)));
            slept_ms += sleep_ms;
            run(&mut server);
        }
        assert!(slept_ms <= 200, "{slept_ms} ms");
    }
}
