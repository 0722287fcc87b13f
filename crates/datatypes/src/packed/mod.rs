//! Packed encodings: small collections in one allocation, in Redis' own bytes.
//!
//! ```text
//! buffer      bytes behind one pointer, with their length in front
//! entry       one value of a listpack: its encodings
//! listpack    a sequence of values: small lists, hashes, sets, sorted sets; chunks of large lists
//! intset      sorted integers: sets of them
//! lzf         the compression that Redis knows
//! either      a small form or a large one behind one pointer
//! ```
//!
//! The bytes are what DUMP and RDB files carry, so they are Redis' to the last one. `unsafe` is in
//! `buffer` and `either`; the formats above them index slices.

mod buffer;
mod either;
mod entry;
mod intset;
mod listpack;
pub mod lzf;
#[cfg(test)]
pub(crate) mod samples;

pub use buffer::{BUFFER_BYTES_MAX, Buffer, bytes_of_class};
pub use either::{PackedOr, PackedOrMut, PackedOrOwned, PackedOrRef};
pub use entry::Entry;
pub use intset::Intset;
pub use listpack::{
    LISTPACK_BYTES_MAX, LISTPACK_BYTES_MIN, Listpack, ListpackIter, Malformed, Position,
};
