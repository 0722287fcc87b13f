//! Commands that wait: BLPOP and its kind.
//!
//! A command that finds nothing answers [`Outcome::Wait`](crate::Outcome::Wait), having written and
//! changed nothing. Whoever ran it then keeps the command, runs it again when one of the keys that
//! it waits for has changed and is what it awaits ([`Awaited`]: a list, for BLPOP), and answers for
//! it when its time is over. Where nothing can wait (between MULTI and EXEC) it is answered at
//! once, as if its time were over.
//!
//! Such a command has the flag [`Flags::BLOCKING`](spec::Flags::BLOCKING), and is
//! [`Across::Together`](crate::Across::Together). It looks for its keys with
//! [`Keyspace::find`](keyspace::Keyspace::find), since an attempt that ends in waiting counts
//! neither as hit nor as miss; and it logs what it does as a command that does not wait.

use std::ops::Range;

use datatypes::ObjectType;
use resp::{Arguments, CommandError, Writer};

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The first of its arguments that is a key waited for.
    keys_begin: u32,
    /// The one behind the last.
    keys_end: u32,
    /// For how long, in milliseconds; 0: for ever.
    pub timeout_ms: u64,
    /// The answer when that is over.
    pub otherwise: Otherwise,
    /// The answer where nothing may wait.
    pub at_once: Otherwise,
    /// What one of the keys has to be before the command runs again.
    pub until: Awaited,
}

/// What a key has to be for those in its line to be looked at. To others they are not there: a
/// string under the key does not end BLPOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// A value of this type; `None`: of any.
    pub object_type: Option<ObjectType>,
    /// Nothing at all, too: a group of consumers ends with its stream.
    pub when_gone: bool,
}

impl Awaited {
    /// A value of any type.
    pub const ANY: Self = Self { object_type: None, when_gone: false };

    /// A value of one type.
    #[must_use]
    pub const fn value(object_type: ObjectType) -> Self {
        Self { object_type: Some(object_type), when_gone: false }
    }

    /// Whether a key that holds `held`, `None` where there is none, is that.
    #[inline]
    #[must_use]
    pub fn is_met_by(self, held: Option<ObjectType>) -> bool {
        match held {
            None => self.when_gone,
            Some(held) => self.object_type.is_none_or(|awaited| awaited == held),
        }
    }
}

/// What a command that waited in vain answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Null, as a bulk string is.
    Null,
    /// Null, as an array is.
    NullArray,
}

impl Wait {
    /// Waits for a value of any type under the keys at these arguments: not always all that the
    /// command uses.
    #[must_use]
    pub fn new(keys: Range<usize>, timeout_ms: u64, otherwise: Otherwise) -> Self {
        let (keys_begin, keys_end) = (keys.start as u32, keys.end as u32);
        let (at_once, until) = (otherwise, Awaited::ANY);
        Self { keys_begin, keys_end, timeout_ms, otherwise, at_once, until }
    }

    /// Waits until one of the keys is this.
    #[must_use]
    pub const fn until(mut self, until: Awaited) -> Self {
        self.until = until;
        self
    }

    /// Answers this where nothing may wait.
    #[must_use]
    pub const fn at_once(mut self, at_once: Otherwise) -> Self {
        self.at_once = at_once;
        self
    }

    /// The keys that are waited for, among the command's arguments.
    pub fn keys<'a>(&self, arguments: Arguments<'a>) -> impl Iterator<Item = &'a [u8]> {
        (self.keys_begin as usize..self.keys_end as usize).filter_map(move |at| arguments.get(at))
    }
}

impl Otherwise {
    /// Writes the answer.
    pub fn write(self, reply: &mut Writer<'_>) {
        match self {
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
        }
    }
}

/// A timeout in seconds, with a fraction perhaps, as milliseconds, rounded up; 0: for ever.
///
/// # Errors
/// It is no number, negative, or ends (seen from `now_ms`) after all time.
pub fn parse_timeout(seconds: &[u8], now_ms: i64) -> Result<u64, CommandError> {
    let seconds = resp::number::parse_f64(seconds).ok_or(CommandError::TimeoutNotFloat)?;
    let timeout_ms = (seconds * 1000.0).ceil();
    if timeout_ms >= i64::MAX as f64 {
        return Err(CommandError::TimeoutOutOfRange);
    }
    // Rounding up makes nothing out of a little less than nothing.
    if seconds < 0.0 {
        return Err(CommandError::TimeoutNegative);
    }
    let timeout_ms = timeout_ms as i64;
    now_ms.checked_add(timeout_ms).ok_or(CommandError::TimeoutOutOfRange)?;
    Ok(timeout_ms as u64)
}

#[cfg(test)]
mod tests {
    use super::{Awaited, parse_timeout};
    use datatypes::ObjectType;
    use resp::CommandError;

    #[test]
    fn a_key_is_what_is_awaited_or_not() {
        let lists = Awaited::value(ObjectType::List);
        assert!(lists.is_met_by(Some(ObjectType::List)));
        assert!(!lists.is_met_by(Some(ObjectType::String)) && !lists.is_met_by(None));
        assert!(Awaited::ANY.is_met_by(Some(ObjectType::Set)) && !Awaited::ANY.is_met_by(None));
        let or_gone = Awaited { when_gone: true, ..lists };
        assert!(or_gone.is_met_by(None) && !or_gone.is_met_by(Some(ObjectType::Set)));
    }

    #[test]
    fn timeouts_are_seconds_rounded_up_to_milliseconds() {
        let parse = |text: &str| parse_timeout(text.as_bytes(), 1_600_000_000_000);
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("0.0"), Ok(0));
        assert_eq!(parse("1.5"), Ok(1500));
        assert_eq!(parse("0.0001"), Ok(1));
        assert_eq!(parse("1e3"), Ok(1_000_000));
        assert_eq!(parse("-1"), Err(CommandError::TimeoutNegative));
        assert_eq!(parse("-0.0001"), Err(CommandError::TimeoutNegative));
        assert_eq!(parse("1e300"), Err(CommandError::TimeoutOutOfRange));
        assert_eq!(parse("9223372036854775"), Err(CommandError::TimeoutOutOfRange));
        for text in ["", "x", "1 ", "nan", "0x"] {
            assert_eq!(parse(text), Err(CommandError::TimeoutNotFloat), "{text:?}");
        }
    }
}
