//! What the tests of several crates need: a RESP client for a running server, and a disk in memory
//! that crashes when told to. Imported under dev-dependencies only.
#![forbid(unsafe_code)]

mod client;
mod storage;

pub use client::{Client, TIMEOUT, encode};
pub use storage::{MemoryFile, MemoryLock, MemoryStorage};
