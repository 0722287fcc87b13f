//! From a piece of input to commands under way.
//!
//! - `consume`: finds the commands in the bytes and runs them in order, with `parsed` as scratch
//! - `registry`: every command by name; `admission`: whether it may run now
//! - `dispatch`: where it runs: here, on another shard, or on several

pub(crate) mod admission;
mod consume;
pub(crate) mod dispatch;
pub(crate) mod parsed;
pub(crate) mod registry;
