//! The databases of a shard, and what they share.

use std::mem;

use table::{Hash, Hasher};

use crate::active::ActiveExpiry;
use crate::evict::Pool;
use crate::spared::Spared;
use crate::walk::Walks;
use crate::{
    AccessClock, Database, DatabaseChange, DatabaseStats, Doomed, Effects, ExpiryMode, Random,
    Settings, Stats,
};

/// All keys of a shard. See the crate's essay.
pub struct Keyspace {
    /// One place a database; `None` while it has had no key since the last flush.
    pub(crate) databases: Box<[Option<Box<Database>>]>,
    /// The hash function of all tables of the server.
    pub(crate) hasher: Hasher,
    pub(crate) settings: Settings,
    /// Follows `settings` and the time of the tick.
    pub(crate) clock: AccessClock,
    pub(crate) stats: Stats,
    pub(crate) doomed: Doomed,
    /// The walk under way.
    pub(crate) walks: Walks,
    pub(crate) pool: Pool,
    pub(crate) active: ActiveExpiry,
    pub(crate) spared: Spared,
    /// Chance for sampling, RANDOMKEY and the LFU counter.
    pub(crate) random: Random,
    /// Unix milliseconds of the current tick.
    pub(crate) now_ms: i64,
}

/// A flush that is to free before its reply frees this much: 16 units are 1024 records or 8 MiB,
/// at most 1 ms.
const FLUSH_SYNC_UNITS_MAX: usize = 16;

impl Keyspace {
    /// An empty keyspace of `databases` databases (at least one).
    #[must_use]
    pub fn new(databases: usize, hasher: Hasher, settings: Settings) -> Self {
        Self {
            databases: (0..databases.max(1)).map(|_| None).collect(),
            hasher,
            settings,
            clock: AccessClock::new(&settings, 0),
            stats: Stats::default(),
            doomed: Doomed::default(),
            walks: Walks::default(),
            pool: Pool::default(),
            active: ActiveExpiry::default(),
            spared: Spared::default(),
            random: Random::new(hasher.hash(b"random").to_bits()),
            now_ms: 0,
        }
    }

    /// Makes chance follow from `seed`, instead of from the hasher alone: shards share a hasher.
    pub fn seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// A random number.
    pub const fn random(&mut self) -> u64 {
        self.random.next()
    }

    /// Begins a tick: moves the clock of accesses to `now_ms`. Once a tick is enough.
    pub fn tick(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.clock = AccessClock::new(&self.settings, now_ms);
    }

    /// What the configuration says.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes what the configuration says, from now on.
    pub fn configure(&mut self, settings: Settings) {
        if settings.eviction != self.settings.eviction {
            // the candidates were ranked by another measure
            self.pool.clear();
        }
        self.settings = settings;
        self.clock = AccessClock::new(&settings, self.now_ms);
    }

    /// Changes what becomes of keys past their moment.
    pub const fn set_expiry(&mut self, mode: ExpiryMode) {
        self.settings.expiry = mode;
    }

    /// The moment as access bits say it.
    #[must_use]
    pub const fn clock(&self) -> AccessClock {
        self.clock
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Counts the reads that another keyspace has counted, in which a command ran instead of in
    /// this one; they are taken from it.
    pub fn take_stats_over(&mut self, other: &mut Self) {
        self.stats.hits += mem::take(&mut other.stats.hits);
        self.stats.misses += mem::take(&mut other.stats.misses);
    }

    /// Sets all counters back (`CONFIG RESETSTAT`).
    pub fn reset_stats(&mut self) {
        self.stats = Stats::default();
        self.doomed.reset_freed();
    }

    /// Values that are being freed in slices.
    #[must_use]
    pub const fn doomed(&self) -> &Doomed {
        &self.doomed
    }

    /// Values that are being freed in slices: the server calls `free_slice` on it.
    pub const fn doomed_mut(&mut self) -> &mut Doomed {
        &mut self.doomed
    }

    /// How many databases there are.
    #[must_use]
    pub const fn database_count(&self) -> usize {
        self.databases.len()
    }

    /// The hash of `key`, in every table of the server.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> Hash {
        self.hasher.hash(key)
    }

