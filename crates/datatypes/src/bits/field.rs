//! Integers of 1 to 64 bits at any bit of a string: BITFIELD.
//!
//! A field of up to 64 bits at any offset lies within 9 bytes: one big-endian 128-bit window, that
//! is shifted and masked. What is beyond the end of the string reads as zeros.
//!
//! ```text
//! i7 at offset 13:   byte 1      byte 2      byte 3
//!                   .....sxx    xxxx....
//! ```

/// The type of a field: `i5`, `u8`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldKind {
    signed: bool,
    /// 1 to 64 where signed, to 63 where not: the value always fits an `i64`.
    bits: u8,
}

/// What happens when a value does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The highest bits are lost.
    Wrap,
    /// The nearest value that fits is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl FieldKind {
    /// Reads `i1` to `i64` or `u1` to `u63`, in small letters and without leading zeros or signs.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return None,
        };
        let bits = match digits {
            [ones @ b'1'..=b'9'] => ones - b'0',
            [tens @ b'1'..=b'6', ones @ b'0'..=b'9'] => (tens - b'0') * 10 + (ones - b'0'),
            _ => return None,
        };
        (bits <= if signed { 64 } else { 63 }).then_some(Self { signed, bits })
    }

    /// Width in bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.bits as u64
    }

    /// The smallest value.
    #[must_use]
    pub const fn min(self) -> i64 {
        if self.signed { i64::MIN >> (64 - self.bits) } else { 0 }
    }

    /// The largest value.
    #[must_use]
    pub const fn max(self) -> i64 {
        if self.signed {
            i64::MAX >> (64 - self.bits)
        } else {
            (u64::MAX >> (64 - self.bits)) as i64
        }
    }

    /// What a SET of `value` stores, or nothing where it does not fit and `overflow` says to fail.
    /// For an unsigned field, `value` is taken as an unsigned 64-bit number, as Redis does: a
    /// negative one is far too large. And as in Redis (bitops.c, where the distance to the maximum
    /// overflows), a value within reach of `i64::MIN` saturates a signed field at its *maximum*.
    #[must_use]
    pub const fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        let far_below = self.signed && self.bits < 64 && value < self.max() - i64::MAX;
        if far_below && matches!(overflow, Overflow::Saturate) {
            return Some(self.max());
        }
        let wide = if self.signed { value as i128 } else { value as u64 as i128 };
        self.fit_wide(wide, overflow)
    }

    /// What an INCRBY of `old` by `increment` stores, or nothing as with [`FieldKind::fit`].
    #[must_use]
    pub const fn add(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit_wide(old as i128 + increment as i128, overflow)
    }

    const fn fit_wide(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = (self.min() as i128, self.max() as i128);
        if value >= min && value <= max {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.wrapped(value as u64)),
            Overflow::Saturate => Some(if value < min { self.min() } else { self.max() }),
            Overflow::Fail => None,
        }
    }

    /// The value that the low bits of `word` stand for.
    const fn wrapped(self, word: u64) -> i64 {
        let unused = 64 - self.bits as u32;
        if self.signed {
            ((word << unused) as i64) >> unused
        } else {
            ((word << unused) >> unused) as i64
        }
    }
}

/// The field at bit `offset`. O(1).
#[must_use]
pub fn read_field(bytes: &[u8], offset: u64, kind: FieldKind) -> i64 {
    let window = window_at(bytes, offset);
    // The window's highest bit is the first bit of the byte in which the field begins.
    let unused_low = 128 - (offset % 8) as u32 - u32::from(kind.bits);
    kind.wrapped((window >> unused_low) as u64)
}

/// Writes the low bits of `value` into the field at bit `offset`. O(1).
///
/// # Panics
/// When the field reaches beyond the end of `bytes`.
pub fn write_field(bytes: &mut [u8], offset: usize, kind: FieldKind, value: i64) {
    let unused_low = 128 - (offset % 8) as u32 - u32::from(kind.bits);
    let mask = u128::from(u64::MAX >> (64 - kind.bits)) << unused_low;
    let placed = (u128::from(value as u64) << unused_low) & mask;
    let window = (window_at(bytes, offset as u64) & !mask) | placed;
    let touched = (offset % 8 + usize::from(kind.bits)).div_ceil(8);
    bytes[offset / 8..offset / 8 + touched].copy_from_slice(&window.to_be_bytes()[..touched]);
}

/// The bytes from the one that holds bit `offset`, nine of them or as many as there are, at the top
/// of a word of 16.
fn window_at(bytes: &[u8], offset: u64) -> u128 {
    let mut window = [0; 16];
    let tail = usize::try_from(offset / 8).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
    let taken = tail.len().min(FIELD_BYTES_MAX);
    window[..taken].copy_from_slice(&tail[..taken]);
    u128::from_be_bytes(window)
}

