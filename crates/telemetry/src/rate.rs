//! How fast a total grows just now: the mean of the last 16 samples, as Redis computes it.
//!
//! A sample is the growth since the last look, scaled to a second by the time that passed. Taken
//! every 100 ms, as the server's cron does, the mean covers the last 1.6 seconds.

use super::counters::TrafficCounters;

/// Number of samples that are averaged (Redis server.h, `STATS_METRIC_SAMPLES`).
pub const RATE_SAMPLES: usize = 16;

/// The speed of one growing total.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Growth a second, oldest overwritten first; zero before there is a sample.
    samples: [u64; RATE_SAMPLES],
    /// Index of the sample to overwrite next; below [`RATE_SAMPLES`].
    next: usize,
    /// The total at the last look, and when that was. None before the first.
    last: Option<(u64, u64)>,
}

impl Rate {
    /// Notes that the total is `total` at `now_us`, on any clock that does not go back.
    ///
    /// The first look, and one after the total was reset, only set the mark. A look at the same
    /// time as the last one counts as no growth.
    pub fn sample(&mut self, total: u64, now_us: u64) {
        let last = self.last.replace((total, now_us));
        let Some((last_total, last_us)) = last.filter(|&(before, _)| before <= total) else {
            return;
        };
        let grown = u128::from(total - last_total) * 1_000_000;
        let passed_us = u128::from(now_us.saturating_sub(last_us));
        let per_second = grown.checked_div(passed_us).unwrap_or(0);
        self.samples[self.next] = u64::try_from(per_second).unwrap_or(u64::MAX);
        self.next = (self.next + 1) % RATE_SAMPLES;
    }

    /// Growth a second: the mean of the samples, those not taken yet counting as zero.
    pub fn per_second(&self) -> u64 {
        let sum: u128 = self.samples.iter().map(|&sample| u128::from(sample)).sum();
        u64::try_from(sum / RATE_SAMPLES as u128).unwrap_or(u64::MAX)
    }

    /// The same in units of 1,024 (for bytes: KiB a second, which INFO calls `kbps`).
    pub fn kilo_per_second(&self) -> f64 {
        self.per_second() as f64 / 1024.0
    }

    /// Forgets the samples, as CONFIG RESETSTAT does.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The speeds that INFO shows (`instantaneous_*`).
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// `instantaneous_ops_per_sec`
    pub commands: Rate,
    /// `instantaneous_input_kbps`
    pub input: Rate,
    /// `instantaneous_output_kbps`
    pub output: Rate,
    /// `instantaneous_input_repl_kbps`
    pub replication_input: Rate,
    /// `instantaneous_output_repl_kbps`
    pub replication_output: Rate,
    /// `instantaneous_eventloop_cycles_per_sec`
    pub ticks: Rate,
    /// Microseconds in ticks a second; see [`Rates::tick_us`].
    pub busy: Rate,
}

impl Rates {
    /// Notes the totals at `now_us`. To be called every 100 ms or so.
    pub fn sample(&mut self, traffic: &TrafficCounters, now_us: u64) {
        self.commands.sample(traffic.commands, now_us);
        self.input.sample(traffic.input_bytes, now_us);
        self.output.sample(traffic.output_bytes, now_us);
        self.replication_input.sample(traffic.replication_input_bytes, now_us);
        self.replication_output.sample(traffic.replication_output_bytes, now_us);
        self.ticks.sample(traffic.ticks, now_us);
        self.busy.sample(traffic.tick_us, now_us);
    }

    /// Mean length of a tick in microseconds (`instantaneous_eventloop_duration_usec`).
    pub fn tick_us(&self) -> u64 {
        self.busy.per_second().checked_div(self.ticks.per_second()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{RATE_SAMPLES, Rate, Rates, TrafficCounters};

    #[test]
    fn averages_the_last_sixteen() {
        let mut rate = Rate::default();
        rate.sample(1_000, 0);
        assert_eq!(rate.per_second(), 0, "one look has no growth");
        // 10 in 100 ms is 100 a second, in one sample of sixteen.
        rate.sample(1_010, 100_000);
        assert_eq!(rate.per_second(), 100 / 16);
        for step in 2..=RATE_SAMPLES as u64 {
            rate.sample(1_000 + 10 * step, 100_000 * step);
        }
        assert_eq!(rate.per_second(), 100);
        // Idle for sixteen samples: nothing is left.
        for step in 17..=32 {
            rate.sample(1_160, 100_000 * step);
        }
        assert_eq!(rate.per_second(), 0);
    }

    #[test]
    fn survives_resets_and_clocks_that_stand() {
        let mut rate = Rate::default();
        rate.sample(500, 10);
        rate.sample(20, 20);
        assert_eq!(rate.per_second(), 0, "the total was reset");
        rate.sample(36, 20);
        assert_eq!(rate.per_second(), 0, "no time passed");
        rate.sample(52, 1_000_020);
        assert_eq!(rate.per_second(), 1);
        rate.sample(u64::MAX, 1_000_021);
        assert_eq!(rate.per_second(), u64::MAX / 16 + 1, "saturates");
        rate.reset();
        assert_eq!(rate.per_second(), 0);
    }

    #[test]
    fn rates_show_kilobytes_and_ticks() {
        let mut rates = Rates::default();
        let mut traffic = TrafficCounters::default();
        for step in 0..=RATE_SAMPLES as u64 {
            rates.sample(&traffic, step * 100_000);
            traffic.input_bytes += 51_200;
            traffic.ticks += 10;
            traffic.tick_us += 250;
        }
        assert!((rates.input.kilo_per_second() - 500.0).abs() < 1e-9);
        assert_eq!(rates.tick_us(), 25);
        assert_eq!(rates.output.per_second(), 0);
    }
}
