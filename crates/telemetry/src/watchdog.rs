//! The watchdog's record: how long the longest ticks were, and which command was to blame.
//!
//! No tick should keep a core thread for more than a millisecond, other than by commands whose own
//! answer is that large. The tick measures itself and tells this record, which keeps the longest
//! and counts how many were over the limit.

/// A tick that took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongTick {
    /// How long, in microseconds, without sleep.
    pub duration_us: u64,
    /// When it ended, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Index of the command that took the largest part of it; None if it was no command
    /// (background work, sockets, the log).
    pub command: Option<usize>,
    /// How long that command took, in microseconds; 0 without one.
    pub command_us: u64,
}

/// The ticks of one core thread, or the worst of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// The longest tick since start or reset; None before the first.
    longest: Option<LongTick>,
    /// Ticks of at least `limit_us`.
    over_limit: u64,
    /// From how many microseconds on a tick is too long.
    limit_us: u64,
}

impl Watchdog {
    /// A record that counts ticks of at least `limit_us` as too long.
    pub const fn new(limit_us: u64) -> Self {
        Self { longest: None, over_limit: 0, limit_us }
    }

    /// From how many microseconds on a tick is too long.
    pub const fn limit_us(&self) -> u64 {
        self.limit_us
    }

    /// Notes a tick. True if it was too long, and worth a line in the log.
    pub fn record(&mut self, tick: LongTick) -> bool {
        if self.longest.is_none_or(|longest| longest.duration_us < tick.duration_us) {
            self.longest = Some(tick);
        }
        let over = tick.duration_us >= self.limit_us;
        self.over_limit += u64::from(over);
        over
    }

    /// The longest tick; the first of equals.
    pub const fn longest(&self) -> Option<LongTick> {
        self.longest
    }

    /// How many ticks were too long.
    pub const fn over_limit(&self) -> u64 {
        self.over_limit
    }

    /// Adds another core thread's record to this one.
    pub fn merge(&mut self, other: &Self) {
        if let Some(theirs) = other.longest
            && self.longest.is_none_or(|mine| mine.duration_us < theirs.duration_us)
        {
            self.longest = Some(theirs);
        }
        self.over_limit += other.over_limit;
    }

    /// Begins anew (CONFIG RESETSTAT).
    pub const fn reset(&mut self) {
        *self = Self::new(self.limit_us);
    }
}

#[cfg(test)]
mod tests {
    use super::{LongTick, Watchdog};

    fn tick(duration_us: u64, command: Option<usize>) -> LongTick {
        LongTick { duration_us, unix_ms: 1, command, command_us: 0 }
    }

    #[test]
    fn keeps_the_longest_and_counts_the_long() {
        let mut watchdog = Watchdog::new(1_000);
        assert_eq!(watchdog.longest(), None);
        let told = [(5, None), (1_000, Some(3)), (1_000, Some(4)), (999, Some(5))]
            .map(|(duration_us, command)| watchdog.record(tick(duration_us, command)));
        assert_eq!(told, [false, true, true, false]);
        assert_eq!(watchdog.longest(), Some(tick(1_000, Some(3))), "the first of equals");
        let mut other = Watchdog::new(1_000);
        other.merge(&watchdog);
        let _ = watchdog.record(tick(2_000, None));
        other.merge(&watchdog);
        assert_eq!((other.longest(), other.over_limit()), (Some(tick(2_000, None)), 5));
        other.reset();
        assert_eq!(other, Watchdog::new(1_000));
    }
}
