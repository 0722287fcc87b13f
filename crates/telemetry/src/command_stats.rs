//! Calls, time and latencies of each command, by the command's index.
//!
//! Indices are the registry's: small, dense, the same on all core threads. A subcommand has an
//! index of its own (`client|list`). The totals of a command are one cache line or less; its
//! histogram is allocated with its first call.

use super::histogram::Histogram;

/// What one execution of a command amounted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Index of the command in the registry.
    pub command: usize,
    /// How long it ran, without queueing, in nanoseconds.
    pub duration_ns: u64,
    /// Whether it replied with an error.
    pub failed: bool,
}

/// The totals of one command, as *commandstats* shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandTotals {
    /// Executions, also those that failed.
    pub calls: u64,
    /// Time of all executions, in nanoseconds. INFO shows microseconds.
    pub duration_ns: u64,
    /// Calls that were refused before execution (arity, permission, memory and the like).
    pub rejected: u64,
    /// Executions that replied with an error.
    pub failed: u64,
}

/// Statistics of all commands on one core thread, or the sum over several.
#[derive(Clone, Debug, Default)]
pub struct CommandStats {
    /// By index; as long as the greatest index seen.
    totals: Vec<CommandTotals>,
    /// By index; None where nothing was recorded. At most as long as `totals`.
    latencies: Vec<Option<Box<Histogram>>>,
}

impl CommandTotals {
    /// Mean time of an execution in microseconds; 0 without any.
    pub fn mean_us(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.total_us() as f64 / self.calls as f64 }
    }

    /// Time of all executions in whole microseconds.
    pub const fn total_us(&self) -> u64 {
        self.duration_ns / 1000
    }

    /// Whether there is nothing to show.
    pub const fn is_zero(&self) -> bool {
        self.calls == 0 && self.rejected == 0 && self.failed == 0
    }
}

impl CommandStats {
    /// No calls yet. `commands` is how many commands there are; more are allowed.
    pub fn new(commands: usize) -> Self {
        Self { totals: vec![CommandTotals::default(); commands], latencies: Vec::new() }
    }

    /// Counts one execution; with `tracking` (`latency-tracking yes`) its latency, too.
    #[inline]
    pub fn record(&mut self, call: Call, tracking: bool) {
        let totals = self.totals_mut(call.command);
        totals.calls += 1;
        totals.duration_ns += call.duration_ns;
        totals.failed += u64::from(call.failed);
        if tracking {
            self.latency_mut(call.command).record(call.duration_ns);
        }
    }

    /// Counts one call that was refused before execution.
    pub fn record_rejected(&mut self, command: usize) {
        self.totals_mut(command).rejected += 1;
    }

    /// The totals of a command; all zero if it was never called.
    pub fn totals(&self, command: usize) -> CommandTotals {
        self.totals.get(command).copied().unwrap_or_default()
    }

    /// The latencies of a command; None if none was recorded.
    pub fn latency(&self, command: usize) -> Option<&Histogram> {
        self.latencies.get(command)?.as_deref()
    }

    /// Indices and totals of the commands that have something to show, in the order of indices.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &CommandTotals)> {
        self.totals.iter().enumerate().filter(|(_, totals)| !totals.is_zero())
    }

    /// Adds another core thread's statistics to these.
    pub fn merge(&mut self, other: &Self) {
        for (command, theirs) in other.iter() {
            let mine = self.totals_mut(command);
            mine.calls += theirs.calls;
            mine.duration_ns += theirs.duration_ns;
            mine.rejected += theirs.rejected;
            mine.failed += theirs.failed;
        }
        for (command, theirs) in other.latencies.iter().enumerate() {
            if let Some(theirs) = theirs {
                self.latency_mut(command).merge(theirs);
            }
        }
    }

    /// Forgets everything (CONFIG RESETSTAT), and frees the histograms.
    pub fn reset(&mut self) {
        self.totals.fill(CommandTotals::default());
        self.latencies = Vec::new();
    }

    #[inline]
    fn totals_mut(&mut self, command: usize) -> &mut CommandTotals {
        if command >= self.totals.len() {
            self.totals.resize(command + 1, CommandTotals::default());
        }
        &mut self.totals[command]
    }

    #[inline]
    fn latency_mut(&mut self, command: usize) -> &mut Histogram {
        if command >= self.latencies.len() {
            self.latencies.resize(command + 1, None);
        }
        self.latencies[command].get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, CommandStats, CommandTotals};

    fn call(command: usize, duration_ns: u64, failed: bool) -> Call {
        Call { command, duration_ns, failed }
    }

    #[test]
    fn counts_calls_failures_and_refusals() {
        let mut stats = CommandStats::new(2);
        stats.record(call(1, 1_500, false), true);
        stats.record(call(1, 2_500, true), true);
        stats.record(call(7, 10, false), false);
        stats.record_rejected(1);
        stats.record_rejected(0);
        let totals = CommandTotals { calls: 2, duration_ns: 4_000, rejected: 1, failed: 1 };
        assert_eq!(stats.totals(1), totals);
        assert_eq!((totals.total_us(), totals.mean_us()), (4, 2.0));
        assert_eq!(stats.latency(1).map(|latency| latency.total()), Some(2));
        assert!(stats.latency(7).is_none(), "not tracked");
        assert!(stats.latency(99).is_none() && stats.totals(99).is_zero());
        assert_eq!(stats.iter().map(|(command, _)| command).collect::<Vec<_>>(), [0, 1, 7]);
        assert_eq!(stats.totals(0).mean_us(), 0.0);
        stats.reset();
        assert!(stats.iter().next().is_none() && stats.latency(1).is_none());
    }

    #[test]
    fn merging_adds_by_command() {
        let (mut one, mut other) = (CommandStats::new(0), CommandStats::new(0));
        one.record(call(0, 100, false), true);
        other.record(call(0, 50, true), true);
        other.record(call(5, 1, false), true);
        other.record_rejected(3);
        one.merge(&other);
        let totals = CommandTotals { calls: 2, duration_ns: 150, rejected: 0, failed: 1 };
        assert_eq!(one.totals(0), totals);
        assert_eq!(one.latency(0).map(|latency| latency.total()), Some(2));
        assert_eq!(one.latency(5).map(|latency| latency.total()), Some(1));
        assert_eq!(one.totals(3).rejected, 1);
    }
}
