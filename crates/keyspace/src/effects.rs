//! What a command did besides replying, as plain data.
//!
//! A command knows neither the log, nor replicas, nor clients. It writes into [`Effects`] and the
//! server reads it: how much changed (`dirty`), what to log, which keyspace events to publish,
//! which keys were modified (for `WATCH`, client-side caching, waiters). One `Effects` belongs to a
//! shard and is reused: its buffers keep their capacity, so that nothing is allocated in the steady
//! state. What nobody listens for ([`Wanted`]) is not recorded: a plain SET costs one addition and
//! one test.
//!
//! # The contract
//!
//! *Everything here is about one key*: a record, an event, a modified key. What is about a key goes
//! where the key lives. A command may have run on values that shards lent to another core thread:
//! then each shard gets the part that is about its own keys ([`Effects::each`], [`Effects::add`]),
//! logs those records, publishes those events, and wakes who waits for those keys. Recovery with
//! another number of shards, replicas that filter, and slots that move look at one slot's records
//! and need no others.
//!
//! ```text
//!              before              the command itself                    (order in the log)
//! log:   DEL of keys found     verbatim | a record for each key
//!        expired or evicted
//! ```
//!
//! *Verbatim* means that the server copies the request's own bytes. It is logged when `dirty` grew,
//! as in Redis, and only right if all keys of the request lie in one slot and running it again does
//! the same. Otherwise a command says itself, for each key, what happened to it: [`Effects::log`].
//! The records of one command are one step for recovery, all or none.
//!
//! - *One key*: `SET k v` says nothing of the log. What depends on the clock or on chance is put
//!   into words that do not: `SET k v EX 10` logs `SET k v PXAT <ms>`, `SPOP k` logs `SREM k m`.
//! - *Several keys*: `DEL a b` and `MSET a 1 b 2` log one record a key where these have several
//!   slots, and go verbatim where they have one (`ShardContext::logs_each` asks, once a command).
//! - *An element moves between two keys*: `LMOVE a b LEFT RIGHT` that moves `x` says
//!   `log(db, a, LPOP a)` and `log(db, b, RPUSH b x)`: what happened, with the element, since who
//!   replays the record of `b` may not have `a`. The lists themselves are never logged.
//! - *A value moves*: `RENAME a b` logs the commands that make the value for `b`, and `DEL a`.
//!   Only where the value itself is what travels is all of it logged.
//!
//! What a record says must not depend on any other key, the clock, or chance. A command with keys
//! of several slots that leaves its log to the request is a bug: debug builds stop there.
//!
//! Invariants: `clear` leaves everything as `new` made it, but for capacities and `wanted`. A key
//! recorded here is a copy: it outlives the record that it named.

use crate::{EventClass, LoggedCommands};

/// What the server wants recorded, set by it whenever listeners come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Classes of keyspace events that `notify-keyspace-events` asks for.
    pub events: EventClass,
    /// Whether anybody watches, tracks or waits for keys on this shard.
    pub modified: bool,
    /// Whether records go anywhere. A command whose record takes work to make (the value that
    /// RENAME moved) asks before it makes it: [`Effects::logs`].
    pub records: bool,
}

impl Default for Wanted {
    /// Nothing but records.
    fn default() -> Self {
        Self { events: EventClass::NONE, modified: false, records: true }
    }
}

/// How the command itself goes to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LogMode {
    /// The request's own bytes, if `dirty` grew.
    #[default]
    Verbatim,
    /// The records of [`Effects::records`], whether or not `dirty` grew.
    Records,
    /// Nothing.
    Nothing,
}

/// A key of a database, as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyOf<'a> {
    /// The database.
    pub db: usize,
    /// The key.
    pub key: &'a [u8],
}

/// A keyspace event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its class: exactly one bit.
    pub class: EventClass,
    /// Its name, as published: `set`, `del`, `expired` ...
    pub name: &'static str,
    /// The key that it happened to.
    pub of: KeyOf<'a>,
}

/// What happened to a whole database: whoever watches a key of it must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseChange {
    /// It was emptied.
    Flushed(usize),
    /// Two were exchanged.
    Swapped(usize, usize),
}

