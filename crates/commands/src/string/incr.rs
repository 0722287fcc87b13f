//! Numbers kept as strings: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.
//!
//! An absent key counts as 0. The expiry of a key stays. All of them but INCRBYFLOAT are logged as
//! they came; a float sum is logged as the text that it came to, because another machine may round
//! otherwise.

use datatypes::string::{stored_bytes, stored_integer};
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, LongDouble, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::{Expiry, Payload};

use super::get::string_bytes;
use crate::{ShardCommand, ShardContext};

const COUNTER_FLAGS: Flags = Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST);
const COUNTER_KEYS: &[KeySpec] =
    &[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))];

/// `INCR key`: adds 1 and replies the sum.
pub(super) const INCR: ShardCommand = ShardCommand::new(
    Spec::new("incr", Arity::exactly(2), Group::String, "1.0.0")
        .about("Adds one to the integer that a key holds, 0 if there is none.", "O(1)")
        .flags(COUNTER_FLAGS)
        .keys(COUNTER_KEYS)
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    incr,
);

fn incr(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    add(shard, &arguments[1], 1, reply)
}

/// `DECR key`: subtracts 1 and replies the difference.
pub(super) const DECR: ShardCommand = ShardCommand::new(
    Spec::new("decr", Arity::exactly(2), Group::String, "1.0.0")
        .about("Subtracts one from the integer that a key holds, 0 if there is none.", "O(1)")
        .flags(COUNTER_FLAGS)
        .keys(COUNTER_KEYS)
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    decr,
);

fn decr(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    add(shard, &arguments[1], -1, reply)
}

/// `INCRBY key increment`: adds and replies the sum.
pub(super) const INCRBY: ShardCommand = ShardCommand::new(
    Spec::new("incrby", Arity::exactly(3), Group::String, "1.0.0")
        .about("Adds to the integer that a key holds, 0 if there is none.", "O(1)")
        .flags(COUNTER_FLAGS)
        .keys(COUNTER_KEYS)
        .arguments(&[Argument::key("key"), Argument::integer("increment")])
        .reply(Reply::INTEGER),
    incrby,
);

fn incrby(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let increment = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    add(shard, &arguments[1], increment, reply)
}

/// `DECRBY key decrement`: subtracts and replies the difference. The smallest integer cannot be
/// subtracted.
pub(super) const DECRBY: ShardCommand = ShardCommand::new(
    Spec::new("decrby", Arity::exactly(3), Group::String, "1.0.0")
        .about("Subtracts from the integer that a key holds, 0 if there is none.", "O(1)")
        .flags(COUNTER_FLAGS)
        .keys(COUNTER_KEYS)
        .arguments(&[Argument::key("key"), Argument::integer("decrement")])
        .reply(Reply::INTEGER),
    decrby,
);

fn decrby(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let decrement = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    let increment = decrement.checked_neg().ok_or(CommandError::DecrementOverflow)?;
    add(shard, &arguments[1], increment, reply)
}

fn add(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    increment: i64,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let sum = match shard.write(key) {
        Some(mut record) => {
            let old = stored_integer(record.payload())
                .map_err(|_| CommandError::WrongType)?
                .ok_or(CommandError::NotInteger)?;
            let sum = old.checked_add(increment).ok_or(CommandError::IncrementOverflow)?;
            record.set_payload(Payload::Int(sum));
            sum
        }
        None => {
            shard.set(key, Payload::Int(increment), Expiry::Never);
            increment
        }
    };
    shard.changed(EventClass::STRING, "incrby", key);
    reply.integer(sum);
    Ok(())
}

/// `INCRBYFLOAT key increment`: adds and replies the sum as text, without exponent. Logged as SET
/// of the sum with KEEPTTL.
pub(super) const INCRBYFLOAT: ShardCommand = ShardCommand::new(
    Spec::new("incrbyfloat", Arity::exactly(3), Group::String, "2.6.0")
        .about("Adds to the number that a key holds, 0 if there is none.", "O(1)")
        .flags(COUNTER_FLAGS)
        .keys(COUNTER_KEYS)
        .arguments(&[Argument::key("key"), Argument::double("increment")])
        .reply(Reply::BULK),
    incrbyfloat,
);

fn incrbyfloat(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, increment) = (&arguments[1], &arguments[2]);
    let old = match shard.write(key) {
        Some(record) => LongDouble::parse(&string_bytes(record.payload())?),
        None => Some(LongDouble::ZERO),
    };
    let increment = LongDouble::parse(increment);
    let (Some(old), Some(increment)) = (old, increment) else {
        return Err(CommandError::NotFloat);
    };
    let sum = old.checked_add(increment).filter(|sum| sum.is_finite());
    let sum = sum.ok_or(CommandError::IncrementNotFinite)?;
    let mut text = Vec::new();
    sum.push_human(&mut text);

    shard.set(key, stored_bytes(&text), Expiry::Keep);
    shard.changed(EventClass::STRING, "incrbyfloat", key);
    shard.effects.log(shard.db, key, &[b"SET", key, &text, b"KEEPTTL"]);
    reply.bulk(&text);
    Ok(())
}
