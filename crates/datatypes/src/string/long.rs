//! Strings too long to live in their key's record.
//!
//! A [`LongString`] is a vector while it is shorter than 1 MiB: exact when it is made, and doubled
//! (Redis' growth policy) once it has to grow in place, so that a series of APPENDs copies each
//! byte a bounded number of times. From 1 MiB on it has a [mapping](super::mapping) of its own.
//!
//! That is for the promise that nothing stalls the core thread:
//! - APPEND to a string of 100 MB copies nothing, where an allocator that finds no room behind the
//!   block copies all of it: the most that growth ever copies is the 1 MiB of a vector that becomes
//!   a mapping;
//! - growing by far more than what is there (`SETBIT k 4294967295 1` makes 512 MiB) writes no
//!   zeros: the kernel hands them out when they are first used;
//! - a huge string is freed in slices: its memory goes back from the end.
//!
//! Two exceptions, both slower and never wrong. A vector of a mebibyte or more that is handed over
//! ([`LongString::from`]) stays one until it grows. And where the process has too many mappings,
//! strings of any length are vectors, which grow by 1 MiB more than needed.

use super::mapping::{Mapping, forget_spare, whole_grains};

/// A growable byte string.
#[derive(Debug)]
pub struct LongString {
    bytes: Bytes,
}

/// Where the content is.
#[derive(Debug)]
enum Bytes {
    /// From the allocator; the capacity beyond the length is there for the next APPEND.
    Heap(Vec<u8>),
    /// From the kernel.
    Mapped(Mapping),
}

// No larger than a vector alone: the capacity of a vector leaves values that tell the two apart.
const _: () = assert!(size_of::<LongString>() == size_of::<Vec<u8>>());

impl From<Vec<u8>> for LongString {
    /// Takes `bytes` over without copying; spare capacity stays as it is.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Heap(bytes) }
    }
}

impl From<&[u8]> for LongString {
    /// A copy of `bytes`, where it can grow best. For a long one better than handing a vector over.
    fn from(bytes: &[u8]) -> Self {
        let Some(mut string) = Self::mapped(bytes.len()) else { return Self::from(bytes.to_vec()) };
        string.as_mut_slice().copy_from_slice(bytes);
        string
    }
}

impl Default for LongString {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl PartialEq for LongString {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for LongString {}

impl LongString {
    /// `head`, then zeros up to `len` bytes. What is beyond `head` is not touched: memory that the
    /// kernel zeroes when it is first used.
    ///
    /// # Panics
    /// When `len` is less than the length of `head`.
    #[must_use]
    pub fn zeroed_after(head: &[u8], len: usize) -> Self {
        let mut string = Self::mapped(len).unwrap_or_else(|| Self::from(vec![0; len]));
        string.as_mut_slice()[..head.len()].copy_from_slice(head);
        string
    }

    /// The concatenation of `head` and `tail`, with room to grow.
    #[must_use]
    pub fn concatenated(head: &[u8], tail: &[u8]) -> Self {
        let len = head.len() + tail.len();
        let mut string =
            Self::mapped(len).unwrap_or_else(|| Self::from(Vec::with_capacity(capacity_for(len))));
        match &mut string.bytes {
            Bytes::Heap(bytes) => {
                bytes.extend_from_slice(head);
                bytes.extend_from_slice(tail);
            }
            Bytes::Mapped(mapping) => {
                let (first, second) = mapping.as_mut_slice().split_at_mut(head.len());
                first.copy_from_slice(head);
                second.copy_from_slice(tail);
            }
        }
        string
    }

    /// `len` zeros in a mapping; `None` where that is too short for one, or there are too many.
    fn mapped(len: usize) -> Option<Self> {
        if len < MAPPED_BYTES_MIN {
            return None;
        }
        Mapping::zeroed(len).map(|mapping| Self { bytes: Bytes::Mapped(mapping) })
    }

