//! The directory of a large list: a tree of shared chunks, with counts.
//!
//! ```text
//!  root (in the list's own box)      elements  chunks  bytes
//!  +-------------------------------+
//!  | node * |   28,000 |  64 | ... |      up to 64 parts a node
//!  | node * |    3,100 |   7 | ... |
//!  +---|---------------------------+
//!      v
//!  +-------------------------------+
//!  | chunk * | 454 |               |      a leaf: 16 bytes a chunk
//!  | chunk * | 454 | ...           |
//!  +---|---------------------------+
//!      v
//!   a listpack of 8 KiB, or one large element
//! ```
//!
//! Chunks are spoken of by their ordinal, from 0 on. Whatever is asked for, by element or by chunk,
//! is found by adding up to 64 numbers that lie side by side on each of a few levels: one level up
//! to 64 chunks (some 29,000 small elements), two up to 4,096, three up to 262,144.
//!
//! **A share is another root with the same parts**: at most 64 counts that go up. Who changes
//! something copies what is shared on the way to it, the nodes and the chunk, and nothing else. So
//! a snapshot, a COPY, a walk cost no more for a list of 10 M elements than for one of 29,000.
//!
//! A node that becomes too large gives half of its parts to a new neighbour; one that grew at an
//! end only the part there, so that a list that is pushed to has full nodes. A node that becomes
//! empty goes. Half-empty neighbours are not merged: nodes are few (one for 64 chunks), and there
//! are never more than chunks. Nothing depends on leaves being equally deep.

use triomphe::Arc;

use super::chunk::Chunk;
use crate::packed::bytes_of_class;

/// Parts of a node at most. A share and a change of what is shared copy that many; a search adds
/// that many numbers a level.
const PARTS_MAX: usize = 64;

/// A sequence of chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Node,
    sums: Sums,
}

/// A level of the tree.
#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Leaf>),
    Inner(Vec<Inner>),
}

/// A chunk, and what it comes to.
#[derive(Clone, Debug)]
struct Leaf {
    chunk: Arc<Chunk>,
    elements: u32,
    /// Bytes of the chunk and its counter, or `u32::MAX`.
    bytes: u32,
}

/// A node, and what all below it comes to.
#[derive(Clone, Debug)]
struct Inner {
    node: Arc<Node>,
    sums: Sums,
}

/// What a part of the tree comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    elements: usize,
    chunks: usize,
    /// On the heap: chunks, nodes and their counters.
    bytes: usize,
}

/// Bytes of an allocation that holds a `T` and its counter.
const fn counted_bytes<T>() -> usize {
    bytes_of_class(size_of::<usize>() + size_of::<T>())
}

impl Tree {
    /// Chunks in the sequence.
    #[inline]
    pub(super) const fn chunks(&self) -> usize {
        self.sums.chunks
    }

    /// Elements in all chunks.
    #[inline]
    pub(super) const fn elements(&self) -> usize {
        self.sums.elements
    }

