//! Keys of any type, and databases.
//!
//! ```text
//! delete     DEL UNLINK EXISTS TOUCH
//! expire     EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST
//! ttl        TTL PTTL EXPIRETIME PEXPIRETIME
//! walk       SCAN KEYS RANDOMKEY DBSIZE
//! transfer   COPY MOVE RENAME RENAMENX
//! object     TYPE OBJECT
//! flush      FLUSHDB FLUSHALL SWAPDB
//! memory     MEMORY USAGE, DEBUG OBJECT
//! ```

mod database;
mod delete;
mod expire;
mod flush;
mod memory;
mod object;
mod transfer;
mod ttl;
mod walk;

use spec::Spec;

use crate::ShardCommand;

/// The family.
pub(crate) const COMMANDS: &[&ShardCommand] = &[
    &transfer::COPY,
    &walk::DBSIZE,
    &delete::DEL,
    &delete::EXISTS,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &ttl::EXPIRETIME,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &walk::KEYS,
    &memory::MEMORY_USAGE,
    &transfer::MOVE,
    &object::OBJECT_ENCODING,
    &object::OBJECT_FREQ,
    &object::OBJECT_HELP,
    &object::OBJECT_IDLETIME,
    &object::OBJECT_REFCOUNT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &walk::RANDOMKEY,
    &transfer::RENAME,
    &transfer::RENAMENX,
    &walk::SCAN,
    &flush::SWAPDB,
    &delete::TOUCH,
    &ttl::TTL,
    &object::TYPE,
    &delete::UNLINK,
];

/// Containers of subcommands. (`MEMORY` is the server's: most of its subcommands are.)
pub(crate) const CONTAINERS: &[Spec] = &[object::OBJECT];

/// Reached through `DEBUG` only.
pub(crate) const DEBUG_COMMANDS: &[&ShardCommand] = &[&memory::DEBUG_OBJECT];
