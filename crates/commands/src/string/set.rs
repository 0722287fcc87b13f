//! Setting one key: SET, SETNX, SETEX, PSETEX, GETSET.

use datatypes::string::{StringBytes, stored_string};
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, ArgumentAt, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::Expiry;

use super::expiring::{ExpiryText, ExpiryUnit};
use super::get::reply_string;
use crate::{ShardCommand, ShardContext};

/// `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`: sets `key`,
/// whatever it held. With NX only if there is no such key, with XX only if there is: else null.
/// With GET, the reply is the old value or null, set or not, and WRONGTYPE if it was no string.
///
/// Logged as it came, but with a moment instead of a duration, and without GET.
pub(super) const SET: ShardCommand = ShardCommand::new(
    Spec::new("set", Arity::at_least(3), Group::String, "1.0.0")
        .about("Sets a key to a string, whatever it held before.", "O(1)")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))
            .depending(key_flags)
            .notes("RW and ACCESS due to the optional `GET` argument")])
        .arguments(&[
            Argument::key("key"),
            Argument::string("value"),
            Argument::one_of(
                "condition",
                &[Argument::word("nx", "NX"), Argument::word("xx", "XX")],
            )
            .optional()
            .since("2.6.12"),
            Argument::word("get", "GET").optional().since("6.2.0"),
            Argument::one_of(
                "expiration",
                &[
                    Argument::integer("seconds").token("EX").since("2.6.12"),
                    Argument::integer("milliseconds").token("PX").since("2.6.12"),
                    Argument::unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                    Argument::unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                    Argument::word("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ])
        .history(&[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ])
        .reply(Reply::SIMPLE.or(Reply::NULL).or(Reply::BULK)),
    set,
);

/// It reads only with GET.
fn key_flags(count: usize, argument: ArgumentAt<'_, '_>) -> KeyFlags {
    let reads = (3..count).any(|at| argument(at).eq_ignore_ascii_case(b"GET"));
    let access = if reads { KeyFlags::RW.with(KeyFlags::ACCESS) } else { KeyFlags::OW };
    access.with(KeyFlags::UPDATE)
}

/// Whether a key must be there, or must not, for SET to set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    IfAbsent,
    IfPresent,
}

/// What SET's options say about the expiry.
#[derive(Clone, Copy, Debug)]
enum SetExpiry<'a> {
    Never,
    Keep,
    At(ExpiryText<'a>),
}

/// The options of SET.
#[derive(Clone, Copy, Debug)]
struct SetOptions<'a> {
    condition: Condition,
    replies_old: bool,
    expiry: SetExpiry<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(words: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options =
            Self { condition: Condition::Always, replies_old: false, expiry: SetExpiry::Never };
        let mut index = 0;
        while let Some(word) = words.get(index) {
            index += 1;
            if let Some(unit) = ExpiryUnit::of_option(word) {
                let number = words.get(index).ok_or(CommandError::Syntax)?;
                index += 1;
                options.expiry = match options.expiry {
                    SetExpiry::Never => SetExpiry::At(ExpiryText { number, unit }),
                    SetExpiry::At(other) if other.unit == unit => {
                        SetExpiry::At(ExpiryText { number, unit })
                    }
                    SetExpiry::At(_) | SetExpiry::Keep => return Err(CommandError::Syntax),
                };
            } else {
                options.flag(word)?;
            }
        }
        Ok(options)
    }

    /// Takes an option of one word.
    fn flag(&mut self, word: &[u8]) -> Result<(), CommandError> {
        if word.eq_ignore_ascii_case(b"NX") && self.condition != Condition::IfPresent {
            self.condition = Condition::IfAbsent;
        } else if word.eq_ignore_ascii_case(b"XX") && self.condition != Condition::IfAbsent {
            self.condition = Condition::IfPresent;
        } else if word.eq_ignore_ascii_case(b"GET") {
            self.replies_old = true;
        } else if word.eq_ignore_ascii_case(b"KEEPTTL") && !matches!(self.expiry, SetExpiry::At(_))
        {
            self.expiry = SetExpiry::Keep;
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(())
    }
}

fn set(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    if arguments.len() > 3 {
        return set_with_options(shard, arguments, reply);
    }
    let (key, value) = (&arguments[1], &arguments[2]);
    shard.set(key, stored_string(value), Expiry::Never);
    shard.changed(EventClass::STRING, "set", key);
    reply.ok();
    Ok(())
}

fn set_with_options(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, value) = (&arguments[1], &arguments[2]);
    let options = SetOptions::parse(arguments.from(3))?;
    let expiry = match options.expiry {
        SetExpiry::Never => Expiry::Never,
        SetExpiry::Keep => Expiry::Keep,
        SetExpiry::At(text) => Expiry::At(text.moment_ms(shard.now_ms, "set")?),
    };

    // Whether there is a key, and what it holds, is asked only where the answer matters.
    if options.replies_old || options.condition != Condition::Always {
        let found = if options.replies_old {
            reply_old(shard, key, reply)?
        } else {
            shard.write(key).is_some()
        };
        let refused = match options.condition {
            Condition::Always => false,
            Condition::IfAbsent => found,
            Condition::IfPresent => !found,
        };
        if refused {
            if !options.replies_old {
                reply.null();
            }
            return Ok(());
        }
    }

    shard.set(key, stored_string(value), expiry);
    shard.changed(EventClass::STRING, "set", key);
    if let Expiry::At(moment_ms) = expiry {
        shard.effects.event(EventClass::GENERIC, "expire", shard.db, key);
        log_set_until(shard, key, value, moment_ms);
    } else if options.replies_old && expiry == Expiry::Keep {
        shard.effects.log(shard.db, key, &[b"SET", key, value, b"KEEPTTL"]);
    } else if options.replies_old {
        shard.effects.log(shard.db, key, &[b"SET", key, value]);
    }
    if !options.replies_old {
        reply.ok();
    }
    Ok(())
}

/// Replies the string under `key`, or null, and says whether there is one.
///
/// # Errors
/// WRONGTYPE where it is no string.
fn reply_old(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    reply: &mut Writer<'_>,
) -> Result<bool, CommandError> {
    match shard.read(key) {
        Some(record) => reply_string(record.payload(), reply).map(|()| true),
        None => {
            reply.null();
            Ok(false)
        }
    }
}

/// Logs that `key` was set until a moment. Whatever the condition was, it held.
fn log_set_until(shard: &mut ShardContext<'_>, key: &[u8], value: &[u8], moment_ms: i64) {
    let moment = StringBytes::of_integer(moment_ms);
    shard.effects.log(shard.db, key, &[b"SET", key, value, b"PXAT", &moment]);
}

/// `SETNX key value`: 1 if there was no such key and it was set, else 0.
pub(super) const SETNX: ShardCommand = ShardCommand::new(
    Spec::new("setnx", Arity::exactly(3), Group::String, "1.0.0")
        .about("Sets a key to a string if there is no such key.", "O(1)")
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .flags(Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::OW.with(KeyFlags::INSERT))])
        .arguments(&[Argument::key("key"), Argument::string("value")])
        .reply(Reply::INTEGER),
    setnx,
);

