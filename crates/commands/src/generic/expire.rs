//! When keys go: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST.
//!
//! The four that set a moment differ in unit and base only; all are logged as PEXPIREAT, because a
//! log is replayed at another time. A moment that is not in the future deletes the key at once,
//! which is logged as such.

use keyspace::{EventClass, ExpiryMode};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use crate::{ShardCommand, ShardContext};

const FLAGS: Flags = Flags::WRITE.with(Flags::FAST);
const KEYS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::UPDATE))];
const CONDITION: Argument = Argument::one_of(
    "condition",
    &[
        Argument::word("nx", "NX"),
        Argument::word("xx", "XX"),
        Argument::word("gt", "GT"),
        Argument::word("lt", "LT"),
    ],
)
.since("7.0.0")
.optional();
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];

/// `EXPIRE key seconds [NX | XX | GT | LT]`: the key goes after so many seconds. Replies whether
/// the moment was set (or the key deleted, for a number that is not positive). NX: only if it has
/// none; XX: only if it has one; GT, LT: only if the new one is later, earlier; none counts as
/// never.
pub(super) const EXPIRE: ShardCommand = ShardCommand::new(
    Spec::new("expire", Arity::at_least(3), Group::Generic, "1.0.0")
        .about("Lets a key go after a number of seconds.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(&[Argument::key("key"), Argument::integer("seconds"), CONDITION])
        .history(HISTORY)
        .reply(Reply::INTEGER),
    expire,
);

fn expire(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let unit = Unit { command: "expire", factor: 1000, base_ms: shard.now_ms };
    set_moment(shard, arguments, &unit, reply)
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`: as EXPIRE.
pub(super) const PEXPIRE: ShardCommand = ShardCommand::new(
    Spec::new("pexpire", Arity::at_least(3), Group::Generic, "2.6.0")
        .about("Lets a key go after a number of milliseconds.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(&[Argument::key("key"), Argument::integer("milliseconds"), CONDITION])
        .history(HISTORY)
        .reply(Reply::INTEGER),
    pexpire,
);

fn pexpire(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let unit = Unit { command: "pexpire", factor: 1, base_ms: shard.now_ms };
    set_moment(shard, arguments, &unit, reply)
}

/// `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`: as EXPIRE, at a moment.
pub(super) const EXPIREAT: ShardCommand = ShardCommand::new(
    Spec::new("expireat", Arity::at_least(3), Group::Generic, "1.2.0")
        .about("Lets a key go at a moment in seconds of unix time.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(&[Argument::key("key"), Argument::unix_time("unix-time-seconds"), CONDITION])
        .history(HISTORY)
        .reply(Reply::INTEGER),
    expireat,
);

fn expireat(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let unit = Unit { command: "expireat", factor: 1000, base_ms: 0 };
    set_moment(shard, arguments, &unit, reply)
}

/// `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`: as EXPIREAT.
pub(super) const PEXPIREAT: ShardCommand = ShardCommand::new(
    Spec::new("pexpireat", Arity::at_least(3), Group::Generic, "2.6.0")
        .about("Lets a key go at a moment in milliseconds of unix time.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(&[
            Argument::key("key"),
            Argument::unix_time("unix-time-milliseconds"),
            CONDITION,
        ])
        .history(HISTORY)
        .reply(Reply::INTEGER),
    pexpireat,
);

fn pexpireat(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let unit = Unit { command: "pexpireat", factor: 1, base_ms: 0 };
    set_moment(shard, arguments, &unit, reply)
}

/// What a number among the arguments means.
struct Unit {
    /// The command's name, for its errors.
    command: &'static str,
    /// Milliseconds of one.
    factor: i64,
    /// What it is counted from, unix milliseconds.
    base_ms: i64,
}

impl Unit {
    fn moment_ms(&self, text: &[u8]) -> Result<i64, CommandError> {
        let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
        number
            .checked_mul(self.factor)
            .and_then(|ms| ms.checked_add(self.base_ms))
            .ok_or(CommandError::InvalidExpire(self.command))
    }
}

/// When the moment is set, compared with the one that the key has.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    absent: bool,
    present: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(words: Arguments<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        for word in words {
            let named = [
                (b"NX", &mut conditions.absent),
                (b"XX", &mut conditions.present),
                (b"GT", &mut conditions.later),
                (b"LT", &mut conditions.earlier),
            ];
            let mut named = named.into_iter();
            match named.find(|(name, _)| word.eq_ignore_ascii_case(*name)) {
                Some((_, condition)) => *condition = true,
                None => return Err(CommandError::unsupported_option(word)),
            }
        }
        let Self { absent, present, later, earlier } = conditions;
        if absent && (present || later || earlier) {
            return Err(CommandError::ExpireNxWithOthers);
        }
        if later && earlier {
            return Err(CommandError::ExpireGtWithLt);
        }
        Ok(conditions)
    }

    /// Whether `moment_ms` may take the place of `current_ms`.
    fn allow(self, moment_ms: i64, current_ms: Option<i64>) -> bool {
        match current_ms {
            // no moment is later than any
            None => !self.present && !self.later,
            Some(current_ms) => {
                let refused = self.absent
                    || (self.later && moment_ms <= current_ms)
                    || (self.earlier && moment_ms >= current_ms);
                !refused
            }
        }
    }
}

fn set_moment(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    unit: &Unit,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let conditions = Conditions::parse(arguments.from(3))?;
    let moment_ms = unit.moment_ms(&arguments[2])?;
    // while a log is replayed, or on a replica, a moment in the past is but a moment
    let deletes =
        moment_ms <= shard.now_ms && shard.keyspace.settings().expiry == ExpiryMode::Delete;

    let allowed = match shard.write(key) {
        Some(mut record) => {
            let allowed = conditions.allow(moment_ms, record.expiry());
            if allowed && !deletes {
                record.set_expiry(Some(moment_ms));
            }
            allowed
        }
        None => false,
    };
    if !allowed {
        reply.integer(0);
        return Ok(());
    }

    if deletes {
        shard.remove(key);
        shard.changed(EventClass::GENERIC, "del", key);
        let lazy = shard.keyspace.settings().lazy_free.expire;
        let verb: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        shard.effects.log(shard.db, key, &[verb, key]);
    } else {
        shard.changed(EventClass::GENERIC, "expire", key);
        let moment = moment_ms.to_string();
        shard.effects.log(shard.db, key, &[b"PEXPIREAT", key, moment.as_bytes()]);
    }
    reply.integer(1);
    Ok(())
}

/// `PERSIST key`: the key stays until it is deleted. Replies whether it had a moment to go.
pub(super) const PERSIST: ShardCommand = ShardCommand::new(
    Spec::new("persist", Arity::exactly(2), Group::Generic, "2.2.0")
        .about("Lets a key stay.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    persist,
);

fn persist(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let had_moment = match shard.write(key) {
        Some(mut record) if record.expiry().is_some() => {
            record.set_expiry(None);
            true
        }
        _ => false,
    };
    if had_moment {
        shard.changed(EventClass::GENERIC, "persist", key);
    }
    reply.integer(i64::from(had_moment));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn sets_a_moment_and_logs_it_absolutely() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("EXPIRE a 10", ":0\r\n"),
            ("SET a 1", "+OK\r\n"),
            ("EXPIRE a 10", ":1\r\n"),
        ]);
        assert_eq!(shard.logged(), ["0 PEXPIREAT a 1600000010000"]);
        assert_eq!(shard.events(), ["expire a"]);
        shard.expect(&[
            ("TTL a", ":10\r\n"),
            ("PEXPIRE a 1500", ":1\r\n"),
            ("PTTL a", ":1500\r\n"),
            ("EXPIREAT a 1600000100", ":1\r\n"),
            ("PEXPIRETIME a", ":1600000100000\r\n"),
            ("PEXPIREAT a 1600000100001", ":1\r\n"),
            ("PEXPIRETIME a", ":1600000100001\r\n"),
        ]);
        shard.advance(100_001);
        shard.expect(&[("EXISTS a", ":1\r\n")]);
        shard.advance(1);
        shard.expect(&[("EXISTS a", ":0\r\n")]);
    }

    #[test]
    fn a_moment_in_the_past_deletes() {
        let past = ["EXPIRE a 0", "EXPIRE a -1", "PEXPIRE a -5", "EXPIREAT a 1", "PEXPIREAT a -9"];
        for line in past {
            let mut shard = Fixture::new();
            shard.run("SET a 1");
            shard.expect(&[(line, ":1\r\n")]);
            assert_eq!(shard.logged(), ["0 DEL a"], "{line}");
            assert_eq!(shard.events(), ["del a"], "{line}");
            shard.expect(&[("EXISTS a", ":0\r\n"), (line, ":0\r\n")]);
        }
    }

    #[test]
    fn conditions_compare_with_the_moment_there_is() {
        let mut shard = Fixture::new();
        shard.run("SET a 1");
        shard.expect(&[
            ("EXPIRE a 100 XX", ":0\r\n"),
            ("EXPIRE a 100 GT", ":0\r\n"),
            ("EXPIRE a 100 NX", ":1\r\n"),
            ("EXPIRE a 200 nx", ":0\r\n"),
            ("EXPIRE a 50 GT", ":0\r\n"),
            ("EXPIRE a 100 GT", ":0\r\n"),
            ("EXPIRE a 100 LT", ":0\r\n"),
            ("EXPIRE a 150 XX GT", ":1\r\n"),
            ("EXPIRE a 120 LT", ":1\r\n"),
            ("TTL a", ":120\r\n"),
            ("PERSIST a", ":1\r\n"),
            ("EXPIRE a 1000 XX LT", ":0\r\n"),
            ("EXPIRE a 1000 LT", ":1\r\n"),
        ]);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let mut shard = Fixture::new();
        shard.run("SET a 1");
        let nx = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
        let gt = "-ERR GT and LT options at the same time are not compatible\r\n";
        let integer = "-ERR value is not an integer or out of range\r\n";
        shard.expect(&[
            ("EXPIRE a 10 NX XX", nx),
            ("EXPIRE a 10 NX LT", nx),
            ("EXPIRE a 10 GT LT", gt),
            ("EXPIRE a x", integer),
            ("EXPIRE a x NX XX", nx),
            ("EXPIRE a 10 AB", "-ERR Unsupported option AB\r\n"),
            ("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
            ("EXPIRE a -9223372036854775808", "-ERR invalid expire time in 'expire' command\r\n"),
            ("PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"),
            ("EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command\r\n"),
            ("PEXPIREAT a 9223372036854775808", integer),
            ("TTL a", ":-1\r\n"),
            ("PEXPIREAT a 9223372036854775807", ":1\r\n"),
        ]);
    }

    #[test]
    fn persist_takes_the_moment_away() {
        let mut shard = Fixture::new();
        shard.expect(&[("PERSIST a", ":0\r\n"), ("SET a 1", "+OK\r\n"), ("PERSIST a", ":0\r\n")]);
        assert_eq!(shard.logged(), [""; 0]);
        shard.expect(&[("EXPIRE a 10", ":1\r\n"), ("PERSIST a", ":1\r\n"), ("TTL a", ":-1\r\n")]);
        shard.run("EXPIRE a 10");
        shard.run("PERSIST a");
        assert_eq!(shard.logged(), ["0 *"]);
        assert_eq!(shard.events(), ["persist a"]);
    }
}
