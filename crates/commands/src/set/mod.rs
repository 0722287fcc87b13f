//! Sets: the 17 commands of Redis' set group.
//!
//! ```text
//! value      the set under a key, read or changed; members gathered for a reply or the log
//! read       SISMEMBER SMISMEMBER SCARD SMEMBERS
//! change     SADD SREM SMOVE
//! random     SPOP SRANDMEMBER
//! scan       SSCAN
//! sources    the sets under several keys, looked up one by one and then read side by side
//! inter      SINTER SINTERSTORE SINTERCARD
//! union      SUNION SUNIONSTORE SDIFF SDIFFSTORE
//! store      what a STORE form leaves under its destination
//! ```
//!
//! How a set is stored is `datatypes::set`'s affair. A command of several keys needs all of them in
//! one place: over shards it runs on shares of the sets, which are cheap. The log gets what
//! happened to each key: the members that SPOP drew, as SREM; what a STORE form made, as SADD.

mod change;
mod inter;
mod random;
mod read;
mod scan;
mod sources;
mod store;
#[cfg(test)]
mod tests;
mod union;
mod value;

use crate::ShardCommand;

/// The family.
pub(crate) const COMMANDS: &[&ShardCommand] = &[
    &change::SADD,
    &read::SCARD,
    &union::SDIFF,
    &union::SDIFFSTORE,
    &inter::SINTER,
    &inter::SINTERCARD,
    &inter::SINTERSTORE,
    &read::SISMEMBER,
    &read::SMEMBERS,
    &read::SMISMEMBER,
    &change::SMOVE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &change::SREM,
    &scan::SSCAN,
    &union::SUNION,
    &union::SUNIONSTORE,
];
