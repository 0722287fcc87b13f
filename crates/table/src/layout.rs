//! Where everything lies in a record: arithmetic only, no memory.
//!
//! ```text
//!  Bytes    | flags | access | key len | value len | expiry | key ... | value ...        |
//!             1       3        1/2/5     1/2/5       0/8
//!  Int      | flags | access | key len | expiry | key ... | integer                      |
//!             1       3        1/2/5     0/8                1/2/4/8
//!  Object   | flags | access | key len | pad to 8 | object | expiry | key ...             |
//!             1       3        1/2/5     0-3...     size V   0/8
//! ```
//!
//! All integers are little-endian and unaligned, but for the object, which is aligned to 8 because
//! references to it are handed out. A 16-byte key with 32 bytes of value and no expiry needs
//! 4 + 1 + 1 + 16 + 32 = 54 bytes, and so a 56-byte object of a slab.
//!
//! A length takes 1 byte below 224, 2 bytes below 8160, 5 bytes else: the first byte says which
//! (`< 224`: the length; `224..=254`: its high part, offset by 224; 255: four bytes follow).

/// Flag bits: the kind of payload is in the low three.
pub(crate) const FLAG_KIND: u8 = 0b0000_0111;
/// The record has an expiry.
pub(crate) const FLAG_EXPIRY: u8 = 0b0000_1000;
/// The string is raw for OBJECT ENCODING, whatever its length.
pub(crate) const FLAG_RAW: u8 = 0b0001_0000;
/// The walk under way has nothing more to do with this record (see `walk`).
pub(crate) const FLAG_MARKED: u8 = 0b0010_0000;

/// Bytes of flags and access, in front of the key's length.
pub(crate) const HEAD_BYTES: usize = 4;
const EXPIRY_BYTES: usize = 8;
const OBJECT_ALIGN: usize = 8;

/// Lengths from here on take two bytes, from `LENGTH_5` on five.
const LENGTH_2: usize = 224;
const LENGTH_5: usize = LENGTH_2 + 31 * 256;

/// The longest length that can be written down. Redis' limit is 512 MiB.
pub(crate) const LENGTH_MAX: usize = u32::MAX as usize;

/// The kind of a payload, as stored in the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Embedded bytes.
    Bytes,
    /// An object of the caller.
    Object,
    /// An integer of `1 << n` bytes, `n` in `0..=3`.
    Int(u8),
}

impl Kind {
    /// The kind with the fewest bytes that hold `integer`.
    #[inline]
    pub(crate) fn of_int(integer: i64) -> Self {
        // Bits of the two's complement form, sign included: 1 for 0 and -1.
        let bits = u64::BITS - (integer ^ (integer >> 63)).leading_zeros() + 1;
        match bits {
            ..=8 => Self::Int(0),
            9..=16 => Self::Int(1),
            17..=32 => Self::Int(2),
            _ => Self::Int(3),
        }
    }

    /// The flag bits of the kind.
    #[inline]
    pub(crate) fn to_flags(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Object => 1,
            Self::Int(log) => 2 + log,
        }
    }

    /// The kind in `flags`.
    #[inline]
    pub(crate) fn of_flags(flags: u8) -> Self {
        match flags & FLAG_KIND {
            0 => Self::Bytes,
            1 => Self::Object,
            number => Self::Int((number - 2) & 3),
        }
    }
}

/// What decides the layout of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) expiring: bool,
    pub(crate) key_bytes: usize,
    /// Bytes of the value; counts for `Kind::Bytes` only.
    pub(crate) value_bytes: usize,
    /// `size_of` of the object type; counts for `Kind::Object` only.
    pub(crate) object_bytes: usize,
}

/// Offsets from the start of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The value's length (kind `Bytes`) or the object (kind `Object`).
    pub(crate) middle: usize,
    pub(crate) expiry: usize,
    pub(crate) key: usize,
    pub(crate) value: usize,
    /// The record's length, before rounding to a class.
    pub(crate) bytes: usize,
}

