//! Which operations clients are given, and how often.

use std::collections::VecDeque;

use testing::Random;

use crate::operation::{Key, Operation, Value};

/// Kinds of operations that are drawn besides the usual ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mix {
    /// RENAME, RENAMENX, COPY, MSETNX.
    pub(crate) dependent: bool,
    /// MULTI, EXEC, WATCH.
    pub(crate) transactions: bool,
    /// SELECT, MOVE, SWAPDB, FLUSHDB, COPY to another database.
    pub(crate) databases: bool,
    /// Commands that wait for keys.
    pub(crate) waiting: bool,
    /// SET with an expiry, PEXPIRE, PERSIST.
    pub(crate) expiring: bool,
}

impl Mix {
    /// All kinds.
    pub(crate) const ALL: Self = Self {
        dependent: true,
        transactions: true,
        databases: true,
        waiting: true,
        expiring: true,
    };
}

/// Draws operations whose values are unique.
pub(crate) struct Writer {
    kinds: Vec<Kind>,
    mix: Mix,
    keys: usize,
    last_value: Value,
    /// What comes next, whatever would be drawn: the rest of a story.
    story: VecDeque<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Get,
    Set,
    GetSet,
    Increment,
    Append,
    GetMany,
    SetMany,
    Delete,
    Exists,
    Count,
    FlushAll,
    SetManyIfNone,
    Rename,
    RenameIfNone,
    Copy,
    FlushDatabase,
    Select,
    Swap,
    Move,
    Watch,
    Unwatch,
    Execute,
    Take,
    TakeOver,
    SetExpiring,
    Expire,
    Persist,
}

/// How often each is drawn, of the sum.
const USUAL: &[(Kind, usize)] = &[
    (Kind::Get, 20),
    (Kind::Set, 20),
    (Kind::GetSet, 4),
    (Kind::Increment, 8),
    (Kind::Append, 6),
    (Kind::GetMany, 12),
    (Kind::SetMany, 14),
    (Kind::Delete, 5),
    (Kind::Exists, 3),
    (Kind::Count, 2),
    (Kind::FlushAll, 1),
];

const DEPENDENT: &[(Kind, usize)] =
    &[(Kind::SetManyIfNone, 5), (Kind::Rename, 8), (Kind::RenameIfNone, 4), (Kind::Copy, 8)];

const TRANSACTIONS: &[(Kind, usize)] = &[(Kind::Watch, 6), (Kind::Unwatch, 1), (Kind::Execute, 20)];

const DATABASES: &[(Kind, usize)] =
    &[(Kind::Select, 5), (Kind::Move, 3), (Kind::Swap, 2), (Kind::FlushDatabase, 1)];

const WAITING: &[(Kind, usize)] = &[(Kind::Take, 7), (Kind::TakeOver, 4)];

const EXPIRING: &[(Kind, usize)] =
    &[(Kind::SetExpiring, 10), (Kind::Expire, 6), (Kind::Persist, 1)];

/// How long keys live that expire, in milliseconds: most of them for about as long as some steps
/// take, so that their moments come between any two of these.
const LIVES_MS: &[u32] = &[1, 1, 1, 2, 2, 4, 20, 300, 60_000];

/// How long commands wait, in milliseconds: some for ever.
const TIMEOUTS_MS: &[u32] = &[0, 0, 1, 50, 300];

/// Commands of a transaction at most.
const EXECUTE_MAX: usize = 4;

impl Writer {
    pub(crate) fn new(mix: Mix, keys: usize) -> Self {
        let dependent = if mix.dependent { DEPENDENT } else { &[] };
        let transactions = if mix.transactions { TRANSACTIONS } else { &[] };
        let databases = if mix.databases { DATABASES } else { &[] };
        let waiting = if mix.waiting { WAITING } else { &[] };
        let weighted = USUAL.iter().chain(dependent).chain(transactions).chain(databases);
        let expiring = if mix.expiring { EXPIRING } else { &[] };
        let weighted = weighted.chain(waiting).chain(expiring);
        let kinds = weighted.flat_map(|(kind, times)| std::iter::repeat_n(*kind, *times));
        Self { kinds: kinds.collect(), mix, keys, last_value: 0, story: VecDeque::new() }
    }

    /// What is drawn next is another connection's.
    pub(crate) fn begin_session(&mut self) {
        self.story.clear();
    }

    /// The next operation.
    pub(crate) fn draw(&mut self, random: &mut Random) -> Operation {
        if let Some(next) = self.story.pop_front() {
            return next;
        }
        match *random.pick(&self.kinds) {
            Kind::Watch => self.begin_story(random),
            kind => self.of(kind, random),
        }
    }

