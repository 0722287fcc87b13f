//! Numbers as directives write them: plain, octal, memory sizes, percentages.
//!
//! Every integer parameter is carried as an `i128` between its text and its field, so that one pair
//! of bounds serves fields from `u16` to `u64`. A field that is either bytes or a percentage
//! ([`Size`]) carries the percentage as a negative number, as Redis does.

use crate::reason::Reason;

/// How an integer is written and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Decimal: `6380`.
    Plain,
    /// Decimal bytes, or with a suffix: `1k` = 1000, `1kb` = 1024, and so on to `g`, `gb`.
    Memory,
    /// As `Memory`, or a percentage: `5%`.
    MemoryOrPercent,
    /// Octal, as file modes are: `700`.
    Octal,
}

/// An amount of memory, absolute or relative to `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many bytes; 0 means no limit where the parameter says so.
    Bytes(u64),
    /// So many percent of `maxmemory`, 1 to 100.
    Percent(u8),
}

impl Size {
    /// The limit in bytes when `whole` bytes are what a percentage refers to. Rounds down.
    pub fn bytes_of(self, whole: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let bytes = u128::from(whole) * u128::from(percent) / 100;
                u64::try_from(bytes).expect("a part of a u64 fits a u64: percent is at most 100")
            }
        }
    }
}

/// A field that an integer parameter may live in.
pub(crate) trait Number: Copy {
    /// The value as the declarations see it.
    fn widen(self) -> i128;
    /// Back from a value within the parameter's bounds.
    ///
    /// # Panics
    /// When the bounds of the declaration do not fit the field, which a test excludes.
    fn narrow(value: i128) -> Self;
}

macro_rules! number {
    ($($field:ty),+) => {$(
        impl Number for $field {
            fn widen(self) -> i128 {
                i128::from(self)
            }

            fn narrow(value: i128) -> Self {
                Self::try_from(value).expect("the declared bounds fit the field")
            }
        }
    )+};
}

number!(u8, u16, u32, i32, u64, i64);

impl Number for Size {
    fn widen(self) -> i128 {
        match self {
            Self::Bytes(bytes) => i128::from(bytes),
            Self::Percent(percent) => -i128::from(percent),
        }
    }

    fn narrow(value: i128) -> Self {
        if value < 0 { Self::Percent(u8::narrow(-value)) } else { Self::Bytes(u64::narrow(value)) }
    }
}

/// Reads `text` as an integer of `unit` within `min..=max`, with Redis' words for what is wrong.
pub(crate) fn parse(text: &[u8], unit: Unit, min: i128, max: i128) -> Result<i128, Reason> {
    let value = match unit {
        Unit::Plain => decimal(text).ok_or("argument couldn't be parsed into an integer")?,
        Unit::Memory => memory(text).ok_or("argument must be a memory value")?,
        Unit::MemoryOrPercent => memory_or_percent(text, min)?,
        Unit::Octal => octal(text).ok_or("argument couldn't be parsed as an octal number")?,
    };
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(match unit {
        Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
        _ => format!("argument must be between {min} and {max} inclusive"),
    }
    .into())
}

/// The text that CONFIG GET shows for `value`: sizes in bytes, modes in octal.
pub(crate) fn show(value: i128, unit: Unit) -> String {
    match unit {
        Unit::Octal => format!("{value:o}"),
        Unit::MemoryOrPercent if value < 0 => format!("{}%", -value),
        _ => value.to_string(),
    }
}

/// The text that CONFIG REWRITE stores for `value`: sizes in the largest unit that divides them.
pub(crate) fn show_in_file(value: i128, unit: Unit) -> String {
    if !matches!(unit, Unit::Memory | Unit::MemoryOrPercent) || value <= 0 {
        return show(value, unit);
    }
    let units = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    for (factor, suffix) in units {
        if value % factor == 0 {
            return format!("{}{suffix}", value / factor);
        }
    }
    value.to_string()
}

/// A decimal integer of 64 bits as Redis reads one: no sign but `-`, no leading zeros or blanks.
pub(crate) fn decimal(text: &[u8]) -> Option<i128> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    let value: i128 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // The union of what an i64 and a u64 hold: Redis keeps every integer in one of the two.
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// A memory size: digits, then nothing or one of b, k, kb, m, mb, g, gb in any case.
fn memory(text: &[u8]) -> Option<i128> {
    let digits_count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = text.split_at(digits_count);
    let factor: u64 = match suffix.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    count.checked_mul(factor).map(i128::from)
}

