//! The 80-bit float of x86 that INCRBYFLOAT and HINCRBYFLOAT compute with.
//!
//! Redis keeps `long double` values: 64 bits of mantissa, printed as `%.17Lf` without trailing
//! zeros. That is why `10.5 + 0.1` is `10.6` there and 3.0e3 + 200 is `3200`; in 53 bits the digits
//! differ. Rust has no such type, so here are its four operations in integers: read, add, print,
//! and make from an `f64`. Every one is exact up to one rounding to nearest, ties to even, as the
//! processor and the C library do it.
//!
//! A finite value is `mantissa * 2^exponent`, the mantissa's top bit set:
//!
//! ```text
//! 10.5 = 0b1010.1   mantissa 10101000...0 (64 bits)   exponent 3 - 63 = -60
//! ```
//!
//! Common numbers (19 digits, powers of ten within 27) take the `u128` paths; the rest, up to
//! 5,119 characters and 1e+-4932, goes through `big_natural`.
//!
//! Subnormal values (below 2^-16382) keep all 64 bits here: they print as 0 either way, and a sum
//! with anything that does not is the same.

use crate::big_natural::BigNatural;
use crate::number::push_u64;

/// A `long double`, not NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Zero,
    /// `mantissa * 2^exponent`; bit 63 of the mantissa is set.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, magnitude: Magnitude::Zero };

    /// The value that `text` spells for `strtold`, as Redis takes it: decimal or hexadecimal,
    /// `inf`, `infinity`; at most 5,119 bytes; no NaN, no blanks, nothing that overflows or
    /// underflows to zero.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, unsigned) = split_sign(text);
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { negative, magnitude: Magnitude::Infinite });
        }
        let wide = if is_hexadecimal(text) {
            parse_hexadecimal(&unsigned[2..])?
        } else {
            parse_decimal(unsigned)?
        };
        let magnitude = wide.to_magnitude();
        // a number that is spelled finite and not zero must stay so
        let in_range = match magnitude {
            Magnitude::Zero => wide.mantissa == 0,
            Magnitude::Finite { .. } => true,
            Magnitude::Infinite => false,
        };
        in_range.then_some(Self { negative, magnitude })
    }

    /// Whether the value is not an infinity.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// The sum, rounded once. Nothing for infinities that cancel (NaN); the sum is infinite when
    /// it overflows.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        match (self.magnitude, other.magnitude) {
            (Magnitude::Infinite, Magnitude::Infinite) if self.negative != other.negative => None,
            (Magnitude::Infinite, _) | (_, Magnitude::Zero) => Some(self),
            (Magnitude::Zero, _) | (_, Magnitude::Infinite) => Some(other),
            (
                Magnitude::Finite { mantissa: a, exponent: x },
                Magnitude::Finite { mantissa: b, exponent: y },
            ) => Some(if (x, a) >= (y, b) {
                add_ordered(self.negative, (a, x), (b, y), self.negative != other.negative)
            } else {
                add_ordered(other.negative, (b, y), (a, x), self.negative != other.negative)
            }),
        }
    }

    /// Appends the value as Redis stores it: 17 digits after the point, rounded, without trailing
    /// zeros; no exponent, however long; no minus before a zero.
    pub fn push_human(self, out: &mut Vec<u8>) {
        let (whole, fraction) = match self.magnitude {
            Magnitude::Infinite => {
                return out.extend_from_slice(if self.negative { b"-inf" } else { b"inf" });
            }
            Magnitude::Zero => (0, 0),
            Magnitude::Finite { mantissa, exponent } if exponent > 0 => {
                if self.negative {
                    out.push(b'-');
                }
                return push_integer(mantissa, exponent.unsigned_abs(), out);
            }
            Magnitude::Finite { mantissa, exponent } => {
                split_fraction(mantissa, exponent.unsigned_abs())
            }
        };
        if self.negative && (whole, fraction) != (0, 0) {
            out.push(b'-');
        }
        push_u64(out, whole);
        if fraction > 0 {
            let digits = format!("{fraction:017}");
            out.push(b'.');
            out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
        }
    }
}