fn setnx(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let absent = shard.write(key).is_none();
    if absent {
        shard.set(key, stored_string(&arguments[2]), Expiry::Never);
        shard.changed(EventClass::STRING, "set", key);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

/// `SETEX key seconds value`: sets `key` for so many seconds. Logged as SET with the moment.
pub(super) const SETEX: ShardCommand = ShardCommand::new(
    Spec::new("setex", Arity::exactly(4), Group::String, "2.0.0")
        .about("Sets a key to a string for a number of seconds.", "O(1)")
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::OW.with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::integer("seconds"), Argument::string("value")])
        .reply(Reply::SIMPLE),
    setex,
);

fn setex(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let text = ExpiryText { number: &arguments[2], unit: ExpiryUnit::SecondsFromNow };
    let moment_ms = text.moment_ms(shard.now_ms, "setex")?;
    set_until(shard, &arguments[1], &arguments[3], moment_ms);
    reply.ok();
    Ok(())
}

/// `PSETEX key milliseconds value`: sets `key` for so many milliseconds. Logged as SET with the
/// moment.
pub(super) const PSETEX: ShardCommand = ShardCommand::new(
    Spec::new("psetex", Arity::exactly(4), Group::String, "2.6.0")
        .about("Sets a key to a string for a number of milliseconds.", "O(1)")
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::OW.with(KeyFlags::UPDATE))])
        .arguments(&[
            Argument::key("key"),
            Argument::integer("milliseconds"),
            Argument::string("value"),
        ])
        .reply(Reply::SIMPLE),
    psetex,
);

fn psetex(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let text = ExpiryText { number: &arguments[2], unit: ExpiryUnit::MillisecondsFromNow };
    let moment_ms = text.moment_ms(shard.now_ms, "psetex")?;
    set_until(shard, &arguments[1], &arguments[3], moment_ms);
    reply.ok();
    Ok(())
}

fn set_until(shard: &mut ShardContext<'_>, key: &[u8], value: &[u8], moment_ms: i64) {
    shard.set(key, stored_string(value), Expiry::At(moment_ms));
    shard.changed(EventClass::STRING, "set", key);
    shard.effects.event(EventClass::GENERIC, "expire", shard.db, key);
    log_set_until(shard, key, value, moment_ms);
}

/// `GETSET key value`: sets `key` and replies its old value, null if there was none; WRONGTYPE if
/// it was no string, and then nothing is set. Logged as SET.
pub(super) const GETSET: ShardCommand = ShardCommand::new(
    Spec::new("getset", Arity::exactly(3), Group::String, "1.0.0")
        .about("Sets a key to a string and replies the one it held.", "O(1)")
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .flags(Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::string("value")])
        .reply(Reply::BULK.or(Reply::NULL)),
    getset,
);

fn getset(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, value) = (&arguments[1], &arguments[2]);
    reply_old(shard, key, reply)?;
    shard.set(key, stored_string(value), Expiry::Never);
    shard.changed(EventClass::STRING, "set", key);
    shard.effects.log(shard.db, key, &[b"SET", key, value]);
    Ok(())
}
