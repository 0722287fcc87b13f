//! What a core thread counts. Plain numbers of its own; INFO and its kin add up those of all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use resp::CommandError;
use telemetry::{Call, CommandStats, Counters, LatencyMonitor, Rates, SlowCall, SlowLog, Watchdog};

use crate::clients::session::Session;
use crate::settings::{Settings, TelemetrySettings};
use crate::shared::Shared;
use crate::statistics::ticks::Ticks;

/// A tick that takes longer is reported, with the command that did it: ten times the
/// millisecond that a tick may be kept by what is no command, so that only commands reach it.
const TICK_US_MAX: u64 = 10_000;

/// Counters and histories of one core thread.
pub(crate) struct Statistics {
    pub(crate) counters: Counters,
    /// Operations and bytes a second.
    pub(crate) rates: Rates,
    /// By the registry's number of a command.
    pub(crate) commands: CommandStats,
    pub(crate) slow_log: SlowLog,
    pub(crate) latency: LatencyMonitor,
    pub(crate) watchdog: Watchdog,
    pub(crate) ticks: Ticks,
    /// `latency-tracking`.
    pub(crate) latency_tracking: bool,
    /// From how many nanoseconds on a command is of interest to the slow log or the latency
    /// monitor.
    notable_ns: u64,
    shared: Arc<Shared>,
}

impl Statistics {
    pub(crate) fn new(commands: usize, settings: &Settings, shared: Arc<Shared>) -> Self {
        Self {
            counters: Counters::default(),
            rates: Rates::default(),
            commands: CommandStats::new(commands),
            slow_log: SlowLog::new(settings.telemetry.slow_log),
            latency: LatencyMonitor::new(settings.telemetry.latency_threshold_ms),
            watchdog: Watchdog::new(TICK_US_MAX),
            ticks: Ticks::default(),
            latency_tracking: settings.telemetry.latency_tracking,
            notable_ns: notable_ns(&settings.telemetry),
            shared,
        }
    }

    /// Takes new settings over.
    pub(crate) fn configure(&mut self, settings: &TelemetrySettings) {
        self.slow_log.set(settings.slow_log, self.next_slow_id());
        self.latency.set_threshold(settings.latency_threshold_ms);
        self.latency_tracking = settings.latency_tracking;
        self.notable_ns = notable_ns(settings);
    }

    /// Begins all counts anew (CONFIG RESETSTAT).
    pub(crate) fn reset(&mut self) {
        // Changes since the last snapshot are no statistic: they say what is unsaved.
        let changes = self.counters.keys.changes;
        self.counters = Counters::default();
        self.counters.keys.changes = changes;
        self.rates = Rates::default();
        self.commands.reset();
        self.watchdog.reset();
    }

    /// Whether a command that took so long is to be noted; see [`Core::note_long`].
    ///
    /// [`Core::note_long`]: crate::core::Core::note_long
    #[inline]
    pub(crate) fn is_notable(&self, took_ns: u64) -> bool {
        took_ns >= self.notable_ns
    }

    /// A command ran.
    #[inline]
    pub(crate) fn count_call(&mut self, number: u16, duration_ns: u64, failed: bool) {
        self.counters.traffic.commands += 1;
        self.ticks.note_call(number, duration_ns);
        let call = Call { command: usize::from(number), duration_ns, failed };
        self.commands.record(call, self.latency_tracking);
    }

    /// A command ran whose parts were on several shards, each of which told its tick of it.
    /// `error`: what it was answered with, if that is an error reply.
    pub(crate) fn count_shared(&mut self, number: u16, duration_ns: u64, error: Option<&[u8]>) {
        self.counters.traffic.commands += 1;
        let call = Call { command: usize::from(number), duration_ns, failed: error.is_some() };
        self.commands.record(call, self.latency_tracking);
        if let Some(error) = error {
            self.counters.errors.record(error);
        }
    }

    /// A command was answered with an error.
    pub(crate) fn count_error(&mut self, error: &CommandError) {
        let mut line = Vec::new();
        error.write_line(&mut line);
        self.counters.errors.record(&line);
    }

    /// A command was refused before it ran.
    pub(crate) fn count_rejected(&mut self, number: Option<u16>, error: &CommandError) {
        if let Some(number) = number {
            self.commands.record_rejected(usize::from(number));
        }
        self.count_error(error);
    }

    /// Whether a command that took so long belongs into the slow log.
    #[inline]
    pub(crate) fn is_slow(&self, duration_ns: u64) -> bool {
        self.slow_log.is_slow(duration_ns / 1000)
    }

    /// This core thread's share of the slow log: what is among the newest of the whole server.
    pub(crate) fn slow_calls(&mut self) -> &SlowLog {
        let next_id = self.next_slow_id();
        self.slow_log.trim(next_id);
        &self.slow_log
    }

    /// The identifier of the server's next slow call.
    fn next_slow_id(&self) -> u64 {
        self.shared.sequences.slow_log_ids.load(Ordering::Relaxed)
    }

    /// Whether the slow log keeps anything at all.
    #[inline]
    pub(crate) fn keeps_slow_calls(&self) -> bool {
        self.slow_log.is_slow(u64::MAX)
    }

    /// Keeps a slow command; `words` are its arguments, secrets replaced, cut short.
    pub(crate) fn log_slow(
        &mut self,
        session: &Session,
        words: Vec<Box<[u8]>>,
        duration_us: u64,
        unix_s: u64,
    ) {
        let address = crate::clients::describe::address(&session.peer);
        let call = SlowCall {
            unix_s,
            duration_us,
            arguments: words,
            client_address: address.as_bytes(),
            client_name: &session.identity.name,
        };
        let ids = &self.shared.sequences.slow_log_ids;
        self.slow_log.record(call, || ids.fetch_add(1, Ordering::Relaxed));
    }
}

/// The lower of the thresholds of the slow log and of the latency monitor.
fn notable_ns(settings: &TelemetrySettings) -> u64 {
    let slow = &settings.slow_log;
    let slow_ns = match u64::try_from(slow.slower_than_us) {
        Ok(microseconds) if slow.entries_max > 0 => microseconds.saturating_mul(1000),
        _ => u64::MAX,
    };
    let latency_ns = match settings.latency_threshold_ms {
        0 => u64::MAX,
        milliseconds => milliseconds.saturating_mul(1_000_000),
    };
    slow_ns.min(latency_ns)
}
