//! What a command did besides replying, as plain data.
//!
//! A command knows neither the log, nor replicas, nor clients. It writes into [`Effects`] and the
//! server reads it: how much changed (`dirty`), what to log, which keyspace events to publish,
//! which keys were modified (for `WATCH`, client-side caching, waiters). One `Effects` belongs to a
//! shard and is reused: its buffers keep their capacity, so that nothing is allocated in the steady
//! state. What nobody listens for ([`Wanted`]) is not recorded: a plain SET costs one addition and
//! one test.
//!
//! ```text
//!              before              the command itself            (order in the log)
//! log:   DEL of keys found     verbatim | replaced by | nothing
//!        expired or evicted
//! ```
//!
//! *Verbatim* means that the server copies the request's own bytes. It is logged when `dirty` grew,
//! as in Redis. What depends on the clock or on chance is *replaced*: `SET k v EX 10` by
//! `SET k v PXAT <ms>`, `INCRBYFLOAT` by `SET k v KEEPTTL`. A command may replace itself by
//! several.
//!
//! Invariants: `clear` leaves everything as `new` made it, but for capacities and `wanted`. A key
//! recorded here is a copy: it outlives the record that it named.

use crate::{EventClass, LoggedCommands};

/// What the server wants recorded, set by it whenever listeners come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Classes of keyspace events that `notify-keyspace-events` asks for.
    pub events: EventClass,
    /// Whether anybody watches, tracks or waits for keys on this shard.
    pub modified: bool,
}

/// How the command itself goes to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LogMode {
    /// The request's own bytes, if `dirty` grew.
    #[default]
    Verbatim,
    /// The commands in [`Effects::instead`], whether or not `dirty` grew.
    Replaced,
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
    before: LoggedCommands,
    /// Logged instead of the command, where `mode` says so.
    instead: LoggedCommands,
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

    /// Forgets everything but `wanted` and the capacity of the buffers. O(1).
    pub fn clear(&mut self) {
        self.dirty = 0;
        self.mode = LogMode::Verbatim;
        self.before.clear();
        self.instead.clear();
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

    /// Logs `command` (its words) for database `db` before the command that is running.
    pub fn log_before(&mut self, db: usize, command: &[&[u8]]) {
        self.before.push(db, command);
    }

    /// Logs `command` for database `db` instead of the command that is running; each further call
    /// adds one more.
    pub fn log_instead(&mut self, db: usize, command: &[&[u8]]) {
        self.mode = LogMode::Replaced;
        self.instead.push(db, command);
    }

    /// Logs nothing for the command that is running, whatever `dirty` says.
    pub const fn log_nothing(&mut self) {
        self.mode = LogMode::Nothing;
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
        &self.before
    }

    /// To be logged instead of the command; empty unless it is replaced.
    #[must_use]
    pub const fn instead(&self) -> &LoggedCommands {
        &self.instead
    }

    /// What the log gets, in order, each with its database: `own` is the command as it was sent.
    pub fn logged<'a>(&'a self, own: (usize, &'a [u8])) -> impl Iterator<Item = (usize, &'a [u8])> {
        let own = self.logs_verbatim().then_some(own);
        let instead = (self.mode == LogMode::Replaced).then_some(&self.instead);
        self.before.iter().chain(own).chain(instead.into_iter().flat_map(LoggedCommands::iter))
    }

    /// Whether the log gets the command itself, as it was sent or replaced.
    #[must_use]
    pub const fn logs_command(&self) -> bool {
        self.logs_verbatim() || matches!(self.mode, LogMode::Replaced)
    }

    /// Whether there is nothing to publish, wake or log besides, perhaps, the request's own bytes:
    /// the server's fast path asks this once per command.
    #[inline]
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.before.is_empty()
            && !matches!(self.mode, LogMode::Replaced)
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

    #[cold]
    fn keep(&mut self, db: usize, key: &[u8]) -> KeyAt {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        KeyAt { db, start, end: self.bytes.len() }
    }

    fn key(&self, at: KeyAt) -> KeyOf<'_> {
        KeyOf { db: at.db, key: &self.bytes[at.start..at.end] }
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseChange, Effects, KeyOf, LogMode, Wanted};
    use crate::EventClass;

    #[test]
    fn nothing_is_recorded_unless_wanted() {
        let mut effects = Effects::new();
        effects.add_dirty(1);
        effects.modified(0, b"a");
        effects.event(EventClass::STRING, "set", 0, b"a");
        assert!(effects.is_plain() && effects.logs_verbatim());
        assert_eq!(effects.events().count() + effects.modified_keys().count(), 0);
    }

    #[test]
    fn events_and_keys_come_back_in_order() {
        let mut effects = Effects::new();
        let events = EventClass::STRING.with(EventClass::GENERIC);
        effects.want(Wanted { events, modified: true });
        effects.event(EventClass::STRING, "set", 3, b"a");
        effects.event(EventClass::EXPIRED, "expired", 3, b"x");
        effects.modified(3, b"a");
        effects.event(EventClass::GENERIC, "del", 0, b"");
        let names: Vec<_> = effects.events().map(|it| (it.name, it.of.db, it.of.key)).collect();
        assert_eq!(names, [("set", 3, b"a".as_slice()), ("del", 0, b"".as_slice())]);
        assert_eq!(effects.modified_keys().collect::<Vec<_>>(), [KeyOf { db: 3, key: b"a" }]);
        assert!(!effects.is_plain());
    }

    #[test]
    fn the_log_follows_the_mode() {
        let mut effects = Effects::new();
        assert!(!effects.logs_verbatim(), "nothing changed");
        effects.add_dirty(1);
        effects.log_instead(0, &[b"DEL", b"a"]);
        assert!(!effects.logs_verbatim() && !effects.is_plain());
        assert_eq!(effects.mode, LogMode::Replaced);
        effects.clear();
        assert!(effects.is_plain() && effects.instead().is_empty());
        effects.add_dirty(1);
        effects.log_nothing();
        assert!(!effects.logs_verbatim());
        effects.clear();
        effects.add_dirty(1);
        effects.log_before(0, &[b"DEL", b"a"]);
        effects.database(DatabaseChange::Flushed(1));
        assert!(effects.logs_verbatim() && !effects.is_plain());
    }

    #[test]
    fn clear_keeps_what_is_wanted() {
        let mut effects = Effects::new();
        effects.want(Wanted { events: EventClass::ALL, modified: true });
        effects.modified(0, b"a");
        effects.clear();
        assert!(effects.is_plain());
        assert_eq!(effects.wanted().events, EventClass::ALL);
    }
}