/// A range of `Effects::bytes`, and the database.
#[derive(Clone, Copy, Debug)]
struct KeyAt {
    db: usize,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
struct EventAt {
    class: EventClass,
    name: &'static str,
    key: KeyAt,
}

/// Commands for the log, each about one key.
#[derive(Debug, Default)]
struct Records {
    commands: LoggedCommands,
    /// The key of each.
    keys: Vec<KeyAt>,
}

/// Something that happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened<'a> {
    /// This is logged before the command: the key expired or was evicted.
    LoggedBefore(&'a [u8]),
    /// This is logged: a RESP array.
    Logged(&'a [u8]),
    /// An event of this class and name.
    Event(EventClass, &'static str),
    /// Its value changed, appeared or went away.
    Modified,
}

/// What a command did besides replying. See the module's essay.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is recorded at all.
    wanted: Wanted,
    /// Changes made, in Redis' count.
    dirty: u64,
    /// How the command itself is logged.
    mode: LogMode,
    /// Logged before the command: removals of expired and evicted keys.
    before: Records,
    /// Logged instead of the request, where `mode` says so.
    records: Records,
    /// In the order in which they happened.
    events: Vec<EventAt>,
    /// In the order in which they happened, repetitions included.
    modified: Vec<KeyAt>,
    /// Whole databases changed.
    databases: Vec<DatabaseChange>,
    /// The bytes of all recorded keys.
    bytes: Vec<u8>,
}

impl Effects {
    /// Nothing happened, and nothing but the log's part is wanted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything but `wanted` and the capacity of the buffers, where that is not large.
    /// O(1).
    pub fn clear(&mut self) {
        self.dirty = 0;
        self.mode = LogMode::Verbatim;
        if !self.before.commands.is_empty() {
            self.before.clear();
        }
        if !self.records.commands.is_empty() {
            self.records.clear();
        }
        self.events.clear();
        self.modified.clear();
        self.databases.clear();
        self.bytes.clear();
    }

    /// Sets what is recorded from now on.
    pub const fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// What is recorded.
    #[must_use]
    pub const fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Counts `changes` changes without naming keys.
    #[inline]
    pub const fn add_dirty(&mut self, changes: u64) {
        self.dirty += changes;
    }

    /// The number of changes since the last `clear`.
    #[inline]
    #[must_use]
    pub const fn dirty(&self) -> u64 {
        self.dirty
    }

    /// The value of `key` in database `db` changed, appeared or went away: recorded if wanted.
    #[inline]
    pub fn modified(&mut self, db: usize, key: &[u8]) {
        if self.wanted.modified {
            let at = self.keep(db, key);
            self.modified.push(at);
        }
    }

    /// The event `name` of class `class` happened to `key`: recorded if its class is wanted.
    #[inline]
    pub fn event(&mut self, class: EventClass, name: &'static str, db: usize, key: &[u8]) {
        if self.wanted.events.has(class) {
            let key = self.keep(db, key);
            self.events.push(EventAt { class, name, key });
        }
    }

    /// A whole database changed. Always recorded: it is rare.
    pub fn database(&mut self, change: DatabaseChange) {
        self.databases.push(change);
    }

    /// Logs that `key` of database `db` went away before the command that is running: `command` are
    /// the words.
    pub fn log_before(&mut self, db: usize, key: &[u8], command: &[&[u8]]) {
        if self.wanted.records {
            let at = self.keep(db, key);
            self.before.push(at, |commands| commands.push(db, command));
        }
    }

    /// Logs what happened to `key` of database `db`, as the words of a command about this key
    /// alone, instead of the request; each further call adds a record. See the contract above.
    pub fn log(&mut self, db: usize, key: &[u8], command: &[&[u8]]) {
        debug_assert!(command[1..].contains(&key), "a record names the key that it is about");
        self.mode = LogMode::Records;
        if self.wanted.records {
            let at = self.keep(db, key);
            self.records.push(at, |commands| commands.push(db, command));
        }
    }

    /// The same, of several commands in a row: `make` appends them, for database `db`.
    pub fn log_all(&mut self, db: usize, key: &[u8], make: impl FnOnce(&mut LoggedCommands)) {
        self.mode = LogMode::Records;
        if self.wanted.records {
            let at = self.keep(db, key);
            self.records.push(at, make);
        }
    }

    /// Logs nothing for the command that is running, whatever `dirty` says.
    pub const fn log_nothing(&mut self) {
        self.mode = LogMode::Nothing;
    }

    /// Whether records go anywhere: otherwise nothing has to be made for the log.
    #[inline]
    #[must_use]
    pub const fn logs(&self) -> bool {
        self.wanted.records
    }

    /// Whether the request's own bytes go to the log.
    #[inline]
    #[must_use]
    pub const fn logs_verbatim(&self) -> bool {
        matches!(self.mode, LogMode::Verbatim) && self.dirty > 0
    }

    /// To be logged before the command.
    #[must_use]
    pub const fn before(&self) -> &LoggedCommands {
        &self.before.commands
    }

    /// To be logged instead of the request; empty if that goes verbatim.
    #[must_use]
    pub const fn records(&self) -> &LoggedCommands {
        &self.records.commands
    }

    /// What the log gets, in order, each with its database: `own` is the command as it was sent.
    pub fn logged<'a>(&'a self, own: (usize, &'a [u8])) -> impl Iterator<Item = (usize, &'a [u8])> {
        let own = self.logs_verbatim().then_some(own);
        self.before().iter().chain(own).chain(self.records().iter())
    }

    /// Whether the log gets the command itself, as it was sent or as records.
    #[must_use]
    pub const fn logs_command(&self) -> bool {
        self.logs_verbatim() || !self.records().is_empty()
    }

    /// All that is about a key, each with its key: first records, in the order of the log, then
    /// events, then modified keys, each in order. The request's own bytes are not among it: see
    /// the contract above.
    pub fn each(&self, mut visit: impl FnMut(KeyOf<'_>, Happened<'_>)) {
        for (at, bytes) in self.before.iter() {
            visit(self.key(at), Happened::LoggedBefore(bytes));
        }
        for (at, bytes) in self.records.iter() {
            visit(self.key(at), Happened::Logged(bytes));
        }
        for at in &self.events {
            visit(self.key(at.key), Happened::Event(at.class, at.name));
        }
        for at in &self.modified {
            visit(self.key(*at), Happened::Modified);
        }
    }

    /// Adds what happened to a key somewhere else, wanted or not.
    pub fn add(&mut self, of: KeyOf<'_>, happened: Happened<'_>) {
        let key = self.keep(of.db, of.key);
        match happened {
            Happened::LoggedBefore(bytes) => {
                self.before.push(key, |commands| commands.push_encoded(of.db, bytes));
            }
            Happened::Logged(bytes) => {
                self.mode = LogMode::Records;
                self.records.push(key, |commands| commands.push_encoded(of.db, bytes));
            }
            Happened::Event(class, name) => self.events.push(EventAt { class, name, key }),
            Happened::Modified => self.modified.push(key),
        }
    }

    /// Bytes that its buffers have room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.before.capacity()
            + self.records.capacity()
            + self.events.capacity() * size_of::<EventAt>()
            + self.modified.capacity() * size_of::<KeyAt>()
            + self.bytes.capacity()
    }

    /// Whether there is nothing to publish, wake or log besides, perhaps, the request's own bytes:
    /// the server's fast path asks this once per command.
    #[inline]
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.before.commands.is_empty()
            && !matches!(self.mode, LogMode::Records)
            && self.bytes.is_empty()
            && self.events.is_empty()
            && self.modified.is_empty()
            && self.databases.is_empty()
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.events.iter().map(|at| Event { class: at.class, name: at.name, of: self.key(at.key) })
    }

