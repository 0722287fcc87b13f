//! What a server tells about itself: counters, rates, histograms, slow log, latency events, log
//! lines.
//!
//! Plain data. Each core thread owns one of each and changes it with plain additions; whoever
//! answers INFO, SLOWLOG or LATENCY gathers the parts of all core threads and merges them. Nothing
//! here looks at a clock or does I/O, except [`start_log`], which sets up where log lines go; `now`
//! is an argument everywhere, in the unit that the argument's name says.
//!
//! - [`Counters`]: totals since start or CONFIG RESETSTAT (INFO's *stats*, *errorstats*).
//! - [`Rate`], [`Rates`]: operations and bytes a second, averaged over the last 16 samples.
//! - [`CommandStats`]: calls, time and latency histogram of each command (*commandstats*,
//!   *latencystats*, LATENCY HISTOGRAM), by the command's index.
//! - [`SlowLog`]: the calls that took too long, with their arguments cut short.
//! - [`LatencyMonitor`]: a short history for each kind of hiccup (LATENCY LATEST, HISTORY, GRAPH,
//!   DOCTOR).
//! - [`Watchdog`]: the longest ticks, and the command that was to blame.
//! - [`start_log`]: lines with Redis' levels, to standard output or a file.
#![forbid(unsafe_code)]

mod command_stats;
mod counters;
mod error_counts;
mod histogram;
mod latency_graph;
mod latency_monitor;
mod latency_report;
mod log;
mod log_line;
mod rate;
mod slow_log;
mod watchdog;

pub use command_stats::{Call, CommandStats, CommandTotals};
pub use counters::{ClientCounters, Counters, KeyCounters, TrafficCounters};
pub use error_counts::{ERROR_PREFIXES_MAX, ErrorCounts};
pub use histogram::Histogram;
pub use latency_monitor::{
    LATENCY_SAMPLES_MAX, LatencyEvent, LatencyHistory, LatencyMonitor, LatencySample,
};
pub use latency_report::LatencySummary;
pub use log::{LogControl, LogError, LogLevel, LogSettings, UnknownLogLevel, start_log};
pub use rate::{RATE_SAMPLES, Rate, Rates};
pub use slow_log::{
    SLOW_ARGUMENT_BYTES_MAX, SLOW_ARGUMENTS_MAX, SlowCall, SlowCallWords, SlowEntry, SlowLog,
    SlowLogSettings, SlowWords,
};
pub use watchdog::{LongTick, Watchdog};
