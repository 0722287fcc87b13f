//! How much memory the process has: what the allocator says, and what the system says.
//!
//! Asking jemalloc takes locks of all its arenas, so one reading serves everybody for
//! [`READING_NS_MAX`]. The peak is the highest of what is noted in each period, whether or not
//! anybody asks: a spike shorter than that is not seen, as in Redis.
//!
//! ```text
//! allocated <= active <= resident ~ process
//!   asked for   in pages    pages      resident set, with stacks and code
//! ```

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tikv_jemalloc_ctl::{arenas, background_thread, epoch, stats};

/// The allocator's name, as INFO shows it: the version that tikv-jemallocator 0.6 brings.
pub(crate) const ALLOCATOR: &str = "jemalloc-5.3.0";

/// How long a reading is good for: at most ten a second are taken.
const READING_NS_MAX: Duration = Duration::from_millis(100);

/// One look at the memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What was asked for and is in use.
    pub(crate) allocated: u64,
    /// Pages that hold some of it.
    pub(crate) active: u64,
    /// Pages of the allocator that the system has given memory for.
    pub(crate) resident: u64,
    /// The allocator's own bookkeeping.
    pub(crate) metadata: u64,
    /// The resident set of the process (`VmRSS`).
    pub(crate) process: u64,
    /// The most that was ever in use, as far as was seen.
    pub(crate) peak: u64,
}

/// The gauge: one for the server.
pub(crate) struct MemoryGauge {
    state: Mutex<State>,
    /// What was allocated when the server started.
    startup: u64,
    /// The most that was ever noted.
    peak: AtomicU64,
}

struct State {
    reading: Reading,
    taken: Instant,
}

impl MemoryGauge {
    /// A gauge, with its first reading.
    pub(crate) fn new() -> Self {
        let reading = take();
        Self {
            startup: reading.allocated,
            peak: AtomicU64::new(reading.allocated),
            state: Mutex::new(State { reading, taken: Instant::now() }),
        }
    }

    /// The last reading, or a new one when that is too old.
    pub(crate) fn read(&self) -> Reading {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.taken.elapsed() >= READING_NS_MAX {
            *state = State { reading: take(), taken: Instant::now() };
        }
        Reading { peak: self.peak.load(Ordering::Relaxed), ..state.reading }
    }

    /// So much is in use.
    pub(crate) fn note(&self, used: u64) {
        if used > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(used, Ordering::Relaxed);
        }
    }

    /// What was allocated when the server started.
    pub(crate) fn startup(&self) -> u64 {
        self.startup
    }
}

/// Asks the allocator and the system. What cannot be had is 0.
fn take() -> Reading {
    // The allocator's numbers stand still until its epoch is advanced.
    let _ = epoch::advance();
    let bytes = |answer: tikv_jemalloc_ctl::Result<usize>| answer.unwrap_or(0) as u64;
    // Long strings are mappings of their own, of which the allocator knows nothing.
    let mapped = mapped_bytes();
    let allocated = bytes(stats::allocated::read()) + mapped;
    Reading {
        allocated,
        active: bytes(stats::active::read()) + mapped,
        resident: bytes(stats::resident::read()) + mapped,
        metadata: bytes(stats::metadata::read()),
        process: kilobytes_of("/proc/self/status", "VmRSS:") * 1024,
        peak: allocated,
    }
}

/// Bytes of long strings, which are mappings of their own.
pub(crate) fn mapped_bytes() -> u64 {
    #[cfg(test)]
    if MAPPINGS_OF_OTHERS.get() {
        return 0;
    }
    datatypes::mapped_bytes() as u64
}

#[cfg(test)]
thread_local! {
    /// Whether a test counts no mappings, because all are those of tests beside it.
    pub(crate) static MAPPINGS_OF_OTHERS: std::cell::Cell<bool> = const {
        std::cell::Cell::new(false)
    };
}

/// All memory of the machine, in bytes.
pub(crate) fn system_bytes() -> u64 {
    kilobytes_of("/proc/meminfo", "MemTotal:") * 1024
}

/// The number behind `label` in a file of the proc file system, whose lines are like
/// `VmRSS:    1234 kB`. (`statm` would give pages, whose size has to be asked for.)
fn kilobytes_of(path: &str, label: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What the allocator says of itself, a line each, in bytes.
pub(crate) fn report() -> String {
    let _ = epoch::advance();
    let numbers = [
        ("allocated", stats::allocated::read()),
        ("active", stats::active::read()),
        ("metadata", stats::metadata::read()),
        ("resident", stats::resident::read()),
        ("mapped", stats::mapped::read()),
        ("retained", stats::retained::read()),
    ];
    let arenas = arenas::narenas::read().unwrap_or(0);
    let mut report = format!("{ALLOCATOR}\narenas: {arenas}\n");
    for (name, number) in numbers {
        report.push_str(&format!("{name}: {}\n", number.unwrap_or(0)));
    }
    report
}

/// Has the allocator give free pages back to the system on its own from now on, without waiting for
/// further allocations: after MEMORY PURGE.
pub(crate) fn release_free_pages() {
    if let Err(error) = background_thread::write(true) {
        tracing::debug!("The allocator's background thread cannot be started: {error}");
    }
}

/// `more / less` as INFO shows it: 0 when there is nothing to divide by.
pub(crate) fn quotient(more: u64, less: u64) -> f64 {
    if less == 0 { 0.0 } else { more as f64 / less as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_plausible_and_shared() {
        let gauge = MemoryGauge::new();
        let reading = gauge.read();
        assert!(reading.process > 1 << 20, "{reading:?}");
        assert!(reading.active >= reading.allocated, "{reading:?}");
        assert_eq!(gauge.read(), reading, "one reading serves for 100 ms");
        gauge.note(reading.peak + 5);
        gauge.note(1);
        assert_eq!(gauge.read().peak, reading.peak + 5, "what was noted stays");
        assert!(system_bytes() > reading.process);
    }

    #[test]
    fn nothing_is_the_quotient_by_nothing() {
        assert_eq!(quotient(5, 0), 0.0);
        assert_eq!(quotient(3, 2), 1.5);
    }
}
