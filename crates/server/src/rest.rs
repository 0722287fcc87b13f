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

use std::time::Duration;

use crate::core_thread::CoreThread;

/// How long to look for replies under way before sleeping: ten round trips of a core thread that
/// looks as well, an eighth of what waking it would take.
const LOOK_NS_MAX: u64 = 5_000;

/// The longest sleep: the pace of periodic work (`hz`) sets nearer deadlines where there is any.
const SLEEP_MS_MAX: u64 = 1000;

impl CoreThread {
    /// Waits for something to do.
    pub(crate) fn rest(&mut self) {
        if self.core.has_work() || self.ring.has_completions() {
            return self.poll();
        }
        if self.core.mail.under_way > 0 && self.patience.looks() {
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
        let timeout = Duration::from_millis(self.core.sleep_ms_max().min(SLEEP_MS_MAX));
        if let Err(error) = self.ring.wait(timeout) {
            tracing::error!("Waiting on the ring failed: {error}");
        }
        self.core.mail.inbox.awake();
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
