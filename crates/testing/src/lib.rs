//! What the tests of several crates need: chances that follow from a seed, requests, and a disk in
//! memory that crashes when told to. Imported under dev-dependencies only.
#![forbid(unsafe_code)]

mod random;
mod request;
mod storage;

pub use random::Random;
pub use request::encode;
pub use storage::{MemoryFile, MemoryLock, MemoryStorage};
