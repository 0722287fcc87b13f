//! The value of a key that does not fit into the key's own record.
//!
//! The table embeds small strings and integers in the record of their key; all else is an
//! [`Object`]: a tag and a box, 16 bytes, moved and never copied. There is exactly one owner at any
//! time: the table, a command that took it out (GETDEL, RENAME), or the queue of doomed values.
//!
//! A further type adds one variant here, one arm in each `match`, and a folder of its own.

use crate::LongString;

/// A value held outside of its key's record.
#[derive(Debug, PartialEq, Eq)]
pub enum Object {
    /// A string longer than the table embeds.
    String(Box<LongString>),
}

// The table stores the object inside a record: two words, whatever the type.
const _: () = assert!(size_of::<Object>() <= 16);

/// The types of Redis' values, as `TYPE` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Strings, integers and bitmaps.
    String,
}

impl ObjectType {
    /// The word that `TYPE` replies and that `SCAN ... TYPE` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
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
        }
    }

    /// What `TYPE` says, as a word.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.object_type().name()
    }

    /// What `OBJECT ENCODING` says.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        match self {
            Self::String(_) => crate::StringEncoding::Raw.name(),
        }
    }

    /// Bytes that the value holds on the heap, all of them: what `MEMORY USAGE` adds to the
    /// record's own. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::String(string) => size_of::<LongString>() + string.heap_bytes(),
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_string(&self) -> Option<&LongString> {
        match self {
            Self::String(string) => Some(string),
        }
    }

    /// The string, if it is one, to be changed.
    #[must_use]
    pub fn as_string_mut(&mut self) -> Option<&mut LongString> {
        match self {
            Self::String(string) => Some(string),
        }
    }

    /// How many units of work dropping the value takes: allocations to free, and pages of memory to
    /// give back, 128 pages counting as one. What `lazyfree-lazy-*` and the promise never to
    /// stall for a huge delete decide by. O(1).
    #[must_use]
    pub fn free_effort(&self) -> usize {
        match self {
            Self::String(string) => 1 + string.heap_bytes() / FREED_SLICE_BYTES,
        }
    }

    /// Frees a part of the value, and says whether it is done: dropping what is left then costs
    /// little. One call takes about 0.05 ms. The value is garbage from the first call on.
    #[must_use = "an object that is not done must be called again before it is dropped"]
    pub fn free_slice(&mut self) -> bool {
        match self {
            Self::String(string) => string.free_slice(FREED_SLICE_BYTES),
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
