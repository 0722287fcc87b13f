//! The latency monitor: for each kind of hiccup ("event") a short history of how long it took, and
//! when.
//!
//! An event is recorded when it took at least `latency-monitor-threshold` milliseconds. Within one
//! second only the worst is kept, so that the 160 samples of a history reach back a useful time.
//! LATENCY LATEST, HISTORY, RESET, GRAPH and DOCTOR read from here.

use std::collections::{BTreeMap, VecDeque};

use super::latency_graph;
use super::latency_report::{self, LatencySummary};

/// Most samples in the history of an event (Redis latency.h, `LATENCY_TS_LEN`).
pub const LATENCY_SAMPLES_MAX: usize = 160;

/// The name of a kind of hiccup: `command`, `fast-command`, `expire-cycle`, `aof-write` and so on.
pub type LatencyEvent = &'static str;

/// How long an event took, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySample {
    /// In seconds since 1970.
    pub unix_s: u64,
    /// In milliseconds.
    pub latency_ms: u64,
}

/// The last hiccups of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistory {
    /// Oldest in front, at most [`LATENCY_SAMPLES_MAX`]; times do not descend, none occurs twice.
    samples: VecDeque<LatencySample>,
    /// The longest ever, also of samples that are gone.
    max_ms: u64,
}

/// The hiccups of one core thread, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyMonitor {
    /// Only events that occurred. In the order of names.
    histories: BTreeMap<LatencyEvent, LatencyHistory>,
    /// `latency-monitor-threshold`, in milliseconds; 0 switches the monitor off.
    threshold_ms: u64,
}

impl LatencyMonitor {
    /// A monitor of what takes at least `threshold_ms`; 0 switches it off.
    pub const fn new(threshold_ms: u64) -> Self {
        Self { histories: BTreeMap::new(), threshold_ms }
    }

    /// Changes the threshold (CONFIG SET); what was recorded stays.
    pub const fn set_threshold(&mut self, threshold_ms: u64) {
        self.threshold_ms = threshold_ms;
    }

    /// The threshold in milliseconds; 0 is off.
    pub const fn threshold_ms(&self) -> u64 {
        self.threshold_ms
    }

    /// Records that `event` took `latency_ms`, if that reaches the threshold.
    pub fn record(&mut self, event: LatencyEvent, latency_ms: u64, unix_s: u64) {
        if self.threshold_ms > 0 && latency_ms >= self.threshold_ms {
            let sample = LatencySample { unix_s, latency_ms };
            self.histories.entry(event).or_default().add(sample);
        }
    }

    /// The history of an event, by name; None if it did not occur.
    pub fn history(&self, event: &str) -> Option<&LatencyHistory> {
        self.histories.get(event)
    }

    /// Events with their histories, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (LatencyEvent, &LatencyHistory)> {
        self.histories.iter().map(|(&event, history)| (event, history))
    }

    /// Forgets one event (LATENCY RESET name). False if it did not occur.
    pub fn reset(&mut self, event: &str) -> bool {
        self.histories.remove(event).is_some()
    }

    /// Forgets all events (LATENCY RESET); how many there were.
    pub fn reset_all(&mut self) -> usize {
        let events = self.histories.len();
        self.histories.clear();
        events
    }

    /// Adds another core thread's hiccups to these. Where there are more than a history holds, the
    /// latest stay.
    pub fn merge(&mut self, other: &Self) {
        for (event, theirs) in other.iter() {
            self.histories.entry(event).or_default().merge(theirs);
        }
    }

    /// The reply of LATENCY GRAPH; None if the event did not occur.
    pub fn graph(&self, event: &str, unix_s: u64) -> Option<String> {
        let (event, history) = self.histories.get_key_value(event)?;
        Some(latency_graph::draw(event, history, unix_s))
    }

    /// The reply of LATENCY DOCTOR: what happened, in words, and what to do about it.
    pub fn report(&self) -> String {
        latency_report::write(self)
    }
}

