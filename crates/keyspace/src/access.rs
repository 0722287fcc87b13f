//! Finding, setting and removing keys.
//!
//! A key that is past its moment is as good as gone. Whoever meets it first removes it: that is
//! counted, logged as DEL before whatever is running, published as `expired`, and told to watchers.
//! So no command ever sees one, and the log replays to the same state whatever its own clock says.
//! [`ExpiryMode`] says when it is otherwise.
//!
//! A moment is past when the clock is beyond it: at the very millisecond the key is still there.
//!
//! Each call hashes its key once and looks it up once; `find` and `set` look twice in databases in
//! which some key expires (the second look finds its lines in the first-level cache).

use datatypes::Object;
use table::{Expiry, Hash, Payload, Record, RecordMut, Replaced, Stored, Taken};

use crate::{Database, Doomed, Effects, EventClass, ExpiryMode, Keyspace, Stats};

/// The step of the server that an access is part of: when and where it happens, and where its
/// effects go.
#[derive(Debug)]
pub struct Step<'a> {
    /// The database, below the keyspace's `database_count`.
    pub db: usize,
    /// The tick's moment, unix milliseconds.
    pub now_ms: i64,
    /// Where effects go.
    pub effects: &'a mut Effects,
}

/// Whether `expiry` lies before `now_ms`.
#[inline]
pub(crate) fn is_past(expiry: Option<i64>, now_ms: i64) -> bool {
    expiry.is_some_and(|at_ms| now_ms > at_ms)
}

/// What removals touch beside the table.
pub(crate) struct Aftermath<'k> {
    pub(crate) stats: &'k mut Stats,
    pub(crate) doomed: &'k mut Doomed,
    /// Whether the log says UNLINK.
    pub(crate) lazy: bool,
}

impl Aftermath<'_> {
    /// `key` is gone from database `db` because its moment is past.
    #[cold]
    pub(crate) fn expired(
        &mut self,
        object: Option<Object>,
        effects: &mut Effects,
        db: usize,
        key: &[u8],
    ) {
        self.stats.expired += 1;
        self.dropped(object, effects, db, key);
        effects.event(EventClass::EXPIRED, "expired", db, key);
    }

    /// `key` is gone from database `db` because memory is short.
    pub(crate) fn evicted(
        &mut self,
        object: Option<Object>,
        effects: &mut Effects,
        db: usize,
        key: &[u8],
    ) {
        self.stats.evicted += 1;
        self.dropped(object, effects, db, key);
        effects.event(EventClass::EVICTED, "evicted", db, key);
    }

    fn dropped(&mut self, object: Option<Object>, effects: &mut Effects, db: usize, key: &[u8]) {
        if let Some(object) = object {
            self.doomed.push(object);
        }
        let verb: &[u8] = if self.lazy { b"UNLINK" } else { b"DEL" };
        effects.log_before(db, key, &[verb, key]);
        effects.modified(db, key);
    }
}

/// `record`, unless it is past its moment; it is then removed where that is the mode.
#[inline]
fn live<'t>(
    record: RecordMut<'t, Object>,
    mode: ExpiryMode,
    aftermath: &mut Aftermath<'_>,
    step: &mut Step<'_>,
) -> Option<RecordMut<'t, Object>> {
    if mode == ExpiryMode::Ignore || !is_past(record.expiry(), step.now_ms) {
        return Some(record);
    }
    if mode == ExpiryMode::Delete {
        let key = record.key().to_vec();
        let object = record.remove().object;
        aftermath.expired(object, step.effects, step.db, &key);
    }
    None
}

impl Keyspace {
    /// The live record of `key`, for a command that reads the value: counts as a hit or a miss, and
    /// with `touch` as an access.
    #[inline]
    pub fn read(
        &mut self,
        step: &mut Step<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<Record<'_, Object>> {
        let hash = self.hasher.hash(key);
        if self.sees_no_more(step, hash, key) {
            self.stats.misses += 1;
            return None;
        }
        let Self { databases, stats, clock, random, .. } = self;
        let database = databases.get(step.db).and_then(Option::as_deref);
        let Some(record) = database.and_then(|it| it.table.find(hash, key)) else {
            stats.misses += 1;
            return None;
        };
        stats.hits += 1;
        if touch {
            let before = record.access();
            let access = clock.touched(before, random);
            // a store only where something changes: the line may stay clean
            if access != before {
                record.set_access(access);
            }
        }
        Some(record)
    }

    /// The live record of `key`, for a command that changes the value; with `touch` it counts as an
    /// access. Not counted as a hit or miss, as in Redis.
    #[inline]
    pub fn write(
        &mut self,
        step: &mut Step<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<RecordMut<'_, Object>> {
        let hash = self.hasher.hash(key);
        let Self { databases, settings, stats, doomed, clock, random, .. } = self;
        let mut aftermath = Aftermath { stats, doomed, lazy: settings.lazy_free.expire };
        let database = databases.get_mut(step.db)?.as_deref_mut()?;
        let record = database.table.find_mut(hash, key)?;
        let mut record = live(record, settings.expiry, &mut aftermath, step)?;
        if touch {
            let access = clock.touched(record.access(), random);
            record.set_access(access);
        }
        Some(record)
    }

