//! Lists: the 22 commands of Redis' list group.
//!
//! ```text
//! push       LPUSH RPUSH LPUSHX RPUSHX
//! pop        LPOP RPOP LMPOP
//! read       LLEN LINDEX LRANGE
//! search     LPOS
//! change     LSET LINSERT LREM LTRIM
//! shift      LMOVE RPOPLPUSH
//! blocking   BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH
//! access     what they share: the list of a key, ends, and what follows when elements went
//! ```
//!
//! What a command that pops or moves logs is about each key alone: see `keyspace::Effects`.

mod access;
mod blocking;
mod change;
mod pop;
mod push;
mod read;
mod search;
mod shift;
#[cfg(test)]
mod tests;

use crate::ShardCommand;

/// The family.
pub(crate) const COMMANDS: &[&ShardCommand] = &[
    &blocking::BLMOVE,
    &blocking::BLMPOP,
    &blocking::BLPOP,
    &blocking::BRPOP,
    &blocking::BRPOPLPUSH,
    &read::LINDEX,
    &change::LINSERT,
    &read::LLEN,
    &shift::LMOVE,
    &pop::LMPOP,
    &pop::LPOP,
    &search::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &read::LRANGE,
    &change::LREM,
    &change::LSET,
    &change::LTRIM,
    &pop::RPOP,
    &shift::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
];
