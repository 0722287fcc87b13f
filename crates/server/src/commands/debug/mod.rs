//! DEBUG: for tests and for finding out. Only where `enable-debug-command` allows it, which
//! admission checks for every command under this container. (DEBUG OBJECT is about a key and runs
//! on its shard.)

use super::SessionCommand;

mod declare;
mod digest;
mod help;
mod populate;
mod protocol;
mod reload;
mod switches;
#[cfg(test)]
mod tests;

pub(super) use declare::CONTAINER;
use declare::spec;

pub(super) const COMMANDS: &[&SessionCommand] = &[
    &switches::CHANGE_REPL_ID,
    &digest::DIGEST,
    &digest::DIGEST_VALUE,
    &switches::ERROR,
    &help::HELP,
    &reload::LOADAOF,
    &switches::LOG,
    &populate::POPULATE,
    &protocol::PROTOCOL,
    &switches::QUICKLIST_PACKED_THRESHOLD,
    &reload::RELOAD,
    &switches::SET_ACTIVE_EXPIRE,
    &switches::SET_DISABLE_DENY_SCRIPTS,
    &switches::SLEEP,
    &switches::STRINGMATCH_LEN,
];
