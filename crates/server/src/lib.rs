//! The core thread: tick, connections, router, pipeline, transactions.
//!
//! Start reading at `tick.rs`: it follows one SET from the socket to the reply and the log, and the
//! function below that is the whole server in five calls.
//!
//! - input and commands: `input`, `parsed`, `admission`, `dispatch`, `registry`, `commands/`
//! - shard and log: `shard`, `log`, `log_switch`, `recovery`
//! - other core threads: `mail`, `message`, `bundle`, `work`, `transaction/`, `multi`, `gathering`
//! - output: `pipeline`, `release`, `outgoing`
//! - life: `boot`, `core_thread`, `rest`, `crowd`, `background`, `ending`
//! - judged by: `simulation` (feature `simulation`), `canary`
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
mod time;
mod transaction;
mod watchers;
mod work;

pub use boot::{Ender, Server, check_system, glob_matches};
pub use error::BootError;
pub use registry::{CommandNames, RenameError};
