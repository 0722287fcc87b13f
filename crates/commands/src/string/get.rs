//! The value of one key: GET, GETDEL, STRLEN.

use datatypes::string::StringBytes;
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::PayloadRef;

use crate::{ShardCommand, ShardContext};

/// `GET key`: the value of `key`. Null when there is none; WRONGTYPE unless a string.
pub(super) const GET: ShardCommand = ShardCommand::new(
    Spec::new("get", Arity::exactly(2), Group::String, "1.0.0")
        .about("The value of a key.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key")])
        .reply(Reply::BULK.or(Reply::NULL)),
    get,
);

fn get(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    match shard.read(&arguments[1]) {
        Some(record) => reply_string(record.payload(), reply)?,
        None => reply.null(),
    }
    Ok(())
}

/// `GETDEL key`: the value of `key`, which is then deleted. Null when there is none; WRONGTYPE
/// unless a string. Logged as DEL.
pub(super) const GETDEL: ShardCommand = ShardCommand::new(
    Spec::new("getdel", Arity::exactly(2), Group::String, "6.2.0")
        .about("The value of a key, which is deleted.", "O(1)")
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE))])
        .arguments(&[Argument::key("key")])
        .reply(Reply::BULK.or(Reply::NULL)),
    getdel,
);

fn getdel(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let Some(record) = shard.read(key) else {
        reply.null();
        return Ok(());
    };
    reply_string(record.payload(), reply)?;
    shard.remove(key);
    shard.changed(EventClass::GENERIC, "del", key);
    shard.effects.log(shard.db, key, &[b"DEL", key]);
    Ok(())
}

/// `STRLEN key`: the length of the value of `key`, 0 when there is none; WRONGTYPE unless a string.
pub(super) const STRLEN: ShardCommand = ShardCommand::new(
    Spec::new("strlen", Arity::exactly(2), Group::String, "2.2.0")
        .about("The length of a key's value.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    strlen,
);

fn strlen(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let len = match shard.read(&arguments[1]) {
        Some(record) => string_bytes(record.payload())?.len(),
        None => 0,
    };
    reply.count(len);
    Ok(())
}

/// Replies the string that `payload` is.
///
/// # Errors
/// WRONGTYPE unless it is one; nothing is written then.
#[inline]
pub(super) fn reply_string(
    payload: PayloadRef<'_, datatypes::Object>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    match payload {
        PayloadRef::Bytes(bytes) => reply.bulk(bytes),
        PayloadRef::Int(integer) => reply.bulk_integer(integer),
        PayloadRef::Object(object) => {
            reply.bulk(object.as_string().ok_or(CommandError::WrongType)?.as_slice());
        }
    }
    Ok(())
}

/// The bytes of the string that `payload` is.
///
/// # Errors
/// WRONGTYPE unless it is one.
#[inline]
pub(crate) fn string_bytes(
    payload: PayloadRef<'_, datatypes::Object>,
) -> Result<StringBytes<'_>, CommandError> {
    StringBytes::of(payload).ok_or(CommandError::WrongType)
}
