//! Time for a core thread: cheap enough to be read for every command.
//!
//! On x86-64 with an invariant time-stamp counter, the counter is read directly (about 8 ns here,
//! against 25 ns for the vDSO's `clock_gettime`) and scaled by a factor measured once at start; all
//! other machines use `Instant`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock in nanoseconds since it was made, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    ticks_start: u64,
    /// Nanoseconds per tick, as a fixed-point number with 32 fractional bits; 0: no usable counter.
    scale: u64,
}

impl Clock {
    /// Measures the counter against the system's clock, for two milliseconds.
    #[must_use]
    pub fn new() -> Self {
        let start = Instant::now();
        let ticks_start = ticks();
        if !invariant_counter() {
            return Self { start, ticks_start, scale: 0 };
        }
        while start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        let (elapsed, ticks) = (start.elapsed().as_nanos(), ticks() - ticks_start);
        let scale = if ticks == 0 { 0 } else { ((elapsed << 32) / u128::from(ticks)) as u64 };
        Self { start, ticks_start, scale }
    }

    /// Nanoseconds since the clock was made.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        if self.scale == 0 {
            return self.start.elapsed().as_nanos() as u64;
        }
        let elapsed = u128::from(ticks().wrapping_sub(self.ticks_start));
        ((elapsed * u128::from(self.scale)) >> 32) as u64
    }

    /// Microseconds of the wall clock since 1970.
    #[must_use]
    pub fn unix_us(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: RDTSC has no memory effects and exists on every x86-64 processor.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    0
}

#[cfg(target_arch = "x86_64")]
fn invariant_counter() -> bool {
    // CPUID leaf 0x8000_0007, EDX bit 8: the counter runs at one rate in all power states.
    let highest = core::arch::x86_64::__cpuid(0x8000_0000).eax;
    highest >= 0x8000_0007 && core::arch::x86_64::__cpuid(0x8000_0007).edx & (1 << 8) != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn invariant_counter() -> bool {
    false
}
