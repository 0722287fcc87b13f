//! Numbers of databases among arguments.

use resp::CommandError;
use resp::number::parse_i64;

/// Reads the number of one of `count` databases.
///
/// # Errors
/// Not an integer, none of 32 bits, or no such database.
pub(super) fn database_number(text: &[u8], count: usize) -> Result<usize, CommandError> {
    let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
    let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
    if !(least..=most).contains(&number) {
        return Err(CommandError::OutsideRange { least, most });
    }
    existing(number, count)
}

/// Reads the number of one of `count` databases, whose text is refused with `error`.
///
/// # Errors
/// `error` where the text is no integer of 32 bits; no such database.
pub(super) fn database_number_or(text: &[u8], error: CommandError) -> Result<i64, CommandError> {
    parse_i64(text).filter(|number| i32::try_from(*number).is_ok()).ok_or(error)
}

/// `number`, if it is one of `count` databases.
///
/// # Errors
/// No such database.
pub(super) fn existing(number: i64, count: usize) -> Result<usize, CommandError> {
    usize::try_from(number).ok().filter(|db| *db < count).ok_or(CommandError::DbOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::database_number;
    use resp::CommandError;

    #[test]
    fn numbers_of_databases() {
        assert_eq!(database_number(b"15", 16), Ok(15));
        assert_eq!(database_number(b"16", 16), Err(CommandError::DbOutOfRange));
        assert_eq!(database_number(b"-1", 16), Err(CommandError::DbOutOfRange));
        assert_eq!(database_number(b"x", 16), Err(CommandError::NotInteger));
        let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
        let outside = Err(CommandError::OutsideRange { least, most });
        assert_eq!(database_number(b"2147483648", 16), outside);
    }
}
