//! Large collections of distinct members, in the order of hashes: the table of a set, and, with
//! something carried beside each member, of a hash or of a sorted set's scores.
//!
//! Redis keeps an allocation or two for each member, found through a table of pointers: 59 bytes
//! for a member of 16. Here a member costs its own bytes and about four more:
//!
//! ```text
//!  position --bits--> root --bits--> page --bits--> chunk --fingerprint--> entry
//!                     8 B a         16 B a         64 to 128               2 B and
//!                     page          chunk          entries                 its bytes
//! ```
//!
//! * **A chunk** (`chunk`) is one allocation of up to `CHUNK_ENTRIES_MAX` entries: fingerprints,
//!   codes, bodies. A lookup compares fingerprints 16 at a time and adds up lengths eight at a time
//!   to get to the one entry that it wants. Integers take as few bytes as they need, and what is
//!   longer than 63 bytes lies outside (`piece`).
//! * **Directories** (`directory`), one above the other, lead to chunks by the bits of the hash. A
//!   chunk that is full splits by the next bit, alone; its page doubles at most to
//!   `PAGE_BITS_MAX` bits and then splits too. So nothing grows by more than a page's 4 KiB at
//!   once, but for the root, which has 8 bytes for some 15,000 entries.
//! * **A share is a copy** of the root: pages and chunks are counted by their owners and copied
//!   when they are written while they have several. So a set of five million members is shared in
//!   some microseconds, stays what it was for whoever reads the share, on any thread, and the
//!   first write to each chunk afterwards copies 2 KB (and to each page, 256 pointers).
//! * **A place in the order is a number** (48 bits of the hash) that means the same before and
//!   after any growth: it is what SSCAN's cursor and a walk's progress are.
//!
//! The hash is the server's, keyed: whoever chooses members cannot choose chunks. A chunk whose
//! entries cannot be told apart by position grows beyond its bounds, correct and slower.
//!
//! It knows no clock and draws no random numbers itself; all memory is of the global allocator, so
//! that a value can be freed by any thread. There is no `unsafe` here.

mod chunk;
mod collection;
mod directory;
mod piece;
mod random;
mod scan;
#[cfg(test)]
mod tests;

pub use chunk::Member;
pub use collection::Members;

/// A chunk with so many entries splits: eight comparisons of 16 fingerprints find any of them.
const CHUNK_ENTRIES_MAX: usize = 128;

/// A chunk whose entries take so many bytes splits, so that a copy or a move stays below 0.5 us.
const CHUNK_BYTES_MAX: usize = 4096 - 32;

/// Chunks join when together they need no more than this share of either bound: one half, so that
/// they do not split again at once.
const JOINED_SHARE: usize = 2;

/// A page splits rather than have more than two to the power of this many slots: a copy of 256
/// pointers, with their owners counted, takes some 10 us at worst.
const PAGE_BITS_MAX: u32 = 8;

/// Pages join when both have no more bits than this.
const PAGE_BITS_JOINED: u32 = 4;