    /// The hash function of every table of the server, and of what is inside of large values.
    #[must_use]
    pub const fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// First stage of a batch of lookups: asks for the cache line of the key's bucket.
    #[inline]
    pub fn prefetch(&self, db: usize, hash: Hash) {
        if let Some(database) = self.database(db) {
            database.table.prefetch(hash);
        }
    }

    /// Second stage, some lookups later: asks for the cache line of the key's record.
    #[inline]
    pub fn prefetch_record(&self, db: usize, hash: Hash) {
        if let Some(database) = self.database(db) {
            database.table.prefetch_record(hash);
        }
    }

    /// The database, if it has had a key since the last flush.
    #[inline]
    #[must_use]
    pub fn database(&self, db: usize) -> Option<&Database> {
        self.databases.get(db)?.as_deref()
    }

    /// The database, for walks and upkeep.
    #[inline]
    pub fn database_mut(&mut self, db: usize) -> Option<&mut Database> {
        self.databases.get_mut(db)?.as_deref_mut()
    }

    /// The database, made if it is not there. `db` must be below `database_count`.
    #[inline]
    pub(crate) fn open(&mut self, db: usize) -> &mut Database {
        let hasher = self.hasher;
        self.databases[db].get_or_insert_with(|| Box::new(Database::new(hasher)))
    }

    /// The number of keys in a database, those past their moment included (`DBSIZE`).
    #[must_use]
    pub fn key_count(&self, db: usize) -> usize {
        self.database(db).map_or(0, |it| it.table.len())
    }

    /// What `INFO keyspace` says: every database that has keys, by number.
    pub fn database_stats(&self) -> impl Iterator<Item = (usize, DatabaseStats)> {
        let databases = self.databases.iter().enumerate();
        databases
            .filter_map(|(db, it)| it.as_deref().map(|it| (db, it.stats())))
            .filter(|(_, stats)| stats.keys > 0)
    }

    /// Bytes of all tables and records, without what objects own: see the crate's essay.
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        self.databases.iter().flatten().map(|it| it.table.bytes_used()).sum()
    }

    /// Of [`Keyspace::bytes_used`], what does not come from the global allocator.
    #[must_use]
    pub fn bytes_mapped(&self) -> usize {
        self.databases.iter().flatten().map(|it| it.table.bytes_mapped()).sum()
    }

    /// Bytes that the tables hold from the system, in use or not, without what objects own.
    #[must_use]
    pub fn bytes_reserved(&self) -> usize {
        self.databases.iter().flatten().map(|it| it.table.bytes_reserved()).sum()
    }

    /// Empties a database. Returns how many keys it had. O(1): its memory is freed in slices, once
    /// a walk that is under way has passed.
    pub fn flush(&mut self, db: usize, effects: &mut Effects) -> usize {
        let taken = self.databases.get_mut(db).and_then(Option::take);
        let Some(database) = taken else { return 0 };
        effects.database(DatabaseChange::Flushed(db));
        let keys = database.table.len();
        if let Some(table) = self.walks.unhook(db, database.table) {
            self.doomed.push_table(table);
        }
        self.pool.clear();
        keys
    }

    /// Frees what was deleted, before a flush that is to wait for that replies: a small keyspace
    /// wholly, a part of a large one, so that the core thread does not stall. Called once for all
    /// databases that were emptied.
    pub fn free_flushed(&mut self) {
        self.doomed.free_slice(FLUSH_SYNC_UNITS_MAX);
    }

    /// Exchanges two databases; both below `database_count`. O(1).
    pub fn swap(&mut self, first: usize, second: usize, effects: &mut Effects) {
        if first != second {
            let [one, other] = self
                .databases
                .get_disjoint_mut([first, second])
                .expect("the caller checked both numbers");
            mem::swap(one, other);
            self.walks.swap(first, second);
            self.pool.clear();
        }
        effects.database(DatabaseChange::Swapped(first, second));
    }

    /// A slice of the tables' upkeep, which gives memory back after deletes: moves up to about
    /// `records` records, of one database after the other. True while there is more to do now.
    pub fn maintain(&mut self, records: usize) -> bool {
        self.databases.iter_mut().flatten().any(|it| it.table.maintain(records))
    }
}
