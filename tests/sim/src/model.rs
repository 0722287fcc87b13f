//! What one server without shards, crashes or concurrency would answer: the meaning of operations.
//!
//! A state is small and plain, because the judge makes very many of them: each key's value is a
//! number that stands for its text.

mod expiry;
mod transfer;
mod waiting;

use resp::Value as Reply;

pub(crate) use self::expiry::Choices;
use self::expiry::{MomentId, Moments, NO_MOMENT};
use crate::hash::Map;
use crate::history::Span;
use crate::operation::{Database, Key, Operation, Value, text};

/// Keys of a history at most.
pub(crate) const KEYS_MAX: usize = 10;

/// Connections of a history at most.
pub(crate) const SESSIONS_MAX: usize = 24;

/// Stands for the text of a value; [`ABSENT`] for no value.
type Id = u32;

const ABSENT: Id = 0;

/// Databases that operations use.
const DATABASES: usize = 2;

/// The server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    values: [[Id; KEYS_MAX]; DATABASES],
    /// When keys expire.
    moments: [[MomentId; KEYS_MAX]; DATABASES],
    /// Keys, as [`watch_bit`] says them, that were found to be past their moment. Not all who find that
    /// remove them (WATCH does not), or need to look (RENAMENX without a source): until they are set
    /// or flushed, DBSIZE may count them.
    ghosts: u32,
    /// Of each connection a bit for each watched key of each database, and [`BROKEN`] once one was
    /// changed.
    watches: [u32; SESSIONS_MAX],
    /// The database that each connection has selected.
    selected: [u8; SESSIONS_MAX],
}

const BROKEN: u32 = 1 << 31;

/// A key of a database, as one bit of [`State::watches`].
const fn watch_bit(database: Database, key: Key) -> u32 {
    1 << (database * KEYS_MAX + key)
}

impl State {
    /// An empty server.
    pub(crate) const EMPTY: Self = Self {
        values: [[ABSENT; KEYS_MAX]; DATABASES],
        moments: [[NO_MOMENT; KEYS_MAX]; DATABASES],
        ghosts: 0,
        watches: [0; SESSIONS_MAX],
        selected: [0; SESSIONS_MAX],
    };

    /// What a connection sees: the database that it has selected.
    fn view(&mut self, session: usize) -> View<'_> {
        let database = usize::from(self.selected[session]);
        View { state: self, database }
    }

    /// The texts that keys have, as [`Texts::nth`] counts them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = usize> {
        self.values.iter().flatten().filter_map(|id| (*id as usize).checked_sub(1))
    }

    fn touch(&mut self, database: Database, key: Key) {
        let bit = watch_bit(database, key);
        for watch in self.watches.iter_mut().filter(|watch| **watch & bit != 0) {
            *watch |= BROKEN;
        }
    }

    /// Exchanges the databases: a watched key was touched if it is in either.
    fn swap(&mut self) {
        for key in 0..KEYS_MAX {
            if self.values.iter().any(|values| values[key] != ABSENT) {
                (0..DATABASES).for_each(|database| self.touch(database, key));
            }
        }
        self.values.swap(0, 1);
        self.moments.swap(0, 1);
        let first = watch_bit(1, 0) - 1;
        self.ghosts = self.ghosts >> KEYS_MAX | (self.ghosts & first) << KEYS_MAX;
    }
}

/// One database of a state.
struct View<'a> {
    state: &'a mut State,
    database: Database,
}

