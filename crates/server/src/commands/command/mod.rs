//! COMMAND: what the server can do, as data. Everything is read from the registry.
//!
//! ```text
//! info   COMMAND, COMMAND INFO, COUNT      arity, flags, categories, key specs
//! docs   COMMAND DOCS                      summary, grammar, history
//! keys   COMMAND GETKEYS, GETKEYSANDFLAGS  the keys of a given command
//! list   COMMAND LIST                      names
//! help   COMMAND HELP
//! page   docs/commands.md, kept equal to the registry by a test
//! ```

mod docs;
mod help;
mod info;
mod keys;
mod legacy_range;
mod list;
#[cfg(test)]
mod page;

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[
    &info::COMMAND,
    &info::COUNT,
    &docs::DOCS,
    &keys::GETKEYS,
    &keys::GETKEYSANDFLAGS,
    &help::HELP,
    &info::INFO,
    &list::LIST,
];
