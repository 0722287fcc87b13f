//! The lines of a shard: who waits for which key, in order of arrival.
//!
//! A waiter has a number, and stands with it in the line of each key that it waits for on this
//! shard. Numbers ascend, so a line is a set of numbers, and leaving one from the middle is cheap.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use commands::{Awaited, Otherwise};
use datatypes::ObjectType;
use keyspace::{DatabaseChange, Effects};
use net::Envelope;

use crate::clients::connections::ConnectionKey;
use crate::message::{Message, Origin};

/// A waiter of a shard. Numbers ascend in order of arrival.
pub(crate) type Number = u64;

/// Who waits on a shard, and what is to be looked at because of them.
#[derive(Default)]
pub(crate) struct Lines {
    /// The last number given.
    last: Number,
    /// By database and key. None is empty.
    lines: BTreeMap<u32, HashMap<Box<[u8]>, Line>>,
    waiters: HashMap<Number, Waiter>,
    numbers: HashMap<Origin, Number>,
    /// When waits of this core thread end: those of waiters that are parked here, and of its own
    /// connections' that stand on several shards. Unix milliseconds.
    deadlines: BTreeSet<(i64, Deadline)>,
    /// Lines whose keys were touched and that were not looked at since, in order.
    ready: VecDeque<Ready>,
}

/// Whose wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    Parked(Number),
    Apart(ConnectionKey),
}

/// Those who wait for a key.
#[derive(Default)]
struct Line {
    numbers: BTreeSet<Number>,
    /// It is to be looked at, from this number on, when a transaction lets its keys go.
    postponed: Option<Number>,
}

/// A line that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) db: u32,
    pub(crate) key: Box<[u8]>,
    /// From this number on: those before it were looked at.
    pub(crate) from: Number,
    /// Keys (their hashes) that it is the line's turn for, among all that claims them: whoever else
    /// does is younger.
    pub(crate) granted: Vec<u64>,
}

impl Ready {
    /// The line of a key is to be looked at from a number on, whoever claims keys.
    fn new(db: u32, key: &[u8], from: Number) -> Self {
        Self { db, key: key.into(), from, granted: Vec::new() }
    }
}

/// One that waits.
pub(crate) struct Waiter {
    pub(crate) origin: Origin,
    db: u32,
    /// The keys that it waits for, on this shard.
    keys: Vec<Box<[u8]>>,
    /// What one of them has to be.
    awaited: Awaited,
    pub(crate) who: Who,
}

/// What somebody waits for, on a shard.
pub(crate) struct Sought {
    pub(crate) db: u32,
    pub(crate) keys: Vec<Box<[u8]>>,
    pub(crate) awaited: Awaited,
}

/// How a waiter is served.
pub(crate) enum Who {
    /// All its keys are on this shard, and here it is: its command runs again.
    Parked(Parked),
    /// It stands on several shards: its home is called, and tries.
    Apart {
        /// Whether the home was called, and has not tried since.
        called: bool,
    },
}

/// A command that waits, in its message.
pub(crate) struct Parked {
    /// `None` while it is tried.
    pub(crate) envelope: Option<Envelope<Message>>,
    pub(crate) otherwise: Otherwise,
    /// Unix milliseconds.
    until_ms: Option<i64>,
}

impl Parked {
    pub(crate) fn new(
        envelope: Envelope<Message>,
        otherwise: Otherwise,
        until_ms: Option<i64>,
    ) -> Self {
        Self { envelope: Some(envelope), otherwise, until_ms }
    }
}

impl Lines {
    /// Whether nobody waits for any key of this shard.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether some line is to be looked at.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many keys somebody waits for.
    pub(crate) fn keys(&self) -> usize {
        self.lines.values().map(HashMap::len).sum()
    }

    /// How many waits end by themselves.
    pub(crate) fn timeouts(&self) -> usize {
        self.deadlines.len()
    }

    /// Somebody joins the lines of the keys that are sought.
    pub(crate) fn join(&mut self, origin: Origin, sought: Sought, who: Who) -> Number {
        let Sought { db, mut keys, awaited } = sought;
        self.last += 1;
        let number = self.last;
        keys.sort_unstable();
        keys.dedup();
        let lines = self.lines.entry(db).or_default();
        for key in &keys {
            lines.entry(key.clone()).or_default().numbers.insert(number);
        }
        if let Who::Parked(Parked { until_ms: Some(until_ms), .. }) = &who {
            self.deadlines.insert((*until_ms, Deadline::Parked(number)));
        }
        self.numbers.insert(origin, number);
        self.waiters.insert(number, Waiter { origin, db, keys, awaited, who });
        number
    }

