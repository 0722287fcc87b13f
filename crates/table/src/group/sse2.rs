//! Sixteen bytes in one SSE2 register.

use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
};

use super::{GROUP_BYTES, Matches};

/// The positions in `group` that hold `byte`.
#[inline]
#[must_use]
pub fn matches(group: &[u8; GROUP_BYTES], byte: u8) -> Matches {
    // SAFETY: reads the 16 bytes of `group`; the load is the unaligned one.
    let loaded = unsafe { _mm_loadu_si128(group.as_ptr().cast::<__m128i>()) };
    // SAFETY: SSE2 is part of every x86-64.
    let wanted = unsafe { _mm_set1_epi8(byte.cast_signed()) };
    // SAFETY: as above.
    let equal = unsafe { _mm_cmpeq_epi8(loaded, wanted) };
    // SAFETY: as above.
    Matches(unsafe { _mm_movemask_epi8(equal) }.cast_unsigned())
}