    /// Bytes on the heap. What is shared counts whole.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.sums.bytes
    }

    /// The chunk at `ordinal`.
    ///
    /// # Panics
    /// When there is none: as all that take an ordinal.
    #[inline]
    pub(super) fn get(&self, ordinal: usize) -> &Chunk {
        let (mut node, mut total, mut ordinal) = (&self.root, self.sums.chunks, ordinal);
        loop {
            match node {
                Node::Leaf(parts) => return &parts[ordinal].chunk,
                Node::Inner(parts) => {
                    let (slot, rest) = slot_of(parts, ordinal, total, |sums| sums.chunks);
                    let part = &parts[slot];
                    (node, total, ordinal) = (&part.node, part.sums.chunks, rest);
                }
            }
        }
    }

    /// Which chunk the element at `index` is in, and where in it. One beyond the last element is
    /// in the chunk after the last.
    pub(super) fn locate(&self, index: usize) -> (usize, usize) {
        if index >= self.sums.elements {
            return (self.sums.chunks, 0);
        }
        let (mut node, mut total) = (&self.root, self.sums.elements);
        let (mut index, mut ordinal) = (index, 0);
        loop {
            match node {
                Node::Leaf(parts) => {
                    for part in parts {
                        match index.checked_sub(part.elements as usize) {
                            Some(rest) => (index, ordinal) = (rest, ordinal + 1),
                            None => break,
                        }
                    }
                    return (ordinal, index);
                }
                Node::Inner(parts) => {
                    let (slot, rest) = slot_of(parts, index, total, |sums| sums.elements);
                    ordinal += parts[..slot].iter().map(|part| part.sums.chunks).sum::<usize>();
                    let part = &parts[slot];
                    (node, total, index) = (&part.node, part.sums.elements, rest);
                }
            }
        }
    }

    /// Changes the chunk at `ordinal`, a copy of it if it is shared.
    pub(super) fn update<R>(&mut self, ordinal: usize, change: impl FnOnce(&mut Chunk) -> R) -> R {
        self.root.update(ordinal, change, &mut self.sums)
    }

    /// Puts a chunk before the one at `ordinal`, or at the end.
    pub(super) fn insert(&mut self, ordinal: usize, chunk: Chunk) {
        if let Some(right) = self.root.insert(ordinal, Leaf::of(Arc::new(chunk))) {
            let left = std::mem::take(&mut self.root);
            self.root = Node::Inner(vec![Inner::of(Arc::new(left)), Inner::of(Arc::new(right))]);
        }
        self.sums = self.root.sums();
    }

    /// Takes the chunk at `ordinal` out.
    pub(super) fn remove(&mut self, ordinal: usize) -> Arc<Chunk> {
        let chunk = self.root.remove(ordinal);
        self.settle();
        chunk
    }

    /// Takes the chunks from `ordinal` on out, as a tree of their own. No chunk is visited.
    #[must_use]
    pub(super) fn split_off(&mut self, ordinal: usize) -> Self {
        if ordinal >= self.chunks() {
            return Self::default();
        }
        let mut tail = Self { root: self.root.split_off(ordinal), sums: Sums::default() };
        self.settle();
        tail.settle();
        tail
    }

    /// This tree and, behind it, another one.
    #[must_use]
    pub(super) fn joined(self, other: Self) -> Self {
        let parts = [self, other].into_iter().filter(|tree| tree.chunks() > 0);
        let root = Node::Inner(parts.map(|tree| Inner::of(Arc::new(tree.root))).collect());
        let mut tree = Self { root, sums: Sums::default() };
        tree.settle();
        tree
    }

    /// Frees up to `chunks` chunks, from the end, and says whether none is left. What is shared is
    /// only let go of, whole nodes at a time.
    pub(super) fn free(&mut self, chunks: usize, plain_bytes: usize) -> bool {
        let mut chunks_left = chunks;
        self.root.free(&mut chunks_left, plain_bytes);
        self.sums = self.root.sums();
        self.root.is_empty()
    }

    /// Drops levels of a single node, and counts again.
    fn settle(&mut self) {
        while let Node::Inner(parts) = &mut self.root {
            if parts.len() > 1 {
                break;
            }
            self.root = match parts.pop() {
                Some(part) => Arc::try_unwrap(part.node).unwrap_or_else(|node| (*node).clone()),
                None => Node::default(),
            };
        }
        self.sums = self.root.sums();
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(parts) => parts.is_empty(),
            Self::Inner(parts) => parts.is_empty(),
        }
    }

    /// What all parts come to, with the node's own list of them.
    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        match self {
            Self::Leaf(parts) => {
                for part in parts {
                    sums.elements += part.elements as usize;
                    sums.bytes += part.bytes as usize;
                }
                sums.chunks = parts.len();
                sums.bytes += bytes_of_class(size_of_val(parts.as_slice()));
            }
            Self::Inner(parts) => {
                for part in parts {
                    sums.elements += part.sums.elements;
                    sums.chunks += part.sums.chunks;
                    sums.bytes += part.sums.bytes;
                }
                sums.bytes += bytes_of_class(size_of_val(parts.as_slice()));
            }
        }
        sums
    }

    /// See [`Tree::update`]. `sums` are those of this node.
    fn update<R>(
        &mut self,
        ordinal: usize,
        change: impl FnOnce(&mut Chunk) -> R,
        sums: &mut Sums,
    ) -> R {
        let (result, elements, bytes);
        match self {
            Self::Leaf(parts) => {
                let part = &mut parts[ordinal];
                (elements, bytes) = (part.elements as usize, part.bytes as usize);
                result = change(Arc::make_mut(&mut part.chunk));
                part.count();
                sums.elements = sums.elements + part.elements as usize - elements;
                sums.bytes = sums.bytes + part.bytes as usize - bytes;
            }
            Self::Inner(parts) => {
                let (slot, rest) = slot_of(parts, ordinal, sums.chunks, |sums| sums.chunks);
                let part = &mut parts[slot];
                (elements, bytes) = (part.sums.elements, part.sums.bytes);
                result = Arc::make_mut(&mut part.node).update(rest, change, &mut part.sums);
                sums.elements = sums.elements + part.sums.elements - elements;
                sums.bytes = sums.bytes + part.sums.bytes - bytes;
            }
        }
        result
    }

    /// Puts a part before the chunk at `ordinal`, and returns the right half of this node if it
    /// became too large.
    fn insert(&mut self, ordinal: usize, leaf: Leaf) -> Option<Self> {
        match self {
            Self::Leaf(parts) => {
                make_room(parts);
                parts.insert(ordinal, leaf);
                split(parts, ordinal).map(Self::Leaf)
            }
            Self::Inner(parts) => {
                let (slot, rest) = slot_of(parts, ordinal, usize::MAX, |sums| sums.chunks);
                let node = Arc::make_mut(&mut parts[slot].node);
                let right = node.insert(rest, leaf);
                parts[slot].count();
                let right = Inner::of(Arc::new(right?));
                make_room(parts);
                parts.insert(slot + 1, right);
                split(parts, slot + 1).map(Self::Inner)
            }
        }
    }

    /// Takes the chunk at `ordinal` out. Nodes that become empty go, other than this one.
    fn remove(&mut self, ordinal: usize) -> Arc<Chunk> {
        match self {
            Self::Leaf(parts) => parts.remove(ordinal).chunk,
            Self::Inner(parts) => {
                let (slot, rest) = slot_of(parts, ordinal, usize::MAX, |sums| sums.chunks);
                let node = Arc::make_mut(&mut parts[slot].node);
                let chunk = node.remove(rest);
                if node.is_empty() {
                    parts.remove(slot);
                } else {
                    parts[slot].count();
                }
                chunk
            }
        }
    }

    /// Takes the chunks from `ordinal` on out, of which there are some.
    fn split_off(&mut self, ordinal: usize) -> Self {
        match self {
            Self::Leaf(parts) => Self::Leaf(parts.split_off(ordinal)),
            Self::Inner(parts) => {
                let (slot, rest) = slot_of(parts, ordinal, usize::MAX, |sums| sums.chunks);
                let mut tail = parts.split_off(slot);
                if rest > 0 {
                    let right = Arc::make_mut(&mut tail[0].node).split_off(rest);
                    let mut left = std::mem::replace(&mut tail[0], Inner::of(Arc::new(right)));
                    left.count();
                    parts.push(left);
                }
                Self::Inner(tail)
            }
        }
    }

    /// See [`Tree::free`].
    fn free(&mut self, chunks: &mut usize, plain_bytes: usize) {
        match self {
            Self::Leaf(parts) => {
                while *chunks > 0
                    && let Some(part) = parts.last_mut()
                {
                    if let Some(Chunk::Plain(string)) = Arc::get_mut(&mut part.chunk)
                        && !string.free_slice(plain_bytes)
                    {
                        *chunks = 0;
                        part.count();
                        return;
                    }
                    parts.pop();
                    *chunks -= 1;
                }
            }
            Self::Inner(parts) => {
                while *chunks > 0
                    && let Some(part) = parts.last_mut()
                {
                    *chunks -= 1;
                    if let Some(node) = Arc::get_mut(&mut part.node) {
                        node.free(chunks, plain_bytes);
                        if !node.is_empty() {
                            return part.count();
                        }
                    }
                    parts.pop();
                }
            }
        }
    }
}

