//! The keyspace of one shard: databases, expiry, eviction, memory. It emits [`Effects`].
//!
//! ```text
//! keyspace    the databases of a shard, and what they share
//! access      finding, setting and removing keys; one that is past its moment goes when it is met
//! active      expiry of keys that nobody asks for, in slices
//! evict       eviction: policies, sampling, the pool of candidates
//! clock       the 24 bits of access in a record: LRU clock or LFU counter
//! doomed      values that are being freed in slices
//! scan        cursors: SCAN, KEYS, RANDOMKEY
//! walk        every record of one moment, in slices, while commands go on
//! transfer    copies of whole records: COPY
//! effects     what a command did besides replying (with logged and event)
//! settings    what the configuration says about all this; stats: what INFO says
//! ```
//!
//! A keyspace belongs to one core thread and is driven by it: no clock (`now_ms` is an argument, in
//! unix milliseconds), no randomness of its own ([`Random`] is seeded and passed in), no threads,
//! no I/O. An empty database costs nothing.
//!
//! Memory: a keyspace knows the bytes of its tables and of the records in them. What objects own on
//! the heap it can say per key (`MEMORY USAGE`), not in sum: they grow in place under a
//! `RecordMut`. The core thread's allocator counts them in O(1), and `server` adds the two.

#![forbid(unsafe_code)]

mod access;
mod active;
mod clock;
mod database;
mod doomed;
mod effects;
mod event;
mod evict;
mod keyspace;
mod logged;
mod random;
mod scan;
mod settings;
mod spared;
mod stats;
#[cfg(test)]
mod tests;
mod transfer;
mod walk;

pub use access::Step;
pub use active::ExpirySlice;
pub use clock::AccessClock;
pub use database::{Database, DatabaseStats};
pub use doomed::Doomed;
pub use effects::{DatabaseChange, Effects, Event, Happened, KeyOf, Wanted};
pub use event::EventClass;
pub use evict::Eviction;
pub use keyspace::Keyspace;
pub use logged::LoggedCommands;
pub use random::Random;
pub use scan::SCAN_POSITION_BITS;
pub use settings::{EvictionPolicy, ExpiryMode, LazyFree, Settings};
pub use stats::Stats;
pub use walk::Walked;
