//! Whether naps do a core thread's clients any good.
//!
//! A nap makes everybody wait so that the thread wakes less often. That is right where CPU time is
//! what lacks, and wrong where requests come whenever they come: those only wait. From the thread's
//! own idle time the two cannot be told, since naps themselves make idle time. So a thread that has
//! a crowd tries: for some windows it naps in every second one, and compares.
//!
//! - It was busy nearly all the time in the windows without naps: whatever naps save is needed.
//! - More requests came in the windows with naps. Clients that ask again when they were answered
//!   ask more often only if they wait less: with a fixed number of them, the mean time between two
//!   requests of one is their number over the rate. So naps shortened what they wait for, as where
//!   core threads and clients share CPUs. Clients that ask at moments of their own come as often as
//!   before, and who is served well by one wake-up each comes less often.
//!
//! Then it naps for a while, otherwise it does not, and after that it tries again. A trial is
//! short: half of it is time in which clients who gain nothing wait for nothing.
//!
//! Busy is the scheduler's word (`/proc/thread-self/schedstat`): the thread ran, or waited in a run
//! queue because somebody else had its CPU. The half of a request's cost that is in falling asleep
//! and waking up does not show between ticks. Where there is no such file only the rate counts.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// One window, with naps or without.
const WINDOW_NS: u64 = 5_000_000;

/// A window that took so much longer tells nothing: the crowd was gone meanwhile.
const WINDOW_NS_MAX: u64 = 4 * WINDOW_NS;

/// How many pairs of windows a trial has: at least so many before naps are given up, or taken up
/// for the requests they brought, and at most.
const PAIRS_MIN: u32 = 6;
const PAIRS_MAX: u32 = 24;

/// The share of the windows without naps, in percent, from which on a thread is busy nearly all the
/// time. Requests at moments of their own that keep Redis busy for 60 of 100 are below; a closed
/// loop that fills a CPU of its own brings the thread to 80 and more.
const BUSY_PERCENT: u64 = 75;

/// How much more must come with naps, in percent, and how little makes further windows pointless.
const GAIN_PERCENT: i64 = 6;
const GAIN_PERCENT_HOPELESS: i64 = 3;

/// How long a trial's outcome holds.
const NAPS_NS: u64 = 1_000_000_000;
const NO_NAPS_NS: u64 = 2_000_000_000;

/// What was counted up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) now_ns: u64,
    /// Pieces of input that came from clients.
    pub(crate) inputs: u64,
    /// For how long the thread ran or waited for a CPU; 0 where that is not known.
    pub(crate) runnable_ns: u64,
}

/// The scheduler's account of a thread.
pub(crate) struct Account(Option<File>);

impl Account {
    /// Of the calling thread.
    pub(crate) fn of_this_thread() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// Nanoseconds for which it ran or waited for a CPU; 0: not known.
    pub(crate) fn runnable_ns(&self) -> u64 {
        let mut text = [0; 64];
        let read = self.0.as_ref().and_then(|file| file.read_at(&mut text, 0).ok());
        read.and_then(|length| parse(&text[..length])).unwrap_or_default()
    }
}