impl Leaf {
    fn of(chunk: Arc<Chunk>) -> Self {
        let mut leaf = Self { chunk, elements: 0, bytes: 0 };
        leaf.count();
        leaf
    }

    /// Counts again what the chunk comes to.
    #[inline]
    fn count(&mut self) {
        self.elements = self.chunk.len() as u32;
        let bytes = counted_bytes::<Chunk>() + self.chunk.heap_bytes();
        self.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }
}

impl Inner {
    fn of(node: Arc<Node>) -> Self {
        let mut inner = Self { node, sums: Sums::default() };
        inner.count();
        inner
    }

    /// Counts again what the node comes to.
    fn count(&mut self) {
        self.sums = self.node.sums();
        self.sums.bytes += counted_bytes::<Node>();
    }
}

/// Which part holds the `index`th of what `count` counts, and which one it is there. The end of all
/// is at the end of the last part. What is in the last part is found at once, where `total`, which
/// all parts come to, is known and not `usize::MAX`.
#[inline]
fn slot_of(
    parts: &[Inner],
    index: usize,
    total: usize,
    count: impl Fn(&Sums) -> usize,
) -> (usize, usize) {
    let last = parts.len() - 1;
    if let Some(rest) = index.checked_sub(total - count(&parts[last].sums)) {
        return (last, rest);
    }
    let mut rest = index;
    for (slot, part) in parts[..last].iter().enumerate() {
        match rest.checked_sub(count(&part.sums)) {
            Some(beyond) => rest = beyond,
            None => return (slot, rest),
        }
    }
    (last, rest)
}

/// Room for one part more: a quarter more than there are, since there are many small lists of two
/// chunks, and their leaf should hold two.
fn make_room<Part>(parts: &mut Vec<Part>) {
    if parts.len() == parts.capacity() {
        parts.reserve_exact((parts.len() / 4).max(1));
    }
}

/// The right half of `parts`, taken out, if there are too many since one came at `slot`.
fn split<Part>(parts: &mut Vec<Part>, slot: usize) -> Option<Vec<Part>> {
    if parts.len() <= PARTS_MAX {
        return None;
    }
    let at = match slot {
        0 => 1,
        slot if slot + 1 == parts.len() => slot,
        _ => parts.len() / 2,
    };
    let right = parts.split_off(at);
    parts.shrink_to_fit();
    Some(right)
}