impl Shape {
    /// Where things lie in a record of this shape.
    #[inline]
    pub(crate) fn layout(self) -> Layout {
        let head = HEAD_BYTES + length_bytes(self.key_bytes);
        let (middle, expiry, tail) = match self.kind {
            Kind::Bytes => (head, head + length_bytes(self.value_bytes), self.value_bytes),
            Kind::Object => {
                let object = head.next_multiple_of(OBJECT_ALIGN);
                (object, object + self.object_bytes, 0)
            }
            Kind::Int(log) => (head, head, 1 << log),
        };
        let key = expiry + if self.expiring { EXPIRY_BYTES } else { 0 };
        let value = key + self.key_bytes;
        Layout { middle, expiry, key, value, bytes: value + tail }
    }
}

/// Bytes that writing down `length` takes.
#[inline]
pub(crate) fn length_bytes(length: usize) -> usize {
    match length {
        ..LENGTH_2 => 1,
        LENGTH_2..LENGTH_5 => 2,
        _ => 5,
    }
}

/// `length` in its written form; the first `length_bytes(length)` bytes count.
///
/// # Panics
/// If `length` is more than `LENGTH_MAX`.
#[inline]
pub(crate) fn write_length(length: usize) -> [u8; 5] {
    match length {
        ..LENGTH_2 => [length as u8, 0, 0, 0, 0],
        LENGTH_2..LENGTH_5 => {
            let [low, high, ..] = (length - LENGTH_2).to_le_bytes();
            [LENGTH_2 as u8 + high, low, 0, 0, 0]
        }
        _ => {
            let number = u32::try_from(length).expect("lengths are below 4 GiB");
            let [a, b, c, d] = number.to_le_bytes();
            [255, a, b, c, d]
        }
    }
}

/// The length whose written form begins with `first`; `rest` gives its further bytes by number.
#[inline]
pub(crate) fn read_length(first: u8, rest: impl Fn(usize) -> u8) -> usize {
    match usize::from(first) {
        length @ ..LENGTH_2 => length,
        high @ LENGTH_2..255 => (high - LENGTH_2) * 256 + usize::from(rest(1)) + LENGTH_2,
        _ => u32::from_le_bytes([rest(1), rest(2), rest(3), rest(4)]) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back() {
        let edges = [LENGTH_MAX - 1, LENGTH_MAX, 1 << 20, 70_000, 65_535, 65_536];
        for length in (0..20_000).chain(edges) {
            let written = write_length(length);
            assert_eq!(read_length(written[0], |index| written[index]), length);
        }
        assert_eq!([223, 224, 8159, 8160].map(length_bytes), [1, 2, 2, 5]);
    }

    #[test]
    fn integers_take_the_fewest_bytes() {
        let cases = [
            (0, 0),
            (-1, 0),
            (127, 0),
            (-128, 0),
            (128, 1),
            (-129, 1),
            (32_767, 1),
            (32_768, 2),
            (-32_769, 2),
            (i64::from(i32::MAX), 2),
            (i64::from(i32::MIN), 2),
            (i64::from(i32::MAX) + 1, 3),
            (i64::MIN, 3),
            (i64::MAX, 3),
        ];
        for (integer, log) in cases {
            assert_eq!(Kind::of_int(integer), Kind::Int(log), "{integer}");
            assert_eq!(Kind::of_flags(Kind::Int(log).to_flags()), Kind::Int(log));
        }
    }

    #[test]
    fn the_usual_record_is_as_small_as_promised() {
        let kind = Kind::Bytes;
        let shape =
            Shape { kind, expiring: false, key_bytes: 16, value_bytes: 32, object_bytes: 0 };
        assert_eq!(shape.layout().bytes, 54);
        assert_eq!(Shape { value_bytes: 256, ..shape }.layout().bytes, 279);
        assert_eq!(Shape { expiring: true, ..shape }.layout().bytes, 62);
        assert_eq!(Shape { kind: Kind::Int(0), ..shape }.layout().bytes, 22);
    }
}
