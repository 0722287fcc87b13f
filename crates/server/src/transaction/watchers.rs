//! WATCH: which connections want to know whether a key of this shard was touched before their EXEC.
//!
//! A watch lives on the shard of its key and is checked there, when EXEC comes: so it is exact, in
//! the one order of the inbox. A connection's watches between two EXECs are one *watcher*; EXEC,
//! UNWATCH and the connection's end end it on every shard where it has keys.
//!
//! What counts is whether the key changed for who looks at it: a key that was not there (or was
//! past its moment, which is the same) and is not there afterwards was not touched.

use std::collections::{HashMap, HashSet};

use datatypes::Object;
use keyspace::{DatabaseChange, Effects, Keyspace};
use table::Record;

use crate::canary::{self, Canary};
use crate::clients::connections::ConnectionKey;

/// The watches of a connection until its next EXEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Watcher {
    /// The connection's home.
    pub(crate) home: u16,
    pub(crate) connection: ConnectionKey,
    /// Which of its watchers: a watch that arrives late for one that ended finds no EXEC.
    pub(crate) round: u32,
}

/// A key of a database.
type WatchedKey = (u32, Box<[u8]>);

/// The watches on keys of a shard.
#[derive(Default)]
pub(crate) struct Watchers {
    /// Who watches a key.
    keys: HashMap<WatchedKey, Vec<Watch>>,
    /// What a watcher watches.
    watchers: HashMap<Watcher, Watched>,
}

#[derive(Clone, Copy)]
struct Watch {
    watcher: Watcher,
    /// Whether the key was there.
    live: bool,
}

#[derive(Default)]
struct Watched {
    /// Also those whose watch waits for a transaction that holds them.
    keys: HashSet<WatchedKey>,
    dirty: bool,
}

impl Watchers {
    /// Whether nobody watches anything.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Whose watched keys were touched here: their EXEC will do nothing.
    pub(crate) fn touched(&self) -> impl Iterator<Item = Watcher> {
        let touched = self.watchers.iter().filter(|(_, watched)| watched.dirty);
        touched.map(|(watcher, _)| *watcher)
    }

    /// Whether a key that `watcher` watches here was touched.
    pub(crate) fn is_touched(&self, watcher: Watcher) -> bool {
        self.watchers.get(&watcher).is_some_and(|watched| watched.dirty)
    }

    /// The names of the keys that `watcher` watches, in any database.
    pub(crate) fn keys_of(&self, watcher: Watcher) -> impl Iterator<Item = &[u8]> {
        let watched = self.watchers.get(&watcher);
        watched.into_iter().flat_map(|watched| &watched.keys).map(|(_, key)| &**key)
    }

    /// `watcher` is going to watch a key: what checks its watches has to wait for that.
    pub(crate) fn announce(&mut self, watcher: Watcher, db: u32, key: &[u8]) {
        self.watchers.entry(watcher).or_default().keys.insert((db, Box::from(key)));
    }

    /// `watcher` watches a key from now on, unless it has ended since it announced that.
    pub(crate) fn watch(
        &mut self,
        watcher: Watcher,
        (db, key): (u32, &[u8]),
        keyspace: &Keyspace,
        now_ms: i64,
    ) {
        if !self.watchers.contains_key(&watcher) {
            return;
        }
        let live = is_live(keyspace, db, key, now_ms);
        let watches = self.keys.entry((db, Box::from(key))).or_default();
        if watches.iter().all(|watch| watch.watcher != watcher) {
            watches.push(Watch { watcher, live });
        }
    }

    /// The watcher ends. Whether a key that it watched was touched, or has come past its moment.
    pub(crate) fn end(&mut self, watcher: Watcher, keyspace: &Keyspace, now_ms: i64) -> bool {
        let Some(watched) = self.watchers.remove(&watcher) else { return false };
        let mut dirty = watched.dirty;
        for of in watched.keys {
            let Some(watches) = self.keys.get_mut(&of) else { continue };
            if let Some(at) = watches.iter().position(|watch| watch.watcher == watcher) {
                let watch = watches.swap_remove(at);
                dirty |= watch.live && !is_live(keyspace, of.0, &of.1, now_ms);
            }
            if watches.is_empty() {
                self.keys.remove(&of);
            }
        }
        dirty
    }

    /// Takes note of what a command, or the background, changed.
    #[cold]
    pub(crate) fn notice(&mut self, effects: &Effects, keyspace: &Keyspace, now_ms: i64) {
        let Self { keys, watchers } = self;
        for of in effects.modified_keys() {
            let db = of.db as u32;
            let Some(watches) = keys.get(&(db, Box::from(of.key))) else { continue };
            let live = is_live(keyspace, db, of.key, now_ms);
            touch(watchers, watches, |watch| watch.live || live);
        }
        for change in effects.database_changes() {
            let changed = |db: u32| match *change {
                DatabaseChange::Flushed(flushed) => db as usize == flushed,
                DatabaseChange::Swapped(one, other) => {
                    let is_other = db as usize == other && !canary::is_out(Canary::HalfSwap);
                    db as usize == one || is_other
                }
            };
            for ((db, key), watches) in keys.iter().filter(|((db, _), _)| changed(*db)) {
                let live = is_live(keyspace, *db, key, now_ms);
                touch(watchers, watches, |watch| watch.live || live);
            }
        }
    }
}

/// Marks those whose watch was `touched`.
fn touch(
    watchers: &mut HashMap<Watcher, Watched>,
    watches: &[Watch],
    touched: impl Fn(&Watch) -> bool,
) {
    for watch in watches.iter().filter(|watch| touched(watch)) {
        if let Some(watched) = watchers.get_mut(&watch.watcher) {
            watched.dirty = true;
        }
    }
}

/// Whether there is such a key, and it is not past its moment.
pub(crate) fn is_live(keyspace: &Keyspace, db: u32, key: &[u8], now_ms: i64) -> bool {
    live(keyspace, db, key, now_ms).is_some()
}

/// The record of a key, if there is one that is not past its moment.
pub(crate) fn live<'k>(
    keyspace: &'k Keyspace,
    db: u32,
    key: &[u8],
    now_ms: i64,
) -> Option<Record<'k, Object>> {
    let database = keyspace.database(db as usize);
    let record = database.and_then(|it| it.table().find(keyspace.hash(key), key));
    record.filter(|record| record.expiry().is_none_or(|at_ms| at_ms >= now_ms))
}
