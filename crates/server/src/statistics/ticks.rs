//! How long ticks take: for INFO, and for the watchdog, which reports one that took too long with
//! the command that did it.

use telemetry::LongTick;

use crate::core::Core;

/// Between two lines about ticks that took too long, milliseconds: a machine that is overcommitted
/// would fill the log.
const REPORT_PAUSE_MS: i64 = 1000;

/// The tick under way, and what is left of those before it.
#[derive(Default)]
pub(crate) struct Ticks {
    began_ns: u64,
    /// Nanoseconds that are no whole microsecond yet.
    rest_ns: u64,
    /// The command that took longest in this tick: its number, and nanoseconds.
    slowest: Option<(u16, u64)>,
    /// No line before this: unix milliseconds.
    silent_until_ms: i64,
}

impl Ticks {
    /// A tick begins.
    #[inline]
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.began_ns = now_ns;
        self.slowest = None;
    }

    /// A command ran in it.
    #[inline]
    pub(crate) fn note_call(&mut self, number: u16, took_ns: u64) {
        if self.slowest.is_none_or(|(_, slowest_ns)| slowest_ns < took_ns) {
            self.slowest = Some((number, took_ns));
        }
    }
}

impl Core {
    /// A tick has ended: counts it.
    #[inline]
    pub(crate) fn count_tick(&mut self) {
        let ticks = &mut self.statistics.ticks;
        let took_ns = self.time.now_ns().saturating_sub(ticks.began_ns);
        let owed_ns = ticks.rest_ns + took_ns;
        ticks.rest_ns = owed_ns % 1000;
        let traffic = &mut self.statistics.counters.traffic;
        traffic.ticks += 1;
        traffic.tick_us += owed_ns / 1000;
        if took_ns >= self.statistics.watchdog.limit_us() * 1000 {
            self.report_long_tick(took_ns / 1000);
        }
    }

    #[cold]
    fn report_long_tick(&mut self, duration_us: u64) {
        let now_ms = self.time.unix_ms();
        let slowest = self.statistics.ticks.slowest;
        let command_us = slowest.map_or(0, |(_, took_ns)| took_ns / 1000);
        self.statistics.watchdog.record(LongTick {
            duration_us,
            unix_ms: now_ms.max(0).unsigned_abs(),
            command: slowest.map(|(number, _)| usize::from(number)),
            command_us,
        });
        let ticks = &mut self.statistics.ticks;
        if now_ms < ticks.silent_until_ms {
            return;
        }
        ticks.silent_until_ms = now_ms + REPORT_PAUSE_MS;
        let name = slowest.and_then(|(number, _)| self.registry.name(number)).unwrap_or("none");
        tracing::warn!(
            "Core thread {} was kept for {duration_us} us by one tick; its longest command: \
             {name}, {command_us} us",
            self.mail.shard
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn ticks_are_counted_and_long_ones_named() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        server.ask(client, "SET k v");
        let before = server.cores[0].statistics.counters.traffic.ticks;
        assert!(before > 0);
        server.cores[0].begin_tick();
        server.cores[0].statistics.count_call(0, 15_000_000, false);
        std::thread::sleep(std::time::Duration::from_millis(12));
        server.cores[0].count_tick();
        let statistics = &server.cores[0].statistics;
        assert_eq!(statistics.counters.traffic.ticks, before + 1);
        let longest = statistics.watchdog.longest().expect("twelve milliseconds are too long");
        assert!(longest.duration_us >= 12_000 && longest.command == Some(0), "{longest:?}");
        assert_eq!(longest.command_us, 15_000);
    }
}
