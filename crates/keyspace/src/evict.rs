//! Eviction: which key goes when memory is short.
//!
//! The ranking is approximate, as in Redis (evict.c): `maxmemory-samples` records of each database
//! are looked at, the worst of all so far are kept in a pool of 16, and the worst of the pool goes.
//! The pool survives from call to call, which makes a sample of 5 nearly as good as a sorted list.
//! A candidate may have been used, changed or deleted since it was ranked: it is ranked again
//! before it goes, and whoever is worse by then goes instead. (Redis does not look again.)
//!
//! ```text
//! policy     rank (the largest goes)              standing (the largest goes, of all shards)
//! *-lru      2^64 less the second of last access  seconds since then, to an eighth
//! *-lfu      255 - frequency, decayed to now      the same
//! *-ttl      2^64 less the moment of expiry       2^64 less the milliseconds left, to an eighth
//! *-random   no ranking and no pool: a record     0
//!            of one database after the other
//! ```
//!
//! A rank stays true while time passes. A standing says how a shard's best candidate compares with
//! that of others; it is coarse, so that shards whose candidates are about as good have the same.
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
    /// Whether samples were offered since a key last went.
    is_sampled: bool,
}

impl Pool {
    pub(crate) fn clear(&mut self) {
        self.candidates.clear();
        self.is_sampled = false;
    }

