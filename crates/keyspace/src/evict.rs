//! Eviction: which key goes when memory is short.
//!
//! The ranking is approximate, as in Redis (evict.c): `maxmemory-samples` records of each database
//! are looked at, the worst of all so far are kept in a pool of 16, and the worst of the pool goes.
//! The pool survives from call to call, which makes a sample of 5 nearly as good as a sorted list.
//! A candidate may have been used, changed or deleted since it was ranked: it goes if it exists.
//!
//! ```text
//! policy     rank (the largest goes)
//! *-lru      seconds since the last access
//! *-lfu      255 - frequency, decayed to now
//! *-ttl      how soon it expires
//! *-random   no ranking and no pool: a record of one database after the other
//! ```
//!
//! Which shard evicts, and how much, is the server's to decide; here is the one step.

use table::{Record, Table};

use crate::access::Aftermath;
use crate::{AccessClock, Effects, EvictionPolicy, Keyspace, Random};
use datatypes::Object;

/// Candidates kept (`EVPOOL_SIZE`).
const POOL_CANDIDATES_MAX: usize = 16;

/// Rounds of sampling before giving up on finding a candidate that still exists. Each finds one
/// unless no database has a key that may go.
const ROUNDS_MAX: usize = 8;

/// What one step of eviction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// A key is gone.
    Evicted {
        /// Bytes of its record and of what its object owned. Large objects give theirs back in
        /// slices.
        bytes: usize,
    },
    /// The policy allows no key to go, or there is none.
    Nothing,
}

/// A key that may go.
struct Candidate {
    rank: u64,
    db: usize,
    key: Vec<u8>,
}

/// The worst keys seen.
#[derive(Default)]
pub(crate) struct Pool {
    /// By rank, the worst last; at most 16.
    candidates: Vec<Candidate>,
}

impl Pool {
    pub(crate) fn clear(&mut self) {
        self.candidates.clear();
    }

    /// Keeps the key if it ranks among the worst.
    fn offer(&mut self, rank: u64, db: usize, key: &[u8]) {
        let full = self.candidates.len() == POOL_CANDIDATES_MAX;
        let at = self.candidates.partition_point(|it| it.rank < rank);
        if full && at == 0 {
            return;
        }
        let known = |it: &&Candidate| it.db == db && it.key == key;
        if self.candidates.iter().find(known).is_some() {
            return;
        }
        // the least of a full pool makes room, and lends its buffer
        let (mut buffer, at) =
            if full { (self.candidates.remove(0).key, at - 1) } else { (Vec::new(), at) };
        buffer.clear();
        buffer.extend_from_slice(key);
        self.candidates.insert(at, Candidate { rank, db, key: buffer });
    }
}

impl Keyspace {
    /// Evicts one key of any database by the policy of the settings. O(databases in use * samples).
    /// Needs a recent [`Keyspace::tick`].
    ///
    /// The removal is logged before whatever is running, published as `evicted` and told to
    /// watchers.
    pub fn evict_one(&mut self, effects: &mut Effects) -> Eviction {
        let policy = self.settings.eviction;
        match policy {
            EvictionPolicy::NoEviction => Eviction::Nothing,
            EvictionPolicy::AllkeysRandom | EvictionPolicy::VolatileRandom => {
                self.evict_random(policy.is_volatile(), effects)
            }
            _ => self.evict_worst(effects),
        }
    }

    fn evict_random(&mut self, volatile: bool, effects: &mut Effects) -> Eviction {
        let count = self.databases.len();
        let start = self.random.below(count as u64) as usize;
        for offset in 0..count {
            let db = (start + offset) % count;
            let Self { databases, random, .. } = self;
            let Some(database) = databases[db].as_deref() else { continue };
            let sampled = sample(&database.table, volatile, random);
            if let Some(key) = sampled.map(|record| record.key().to_vec()) {
                let evicted = self.evict(db, &key, effects);
                if evicted != Eviction::Nothing {
                    return evicted;
                }
            }
        }
        Eviction::Nothing
    }

    fn evict_worst(&mut self, effects: &mut Effects) -> Eviction {
        for _ in 0..ROUNDS_MAX {
            self.sample_candidates();
            while let Some(candidate) = self.pool.candidates.pop() {
                let evicted = self.evict(candidate.db, &candidate.key, effects);
                if evicted != Eviction::Nothing {
                    return evicted;
                }
            }
        }
        Eviction::Nothing
    }

    /// Offers samples of every database to the pool.
    fn sample_candidates(&mut self) {
        let Self { databases, pool, settings, clock, random, .. } = self;
        let volatile = settings.eviction.is_volatile();
        for (db, database) in databases.iter().enumerate() {
            let Some(database) = database.as_deref() else { continue };
            for _ in 0..settings.eviction_samples.max(1) {
                let Some(record) = sample(&database.table, volatile, random) else { break };
                pool.offer(rank(record, settings.eviction, clock), db, record.key());
            }
        }
    }

    fn evict(&mut self, db: usize, key: &[u8], effects: &mut Effects) -> Eviction {
        let hash = self.hasher.hash(key);
        if self.spared.has(hash) {
            return Eviction::Nothing;
        }
        let volatile = self.settings.eviction.is_volatile();
        let Some(database) = self.database_mut(db) else { return Eviction::Nothing };
        let Some(record) = database.table.find_mut(hash, key) else { return Eviction::Nothing };
        if volatile && record.expiry().is_none() {
            // it was made persistent since it was ranked
            return Eviction::Nothing;
        }
        let record_bytes = record.bytes();
        let object = record.remove().object;
        let bytes = record_bytes + object.as_ref().map_or(0, Object::heap_bytes);
        let lazy = self.settings.lazy_free.eviction;
        let mut aftermath = Aftermath { stats: &mut self.stats, doomed: &mut self.doomed, lazy };
        aftermath.evicted(object, effects, db, key);
        Eviction::Evicted { bytes }
    }
}

fn sample<'t>(
    table: &'t Table<Object>,
    volatile: bool,
    random: &mut Random,
) -> Option<Record<'t, Object>> {
    if volatile { table.sample_expiring(random.next()) } else { table.sample(random.next()) }
}

/// How much a record deserves to go.
fn rank(record: Record<'_, Object>, policy: EvictionPolicy, clock: &AccessClock) -> u64 {
    match policy {
        EvictionPolicy::VolatileTtl => {
            u64::MAX - record.expiry().map_or(u64::MAX, |at_ms| at_ms.max(0).unsigned_abs())
        }
        _ if policy.is_lfu() => u64::from(u8::MAX - clock.frequency(record.access())),
        _ => u64::from(clock.idle_seconds(record.access())),
    }
}

#[cfg(test)]
mod tests {
    use super::{POOL_CANDIDATES_MAX, Pool};

    #[test]
    fn the_pool_keeps_the_worst_in_order() {
        let mut pool = Pool::default();
        for rank in [5_u64, 1, 9, 3, 7, 9] {
            pool.offer(rank, 0, &rank.to_be_bytes());
        }
        let ranks = |pool: &Pool| pool.candidates.iter().map(|it| it.rank).collect::<Vec<_>>();
        assert_eq!(ranks(&pool), [1, 3, 5, 7, 9], "the same key is kept once");
        for rank in 10..30_u64 {
            pool.offer(rank, 1, &rank.to_be_bytes());
        }
        assert_eq!(pool.candidates.len(), POOL_CANDIDATES_MAX);
        assert_eq!(ranks(&pool), (14..30).collect::<Vec<_>>());
        pool.offer(2, 0, b"low");
        assert_eq!(ranks(&pool), (14..30).collect::<Vec<_>>());
    }
}
