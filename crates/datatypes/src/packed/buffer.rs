//! Bytes behind one pointer: the memory of a small collection is this one allocation.
//!
//! ```text
//!  pointer (8 bytes, never null)
//!     |
//!     v
//!  +-----------+---------------------------+ - - - - - - - - - - +
//!  | len (u32) | len bytes                 | up to the size class |
//!  +-----------+---------------------------+ - - - - - - - - - - +
//!  |<------------- allocated: size_class(4 + len) -------------->|
//! ```
//!
//! A vector is three words, and its spare room is what doubling left. Of small collections there
//! are millions, so here the length lies in front of the bytes, and there is no capacity to keep:
//! the allocation is always the smallest size class of jemalloc that holds the header and the
//! bytes. Those classes are a quarter of a power of two apart (`bytes_of_class`), so that a series
//! of appends still copies each byte a bounded number of times, and what lies between the length
//! and the class would be lost in the allocator anyway.
//!
//! The header has four bytes and not eight because chunks of a list are filled to 8,186 of 8,192
//! bytes: eight would put many of them into the class of 10 KiB.
//!
//! All bytes within the length are always initialized: new ones are zero.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// The length, before the bytes.
const HEADER_BYTES: usize = size_of::<u32>();

/// The longest content: what keeps the length, and the size class of it, within 32 bits.
pub const BUFFER_BYTES_MAX: usize = (3 << 30) - HEADER_BYTES;

/// Bytes behind one pointer.
#[repr(transparent)]
pub struct Buffer {
    /// The start of the allocation: aligned to 8, of the size class of its header and length.
    start: NonNull<u8>,
}

// SAFETY: a buffer owns its allocation alone, and nothing in it belongs to a thread.
unsafe impl Send for Buffer {}
// SAFETY: through a shared reference the bytes are only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` zeros.
    ///
    /// # Panics
    /// When `len` is above [`BUFFER_BYTES_MAX`].
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let layout = layout(len);
        // SAFETY: the layout is not empty: the header is in it.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let mut buffer = Self { start };
        buffer.set_len(0);
        buffer.zero(0, len);
        buffer.set_len(len);
        buffer
    }

    /// Bytes in the buffer.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        // SAFETY: the header was written when the allocation was made, and `start` is aligned to 8.
        (unsafe { self.start.cast::<u32>().read() }) as usize
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the allocation.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        bytes_of_class(HEADER_BYTES + self.len())
    }

    /// The content.
    #[inline]
    #[must_use]
    pub const fn as_slice(&self) -> &[u8] {
        // SAFETY: the header is within the allocation.
        let bytes = unsafe { self.start.add(HEADER_BYTES) };
        // SAFETY: `len` bytes from there on are within the allocation and initialized, and are
        // borrowed as long as the buffer is.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr(), self.len()) }
    }

    /// The content, to be changed in place.
    #[inline]
    #[must_use]
    pub const fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the header is within the allocation.
        let bytes = unsafe { self.start.add(HEADER_BYTES) };
        // SAFETY: `len` bytes from there on are within the allocation and initialized, and nobody
        // else has them: the buffer is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), self.len()) }
    }

    /// Replaces `removed` bytes from `at` on by `added` bytes, moves what follows, and returns the
    /// added ones, whose content is not specified, to be written.
    ///
    /// # Panics
    /// When the removed bytes are not all there, or the content would be longer than
    /// [`BUFFER_BYTES_MAX`].
    pub fn splice(&mut self, at: usize, removed: usize, added: usize) -> &mut [u8] {
        let len = self.len();
        let tail = at + removed;
        assert!(tail <= len, "only what is there can be removed");
        let new_len = len - removed + added;
        if new_len > len {
            self.reallocate(new_len);
            self.zero(len, new_len);
            self.set_len(new_len);
        }
        if added != removed {
            self.as_mut_slice().copy_within(tail..len, at + added);
        }
        if new_len < len {
            self.reallocate(new_len);
            self.set_len(new_len);
        }
        &mut self.as_mut_slice()[at..at + added]
    }

    /// Gives the allocation the class for `new_len` bytes. The caller sets the length, to something
    /// of the same class, at once.
    fn reallocate(&mut self, new_len: usize) {
        let (old, new) = (layout(self.len()), layout(new_len));
        if old.size() == new.size() {
            return;
        }
        // SAFETY: the allocation was made with `layout(len)`, from this allocator; the new size is
        // not zero, and below `isize::MAX`.
        let moved = unsafe { realloc(self.start.as_ptr(), old, new.size()) };
        let Some(start) = NonNull::new(moved) else { handle_alloc_error(new) };
        self.start = start;
    }

    /// Initializes the bytes from `from` to `to`, which the allocation has room for.
    fn zero(&mut self, from: usize, to: usize) {
        // SAFETY: by the caller, the allocation has room for `to` bytes after the header.
        let first = unsafe { self.start.add(HEADER_BYTES + from) };
        // SAFETY: as above, up to `to`.
        unsafe { first.write_bytes(0, to - from) };
    }

    /// Writes the length into the header.
    fn set_len(&mut self, len: usize) {
        // SAFETY: the header is within the allocation, which is aligned to 8.
        unsafe { self.start.cast::<u32>().write(len as u32) };
    }

    /// The start of the allocation, whose two lowest bits are zero; the buffer is given up.
    pub(super) fn into_raw(self) -> NonNull<u8> {
        let start = self.start;
        std::mem::forget(self);
        start
    }

    /// The buffer that was given up.
    ///
    /// # Safety
    /// `start` came from [`into_raw`](Self::into_raw) and is used nowhere else.
    pub(super) const unsafe fn from_raw(start: NonNull<u8>) -> Self {
        Self { start }
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::zeroed(bytes.len());
        buffer.as_mut_slice().copy_from_slice(bytes);
        buffer
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(self.as_slice())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the allocation was made with `layout(len)`, and nobody uses it after this.
        unsafe { dealloc(self.start.as_ptr(), layout(self.len())) };
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Buffer {}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Buffer({} bytes)", self.len())
    }
}

