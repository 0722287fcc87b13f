//! What a client can ask for: one operation is one step of the history, and one command, or
//! several that make one step (MULTI to EXEC).
//!
//! A new operation is added here (its words), in `model.rs` (its meaning), and in the table of
//! `mix.rs` (how often it is drawn).

/// Names a key: an index into [`crate::plan::Plan::keys`].
pub(crate) type Key = usize;

/// A database: 0 or 1.
pub(crate) type Database = usize;

/// A value that no other operation of the history writes: `v17`.
pub(crate) type Value = u32;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get(Key),
    Set(Key, Value),
    /// SET with an expiry, so many milliseconds from now.
    SetExpiring(Key, Value, u32),
    /// PEXPIRE: so many milliseconds from now.
    Expire(Key, u32),
    Persist(Key),
    GetSet(Key, Value),
    Increment(Key),
    Append(Key, Value),
    GetMany(Vec<Key>),
    SetMany(Vec<(Key, Value)>),
    SetManyIfNone(Vec<(Key, Value)>),
    Delete(Vec<Key>),
    Exists(Vec<Key>),
    /// DBSIZE.
    Count,
    FlushAll,
    FlushDatabase,
    Select(Database),
    /// SWAPDB 0 1.
    Swap,
    Move(Key, Database),
    Rename(Key, Key),
    RenameIfNone(Key, Key),
    Copy {
        from: Key,
        to: Key,
        /// `None`: in the database of the connection.
        database: Option<Database>,
        replace: bool,
    },
    /// BTAKE: the first of these keys that is there, or wait for one.
    Take {
        keys: Vec<Key>,
        /// 0: for ever.
        timeout_ms: u32,
    },
    /// BMOVE: rename a key, or wait for it.
    TakeOver {
        from: Key,
        to: Key,
        timeout_ms: u32,
    },
    Watch(Vec<Key>),
    Unwatch,
    /// MULTI, these, EXEC.
    Execute(Vec<Self>),
}

/// The text of a value.
pub(crate) fn text(value: Value) -> String {
    format!("v{value}")
}

/// A timeout as commands take it.
fn seconds(timeout_ms: u32) -> String {
    (f64::from(timeout_ms) / 1000.0).to_string()
}

impl Operation {
    /// Its commands, each with its words. Every command has one reply; the last one's is the
    /// operation's.
    pub(crate) fn commands(&self, keys: &[String]) -> Vec<Vec<String>> {
        let Self::Execute(inner) = self else { return vec![self.words(keys)] };
        let mut commands = vec![vec!["MULTI".to_owned()]];
        commands.extend(inner.iter().map(|it| it.words(keys)));
        commands.push(vec!["EXEC".to_owned()]);
        commands
    }

    fn words(&self, keys: &[String]) -> Vec<String> {
        let name = |name: &str| vec![name.to_owned()];
        let key = |at: &Key| keys[*at].clone();
        let many = |command: &str, of: &[Key]| {
            name(command).into_iter().chain(of.iter().map(key)).collect::<Vec<_>>()
        };
        let pairs = |command: &str, of: &[(Key, Value)]| {
            let words = of.iter().flat_map(|(at, value)| [key(at), text(*value)]);
            name(command).into_iter().chain(words).collect::<Vec<_>>()
        };
        match self {
            Self::Get(at) => many("GET", &[*at]),
            Self::Set(at, value) => pairs("SET", &[(*at, *value)]),
            Self::SetExpiring(at, value, ms) => {
                let mut words = pairs("SET", &[(*at, *value)]);
                words.extend(["PX".to_owned(), ms.to_string()]);
                words
            }
            Self::Expire(at, ms) => vec!["PEXPIRE".to_owned(), key(at), ms.to_string()],
            Self::Persist(at) => many("PERSIST", &[*at]),
            Self::GetSet(at, value) => pairs("GETSET", &[(*at, *value)]),
            Self::Increment(at) => many("INCR", &[*at]),
            Self::Append(at, value) => pairs("APPEND", &[(*at, *value)]),
            Self::GetMany(of) => many("MGET", of),
            Self::SetMany(of) => pairs("MSET", of),
            Self::SetManyIfNone(of) => pairs("MSETNX", of),
            Self::Delete(of) => many("DEL", of),
            Self::Exists(of) => many("EXISTS", of),
            Self::Count => name("DBSIZE"),
            Self::FlushAll => name("FLUSHALL"),
            Self::Rename(from, to) => many("RENAME", &[*from, *to]),
            Self::RenameIfNone(from, to) => many("RENAMENX", &[*from, *to]),
            Self::FlushDatabase => name("FLUSHDB"),
            Self::Select(database) => vec!["SELECT".to_owned(), database.to_string()],
            Self::Swap => ["SWAPDB", "0", "1"].map(str::to_owned).to_vec(),
            Self::Move(at, database) => {
                vec!["MOVE".to_owned(), key(at), database.to_string()]
            }
            Self::Copy { from, to, database, replace } => {
                let mut words = many("COPY", &[*from, *to]);
                if let Some(database) = database {
                    words.extend(["DB".to_owned(), database.to_string()]);
                }
                if *replace {
                    words.push("REPLACE".to_owned());
                }
                words
            }
            Self::Take { keys, timeout_ms } => {
                let mut words = many("BTAKE", keys);
                words.push(seconds(*timeout_ms));
                words
            }
            Self::TakeOver { from, to, timeout_ms } => {
                let mut words = many("BMOVE", &[*from, *to]);
                words.push(seconds(*timeout_ms));
                words
            }
            Self::Watch(of) => many("WATCH", of),
            Self::Unwatch => name("UNWATCH"),
            Self::Execute(_) => unreachable!("transactions do not nest"),
        }
    }

    /// Whether it changes nothing, neither keys nor what its connection watches or has selected.
    pub(crate) fn is_plain_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::GetMany(_) | Self::Exists(_) | Self::Count)
    }

    /// Whether it changes no key, whatever it finds.
    pub(crate) fn is_read(&self) -> bool {
        match self {
            Self::Watch(_) | Self::Unwatch | Self::Select(_) => true,
            Self::Execute(inner) => inner.iter().all(Self::is_read),
            _ => self.is_plain_read(),
        }
    }

    /// How long it may wait for keys (0: for ever); `None`: it does not wait.
    pub(crate) fn timeout_ms(&self) -> Option<u32> {
        match self {
            Self::Take { timeout_ms, .. } | Self::TakeOver { timeout_ms, .. } => Some(*timeout_ms),
            _ => None,
        }
    }

    /// Adds the values that it writes.
    pub(crate) fn values(&self, values: &mut Vec<Value>) {
        match self {
            Self::Set(_, value)
            | Self::SetExpiring(_, value, _)
            | Self::GetSet(_, value)
            | Self::Append(_, value) => values.push(*value),
            Self::SetMany(pairs) | Self::SetManyIfNone(pairs) => {
                values.extend(pairs.iter().map(|(_, value)| *value));
            }
            Self::Execute(inner) => inner.iter().for_each(|operation| operation.values(values)),
            _ => {}
        }
    }

    /// Whether it carries a value from one key to another.
    pub(crate) fn is_transfer(&self) -> bool {
        matches!(
            self,
            Self::Rename(..) | Self::RenameIfNone(..) | Self::Copy { .. } | Self::Move(..)
        )
    }

    /// Its commands as one line, for people.
    pub(crate) fn line(&self, keys: &[String]) -> String {
        let commands = self.commands(keys);
        commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join("; ")
    }
}
