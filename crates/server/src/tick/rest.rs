//! What a core thread does between two ticks.
//!
//! With nothing to do it sleeps in the ring until a completion comes (a wake-up from another core
//! thread is one too) or the next deadline. Waking a sleeping core thread costs 40 to 60 us of
//! latency and a system call at both ends, a round trip through inboxes that are being looked at
//! less than half a microsecond; so while replies of other shards are under way the thread first
//! looks again, for a bounded time. Whether that pays depends on whether the others run at all:
//! where CPUs are shared with other programs they often do not, and looking burns what they need.
//! So a thread keeps count of how its looks end ([`Patience`]), and looks less often when they end
//! with nothing. Idle connections cost nothing: without work under way it sleeps at once.
//!
//! # Naps
//!
//! Where many clients are busy but not enough to keep the thread busy, it would be woken for each
//! single request, and waking costs more than a request does. So while there is a *crowd* the
//! thread first naps: until half as many completions are there as the crowd is large, or for some
//! microseconds for each in the crowd, whichever comes first. Then it serves together what has
//! come. It does not announce a nap in its inbox: other core threads need not wake it, it will look
//! soon. A client of few connections is never made to wait (`crowd.rs`); nor is who waits for keys
//! that a transaction holds here, since that takes several hops and each would wait for a nap.

use std::time::Duration;

use crate::tick::core_thread::CoreThread;

/// How long to look for replies under way before sleeping: ten round trips of a core thread that
/// looks as well, an eighth of what waking it would take.
const LOOK_NS_MAX: u64 = 5_000;

/// From how many clients on, busy within a millisecond, a thread naps: with fewer there is little
/// to be gathered, and a nap would be most of what they wait.
const CROWD_MIN: u32 = 8;

/// Microseconds of nap for each client of the crowd, and the longest nap. Each of 25 clients waits
/// some 250 us for its reply where a thread serves 100,000 requests a second: what a nap may add is
/// about that, and in proportion. Measured: `docs/decisions/0005-a-crowd-is-worth-a-nap.md`.
const NAP_US_PER_CLIENT: u64 = 12;
const NAP_US_MAX: u64 = 300;

/// The same where there is one shard: everything comes to it, so longer naps gather nothing more.
const NAP_ALONE_US_PER_CLIENT: u64 = 8;
const NAP_ALONE_US_MAX: u64 = 200;

/// The longest sleep: the pace of periodic work (`hz`) sets nearer deadlines where there is any.
const SLEEP_MS_MAX: u64 = 1000;

impl CoreThread {
    /// Waits for something to do.
    pub(crate) fn rest(&mut self) {
        if self.core.has_work() || self.ring.has_completions() {
            return self.poll();
        }
        let crowd = self.core.crowd.size(self.core.time.unix_ms());
        if crowd >= CROWD_MIN && self.core.shard.holds.is_idle() {
            let (each_us, max_us) = match self.core.mail.shards() {
                1 => (NAP_ALONE_US_PER_CLIENT, NAP_ALONE_US_MAX),
                _ => (NAP_US_PER_CLIENT, NAP_US_MAX),
            };
            let nap_us = (u64::from(crowd) * each_us).min(max_us);
            self.sleep((crowd / 2) as usize, Duration::from_micros(nap_us));
            if self.core.has_work() || self.ring.has_completions() {
                return;
            }
        } else if self.core.mail.under_way > 0 && self.patience.looks() {
            // Who was woken should run while this thread looks.
            self.poll();
            let found = self.look();
            self.patience.learn(found);
            if found {
                return;
            }
        }
        if !self.core.mail.inbox.prepare_sleep() {
            return self.poll();
        }
        let mut timeout = Duration::from_millis(self.core.sleep_ms_max().min(SLEEP_MS_MAX));
        if let Some(pause) = self.accept_pause() {
            timeout = timeout.min(pause);
        }
        if let Some(due_us) = self.postponed.due_us(self.core.time.unix_us()) {
            timeout = timeout.min(Duration::from_micros(due_us));
        }
        self.sleep(1, timeout);
        self.core.mail.inbox.awake();
    }

    /// Sleeps until there are so many completions or the time is over.
    fn sleep(&mut self, completions: usize, timeout: Duration) {
        if let Err(error) = self.ring.wait(completions, timeout) {
            tracing::error!("Waiting on the ring failed: {error}");
        }
    }

    /// Looks at the ring without waiting.
    fn poll(&mut self) {
        if let Err(error) = self.ring.submit() {
            tracing::error!("Submitting to the ring failed: {error}");
        }
    }

    /// Looks for what is under way, for a bounded time. True: something came.
    fn look(&mut self) -> bool {
        let until = self.core.time.now_ns() + LOOK_NS_MAX;
        loop {
            for _ in 0..16 {
                if !self.core.mail.inbox.is_empty() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if self.ring.has_completions() {
                self.poll();
                return true;
            }
            if self.core.time.now_ns() >= until {
                return false;
            }
        }
    }
}

/// How looking for replies under way has ended lately.
#[derive(Default)]
pub(crate) struct Patience {
    /// Looks that found something less those that did not, within [`CREDIT_MAX`].
    credit: i8,
    /// Rests since the last look.
    skipped: u8,
}

/// How many looks are remembered.
const CREDIT_MAX: i8 = 8;

/// Without credit, every so many rests are tried all the same: circumstances change.
const RESTS_PER_TRIAL: u8 = 32;

impl Patience {
    /// Whether to look now.
    fn looks(&mut self) -> bool {
        if self.credit >= 0 {
            return true;
        }
        self.skipped += 1;
        if self.skipped < RESTS_PER_TRIAL {
            return false;
        }
        self.skipped = 0;
        true
    }

    /// Takes in how a look ended.
    fn learn(&mut self, found: bool) {
        let change = if found { 2 } else { -1 };
        self.credit = (self.credit + change).clamp(-CREDIT_MAX, CREDIT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{Patience, RESTS_PER_TRIAL};

    #[test]
    fn patience_is_lost_and_found_again() {
        let mut patience = Patience::default();
        while patience.looks() {
            patience.learn(false);
        }
        let trial = (0..RESTS_PER_TRIAL).position(|_| patience.looks());
        assert!(trial.is_some(), "a thread without patience tries again");
        (0..8).for_each(|_| patience.learn(true));
        assert!(patience.looks());
    }
}
