//! LATENCY DOCTOR: the monitor's histories in words, with advice for the events that have any.

use std::fmt::Write;

use super::latency_monitor::{LatencyHistory, LatencyMonitor};

/// What a history amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySummary {
    /// Number of samples.
    pub samples: usize,
    /// Mean of the samples, in milliseconds.
    pub mean_ms: u64,
    /// Mean distance of the samples from their mean, in milliseconds.
    pub deviation_ms: u64,
    /// The least sample, in milliseconds.
    pub min_ms: u64,
    /// The greatest sample still in the history, in milliseconds.
    pub max_ms: u64,
    /// Mean time between samples, in seconds, rounded down; 0 for a single sample.
    pub period_s: u64,
}

impl LatencySummary {
    /// The summary of a history; None if it has no samples.
    pub(super) fn of(history: &LatencyHistory) -> Option<Self> {
        let samples = history.samples().len();
        let count = u64::try_from(samples).ok().filter(|&count| count > 0)?;
        let latencies = || history.samples().map(|sample| sample.latency_ms);
        let mean_ms = latencies().sum::<u64>() / count;
        let first = history.samples().next()?;
        let span_s = history.latest()?.unix_s - first.unix_s;
        Some(Self {
            samples,
            mean_ms,
            deviation_ms: latencies().map(|ms| ms.abs_diff(mean_ms)).sum::<u64>() / count,
            min_ms: latencies().min()?,
            max_ms: latencies().max()?,
            period_s: span_s / (count - 1).max(1),
        })
    }
}

/// The whole report.
pub(super) fn write(monitor: &LatencyMonitor) -> String {
    if monitor.threshold_ms() == 0 && monitor.iter().next().is_none() {
        return "Latency monitoring is off. Set latency-monitor-threshold to the number of \
                milliseconds from which on an event is worth recording, for instance with CONFIG \
                SET latency-monitor-threshold 100.\n"
            .to_owned();
    }
    let mut report = String::new();
    let mut advice: Vec<&str> = Vec::new();
    for (event, history) in monitor.iter() {
        let Some(summary) = history.summary() else { continue };
        write_event(&mut report, event, &summary, history.max_ms());
        for line in advice_for(event) {
            if !advice.contains(line) {
                advice.push(line);
            }
        }
    }
    if report.is_empty() {
        return "No event reached latency-monitor-threshold so far.\n".to_owned();
    }
    if !advice.is_empty() {
        report.push_str("\nWhat may help:\n\n");
        for line in advice {
            report.push_str("- ");
            report.push_str(line);
            report.push('\n');
        }
    }
    report
}

fn write_event(report: &mut String, event: &str, summary: &LatencySummary, all_time_ms: u64) {
    let LatencySummary { samples, mean_ms, deviation_ms, min_ms, max_ms, period_s } = *summary;
    let plural = if samples == 1 { "" } else { "s" };
    // Writing into a string cannot fail.
    let _ = writeln!(
        report,
        "{event}: {samples} latency spike{plural}, {mean_ms} ms on average (mean deviation \
         {deviation_ms} ms, {min_ms} to {max_ms} ms), one every {period_s} seconds. Worst ever: \
         {all_time_ms} ms."
    );
}

/// What to do about an event; nothing where there is no general advice.
fn advice_for(event: &str) -> &'static [&'static str] {
    match event {
        "command" => &[
            "SLOWLOG GET shows which commands were slow; commands that walk whole keys or the \
             whole keyspace (KEYS, SMEMBERS, SORT, long LRANGE) have SCAN-like counterparts.",
            "DEL of a very large value takes time; UNLINK frees it in the background.",
        ],
        "fast-command" => {
            &["Fast commands are slow when the machine is: look for other processes on the same \
             CPUs, swapping, and limits on the container's CPU time."]
        }
        "aof-write"
        | "aof-write-pending-fsync"
        | "aof-write-active-child"
        | "aof-write-alone"
        | "aof-fsync-always"
        | "aof-fstat" => &[
            "The disk is slow to take the log: give the data directory a disk of its own, or relax \
             appendfsync.",
        ],
        "expire-cycle" => {
            &["Many keys expire at the same moment; spread their times to live by a random amount."]
        }
        "eviction-cycle" | "eviction-del" | "eviction-lazyfree" => {
            &["Evicting took long: values are large, or writes come in bursts; raise maxmemory or \
             set lazyfree-lazy-eviction yes."]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::latency_monitor::LatencyMonitor;
    use super::LatencySummary;

    #[test]
    fn sums_up_a_history() {
        let mut monitor = LatencyMonitor::new(1);
        for (unix_s, latency_ms) in [(100, 10), (110, 20), (130, 60)] {
            monitor.record("command", latency_ms, unix_s);
        }
        let expected = LatencySummary {
            samples: 3,
            mean_ms: 30,
            deviation_ms: 20,
            min_ms: 10,
            max_ms: 60,
            period_s: 15,
        };
        assert_eq!(
            monitor.history("command").and_then(|history| history.summary()),
            Some(expected)
        );
        let report = monitor.report();
        let line =
            "command: 3 latency spikes, 30 ms on average (mean deviation 20 ms, 10 to 60 ms)";
        assert!(report.starts_with(line), "{report}");
        assert!(report.contains("SLOWLOG GET") && report.contains("UNLINK"), "{report}");
    }

    #[test]
    fn says_so_when_there_is_nothing() {
        assert!(LatencyMonitor::new(0).report().contains("is off"));
        assert!(LatencyMonitor::new(5).report().starts_with("No event"));
        let mut monitor = LatencyMonitor::new(5);
        monitor.record("something-new", 5, 1);
        monitor.set_threshold(0);
        let report = monitor.report();
        assert!(report.contains("1 latency spike, 5 ms") && !report.contains("help"), "{report}");
    }
}
