//! How many bits are set.
//!
//! The loop is written once, over words, and compiled twice on x86-64: for any processor, and for
//! those that have AVX2 and a population count instruction, where the compiler makes vector code of
//! the same lines. The choice is made at run time by what the processor says of itself.

use super::range::BitRange;

/// The number of set bits in `bytes`.
#[must_use]
pub fn count(bytes: &[u8]) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if bytes.len() >= VECTOR_BYTES_MIN
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("popcnt")
    {
        // SAFETY: the two features that the function is compiled for were just detected.
        return unsafe { count_avx2(bytes) };
    }
    count_words(bytes)
}

/// The number of set bits from `first_bit` to `last_bit`, both included.
///
/// # Panics
/// When the range is empty the wrong way round or reaches beyond the end.
#[must_use]
pub fn count_range(bytes: &[u8], first_bit: usize, last_bit: usize) -> u64 {
    let range = BitRange::new(bytes, first_bit, last_bit);
    let (first, between, last) = range.parts(false);
    u64::from(first.count_ones()) + count(between) + u64::from(last.unwrap_or(0).count_ones())
}

/// [`count`], compiled for a newer processor.
///
/// # Safety
/// The processor has AVX2 and POPCNT.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx2,popcnt")]
fn count_avx2(bytes: &[u8]) -> u64 {
    count_words(bytes)
}

/// Eight words a turn in separate sums, so that no sum waits for another.
#[inline(always)]
fn count_words(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut sums = [0_u64; 8];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum += u64::from(u64::from_le_bytes(*word).count_ones());
        }
    }
    let tail: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    sums.iter().sum::<u64>() + u64::from(tail)
}

/// Below this many bytes, asking what the processor can do is not worth it.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const VECTOR_BYTES_MIN: usize = 128;

#[cfg(test)]
mod tests {
    use super::{count, count_range, count_words};
    use crate::bits::naive;

    #[test]
    fn agrees_with_the_naive_count() {
        let lens = if cfg!(miri) { 0..140 } else { 0..300 };
        for len in lens.chain([1000, 4097]) {
            let bytes = naive::random_bytes(len as u64, len);
            let expected = naive::bits(&bytes).iter().filter(|bit| **bit).count() as u64;
            assert_eq!(count(&bytes), expected, "{len} bytes");
            assert_eq!(count_words(&bytes), expected, "{len} bytes, portable");
        }
    }

    #[test]
    fn every_range_of_a_short_string() {
        let bytes = naive::random_bytes(3, 5);
        let array = naive::bits(&bytes);
        for first in 0..40 {
            for last in first..40 {
                let expected = array[first..=last].iter().filter(|bit| **bit).count() as u64;
                assert_eq!(count_range(&bytes, first, last), expected, "{first}..={last}");
            }
        }
    }
}
