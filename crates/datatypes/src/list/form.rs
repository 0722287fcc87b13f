//! A list, whatever its form: what every operation does to the small and to the large one, and when
//! one becomes the other.

use std::ops::ControlFlow;

use super::chunk::Chunk;
use super::tree::Tree;
use super::{ListLimits, large};
use crate::packed::{Entry, Listpack, PackedOr, PackedOrMut, PackedOrOwned, PackedOrRef};

/// An end of a list, or a side of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where LPUSH adds; before an element.
    Front,
    /// Where RPUSH adds; behind an element.
    Back,
}

/// The order in which elements are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the back.
    Forward,
    /// Towards the front.
    Backward,
}

/// A list of byte strings.
#[derive(Debug)]
pub struct List {
    form: PackedOr<Tree>,
}

/// Chunks freed by one call of [`List::free_slice`]: some 0.05 ms.
const FREED_SLICE_CHUNKS: usize = 128;

/// Bytes of a large element freed by one call, as for a string.
const FREED_SLICE_BYTES: usize = 512 << 10;

impl Default for List {
    fn default() -> Self {
        Self::from(Listpack::new())
    }
}

impl From<Listpack> for List {
    fn from(listpack: Listpack) -> Self {
        Self { form: PackedOr::from(listpack) }
    }
}

impl From<Tree> for List {
    fn from(tree: Tree) -> Self {
        Self { form: PackedOr::from(Box::new(tree)) }
    }
}

/// Equal elements in the same order, whatever the form.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let mut index = 0;
        self.visit(0, self.len(), Direction::Forward, |entry| {
            let same = other.get(index, |twin| *twin.text() == *entry.text()) == Some(true);
            index += 1;
            if same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .is_continue()
    }
}

impl Eq for List {}

