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
//! thread first naps: until there are half or a quarter as many completions as the crowd is large,
//! or for some microseconds for each in the crowd, whichever comes first. Then it serves together
//! what has come. It does not announce a nap in its inbox: other core threads need not wake it, it
//! will look soon. A client of few connections is never made to wait (`crowd.rs`); nor is who waits
//! for keys that a transaction holds here, since that takes several hops and each would wait for a
//! nap. Where most of the crowd sends such transactions, naps are much shorter instead.
//! And nobody naps unless naps are of use to those who wait: `pressure.rs` finds out.

use std::time::Duration;

use crate::core::Core;
use crate::tick::core_thread::CoreThread;
use crate::tick::pressure::{Account, Pressure, Reading};

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

/// The same while as many stages of transactions that hold keys run here in a millisecond as the
/// crowd has clients: each of a transaction's hops may wait for a nap.
const NAP_OF_HOPS_US_PER_CLIENT: u64 = 1;
const NAP_OF_HOPS_US_MAX: u64 = 25;

/// The longest sleep: the pace of periodic work (`hz`) sets nearer deadlines where there is any.
const SLEEP_MS_MAX: u64 = 1000;

impl CoreThread {
    /// Waits for something to do.
    pub(crate) fn rest(&mut self) {
        if self.core.has_work() || self.has_completions() {
            return self.poll();
        }
        if let Some(nap) = self.core.nap()
            && self.may_nap()
        {
            self.sleep(nap.completions, nap.timeout);
            if self.core.has_work() || self.has_completions() {
                return;
            }
        } else if self.core.mail.under_way > 0 && self.experience.patience.looks() {
            // Who was woken should run while this thread looks.
            self.poll();
            let found = self.look();
            self.experience.patience.learn(found);
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

    /// Whether naps are of use to the clients there are.
    fn may_nap(&mut self) -> bool {
        let Experience { pressure, account, .. } = &mut self.experience;
        let (now_ns, inputs) = (self.core.time.now_ns(), self.core.inputs);
        pressure.naps(now_ns, || Reading { now_ns, inputs, runnable_ns: account.runnable_ns() })
    }

    /// Sleeps until there are so many completions or the time is over.
    fn sleep(&mut self, completions: usize, timeout: Duration) {
        if let Err(error) = self.ring.wait(completions, timeout) {
            tracing::error!("Waiting on the ring failed: {error}");
        }
    }

    /// Looks at the ring without waiting.
    pub(crate) fn poll(&mut self) {
        if let Err(error) = self.ring.submit() {
            tracing::error!("Submitting to the ring failed: {error}");
        }
    }

    /// Whether the ring has something that was not looked at.
    fn has_completions(&mut self) -> bool {
        !self.completions.is_empty() || self.ring.has_completions()
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
            if self.has_completions() {
                self.poll();
                return true;
            }
            if self.core.time.now_ns() >= until {
                return false;
            }
        }
    }
}

/// A short sleep of who is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nap {
    /// It ends when so many completions are there.
    completions: usize,
    /// It ends after this time.
    timeout: Duration,
}

impl Core {
    /// The nap that is worth it now, if one is.
    fn nap(&mut self) -> Option<Nap> {
        let now_ms = self.time.unix_ms();
        let crowd = self.crowd.size(now_ms);
        let hops = self.crowd.stages(now_ms) >= crowd;
        if crowd < CROWD_MIN || !hops && !self.shard.holds.is_idle() {
            return None;
        }
        let (share, each_us, max_us) = match self.mail.shards() {
            _ if hops => (crowd / 4, NAP_OF_HOPS_US_PER_CLIENT, NAP_OF_HOPS_US_MAX),
            1 => (crowd / 2, NAP_ALONE_US_PER_CLIENT, NAP_ALONE_US_MAX),
            _ => (crowd / 2, NAP_US_PER_CLIENT, NAP_US_MAX),
        };
        let nap_us = (u64::from(crowd) * each_us).min(max_us);
        Some(Nap { completions: share as usize, timeout: Duration::from_micros(nap_us) })
    }
}

/// What a core thread has learnt about its rests.
pub(crate) struct Experience {
    /// How looking for replies under way has ended lately.
    patience: Patience,
    /// Whether naps are of use.
    pressure: Pressure,
    /// The scheduler's account of this thread.
    account: Account,
}

impl Experience {
    /// That of the calling thread, which has none yet.
    pub(crate) fn of_this_thread() -> Self {
        let (patience, pressure) = (Patience::default(), Pressure::default());
        Self { patience, pressure, account: Account::of_this_thread() }
    }
}

/// How looking for replies under way has ended lately.
#[derive(Default)]
struct Patience {
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
    use std::time::Duration;

    use config::Config;
    use net::{Clock, VirtualTime};

    use super::{CROWD_MIN, Nap, Patience, RESTS_PER_TRIAL};
    use crate::simulation::{Options, Server};

    /// A server whose first core thread has heard so many clients in this millisecond.
    fn crowded(shards: usize, clients: u32) -> Server {
        let time: &'static VirtualTime = Box::leak(Box::new(VirtualTime::new(1_000_000)));
        let clock = Clock::simulated(time);
        let options = Options { shards, seed: 1, short_writes: 0, clock };
        let mut server = Server::empty(Config::default(), options);
        let clients: Vec<_> = (0..clients).map(|_| server.connect(0)).collect();
        // Who has just connected has been heard in this millisecond already.
        time.pass(Duration::from_millis(1));
        clients.iter().for_each(|client| server.give(*client, b"PING\r\n"));
        server.tick(0);
        server
    }

    #[test]
    fn a_crowd_is_worth_a_nap() {
        let nap = |shards, clients| crowded(shards, clients).cores[0].core.nap();
        let of = |completions, us| Nap { completions, timeout: Duration::from_micros(us) };
        assert_eq!((nap(1, CROWD_MIN - 1), nap(2, CROWD_MIN - 1)), (None, None));
        assert_eq!((nap(1, 10), nap(2, 10)), (Some(of(5, 80)), Some(of(5, 120))));
        assert_eq!((nap(1, 100), nap(2, 100)), (Some(of(50, 200)), Some(of(50, 300))));
    }

    #[test]
    fn naps_are_short_where_all_have_hops_before_them() {
        let mut core = crowded(2, 20).cores.swap_remove(0).core;
        let now_ms = core.time.unix_ms();
        (0..20).for_each(|_| core.crowd.add_stage(now_ms));
        let timeout = Duration::from_micros(20);
        assert_eq!(core.nap(), Some(Nap { completions: 5, timeout }));
    }

    #[test]
    fn nobody_naps_while_a_transaction_holds_keys_here() {
        let mut server = crowded(2, 10);
        let mover = server.connect(1);
        let keys = ["k0", "k1", "k2", "k3", "k4", "k5"];
        let shard = |key: &&&str| spec::shard_of_slot(spec::slot_of(key.as_bytes()), 2);
        let here = keys.iter().find(|key| shard(key) == 0).expect("six keys on two shards");
        let there = keys.iter().find(|key| shard(key) == 1).expect("six keys on two shards");
        server.give(mover, format!("RENAME {here} {there}\r\n").as_bytes());
        let mut held = false;
        for turn in 1..12 {
            server.tick(turn % 2);
            let core = &mut server.cores[0].core;
            let is_idle = core.shard.holds.is_idle();
            assert_eq!(core.nap().is_some(), is_idle, "turn {turn}");
            held |= !is_idle;
        }
        assert!(held && server.cores[0].core.shard.holds.is_idle());
        assert_eq!(server.take(mover), b"-ERR no such key\r\n");
    }

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
