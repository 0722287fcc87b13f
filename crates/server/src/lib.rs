//! The core thread: tick, clients, input, messages, transactions, waiting, output, log.
//!
//! Start reading at `tick/turn.rs`: it follows one SET from the socket to the reply and the log,
//! and the function below that is the whole server in five calls.
//!
//! | room | what it is |
//! | --- | --- |
//! | `core.rs`, `shard.rs` | a core thread without its operating system; its shard |
//! | `shared.rs` | what all core threads share |
//! | `tick/` | the turn of a core thread, its ring, its rests, its background work |
//! | `clients/` | connections, sessions |
//! | `input/` | from bytes to commands on their way: parse, admit, dispatch |
//! | `message/` | what travels between core threads, and how answers of all come together |
//! | `transaction/` | work on several shards that looks like one step; MULTI, WATCH |
//! | `waiting/` | commands that wait for keys |
//! | `output/` | from replies to bytes on a socket |
//! | `log/` | a shard's log, its file, its switches, recovery |
//! | `memory/`, `statistics/` | what is used, what is counted |
//! | `settings/` | the configuration as core threads use it |
//! | `commands/`, `info/` | commands about sessions and the server |
//! | `life/` | start and end |
//! | `simulation/`, `canary.rs`, `fixture.rs` | what judges it |
#![forbid(unsafe_code)]

mod canary;
mod clients;
mod commands;
mod core;
#[cfg(test)]
mod fixture;
mod info;
mod input;
mod life;
mod log;
mod memory;
mod message;
mod output;
mod settings;
mod shard;
mod shared;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod statistics;
mod tick;
mod transaction;
mod waiting;

pub use input::registry::{CommandNames, RenameError};
pub use life::boot::{Ender, Server, check_system, glob_matches};
pub use life::error::BootError;