impl View<'_> {
    fn get(&self, key: Key) -> Id {
        self.state.values[self.database][key]
    }

    fn moment(&self, key: Key) -> MomentId {
        self.state.moments[self.database][key]
    }

    /// Sets a key, which then does not expire.
    fn set(&mut self, key: Key, value: Id) {
        self.put(key, value, NO_MOMENT);
    }

    /// Changes the value of a key, which expires when it did.
    fn change(&mut self, key: Key, value: Id) {
        self.put(key, value, self.moment(key));
    }

    fn put(&mut self, key: Key, value: Id, moment: MomentId) {
        let (state, database) = (&mut *self.state, self.database);
        state.values[database][key] = value;
        state.moments[database][key] = moment;
        state.ghosts &= !watch_bit(database, key);
        state.touch(database, key);
    }

    /// Takes a key's value and moment to another key.
    fn carry(&mut self, from: Key, to: Key) {
        let (value, moment) = (self.get(from), self.moment(from));
        self.delete(from);
        self.put(to, value, moment);
    }

    /// Deletes a key; whether it was there.
    fn delete(&mut self, key: Key) -> bool {
        let existed = self.exists(key);
        if existed {
            self.set(key, ABSENT);
        }
        existed
    }

    fn flush(&mut self) {
        for key in 0..KEYS_MAX {
            self.delete(key);
            self.state.ghosts &= !watch_bit(self.database, key);
        }
    }

    fn exists(&self, key: Key) -> bool {
        self.get(key) != ABSENT
    }

    /// Another database of the same state.
    fn other(&mut self, database: Database) -> View<'_> {
        View { state: self.state, database }
    }
}

/// An operation of a connection.
pub(crate) struct Ask<'a> {
    pub(crate) session: usize,
    pub(crate) operation: &'a Operation,
    /// `None`: it never came, or says nothing.
    pub(crate) reply: Option<&'a Reply>,
    /// When the server looked at the clock for it.
    pub(crate) span: Span,
}

/// The texts of values, each with its number; and the moments at which keys expire.
#[derive(Default)]
pub(crate) struct Texts {
    moments: Moments,
    ids: Map<Vec<u8>, Id>,
    texts: Vec<Vec<u8>>,
    /// By value, the number of its text; [`ABSENT`]: not asked for yet.
    values: Vec<Id>,
}

impl Texts {
    fn id(&mut self, text: &[u8]) -> Id {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        self.texts.push(text.to_vec());
        let id = self.texts.len() as Id;
        self.ids.insert(text.to_vec(), id);
        id
    }

    /// The number of a value's text.
    fn value(&mut self, value: Value) -> Id {
        let at = value as usize;
        if self.values.len() <= at {
            self.values.resize(at + 1, ABSENT);
        }
        if self.values[at] == ABSENT {
            self.values[at] = self.id(text(value).as_bytes());
        }
        self.values[at]
    }

    /// The texts in the order in which they came up, counted from 0.
    pub(crate) fn nth(&self, at: usize) -> Option<&[u8]> {
        self.texts.get(at).map(Vec::as_slice)
    }

    fn get(&self, id: Id) -> &[u8] {
        id.checked_sub(1).map_or(b"", |at| &self.texts[at as usize])
    }

    /// Whether `reply` says what this value is.
    fn is(&self, reply: &Reply, id: Id) -> bool {
        match reply {
            Reply::Null => id == ABSENT,
            Reply::Bulk(bytes) => id != ABSENT && bytes == self.get(id),
            _ => false,
        }
    }
}

/// Does what is asked, with keys expiring as `choices` says. False: the reply cannot be the answer.
/// Without a reply all is fine.
pub(crate) fn apply(
    texts: &mut Texts,
    state: &mut State,
    ask: &Ask<'_>,
    choices: &mut Choices,
) -> bool {
    let Ask { session, operation, reply, span } = *ask;
    let Operation::Execute(inner) = operation else {
        return apply_one(texts, state, ask, choices);
    };
    state.look_at_watched(session, &texts.moments, span, choices);
    let broken = state.watches[session] & BROKEN != 0;
    state.watches[session] = 0;
    if broken {
        return reply.is_none_or(|reply| *reply == Reply::Null);
    }
    let replies = match reply {
        None => None,
        Some(Reply::Array(replies)) if replies.len() == inner.len() => Some(replies),
        Some(_) => return false,
    };
    inner.iter().enumerate().all(|(at, operation)| {
        let reply = replies.map(|replies| &replies[at]);
        apply_one(texts, state, &Ask { session, operation, reply, span }, choices)
    })
}

