//! Strings: the 22 commands of Redis' string group.
//!
//! ```text
//! get        GET GETDEL STRLEN                 one lookup, one reply
//! set        SET SETNX SETEX PSETEX GETSET     one find-or-insert
//! expiring   GETEX, and the options about expiry that SET and GETEX share
//! incr       INCR DECR INCRBY DECRBY INCRBYFLOAT
//! range      APPEND GETRANGE SETRANGE SUBSTR
//! multi      MGET MSET MSETNX
//! lcs        LCS
//! ```
//!
//! How a string is stored, and changed where it is stored, is `datatypes::string`'s affair. GET and
//! SET are what most clients do most of the time: each is one lookup, and allocates nothing but the
//! record itself.

mod expiring;
mod get;
mod incr;
mod lcs;
mod multi;
mod range;
#[cfg(test)]
pub(crate) mod recorded;
mod set;
#[cfg(test)]
mod tests;

use crate::ShardCommand;

pub(crate) use get::string_bytes;
pub(crate) use range::{edit_or_create, range_cut, range_within};

/// The family.
pub(crate) const COMMANDS: &[&ShardCommand] = &[
    &range::APPEND,
    &incr::DECR,
    &incr::DECRBY,
    &get::GET,
    &get::GETDEL,
    &expiring::GETEX,
    &range::GETRANGE,
    &set::GETSET,
    &incr::INCR,
    &incr::INCRBY,
    &incr::INCRBYFLOAT,
    &lcs::LCS,
    &multi::MGET,
    &multi::MSET,
    &multi::MSETNX,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
    &range::SETRANGE,
    &get::STRLEN,
    &range::SUBSTR,
];
