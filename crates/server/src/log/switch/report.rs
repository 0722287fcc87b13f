//! What INFO persistence says of the log being turned on: what Redis says of a rewrite.

use std::time::Instant;

/// What INFO says of the log being turned on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SwitchReport {
    /// Since when it is under way.
    began: Option<Instant>,
    /// How often it was begun.
    pub(crate) begun: u64,
    /// How often it failed since it last succeeded.
    pub(crate) failures: u64,
    /// How many seconds it took when it was last completed or failed.
    pub(crate) last_seconds: Option<u64>,
}

impl SwitchReport {
    /// It begins.
    pub(super) fn begin(&mut self) {
        self.began = Some(Instant::now());
        self.begun += 1;
    }

    /// It has come to an end.
    pub(super) fn end(&mut self, succeeded: bool) {
        self.last_seconds = self.current_seconds();
        self.began = None;
        self.failures = if succeeded { 0 } else { self.failures + 1 };
    }

    /// It was called off: as in Redis, that is neither a success nor a failure.
    pub(super) fn call_off(&mut self) {
        self.began = None;
    }

    /// For how many seconds it has been under way, if it is.
    pub(crate) fn current_seconds(&self) -> Option<u64> {
        self.began.map(|began| began.elapsed().as_secs())
    }
}