    /// Bytes in the string.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.bytes {
            Bytes::Heap(bytes) => bytes.len(),
            Bytes::Mapped(mapping) => mapping.len(),
        }
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Heap(bytes) => bytes,
            Bytes::Mapped(mapping) => mapping.as_slice(),
        }
    }

    /// The content, to be changed in place.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.bytes {
            Bytes::Heap(bytes) => bytes,
            Bytes::Mapped(mapping) => mapping.as_mut_slice(),
        }
    }

    /// The content, given up. Without copying, unless it is in a mapping.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.bytes {
            Bytes::Heap(bytes) => bytes,
            Bytes::Mapped(mapping) => mapping.as_slice().to_vec(),
        }
    }

    /// Bytes of memory that it holds besides itself: what is allocated, or, of a mapping, what is
    /// in use (what is [mapped](super::mapped_bytes) the allocator knows nothing of).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.bytes {
            Bytes::Heap(bytes) => bytes.capacity(),
            Bytes::Mapped(mapping) => mapping.memory_bytes(),
        }
    }

    /// Adds `tail` at the end. Amortized O(length of `tail`).
    pub fn append(&mut self, tail: &[u8]) {
        if let Bytes::Heap(bytes) = &mut self.bytes
            && tail.len() <= bytes.capacity() - bytes.len()
        {
            // the usual case, and nothing else to decide
            return bytes.extend_from_slice(tail);
        }
        let start = self.len();
        self.make_room(start + tail.len());
        match &mut self.bytes {
            Bytes::Heap(bytes) => bytes.extend_from_slice(tail),
            Bytes::Mapped(mapping) => mapping.as_mut_slice()[start..].copy_from_slice(tail),
        }
    }

    /// Writes `part` at `offset`; a gap before it is filled with zeros. O(length of `part`) where
    /// the string is long enough, or has a mapping.
    pub fn write_at(&mut self, offset: usize, part: &[u8]) {
        self.extend_zeroed(offset + part.len());
        self.as_mut_slice()[offset..offset + part.len()].copy_from_slice(part);
    }

    /// Makes the string at least `len` bytes long; new bytes are zero.
    pub fn extend_zeroed(&mut self, len: usize) {
        if len <= self.len() {
            return;
        }
        self.make_room(len);
        if let Bytes::Heap(bytes) = &mut self.bytes {
            bytes.resize(len, 0);
        }
    }

    /// Room for `len` bytes, at least as many as there are: a mapping is that long afterwards, with
    /// zeros at the end; a vector has the capacity.
    fn make_room(&mut self, len: usize) {
        match &mut self.bytes {
            Bytes::Mapped(mapping) => {
                if !mapping.extend(len) {
                    self.leave_mapping(capacity_for(len));
                }
            }
            Bytes::Heap(bytes) if len > bytes.capacity() => match Self::mapped(len) {
                Some(mut string) => {
                    string.as_mut_slice()[..bytes.len()].copy_from_slice(bytes);
                    *self = string;
                }
                None => bytes.reserve_exact(capacity_for(len) - bytes.len()),
            },
            Bytes::Heap(_) => {}
        }
    }

    /// Copies the content into a vector of `capacity`, because there are no addresses for more.
    #[cold]
    fn leave_mapping(&mut self, capacity: usize) {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(self.as_slice());
        self.bytes = Bytes::Heap(bytes);
    }

    /// Gives `slice_bytes` of memory back, from the end, and says whether at most that much is
    /// left: dropping the rest then costs no more than this call did. The content is lost.
    ///
    /// The memory of a vector goes back to the system behind its allocator's back: the allocator
    /// would give it back all at once, whenever it sees fit, or keep it. Until it is dropped the
    /// vector counts as allocated as before.
    pub fn free_slice(&mut self, slice_bytes: usize) -> bool {
        match &mut self.bytes {
            Bytes::Heap(bytes) => {
                let used = bytes.len();
                if used > slice_bytes {
                    bytes.truncate(whole_grains(bytes.as_ptr(), used - slice_bytes));
                    forget_spare(bytes, used);
                }
                bytes.len() <= slice_bytes
            }
            Bytes::Mapped(mapping) => {
                mapping.shrink(mapping.memory_bytes().saturating_sub(slice_bytes));
                mapping.memory_bytes() <= slice_bytes
            }
        }
    }
}

/// The capacity of a vector that has grown to `len` bytes. What becomes a mapping at its next
/// growth is not doubled beyond, so that no more than that has to be copied then.
const fn capacity_for(len: usize) -> usize {
    if len < MAPPED_BYTES_MIN / 2 {
        len * 2
    } else if len < MAPPED_BYTES_MIN {
        MAPPED_BYTES_MIN
    } else {
        len + PREALLOCATED_BYTES_MAX
    }
}

/// The most that growing allocates ahead: 1 MiB (Redis' `SDS_MAX_PREALLOC`).
const PREALLOCATED_BYTES_MAX: usize = 1 << 20;

/// The shortest string that has a mapping: copying 1 MiB into it is the longest step of growing by
/// APPENDs of 16 KiB to 500 MiB, 0.5 ms with its page faults. A vector's longest step was a copy
/// that took 50 ms at 100 MiB and 256 ms at 500 MiB (jemalloc, CPU time, measured 2026-11-21). Far
/// less under Miri, which is slow.
const MAPPED_BYTES_MIN: usize = if cfg!(miri) { 4 << 10 } else { 1 << 20 };

#[cfg(test)]
mod tests {
    use super::super::mapping::mapped_bytes;
    use super::{Bytes, LongString, MAPPED_BYTES_MIN};

    fn is_mapped(string: &LongString) -> bool {
        matches!(string.bytes, Bytes::Mapped(_))
    }

