//! What a command sees of its shard.
//!
//! A [`ShardContext`] lends a command the keyspace, a database, the moment, the place for effects
//! and the limits, for as long as it runs. Its methods are what a command does most: read a key,
//! change it, set it, remove it, and say that it changed. Each looks the key up once, and none
//! returns a key that is past its moment.
//!
//! ```text
//! read     a value is read: hit or miss is counted, the record is touched
//! write    a value is about to be changed: touched, not counted
//! peek     something about a key is asked for: counted, not touched
//! changed  one change: counted for the log, told to watchers, published as an event
//! ```
//!
//! A command that fails must not have changed anything.

use datatypes::Object;
use datatypes::list::ListLimits;
use keyspace::{Effects, EventClass, Keyspace, Step};
use spec::slot_of;
use table::{Expiry, Payload, Record, RecordMut};

/// What a command sees of its shard. See the module's essay.
pub struct ShardContext<'a> {
    /// All databases of the shard.
    pub keyspace: &'a mut Keyspace,
    /// The client's database, below the keyspace's `database_count`.
    pub db: usize,
    /// The tick's moment, unix milliseconds: one for all commands of a tick.
    pub now_ms: i64,
    /// What the command did besides replying. Empty when the command begins.
    pub effects: &'a mut Effects,
    /// Bounds from the configuration.
    pub limits: &'a CommandLimits,
    /// Which shard this is.
    pub shard: ShardPlace,
    /// Whether the client asked that its reads leave no trace (`CLIENT NO-TOUCH`).
    pub no_touch: bool,
}

/// Bounds that commands keep, from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLimits {
    /// `proto-max-bulk-len`: the longest string, bytes.
    pub bulk_bytes_max: u64,
    /// `list-max-listpack-size`: how large a packed list, or a chunk of a large one, gets.
    pub list: ListLimits,
    /// Up to which size a set is packed.
    pub set: SetLimits,
}

/// When a set becomes a large one: see `datatypes::set::Limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// `set-max-intset-entries`.
    pub intset_entries_max: usize,
    /// `set-max-listpack-entries`.
    pub listpack_entries_max: usize,
    /// `set-max-listpack-value`, in bytes.
    pub listpack_value_bytes_max: usize,
}

impl Default for CommandLimits {
    /// Redis' defaults.
    fn default() -> Self {
        let set = SetLimits {
            intset_entries_max: 512,
            listpack_entries_max: 128,
            listpack_value_bytes_max: 64,
        };
        Self { bulk_bytes_max: 512 << 20, list: ListLimits::of(-2), set }
    }
}

/// Which shard of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardPlace {
    /// Its number, from 0.
    pub index: usize,
    /// How many shards the server has, at least 1.
    pub count: usize,
}

impl ShardContext<'_> {
    /// The record of `key`, whose value is read.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Record<'_, Object>> {
        let (db, now_ms) = (self.db, self.now_ms);
        let mut step = Step { db, now_ms, effects: self.effects };
        let touch = !self.no_touch;
        let found = self.keyspace.read(&mut step, key, touch);
        if found.is_none() {
            step.effects.event(EventClass::KEY_MISS, "keymiss", db, key);
        }
        found
    }

    /// The record of `key`, whose value is about to be changed. Whoever changes it says so with
    /// [`ShardContext::changed`].
    #[inline]
    pub fn write(&mut self, key: &[u8]) -> Option<RecordMut<'_, Object>> {
        let touch = !self.no_touch;
        let mut step = Step { db: self.db, now_ms: self.now_ms, effects: self.effects };
        self.keyspace.write(&mut step, key, touch)
    }

    /// The record of `key`, about which something is asked that is no use of its value: `TTL`,
    /// `TYPE`, `EXISTS`. Counted as a hit or miss, not touched.
    #[inline]
    pub fn peek(&mut self, key: &[u8]) -> Option<Record<'_, Object>> {
        let (db, now_ms) = (self.db, self.now_ms);
        let mut step = Step { db, now_ms, effects: self.effects };
        let found = self.keyspace.read(&mut step, key, false);
        if found.is_none() {
            step.effects.event(EventClass::KEY_MISS, "keymiss", db, key);
        }
        found
    }

    /// Sets `key` to `payload`, whatever it held; what it held is freed. The record is not raw
    /// afterwards. Publishes `new` for a new key; the rest is the caller's to say.
    #[inline]
    pub fn set(
        &mut self,
        key: &[u8],
        payload: Payload<'_, Object>,
        expiry: Expiry,
    ) -> RecordMut<'_, Object> {
        let mut step = Step { db: self.db, now_ms: self.now_ms, effects: self.effects };
        self.keyspace.set(&mut step, key, payload, expiry)
    }

    /// Removes `key` and frees its value, in slices if large. False if there is none. Publishes
    /// nothing: the caller says what became of the key.
    #[inline]
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let mut step = Step { db: self.db, now_ms: self.now_ms, effects: self.effects };
        self.keyspace.remove(&mut step, key)
    }

    /// One change of `key` was made: counts it, tells who watches the key, and publishes the event
    /// `name`.
    #[inline]
    pub fn changed(&mut self, class: EventClass, name: &'static str, key: &[u8]) {
        self.effects.add_dirty(1);
        self.effects.modified(self.db, key);
        self.effects.event(class, name, self.db, key);
    }

    /// Whether the command has to log what happened to each of `keys`, all that it has, with
    /// `Effects::log`: they lie in several slots. Otherwise the request can go to the log as it
    /// came, or nothing is logged at all.
    #[inline]
    pub fn logs_each<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> bool {
        if !self.effects.logs() {
            return false;
        }
        let mut keys = keys.into_iter();
        let (Some(first), Some(second)) = (keys.next(), keys.next()) else { return false };
        let slot = slot_of(first);
        slot_of(second) != slot || keys.any(|key| slot_of(key) != slot)
    }

    /// Logs the value that `key` of database `db` has now, whatever it had before: where the value
    /// itself is what the command put there.
    pub fn log_value(&mut self, db: usize, key: &[u8]) {
        let keyspace = &*self.keyspace;
        self.effects.log_all(db, key, |commands| keyspace.log_record(db, key, commands));
    }

    /// Logs that `key` of database `db` is gone.
    pub fn log_gone(&mut self, db: usize, key: &[u8]) {
        self.effects.log(db, key, &[b"DEL", key]);
    }

    /// The step that the command is part of, in database `db`, and the keyspace: for what this type
    /// has no method for.
    #[inline]
    pub fn step_in(&mut self, db: usize) -> (&mut Keyspace, Step<'_>) {
        (self.keyspace, Step { db, now_ms: self.now_ms, effects: self.effects })
    }
}