impl From<f64> for LongDouble {
    /// The same value; NaN is taken for zero, so check first.
    fn from(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let magnitude = match (bits >> 52) as i32 & 0x7ff {
            0x7ff if fraction == 0 => Magnitude::Infinite,
            0x7ff => Magnitude::Zero,
            0 => Wide::new(fraction.into(), -1074, false).to_magnitude(),
            biased => {
                let mantissa = u128::from(fraction | 1 << 52);
                Wide::new(mantissa, i64::from(biased) - 1075, false).to_magnitude()
            }
        };
        Self { negative: value.is_sign_negative(), magnitude }
    }
}

/// Whether `text` is written in hexadecimal: a sign, `0x`.
pub(crate) fn is_hexadecimal(text: &[u8]) -> bool {
    matches!(split_sign(text).1, [b'0', b'x' | b'X', ..])
}

/// Reads a hexadecimal float as `parse_f64` needs it: rounded once, to 53 bits.
pub(crate) fn parse_hexadecimal_f64(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = split_sign(text);
    let wide = parse_hexadecimal(unsigned.get(2..)?)?;
    let value = if wide.mantissa == 0 { 0.0 } else { wide.to_f64()? };
    Some(if negative { -value } else { value })
}

/// A value before rounding: `(mantissa + something below 1 if sticky) * 2^exponent`, with bit 127
/// of the mantissa set unless it is zero.
#[derive(Clone, Copy, Debug)]
struct Wide {
    mantissa: u128,
    exponent: i64,
    sticky: bool,
}

impl Wide {
    /// Normalizes. `sticky` needs at least 66 bits in `mantissa`, or the rounding could be off.
    fn new(mantissa: u128, exponent: i64, sticky: bool) -> Self {
        if mantissa == 0 {
            return Self { mantissa, exponent: 0, sticky };
        }
        let shift = mantissa.leading_zeros();
        Self { mantissa: mantissa << shift, exponent: exponent - i64::from(shift), sticky }
    }

    /// The nearest integer of at most `bits` bits and the exponent it is to be taken with; ties to
    /// even. May answer 2^bits. 0 <= `bits` < 128.
    fn round(self, bits: u32) -> (u128, i64) {
        let dropped = 128 - bits;
        let kept = self.mantissa.checked_shr(dropped).unwrap_or(0);
        let half = 1u128 << (dropped - 1);
        let rest = if dropped == 128 { self.mantissa } else { self.mantissa & ((half << 1) - 1) };
        let up = rest > half || (rest == half && (self.sticky || kept & 1 == 1));
        (kept + u128::from(up), self.exponent + i64::from(dropped))
    }

    /// Rounds to 64 bits.
    fn to_magnitude(self) -> Magnitude {
        // 2^-16446 itself is a tie, and goes to the even zero
        let first = self.exponent + 127;
        let tie = first == EXPONENT_MIN && self.mantissa == 1 << 127 && !self.sticky;
        if self.mantissa == 0 || first < EXPONENT_MIN || tie {
            return Magnitude::Zero;
        }
        let (mut mantissa, mut exponent) = self.round(64);
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        match exponent + 63 {
            EXPONENT_MAX.. => Magnitude::Infinite,
            _ => Magnitude::Finite { mantissa: mantissa as u64, exponent: exponent as i32 },
        }
    }

    /// Rounds to the nearest `f64`, subnormal ones included; nothing beyond their range.
    fn to_f64(self) -> Option<f64> {
        // of the first bit; a subnormal's last bit is 2^-1074
        let exponent = self.exponent + 127;
        let bits = (exponent + 1075).clamp(-1, 53);
        if bits < 0 {
            return None;
        }
        let (mantissa, exponent) = self.round(bits as u32);
        if exponent > 1023 {
            return None;
        }
        // exact, as the mantissa was rounded to the bits that there are; in two halves, because
        // 2^-1074 itself is no normal number
        let half = exponent / 2;
        let value = mantissa as f64 * power_of_two(half) * power_of_two(exponent - half);
        (value.is_finite() && value != 0.0).then_some(value)
    }
}

