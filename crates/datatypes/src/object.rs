//! The value of a key that does not fit into the key's own record.
//!
//! The table embeds small strings and integers in the record of their key; all else is an
//! [`Object`]: a tag and a box, 16 bytes, moved and never copied. There is exactly one owner at any
//! time: the table, a command that took it out (GETDEL, RENAME), or the queue of doomed values.
//!
//! What a value owes, whatever its type, is what `impl Object` says, here and in `emission`; why is
//! on the page `docs/values.md`. A further type adds one variant here and in [`ObjectType`], a
//! folder of its own, and whatever the compiler then asks for: no `match` over types has an arm
//! that passes over those to come.

use crate::LongString;
use crate::list::List;
use crate::set::Set;

/// A value held outside of its key's record.
#[derive(Debug, PartialEq, Eq)]
pub enum Object {
    /// A string longer than the table embeds.
    String(Box<LongString>),
    /// A set, in any of its encodings.
    Set(Set),
    /// A list, in either of its encodings.
    List(List),
}

// The table stores the object inside a record: two words, whatever the type.
const _: () = assert!(size_of::<Object>() <= 16);

/// The types of Redis' values, as `TYPE` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Strings, integers and bitmaps.
    String,
    /// Sets.
    Set,
    /// Lists.
    List,
}

impl ObjectType {
    /// The word that `TYPE` replies and that `SCAN ... TYPE` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Set => "set",
            Self::List => "list",
        }
    }
}

impl Object {
    /// A long string that takes `bytes` over without copying them. For a copy of what is elsewhere
    /// `LongString::from` a slice is better: it puts a huge one where it can grow.
    #[must_use]
    pub fn string(bytes: Vec<u8>) -> Self {
        Self::String(Box::new(LongString::from(bytes)))
    }

    /// What `TYPE` says.
    #[must_use]
    pub const fn object_type(&self) -> ObjectType {
        match self {
            Self::String(_) => ObjectType::String,
            Self::Set(_) => ObjectType::Set,
            Self::List(_) => ObjectType::List,
        }
    }

    /// What `TYPE` says, as a word.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.object_type().name()
    }

    /// What `OBJECT ENCODING` says.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::String(_) => crate::StringEncoding::Raw.name(),
            Self::Set(set) => set.encoding(),
            Self::List(list) => list.encoding(),
        }
    }

    /// How many elements it has; the bytes of a string. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::String(string) => string.len(),
            Self::Set(set) => set.len(),
            Self::List(list) => list.len(),
        }
    }

    /// Whether it has none. Only a string may be so under a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same value, now, with an owner of its own: what is done to either is not seen in the
    /// other, and it may travel to another thread. A collection costs O(1) or nearly so, because
    /// its chunks are shared until they change; a string is copied.
    #[must_use]
    pub fn share(&self) -> Self {
        match self {
            Self::String(string) => Self::String(Box::new(LongString::from(string.as_slice()))),
            Self::Set(set) => Self::Set(set.share()),
            Self::List(list) => Self::List(list.share()),
        }
    }

    /// Bytes that the value holds on the heap, all of them, those that it shares too: what `MEMORY
    /// USAGE` adds to the record's own. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::String(string) => size_of::<LongString>() + string.heap_bytes(),
            Self::Set(set) => set.heap_bytes(),
            Self::List(list) => list.heap_bytes(),
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_string(&self) -> Option<&LongString> {
        match self {
            Self::String(string) => Some(string),
            Self::Set(_) | Self::List(_) => None,
        }
    }

    /// The string, if it is one, to be changed.
    #[must_use]
    pub fn as_string_mut(&mut self) -> Option<&mut LongString> {
        match self {
            Self::String(string) => Some(string),
            Self::Set(_) | Self::List(_) => None,
        }
    }

    /// The set, if it is one.
    #[must_use]
    pub const fn as_set(&self) -> Option<&Set> {
        match self {
            Self::Set(set) => Some(set),
            Self::String(_) | Self::List(_) => None,
        }
    }

    /// The set, if it is one, to be changed.
    #[must_use]
    pub const fn as_set_mut(&mut self) -> Option<&mut Set> {
        match self {
            Self::Set(set) => Some(set),
            Self::String(_) | Self::List(_) => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub const fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            Self::String(_) | Self::Set(_) => None,
        }
    }

    /// The list, if it is one, to be changed.
    #[must_use]
    pub const fn as_list_mut(&mut self) -> Option<&mut List> {
        match self {
            Self::List(list) => Some(list),
            Self::String(_) | Self::Set(_) => None,
        }
    }

    /// How many units of work dropping the value takes: allocations to free, and pages of memory to
    /// give back, 128 pages counting as one. What `lazyfree-lazy-*` and the promise never to
    /// stall for a huge delete decide by. O(1).
    #[must_use]
    pub fn free_effort(&self) -> usize {
        match self {
            Self::String(string) => 1 + string.heap_bytes() / FREED_SLICE_BYTES,
            Self::Set(set) => set.free_effort(),
            Self::List(list) => list.free_effort(),
        }
    }

    /// Frees a part of the value, and says whether it is done: dropping what is left then costs
    /// little. One call takes about 0.05 ms. The value is garbage from the first call on.
    #[must_use = "an object that is not done must be called again before it is dropped"]
    pub fn free_slice(&mut self) -> bool {
        match self {
            Self::String(string) => string.free_slice(FREED_SLICE_BYTES),
            Self::Set(set) => set.free_slice(FREED_SLICE_BYTES),
            Self::List(list) => list.free_slice(),
        }
    }
}

/// Bytes given back by one call of [`Object::free_slice`]: 128 pages of 4 KiB, of which taking one
/// back costs the kernel 0.35 us. A slice of a mapping takes 0.05 ms on the average and 0.2 ms at
/// worst, where 1 MiB took 0.09 and 0.25 ms (100 and 500 MiB, CPU time, measured 2026-11-21).
const FREED_SLICE_BYTES: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::{FREED_SLICE_BYTES, Object};

    #[test]
    fn says_what_it_is() {
        let object = Object::string(vec![b'x'; 2000]);
        assert_eq!(object.type_name(), "string");
        assert_eq!(object.encoding(), "raw");
        assert_eq!(object.heap_bytes(), 24 + 2000);
        assert_eq!(object.free_effort(), 1);
    }

    #[test]
    fn takes_a_vector_over_without_copying() {
        let bytes = vec![b'x'; 5000];
        let at = bytes.as_ptr();
        let object = Object::string(bytes);
        let string = object.as_string().expect("it is a string");
        assert_eq!(string.as_slice().as_ptr(), at);
    }

    #[test]
    fn is_freed_in_slices() {
        let mut object = Object::string(vec![1; 3 * FREED_SLICE_BYTES + FREED_SLICE_BYTES / 2]);
        assert_eq!(object.free_effort(), 4);
        let mut calls = 1;
        while !object.free_slice() {
            calls += 1;
        }
        assert_eq!(calls, 3);
        let string = object.as_string().expect("it is a string");
        assert!(string.len() <= FREED_SLICE_BYTES);
    }
}
