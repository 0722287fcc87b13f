//! A shard's log.
//!
//! - `shard_log`: what is logged, and when replies may leave; `file`: its file
//! - `switch`: turning it on and off under load; `recovery`: what start-up reads back

pub(crate) mod file;
pub(crate) mod recovery;
pub(crate) mod shard_log;
pub(crate) mod switch;

pub(crate) use shard_log::Log;