impl List {
    /// A list without elements.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Elements in the list.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.form.view() {
            PackedOrRef::Packed(listpack) => listpack.len(),
            PackedOrRef::Large(tree) => tree.elements(),
        }
    }

    /// Whether there is none: then the key goes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        if self.form.is_packed() { "listpack" } else { "quicklist" }
    }

    /// Bytes that the list holds on the heap; what is shared counts whole. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self.form.view() {
            PackedOrRef::Packed(listpack) => listpack.heap_bytes(),
            PackedOrRef::Large(tree) => size_of::<Tree>() + tree.heap_bytes(),
        }
    }

    /// Adds `values` at an end, one after the other. All of them are counted first, so that a list
    /// that they make too large is a large one from the first on.
    pub fn push<'v>(
        &mut self,
        end: End,
        values: impl Iterator<Item = &'v [u8]> + Clone,
        limits: ListLimits,
    ) {
        let added = values
            .clone()
            .fold((0, 0), |(bytes, elements), value| (bytes + value.len(), elements + 1));
        self.grow(added.0, added.1, limits);
        match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => values.for_each(|value| match end {
                End::Front => listpack.push_front(value),
                End::Back => listpack.push_back(value),
            }),
            PackedOrMut::Large(tree) => {
                values.for_each(|value| large::push(tree, end, value, limits));
            }
        }
    }

    /// Removes the element at an end, if there is one, and returns what `take` makes of it.
    pub fn pop<R>(
        &mut self,
        end: End,
        limits: ListLimits,
        take: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => {
                let position = match end {
                    End::Front => listpack.first(),
                    End::Back => listpack.last(),
                }?;
                let taken = take(listpack.get(position));
                listpack.remove(position);
                Some(taken)
            }
            PackedOrMut::Large(tree) => {
                let taken = large::pop(tree, end, take);
                self.shrink(limits);
                taken
            }
        }
    }

    /// What `read` makes of the element at `index`, if there is one.
    #[must_use]
    pub fn get<R>(&self, index: usize, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        match self.form.view() {
            PackedOrRef::Packed(listpack) => {
                listpack.seek(index).map(|position| read(listpack.get(position)))
            }
            PackedOrRef::Large(tree) if index < tree.elements() => {
                let (ordinal, offset) = tree.locate(index);
                tree.get(ordinal).get(offset).map(read)
            }
            PackedOrRef::Large(_) => None,
        }
    }

    /// Visits up to `count` elements from the one at `index` on, until `each` breaks.
    pub fn visit(
        &self,
        index: usize,
        count: usize,
        direction: Direction,
        mut each: impl FnMut(Entry<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self.form.view() {
            PackedOrRef::Packed(listpack) => {
                large::visit_packed(listpack, Some(index), count, direction, &mut each)?;
                ControlFlow::Continue(())
            }
            PackedOrRef::Large(tree) => large::visit(tree, index, count, direction, each),
        }
    }

    /// Compares up to `compared_max` elements from `index` on with `value`, and calls `found` with
    /// the index of each that is the same, until it breaks. What LPOS, and LINSERT's pivot, ask.
    pub fn search(
        &self,
        value: &[u8],
        (index, compared_max): (usize, usize),
        direction: Direction,
        mut found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        let (needle, mut steps) = (Entry::of(value), 0);
        let _ = self.visit(index, compared_max, direction, |entry| {
            let same = match entry {
                Entry::Bytes(bytes) => bytes == value,
                Entry::Integer(_) => entry == needle,
            };
            let at = match direction {
                Direction::Forward => index + steps,
                Direction::Backward => index - steps,
            };
            steps += 1;
            if same { found(at) } else { ControlFlow::Continue(()) }
        });
    }

    /// Puts `value` in the place of the element at `index`, and says whether there was one.
    pub fn set(&mut self, index: usize, value: &[u8], limits: ListLimits) -> bool {
        if index >= self.len() {
            return false;
        }
        self.grow(value.len(), 1, limits);
        match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => {
                if let Some(position) = listpack.seek(index) {
                    listpack.replace(position, Entry::of(value));
                }
            }
            PackedOrMut::Large(tree) => large::set(tree, index, value, limits),
        }
        self.shrink(limits);
        true
    }

    /// Puts `value` before (front) or behind (back) the element at `index`, and says whether there
    /// was one.
    pub fn insert(&mut self, index: usize, side: End, value: &[u8], limits: ListLimits) -> bool {
        if index >= self.len() {
            return false;
        }
        self.grow(value.len(), 1, limits);
        match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => {
                let before = index + usize::from(side == End::Back);
                listpack.insert(listpack.seek(before), Entry::of(value));
            }
            PackedOrMut::Large(tree) => large::insert(tree, index, side, value, limits),
        }
        true
    }

    /// Removes up to `count` elements that are `value`, and returns how many there were.
    pub fn remove_matching(
        &mut self,
        value: &[u8],
        count: usize,
        direction: Direction,
        limits: ListLimits,
    ) -> usize {
        let removed = match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => {
                large::remove_packed(listpack, value, count, direction)
            }
            PackedOrMut::Large(tree) => large::remove_matching(tree, value, count, direction),
        };
        if removed > 0 {
            self.shrink(limits);
        }
        removed
    }

    /// Keeps `count` elements from `index` on, as far as they are there, and removes all others. A
    /// list of those comes back where there may be many, to be freed in slices.
    #[must_use = "what is left may be large, and is to be freed in slices"]
    pub fn trim(&mut self, index: usize, count: usize, limits: ListLimits) -> Option<Self> {
        let len = self.len();
        let index = index.min(len);
        let count = count.min(len - index);
        match self.form.view_mut() {
            PackedOrMut::Packed(listpack) => {
                drop(listpack.split_off(index + count));
                if let Some(first) = listpack.first() {
                    listpack.remove_range(first, index);
                }
                None
            }
            PackedOrMut::Large(tree) => {
                let remains = large::trim(tree, index, count);
                self.shrink(limits);
                (remains.chunks() > 0).then(|| Self::from(remains))
            }
        }
    }

    /// The same elements a second time: neither list sees what happens to the other. A large list
    /// copies none of them.
    #[must_use]
    pub fn share(&self) -> Self {
        match self.form.view() {
            PackedOrRef::Packed(listpack) => Self::from(listpack.clone()),
            PackedOrRef::Large(tree) => Self::from(tree.clone()),
        }
    }

    /// Visits up to `count` elements from the one at `cursor` on, and returns where to go on;
    /// `None` where all are done. Who emits a list in slices does so from a share of it.
    pub fn emit(
        &self,
        cursor: usize,
        count: usize,
        mut each: impl FnMut(Entry<'_>),
    ) -> Option<usize> {
        let _ = self.visit(cursor, count, Direction::Forward, |entry| {
            each(entry);
            ControlFlow::Continue(())
        });
        let next = cursor.saturating_add(count);
        (next < self.len()).then_some(next)
    }

    /// How many units of work dropping the list takes: allocations, and pieces of large elements.
    /// O(1).
    #[must_use]
    pub fn free_effort(&self) -> usize {
        match self.form.view() {
            PackedOrRef::Packed(_) => 1,
            PackedOrRef::Large(tree) => 1 + tree.chunks() + tree.heap_bytes() / FREED_SLICE_BYTES,
        }
    }

    /// Frees a part of the list, and says whether it is done: dropping what is left then costs
    /// little. What is shared is only let go of. The list is garbage from the first call on.
    #[must_use = "a list that is not done must be called again before it is dropped"]
    pub fn free_slice(&mut self) -> bool {
        match self.form.view_mut() {
            PackedOrMut::Packed(_) => true,
            PackedOrMut::Large(tree) => tree.free(FREED_SLICE_CHUNKS, FREED_SLICE_BYTES),
        }
    }

    /// Makes a large list of a small one, if `elements` of together `bytes` that come to it make it
    /// too large.
    fn grow(&mut self, bytes: usize, elements: usize, limits: ListLimits) {
        let PackedOrMut::Packed(listpack) = self.form.view_mut() else { return };
        if !limits.exceeded_by(listpack.bytes() + bytes, listpack.len() + elements) {
            return;
        }
        let mut tree = Tree::default();
        if !listpack.is_empty() {
            tree.insert(0, Chunk::Packed(std::mem::take(listpack)));
        }
        self.form = PackedOr::from(Box::new(tree));
    }

    /// Makes a small list of a large one whose only chunk is a listpack of half the limit.
    fn shrink(&mut self, limits: ListLimits) {
        let PackedOrRef::Large(tree) = self.form.view() else { return };
        let shrunk = tree.chunks() == 1
            && tree
                .get(0)
                .packed()
                .is_some_and(|listpack| limits.shrunk(listpack.bytes(), listpack.len()));
        if !shrunk {
            return;
        }
        let form = std::mem::replace(&mut self.form, PackedOr::from(Listpack::new()));
        if let PackedOrOwned::Large(mut tree) = form.into_inner()
            && let Chunk::Packed(listpack) = tree.remove(0).as_ref().clone()
        {
            self.form = PackedOr::from(listpack);
        }
    }
}

#[cfg(test)]
mod tests;