    /// A WATCH and what gives it a meaning: drawn one by one these would hardly ever meet. The rest
    /// of it comes next.
    fn begin_story(&mut self, random: &mut Random) -> Operation {
        let Operation::Watch(keys) = self.of(Kind::Watch, random) else { unreachable!("as asked") };
        let key = keys[0];
        if self.mix.databases && random.one_in(3) {
            self.story.push_back(Operation::Select(random.below(2)));
        }
        match random.below(4) {
            0 => self.story.push_back(Operation::Set(key, self.last_value + 1)),
            1 | 2 if self.mix.expiring => {
                let ms = *random.pick(LIVES_MS);
                self.story.push_back(Operation::SetExpiring(key, self.last_value + 1, ms));
            }
            _ => {}
        }
        self.last_value += 1;
        self.story.push_back(Operation::Watch(keys));
        if random.one_in(2) {
            self.story.push_back(Operation::Get(key));
        }
        if random.one_in(3) {
            let kind = if self.mix.databases { Kind::Swap } else { Kind::Set };
            let between = self.of(kind, random);
            self.story.push_back(between);
        }
        let execute = self.of(Kind::Execute, random);
        self.story.push_back(execute);
        self.story.pop_front().unwrap_or(Operation::Unwatch)
    }

    fn of(&mut self, kind: Kind, random: &mut Random) -> Operation {
        let key = self.key(random);
        match kind {
            Kind::Get => Operation::Get(key),
            Kind::Set => Operation::Set(key, self.value()),
            Kind::GetSet => Operation::GetSet(key, self.value()),
            Kind::Increment => Operation::Increment(self.counter(random)),
            Kind::Append => Operation::Append(key, self.value()),
            Kind::GetMany => Operation::GetMany(self.some(random)),
            Kind::SetMany => Operation::SetMany(self.pairs(random)),
            Kind::Delete => Operation::Delete(self.some(random)),
            Kind::Exists => Operation::Exists(self.some(random)),
            Kind::Count => Operation::Count,
            Kind::FlushAll => Operation::FlushAll,
            Kind::SetManyIfNone => Operation::SetManyIfNone(self.pairs(random)),
            Kind::Rename | Kind::RenameIfNone | Kind::Copy => {
                let two = random.sample(2, self.keys);
                let (from, to) = (two[0], two[1]);
                match kind {
                    Kind::Rename => Operation::Rename(from, to),
                    Kind::RenameIfNone => Operation::RenameIfNone(from, to),
                    _ => {
                        let elsewhere = self.mix.databases && random.one_in(3);
                        let database = elsewhere.then(|| random.below(2));
                        Operation::Copy { from, to, database, replace: random.one_in(2) }
                    }
                }
            }
            Kind::FlushDatabase => Operation::FlushDatabase,
            Kind::Select => Operation::Select(random.below(2)),
            Kind::Swap => Operation::Swap,
            Kind::Move => Operation::Move(key, random.below(2)),
            Kind::Take => {
                Operation::Take { keys: self.some(random), timeout_ms: *random.pick(TIMEOUTS_MS) }
            }
            Kind::TakeOver => {
                let two = random.sample(2, self.keys);
                let timeout_ms = *random.pick(TIMEOUTS_MS);
                Operation::TakeOver { from: two[0], to: two[1], timeout_ms }
            }
            Kind::SetExpiring => Operation::SetExpiring(key, self.value(), *random.pick(LIVES_MS)),
            Kind::Expire => {
                // Of counters, too: one that begins anew must not go on after a crash.
                let key = if random.one_in(2) { self.counter(random) } else { key };
                Operation::Expire(key, *random.pick(LIVES_MS))
            }
            Kind::Persist => Operation::Persist(key),
            Kind::Watch => Operation::Watch(self.some(random)),
            Kind::Unwatch => Operation::Unwatch,
            Kind::Execute => {
                let count = random.between(1, EXECUTE_MAX);
                let mut inner = Vec::with_capacity(count);
                while inner.len() < count {
                    let kind = *random.pick(&self.kinds);
                    if !matches!(kind, Kind::Watch | Kind::Unwatch | Kind::Execute) {
                        inner.push(self.of(kind, random));
                    }
                }
                // Then it runs at home, command by command.
                if self.mix.databases && random.one_in(4) {
                    inner.insert(random.below(count + 1), Operation::Select(random.below(2)));
                }
                Operation::Execute(inner)
            }
        }
    }

    /// Any key, one of them more often.
    fn key(&self, random: &mut Random) -> Key {
        if random.one_in(3) { 0 } else { random.below(self.keys) }
    }

    /// Keys that mostly hold numbers: the last ones.
    fn counter(&self, random: &mut Random) -> Key {
        self.keys - 1 - random.below(self.keys.div_ceil(3))
    }

    fn value(&mut self) -> Value {
        self.last_value += 1;
        self.last_value
    }

    fn some(&self, random: &mut Random) -> Vec<Key> {
        let count = random.between(1, 4);
        random.sample(count, self.keys)
    }

    fn pairs(&mut self, random: &mut Random) -> Vec<(Key, Value)> {
        let count = random.between(2, 4);
        random.sample(count, self.keys).into_iter().map(|key| (key, self.value())).collect()
    }
}
