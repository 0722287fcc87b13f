//! A large list: what each command does to a sequence of chunks.
//!
//! Where an element goes, when a chunk is split and when two are merged is as in Redis, because it
//! can be seen: a list that shrinks to one small chunk is a listpack again. Elements go into the
//! chunk at their place while it has room, else into the neighbour that they are next to, else
//! into a chunk of their own at its edge; only in the middle of a full chunk it is split, and then
//! what fits together is merged. Removing never merges.

use std::ops::ControlFlow;

use super::chunk::Chunk;
use super::tree::Tree;
use super::{Direction, End, ListLimits};
use crate::packed::{Entry, LISTPACK_BYTES_MIN, Listpack, Position};

/// Adds `value` at an end.
pub(super) fn push(tree: &mut Tree, end: End, value: &[u8], limits: ListLimits) {
    if let Some(ordinal) = chunk_at(tree, end)
        && tree.get(ordinal).allows(value.len(), limits)
    {
        return write(tree, ordinal, |listpack| match end {
            End::Front => listpack.push_front(value),
            End::Back => listpack.push_back(value),
        });
    }
    let ordinal = match end {
        End::Front => 0,
        End::Back => tree.chunks(),
    };
    tree.insert(ordinal, Chunk::of(value, limits));
}

/// Removes the element at an end, if there is one, and hands it to `take`.
pub(super) fn pop<R>(tree: &mut Tree, end: End, take: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
    let ordinal = chunk_at(tree, end)?;
    let chunk = tree.get(ordinal);
    let last = chunk.len() == 1;
    let position = chunk.packed().and_then(|listpack| match end {
        End::Front => listpack.first(),
        End::Back => listpack.last(),
    });
    let entry = match (chunk.packed(), position) {
        (Some(listpack), Some(position)) => Some(listpack.get(position)),
        _ => chunk.get(0),
    };
    let taken = take(entry?);
    match position {
        Some(position) if !last => write(tree, ordinal, |listpack| {
            listpack.remove(position);
        }),
        _ => drop(tree.remove(ordinal)),
    }
    Some(taken)
}