    /// Somebody leaves all lines here.
    pub(crate) fn leave(&mut self, number: Number) -> Option<Waiter> {
        let waiter = self.waiters.remove(&number)?;
        self.numbers.remove(&waiter.origin);
        if let Who::Parked(Parked { until_ms: Some(until_ms), .. }) = &waiter.who {
            self.deadlines.remove(&(*until_ms, Deadline::Parked(number)));
        }
        if let Some(lines) = self.lines.get_mut(&waiter.db) {
            for key in &waiter.keys {
                let Some(line) = lines.get_mut(key) else { continue };
                line.numbers.remove(&number);
                if line.numbers.is_empty() {
                    lines.remove(key);
                }
            }
            if lines.is_empty() {
                self.lines.remove(&waiter.db);
            }
        }
        Some(waiter)
    }

    /// The number of whoever waits for a place of a connection.
    pub(crate) fn number_of(&self, origin: Origin) -> Option<Number> {
        self.numbers.get(&origin).copied()
    }

    pub(crate) fn waiter(&mut self, number: Number) -> Option<&mut Waiter> {
        self.waiters.get_mut(&number)
    }

    /// Whether anybody stands in the line of a key, from a number on.
    pub(crate) fn has_line(&self, ready: &Ready) -> bool {
        let line = self.lines.get(&ready.db).and_then(|lines| lines.get(&ready.key));
        line.is_some_and(|line| line.numbers.range(ready.from..).next().is_some())
    }

    /// The first in the line of a key, from a number on, for whom what the key holds (`None`:
    /// there is no such key) is what it awaits.
    pub(crate) fn next_in_line(&self, ready: &Ready, held: Option<ObjectType>) -> Option<Number> {
        let line = self.lines.get(&ready.db)?.get(&ready.key)?;
        let awaits = |number: &Number| {
            self.waiters.get(number).is_some_and(|waiter| waiter.awaited.is_met_by(held))
        };
        line.numbers.range(ready.from..).copied().find(awaits)
    }

    /// Those in the line of a key, from a number on, who are parked here.
    pub(crate) fn parked_in(&self, ready: &Ready) -> impl Iterator<Item = &Envelope<Message>> {
        let line = self.lines.get(&ready.db).and_then(|lines| lines.get(&ready.key));
        let numbers = line.into_iter().flat_map(|line| line.numbers.range(ready.from..));
        numbers.filter_map(|number| match &self.waiters.get(number)?.who {
            Who::Parked(parked) => parked.envelope.as_ref(),
            Who::Apart { .. } => None,
        })
    }

    /// Takes note of what a command, or the background, changed: the lines of these keys are to be
    /// looked at.
    #[cold]
    pub(crate) fn notice(&mut self, effects: &Effects) {
        for of in effects.modified_keys() {
            let db = of.db as u32;
            let line = self.lines.get(&db).and_then(|lines| lines.get_key_value(of.key));
            if let Some((key, _)) = line {
                self.ready.push_back(Ready::new(db, key, 0));
            }
        }
        for change in effects.database_changes() {
            match *change {
                // For those who wait until a key is gone.
                DatabaseChange::Flushed(db) => self.make_ready(db as u32),
                DatabaseChange::Swapped(one, other) => {
                    [one as u32, other as u32].into_iter().for_each(|db| self.make_ready(db));
                }
            }
        }
    }

    /// All lines of all databases are to be looked at.
    pub(crate) fn make_all_ready(&mut self) {
        let databases: Vec<u32> = self.lines.keys().copied().collect();
        databases.into_iter().for_each(|db| self.make_ready(db));
    }

    /// All lines of a database are to be looked at: those of the first who came first.
    fn make_ready(&mut self, db: u32) {
        let Some(lines) = self.lines.get(&db) else { return };
        let first = |line: &Line| line.numbers.first().copied();
        let mut keys: Vec<_> = lines.iter().map(|(key, line)| (first(line), key)).collect();
        keys.sort_unstable();
        let ready = keys.into_iter().map(|(_, key)| Ready::new(db, key, 0));
        self.ready.extend(ready);
    }

