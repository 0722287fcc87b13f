//! What a keyspace counts for `INFO`.

/// Counters since start or since `CONFIG RESETSTAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that expired, found by chance or by search.
    pub expired: u64,
    /// Slices of active expiry that gave up for lack of budget while there was more to do.
    pub expire_slices_unfinished: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// Share of keys past their moment among those that active expiry looked at, in parts per
    /// million, as a running average.
    pub stale_ppm: u64,
}

impl Stats {
    /// The sums of both, for a server of several shards; the stale share is the larger one.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            expired: self.expired + other.expired,
            expire_slices_unfinished: self.expire_slices_unfinished
                + other.expire_slices_unfinished,
            evicted: self.evicted + other.evicted,
            stale_ppm: self.stale_ppm.max(other.stale_ppm),
        }
    }
}
