//! Lists.
//!
//! ```text
//!                       OBJECT ENCODING   beneath
//! small                 listpack          one listpack, one allocation         packed/
//! large                 quicklist         a tree of shared chunks              tree, chunk
//! ```
//!
//! A list is a listpack while it fits one chunk (`list-max-listpack-size`, by default 8 KiB). What
//! comes to it is counted before it is added, without what entries need besides their bytes, as in
//! Redis: then it becomes a sequence of chunks, each a listpack in Redis' format or one large
//! element. It goes back once one chunk of half the limit is left.
//!
//! | operation | small | large |
//! | --- | --- | --- |
//! | push, pop at either end | O(bytes) of 8 KiB | O(1): a few levels, and a chunk |
//! | by index, insert, set | O(bytes) of 8 KiB | the same, and 64 counts a level |
//! | share | a copy | at most 64 counters |
//! | trim | O(bytes) | a few nodes, whatever goes: what went is given back to be freed |
//! | heap bytes, length, encoding | O(1) | O(1) |
//!
//! Values go in as bytes and come out as `Entry`, in closures: what a closure sees is borrowed
//! from the list.

mod chunk;
mod form;
mod large;
mod limits;
mod tree;

pub use form::{Direction, End, List};
pub use limits::ListLimits;
