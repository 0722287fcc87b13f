//! Bitmaps: the seven commands that look at strings as arrays of bits.
//!
//! ```text
//! bits       GETBIT SETBIT, and how an offset is read
//! count      BITCOUNT BITPOS, and the range that both take
//! op         BITOP
//! field      BITFIELD BITFIELD_RO
//! ```
//!
//! The work on bits is `datatypes::bits`; here are options, errors and effects.

mod bits;
mod count;
mod field;
mod op;
#[cfg(test)]
mod tests;

use crate::ShardCommand;

/// The family.
pub(crate) const COMMANDS: &[&ShardCommand] = &[
    &count::BITCOUNT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &op::BITOP,
    &count::BITPOS,
    &bits::GETBIT,
    &bits::SETBIT,
];
