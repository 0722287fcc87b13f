//! What one server without shards, crashes or concurrency would answer: the meaning of operations.
//!
//! A state is small and plain, because the judge makes very many of them: each key's value is a
//! number that stands for its text.

use std::collections::HashMap;

use resp::Value as Reply;

use crate::operation::{Key, Operation, Value, text};

/// Keys of a history at most.
pub(crate) const KEYS_MAX: usize = 10;

/// Connections of a history at most.
pub(crate) const SESSIONS_MAX: usize = 24;

/// Stands for the text of a value; [`ABSENT`] for no value.
type Id = u32;

const ABSENT: Id = 0;

/// The server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    values: [Id; KEYS_MAX],
    /// Of each connection a bit for each watched key, and [`BROKEN`] once one was changed.
    watches: [u16; SESSIONS_MAX],
}

const BROKEN: u16 = 1 << 15;

impl State {
    /// An empty server.
    pub(crate) const EMPTY: Self = Self { values: [ABSENT; KEYS_MAX], watches: [0; SESSIONS_MAX] };

    fn set(&mut self, key: Key, value: Id) {
        self.values[key] = value;
        self.touch(key);
    }

    /// Deletes a key; whether it was there.
    fn delete(&mut self, key: Key) -> bool {
        let existed = self.values[key] != ABSENT;
        if existed {
            self.set(key, ABSENT);
        }
        existed
    }

    fn touch(&mut self, key: Key) {
        for watch in self.watches.iter_mut().filter(|watch| **watch & (1 << key) != 0) {
            *watch |= BROKEN;
        }
    }

    fn exists(&self, key: Key) -> bool {
        self.values[key] != ABSENT
    }
}

/// The texts of values, each with its number.
#[derive(Default)]
pub(crate) struct Texts {
    ids: HashMap<Vec<u8>, Id>,
    texts: Vec<Vec<u8>>,
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

/// Does `operation` of `session`. False: `reply` cannot be its answer. Without a reply (it never
/// came) all is fine.
pub(crate) fn apply(
    texts: &mut Texts,
    state: &mut State,
    session: usize,
    operation: &Operation,
    reply: Option<&Reply>,
) -> bool {
    let Operation::Execute(inner) = operation else {
        return apply_one(texts, state, session, operation, reply);
    };
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
        apply_one(texts, state, session, operation, reply)
    })
}

fn apply_one(
    texts: &mut Texts,
    state: &mut State,
    session: usize,
    operation: &Operation,
    reply: Option<&Reply>,
) -> bool {
    match operation {
        Operation::Watch(keys) => {
            keys.iter().for_each(|key| state.watches[session] |= 1 << key);
            is_okay(reply)
        }
        Operation::Unwatch => {
            state.watches[session] = 0;
            is_okay(reply)
        }
        Operation::Rename(..) | Operation::RenameIfNone(..) | Operation::Copy { .. } => {
            transfer(state, operation, reply)
        }
        _ if operation.is_read() => read(texts, state, operation, reply),
        _ => write(texts, state, operation, reply),
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
fn read(texts: &Texts, state: &State, operation: &Operation, reply: Option<&Reply>) -> bool {
    match operation {
        Operation::Get(key) => reply.is_none_or(|it| texts.is(it, state.values[*key])),
        Operation::GetMany(keys) => reply.is_none_or(|it| {
            let Some(replies) = it.as_array() else { return false };
            let same = |(reply, key): (&Reply, &Key)| texts.is(reply, state.values[*key]);
            replies.len() == keys.len() && replies.iter().zip(keys).all(same)
        }),
        Operation::Exists(keys) => {
            is_integer(reply, keys.iter().filter(|key| state.exists(**key)).count())
        }
        Operation::Count => {
            is_integer(reply, (0..KEYS_MAX).filter(|key| state.exists(*key)).count())
        }
        other => unreachable!("{other:?} is no read"),
    }
}

/// Operations that change the keys they name, each for itself.
fn write(
    texts: &mut Texts,
    state: &mut State,
    operation: &Operation,
    reply: Option<&Reply>,
) -> bool {
    match operation {
        Operation::Set(key, value) => {
            set_many(texts, state, &[(*key, *value)]);
            is_okay(reply)
        }
        Operation::GetSet(key, value) => {
            let before = state.values[*key];
            set_many(texts, state, &[(*key, *value)]);
            reply.is_none_or(|it| texts.is(it, before))
        }
        Operation::Increment(key) => {
            let number = match state.values[*key] {
                ABSENT => Some(0),
                id => std::str::from_utf8(texts.get(id)).ok().and_then(|it| it.parse::<i64>().ok()),
            };
            let Some(number) = number else { return is_failure(reply, "not an integer") };
            let next = texts.id((number + 1).to_string().as_bytes());
            state.set(*key, next);
            is_integer(reply, (number + 1) as usize)
        }
        Operation::Append(key, value) => {
            let mut whole = texts.get(state.values[*key]).to_vec();
            whole.extend_from_slice(text(*value).as_bytes());
            state.set(*key, texts.id(&whole));
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
        Operation::FlushAll => {
            for key in 0..KEYS_MAX {
                state.delete(key);
            }
            is_okay(reply)
        }
        other => unreachable!("{other:?} is no plain write"),
    }
}

/// Operations that carry a value from one key to another.
fn transfer(state: &mut State, operation: &Operation, reply: Option<&Reply>) -> bool {
    match operation {
        Operation::Rename(from, to) => {
            let Some(value) = take(state, *from, *to) else {
                return is_failure(reply, "no such key");
            };
            state.set(*to, value);
            is_okay(reply)
        }
        Operation::RenameIfNone(from, to) => {
            if !state.exists(*from) {
                return is_failure(reply, "no such key");
            }
            if state.exists(*to) {
                return is_integer(reply, 0);
            }
            if let Some(value) = take(state, *from, *to) {
                state.set(*to, value);
            }
            is_integer(reply, 1)
        }
        Operation::Copy { from, to, replace } => {
            let copied = state.exists(*from) && (*replace || !state.exists(*to));
            if copied {
                state.set(*to, state.values[*from]);
            }
            is_integer(reply, usize::from(copied))
        }
        other => unreachable!("{other:?} carries nothing"),
    }
}

fn set_many(texts: &mut Texts, state: &mut State, pairs: &[(Key, Value)]) {
    for (key, value) in pairs {
        let value = texts.id(text(*value).as_bytes());
        state.set(*key, value);
    }
}

/// Takes the value of a key that is to be renamed.
fn take(state: &mut State, from: Key, to: Key) -> Option<Id> {
    let value = Some(state.values[from]).filter(|value| *value != ABSENT)?;
    if from != to {
        state.delete(from);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(operations: &[(usize, Operation, Option<Reply>)]) -> Vec<bool> {
        let (mut texts, mut state) = (Texts::default(), State::EMPTY);
        let run = |(session, operation, reply): &(usize, Operation, Option<Reply>)| {
            apply(&mut texts, &mut state, *session, operation, reply.as_ref())
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
