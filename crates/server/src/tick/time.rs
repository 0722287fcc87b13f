//! What a tick knows of time.

use net::Clock;

/// The tick's time. Read from the clock once a tick, but for the durations of commands.
pub(crate) struct Time {
    clock: Clock,
    unix_us: u64,
}

impl Time {
    pub(crate) fn new(clock: Clock) -> Self {
        let unix_us = clock.unix_us();
        Self { clock, unix_us }
    }

    /// A new tick begins.
    pub(crate) fn advance(&mut self) {
        self.unix_us = self.clock.unix_us();
    }

    /// The tick's unix time in milliseconds.
    #[inline]
    pub(crate) fn unix_ms(&self) -> i64 {
        (self.unix_us / 1000) as i64
    }

    /// The tick's unix time in microseconds.
    pub(crate) fn unix_us(&self) -> u64 {
        self.unix_us
    }

    /// The monotonic clock now.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }
}
