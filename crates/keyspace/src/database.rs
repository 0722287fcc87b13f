//! One database of a shard: a table and what `INFO keyspace` says about it.

use datatypes::Object;
use table::{Hasher, Table};

/// A database. It exists from its first key until it is flushed or swapped away.
pub struct Database {
    /// Its keys.
    pub(crate) table: Box<Table<Object>>,
    /// Running average of the time that expiring keys have left, ms; 0 before the first estimate.
    pub(crate) ttl_ms_average: i64,
    /// Where active expiry goes on, a position of the table.
    pub(crate) expire_position: u64,
}

/// What `INFO keyspace` says of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Keys, those past their moment that are not gone yet included.
    pub keys: u64,
    /// Keys that expire.
    pub expires: u64,
    /// Their average time left, ms, estimated.
    pub ttl_ms_average: u64,
    /// Bytes of the table with its records, without what objects own.
    pub bytes: u64,
}

impl Database {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self { table: Box::new(Table::new(hasher)), ttl_ms_average: 0, expire_position: 0 }
    }

    /// Its keys: for prefetching, and for the walks of snapshots.
    #[must_use]
    pub fn table(&self) -> &Table<Object> {
        &self.table
    }

    /// Its keys, for the walks and the upkeep of the table. Whoever changes records through this
    /// emits no effects.
    pub fn table_mut(&mut self) -> &mut Table<Object> {
        &mut self.table
    }

    /// What `INFO keyspace` says.
    #[must_use]
    pub fn stats(&self) -> DatabaseStats {
        DatabaseStats {
            keys: self.table.len() as u64,
            expires: self.table.expiring_len() as u64,
            ttl_ms_average: self.ttl_ms_average.max(0).unsigned_abs(),
            bytes: self.table.bytes_used() as u64,
        }
    }

    /// Takes one more sample of the average time left into account: as Redis, 2 % of the new and 98
    /// of the old.
    pub(crate) fn sample_ttl(&mut self, ttl_ms_sample: i64) {
        self.ttl_ms_average = if self.ttl_ms_average == 0 {
            ttl_ms_sample
        } else {
            self.ttl_ms_average / 50 * 49 + ttl_ms_sample / 50
        };
    }
}

impl DatabaseStats {
    /// The sums of both, for a server of several shards; the average is weighted by keys.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let expires = self.expires + other.expires;
        let weight = |it: Self| u128::from(it.ttl_ms_average) * u128::from(it.expires);
        let average = (weight(self) + weight(other)) / u128::from(expires.max(1));
        Self {
            keys: self.keys + other.keys,
            expires,
            ttl_ms_average: u64::try_from(average).unwrap_or(u64::MAX),
            bytes: self.bytes + other.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseStats;

    #[test]
    fn averages_are_weighted() {
        let some = DatabaseStats { keys: 4, expires: 1, ttl_ms_average: 100, bytes: 10 };
        let more = DatabaseStats { keys: 4, expires: 3, ttl_ms_average: 500, bytes: 20 };
        let both = DatabaseStats { keys: 8, expires: 4, ttl_ms_average: 400, bytes: 30 };
        assert_eq!(some.with(more), both);
        assert_eq!(DatabaseStats::default().with(DatabaseStats::default()).ttl_ms_average, 0);
    }
}
