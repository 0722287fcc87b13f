//! When to fsync: `appendfsync` as a small state machine.
//!
//! | policy | an fsync is due | replies wait for |
//! | --- | --- | --- |
//! | always | whenever something written is unsynced | the fsync |
//! | everysec | a second after the last began, if something is unsynced | the write |
//! | no | never (the kernel writes back when it likes) | the write |
//!
//! At most one is in flight. Unlike Redis, a write does not wait for an fsync under way: it is
//! not this thread that would block in it.

/// `appendfsync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// A reply leaves only after its records are on disk.
    Always,
    /// About a second of acknowledged writes can be lost with the machine's power.
    EverySecond,
    /// The operating system decides.
    No,
}

/// Redis' own interval for `everysec`, and its name.
const INTERVAL_MS: u64 = 1000;

/// How long an fsync may take before writes that overtake it are counted as delayed: Redis
/// postpones its write for two seconds, then counts (flushAppendOnlyFile in aof.c).
const DELAYED_MS: u64 = 2000;

/// Decides about fsyncs of one segment.
#[derive(Debug)]
pub(crate) struct SyncSchedule {
    policy: FsyncPolicy,
    synced: u64,
    /// When the last fsync began.
    last_ms: u64,
    /// Whether one is in flight.
    in_flight: bool,
    /// Whether one is wanted whatever the policy.
    forced: bool,
    delayed: u64,
}

impl SyncSchedule {
    pub(crate) fn new(policy: FsyncPolicy, synced: u64, now_ms: u64) -> Self {
        Self { policy, synced, last_ms: now_ms, in_flight: false, forced: false, delayed: 0 }
    }

    pub(crate) fn poll(&mut self, written: u64, now_ms: u64) -> Option<u64> {
        if self.in_flight {
            return None;
        }
        if written == self.synced {
            self.forced = false;
            return None;
        }
        let due = match self.policy {
            FsyncPolicy::Always => true,
            FsyncPolicy::EverySecond => now_ms >= self.last_ms.saturating_add(INTERVAL_MS),
            FsyncPolicy::No => false,
        };
        if !due && !self.forced {
            return None;
        }
        self.in_flight = true;
        self.last_ms = now_ms;
        Some(written)
    }

    pub(crate) fn handle_synced(&mut self, position: u64) {
        self.in_flight = false;
        self.synced = self.synced.max(position);
    }

    pub(crate) fn handle_failed(&mut self) {
        self.in_flight = false;
    }

    pub(crate) fn force(&mut self) {
        self.forced = true;
    }

    pub(crate) fn set_policy(&mut self, policy: FsyncPolicy) {
        self.policy = policy;
    }

    /// A batch goes out at `now_ms`.
    pub(crate) fn count_write(&mut self, now_ms: u64) {
        let late = now_ms >= self.last_ms.saturating_add(DELAYED_MS);
        self.delayed += u64::from(self.in_flight && late);
    }

    pub(crate) fn next_wake_ms(&self, written: u64) -> Option<u64> {
        if self.in_flight || written == self.synced {
            return None;
        }
        match self.policy {
            _ if self.forced => Some(self.last_ms),
            FsyncPolicy::Always => Some(self.last_ms),
            FsyncPolicy::EverySecond => Some(self.last_ms.saturating_add(INTERVAL_MS)),
            FsyncPolicy::No => None,
        }
    }

    pub(crate) fn policy(&self) -> FsyncPolicy {
        self.policy
    }

    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    pub(crate) fn is_syncing(&self) -> bool {
        self.in_flight
    }

    pub(crate) fn delayed_count(&self) -> u64 {
        self.delayed
    }
}