    #[test]
    fn grows_twofold_until_it_has_a_mapping() {
        let mut string = LongString::from(Vec::from(*b"abc"));
        string.append(b"defg");
        assert_eq!(string.as_slice(), b"abcdefg");
        assert_eq!(string.heap_bytes(), 14);
        string.append(&[b'x'; 7]);
        assert_eq!(string.heap_bytes(), 14);

        let mut string = LongString::from(vec![b'x'; MAPPED_BYTES_MIN]);
        assert_eq!(string.heap_bytes(), MAPPED_BYTES_MIN);
        assert!(!is_mapped(&string), "taken over without copying");
        string.append(b"y");
        assert!(is_mapped(&string));
        assert!(string.heap_bytes() - string.len() < MAPPED_BYTES_MIN / 4);
        assert!(mapped_bytes() >= string.heap_bytes());
        assert_eq!(string.as_slice()[MAPPED_BYTES_MIN - 1..], *b"xy");
    }

    /// The same steps on a plain vector, from 1 byte to some MiB and across every change of form.
    #[test]
    fn does_what_a_vector_does() {
        let (mut string, mut twin) = (LongString::default(), Vec::new());
        let mut step = 1;
        while twin.len() < 5 * MAPPED_BYTES_MIN {
            let part: Vec<u8> = (0..step).map(|at| (at % 251) as u8 + 1).collect();
            string.append(&part);
            twin.extend_from_slice(&part);
            let offset = twin.len() + step / 2;
            string.write_at(offset, &part[..step / 2]);
            twin.resize(offset, 0);
            twin.extend_from_slice(&part[..step / 2]);
            string.write_at(step / 3, b"inside");
            twin.resize(twin.len().max(step / 3 + 6), 0);
            twin[step / 3..step / 3 + 6].copy_from_slice(b"inside");
            assert!(string.as_slice() == twin, "{step}");
            step = step * 3 + 1;
        }
        assert!(is_mapped(&string));
        assert!(string == LongString::from(twin.as_slice()));
        assert!(string.into_vec() == twin);
    }

    #[test]
    fn long_ones_are_mapped_however_they_are_made() {
        let long = vec![b'x'; MAPPED_BYTES_MIN];
        for string in [
            LongString::from(long.as_slice()),
            LongString::zeroed_after(&long[1..], MAPPED_BYTES_MIN),
            LongString::concatenated(&long[1..], b"x"),
        ] {
            assert!(is_mapped(&string));
            assert_eq!(string.as_slice()[..MAPPED_BYTES_MIN - 1], long[1..]);
        }
        assert!(!is_mapped(&LongString::from(&long[1..])));
    }

    #[test]
    fn a_mapping_without_addresses_becomes_a_vector() {
        let mut string = LongString::from([b'x'; MAPPED_BYTES_MIN].as_slice());
        string.leave_mapping(2 * MAPPED_BYTES_MIN);
        assert!(!is_mapped(&string));
        string.append(b"y");
        assert_eq!(string.heap_bytes(), 2 * MAPPED_BYTES_MIN);
        assert_eq!(string.as_slice()[MAPPED_BYTES_MIN - 1..], *b"xy");
    }

    #[test]
    fn a_mapping_is_freed_in_slices() {
        let slice_bytes = MAPPED_BYTES_MIN / 2;
        let mut string = LongString::zeroed_after(b"a", 5 * MAPPED_BYTES_MIN + 1);
        string.as_mut_slice().fill(1);
        let mut calls = 1;
        while !string.free_slice(slice_bytes) {
            calls += 1;
        }
        assert_eq!(calls, 10);
        assert!(string.heap_bytes() <= slice_bytes);
    }

    #[test]
    fn a_vector_is_freed_in_slices() {
        let slice_bytes = MAPPED_BYTES_MIN / 2;
        let bytes = 5 * MAPPED_BYTES_MIN + 1;
        let mut string = LongString::from(vec![1; bytes]);
        let mut before = bytes;
        while !string.free_slice(slice_bytes) {
            let freed = before - string.len();
            assert!((slice_bytes..slice_bytes + MAPPED_BYTES_MIN / 4).contains(&freed), "{freed}");
            before = string.len();
        }
        assert!(string.len() <= slice_bytes && before > slice_bytes);
        assert_eq!(string.heap_bytes(), bytes, "it is the allocator's until it is dropped");
    }

    #[test]
    fn writes_anywhere() {
        let mut string = LongString::from(Vec::from(*b"Hello World"));
        string.write_at(6, b"Redis");
        assert_eq!(string.as_slice(), b"Hello Redis");
        string.write_at(13, b"!");
        assert_eq!(string.as_slice(), b"Hello Redis\0\0!");
        string.write_at(100, b"z");
        assert_eq!(string.len(), 101);
        assert!(string.as_slice()[14..100].iter().all(|byte| *byte == 0));
        assert_eq!(&string.as_slice()[..11], b"Hello Redis");
    }

    #[test]
    fn zeros_follow_the_head() {
        let string = LongString::zeroed_after(b"ab", 5);
        assert_eq!(string.as_slice(), b"ab\0\0\0");
        assert_eq!(LongString::concatenated(b"ab", b"cd").as_slice(), b"abcd");
    }

    #[test]
    fn a_short_string_is_freed_at_once() {
        let mut string = LongString::from(vec![0; 100]);
        assert!(string.free_slice(4096));
        assert!(LongString::default().free_slice(1));
    }
}