    /// The live record of `key`. Does not count as an access.
    #[inline]
    pub fn find(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<Record<'_, Object>> {
        let hash = self.hasher.hash(key);
        if self.sees_no_more(step, hash, key) {
            return None;
        }
        self.database(step.db)?.table.find(hash, key)
    }

    /// The live record of `key`, to change it.
    #[inline]
    pub fn find_mut(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<RecordMut<'_, Object>> {
        let hash = self.hasher.hash(key);
        let Self { databases, settings, stats, doomed, .. } = self;
        let mut aftermath = Aftermath { stats, doomed, lazy: settings.lazy_free.expire };
        let database = databases.get_mut(step.db)?.as_deref_mut()?;
        let record = database.table.find_mut(hash, key)?;
        live(record, settings.expiry, &mut aftermath, step)
    }

    /// Sets `key` to `payload`, whatever it held. A key that was past its moment expires first, so
    /// that nothing of it is kept. What it held is freed, in slices if large. The record counts as
    /// accessed, and is not raw.
    ///
    /// Emits `new` where the key is new; everything else is the caller's to tell.
    #[inline]
    pub fn set(
        &mut self,
        step: &mut Step<'_>,
        key: &[u8],
        payload: Payload<'_, Object>,
        expiry: Expiry,
    ) -> RecordMut<'_, Object> {
        let hash = self.hasher.hash(key);
        self.sees_no_more(step, hash, key);
        let Self { databases, hasher, clock, random, doomed, .. } = self;
        let database = databases[step.db].get_or_insert_with(|| Box::new(Database::new(*hasher)));
        let Stored { mut record, replaced } = database.table.set(hash, key, payload, expiry);
        match replaced {
            Replaced::Nothing => {
                record.set_access(clock.fresh());
                step.effects.event(EventClass::NEW, "new", step.db, key);
            }
            Replaced::Plain => {
                let access = clock.touched(record.access(), random);
                record.set_access(access);
            }
            Replaced::Object(object) => {
                let access = clock.touched(record.access(), random);
                record.set_access(access);
                doomed.push(object);
            }
        }
        record
    }

    /// Removes `key`; its value is freed, in slices if large. False if there was no live key. Emits
    /// nothing of its own: the event and the count are the caller's to tell.
    #[inline]
    pub fn remove(&mut self, step: &mut Step<'_>, key: &[u8]) -> bool {
        let Some(record) = self.find_mut(step, key) else { return false };
        let object = record.remove().object;
        if let Some(object) = object {
            self.doomed.push(object);
        }
        true
    }

    /// Takes the live record of `key` out of its database, to be put elsewhere.
    pub fn take(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<Taken<Object>> {
        self.find_mut(step, key).map(RecordMut::take)
    }

    /// Puts a record under `key`, with its expiry, access and raw flag; what `key` held is freed.
    /// Emits `new` where the key is new.
    pub fn put(&mut self, step: &mut Step<'_>, key: &[u8], taken: Taken<Object>) {
        let hash = self.hasher.hash(key);
        self.sees_no_more(step, hash, key);
        let replaced = self.open(step.db).table.restore(hash, key, taken).replaced;
        if !replaced.existed() {
            step.effects.event(EventClass::NEW, "new", step.db, key);
        }
        if let Some(object) = replaced.into_object() {
            self.doomed.push(object);
        }
    }

    /// Whether `key` has a record that is past its moment, so that it must not be seen; removes it
    /// where that is the mode.
    #[inline]
    fn sees_no_more(&mut self, step: &mut Step<'_>, hash: Hash, key: &[u8]) -> bool {
        let Some(database) = self.database(step.db) else { return false };
        if database.table.expiring_len() == 0 {
            return false;
        }
        let found = database.table.find(hash, key);
        found.is_some_and(|it| is_past(it.expiry(), step.now_ms)) && self.expire(step, hash, key)
    }

    /// The record of `key` is past its moment. True if it is not to be seen.
    #[cold]
    fn expire(&mut self, step: &mut Step<'_>, hash: Hash, key: &[u8]) -> bool {
        match self.settings.expiry {
            ExpiryMode::Ignore => false,
            ExpiryMode::Hide => true,
            ExpiryMode::Delete => {
                self.remove_expired(step.effects, step.db, hash, key);
                true
            }
        }
    }

    /// Removes the record of `key`, which is past its moment, with all that this entails.
    pub(crate) fn remove_expired(
        &mut self,
        effects: &mut Effects,
        db: usize,
        hash: Hash,
        key: &[u8],
    ) {
        let lazy = self.settings.lazy_free.expire;
        let removed = self.database_mut(db).and_then(|it| it.table.remove(hash, key));
        if let Some(removed) = removed {
            let mut aftermath =
                Aftermath { stats: &mut self.stats, doomed: &mut self.doomed, lazy };
            aftermath.expired(removed.object, effects, db, key);
        }
    }
}
