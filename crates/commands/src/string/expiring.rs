//! GETEX, and the options about expiry that SET and GETEX share.
//!
//! | option | means |
//! | --- | --- |
//! | `EX s`, `PX ms` | in so many seconds, milliseconds from now |
//! | `EXAT s`, `PXAT ms` | at this unix time |
//! | `KEEPTTL` (SET) | the expiry stays as it is |
//! | `PERSIST` (GETEX) | the expiry goes away |
//!
//! They exclude each other, but each may come twice, and then the last counts. What is logged is
//! always a moment, never a duration, so that replaying the log later gives the same keys the same
//! expiry.

use datatypes::string::StringBytes;
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::get::string_bytes;
use crate::{ShardCommand, ShardContext};

/// A time as an option or an argument gives it, not looked at yet: Redis reads the number only
/// after all options were found right.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiryText<'a> {
    pub(super) number: &'a [u8],
    pub(super) unit: ExpiryUnit,
}

/// What the number of an expiry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpiryUnit {
    SecondsFromNow,
    MillisecondsFromNow,
    UnixSeconds,
    UnixMilliseconds,
}

impl ExpiryUnit {
    /// The unit that the option `word` announces.
    pub(super) fn of_option(word: &[u8]) -> Option<Self> {
        let units = [
            ("EX", Self::SecondsFromNow),
            ("PX", Self::MillisecondsFromNow),
            ("EXAT", Self::UnixSeconds),
            ("PXAT", Self::UnixMilliseconds),
        ];
        units.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|it| it.1)
    }

    /// Whether it is a moment, and not a duration.
    const fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMilliseconds)
    }
}

impl ExpiryText<'_> {
    /// The moment in unix milliseconds. `command` is who asks, in small letters.
    ///
    /// # Errors
    /// Not an integer; or an invalid expire time: 0, negative, or beyond what milliseconds in an
    /// i64 can say.
    pub(super) fn moment_ms(self, now_ms: i64, command: &'static str) -> Result<i64, CommandError> {
        let number = parse_i64(self.number).ok_or(CommandError::NotInteger)?;
        let factor = match self.unit {
            ExpiryUnit::SecondsFromNow | ExpiryUnit::UnixSeconds => 1000,
            ExpiryUnit::MillisecondsFromNow | ExpiryUnit::UnixMilliseconds => 1,
        };
        let base_ms = if self.unit.is_absolute() { 0 } else { now_ms };
        Some(number)
            .filter(|number| *number > 0)
            .and_then(|number| number.checked_mul(factor))
            .and_then(|duration_ms| duration_ms.checked_add(base_ms))
            .ok_or(CommandError::InvalidExpire(command))
    }
}

/// `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`: the value of `key`, whose expiry is set
/// or taken away. A moment that is past deletes the key. Null when there is none, whatever the
/// time; WRONGTYPE unless a string. Logged as PEXPIREAT, PERSIST, or DEL.
pub(super) const GETEX: ShardCommand = ShardCommand::new(
    Spec::new("getex", Arity::at_least(2), Group::String, "6.2.0")
        .about("The value of a key, whose expiry may be set or removed.", "O(1)")
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))
            .notes("RW and UPDATE because it changes the TTL")])
        .arguments(&[
            Argument::key("key"),
            Argument::one_of(
                "expiration",
                &[
                    Argument::integer("seconds").token("EX"),
                    Argument::integer("milliseconds").token("PX"),
                    Argument::unix_time("unix-time-seconds").token("EXAT"),
                    Argument::unix_time("unix-time-milliseconds").token("PXAT"),
                    Argument::word("persist", "PERSIST"),
                ],
            )
            .optional(),
        ])
        .reply(Reply::BULK.or(Reply::NULL)),
    getex,
);

/// What the options of GETEX ask for.
#[derive(Clone, Copy, Debug)]
enum ExpiryOption<'a> {
    None,
    Set(ExpiryText<'a>),
    Persist,
}

/// What GETEX does once its options were found right.
#[derive(Clone, Copy, Debug)]
enum ExpiryChange {
    None,
    SetTo(i64),
    Remove,
    /// The moment is past: the key goes away.
    Delete,
}

impl<'a> ExpiryOption<'a> {
    fn parse(words: Arguments<'a>) -> Result<Self, CommandError> {
        let mut option = Self::None;
        let mut index = 0;
        while let Some(word) = words.get(index) {
            option = match (ExpiryUnit::of_option(word), words.get(index + 1), option) {
                (Some(unit), Some(number), Self::None) => Self::Set(ExpiryText { number, unit }),
                (Some(unit), Some(number), Self::Set(other)) if other.unit == unit => {
                    Self::Set(ExpiryText { number, unit })
                }
                (None, _, Self::None | Self::Persist) if word.eq_ignore_ascii_case(b"PERSIST") => {
                    Self::Persist
                }
                _ => return Err(CommandError::Syntax),
            };
            index += if matches!(option, Self::Set(_)) { 2 } else { 1 };
        }
        Ok(option)
    }

    /// What is to be done to a key that has, or has not, an expiry.
    fn change(self, now_ms: i64, has_expiry: bool) -> Result<ExpiryChange, CommandError> {
        Ok(match self {
            Self::None => ExpiryChange::None,
            Self::Persist if has_expiry => ExpiryChange::Remove,
            Self::Persist => ExpiryChange::None,
            Self::Set(text) => match text.moment_ms(now_ms, "getex")? {
                past_ms if past_ms <= now_ms => ExpiryChange::Delete,
                moment_ms => ExpiryChange::SetTo(moment_ms),
            },
        })
    }
}

fn getex(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, option) = (&arguments[1], ExpiryOption::parse(arguments.from(2))?);
    let now_ms = shard.now_ms;
    let Some(record) = shard.read(key) else {
        reply.null();
        return Ok(());
    };
    // The type is looked at before the number, and both before anything is replied or changed.
    let value = string_bytes(record.payload())?;
    let change = option.change(now_ms, record.expiry().is_some())?;
    reply.bulk(&value);
    change_expiry(shard, key, change);
    Ok(())
}

/// Does it, and says to the log what was done.
fn change_expiry(shard: &mut ShardContext<'_>, key: &[u8], change: ExpiryChange) {
    let set_expiry = |shard: &mut ShardContext<'_>, expiry: Option<i64>| {
        if let Some(mut record) = shard.write(key) {
            record.set_expiry(expiry);
        }
    };
    match change {
        ExpiryChange::None => {}
        ExpiryChange::SetTo(moment_ms) => {
            set_expiry(shard, Some(moment_ms));
            shard.changed(EventClass::GENERIC, "expire", key);
            let moment = StringBytes::of_integer(moment_ms);
            shard.effects.log(shard.db, key, &[b"PEXPIREAT", key, &moment]);
        }
        ExpiryChange::Remove => {
            set_expiry(shard, None);
            shard.changed(EventClass::GENERIC, "persist", key);
            shard.effects.log(shard.db, key, &[b"PERSIST", key]);
        }
        ExpiryChange::Delete => {
            shard.remove(key);
            shard.changed(EventClass::GENERIC, "del", key);
            shard.effects.log(shard.db, key, &[b"DEL", key]);
        }
    }
}