/// What an operation may do to its session though nothing of what it did to keys was kept. Of one
/// that is not known to have run at all, nothing later of its connection ran either.
pub(crate) fn pass_over(states: &mut Vec<State>, session: usize, operation: &Operation) {
    match operation {
        Operation::Select(database) => {
            states.iter_mut().for_each(|state| state.selected[session] = *database as u8);
        }
        Operation::Unwatch => states.iter_mut().for_each(|state| state.watches[session] = 0),
        Operation::Execute(inner) => {
            states.iter_mut().for_each(|state| state.watches[session] = 0);
            let select = inner.iter().rev().find_map(|operation| match operation {
                Operation::Select(database) => Some(*database as u8),
                _ => None,
            });
            // It may not have run for a watched key that had changed, in memory only.
            if let Some(database) = select {
                let mut ran = states.clone();
                ran.iter_mut().for_each(|state| state.selected[session] = database);
                states.append(&mut ran);
            }
        }
        _ => {}
    }
}

fn apply_one(texts: &mut Texts, state: &mut State, ask: &Ask<'_>, choices: &mut Choices) -> bool {
    let Ask { session, operation, reply, span } = *ask;
    let database = usize::from(state.selected[session]);
    state.look(database, operation, (&texts.moments, span), choices);
    match operation {
        Operation::Watch(keys) => {
            keys.iter().for_each(|key| state.watches[session] |= watch_bit(database, *key));
            is_okay(reply)
        }
        Operation::Unwatch => {
            state.watches[session] = 0;
            is_okay(reply)
        }
        Operation::Select(database) => {
            state.selected[session] = *database as u8;
            is_okay(reply)
        }
        Operation::Swap => {
            state.swap();
            is_okay(reply)
        }
        Operation::FlushAll => {
            (0..DATABASES).for_each(|database| View { state, database }.flush());
            is_okay(reply)
        }
        Operation::Count => {
            let counts = state.view(session).counts(&texts.moments, span);
            let count = |it: &Reply| it.as_integer().and_then(|it| usize::try_from(it).ok());
            reply.is_none_or(|it| count(it).is_some_and(|it| counts.contains(&it)))
        }
        Operation::SetExpiring(..) | Operation::Expire(..) | Operation::Persist(_) => {
            expiry::set(texts, &mut state.view(session), ask)
        }
        _ if operation.is_read() => read(texts, &state.view(session), operation, reply),
        _ if operation.timeout_ms().is_some() => {
            waiting::wait(texts, &mut state.view(session), operation, reply)
        }
        _ if operation.is_transfer() => {
            transfer::transfer(&mut state.view(session), operation, reply)
        }
        _ => write(texts, &mut state.view(session), operation, reply),
    }
}

fn is_integer(reply: Option<&Reply>, number: usize) -> bool {
    reply.is_none_or(|it| it.as_integer() == Some(number as i64))
}

fn is_okay(reply: Option<&Reply>) -> bool {
    reply.is_none_or(|it| it.as_str() == Some("OK"))
}

fn is_failure(reply: Option<&Reply>, text: &str) -> bool {
    reply.is_none_or(|it| it.as_error().is_some_and(|it| it.contains(text)))
}

/// Operations that change nothing.
fn read(texts: &Texts, state: &View<'_>, operation: &Operation, reply: Option<&Reply>) -> bool {
    match operation {
        Operation::Get(key) => reply.is_none_or(|it| texts.is(it, state.get(*key))),
        Operation::GetMany(keys) => reply.is_none_or(|it| {
            let Some(replies) = it.as_array() else { return false };
            let same = |(reply, key): (&Reply, &Key)| texts.is(reply, state.get(*key));
            replies.len() == keys.len() && replies.iter().zip(keys).all(same)
        }),
        Operation::Exists(keys) => {
            is_integer(reply, keys.iter().filter(|key| state.exists(**key)).count())
        }
        other => unreachable!("{other:?} is no read"),
    }
}

