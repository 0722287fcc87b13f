//! One entry of a listpack: how a value is encoded, and read back.
//!
//! ```text
//! first byte   then                            holds
//! 0xxxxxxx                                     an integer from 0 to 127
//! 10xxxxxx     x bytes                         a string of up to 63 bytes
//! 110xxxxx     yyyyyyyy                        an integer of 13 bits, two's complement
//! 1110xxxx     yyyyyyyy, xy bytes              a string of up to 4,095 bytes
//! 11110000     4 bytes of length, bytes        a longer string
//! 11110001     2 bytes                         an integer of 16 bits
//! 11110010     3 bytes                         of 24
//! 11110011     4 bytes                         of 32
//! 11110100     8 bytes                         of 64
//! 11111111                                     no entry: the end of the listpack
//! ```
//! Numbers of several bytes are little endian. Behind each entry stands its own length (the back
//! length, without itself), in 1 to 5 bytes of 7 bits, the highest first, of which all but the
//! first byte have their top bit set: it is read from its end.

use resp::number::parse_i64;

use crate::string::StringBytes;

/// The byte after the last entry.
pub(super) const END: u8 = 0xff;

/// The longest text of an `i64`: a sign and 19 digits.
const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// A value as it lies in a listpack or an intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// An integer; its text is the shortest one.
    Integer(i64),
    /// Bytes, where they are.
    Bytes(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// The entry that `bytes` are stored as: the shortest text of an integer is that integer.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        if bytes.len() <= INTEGER_TEXT_BYTES_MAX
            && let Some(integer) = parse_i64(bytes)
        {
            return Self::Integer(integer);
        }
        Self::Bytes(bytes)
    }

    /// The bytes of the value: borrowed, or printed. No allocation.
    #[inline]
    #[must_use]
    pub fn text(self) -> StringBytes<'a> {
        match self {
            Self::Bytes(bytes) => StringBytes::Borrowed(bytes),
            Self::Integer(integer) => StringBytes::of_integer(integer),
        }
    }

    /// The entry at the start of `bytes`, and its length without the back length; `None` where
    /// there is no whole one.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        let (start, len) = match first {
            0..=0x7f => return Some((Self::Integer(i64::from(first)), 1)),
            0x80..=0xbf => (1, usize::from(first & 0x3f)),
            0xc0..=0xdf => {
                let value = (u16::from(first & 0x1f) << 8) | u16::from(*bytes.get(1)?);
                // 13 bits: the sign is at the top once they are moved there
                return Some((Self::Integer(i64::from((value << 3).cast_signed() >> 3)), 2));
            }
            0xe0..=0xef => (2, (usize::from(first & 0x0f) << 8) | usize::from(*bytes.get(1)?)),
            0xf0 => (5, u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize),
            0xf1..=0xf4 => {
                let width = if first == 0xf4 { 8 } else { usize::from(first - 0xef) };
                let integer = read_integer(bytes.get(1..=width)?);
                return Some((Self::Integer(integer), 1 + width));
            }
            _ => return None,
        };
        Some((Self::Bytes(bytes.get(start..start + len)?), start + len))
    }
}

/// Bytes of the entry at the start of `bytes`, with its back length, if one is there: what walking
/// past it takes.
#[inline]
pub(super) fn skip(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    Some(match first {
        0..=0x7f => 2,
        // up to 63 bytes, so the back length is one byte
        0x80..=0xbf => usize::from(first & 0x3f) + 2,
        _ => total_bytes(Entry::read(bytes)?.1),
    })
}

impl PartialEq<[u8]> for Entry<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        match self {
            Self::Bytes(bytes) => *bytes == other,
            Self::Integer(integer) => Entry::of(other) == Entry::Integer(*integer),
        }
    }
}

/// The integer of 1 to 8 bytes, little endian, two's complement.
fn read_integer(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(wide) >> (64 - 8 * bytes.len() as u32)
}

/// A value ready to be written as an entry.
pub(super) struct Encoded<'a> {
    /// What stands before the bytes: all of an integer.
    head: [u8; 9],
    head_bytes: u8,
    /// The bytes of a string.
    body: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// The encoding of `entry`: the shortest there is.
    ///
    /// # Panics
    /// When a string is longer than 32 bits can say.
    pub(super) fn of(entry: Entry<'a>) -> Self {
        let mut head = [0; 9];
        let (head_bytes, body) = match entry {
            Entry::Integer(integer) => (write_integer(&mut head, integer), [].as_slice()),
            Entry::Bytes(bytes) => (write_string_head(&mut head, bytes.len()), bytes),
        };
        Self { head, head_bytes, body }
    }

    /// Bytes of the entry without its back length.
    const fn bytes(&self) -> usize {
        self.head_bytes as usize + self.body.len()
    }

    /// Bytes of the entry and its back length.
    pub(super) const fn total_bytes(&self) -> usize {
        total_bytes(self.bytes())
    }

    /// Writes entry and back length; `out` has [`total_bytes`](Self::total_bytes).
    pub(super) fn write(&self, out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(usize::from(self.head_bytes));
        head.copy_from_slice(&self.head[..head.len()]);
        let (body, back) = rest.split_at_mut(self.body.len());
        body.copy_from_slice(self.body);
        let mut len = self.bytes();
        for byte in back.iter_mut().rev() {
            *byte = (len & 0x7f) as u8 | 0x80;
            len >>= 7;
        }
        back[0] &= 0x7f;
    }
}

/// Writes an integer in its shortest encoding, and returns how many bytes that takes.
fn write_integer(head: &mut [u8; 9], integer: i64) -> u8 {
    if (0..=127).contains(&integer) {
        head[0] = integer as u8;
        return 1;
    }
    if (-4096..=4095).contains(&integer) {
        let bits = integer as u16 & 0x1fff;
        head[0] = 0xc0 | (bits >> 8) as u8;
        head[1] = bits as u8;
        return 2;
    }
    // bits that say something, with the sign
    let bits = 65 - if integer < 0 { integer.leading_ones() } else { integer.leading_zeros() };
    let (first, width) = match bits {
        ..=16 => (0xf1, 2),
        17..=24 => (0xf2, 3),
        25..=32 => (0xf3, 4),
        _ => (0xf4, 8),
    };
    head[0] = first;
    head[1..].copy_from_slice(&integer.to_le_bytes());
    1 + width
}

/// Writes what stands before a string of `len` bytes, and returns how many bytes that takes.
fn write_string_head(head: &mut [u8; 9], len: usize) -> u8 {
    match len {
        ..64 => {
            head[0] = 0x80 | len as u8;
            1
        }
        64..4096 => {
            head[0] = 0xe0 | (len >> 8) as u8;
            head[1] = len as u8;
            2
        }
        _ => {
            let len = u32::try_from(len).expect("a string in a listpack is far below 4 GiB");
            head[0] = 0xf0;
            head[1..5].copy_from_slice(&len.to_le_bytes());
            5
        }
    }
}

/// Bytes of an entry of `bytes` and its back length. The bounds are Redis', which leaves the last
/// value of each length to the next one.
#[inline]
pub(super) const fn total_bytes(bytes: usize) -> usize {
    let back = match bytes {
        ..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    bytes + back
}

/// The back length that ends with the last of `bytes`: bytes of the entry before it. `None` where
/// none ends there.
#[inline]
pub(super) fn read_back(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for (index, byte) in bytes.iter().rev().take(5).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}
