//! Several keys at once: MGET, MSET, MSETNX.
//!
//! MGET and MSET split by key: each shard runs the command with its own keys only, and the replies
//! are merged. MSETNX depends on all its keys, and so needs them in one place. Both log a SET for
//! each key, where these have several slots.

use datatypes::string::{StringBytes, stored_string};
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::Expiry;

use crate::{Across, Merge, ShardCommand, ShardContext};

/// `MGET key [key ...]`: the values of the keys, in order; null for one that is not there or no
/// string.
pub(super) const MGET: ShardCommand = ShardCommand::new(
    Spec::new("mget", Arity::at_least(2), Group::String, "1.0.0")
        .about("The values of several keys, in one step.", "O(N) where N is the number of keys.")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::rest(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key").multiple()])
        .reply(Reply::ARRAY)
        .tips(&["request_policy:multi_shard"]),
    mget,
)
.across(Across::Split { merge: Merge::InOrder });

fn mget(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let keys = arguments.from(1);
    reply.array(keys.len());
    for key in keys {
        match shard.read(key).and_then(|record| StringBytes::of(record.payload())) {
            Some(bytes) => reply.bulk(&bytes),
            None => reply.null(),
        }
    }
    Ok(())
}

/// `MSET key value [key value ...]`: sets all of the keys. It cannot fail.
pub(super) const MSET: ShardCommand = ShardCommand::new(
    Spec::new("mset", Arity::at_least(3), Group::String, "1.0.1")
        .about("Sets several keys to strings, in one step.", "O(N) where N is the number of keys.")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::range(1, -1, 2, KeyFlags::OW.with(KeyFlags::UPDATE))])
        .arguments(PAIR_ARGUMENTS)
        .reply(Reply::SIMPLE)
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
    mset,
)
.across(Across::Split { merge: Merge::Ok });

const PAIR_ARGUMENTS: &[Argument] =
    &[Argument::block("data", &[Argument::key("key"), Argument::string("value")]).multiple()];

fn mset(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    set_pairs(shard, pairs(arguments, "mset")?);
    reply.ok();
    Ok(())
}

/// `MSETNX key value [key value ...]`: sets all of the keys and replies 1, or sets none and replies
/// 0 if one of them is there.
pub(super) const MSETNX: ShardCommand = ShardCommand::new(
    Spec::new("msetnx", Arity::at_least(3), Group::String, "1.0.1")
        .about(
            "Sets several keys to strings if none of them is there.",
            "O(N) where N is the number of keys.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::range(1, -1, 2, KeyFlags::OW.with(KeyFlags::INSERT))])
        .arguments(PAIR_ARGUMENTS)
        .reply(Reply::INTEGER),
    msetnx,
);

fn msetnx(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let pairs = pairs(arguments, "msetnx")?;
    let absent = (0..pairs.len()).step_by(2).all(|at| shard.write(&pairs[at]).is_none());
    if absent {
        set_pairs(shard, pairs);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

/// The keys and values of a command, which must come in pairs.
fn pairs<'a>(
    arguments: Arguments<'a>,
    command: &'static str,
) -> Result<Arguments<'a>, CommandError> {
    let pairs = arguments.from(1);
    if pairs.len().is_multiple_of(2) { Ok(pairs) } else { Err(CommandError::WrongArity(command)) }
}

fn set_pairs(shard: &mut ShardContext<'_>, pairs: Arguments<'_>) {
    let logs_each = shard.logs_each(pairs.iter().step_by(2));
    for at in (0..pairs.len()).step_by(2) {
        let (key, value) = (&pairs[at], &pairs[at + 1]);
        shard.set(key, stored_string(value), Expiry::Never);
        shard.changed(EventClass::STRING, "set", key);
        if logs_each {
            shard.effects.log(shard.db, key, &[b"SET", key, value]);
        }
    }
}
