//! The atomics of the inbox and how it waits, in one place so that the loom tests can swap them.

pub(super) use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicUsize, Ordering};

/// Waits for a bit that another core thread holds for the time of a few compare-and-swaps.
///
/// Spins first. A holder that lost its CPU may be waiting for ours: after [`SPINS_MAX`] each
/// further step gives the CPU away.
pub(super) struct Patience {
    /// Steps spun so far; never above [`SPINS_MAX`].
    spins: u32,
}

/// A transaction of 16 markers holds its first bit for 16 compare-and-swaps on foreign cache lines,
/// 16 * 100 ns = 1.6 us. A spin is 10 to 45 ns (`pause` on AMD and older Intel, on Intel since
/// Skylake), so 64 of them wait 0.6 to 2.9 us: longer than that means that the holder is not
/// running.
const SPINS_MAX: u32 = 64;

impl Patience {
    /// A wait that has not begun.
    pub(super) const fn new() -> Self {
        Self { spins: 0 }
    }

    /// One step of waiting; look at the bit again after it.
    pub(super) fn wait(&mut self) {
        if self.spins < SPINS_MAX {
            self.spins += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}
