//! How long keys stay: TTL, PTTL, EXPIRETIME, PEXPIRETIME.
//!
//! All four reply -2 where there is no such key and -1 where it stays. Seconds are rounded to the
//! nearest.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use crate::{ShardCommand, ShardContext};

const FLAGS: Flags = Flags::READONLY.with(Flags::FAST);
const KEYS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))];
const KEY: &[Argument] = &[Argument::key("key")];
const TIPS: &[&str] = &["nondeterministic_output"];

/// `TTL key`: the seconds that are left to it.
pub(super) const TTL: ShardCommand = ShardCommand::new(
    Spec::new("ttl", Arity::exactly(2), Group::Generic, "1.0.0")
        .about("The seconds until a key goes.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(KEY)
        .history(&[("2.8.0", "Added the -2 reply.")])
        .reply(Reply::INTEGER)
        .tips(TIPS),
    |shard, arguments, reply| {
        let now_ms = shard.now_ms;
        tell(shard, arguments, reply, |at_ms| seconds((at_ms - now_ms).max(0)))
    },
);

/// `PTTL key`: the milliseconds that are left to it.
pub(super) const PTTL: ShardCommand = ShardCommand::new(
    Spec::new("pttl", Arity::exactly(2), Group::Generic, "2.6.0")
        .about("The milliseconds until a key goes.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(KEY)
        .history(&[("2.8.0", "Added the -2 reply.")])
        .reply(Reply::INTEGER)
        .tips(TIPS),
    |shard, arguments, reply| {
        let now_ms = shard.now_ms;
        tell(shard, arguments, reply, |at_ms| (at_ms - now_ms).max(0))
    },
);

/// `EXPIRETIME key`: when it goes, in seconds of unix time.
pub(super) const EXPIRETIME: ShardCommand = ShardCommand::new(
    Spec::new("expiretime", Arity::exactly(2), Group::Generic, "7.0.0")
        .about("The moment at which a key goes, in seconds of unix time.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(KEY)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| tell(shard, arguments, reply, seconds),
);

/// `PEXPIRETIME key`: when it goes, in milliseconds of unix time.
pub(super) const PEXPIRETIME: ShardCommand = ShardCommand::new(
    Spec::new("pexpiretime", Arity::exactly(2), Group::Generic, "7.0.0")
        .about("The moment at which a key goes, in milliseconds of unix time.", "O(1)")
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(KEY)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| tell(shard, arguments, reply, |at_ms| at_ms),
);

/// Replies what `of` makes of the key's moment.
fn tell(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
    of: impl FnOnce(i64) -> i64,
) -> Result<(), CommandError> {
    reply.integer(match shard.peek(&arguments[1]).map(|record| record.expiry()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => of(at_ms),
    });
    Ok(())
}

/// Milliseconds as seconds, to the nearest; the largest moment of all does not overflow.
fn seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use crate::fixture::Fixture;

    #[test]
    fn seconds_are_rounded() {
        let of = [0, 499, 500, 1499, 1500, i64::MAX].map(seconds);
        assert_eq!(of, [0, 0, 1, 1, 2, 9_223_372_036_854_776]);
    }

    #[test]
    fn tells_what_is_left() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("TTL a", ":-2\r\n"),
            ("PEXPIRETIME a", ":-2\r\n"),
            ("SET a 1", "+OK\r\n"),
            ("PTTL a", ":-1\r\n"),
            ("EXPIRETIME a", ":-1\r\n"),
            ("SET a 1 PX 2600", "+OK\r\n"),
            ("TTL a", ":3\r\n"),
            ("EXPIRETIME a", ":1600000003\r\n"),
            ("PEXPIRETIME a", ":1600000002600\r\n"),
        ]);
        shard.advance(2600);
        shard.expect(&[("PTTL a", ":0\r\n"), ("TTL a", ":0\r\n")]);
        shard.advance(1);
        shard.expect(&[("PTTL a", ":-2\r\n")]);
    }
}
