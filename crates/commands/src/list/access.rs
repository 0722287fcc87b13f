//! What the commands of lists share: the list of a key, ends by their words, ranges, and what
//! follows when elements went.

use std::ops::Range;

use datatypes::Object;
use datatypes::list::{Direction, End, List};
use datatypes::packed::Entry;
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{CommandError, Writer};
use spec::{Argument, KeyFlags};
use table::{PayloadRef, Record, RecordMut};

use crate::ShardContext;

/// The key that elements are put into.
pub(super) const PUSHED: KeyFlags = KeyFlags::RW.with(KeyFlags::INSERT);

/// The key that elements are taken out of and replied.
pub(super) const POPPED: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);

/// The key whose elements are replied.
pub(super) const READ: KeyFlags = KeyFlags::RO.with(KeyFlags::ACCESS);

/// The words for an end.
pub(super) const ENDS: &[Argument] =
    &[Argument::word("left", "LEFT"), Argument::word("right", "RIGHT")];

/// The list that a record holds.
///
/// # Errors
/// It holds something else.
pub(super) fn list_of(record: Record<'_, Object>) -> Result<&List, CommandError> {
    match record.payload() {
        PayloadRef::Object(object) => object.as_list().ok_or(CommandError::WrongType),
        PayloadRef::Bytes(_) | PayloadRef::Int(_) => Err(CommandError::WrongType),
    }
}

/// The same, to be changed.
pub(super) fn list_mut<'r>(
    record: &'r mut RecordMut<'_, Object>,
) -> Result<&'r mut List, CommandError> {
    record.object_mut().and_then(Object::as_list_mut).ok_or(CommandError::WrongType)
}

/// The end that a word names.
///
/// # Errors
/// It names none.
pub(super) fn end_named(word: &[u8]) -> Result<End, CommandError> {
    if word.eq_ignore_ascii_case(b"LEFT") {
        return Ok(End::Front);
    }
    if word.eq_ignore_ascii_case(b"RIGHT") {
        return Ok(End::Back);
    }
    Err(CommandError::Syntax)
}

/// The word that names an end.
pub(super) const fn end_word(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LEFT",
        End::Back => b"RIGHT",
    }
}

/// The command that pops at an end, and the event that says so.
pub(super) const fn pop_name(end: End) -> (&'static [u8], &'static str) {
    match end {
        End::Front => (b"LPOP", "lpop"),
        End::Back => (b"RPOP", "rpop"),
    }
}

/// The command that pushes at an end, and the event that says so.
pub(super) const fn push_name(end: End) -> (&'static [u8], &'static str) {
    match end {
        End::Front => (b"LPUSH", "lpush"),
        End::Back => (b"RPUSH", "rpush"),
    }
}

/// An integer of at least -(2^63 - 1), so that it has an opposite.
///
/// # Errors
/// It is none, or that one.
pub(super) fn opposable(text: &[u8]) -> Result<i64, CommandError> {
    let outside = CommandError::OutsideRange { least: -i64::MAX, most: i64::MAX };
    let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
    if number == i64::MIN { Err(outside) } else { Ok(number) }
}

/// The elements from `start` to `stop`, both included and counted from the end where negative, of
/// a list of `len`.
pub(super) fn range_of((start, stop): (i64, i64), len: usize) -> Range<usize> {
    let place = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = place(start).max(0) as usize;
    let behind = place(stop).saturating_add(1).max(0) as usize;
    start.min(len)..behind.min(len).max(start.min(len))
}

/// Replies an element.
pub(super) fn reply_entry(entry: Entry<'_>, reply: &mut Writer<'_>) {
    match entry {
        Entry::Bytes(bytes) => reply.bulk(bytes),
        Entry::Integer(integer) => reply.bulk_integer(integer),
    }
}

/// Replies the first `count` elements from an end on, as an array.
pub(super) fn reply_from(list: &List, end: End, count: usize, reply: &mut Writer<'_>) {
    let (index, direction) = match end {
        End::Front => (0, Direction::Forward),
        End::Back => (list.len().saturating_sub(1), Direction::Backward),
    };
    reply.array(count);
    let _ = list.visit(index, count, direction, |entry| {
        reply_entry(entry, reply);
        std::ops::ControlFlow::Continue(())
    });
}

impl ShardContext<'_> {
    /// `count` elements of the list at `key` went, which the event `name` says; where that leaves
    /// none, the key goes as well.
    pub(super) fn list_lost(
        &mut self,
        key: &[u8],
        name: &'static str,
        (count, is_empty): (usize, bool),
    ) {
        let db = self.db;
        self.effects.event(EventClass::LIST, name, db, key);
        if is_empty {
            self.remove(key);
            self.effects.event(EventClass::GENERIC, "del", db, key);
        }
        self.effects.modified(db, key);
        self.effects.add_dirty(count as u64);
    }

    /// Frees a list that no key has, in slices if it is large.
    pub(super) fn doom_list(&mut self, list: Option<List>) {
        if let Some(list) = list {
            self.keyspace.doomed_mut().push(Object::List(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::range_of;

    #[test]
    fn ranges_are_cut_to_the_list() {
        for (bounds, len, range) in [
            ((0, -1), 3, 0..3),
            ((-2, -1), 3, 1..3),
            ((1, 1), 3, 1..2),
            ((2, 1), 3, 2..2),
            ((5, 9), 3, 3..3),
            ((-9, 0), 3, 0..1),
            ((-9, -5), 3, 0..0),
            ((i64::MIN, i64::MAX), 3, 0..3),
            ((i64::MAX, i64::MIN), 3, 3..3),
        ] {
            assert_eq!(range_of(bounds, len), range, "{bounds:?}");
        }
    }
}
