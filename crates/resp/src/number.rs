//! Numbers as Redis reads and prints them.
//!
//! Integers are strict: one spelling per value (no `+`, no leading zero, no blank), so that a
//! string that reads as an integer can be stored as one and printed back the same. Floats are
//! read as C's `strtod` reads them and printed with few digits that read back the same.

use crate::long_double;
use crate::shortest::Digits;

/// The integer that `text` spells, in the one spelling that [`push_i64`] gives it.
#[inline]
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (&first, rest) = digits.split_first()?;
    if first == b'0' {
        return (text.len() == 1).then_some(0);
    }
    // 19 digits are below 10^19 < 2^64: no overflow on the way
    if !first.is_ascii_digit() || digits.len() > 19 {
        return None;
    }
    let mut value = u64::from(first - b'0');
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// The non-negative integer that `text` spells, up to `u64::MAX`, as strictly as [`parse_i64`].
#[must_use]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if !first.is_ascii_digit() || (first == b'0' && !rest.is_empty()) {
        return None;
    }
    rest.iter().try_fold(u64::from(first - b'0'), |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// The float that `text` spells for `strtod`: decimal or hexadecimal with an exponent, `inf`,
/// `infinity`, in either case, with a sign. Not NaN, no blanks, nothing around it, nothing that
/// overflows to infinity or underflows to zero. Correctly rounded.
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if long_double::is_hexadecimal(text) {
        return long_double::parse_hexadecimal_f64(text);
    }
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    let finite_text = !text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'n'));
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let zero_text = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let in_range = (value.is_finite() || !finite_text) && (value != 0.0 || zero_text);
    (!value.is_nan() && in_range).then_some(value)
}

/// Appends `value` in decimal.
#[inline]
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    if (0..10).contains(&value) {
        out.push(b'0' + value as u8);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Appends `value` in decimal.
#[inline]
pub fn push_u64(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        out.push(b'0' + value as u8);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Appends `value` as Redis 7.2 prints a double (util.c `d2string`): an integer within 2^62 as
/// such, else few digits that read back the same (see `shortest.rs`), with an exponent when it is
/// far from 0: `0.1`, `3`, `1.5e+300`, `1e-7`, `inf`, `-inf`, `nan`, `-0`.
pub fn push_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value <= INTEGER_MAX && value.fract() == 0.0 {
        push_u64(out, value as u64);
    } else {
        push_shortest(out, value);
    }
}

/// Appends a positive finite `value` in few digits that read back the same. Plain while that
/// takes few zeros, else `d.ddde+x`: the bounds are those of Redis' `fpconv_dtoa`.
fn push_shortest(out: &mut Vec<u8>, value: f64) {
    let digits = Digits::of(value);
    let (digits, power) = (digits.as_slice(), digits.power);
    // value = digits * 10^power = d.ddd * 10^exponent
    let count = digits.len() as i32;
    let exponent = power + count - 1;
    if power >= 0 && exponent < count + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + power as usize, b'0');
    } else if power < 0 && (power > -7 || exponent.abs() < 4) {
        let point = count + power;
        if point <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        push_u64(out, u64::from(exponent.unsigned_abs()));
    }
}

/// Up to here Redis prints an integral double as an integer: 2^62 (util.c `double2ll`).
const INTEGER_MAX: f64 = (1u64 << 62) as f64;

#[cfg(test)]
mod tests;