/// `2^exponent` for -1022 to 1023 (`powi` promises no precision).
fn power_of_two(exponent: i64) -> f64 {
    debug_assert!((-1022..=1023).contains(&exponent));
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// `+-larger -+ smaller`: mantissas with their exponents, `larger >= smaller` in magnitude.
fn add_ordered(
    negative: bool,
    larger: (u64, i32),
    smaller: (u64, i32),
    subtract: bool,
) -> LongDouble {
    // 62 bits of room below, 2 above
    let a = u128::from(larger.0) << 62;
    let b = u128::from(smaller.0) << 62;
    let shift = (larger.1 - smaller.1).unsigned_abs();
    let aligned = b.checked_shr(shift).unwrap_or(0);
    let sticky = shift >= 128 || aligned << shift != b;
    // a - (aligned + something below 1) = (a - aligned - 1) + (1 - something)
    let sum = if subtract { a - aligned - u128::from(sticky) } else { a + aligned };
    let magnitude = Wide::new(sum, i64::from(larger.1) - 62, sticky).to_magnitude();
    LongDouble { negative: negative && sum != 0, magnitude }
}

/// Takes an optional sign off.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

/// Reads `digits[.digits][e[+-]digits]`; nothing when it is not exactly that, or when it overflows
/// or underflows beyond all doubt.
fn parse_decimal(text: &[u8]) -> Option<Wide> {
    let (digits, mut power) = mantissa_and_exponent(text, b'e', |byte| byte.is_ascii_digit())?;
    power -= digits.point_shift;
    let mut digits = digits.all;
    while digits.last() == Some(&b'0') {
        digits.pop();
        power += 1;
    }
    if digits.is_empty() {
        return Some(Wide::new(0, 0, false));
    }
    // 0.ddd * 10^size
    let size = digits.len() as i64 + power;
    if !(DECIMAL_SIZE_MIN..=DECIMAL_SIZE_MAX).contains(&size) {
        return None;
    }
    if digits.len() <= 19 && power.abs() <= 27 {
        let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        return Some(scale_small(value, power));
    }
    Some(scale_large(&digits, power))
}

/// `value * 10^power`, `value` not 0, `|power| <= 27`: 5^27 < 2^63.
fn scale_small(value: u64, power: i64) -> Wide {
    let five = 5u128.pow(power.unsigned_abs() as u32);
    if power >= 0 {
        return Wide::new(u128::from(value) * five, power, false);
    }
    let shift = 64 + value.leading_zeros();
    // at least 2^127 / 2^63: 65 bits, and the remainder as sticky
    let numerator = u128::from(value) << shift;
    Wide {
        sticky: !numerator.is_multiple_of(five),
        ..Wide::new(numerator / five, power - i64::from(shift), false)
    }
}

/// The number that `digits` spell (not 0) times 10^`power`.
fn scale_large(digits: &[u8], power: i64) -> Wide {
    let mut numerator = BigNatural::from_decimal(digits);
    let (mantissa, exponent, sticky) = if power >= 0 {
        numerator.multiply_power_of_5(power.unsigned_abs());
        numerator.top()
    } else {
        let mut denominator = BigNatural::from_decimal(b"1");
        denominator.multiply_power_of_5(power.unsigned_abs());
        numerator.divide(denominator)
    };
    Wide::new(mantissa, exponent + power, sticky)
}

/// Reads `digits[.digits][p[+-]digits]` after `0x`.
fn parse_hexadecimal(text: &[u8]) -> Option<Wide> {
    let (digits, exponent) = mantissa_and_exponent(text, b'p', |byte| byte.is_ascii_hexdigit())?;
    let (mut mantissa, mut dropped, mut sticky) = (0u128, 0, false);
    for digit in digits.all {
        let digit = char::from(digit).to_digit(16).expect("only hexadecimal digits were kept");
        if mantissa >> 124 == 0 {
            mantissa = mantissa << 4 | u128::from(digit);
        } else {
            dropped += 1;
            sticky |= digit != 0;
        }
    }
    let exponent = exponent + 4 * (dropped - digits.point_shift);
    Some(Wide::new(mantissa, exponent, sticky))
}

/// The digits of a number without leading zeros.
struct Digits {
    all: Vec<u8>,
    /// How many of the number's digits stood behind the point.
    point_shift: i64,
}

/// Takes a number apart; `marker` (in either case) introduces the exponent, which is limited to a
/// range far outside of every float's.
fn mantissa_and_exponent(
    text: &[u8],
    marker: u8,
    is_digit: fn(&u8) -> bool,
) -> Option<(Digits, i64)> {
    let end = text.iter().position(|byte| byte.eq_ignore_ascii_case(&marker));
    let mantissa = &text[..end.unwrap_or(text.len())];
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let fraction = mantissa.get(point + 1..).unwrap_or_default();
    let digits = mantissa[..point].iter().chain(fraction);
    if point + fraction.len() == 0 || !digits.clone().all(is_digit) {
        return None;
    }
    let exponent = match end {
        None => 0,
        Some(end) => {
            let (negative, digits) = split_sign(&text[end + 1..]);
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let value = digits
                .iter()
                .fold(0, |value, digit| (value * 10 + i64::from(digit - b'0')).min(POWER_LIMIT));
            if negative { -value } else { value }
        }
    };
    let all = digits.copied().skip_while(|&digit| digit == b'0').collect();
    Some((Digits { all, point_shift: fraction.len() as i64 }, exponent))
}

/// Splits `mantissa * 2^-shift` into its whole part and 17 rounded digits of its fraction.
fn split_fraction(mantissa: u64, shift: u32) -> (u64, u64) {
    let whole = mantissa.checked_shr(shift).unwrap_or(0);
    let fraction = mantissa ^ whole.checked_shl(shift).unwrap_or(0);
    // below 2^64 * 10^17 < 2^121
    let scaled = u128::from(fraction) * u128::from(FRACTION_ONE);
    let digits = if shift == 0 {
        0
    } else {
        let kept = scaled.checked_shr(shift).unwrap_or(0);
        // a shift beyond 121 leaves less than a half
        let half = 1u128.checked_shl(shift - 1).unwrap_or(u128::MAX);
        let rest = scaled ^ kept.checked_shl(shift).unwrap_or(0);
        let up = rest > half || (rest == half && kept & 1 == 1);
        kept as u64 + u64::from(up)
    };
    // the fraction rounds up to one only when there are whole bits to spare: no overflow
    if digits == FRACTION_ONE { (whole + 1, 0) } else { (whole, digits) }
}

/// Appends `mantissa * 2^shift`.
fn push_integer(mantissa: u64, shift: u32, out: &mut Vec<u8>) {
    if shift <= 64 {
        out.extend_from_slice(itoa::Buffer::new().format(u128::from(mantissa) << shift).as_bytes());
    } else {
        BigNatural::from_shifted(mantissa, shift).push_decimal(out);
    }
}

/// 10^17: `%.17Lf`.
const FRACTION_ONE: u64 = 100_000_000_000_000_000;

/// Redis copies the text into a buffer of `MAX_LONG_DOUBLE_CHARS` (util.h), 5 * 1024, with a NUL.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// The first bit of the largest finite value is 2^16383.
const EXPONENT_MAX: i64 = 16_384;

/// The smallest subnormal is 2^-16445; what is above half of it does not round to zero.
const EXPONENT_MIN: i64 = -16_446;

/// Largest and smallest values are below 10^4933 and above 10^-4952; what is clearly outside is
/// refused before any large number is computed, the rest is decided by its bits.
const DECIMAL_SIZE_MAX: i64 = 4_934;
const DECIMAL_SIZE_MIN: i64 = -4_960;

/// An exponent is read up to here; the digits (5,119 at most) cannot bring it back into range.
const POWER_LIMIT: i64 = 1_000_000;

#[cfg(test)]
mod tests;
