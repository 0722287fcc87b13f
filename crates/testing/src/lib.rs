//! What the tests of several crates need: chances that follow from a seed, a RESP client for a
//! running server, and a disk in memory that crashes when told to. Imported under dev-dependencies
//! only.
#![forbid(unsafe_code)]

mod client;
mod random;
mod storage;

pub use client::{Client, TIMEOUT, encode};
pub use random::Random;
pub use storage::{MemoryFile, MemoryLock, MemoryStorage};
