//! How often things happened: a simulator that never meets trouble proves nothing.

use std::fmt;
use std::ops::AddAssign;

/// Counts of one simulation, or of many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Census {
    /// Steps of core threads.
    pub(crate) steps: u64,
    /// Operations answered.
    pub(crate) answers: u64,
    /// Of these: refused, because a log failed.
    pub(crate) refusals: u64,
    /// Of these: EXEC that did not run, because a watched key had changed.
    pub(crate) aborts: u64,
    /// Crashes with operations under way.
    pub(crate) busy_crashes: u64,
    /// Crashes while a server started.
    pub(crate) killed_starts: u64,
    pub(crate) power_losses: u64,
    /// Clients that wait for keys in vain when nothing moves any more.
    pub(crate) waiters: u64,
    /// Waits that ended with a value.
    pub(crate) served: u64,
    /// Keys that expired.
    pub(crate) expired: u64,
    /// Lives in which a log refused writes.
    pub(crate) refusing_lives: u64,
}

impl AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.answers += other.answers;
        self.refusals += other.refusals;
        self.aborts += other.aborts;
        self.busy_crashes += other.busy_crashes;
        self.killed_starts += other.killed_starts;
        self.power_losses += other.power_losses;
        self.waiters += other.waiters;
        self.served += other.served;
        self.expired += other.expired;
        self.refusing_lives += other.refusing_lives;
    }
}

impl fmt::Display for Census {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} steps of core threads, {} answers ({} refused by a failing log, {} EXEC aborted), \
             {} of those that may wait with a \
             value, {} waiting at the end, {} keys expired, {} crashes with work under way, {} while starting, {} losses of power, {} lives with a \
             failing log",
            self.steps,
            self.answers,
            self.refusals,
            self.aborts,
            self.served,
            self.waiters,
            self.expired,
            self.busy_crashes,
            self.killed_starts,
            self.power_losses,
            self.refusing_lives
        )
    }
}
