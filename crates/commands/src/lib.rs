//! The commands that run on a shard, one folder a family.
//!
//! ```text
//! command    what a command is          context   what it sees of its shard
//! merge      one reply out of many      cursor    what SCAN's cursor says
//! wait       what a command waits for
//! generic/   any key: DEL, EXPIRE, SCAN, COPY ...
//! string/    strings                    bitmap/   bits of strings
//! list/      lists, and those who wait for them
//! set/       sets
//! ```
//!
//! A new command is a function and a `const` beside it, and one word in the family's slice.

#![forbid(unsafe_code)]

mod bitmap;
mod command;
mod context;
mod cursor;
#[cfg(test)]
mod fixture;
mod generic;
mod list;
mod merge;
#[cfg(test)]
mod replay;
mod set;
mod string;
mod wait;

use spec::Spec;

pub use command::{Across, Outcome, Run, RunReplies, RunWaits, ShardCommand};
pub use context::{CommandLimits, SetLimits, ShardContext, ShardPlace};
pub use cursor::cursor_shards;
pub use merge::{Merge, Replies};
pub use wait::{Awaited, Otherwise, Wait, parse_timeout};

/// Every family's commands.
pub const FAMILIES: &[&[&ShardCommand]] =
    &[generic::COMMANDS, string::COMMANDS, list::COMMANDS, set::COMMANDS, bitmap::COMMANDS];

/// The commands that are but containers of subcommands.
pub const CONTAINERS: &[Spec] = generic::CONTAINERS;

/// Commands that a client reaches only through `DEBUG`, which the server guards.
pub const DEBUG_COMMANDS: &[&ShardCommand] = generic::DEBUG_COMMANDS;