impl LatencyHistory {
    /// Samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = LatencySample> {
        self.samples.iter().copied()
    }

    /// The latest sample. Every history in a monitor has one.
    pub fn latest(&self) -> Option<LatencySample> {
        self.samples.back().copied()
    }

    /// The longest ever, in milliseconds.
    pub const fn max_ms(&self) -> u64 {
        self.max_ms
    }

    /// Mean, spread and extremes of the samples; None without samples.
    pub fn summary(&self) -> Option<LatencySummary> {
        LatencySummary::of(self)
    }

    fn add(&mut self, mut sample: LatencySample) {
        self.max_ms = self.max_ms.max(sample.latency_ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_s == sample.unix_s => {
                last.latency_ms = last.latency_ms.max(sample.latency_ms);
            }
            last => {
                // The wall clock may have been set back: then time stands until it has caught up.
                if let Some(last) = last.filter(|last| last.unix_s > sample.unix_s) {
                    sample.unix_s = last.unix_s;
                    last.latency_ms = last.latency_ms.max(sample.latency_ms);
                    return;
                }
                if self.samples.len() == LATENCY_SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let mut all: Vec<_> = self.samples().chain(other.samples()).collect();
        all.sort_by_key(|sample| sample.unix_s);
        self.samples.clear();
        for sample in all {
            self.add(sample);
        }
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::{LATENCY_SAMPLES_MAX, LatencyHistory, LatencyMonitor};

    fn pairs(history: &LatencyHistory) -> Vec<(u64, u64)> {
        history.samples().map(|sample| (sample.unix_s, sample.latency_ms)).collect()
    }

    #[test]
    fn records_what_reaches_the_threshold() {
        let mut monitor = LatencyMonitor::new(0);
        monitor.record("command", 1_000, 1);
        assert!(monitor.history("command").is_none(), "off");
        monitor.set_threshold(10);
        monitor.record("command", 9, 1);
        monitor.record("command", 10, 2);
        monitor.record("aof-write", 30, 2);
        let events: Vec<_> = monitor.iter().map(|(event, _)| event).collect();
        assert_eq!((events, monitor.threshold_ms()), (vec!["aof-write", "command"], 10));
        assert!(monitor.reset("command") && !monitor.reset("command"));
        assert_eq!((monitor.reset_all(), monitor.reset_all()), (1, 0));
    }

    #[test]
    fn one_sample_a_second_and_the_worst_of_it() {
        let mut monitor = LatencyMonitor::new(1);
        for (latency_ms, unix_s) in [(5, 100), (9, 100), (7, 100), (3, 101), (4, 99)] {
            monitor.record("command", latency_ms, unix_s);
        }
        let history = monitor.history("command").expect("recorded");
        assert_eq!(pairs(history), [(100, 9), (101, 4)], "a clock set back does not add samples");
        assert_eq!(history.max_ms(), 9);
        assert_eq!(history.latest().map(|sample| sample.latency_ms), Some(4));
    }

    #[test]
    fn a_history_is_bounded_and_remembers_the_maximum() {
        let mut monitor = LatencyMonitor::new(1);
        for unix_s in 0..200 {
            monitor.record("command", 500 - unix_s, unix_s);
        }
        let history = monitor.history("command").expect("recorded");
        assert_eq!(history.samples().len(), LATENCY_SAMPLES_MAX);
        assert_eq!(pairs(history).first(), Some(&(40, 460)));
        assert_eq!(history.max_ms(), 500);
    }

    #[test]
    fn merging_keeps_time_and_the_worst() {
        let (mut one, mut other) = (LatencyMonitor::new(1), LatencyMonitor::new(1));
        for unix_s in 0..150 {
            one.record("command", 5, 2 * unix_s);
            other.record("command", 6, 2 * unix_s + unix_s % 2);
        }
        other.record("fork", 70, 3);
        one.merge(&other);
        let history = one.history("command").expect("in both");
        assert_eq!(history.samples().len(), LATENCY_SAMPLES_MAX);
        assert!(pairs(history).is_sorted());
        assert_eq!(history.latest().map(|last| (last.unix_s, last.latency_ms)), Some((299, 6)));
        assert_eq!(one.history("fork").map(pairs), Some(vec![(3, 70)]));
    }
}