/// Of `<ran> <waited> <times>`, nanoseconds but for the last, the first two together.
fn parse(text: &[u8]) -> Option<u64> {
    let mut fields = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

/// Whether a thread may nap, from what it saw of itself.
#[derive(Default)]
pub(crate) struct Pressure {
    /// The outcome of the last trial, and until when it holds.
    naps: bool,
    until_ns: u64,
    trial: Option<Trial>,
}

impl Pressure {
    /// Whether to nap now, if a crowd is there. `read` is called once a window.
    pub(crate) fn naps(&mut self, now_ns: u64, read: impl FnOnce() -> Reading) -> bool {
        let Some(trial) = &mut self.trial else {
            if now_ns >= self.until_ns {
                self.trial = Some(Trial::begin(read()));
                return false;
            }
            return self.naps;
        };
        let window_ns = now_ns.saturating_sub(trial.begin.now_ns);
        if window_ns < WINDOW_NS {
            return trial.napping;
        }
        let now = read();
        if window_ns > WINDOW_NS_MAX {
            *trial = Trial::begin(now);
            return false;
        }
        trial.end_window(now);
        let Some(naps) = trial.outcome() else { return trial.napping };
        self.trial = None;
        self.naps = naps;
        self.until_ns = now_ns + if naps { NAPS_NS } else { NO_NAPS_NS };
        naps
    }
}

/// Windows without naps and with naps, by turns.
struct Trial {
    plain: Sum,
    naps: Sum,
    pairs: u32,
    /// The window under way: where it began, and whether it has naps.
    begin: Reading,
    napping: bool,
}

/// What several windows had together.
#[derive(Clone, Copy, Default)]
struct Sum {
    ns: u64,
    inputs: u64,
    runnable_ns: u64,
}

impl Sum {
    fn add(&mut self, begin: Reading, end: Reading) {
        self.ns += end.now_ns.saturating_sub(begin.now_ns);
        self.inputs += end.inputs.saturating_sub(begin.inputs);
        self.runnable_ns += end.runnable_ns.saturating_sub(begin.runnable_ns);
    }
}

impl Trial {
    fn begin(now: Reading) -> Self {
        let (plain, naps) = (Sum::default(), Sum::default());
        Self { plain, naps, pairs: 0, begin: now, napping: false }
    }

    fn end_window(&mut self, now: Reading) {
        let sum = if self.napping { &mut self.naps } else { &mut self.plain };
        sum.add(self.begin, now);
        self.pairs += u32::from(self.napping);
        self.napping = !self.napping;
        self.begin = now;
    }

    /// Whether to nap, if that can be said.
    fn outcome(&self) -> Option<bool> {
        let Self { plain, naps, pairs, napping, .. } = *self;
        if napping || pairs < 2 {
            return None;
        }
        if plain.runnable_ns * 100 >= plain.ns * BUSY_PERCENT {
            return Some(true);
        }
        if pairs < PAIRS_MIN {
            return None;
        }
        // As many as in the windows with naps, had they come as in those without.
        let expected = plain.inputs as i64 * naps.ns as i64 / plain.ns.max(1) as i64;
        let gain = naps.inputs as i64 - expected;
        // Both are random, with variances of about themselves: three deviations are no accident.
        let is_certain = gain * gain >= 9 * (naps.inputs as i64 + expected);
        if is_certain && gain * 100 >= expected * GAIN_PERCENT {
            return Some(true);
        }
        let is_hopeless = gain * 100 < expected * GAIN_PERCENT_HOPELESS;
        (is_hopeless || pairs == PAIRS_MAX).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::{NAPS_NS, NO_NAPS_NS, PAIRS_MAX, Pressure, Reading, WINDOW_NS, parse};

    /// A thread whose clients send so many inputs a second without naps and with naps, and which
    /// could run for so many percent of the time without naps.
    struct Thread {
        plain: u64,
        napping: u64,
        busy_percent: u64,
        now: Reading,
        pressure: Pressure,
        /// Nanoseconds with naps.
        napped_ns: u64,
    }

    impl Thread {
        fn new(plain: u64, napping: u64, busy_percent: u64) -> Self {
            let now = Reading { now_ns: 1, ..Reading::default() };
            let pressure = Pressure::default();
            Self { plain, napping, busy_percent, now, pressure, napped_ns: 0 }
        }

        /// Rests every 100 us for so long; whether it naps at the end.
        fn rest_for(&mut self, ns: u64) -> bool {
            const STEP_NS: u64 = 100_000;
            let mut naps = false;
            for _ in 0..ns / STEP_NS {
                let now = self.now;
                naps = self.pressure.naps(now.now_ns, || now);
                let per_second = if naps { self.napping } else { self.plain };
                self.now.now_ns += STEP_NS;
                self.now.inputs += per_second / 10_000;
                self.now.runnable_ns += if naps { 0 } else { STEP_NS / 100 * self.busy_percent };
                self.napped_ns += if naps { STEP_NS } else { 0 };
            }
            naps
        }
    }

    const TRIAL_NS_MAX: u64 = 2 * WINDOW_NS * (PAIRS_MAX as u64 + 1);

    #[test]
    fn who_is_busy_nearly_all_the_time_naps() {
        assert!(Thread::new(100_000, 100_000, 80).rest_for(TRIAL_NS_MAX));
        assert!(!Thread::new(100_000, 100_000, 60).rest_for(TRIAL_NS_MAX));
    }

    #[test]
    fn naps_that_bring_more_requests_are_kept() {
        assert!(Thread::new(20_000, 30_000, 30).rest_for(TRIAL_NS_MAX));
        assert!(!Thread::new(30_000, 20_000, 30).rest_for(TRIAL_NS_MAX), "they bring less");
        assert!(!Thread::new(200_000, 210_000, 0).rest_for(TRIAL_NS_MAX), "little, though certain");
    }

    #[test]
    fn few_requests_prove_nothing() {
        // 1,320 instead of 1,200 in all windows of a trial: it may be an accident.
        let mut few = Thread::new(10_000, 11_000, 30);
        assert!(!few.rest_for(TRIAL_NS_MAX));
        // Ten times as many are none.
        assert!(Thread::new(100_000, 110_000, 30).rest_for(TRIAL_NS_MAX));
    }

    #[test]
    fn who_gains_nothing_hardly_naps() {
        let mut thread = Thread::new(30_000, 30_000, 50);
        thread.rest_for(10 * NO_NAPS_NS);
        let percent = thread.napped_ns * 100 / (10 * NO_NAPS_NS);
        assert!(percent <= 2, "{percent} of 100");
    }

    #[test]
    fn a_change_is_noticed() {
        let mut thread = Thread::new(30_000, 30_000, 50);
        assert!(!thread.rest_for(NO_NAPS_NS));
        thread.busy_percent = 90;
        assert!(thread.rest_for(NO_NAPS_NS + TRIAL_NS_MAX));
        thread.busy_percent = 50;
        assert!(!thread.rest_for(NAPS_NS + TRIAL_NS_MAX));
    }

    #[test]
    fn a_pause_tells_nothing() {
        let mut thread = Thread::new(30_000, 30_000, 90);
        for _ in 0..20 {
            thread.rest_for(2 * WINDOW_NS);
            // The crowd is gone, and comes back: the window has no more than its beginning.
            thread.now.now_ns += 100 * WINDOW_NS;
        }
        assert!(thread.napped_ns <= 20 * WINDOW_NS);
        assert!(thread.rest_for(TRIAL_NS_MAX));
    }

    #[test]
    fn an_account_is_what_ran_and_what_waited() {
        assert_eq!(parse(b"120 30 7\n"), Some(150));
        assert_eq!(parse(b"120"), None);
        assert_eq!(parse(b"a b c"), None);
    }
}
