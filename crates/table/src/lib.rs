//! The hash table of one database on one shard: key bytes to record.
//!
//! Three ideas carry it:
//!
//! * **A record is one allocation** that holds flags, access bits, key, expiry and value; small
//!   ones lie in slabs with a size class for every 8 bytes. A 16-byte key with 32 bytes of value
//!   takes 56 bytes, and the table adds 8.4.
//! * **A bucket is one cache line** of nine fingerprints and nine addresses. A miss reads one
//!   line, a hit two, and both can be prefetched for a batch of keys.
//! * **The table is in the order of hashes.** It is divided into segments that grow, split, shrink
//!   and merge one at a time, so no call takes long; and a place in the order means the same
//!   before and after. That makes a SCAN cursor and a snapshot's progress a plain number.
//!
//! ```text
//!  hash --top bits--> directory --> segment --next bits--> bucket --fingerprint--> record
//!                     16 B an       up to 128 buckets      64 B                    56 B
//!                     entry
//! ```
//!
//! Reading order: `hash` (how the bits are used), `layout` and `raw` (a record's bytes), `bucket`,
//! `directory` (segments, homes), `table` (lookup), `write` (changes), `resize`, then as needed
//! `scan`, `sample`, `walk` (snapshots), `upkeep` (memory goes back), `drain`, and below them
//! `heap`, `slab`, `pages` (where records live).
//!
//! `unsafe` is in `raw` (a record's bytes), `slab` and `pages` (memory), `directory` (bucket
//! arrays) and at the calls into these. Its ground is one invariant: *every full slot of a bucket
//! leads to a live record that no other slot leads to.* The model test and Miri hold it:
//! `MIRIFLAGS=-Zmiri-permissive-provenance cargo +nightly miri test -p table` (permissive, because
//! a slot keeps an address in six bytes).
//!
//! There is no I/O, no clock, no thread and no global randomness here.

mod bucket;
mod directory;
mod drain;
mod group;
mod hash;
mod heap;
mod layout;
mod pages;
mod payload;
mod raw;
mod record;
mod record_mut;
mod resize;
mod sample;
mod scan;
mod slab;
mod table;
mod upkeep;
mod walk;
mod write;

pub use drain::Drained;
pub use group::{GROUP_BYTES, Matches, matches};
pub use hash::{Hash, Hasher, POSITION_BITS};
pub use payload::{Expiry, OwnedPayload, Payload, PayloadRef, Removed, Replaced, Taken};
pub use record::Record;
pub use record_mut::{Entry, RecordMut, VacantEntry};
pub use table::Table;
pub use walk::WalkId;
pub use write::Stored;