/// 64 bits that begin within a byte reach into a ninth.
const FIELD_BYTES_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::{FieldKind, Overflow, read_field, write_field};
    use crate::bits::naive;
    use crate::seeded::random;

    fn kind(text: &str) -> FieldKind {
        FieldKind::parse(text.as_bytes()).expect("a valid type")
    }

    fn every_kind() -> impl Iterator<Item = FieldKind> {
        let signed = (1..=64).map(|bits| format!("i{bits}"));
        signed.chain((1..=63).map(|bits| format!("u{bits}"))).map(|text| kind(&text))
    }

    #[test]
    fn types() {
        for text in ["u64", "i65", "i0", "u0", "i", "", "x8", "i08", "i+8", "i8 ", "I8", "i100"] {
            assert_eq!(FieldKind::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!((kind("i8").min(), kind("i8").max()), (-128, 127));
        assert_eq!((kind("u63").min(), kind("u63").max()), (0, i64::MAX));
        assert_eq!((kind("i64").min(), kind("i64").max()), (i64::MIN, i64::MAX));
        assert_eq!((kind("i1").min(), kind("i1").max()), (-1, 0));
    }

    #[test]
    fn reads_and_writes_as_the_naive_array() {
        let mut state = 1;
        for kind in every_kind() {
            let width = kind.bits() as usize;
            let step = if cfg!(miri) { 37 } else { 1 };
            for offset in (0..=(160 - width)).step_by(step) {
                let mut bytes = naive::random_bytes(random(&mut state), 20);
                let value = random(&mut state) as i64;
                let mut array = naive::bits(&bytes);

                let read = naive::unsigned(&array, offset, width);
                let low_bits = u64::MAX >> (64 - width);
                assert_eq!(read_field(&bytes, offset as u64, kind) as u64 & low_bits, read);
                assert!((kind.min()..=kind.max()).contains(&read_field(
                    &bytes,
                    offset as u64,
                    kind
                )));

                write_field(&mut bytes, offset, kind, value);
                for (index, bit) in array[offset..offset + width].iter_mut().enumerate() {
                    *bit = value as u64 >> (width - 1 - index) & 1 == 1;
                }
                assert_eq!(bytes, naive::bytes(&array));
            }
        }
    }

    #[test]
    fn beyond_the_end_is_zero() {
        assert_eq!(read_field(&[0xff], 4, kind("u8")), 0xf0);
        assert_eq!(read_field(&[0xff], 8, kind("i64")), 0);
        assert_eq!(read_field(&[0xff], u64::MAX - 64, kind("i64")), 0);
    }

    #[test]
    fn overflow_of_an_increment() {
        let (i8, u8) = (kind("i8"), kind("u8"));
        assert_eq!(i8.add(127, 1, Overflow::Wrap), Some(-128));
        assert_eq!(i8.add(-128, -1, Overflow::Wrap), Some(127));
        assert_eq!(i8.add(127, 1, Overflow::Saturate), Some(127));
        assert_eq!(i8.add(-100, -100, Overflow::Saturate), Some(-128));
        assert_eq!(i8.add(127, 1, Overflow::Fail), None);
        assert_eq!(u8.add(255, 1, Overflow::Wrap), Some(0));
        assert_eq!(u8.add(0, -1, Overflow::Wrap), Some(255));
        assert_eq!(u8.add(0, -1, Overflow::Saturate), Some(0));
        let i64_kind = kind("i64");
        assert_eq!(i64_kind.add(i64::MAX, 1, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(i64_kind.add(i64::MIN, i64::MIN, Overflow::Saturate), Some(i64::MIN));
        assert_eq!(kind("u63").add(i64::MAX, i64::MAX, Overflow::Wrap), Some(i64::MAX - 1));
    }

    #[test]
    fn overflow_of_a_set() {
        assert_eq!(kind("u8").fit(257, Overflow::Wrap), Some(1));
        assert_eq!(kind("u8").fit(-1, Overflow::Wrap), Some(255));
        assert_eq!(kind("u8").fit(-1, Overflow::Saturate), Some(255));
        assert_eq!(kind("u8").fit(-1, Overflow::Fail), None);
        assert_eq!(kind("i4").fit(-9, Overflow::Saturate), Some(-8));
        assert_eq!(kind("i4").fit(7, Overflow::Fail), Some(7));
        let i16_kind = kind("i16");
        assert_eq!(i16_kind.fit(-9_223_372_036_854_743_040, Overflow::Saturate), Some(-32768));
        assert_eq!(i16_kind.fit(-9_223_372_036_854_743_041, Overflow::Saturate), Some(32767));
        assert_eq!(i16_kind.fit(i64::MIN, Overflow::Fail), None);
        assert_eq!(kind("i64").fit(i64::MIN, Overflow::Saturate), Some(i64::MIN));
    }
}
