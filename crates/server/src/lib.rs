//! The core thread: tick, connections, router, pipeline, transactions.
//!
//! Start reading at `tick.rs`: it follows one SET from the socket to the reply and the log, and the
//! function below that is the whole server in five calls.
//!
//! - the core thread: `core` (without its operating system), `core_thread` (with its ring), `tick`,
//!   `time`, `rest`, `crowd`, `background`, `shared` (what all of them share)
//! - clients: `connection`, `connections`, `session`, `describe`, `monitors`, `pause`
//! - input and commands: `input`, `parsed`, `admission`, `registry`, `dispatch`, `commands/`,
//!   `info/`
//! - shard and log: `shard`, `eviction`, `log`, `log_file`, `log_switch`, `recovery`
//! - other core threads: `mail`, `message`, `bundle`, `work`, `gathering`
//! - transactions: `transaction/`, `multi`, `watchers`
//! - output: `pipeline`, `flow`, `release`, `outgoing`
//! - configuration: `settings`, `acts`
//! - measured: `statistics`, `ticks`, `notable`, `heap`, `memory_gauge`
//! - life: `boot`, `greeting`, `cpus`, `seed`, `error`, `ending`
//! - judged by: `fixture` (tests), `simulation` (feature `simulation`), `canary`
#![forbid(unsafe_code)]

mod acts;
mod admission;
mod background;
mod boot;
mod bundle;
mod canary;
mod commands;
mod connection;
mod connections;
mod core;
mod core_thread;
mod cpus;
mod crowd;
mod describe;
mod dispatch;
mod ending;
mod error;
mod eviction;
#[cfg(test)]
mod fixture;
mod flow;
mod gathering;
mod greeting;
mod heap;
mod info;
mod input;
mod log;
mod log_file;
mod log_switch;
mod mail;
mod memory_gauge;
mod message;
mod monitors;
mod multi;
mod notable;
mod outgoing;
mod parsed;
mod pause;
mod pipeline;
mod recovery;
mod registry;
mod release;
mod rest;
mod seed;
mod session;
mod settings;
mod shard;
mod shared;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod statistics;
mod tick;
mod ticks;
mod time;
mod transaction;
mod watchers;
mod work;

pub use boot::{Ender, Server, check_system, glob_matches};
pub use error::BootError;
pub use registry::{CommandNames, RenameError};
