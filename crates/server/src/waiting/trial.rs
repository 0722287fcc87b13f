//! Commands that wait, for tests of waiting: they exist in no binary that serves.
//!
//! `BTAKE` is as simple as waiting can be; `BMOVE` writes another key than it waits for, so that
//! one served waiter may serve another.

use commands::{Awaited, Otherwise, Outcome, ShardCommand, ShardContext, Wait, parse_timeout};
use datatypes::ObjectType;
use datatypes::string::StringBytes;
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

pub(crate) const COMMANDS: &[&ShardCommand] = &[&BTAKE, &BMOVE];

const FLAGS: Flags = Flags::WRITE.with(Flags::BLOCKING);
const TAKEN: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);

/// `BTAKE key [key ...] timeout`: takes the value of the first of these keys that is a string.
/// Replies the key and the value, a null array when the time is over.
const BTAKE: ShardCommand = ShardCommand::waiting(
    Spec::new("btake", Arity::at_least(3), Group::Generic, "0.0.0")
        .flags(FLAGS)
        .keys(&[KeySpec::range(1, -2, 1, TAKEN)])
        .about("Takes a value, or waits for one.", "O(N) where N is the number of keys.")
        .reply(Reply::ARRAY.or(Reply::NULL)),
    btake,
);

fn btake(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Outcome, CommandError> {
    let last = arguments.len() - 1;
    let timeout_ms = parse_timeout(&arguments[last], shard.now_ms)?;
    let db = shard.db;
    for key in (1..last).map(|at| &arguments[at]) {
        let (keyspace, mut step) = shard.step_in(db);
        let Some(record) = keyspace.find(&mut step, key) else { continue };
        let Some(value) = StringBytes::of(record.payload()) else { continue };
        reply.array(2);
        reply.bulk(key);
        reply.bulk(&value);
        shard.remove(key);
        shard.changed(EventClass::GENERIC, "del", key);
        shard.effects.log(db, key, &[b"DEL", key]);
        return Ok(Outcome::Done);
    }
    let wait = Wait::new(1..last, timeout_ms, Otherwise::NullArray);
    Ok(Outcome::Wait(Box::new(wait.until(Awaited::value(ObjectType::String)))))
}

/// `BMOVE source destination timeout`: renames `source`, whatever `destination` held. Replies the
/// value, null when the time is over.
const BMOVE: ShardCommand = ShardCommand::waiting(
    Spec::new("bmove", Arity::exactly(4), Group::Generic, "0.0.0")
        .flags(FLAGS.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, TAKEN), KeySpec::one(2, KeyFlags::OW.with(KeyFlags::UPDATE))])
        .about("Moves a value, or waits for one.", "O(1)")
        .reply(Reply::BULK.or(Reply::NULL)),
    bmove,
);

fn bmove(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Outcome, CommandError> {
    let (source, target) = (&arguments[1], &arguments[2]);
    let timeout_ms = parse_timeout(&arguments[3], shard.now_ms)?;
    let db = shard.db;
    let (keyspace, mut step) = shard.step_in(db);
    let found = keyspace.find(&mut step, source);
    let Some(value) = found.and_then(|record| StringBytes::of(record.payload())) else {
        let wait = Wait::new(1..2, timeout_ms, Otherwise::Null);
        return Ok(Outcome::Wait(Box::new(wait.until(Awaited::value(ObjectType::String)))));
    };
    reply.bulk(&value);
    if source != target {
        let (keyspace, mut step) = shard.step_in(db);
        if let Some(taken) = keyspace.take(&mut step, source) {
            keyspace.put(&mut step, target, taken);
        }
        shard.effects.add_dirty(1);
        shard.effects.modified(db, source);
        shard.effects.modified(db, target);
        shard.log_value(db, target);
        shard.log_gone(db, source);
    }
    Ok(Outcome::Done)
}
