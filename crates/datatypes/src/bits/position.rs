//! Where the first set, or the first clear, bit is.

use super::range::BitRange;

/// The position of the first bit of `bytes` that equals `bit`.
#[must_use]
pub fn position(bytes: &[u8], bit: bool) -> Option<u64> {
    // Looking for a clear bit is looking for a set one in the complement.
    let flip = if bit { 0 } else { u64::MAX };
    let (blocks, rest) = bytes.as_chunks::<32>();
    let plain = if bit { [0; 32] } else { [0xff; 32] };
    let skipped = blocks.iter().position(|block| *block != plain).unwrap_or(blocks.len());
    let left = blocks[skipped..].first().map_or(rest, |block| &block[..]);
    let (words, tail) = left.as_chunks::<8>();
    let mut offset = skipped as u64 * 256;
    for word in words {
        let found = u64::from_be_bytes(*word) ^ flip;
        if found != 0 {
            return Some(offset + u64::from(found.leading_zeros()));
        }
        offset += 64;
    }
    for byte in tail {
        let found = byte ^ flip.to_le_bytes()[0];
        if found != 0 {
            return Some(offset + u64::from(found.leading_zeros()));
        }
        offset += 8;
    }
    None
}

/// The position in `bytes` of the first bit from `first_bit` to `last_bit`, both included, that
/// equals `bit`.
///
/// # Panics
/// When the range is empty the wrong way round or reaches beyond the end.
#[must_use]
pub fn position_range(bytes: &[u8], bit: bool, first_bit: usize, last_bit: usize) -> Option<u64> {
    let range = BitRange::new(bytes, first_bit, last_bit);
    // Bits outside of the range must not be found.
    let (first, between, last) = range.parts(!bit);
    let base = (first_bit / 8) as u64 * 8;
    let after = base + 8 + between.len() as u64 * 8;
    position(&[first], bit)
        .map(|at| base + at)
        .or_else(|| position(between, bit).map(|at| base + 8 + at))
        .or_else(|| last.and_then(|byte| position(&[byte], bit)).map(|at| after + at))
}

#[cfg(test)]
mod tests {
    use super::{position, position_range};
    use crate::bits::naive;

    #[test]
    fn agrees_with_the_naive_search() {
        for len in 0..if cfg!(miri) { 36 } else { 150 } {
            for at in 0..len * 8 {
                for bit in [false, true] {
                    let mut bytes = vec![if bit { 0 } else { 0xff }; len];
                    bytes[at / 8] ^= 0x80 >> (at % 8);
                    assert_eq!(position(&bytes, bit), Some(at as u64));
                }
            }
            assert_eq!(position(&vec![0; len], true), None);
            assert_eq!(position(&vec![0xff; len], false), None);
        }
    }

    #[test]
    fn every_range_of_short_strings() {
        for seed in 0..8 {
            let bytes = naive::random_bytes(seed, 5);
            let array = naive::bits(&bytes);
            for first in 0..40 {
                for last in first..40 {
                    for bit in [false, true] {
                        let expected =
                            (first..=last).find(|at| array[*at] == bit).map(|at| at as u64);
                        assert_eq!(position_range(&bytes, bit, first, last), expected);
                    }
                }
            }
        }
    }
}
