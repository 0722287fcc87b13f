//! The ring of provided buffers that multishot receives fill.
//!
//! ```text
//! mapping 1: [entry 0 | entry 1 | ... ]   16 bytes each, shared with the kernel; the tail (u16)
//!                                         lies in the reserved field of entry 0
//! mapping 2: [buffer 0 | buffer 1 | ... ] the bytes, touched (and so resident) only as they are
//!                                         used
//! ```
//! A buffer is either in the kernel's hands (offered) or in ours (named by a completion and not yet
//! offered again): never in both. `held` counts ours, so that a double offer is caught in debug.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::ring::ReceivedBuffer;

pub(crate) struct Buffers {
    entries: Mapping,
    bytes: Mapping,
    count: u16,
    buffer_bytes: usize,
    /// Our copy of the tail: only this thread moves it.
    tail: u16,
}

impl Buffers {
    pub(crate) fn new(count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "the kernel masks positions with count - 1");
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let bytes = Mapping::new(usize::from(count) * buffer_bytes)?;
        Ok(Self { entries, bytes, count, buffer_bytes, tail: 0 })
    }

    pub(crate) fn ring_address(&self) -> u64 {
        self.entries.start.as_ptr() as u64
    }

    pub(crate) fn offer_all(&mut self) {
        for number in 0..self.count {
            self.place(number);
        }
        self.publish();
    }

    pub(crate) fn offer(&mut self, buffer: ReceivedBuffer) {
        self.place(buffer.number);
        self.publish();
    }

    pub(crate) fn bytes(&self, buffer: ReceivedBuffer) -> &[u8] {
        assert!(buffer.number < self.count, "a buffer number comes from the kernel's completion");
        let length = (buffer.length as usize).min(self.buffer_bytes);
        let offset = usize::from(buffer.number) * self.buffer_bytes;
        // SAFETY: offset is within the mapping: number < count.
        let start = unsafe { self.bytes.start.as_ptr().add(offset) };
        // SAFETY:
        // - offset + length is within the mapping: length <= buffer_bytes;
        // - the memory is initialised: an anonymous mapping is zeroed, and the kernel wrote to it;
        // - the buffer is ours until it is offered, which takes &mut self, so nobody writes to it
        //   while this borrow lives.
        unsafe { std::slice::from_raw_parts(start, length) }
    }

    fn place(&mut self, number: u16) {
        let at = usize::from(self.tail & (self.count - 1));
        let address =
            self.bytes.start.as_ptr() as u64 + (usize::from(number) * self.buffer_bytes) as u64;
        // SAFETY: `at` < count, so the entry is within the mapping.
        let entry = unsafe { self.entries.start.as_ptr().cast::<BufRingEntry>().add(at) };
        // SAFETY: the mapping is page-aligned; entries are plain integers, valid in their zeroed
        // state; the kernel reads an entry only after the tail was published past it, so nobody
        // else uses it now.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the mapping starts with entry 0, initialised (zeroed), whose reserved field is
        // the tail by the kernel's definition.
        let tail = unsafe { BufRingEntry::tail(self.entries.start.as_ptr().cast()) };
        // SAFETY: the tail is an aligned u16 in our mapping, alive as long as `self`; the kernel
        // only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: entries are visible before the tail that covers them.
        tail.store(self.tail, Ordering::Release);
    }
}

/// An anonymous private mapping, given back when dropped.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(length: usize) -> io::Result<Self> {
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no
        // existing memory.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `length` are what mmap gave, unmapped only here. The ring that used
        // it was dropped before (see `Ring`).
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