/// Visits up to `count` elements from the one at `index` on.
pub(super) fn visit(
    tree: &Tree,
    index: usize,
    count: usize,
    direction: Direction,
    mut each: impl FnMut(Entry<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (mut ordinal, offset) = tree.locate(index);
    let (mut offset, mut left) = (Some(offset), count);
    while left > 0 && ordinal < tree.chunks() {
        let chunk = tree.get(ordinal);
        let seen = match chunk {
            Chunk::Packed(listpack) => visit_packed(listpack, offset, left, direction, &mut each)?,
            Chunk::Plain(string) => {
                each(Entry::Bytes(string.as_slice()))?;
                1
            }
        };
        (left, offset) = (left - seen, None);
        ordinal = match direction {
            Direction::Forward => ordinal + 1,
            Direction::Backward if ordinal > 0 => ordinal - 1,
            Direction::Backward => break,
        };
    }
    ControlFlow::Continue(())
}

/// Visits up to `count` elements of a listpack from the one at `offset` on, or from the end where
/// the direction starts; returns how many there were.
pub(super) fn visit_packed(
    listpack: &Listpack,
    offset: Option<usize>,
    count: usize,
    direction: Direction,
    each: &mut impl FnMut(Entry<'_>) -> ControlFlow<()>,
) -> ControlFlow<(), usize> {
    let start = match (offset, direction) {
        (Some(offset), _) => listpack.seek(offset),
        (None, Direction::Forward) => listpack.first(),
        (None, Direction::Backward) => listpack.last(),
    };
    let (mut at, mut seen) = (start, 0);
    while let Some(position) = at
        && seen < count
    {
        let (entry, next) = listpack.read(position);
        each(entry)?;
        seen += 1;
        at = match direction {
            Direction::Forward => next,
            Direction::Backward => listpack.previous(position),
        };
    }
    ControlFlow::Continue(seen)
}

/// Puts `value` before the element at `index`, or behind it. There is one.
pub(super) fn insert(tree: &mut Tree, index: usize, side: End, value: &[u8], limits: ListLimits) {
    let (ordinal, offset) = tree.locate(index);
    let chunk = tree.get(ordinal);
    // the element at `index` and all before it, if they stay before
    let (before, len) = (offset + usize::from(side == End::Back), chunk.len());
    if chunk.allows(value.len(), limits) {
        return write(tree, ordinal, |listpack| {
            listpack.insert(listpack.seek(before), Entry::of(value));
        });
    }
    let allowed = |ordinal: usize| tree.get(ordinal).allows(value.len(), limits);
    if before == len && ordinal + 1 < tree.chunks() && allowed(ordinal + 1) {
        return write(tree, ordinal + 1, |listpack| listpack.push_front(value));
    }
    if before == 0 && ordinal > 0 && allowed(ordinal - 1) {
        return write(tree, ordinal - 1, |listpack| listpack.push_back(value));
    }
    if before == 0 || before == len {
        let ordinal = ordinal + usize::from(before == len);
        return tree.insert(ordinal, Chunk::of(value, limits));
    }
    split(tree, ordinal, before);
    if limits.is_plain(value.len()) {
        return tree.insert(ordinal + 1, Chunk::of(value, limits));
    }
    match side {
        End::Back => {
            write(tree, ordinal + 1, |listpack| listpack.push_front(value));
            merge_around(tree, ordinal, limits);
        }
        End::Front => {
            write(tree, ordinal, |listpack| listpack.push_back(value));
            merge_around(tree, ordinal + 1, limits);
        }
    }
}

/// Puts `value` in the place of the element at `index`. There is one.
pub(super) fn set(tree: &mut Tree, index: usize, value: &[u8], limits: ListLimits) {
    let (ordinal, offset) = tree.locate(index);
    let chunk = tree.get(ordinal);
    let (len, plain) = (chunk.len(), limits.is_plain(value.len()));
    let fits = chunk.packed().is_some_and(|listpack| {
        let old = listpack.seek(offset).map_or(0, |at| listpack.get(at).text().len());
        limits.allow(listpack.bytes().saturating_sub(old), len - 1, value.len())
    });
    if fits && !plain {
        return write(tree, ordinal, |listpack| {
            if let Some(position) = listpack.seek(offset) {
                listpack.replace(position, Entry::of(value));
            }
        });
    }
    // a chunk of its own, between what was before the old element and what was behind it
    if offset + 1 < len {
        split(tree, ordinal, offset + 1);
    }
    tree.insert(ordinal + 1, Chunk::of(value, limits));
    if offset == 0 {
        drop(tree.remove(ordinal));
        merge_around(tree, ordinal, limits);
    } else {
        write(tree, ordinal, |listpack| {
            if let Some(last) = listpack.last() {
                listpack.remove(last);
            }
        });
        merge_around(tree, ordinal + 1, limits);
    }
}

/// Removes up to `count` elements that are `value`, and returns how many there were.
pub(super) fn remove_matching(
    tree: &mut Tree,
    value: &[u8],
    count: usize,
    direction: Direction,
) -> usize {
    let (mut removed, mut visited) = (0, 0);
    while removed < count && visited < tree.chunks() {
        let ordinal = match direction {
            Direction::Forward => visited,
            Direction::Backward => tree.chunks() - 1 - visited,
        };
        let here = match tree.get(ordinal) {
            Chunk::Plain(string) => usize::from(string.as_slice() == value),
            // what is shared is copied only where something goes
            Chunk::Packed(listpack) if !contains(listpack, value) => 0,
            Chunk::Packed(_) => write(tree, ordinal, |listpack| {
                remove_packed(listpack, value, count - removed, direction)
            }),
        };
        let chunk = tree.get(ordinal);
        let gone = chunk.packed().map_or(here > 0, Listpack::is_empty);
        if gone {
            drop(tree.remove(ordinal));
        } else {
            visited += 1;
        }
        removed += here;
    }
    removed
}

/// Removes up to `count` elements that are `value` from a listpack.
pub(super) fn remove_packed(
    listpack: &mut Listpack,
    value: &[u8],
    count: usize,
    direction: Direction,
) -> usize {
    let mut removed = 0;
    let mut at = match direction {
        Direction::Forward => listpack.first(),
        Direction::Backward => listpack.last(),
    };
    let needle = Entry::of(value);
    while let Some(position) = at
        && removed < count
    {
        let same = is_same(listpack, position, needle, value);
        at = match direction {
            Direction::Forward if same => listpack.remove(position),
            Direction::Forward => listpack.next(position),
            Direction::Backward => {
                let before = listpack.previous(position);
                if same {
                    listpack.remove(position);
                }
                before
            }
        };
        removed += usize::from(same);
    }
    removed
}

/// Keeps `count` elements from `index` on, which are there, and returns all whole chunks of the
/// others.
pub(super) fn trim(tree: &mut Tree, index: usize, count: usize) -> Tree {
    let (ordinal, offset) = tree.locate(index + count);
    let after = tree.split_off(ordinal + usize::from(offset > 0));
    if offset > 0 {
        write(tree, ordinal, |listpack| drop(listpack.split_off(offset)));
    }
    let (ordinal, offset) = tree.locate(index);
    let kept = tree.split_off(ordinal);
    let before = std::mem::replace(tree, kept);
    if offset > 0 {
        write(tree, 0, |listpack| {
            if let Some(first) = listpack.first() {
                listpack.remove_range(first, offset);
            }
        });
    }
    before.joined(after)
}

/// Whether `listpack` has an element that is `value`.
fn contains(listpack: &Listpack, value: &[u8]) -> bool {
    listpack.first().is_some_and(|first| listpack.find(first, value, 0).is_some())
}

/// Whether the element at `position` is `value`, which would be stored as `needle`.
fn is_same(listpack: &Listpack, position: Position, needle: Entry<'_>, value: &[u8]) -> bool {
    match listpack.get(position) {
        Entry::Bytes(bytes) => bytes == value,
        integer @ Entry::Integer(_) => integer == needle,
    }
}

/// The ordinal of the chunk at an end, if there is one.
fn chunk_at(tree: &Tree, end: End) -> Option<usize> {
    let last = tree.chunks().checked_sub(1)?;
    Some(if end == End::Front { 0 } else { last })
}

/// Changes the listpack at `ordinal`; the caller knows that it is one.
fn write<R>(tree: &mut Tree, ordinal: usize, change: impl FnOnce(&mut Listpack) -> R) -> R {
    tree.update(ordinal, |chunk| change(chunk.packed_mut().expect("a chunk with a listpack")))
}

/// Makes two of a chunk, of which the first keeps `before` elements.
fn split(tree: &mut Tree, ordinal: usize, before: usize) {
    let right = write(tree, ordinal, |listpack| listpack.split_off(before));
    tree.insert(ordinal + 1, Chunk::Packed(right));
}

/// Merges what fits together around the chunk at `center`: the two before it, the two behind it,
/// then it with its neighbours.
fn merge_around(tree: &mut Tree, center: usize, limits: ListLimits) {
    let mut center = center;
    if center >= 2 && merge(tree, center - 2, limits) {
        center -= 1;
    }
    merge(tree, center + 1, limits);
    if center >= 1 && merge(tree, center - 1, limits) {
        center -= 1;
    }
    merge(tree, center, limits);
}

/// Merges the chunk at `ordinal` with the next one, if both are there and it may.
fn merge(tree: &mut Tree, ordinal: usize, limits: ListLimits) -> bool {
    if ordinal + 1 >= tree.chunks() {
        return false;
    }
    let pair = (tree.get(ordinal).packed(), tree.get(ordinal + 1).packed());
    let (Some(left), Some(right)) = pair else { return false };
    let bytes = left.bytes() + right.bytes() - LISTPACK_BYTES_MIN;
    if limits.exceeded_by(bytes, left.len() + right.len()) {
        return false;
    }
    let right = tree.remove(ordinal + 1);
    if let Some(right) = right.packed() {
        write(tree, ordinal, |listpack| listpack.append(right));
    }
    true
}
