//! One bit: GETBIT, SETBIT.

use datatypes::bits::{bit_at, set_bit};
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use crate::string::{edit_or_create, string_bytes};
use crate::{ShardCommand, ShardContext};

/// `GETBIT key offset`: the bit at `offset`; beyond the end of the string, or without a key, 0.
pub(super) const GETBIT: ShardCommand = ShardCommand::new(
    Spec::new("getbit", Arity::exactly(3), Group::Bitmap, "2.2.0")
        .about("One bit of a key's string.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key"), Argument::integer("offset")])
        .reply(Reply::INTEGER),
    getbit,
);

fn getbit(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let offset = bit_offset(&arguments[2], shard.limits.bulk_bytes_max)?;
    let bit = match shard.read(&arguments[1]) {
        Some(record) => bit_at(&string_bytes(record.payload())?, offset as u64),
        None => false,
    };
    reply.integer(i64::from(bit));
    Ok(())
}

/// `SETBIT key offset value`: sets the bit at `offset` to 0 or 1 and replies what it was. The
/// string grows with zeros, or is created. Where neither the bit nor the length changes, nothing
/// happened.
pub(super) const SETBIT: ShardCommand = ShardCommand::new(
    Spec::new("setbit", Arity::exactly(4), Group::Bitmap, "2.2.0")
        .about("Sets or clears one bit of a key's string.", "O(1)")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::integer("offset"), Argument::integer("value")])
        .reply(Reply::INTEGER),
    setbit,
);

fn setbit(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let offset = bit_offset(&arguments[2], shard.limits.bulk_bytes_max)?;
    let bit = match &arguments[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::BitValue),
    };
    let (old, grew) = edit_or_create(shard, key, offset / 8 + 1, |edited| {
        (set_bit(edited.bytes, offset, bit), edited.grew)
    })?;
    if grew || old != bit {
        shard.changed(EventClass::STRING, "setbit", key);
    }
    reply.integer(i64::from(old));
    Ok(())
}

/// Reads the offset of a bit.
///
/// # Errors
/// Not an integer, negative, or in a byte that no string may have.
pub(super) fn bit_offset(text: &[u8], bytes_max: u64) -> Result<usize, CommandError> {
    parse_i64(text)
        .and_then(|offset| usize::try_from(offset).ok())
        .filter(|offset| (*offset as u64) / 8 < bytes_max)
        .ok_or(CommandError::BitOffset)
}
