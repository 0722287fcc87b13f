//! Commands about sessions and about the server: they run at home, not on a key's shard.
//!
//! One file a family. A command is a `const` beside its function, like a shard command; it is given
//! a [`Context`]: the core thread and which connection it is for. What every core thread has to
//! contribute to or to be told is a [`Question`](crate::message::gathering::Question).

use spec::Spec;

mod auth;
mod client;
mod cluster;
mod command;
mod config;
mod connection;
mod debug;
mod help;
mod info;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod role;
mod session_command;
mod shutdown;
mod slowlog;
mod time;
mod transactions;

pub(crate) use session_command::{Context, SessionCommand, Then, run, run_in_exec};

/// The families of session commands.
pub(crate) const FAMILIES: &[&[&SessionCommand]] = &[
    auth::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    info::COMMANDS,
    latency::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    module::COMMANDS,
    monitor::COMMANDS,
    role::COMMANDS,
    shutdown::COMMANDS,
    slowlog::COMMANDS,
    time::COMMANDS,
    transactions::COMMANDS,
];

/// Commands that are nothing but their subcommands.
pub(crate) const CONTAINERS: &[Spec] = &[
    client::CONTAINER,
    cluster::CONTAINER,
    config::CONTAINER,
    debug::CONTAINER,
    latency::CONTAINER,
    memory::CONTAINER,
    module::CONTAINER,
    slowlog::CONTAINER,
];