/// The layout of a buffer of `len` bytes.
fn layout(len: usize) -> Layout {
    assert!(len <= BUFFER_BYTES_MAX, "a buffer of {len} bytes");
    let bytes = bytes_of_class(HEADER_BYTES + len);
    Layout::from_size_align(bytes, align_of::<u64>()).expect("far below isize::MAX")
}

/// The smallest size class of jemalloc that holds `bytes`, at least one: 8, 16, 32, 48, 64, 80, 96,
/// 112, 128, and from there on four to each power of two (160, 192, 224, 256, 320 ...).
#[must_use]
pub const fn bytes_of_class(bytes: usize) -> usize {
    if bytes <= 8 {
        return 8;
    }
    let spacing = if bytes <= 128 { 16 } else { 1 << ((bytes - 1).ilog2() - 2) };
    bytes.next_multiple_of(spacing)
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_BYTES_MAX, Buffer, bytes_of_class};
    use crate::seeded::random;

    #[test]
    fn classes_are_those_of_jemalloc() {
        let classes = [
            8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
            896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192,
            10240,
        ];
        let mut below = 0;
        for class in classes {
            for bytes in below + 1..=class {
                assert_eq!(bytes_of_class(bytes), class, "{bytes}");
            }
            below = class;
        }
    }

    #[test]
    fn splices_agree_with_a_vector() {
        let mut state = 1;
        for _ in 0..if cfg!(miri) { 5 } else { 200 } {
            let mut twin: Vec<u8> = Vec::new();
            let mut buffer = Buffer::zeroed(0);
            for _ in 0..50 {
                let at = random(&mut state) as usize % (twin.len() + 1);
                let removed = random(&mut state) as usize % (twin.len() - at + 1).min(200);
                let added = random(&mut state) as usize % 200;
                let fill = random(&mut state) as u8;
                buffer.splice(at, removed, added).fill(fill);
                twin.splice(at..at + removed, std::iter::repeat_n(fill, added));
                assert_eq!(buffer.as_slice(), twin);
                assert_eq!(buffer.heap_bytes(), bytes_of_class(4 + twin.len()));
                assert_eq!(buffer.clone(), buffer);
            }
        }
    }

    #[test]
    fn is_one_pointer() {
        assert_eq!(size_of::<Buffer>(), 8);
        assert_eq!(size_of::<Option<Buffer>>(), 8);
    }

    #[test]
    #[should_panic(expected = "a buffer of")]
    fn has_an_end() {
        let _ = Buffer::zeroed(BUFFER_BYTES_MAX + 1);
    }

    #[test]
    #[should_panic(expected = "only what is there")]
    fn removes_only_what_is_there() {
        Buffer::zeroed(10).splice(5, 6, 0);
    }
}
