//! A string as an array of bits: bit 0 is the *highest* bit of byte 0, as in Redis.
//!
//! ```text
//! byte            0                 1
//! bit     0 1 2 3 4 5 6 7   8 9 10 11 12 13 14 15
//! value 128 . . . . . . 1 128 .  .  .  .  .  .  1
//! ```
//!
//! So eight bytes read as one big-endian word keep the order of bits, and every loop here goes word
//! by word. The functions look at slices; ranges, offsets and growing are the callers' affair.

mod bit;
mod count;
mod field;
#[cfg(test)]
mod naive;
mod operate;
mod position;
mod range;

pub use bit::{bit_at, set_bit};
pub use count::{count, count_range};
pub use field::{FieldKind, Overflow, read_field, write_field};
pub use operate::{Combination, Operation};
pub use position::{position, position_range};
