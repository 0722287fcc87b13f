//! The set under a key.

use datatypes::packed::Entry;
use datatypes::set::{Limits, Set};
use datatypes::{COMMAND_BYTES_MAX, COMMAND_ELEMENTS_MAX, Object};
use keyspace::EventClass;
use resp::{CommandError, Writer};
use table::{PayloadRef, Record, RecordMut};

use crate::ShardContext;

/// The set that a record holds.
///
/// # Errors
/// WRONGTYPE where it holds something else.
#[inline]
pub(super) fn set_of(record: Record<'_, Object>) -> Result<&Set, CommandError> {
    match record.payload() {
        PayloadRef::Object(object) => object.as_set().ok_or(CommandError::WrongType),
        PayloadRef::Bytes(_) | PayloadRef::Int(_) => Err(CommandError::WrongType),
    }
}

/// The set that a record holds, to be changed.
///
/// # Errors
/// WRONGTYPE where it holds something else.
#[inline]
pub(super) fn set_in<'r>(
    record: &'r mut RecordMut<'_, Object>,
) -> Result<&'r mut Set, CommandError> {
    record.object_mut().and_then(Object::as_set_mut).ok_or(CommandError::WrongType)
}

/// What decides between the encodings of a set, now.
#[inline]
pub(super) fn limits(shard: &ShardContext<'_>) -> Limits {
    let limits = shard.limits.set;
    Limits {
        intset_entries_max: limits.intset_entries_max,
        listpack_entries_max: limits.listpack_entries_max,
        listpack_value_bytes_max: limits.listpack_value_bytes_max,
        hasher: shard.keyspace.hasher(),
    }
}

/// Writes a member into a reply.
#[inline]
pub(super) fn reply_member(member: Entry<'_>, reply: &mut Writer<'_>) {
    match member {
        Entry::Integer(integer) => reply.bulk_integer(integer),
        Entry::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Writes all members into a reply.
pub(super) fn reply_members(set: &Set, reply: &mut Writer<'_>) {
    reply.set(set.len());
    set.for_each(|member| reply_member(member, reply));
}

/// Members were taken out of the set under `key`: `name` is the event. If it `is_empty` now, the
/// key goes, too.
pub(super) fn members_went(
    shard: &mut ShardContext<'_>,
    (key, name): (&[u8], &'static str),
    members: usize,
    is_empty: bool,
) {
    let db = shard.db;
    shard.effects.add_dirty(members as u64);
    shard.effects.modified(db, key);
    shard.effects.event(EventClass::SET, name, db, key);
    if is_empty {
        shard.remove(key);
        shard.effects.event(EventClass::GENERIC, "del", db, key);
    }
}

/// Members one behind the other, taken out of a set that then changes.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Gathered {
    pub(super) fn push(&mut self, member: &[u8]) {
        self.bytes.extend_from_slice(member);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut begin, end)..end])
    }

    /// Logs that all of them went from the set under `key`: as many records as it takes to keep
    /// each of them bounded.
    pub(super) fn log_removal(&self, shard: &mut ShardContext<'_>, key: &[u8]) {
        let (db, mut bytes, mut words) = (shard.db, 0, vec![&b"SREM"[..], key]);
        for member in self.iter() {
            words.push(member);
            bytes += member.len();
            if words.len() >= COMMAND_ELEMENTS_MAX + 2 || bytes >= COMMAND_BYTES_MAX {
                shard.effects.log(db, key, &words);
                words.truncate(2);
                bytes = 0;
            }
        }
        if words.len() > 2 {
            shard.effects.log(db, key, &words);
        }
    }
}
