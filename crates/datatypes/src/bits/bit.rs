//! One bit: read and set.

/// The bit at `offset`; beyond the end all bits are clear.
#[must_use]
pub fn bit_at(bytes: &[u8], offset: u64) -> bool {
    usize::try_from(offset / 8)
        .ok()
        .and_then(|at| bytes.get(at))
        .is_some_and(|byte| byte & mask_of(offset) != 0)
}

/// Sets the bit at `offset` to `bit` and returns what it was.
///
/// # Panics
/// When the bit is beyond the end of `bytes`.
pub fn set_bit(bytes: &mut [u8], offset: usize, bit: bool) -> bool {
    let (byte, mask) = (&mut bytes[offset / 8], mask_of(offset as u64));
    let old = *byte & mask != 0;
    *byte = if bit { *byte | mask } else { *byte & !mask };
    old
}

const fn mask_of(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

#[cfg(test)]
mod tests {
    use super::{bit_at, set_bit};
    use crate::bits::naive;

    #[test]
    fn bits_count_from_the_highest() {
        let mut bytes = [0; 2];
        assert!(!set_bit(&mut bytes, 0, true));
        assert!(!set_bit(&mut bytes, 15, true));
        assert_eq!(bytes, [0x80, 1]);
        assert!(set_bit(&mut bytes, 0, false));
        assert_eq!(bytes, [0, 1]);
        assert!(bit_at(&bytes, 15) && !bit_at(&bytes, 14) && !bit_at(&bytes, 16));
        assert!(!bit_at(&bytes, u64::MAX));
    }

    #[test]
    fn agrees_with_the_naive_array() {
        let bytes = naive::random_bytes(7, 40);
        let array = naive::bits(&bytes);
        for (offset, bit) in array.iter().enumerate() {
            assert_eq!(bit_at(&bytes, offset as u64), *bit);
        }
    }
}