    /// Keeps a candidate that was in the pool before, by its new rank.
    fn put_back(&mut self, candidate: Candidate) {
        let at = self.candidates.partition_point(|it| it.rank < candidate.rank);
        self.candidates.insert(at, candidate);
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
            while let Some(candidate) = self.take_candidate() {
                let evicted = self.evict(candidate.db, &candidate.key, effects);
                if evicted != Eviction::Nothing {
                    return evicted;
                }
            }
            self.pool.is_sampled = false;
        }
        Eviction::Nothing
    }

    /// How many keys the policy allows to go, whether or not they are spared. O(databases).
    #[must_use]
    pub fn evictable_keys(&self) -> usize {
        let policy = self.settings.eviction;
        if policy == EvictionPolicy::NoEviction {
            return 0;
        }
        let of = |table: &Table<Object>| {
            if policy.is_volatile() { table.expiring_len() } else { table.len() }
        };
        self.databases.iter().flatten().map(|database| of(&database.table)).sum()
    }

    /// The standing of the key that [`Keyspace::evict_one`] would evict next; `None`: it would find
    /// none. With `anew` more records are looked at first, though none has gone since last time.
    pub fn standing(&mut self, anew: bool) -> Option<u64> {
        let policy = self.settings.eviction;
        if matches!(policy, EvictionPolicy::AllkeysRandom | EvictionPolicy::VolatileRandom) {
            return (self.evictable_keys() > 0).then_some(0);
        }
        if policy == EvictionPolicy::NoEviction {
            return None;
        }
        self.pool.is_sampled &= !anew;
        self.sample_candidates();
        let candidate = self.take_candidate()?;
        let standing = standing(candidate.rank, policy, self.now_ms);
        // it is the worst
        self.pool.candidates.push(candidate);
        Some(standing)
    }

    /// Offers samples of every database to the pool, unless it has some since a key last went.
    fn sample_candidates(&mut self) {
        let Self { databases, pool, settings, clock, random, now_ms, .. } = self;
        if std::mem::replace(&mut pool.is_sampled, true) {
            return;
        }
        let volatile = settings.eviction.is_volatile();
        for (db, database) in databases.iter().enumerate() {
            let Some(database) = database.as_deref() else { continue };
            for _ in 0..settings.eviction_samples.max(1) {
                let Some(record) = sample(&database.table, volatile, random) else { break };
                pool.offer(rank(record, settings.eviction, clock, *now_ms), db, record.key());
            }
        }
    }

    /// Takes the worst candidate out of the pool: one that may go, and is as bad as when it was
    /// ranked.
    fn take_candidate(&mut self) -> Option<Candidate> {
        while let Some(mut candidate) = self.pool.candidates.pop() {
            let Some(rank) = self.rank_of(&candidate) else { continue };
            if rank >= candidate.rank {
                return Some(candidate);
            }
            candidate.rank = rank;
            self.pool.put_back(candidate);
        }
        None
    }

    /// What a candidate ranks now; `None`: it may not go, or is not there any more.
    fn rank_of(&self, candidate: &Candidate) -> Option<u64> {
        let hash = self.hasher.hash(&candidate.key);
        let policy = self.settings.eviction;
        let record = self.database(candidate.db)?.table.find(hash, &candidate.key)?;
        let is_kept = policy.is_volatile() && record.expiry().is_none() || self.spared.has(hash);
        (!is_kept).then(|| rank(record, policy, &self.clock, self.now_ms))
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
        self.pool.is_sampled = false;
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
fn rank(
    record: Record<'_, Object>,
    policy: EvictionPolicy,
    clock: &AccessClock,
    now_ms: i64,
) -> u64 {
    match policy {
        EvictionPolicy::VolatileTtl => {
            u64::MAX - record.expiry().map_or(u64::MAX, |at_ms| at_ms.max(0).unsigned_abs())
        }
        _ if policy.is_lfu() => u64::from(u8::MAX - clock.frequency(record.access())),
        _ => {
            let idle = u64::from(clock.idle_seconds(record.access()));
            u64::MAX - seconds(now_ms).saturating_sub(idle)
        }
    }
}

/// How a candidate of this rank compares with those of other keyspaces at `now_ms`.
fn standing(rank: u64, policy: EvictionPolicy, now_ms: i64) -> u64 {
    let moment = u64::MAX - rank;
    match policy {
        EvictionPolicy::VolatileTtl => {
            u64::MAX - coarse(moment.saturating_sub(now_ms.max(0).unsigned_abs()))
        }
        _ if policy.is_lfu() => rank,
        _ => coarse(seconds(now_ms).saturating_sub(moment)),
    }
}

/// Whole seconds of unix time.
fn seconds(now_ms: i64) -> u64 {
    now_ms.max(0).unsigned_abs() / 1000
}

/// `number` rounded down to its four highest bits: by an eighth at most.
const fn coarse(number: u64) -> u64 {
    let bits = (u64::BITS - number.leading_zeros()).saturating_sub(4);
    number >> bits << bits
}

#[cfg(test)]
mod tests {
    use super::{Candidate, POOL_CANDIDATES_MAX, Pool, coarse, standing};
    use crate::EvictionPolicy;

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
    #[test]
    fn what_is_put_back_finds_its_new_place() {
        let mut pool = Pool::default();
        [3_u64, 5, 9].iter().for_each(|rank| pool.offer(*rank, 0, &rank.to_be_bytes()));
        let Candidate { db, key, .. } = pool.candidates.pop().expect("there are three");
        pool.put_back(Candidate { rank: 4, db, key });
        assert_eq!(pool.candidates.iter().map(|it| it.rank).collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn standings_that_are_about_as_good_are_the_same() {
        assert_eq!([0, 1, 15, 16, 17, 18].map(coarse), [0, 1, 15, 16, 16, 18]);
        assert_eq!(coarse(u64::MAX), 0xf << 60);
        for number in 1..5000 {
            assert!(number - coarse(number) <= number / 8, "{number}");
        }
        let now_ms: i64 = 1_700_000_000_000;
        let idle = |seconds: u64| {
            let used_s = now_ms.unsigned_abs() / 1000 - seconds;
            standing(u64::MAX - used_s, EvictionPolicy::AllkeysLru, now_ms)
        };
        assert_eq!([0, 3, 1001].map(idle), [0, 3, 960]);
        let left = |ms: i64| {
            let at_ms = (now_ms + ms).unsigned_abs();
            standing(u64::MAX - at_ms, EvictionPolicy::VolatileTtl, now_ms)
        };
        assert!(left(-5) == left(0) && left(0) > left(10) && left(10) > left(1000));
        assert_eq!(left(1000), left(1001));
        assert_eq!(standing(250, EvictionPolicy::AllkeysLfu, now_ms), 250);
    }
}
