//! Comparing the fingerprints of a bucket with one byte, all at once.
//!
//! The answer is a [`Matches`]: a set of slot numbers. Two implementations give the same answer:
//! `sse2` (one load, one compare, one move-mask; every x86-64 has it) and `portable` (eight bytes
//! at a time in a `u64`), used elsewhere and under Miri. Tests hold each against the obvious loop.

mod matches;
#[cfg(any(test, miri, not(target_arch = "x86_64")))]
mod portable;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod sse2;

pub use matches::{GROUP_BYTES, Matches};
#[cfg(any(miri, not(target_arch = "x86_64")))]
pub use portable::matches;
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub use sse2::matches;

#[cfg(test)]
mod tests;
