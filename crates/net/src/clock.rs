//! Time for a core thread: cheap enough to be read for every command.
//!
//! On x86-64 with an invariant time-stamp counter, the counter is read directly (about 8 ns here,
//! against 25 ns for the vDSO's `clock_gettime`) and scaled by a factor measured once at start; all
//! other machines use `Instant`. A simulator's clock shows what its [`VirtualTime`] was told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock in nanoseconds since it was made, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    ticks_start: u64,
    /// Nanoseconds per tick, as a fixed-point number with 32 fractional bits; 0: no usable counter.
    scale: u64,
    /// Instead of the machine's time.
    simulated: Option<&'static VirtualTime>,
}

/// What a look at a simulated clock takes, unless it is told: about as long as the real one.
const LOOK: Duration = Duration::from_nanos(10);

/// Time that passes only when it is told to: what a simulator's clocks show.
#[derive(Debug)]
pub struct VirtualTime {
    ns: AtomicU64,
    unix_start_us: u64,
    look_ns: u64,
}

impl VirtualTime {
    /// Time that begins at this moment of the wall clock, in microseconds since 1970.
    #[must_use]
    pub const fn new(unix_start_us: u64) -> Self {
        Self::with_looks_of(LOOK, unix_start_us)
    }

    /// The same, of which a look at the monotonic clock takes `look`: work that looks at the clock
    /// after each step takes so long for each of them, and so is counted.
    #[must_use]
    pub const fn with_looks_of(look: Duration, unix_start_us: u64) -> Self {
        Self { ns: AtomicU64::new(0), unix_start_us, look_ns: look.as_nanos() as u64 }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.ns.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Looks at the time, which takes some: whoever looks until a moment comes sees it come.
    fn look(&self) -> u64 {
        self.ns.fetch_add(self.look_ns, Ordering::Relaxed)
    }

    /// Nanoseconds that have passed.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.ns.load(Ordering::Relaxed)
    }

    /// Microseconds of the wall clock since 1970.
    #[must_use]
    pub fn unix_us(&self) -> u64 {
        self.unix_start_us + self.now_ns() / 1000
    }
}

impl Clock {
    /// Measures the counter against the system's clock, for two milliseconds.
    #[must_use]
    pub fn new() -> Self {
        let start = Instant::now();
        let ticks_start = ticks();
        if !invariant_counter() {
            return Self { start, ticks_start, scale: 0, simulated: None };
        }
        while start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        let (elapsed, ticks) = (start.elapsed().as_nanos(), ticks() - ticks_start);
        let scale = if ticks == 0 { 0 } else { ((elapsed << 32) / u128::from(ticks)) as u64 };
        Self { start, ticks_start, scale, simulated: None }
    }

    /// A clock that shows `time`.
    #[must_use]
    pub fn simulated(time: &'static VirtualTime) -> Self {
        Self { start: Instant::now(), ticks_start: 0, scale: 0, simulated: Some(time) }
    }

    /// Nanoseconds since the clock was made.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        if self.scale == 0 {
            return self.now_ns_uncounted();
        }
        let elapsed = u128::from(ticks().wrapping_sub(self.ticks_start));
        ((elapsed * u128::from(self.scale)) >> 32) as u64
    }

    /// [`Clock::now_ns`] without a counter of ticks.
    fn now_ns_uncounted(&self) -> u64 {
        match self.simulated {
            Some(time) => time.look(),
            None => self.start.elapsed().as_nanos() as u64,
        }
    }

    /// Microseconds of the wall clock since 1970.
    #[must_use]
    pub fn unix_us(&self) -> u64 {
        if let Some(time) = self.simulated {
            return time.unix_us();
        }
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
