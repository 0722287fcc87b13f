//! Eight bytes in one integer, twice.
//!
//! `x ^ pattern` has a zero byte where they are equal. The well-known test `(x - 1s) & !x & 0x80s`
//! is wrong for a byte above a match (the borrow), so the exact one is used: adding 0x7f to the low
//! seven bits of each byte carries into its top bit unless they are all zero, and cannot carry
//! further.

use super::{GROUP_BYTES, Matches};

const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// The positions in `group` that hold `byte`.
#[inline]
#[must_use]
#[cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unreachable_pub, reason = "only tests have it where there is SSE2")
)]
pub fn matches(group: &[u8; GROUP_BYTES], byte: u8) -> Matches {
    let (halves, _) = group.as_chunks::<8>();
    let pattern = u64::from_le_bytes([byte; 8]);
    let mut set = 0;
    for (index, half) in halves.iter().enumerate() {
        let difference = u64::from_le_bytes(*half) ^ pattern;
        let non_zero = ((difference & LOW_SEVEN) + LOW_SEVEN) | difference;
        let equal = !non_zero & !LOW_SEVEN;
        // Gathers the top bits of eight bytes into the top byte: bit 8i+7 goes to bit 56+i. Each
        // partial product lands on its own bit, so there are no carries.
        let bits = (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        set |= (bits as u32) << (8 * index);
    }
    Matches(set)
}
