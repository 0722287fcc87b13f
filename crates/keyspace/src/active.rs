//! Active expiry: removing keys that are past their moment although nobody asks for them.
//!
//! A *cycle* goes once over the databases that have expiring keys. In each it takes *slices*: looks
//! at a few expiring records (20 at effort 1, 65 at effort 10), in the order of the table and going
//! on where it left off, and removes those that are past their moment. While more than a tenth of
//! those looked at were, it takes another slice of the same database; then it goes on to the next.
//! These figures are Redis' (expire.c); walking in order instead of sampling means that every
//! expiring key is looked at again and again, and that nothing is looked at twice in one round.
//!
//! There is no clock here: the server takes slice after slice until its budget of time is used up
//! or there is no `more`, and calls again in the next cycle.

use table::Hash;

use crate::access::is_past;
use crate::{Effects, ExpiryMode, Keyspace};

/// Expiring records looked at in a slice, at effort 1 (`ACTIVE_EXPIRE_CYCLE_KEYS_PER_LOOP`).
const RECORDS_A_SLICE: usize = 20;

/// Past this share of records past their moment, in percent, a database is searched on, at effort 1
/// (`ACTIVE_EXPIRE_CYCLE_ACCEPTABLE_STALE`).
const STALE_PERCENT_ACCEPTED: usize = 10;

/// Buckets looked at to find the records of a slice: expiring records may be sparse.
const BUCKETS_A_RECORD: usize = 4;

/// What a slice did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpirySlice {
    /// Expiring records looked at.
    pub looked: usize,
    /// Of these, removed.
    pub expired: usize,
    /// Whether the cycle is not over: call again if there is time.
    pub more: bool,
}

/// Where active expiry is.
#[derive(Default)]
pub(crate) struct ActiveExpiry {
    /// The database of the next slice.
    db: usize,
    /// Databases still to be gone over in this cycle; 0 between cycles.
    dbs_left: usize,
    /// Keys found in a slice, to be removed after it.
    found: FoundKeys,
}

impl ActiveExpiry {
    /// The buffer of found keys, empty.
    pub(crate) fn lend_found(&mut self) -> FoundKeys {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        found
    }

    /// Keeps the buffer for the next time.
    pub(crate) fn take_back(&mut self, found: FoundKeys) {
        self.found = found;
    }
}

/// Keys with their hashes, copied out of a table.
#[derive(Default)]
pub(crate) struct FoundKeys {
    bytes: Vec<u8>,
    /// Hash of each key, and where it ends.
    keys: Vec<(Hash, usize)>,
}

impl FoundKeys {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
    }

    pub(crate) fn push(&mut self, hash: Hash, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.keys.push((hash, self.bytes.len()));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Hash, &[u8])> {
        let mut start = 0;
        self.keys.iter().map(move |&(hash, end)| {
            let key = &self.bytes[start..end];
            start = end;
            (hash, key)
        })
    }
}

impl Keyspace {
    /// Takes one slice of active expiry at `now_ms`. Removes 20 to 65 keys at most, plus what
    /// shares their buckets: some 10 us.
    ///
    /// Removals go to `effects` as they do when a key is met by chance.
    pub fn expire_slice(&mut self, now_ms: i64, effects: &mut Effects) -> ExpirySlice {
        if !self.settings.active_expire || self.settings.expiry != ExpiryMode::Delete {
            return ExpirySlice::default();
        }
        if self.active.dbs_left == 0 {
            self.active.dbs_left = self.databases.len();
        }
        let effort = self.settings.expire_effort.clamp(1, 10) as usize - 1;
        let records = RECORDS_A_SLICE + RECORDS_A_SLICE / 4 * effort;
        while self.active.dbs_left > 0 {
            let db = self.active.db % self.databases.len();
            let (looked, expired) = self.expire_in(db, records, now_ms, effects);
            let stays = expired * 100 > looked * (STALE_PERCENT_ACCEPTED - effort);
            if !stays {
                self.active.db = (db + 1) % self.databases.len();
                self.active.dbs_left -= 1;
            }
            if looked > 0 {
                return ExpirySlice { looked, expired, more: self.active.dbs_left > 0 };
            }
        }
        ExpirySlice::default()
    }

    /// Ends a cycle whose time is used up. Counted where there was more to do.
    pub const fn end_expire_cycle(&mut self, last: ExpirySlice) {
        if last.more {
            self.stats.expire_slices_unfinished += 1;
        }
    }

    /// Looks at about `records` expiring records of one database. Returns how many it saw and how
    /// many of these it removed.
    fn expire_in(
        &mut self,
        db: usize,
        records: usize,
        now_ms: i64,
        effects: &mut Effects,
    ) -> (usize, usize) {
        let mut found = self.active.lend_found();
        let hasher = self.hasher;
        let (mut looked, mut alive, mut ttl_ms_sum) = (0_usize, 0_i64, 0_i64);
        let Some(database) = self.database_mut(db).filter(|it| it.table.expiring_len() > 0) else {
            self.active.take_back(found);
            return (0, 0);
        };
        let mut position = database.expire_position;
        // the end of the table may come before the slice is full: go on at its beginning, once
        for _ in 0..2 {
            let buckets = (records - looked.min(records)) * BUCKETS_A_RECORD;
            position = database.table.scan_expiring(position, buckets.max(1), |record| {
                looked += 1;
                let expiry = record.expiry();
                if is_past(expiry, now_ms) {
                    found.push(hasher.hash(record.key()), record.key());
                } else if let Some(at_ms) = expiry {
                    alive += 1;
                    ttl_ms_sum = ttl_ms_sum.saturating_add(at_ms.saturating_sub(now_ms));
                }
            });
            if position != 0 || looked > 0 {
                break;
            }
        }
        database.expire_position = position;
        if alive > 0 {
            database.sample_ttl(ttl_ms_sum / alive);
        }

        let expired = found.keys.len();
        for (hash, key) in found.iter() {
            if !self.spared.has(hash) {
                self.remove_expired(effects, db, hash, key);
            }
        }
        self.active.take_back(found);
        self.sample_stale(looked, expired);
        (looked, expired)
    }

    /// The running average of the share of stale keys: 5 % of the new, 95 of the old, as Redis.
    const fn sample_stale(&mut self, looked: usize, expired: usize) {
        if looked > 0 {
            let ppm = expired as u64 * 1_000_000 / looked as u64;
            self.stats.stale_ppm = (self.stats.stale_ppm * 95 + ppm * 5) / 100;
        }
    }
}