/// A memory size, or `n%` with n at most the negated `min`; the percentage comes back negative.
fn memory_or_percent(text: &[u8], min: i128) -> Result<i128, Reason> {
    const UNREADABLE: &str = "argument must be a memory or percent value";
    let Some(digits) = text.strip_suffix(b"%") else {
        return Ok(memory(text).ok_or(UNREADABLE)?);
    };
    let percent = decimal(digits).filter(|percent| *percent >= 0).ok_or(UNREADABLE)?;
    if percent > -min {
        return Err(format!("percentage argument must be less or equal to {}", -min).into());
    }
    Ok(-percent)
}

fn octal(text: &[u8]) -> Option<i128> {
    let octal_digits = !text.is_empty() && text.iter().all(|byte| (b'0'..=b'7').contains(byte));
    let text = std::str::from_utf8(text).ok().filter(|_| octal_digits)?;
    i128::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: Unit) -> Result<i128, String> {
        parse(text.as_bytes(), unit, -100, i128::from(u64::MAX)).map_err(|why| why.to_string())
    }

    #[test]
    fn memory_suffixes_are_decimal_alone_and_binary_with_b() {
        let cases = [("1", 1), ("1b", 1), ("1k", 1000), ("1kb", 1024), ("2K", 2000)];
        for (text, bytes) in cases {
            assert_eq!(read(text, Unit::Memory), Ok(bytes), "{text}");
        }
        assert_eq!(read("3mb", Unit::Memory), Ok(3 << 20));
        assert_eq!(read("3M", Unit::Memory), Ok(3_000_000));
        assert_eq!(read("4GB", Unit::Memory), Ok(4 << 30));
        assert_eq!(read("4g", Unit::Memory), Ok(4_000_000_000));
        assert_eq!(read("18446744073709551615", Unit::Memory), Ok(i128::from(u64::MAX)));
        for wrong in
            ["", "-1", "1.5gb", "gb", "1tb", "1 kb", "18446744073709551616", "99999999999g"]
        {
            assert_eq!(
                read(wrong, Unit::Memory),
                Err("argument must be a memory value".into()),
                "{wrong}"
            );
        }
    }

    #[test]
    fn percentages_are_negative_inside_and_bounded() {
        assert_eq!(read("5%", Unit::MemoryOrPercent), Ok(-5));
        assert_eq!(show(-5, Unit::MemoryOrPercent), "5%");
        assert_eq!(
            read("101%", Unit::MemoryOrPercent),
            Err("percentage argument must be less or equal to 100".into())
        );
        let unreadable = Err("argument must be a memory or percent value".into());
        assert_eq!(read("-5%", Unit::MemoryOrPercent), unreadable);
        assert_eq!(read("x", Unit::MemoryOrPercent), unreadable);
        assert_eq!(Size::Percent(5).bytes_of(u64::MAX), u64::MAX / 20);
        assert_eq!(Size::narrow(-7), Size::Percent(7));
    }

    #[test]
    fn plain_integers_are_canonical() {
        assert_eq!(read("-7", Unit::Plain), Ok(-7));
        for wrong in ["", "-", "-0", "01", "+1", " 1", "1 ", "1x", "99999999999999999999"] {
            assert!(read(wrong, Unit::Plain).is_err(), "{wrong}");
        }
        assert_eq!(
            parse(b"70000", Unit::Plain, 0, 65535).map_err(|why| why.to_string()),
            Err("argument must be between 0 and 65535 inclusive".into())
        );
    }

    #[test]
    fn octal_bounds_are_shown_in_octal() {
        assert_eq!(parse(b"700", Unit::Octal, 0, 0o777).ok(), Some(0o700));
        assert_eq!(show(0o700, Unit::Octal), "700");
        assert_eq!(
            parse(b"1777", Unit::Octal, 0, 0o777).map_err(|why| why.to_string()),
            Err("argument must be between 0 and 777 inclusive".into())
        );
        assert!(parse(b"8", Unit::Octal, 0, 0o777).is_err());
    }

    #[test]
    fn files_get_the_largest_unit_that_divides() {
        assert_eq!(show_in_file(1 << 30, Unit::Memory), "1gb");
        assert_eq!(show_in_file(3 << 20, Unit::Memory), "3mb");
        assert_eq!(show_in_file(1536, Unit::Memory), "1536");
        assert_eq!(show_in_file(0, Unit::Memory), "0");
        assert_eq!(show_in_file(1 << 20, Unit::Plain), "1048576");
    }
}
