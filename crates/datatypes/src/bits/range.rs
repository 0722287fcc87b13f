//! A range of bits, cut into whole bytes and what sticks out of them at either end.

/// A range of bits, both ends included, as whole bytes with masks for the first and the last one.
pub(super) struct BitRange<'a> {
    bytes: &'a [u8],
    /// The bits of the first byte that are in the range.
    first_mask: u8,
    /// The bits of the last byte that are in the range.
    last_mask: u8,
}

impl<'a> BitRange<'a> {
    /// The range from `first_bit` to `last_bit`, both included.
    ///
    /// # Panics
    /// When it is empty the wrong way round or reaches beyond the end of `bytes`.
    pub(super) fn new(bytes: &'a [u8], first_bit: usize, last_bit: usize) -> Self {
        Self {
            bytes: &bytes[first_bit / 8..=last_bit / 8],
            first_mask: 0xff >> (first_bit % 8),
            last_mask: 0xff << (7 - last_bit % 8),
        }
    }

    /// The masked first byte, the bytes between, and the masked last byte; of one byte alone, it is
    /// the first and masked twice. Bits outside of the range become `outside`.
    pub(super) fn parts(&self, outside: bool) -> (u8, &'a [u8], Option<u8>) {
        let fill = |byte: u8, mask: u8| if outside { byte | !mask } else { byte & mask };
        match self.bytes {
            [] => (fill(0, 0), &[], None),
            [only] => (fill(*only, self.first_mask & self.last_mask), &[], None),
            [first, between @ .., last] => {
                (fill(*first, self.first_mask), between, Some(fill(*last, self.last_mask)))
            }
        }
    }
}
