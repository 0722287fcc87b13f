//! Parts of a string: APPEND, SETRANGE, GETRANGE, SUBSTR.

use datatypes::string::{append as append_to, edit, stored_string, stored_zeros};
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::Expiry;

use super::get::string_bytes;
use crate::{ShardCommand, ShardContext};

/// `APPEND key value`: adds `value` at the end of the string, sets it if there is no such key, and
/// replies the new length.
pub(super) const APPEND: ShardCommand = ShardCommand::new(
    Spec::new("append", Arity::exactly(3), Group::String, "2.0.0")
        .about(
            "Adds to the end of a key's string, empty if there is none.",
            "O(1), amortized, for small values: a string that has to grow doubles its room.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::INSERT))])
        .arguments(&[Argument::key("key"), Argument::string("value")])
        .reply(Reply::INTEGER),
    append,
);

fn append(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, tail) = (&arguments[1], &arguments[2]);
    let bytes_max = shard.limits.bulk_bytes_max;
    let len = match shard.write(key) {
        Some(mut record) => {
            let old_len = string_bytes(record.payload())?.len();
            check_length(old_len, tail.len(), bytes_max)?;
            append_to(&mut record, tail).map_err(|_| CommandError::WrongType)?
        }
        None => {
            shard.set(key, stored_string(tail), Expiry::Never);
            tail.len()
        }
    };
    shard.changed(EventClass::STRING, "append", key);
    reply.count(len);
    Ok(())
}

/// `SETRANGE key offset value`: overwrites the string from byte `offset` on, with zeros where it
/// was shorter, and replies its length. An empty value changes nothing.
pub(super) const SETRANGE: ShardCommand = ShardCommand::new(
    Spec::new("setrange", Arity::exactly(4), Group::String, "2.2.0")
        .about(
            "Overwrites a part of a key's string, empty if there is none.",
            "O(M) where M is the length of the value; O(1) for small ones.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::integer("offset"), Argument::string("value")])
        .reply(Reply::INTEGER),
    setrange,
);

fn setrange(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, part) = (&arguments[1], &arguments[3]);
    let offset = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    let offset = usize::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let bytes_max = shard.limits.bulk_bytes_max;

    let old_len = match shard.write(key) {
        Some(record) => Some(string_bytes(record.payload())?.len()),
        None => None,
    };
    if part.is_empty() {
        reply.count(old_len.unwrap_or(0));
        return Ok(());
    }
    check_length(offset, part.len(), bytes_max)?;
    let end = offset + part.len();
    edit_or_create(shard, key, end, |edited| {
        edited.bytes[offset..end].copy_from_slice(part);
    })?;
    shard.changed(EventClass::STRING, "setrange", key);
    reply.count(old_len.unwrap_or(0).max(end));
    Ok(())
}

/// Gives the bytes of the string under `key`, made at least `len_min` long with zeros at the end
/// and created where there is none, to `change`, which changes them in place.
///
/// # Errors
/// WRONGTYPE unless it is a string; `change` is not called then.
pub(crate) fn edit_or_create<R>(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    len_min: usize,
    change: impl FnOnce(Edited<'_>) -> R,
) -> Result<R, CommandError> {
    if let Some(mut record) = shard.write(key) {
        let grew = string_bytes(record.payload())?.len() < len_min;
        let bytes = edit(&mut record, len_min).map_err(|_| CommandError::WrongType)?;
        return Ok(change(Edited { bytes, grew }));
    }
    let mut record = shard.set(key, stored_zeros(len_min), Expiry::Never);
    let bytes = edit(&mut record, len_min).map_err(|_| CommandError::WrongType)?;
    Ok(change(Edited { bytes, grew: true }))
}

/// A string that is being changed in place.
#[derive(Debug)]
pub(crate) struct Edited<'a> {
    /// All of its bytes.
    pub(crate) bytes: &'a mut [u8],
    /// Whether it was shorter before, or not there.
    pub(crate) grew: bool,
}

/// Refuses what would make a string longer than `proto-max-bulk-len`.
fn check_length(len: usize, additional: usize, bytes_max: u64) -> Result<(), CommandError> {
    match len.checked_add(additional) {
        Some(total) if total as u64 <= bytes_max => Ok(()),
        _ => Err(CommandError::StringTooLong),
    }
}

/// `GETRANGE key start end`: the bytes from `start` to `end`, both included; negative ones count
/// from the end of the string. Empty where there are none, or no key.
pub(super) const GETRANGE: ShardCommand = ShardCommand::new(
    Spec::new("getrange", Arity::exactly(4), Group::String, "2.4.0")
        .about("A part of a key's string.", "O(N) where N is the length of the part.")
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(RANGE_ARGUMENTS)
        .reply(Reply::BULK),
    getrange,
);

/// `SUBSTR key start end`: GETRANGE by its old name.
pub(super) const SUBSTR: ShardCommand = ShardCommand::new(
    Spec::new("substr", Arity::exactly(4), Group::String, "1.0.0")
        .about("A part of a key's string.", "O(N) where N is the length of the part.")
        .deprecated("2.0.0", "`GETRANGE`")
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(RANGE_ARGUMENTS)
        .reply(Reply::BULK),
    getrange,
);

const RANGE_ARGUMENTS: &[Argument] =
    &[Argument::key("key"), Argument::integer("start"), Argument::integer("end")];

fn getrange(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let start = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    let end = parse_i64(&arguments[3]).ok_or(CommandError::NotInteger)?;
    match shard.read(&arguments[1]) {
        Some(record) => {
            let bytes = string_bytes(record.payload())?;
            let part = range_within(start, end, bytes.len());
            reply.bulk(part.map_or(&[], |(first, last)| &bytes[first..=last]));
        }
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The first and the last index of the range from `start` to `end`, both included, within `len`
/// elements, where negative indexes count from the end; `None` where it is empty.
///
/// What reaches beyond is cut off. Two negative indexes in the wrong order are empty even where
/// cutting them off would make them equal.
pub(crate) fn range_within(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    if start < 0 && end < 0 && start > end { None } else { range_cut(start, end, len) }
}

/// As [`range_within`], but two negative indexes in the wrong order are cut off like any others.
pub(crate) fn range_cut(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (first, last) = (from_front(start), from_front(end).min(len - 1));
    (first <= last).then_some((first as usize, last as usize))
}
