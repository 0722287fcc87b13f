//! What the server says about itself: log lines, slow log, latency.

use crate::declare::{flag, integer, section, text, word, words};
use crate::kind::{self, Kind, List};
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;
use crate::split;
use crate::text::Text;

section! {
    /// Where log lines go and which.
    pub struct Lines {
        /// The least that is logged.
        pub level: Level,
        /// Path; empty: standard output.
        pub file: Text,
        /// Send them to syslog.
        pub syslog: bool,
        /// Name in syslog.
        pub syslog_ident: Text,
        /// Facility in syslog.
        pub syslog_facility: Facility,
        /// For tests: path for all requests and replies; empty: none.
        pub request_file: Text,
    }
}

section! {
    /// Slow log, latency.
    pub struct Monitoring {
        /// Commands slower than this are logged; 0: all; -1: none.
        pub slow_log_us: i64,
        /// Entries kept.
        pub slow_log_entries_max: u64,
        /// Events longer than this are recorded; 0: none.
        pub latency_threshold_ms: i64,
        /// Keep a histogram for each command.
        pub latency_tracking: bool,
        /// Percentiles that INFO shows, each 0 to 100.
        pub latency_percentiles: Vec<f64>,
    }
}

words! {
    /// `loglevel`.
    pub enum Level {
        /// All.
        Debug = "debug",
        /// Much.
        Verbose = "verbose",
        /// What production needs.
        Notice = "notice",
        /// Only what is wrong.
        Warning = "warning",
        /// None.
        Nothing = "nothing",
    }
}

words! {
    /// `syslog-facility`.
    pub enum Facility {
        /// LOG_USER.
        User = "user",
        /// LOG_LOCAL0.
        Local0 = "local0",
        /// LOG_LOCAL1.
        Local1 = "local1",
        /// LOG_LOCAL2.
        Local2 = "local2",
        /// LOG_LOCAL3.
        Local3 = "local3",
        /// LOG_LOCAL4.
        Local4 = "local4",
        /// LOG_LOCAL5.
        Local5 = "local5",
        /// LOG_LOCAL6.
        Local6 = "local6",
        /// LOG_LOCAL7.
        Local7 = "local7",
    }
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new("loglevel", word!(server.lines.level: Level, "notice"), "What is logged.")
        .act(Act::LogLines),
    Parameter::new("logfile", text!(server.lines.file, ""), "File for log lines; empty: stdout.")
        .at_start(),
    Parameter::new("syslog-enabled", flag!(server.lines.syslog, false), "Log to syslog.")
        .at_start()
        .inert("log lines go to standard output or `logfile`; journald takes them from there"),
    Parameter::new("syslog-ident", text!(server.lines.syslog_ident, "redis"), "Name in syslog.")
        .at_start()
        .inert("see `syslog-enabled`"),
    Parameter::new(
        "syslog-facility",
        word!(server.lines.syslog_facility: Facility, "local0"),
        "Facility in syslog.",
    )
    .at_start()
    .inert("see `syslog-enabled`"),
    Parameter::new(
        "req-res-logfile",
        text!(server.lines.request_file, ""),
        "For tests: file for all requests and replies.",
    )
    .at_start()
    .hidden()
    .inert("a regular build of Redis does not have it either"),
    Parameter::new(
        "slowlog-log-slower-than",
        integer!(server.monitoring.slow_log_us, 10_000, -1, i64::MAX),
        "Microseconds beyond which a command is in the slow log; -1: none.",
    ),
    Parameter::new(
        "slowlog-max-len",
        integer!(server.monitoring.slow_log_entries_max, 128, 0, i64::MAX),
        "Entries of the slow log.",
    )
    .act(Act::Trim),
    Parameter::new(
        "latency-monitor-threshold",
        integer!(server.monitoring.latency_threshold_ms, 0, 0, i64::MAX),
        "Milliseconds beyond which an event is recorded; 0: none.",
    ),
    Parameter::new(
        "latency-tracking",
        flag!(server.monitoring.latency_tracking, true),
        "Keep a histogram for each command.",
    )
    .act(Act::LatencyTracking),
    Parameter::new(
        "latency-tracking-info-percentiles",
        PERCENTILES,
        "Percentiles that INFO latencystats shows.",
    ),
];

const PERCENTILES: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        config.server.monitoring.latency_percentiles = percentiles(arguments)?;
        Ok(())
    },
    show: |config| percentiles_shown(&config.server.monitoring.latency_percentiles),
    lines: |config| {
        let shown = percentiles_shown(&config.server.monitoring.latency_percentiles);
        vec![if shown.is_empty() { split::quote(b"") } else { shown }]
    },
    default: "50 99 99.9",
    grammar: "percentiles of 0 to 100, or an empty string",
});

/// Kept as shown, with six decimals at most: what CONFIG GET says is what INFO uses.
fn percentiles(arguments: &[&[u8]]) -> Result<Vec<f64>, Reason> {
    if kind::is_nothing(arguments) {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for text in arguments {
        let text = std::str::from_utf8(text).ok();
        let value: Option<f64> = text.and_then(|text| text.parse().ok());
        let value = value.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&value) {
            return Err("latency-tracking-info-percentiles parameters should sit between \
                 [0.0,100.0]"
                .into());
        }
        values.push((value * 1e6).round() / 1e6);
    }
    Ok(values)
}

fn percentiles_shown(values: &[f64]) -> Vec<u8> {
    let words: Vec<String> = values.iter().map(f64::to_string).collect();
    words.join(" ").into_bytes()
}