    /// The lines of a waiter are to be looked at, from the one behind it on.
    pub(crate) fn make_ready_behind(&mut self, number: Number) {
        let Some(waiter) = self.waiters.get(&number) else { return };
        let (db, from) = (waiter.db, number + 1);
        let ready = waiter.keys.iter().map(|key| Ready::new(db, key, from));
        self.ready.extend(ready);
    }

    /// The lines in which somebody stood who has left are to be looked at.
    pub(crate) fn make_ready_after(&mut self, left: &Waiter) {
        let db = left.db;
        let ready = left.keys.iter().map(|key| Ready::new(db, key, 0));
        self.ready.extend(ready);
    }

    /// The next line that is to be looked at.
    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    /// A line cannot be looked at before a transaction lets keys go. Whether that is new.
    pub(crate) fn postpone(&mut self, ready: &Ready) -> bool {
        let line = self.lines.get_mut(&ready.db).and_then(|lines| lines.get_mut(&ready.key));
        let Some(line) = line else { return false };
        let is_new = line.postponed.is_none();
        line.postponed = Some(line.postponed.map_or(ready.from, |from| from.min(ready.from)));
        is_new
    }

    /// A line that was postponed is to be looked at now, since it is its turn for these keys.
    pub(crate) fn resume(&mut self, db: u32, key: Box<[u8]>, granted: Vec<u64>) {
        let line = self.lines.get_mut(&db).and_then(|lines| lines.get_mut(&key));
        if let Some(from) = line.and_then(|line| line.postponed.take()) {
            self.ready.push_back(Ready { db, key, from, granted });
        }
    }

    /// The wait of a connection of this core thread, which stands on several shards, ends at a
    /// time.
    pub(crate) fn add_deadline(&mut self, until_ms: i64, key: ConnectionKey) {
        self.deadlines.insert((until_ms, Deadline::Apart(key)));
    }

    pub(crate) fn remove_deadline(&mut self, until_ms: i64, key: ConnectionKey) {
        self.deadlines.remove(&(until_ms, Deadline::Apart(key)));
    }

    /// When the next wait ends.
    #[inline]
    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(until_ms, _)| *until_ms)
    }

    /// One whose time is over.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<Deadline> {
        let (until_ms, _) = self.deadlines.first()?;
        if *until_ms > now_ms {
            return None;
        }
        self.deadlines.pop_first().map(|(_, deadline)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use commands::Awaited;
    use datatypes::ObjectType;
    use keyspace::{DatabaseChange, Effects};

    use super::{Lines, Ready, Sought, Who};
    use crate::clients::connections::ConnectionKey;
    use crate::message::Origin;

    #[test]
    fn only_who_awaits_what_the_key_is_comes_next() {
        let lists = Awaited::value(ObjectType::List);
        let awaited =
            [lists, Awaited { when_gone: true, ..Awaited::value(ObjectType::Set) }, lists];
        let mut lines = Lines::default();
        let numbers = [0, 1, 2].map(|place| {
            let connection = ConnectionKey { token: 0, generation: 0 };
            let origin = Origin { home: 0, connection, place };
            let keys = vec![Box::from(&b"k"[..])];
            let sought = Sought { db: 3, keys, awaited: awaited[place as usize] };
            lines.join(origin, sought, Who::Apart { called: false })
        });
        let ready = Ready::new(3, b"k", 0);
        for (held, next) in [
            (Some(ObjectType::List), Some(numbers[0])),
            (Some(ObjectType::Set), Some(numbers[1])),
            (None, Some(numbers[1])),
            (Some(ObjectType::String), None),
        ] {
            assert_eq!(lines.next_in_line(&ready, held), next, "{held:?}");
        }
        let behind = Ready { from: numbers[1], ..ready.clone() };
        assert_eq!(lines.next_in_line(&behind, Some(ObjectType::List)), Some(numbers[2]));
        // Where a database was emptied the key is gone, for whoever waits for that.
        let mut effects = Effects::new();
        effects.database(DatabaseChange::Flushed(3));
        lines.notice(&effects);
        assert_eq!(lines.take_ready(), Some(ready));
    }
}