/// Operations that change the keys they name, each for itself.
fn write(
    texts: &mut Texts,
    state: &mut View<'_>,
    operation: &Operation,
    reply: Option<&Reply>,
) -> bool {
    match operation {
        Operation::Set(key, value) => {
            set_many(texts, state, &[(*key, *value)]);
            is_okay(reply)
        }
        Operation::GetSet(key, value) => {
            let before = state.get(*key);
            set_many(texts, state, &[(*key, *value)]);
            reply.is_none_or(|it| texts.is(it, before))
        }
        Operation::Increment(key) => {
            let number = match state.get(*key) {
                ABSENT => Some(0),
                id => std::str::from_utf8(texts.get(id)).ok().and_then(|it| it.parse::<i64>().ok()),
            };
            let Some(number) = number else { return is_failure(reply, "not an integer") };
            let next = texts.id((number + 1).to_string().as_bytes());
            state.change(*key, next);
            is_integer(reply, (number + 1) as usize)
        }
        Operation::Append(key, value) => {
            let mut whole = texts.get(state.get(*key)).to_vec();
            whole.extend_from_slice(text(*value).as_bytes());
            state.change(*key, texts.id(&whole));
            is_integer(reply, whole.len())
        }
        Operation::SetMany(pairs) => {
            set_many(texts, state, pairs);
            is_okay(reply)
        }
        Operation::SetManyIfNone(pairs) => {
            let free = pairs.iter().all(|(key, _)| !state.exists(*key));
            if free {
                set_many(texts, state, pairs);
            }
            is_integer(reply, usize::from(free))
        }
        Operation::Delete(keys) => {
            is_integer(reply, keys.iter().filter(|key| state.delete(**key)).count())
        }
        Operation::FlushDatabase => {
            state.flush();
            is_okay(reply)
        }
        other => unreachable!("{other:?} is no plain write"),
    }
}

fn set_many(texts: &mut Texts, state: &mut View<'_>, pairs: &[(Key, Value)]) {
    for (key, value) in pairs {
        let value = texts.value(*value);
        state.set(*key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(operations: &[(usize, Operation, Option<Reply>)]) -> Vec<bool> {
        let (mut texts, mut state) = (Texts::default(), State::EMPTY);
        let run = |(session, operation, reply): &(usize, Operation, Option<Reply>)| {
            let (session, reply) = (*session, reply.as_ref());
            let ask = Ask { session, operation, reply, span: Span::ALWAYS };
            apply(&mut texts, &mut state, &ask, &mut Choices::default())
        };
        operations.iter().map(run).collect()
    }

    fn bulk(text: &str) -> Option<Reply> {
        Some(Reply::Bulk(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_key_has_what_was_last_written() {
        let fine = run(&[
            (0, Operation::Set(0, 7), Some(Reply::Simple("OK".into()))),
            (1, Operation::Append(0, 8), Some(Reply::Integer(4))),
            (0, Operation::Get(0), bulk("v7v8")),
            (0, Operation::Get(0), bulk("v7")),
            (0, Operation::Increment(0), Some(Reply::Error("ERR value is not an integer".into()))),
            (0, Operation::Increment(1), Some(Reply::Integer(1))),
            (0, Operation::Rename(0, 1), None),
            (
                0,
                Operation::GetMany(vec![0, 1]),
                Some(Reply::Array(vec![Reply::Null, bulk("v7v8").unwrap_or(Reply::Null)])),
            ),
            (0, Operation::Count, Some(Reply::Integer(1))),
        ]);
        assert_eq!(fine, [true, true, true, false, true, true, true, true, true]);
    }

    #[test]
    fn a_watch_is_broken_by_a_change_and_by_nothing_else() {
        let execute = || Operation::Execute(vec![Operation::Set(1, 5)]);
        let done = Some(Reply::Array(vec![Reply::Simple("OK".into())]));
        let fine = run(&[
            (0, Operation::Watch(vec![0]), None),
            (1, Operation::Delete(vec![0]), Some(Reply::Integer(0))),
            (0, execute(), done.clone()),
            (0, Operation::Watch(vec![0]), None),
            (1, Operation::Set(0, 9), None),
            (0, execute(), Some(Reply::Null)),
            (0, execute(), done.clone()),
            (0, Operation::Watch(vec![0]), None),
            (1, Operation::FlushAll, None),
            (0, execute(), done),
        ]);
        assert_eq!(fine, [true, true, true, true, true, true, true, true, true, false]);
    }
}
