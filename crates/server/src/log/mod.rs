//! A shard's log.
//!
//! - `shard_log`: what is logged, and when replies may leave; `file`: its file; `one_slot`: what
//!   debug builds check before they write a record
//! - `switch`: turning it on and off under load; `recovery`: what start-up reads back

pub(crate) mod file;
#[cfg(any(debug_assertions, test))]
pub(crate) mod one_slot;
pub(crate) mod recovery;
pub(crate) mod shard_log;
pub(crate) mod switch;

#[cfg(test)]
mod tests;

pub(crate) use shard_log::Log;
