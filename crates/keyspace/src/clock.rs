//! The 24 bits of access in a record.
//!
//! They mean one of two things, by `maxmemory-policy`; the formats are Redis' (evict.c), so that
//! `OBJECT IDLETIME`, `OBJECT FREQ`, and the RDB file mean the same.
//!
//! ```text
//!        23                        8 7          0
//! LRU   |  seconds of unix time, modulo 2^24     |   194 days; idle for longer, it looks younger
//! LFU   |  minutes modulo 2^16      |  counter   |   45 days
//! ```
//!
//! The LFU counter is logarithmic: at value c it grows with probability 1 / ((c - 5) * factor + 1)
//! an access, so that with factor 10 a million accesses fill its 8 bits. New keys start at 5, not
//! to be evicted at once. Every `lfu-decay-time` minutes without access it falls by one; the fall
//! is computed when the record is met, not by a sweep.
//!
//! The clock is copied out of the keyspace by whoever touches records, and moved on once a tick.

use crate::{Random, Settings};

/// The counter of a new key, so that it has time to be used (`LFU_INIT_VAL`).
const LFU_START: u8 = 5;
const ACCESS_MASK: u32 = (1 << 24) - 1;
const MINUTES_MASK: u32 = (1 << 16) - 1;

/// The current moment as the access bits say it, and the policy's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessClock {
    /// Unix seconds modulo 2^24.
    seconds: u32,
    /// Unix minutes modulo 2^16.
    minutes: u32,
    /// Whether accesses are counted (LFU), not timed (LRU).
    counts: bool,
    log_factor: u32,
    decay_minutes: u32,
}

impl AccessClock {
    /// The clock at `now_ms`.
    #[must_use]
    pub const fn new(settings: &Settings, now_ms: i64) -> Self {
        let seconds = now_ms.div_euclid(1000);
        Self {
            seconds: (seconds as u64 & ACCESS_MASK as u64) as u32,
            minutes: (seconds.div_euclid(60) as u64 & MINUTES_MASK as u64) as u32,
            counts: settings.eviction.is_lfu(),
            log_factor: settings.lfu_log_factor,
            decay_minutes: settings.lfu_decay_minutes,
        }
    }

    /// Whether the access bits are LFU's.
    #[must_use]
    pub const fn is_lfu(&self) -> bool {
        self.counts
    }

    /// The access bits of a new record.
    #[inline]
    #[must_use]
    pub const fn fresh(&self) -> u32 {
        if self.counts { self.minutes << 8 | LFU_START as u32 } else { self.seconds }
    }

    /// The access bits of a record that had `access` and was used now.
    #[inline]
    pub fn touched(&self, access: u32, random: &mut Random) -> u32 {
        if !self.counts {
            return self.seconds;
        }
        let counter = self.frequency(access);
        self.minutes << 8 | u32::from(self.grown(counter, random))
    }

    /// Seconds since a record with these LRU bits was used, modulo 194 days.
    #[must_use]
    pub const fn idle_seconds(&self, access: u32) -> u32 {
        self.seconds.wrapping_sub(access) & ACCESS_MASK
    }

    /// The LFU counter of a record with these bits, decayed to now.
    #[must_use]
    pub const fn frequency(&self, access: u32) -> u8 {
        let counter = access as u8;
        if self.decay_minutes == 0 {
            return counter;
        }
        let elapsed = self.minutes.wrapping_sub(access >> 8) & MINUTES_MASK;
        let periods = elapsed / self.decay_minutes;
        if periods > counter as u32 { 0 } else { counter - periods as u8 }
    }

    /// The counter after one more access.
    fn grown(&self, counter: u8, random: &mut Random) -> u8 {
        if counter == u8::MAX {
            return counter;
        }
        let above = u64::from(counter.saturating_sub(LFU_START));
        let grows = random.once_in(above * u64::from(self.log_factor) + 1);
        counter + u8::from(grows)
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessClock, LFU_START};
    use crate::{EvictionPolicy, Random, Settings};

    fn lfu(now_ms: i64) -> AccessClock {
        let settings = Settings { eviction: EvictionPolicy::AllkeysLfu, ..Settings::default() };
        AccessClock::new(&settings, now_ms)
    }

    #[test]
    fn idle_time_counts_seconds_over_the_wrap() {
        let settings = Settings::default();
        let before = AccessClock::new(&settings, ((1 << 24) - 2) * 1000);
        let after = AccessClock::new(&settings, ((1 << 24) + 3) * 1000);
        assert_eq!(after.idle_seconds(before.fresh()), 5);
        assert_eq!(before.idle_seconds(before.touched(0, &mut Random::new(1))), 0);
    }

    #[test]
    fn frequency_grows_slowly_and_decays() {
        let clock = lfu(0);
        let mut random = Random::new(3);
        let mut access = clock.fresh();
        assert_eq!(clock.frequency(access), LFU_START);
        for _ in 0..1000 {
            access = clock.touched(access, &mut random);
        }
        // redis.conf's table: factor 10, 1000 hits: 18
        let counter = clock.frequency(access);
        assert!((14..=24).contains(&counter), "{counter}");
        assert_eq!(lfu(60_000 * 4).frequency(access), counter - 4);
        assert_eq!(lfu(60_000 * 1000).frequency(access), 0);
        for _ in 0..10_000_000 {
            access = clock.touched(access, &mut random);
        }
        assert_eq!(clock.frequency(access), 255);
    }

    #[test]
    fn without_decay_time_nothing_decays() {
        let settings = Settings {
            eviction: EvictionPolicy::VolatileLfu,
            lfu_decay_minutes: 0,
            ..Settings::default()
        };
        let clock = AccessClock::new(&settings, 90_000_000);
        assert_eq!(clock.frequency(0xff), 0xff);
    }
}
