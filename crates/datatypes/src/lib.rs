//! The value types: what a key can hold, and what can be done to it, without any keyspace around.
//!
//! ```text
//! object      the move-only value that the table holds when a value is not embedded in its record
//! emission    a value as its elements, or as the commands that make it, in slices
//! list/       lists: one listpack, or a tree of shared chunks
//! packed/     small collections in one allocation, in Redis' own bytes
//! members/    large collections of distinct members: the base of sets and hashes
//! set/        sets, in the encodings that Redis has
//! string/     the forms of a string in a record: chosen, read, changed in place, named
//! bits/       bits of strings: count, search, combine, integer fields
//! lcs         the longest common subsequence of two strings
//! glob        the patterns of KEYS, SCAN, CONFIG GET and PSUBSCRIBE
//! ```
//!
//! A further type is a folder of its own beside `string/` and a variant of [`Object`].
//!
//! Nothing here knows a key, an expiry, a client or a clock; nothing here formats a reply.
//! Functions take bytes and give bytes or numbers back, so that each of them can be checked against
//! an obvious twin (the `naive` modules, compiled for tests only).

pub mod bits;
mod emission;
mod glob;
pub mod lcs;
pub mod list;
pub mod members;
mod object;
pub mod packed;
#[cfg(test)]
mod seeded;
pub mod set;
pub mod string;

pub use emission::{COMMAND_BYTES_MAX, COMMAND_ELEMENTS_MAX, Cursor, Element};
pub use glob::{Case, glob_matches};
pub use object::{Object, ObjectType};
pub use string::{LongString, StringEncoding, mapped_bytes};
