//! A piece of a large list: a listpack of some hundred elements, or one large element.

use crate::packed::{Entry, Listpack};
use crate::string::LongString;

use super::ListLimits;

/// A piece of a large list.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Elements within the limit of a chunk.
    Packed(Listpack),
    /// One element larger than a chunk. It is never changed in place, only replaced, so that it is
    /// never copied for being shared.
    Plain(Box<LongString>),
}

// With its reference count a chunk fits an allocation of 32 bytes.
const _: () = assert!(size_of::<Chunk>() <= 16);

impl Clone for Chunk {
    fn clone(&self) -> Self {
        match self {
            Self::Packed(listpack) => Self::Packed(listpack.clone()),
            Self::Plain(string) => Self::Plain(Box::new(LongString::from(string.as_slice()))),
        }
    }
}

impl Chunk {
    /// A chunk of one element.
    pub(super) fn of(value: &[u8], limits: ListLimits) -> Self {
        if limits.is_plain(value.len()) {
            return Self::Plain(Box::new(LongString::from(value)));
        }
        let mut listpack = Listpack::new();
        listpack.push_back(value);
        Self::Packed(listpack)
    }

    /// The listpack, if it is one.
    #[inline]
    pub(super) const fn packed(&self) -> Option<&Listpack> {
        match self {
            Self::Packed(listpack) => Some(listpack),
            Self::Plain(_) => None,
        }
    }

    /// The listpack, if it is one, to be changed.
    #[inline]
    pub(super) const fn packed_mut(&mut self) -> Option<&mut Listpack> {
        match self {
            Self::Packed(listpack) => Some(listpack),
            Self::Plain(_) => None,
        }
    }

    /// Elements in the chunk.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.packed().map_or(1, Listpack::len)
    }

    /// Bytes that it holds on the heap.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Packed(listpack) => listpack.heap_bytes(),
            Self::Plain(string) => size_of::<LongString>() + string.heap_bytes(),
        }
    }

    /// Whether an element of `added` bytes may be put into it.
    #[inline]
    pub(super) fn allows(&self, added: usize, limits: ListLimits) -> bool {
        !limits.is_plain(added)
            && self
                .packed()
                .is_some_and(|listpack| limits.allow(listpack.bytes(), listpack.len(), added))
    }

    /// The element at `offset`, if there is one.
    pub(super) fn get(&self, offset: usize) -> Option<Entry<'_>> {
        match self {
            Self::Packed(listpack) => listpack.seek(offset).map(|position| listpack.get(position)),
            Self::Plain(string) => (offset == 0).then(|| Entry::Bytes(string.as_slice())),
        }
    }
}