    /// The modified keys, in order, repetitions included.
    pub fn modified_keys(&self) -> impl Iterator<Item = KeyOf<'_>> {
        self.modified.iter().map(|at| self.key(*at))
    }

    /// Whole databases that changed, in order.
    #[must_use]
    pub fn database_changes(&self) -> &[DatabaseChange] {
        &self.databases
    }

    /// Keeps a key; one that is told of again and again in a row is kept once.
    #[cold]
    fn keep(&mut self, db: usize, key: &[u8]) -> KeyAt {
        if !self.bytes.ends_with(key) {
            self.bytes.extend_from_slice(key);
        }
        let end = self.bytes.len();
        KeyAt { db, start: end - key.len(), end }
    }

    fn key(&self, at: KeyAt) -> KeyOf<'_> {
        KeyOf { db: at.db, key: &self.bytes[at.start..at.end] }
    }
}

impl Records {
    fn clear(&mut self) {
        self.commands.clear();
        self.keys.clear();
    }

    const fn capacity(&self) -> usize {
        self.commands.capacity() + self.keys.capacity() * size_of::<KeyAt>()
    }

    /// Appends what `make` makes, all of it about one key.
    fn push(&mut self, key: KeyAt, make: impl FnOnce(&mut LoggedCommands)) {
        make(&mut self.commands);
        self.keys.resize(self.commands.len(), key);
    }

    fn iter(&self) -> impl Iterator<Item = (KeyAt, &[u8])> {
        self.keys.iter().copied().zip(self.commands.iter().map(|(_, bytes)| bytes))
    }
}

#[cfg(test)]
mod tests;
