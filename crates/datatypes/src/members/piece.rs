//! The forms in which a member, or what it carries, lies in a chunk.
//!
//! Each piece has a one-byte *code*, kept apart from its bytes, whose low six bits say how many
//! bytes it takes in the chunk and whose high two bits say what they are:
//!
//! ```text
//! 00 llllll   the bytes themselves, up to 63 of them
//! 01 llllll   an integer, little-endian, sign-extended, in as few bytes as it needs (1 to 8)
//! 10 000010   the number of a place outside of the chunk, two bytes, where the bytes are
//! 11 ......   not used; free for a piece with a moment in front of it (fields that expire)
//! ```
//!
//! A text has exactly one form, so equal texts have equal codes and, unless they lie outside, equal
//! bytes. The length is in the same place in every form, so that where an entry begins is one sum.

use resp::number::parse_i64;
use table::{Hash, Hasher};

use crate::packed::Entry;

/// What is longer lies outside of the chunk, so that the bytes moved by a removal stay few.
pub(super) const INLINE_BYTES_MAX: usize = 63;

/// The bits of a code that are a length.
pub(super) const LENGTH_BITS: u8 = 0x3f;

const BYTES: u8 = 0x00;
const INTEGER: u8 = 0x40;
pub(super) const OUTSIDE: u8 = 0x80;

/// Bytes of the number of a place outside.
pub(super) const PLACE_BYTES: usize = 2;

/// The longest text of an `i64`.
const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// The hash of a member: that of its text.
#[inline]
pub(super) fn hash_of(member: Entry<'_>, hasher: Hasher) -> Hash {
    match member {
        Entry::Bytes(bytes) => hasher.hash(bytes),
        Entry::Integer(integer) => hasher.hash(itoa::Buffer::new().format(integer).as_bytes()),
    }
}

/// A piece on its way into a chunk, or looked for in one.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) code: u8,
    /// The integer's bytes, as many as the code says.
    integer: [u8; 8],
    /// The whole text.
    pub(super) text: &'a [u8],
}

impl<'a> Packed<'a> {
    /// The form of `text`.
    #[inline]
    pub(super) fn of(text: &'a [u8]) -> Self {
        let mut integer = [0; 8];
        let code = if let Some(number) = integer_of(text) {
            integer = number.to_le_bytes();
            INTEGER | integer_bytes(number)
        } else if text.len() <= INLINE_BYTES_MAX {
            BYTES | text.len() as u8
        } else {
            OUTSIDE | PLACE_BYTES as u8
        };
        Self { code, integer, text }
    }

    /// How many bytes it takes in the chunk.
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.code & LENGTH_BITS)
    }

    #[inline]
    pub(super) fn is_outside(&self) -> bool {
        is_outside(self.code)
    }

    /// The bytes that lie in the chunk; those of an integer or of a short text.
    #[inline]
    pub(super) fn inline(&self) -> &[u8] {
        if self.code & !LENGTH_BITS == INTEGER { &self.integer[..self.len()] } else { self.text }
    }
}

/// Whether a piece of this code lies outside.
#[inline]
pub(super) const fn is_outside(code: u8) -> bool {
    code & !LENGTH_BITS == OUTSIDE
}

/// The place outside that a piece's two bytes name.
#[inline]
pub(super) fn place_of(stored: &[u8]) -> usize {
    stored.iter().rev().fold(0, |place, byte| place << 8 | usize::from(*byte))
}

/// The piece of `code` whose bytes in the chunk are `stored`; not for one that lies outside.
#[inline]
pub(super) fn unpacked(code: u8, stored: &[u8]) -> Entry<'_> {
    if code & !LENGTH_BITS != INTEGER {
        return Entry::Bytes(stored);
    }
    let negative = stored.last().is_some_and(|top| *top >= 0x80);
    let mut bytes = [if negative { 0xff } else { 0 }; 8];
    bytes[..stored.len()].copy_from_slice(stored);
    Entry::Integer(i64::from_le_bytes(bytes))
}

/// The integer that `text` is, printed the one way there is.
#[inline]
fn integer_of(text: &[u8]) -> Option<i64> {
    let (first, last) = (text.first()?, text.last()?);
    let may_be = text.len() <= INTEGER_TEXT_BYTES_MAX
        && (first.is_ascii_digit() || *first == b'-')
        && last.is_ascii_digit();
    if may_be { parse_i64(text) } else { None }
}

/// Bytes of `number` that are not the sign's repetition; at least 1.
#[inline]
const fn integer_bytes(number: i64) -> u8 {
    // 64 bits less those that repeat the sign, which has to stay once.
    let bits = 65 - (number ^ (number >> 63)).leading_zeros();
    bits.div_ceil(8) as u8
}

#[cfg(test)]
mod tests {
    use super::{Entry, INLINE_BYTES_MAX, Packed, unpacked};

    #[test]
    fn integers_take_as_few_bytes_as_they_need() {
        let sizes = [(0, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (1 << 29, 4), (1 << 31, 5)];
        let extremes = [(i64::MAX, 8), (i64::MIN, 8), ((1 << 55) - 1, 7), (-(1 << 55), 7)];
        for (number, bytes) in sizes.into_iter().chain(extremes) {
            let text = number.to_string();
            let packed = Packed::of(text.as_bytes());
            assert_eq!(packed.len(), bytes, "{number}");
            assert_eq!(unpacked(packed.code, packed.inline()), Entry::Integer(number));
            assert_eq!(&*Entry::Integer(number).text(), text.as_bytes());
        }
    }

    #[test]
    fn what_only_looks_like_an_integer_stays_text() {
        let long = [b'1'; INLINE_BYTES_MAX];
        for text in [&b""[..], b"-", b"-0", b"007", b"+1", b"1 ", b"9223372036854775808", &long] {
            let packed = Packed::of(text);
            assert_eq!((packed.len(), packed.inline()), (text.len(), text));
            assert_eq!(unpacked(packed.code, text), Entry::Bytes(text));
        }
        assert!(Packed::of(&[b'1'; INLINE_BYTES_MAX + 1]).is_outside());
    }
}
