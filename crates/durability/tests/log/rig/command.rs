//! What the rig's clients can ask for, and which shard a key lives on.

use std::collections::BTreeMap;

use durability::Record;

/// What a keyspace holds: database and key to the writes it got, oldest first.
pub(crate) type State = BTreeMap<(u32, String), Vec<u64>>;

/// One command for one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Push {
        db: u32,
        key: String,
        write: u64,
    },
    /// The second key gets what the first has: keys of one shard, when it runs.
    Copy {
        db: u32,
        from: String,
        to: String,
    },
    FlushAll,
    FlushDb(u32),
    SwapDb(u32, u32),
}

impl Command {
    pub(super) fn keys(&self) -> Vec<&str> {
        match self {
            Self::Push { key, .. } => vec![key],
            Self::Copy { from, to, .. } => vec![from, to],
            Self::FlushAll | Self::FlushDb(_) | Self::SwapDb(..) => Vec::new(),
        }
    }

    pub(super) fn record(&self) -> (u32, Vec<u8>) {
        match self {
            Self::Push { db, key, write } => (*db, encode(&["RPUSH", key, &write.to_string()])),
            Self::Copy { db, from, to } => (*db, encode(&["COPY", from, to])),
            Self::FlushAll => (0, encode(&["flushall", "ASYNC"])),
            Self::FlushDb(db) => (*db, encode(&["FLUSHDB"])),
            Self::SwapDb(a, b) => (0, encode(&["SWAPDB", &a.to_string(), &b.to_string()])),
        }
    }

    pub(crate) fn parse(record: &Record<'_>) -> Result<Self, String> {
        let arguments: Vec<_> = record
            .arguments
            .iter()
            .map(|argument| String::from_utf8(argument.to_vec()).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        let number = |text: &str| text.parse::<u64>().map_err(|e| e.to_string());
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ok(match words[..] {
            ["RPUSH", key, write] => {
                Self::Push { db: record.db, key: key.to_owned(), write: number(write)? }
            }
            ["COPY", from, to] => {
                Self::Copy { db: record.db, from: from.to_owned(), to: to.to_owned() }
            }
            ["flushall", "ASYNC"] => Self::FlushAll,
            ["FLUSHDB"] => Self::FlushDb(record.db),
            ["SWAPDB", a, b] => Self::SwapDb(number(a)? as u32, number(b)? as u32),
            _ => return Err(format!("unknown command {words:?}")),
        })
    }

    /// Runs it on one shard's state.
    pub(crate) fn run(&self, state: &mut State) {
        match self {
            Self::Push { db, key, write } => {
                state.entry((*db, key.clone())).or_default().push(*write);
            }
            Self::Copy { db, from, to } => {
                if let Some(value) = state.get(&(*db, from.clone())).cloned() {
                    state.insert((*db, to.clone()), value);
                }
            }
            Self::FlushAll => state.clear(),
            Self::FlushDb(db) => state.retain(|(at, _), _| at != db),
            Self::SwapDb(a, b) => {
                let old = std::mem::take(state);
                let swapped = |db| match db {
                    db if db == *a => *b,
                    db if db == *b => *a,
                    db => db,
                };
                state.extend(old.into_iter().map(|((db, key), value)| ((swapped(db), key), value)));
            }
        }
    }
}

/// Fewer than a server has: ties are collected for each of many small logs.
pub(super) const SLOTS: u16 = 256;

pub(super) fn slot_of(key: &str) -> u16 {
    // FNV-1a, and its high bits: names that differ in their last digit lie far apart.
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    ((hash ^ hash >> 32) % u64::from(SLOTS)) as u16
}

pub(super) fn shard_of_slot(slot: u16, shards: u16) -> u16 {
    (u32::from(slot) * u32::from(shards) / u32::from(SLOTS)) as u16
}

/// The shard of a key.
pub(crate) fn shard_of(key: &str, shards: u16) -> u16 {
    shard_of_slot(slot_of(key), shards)
}

pub(crate) fn encode(arguments: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len());
    for argument in arguments {
        out.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
    }
    out.into_bytes()
}
