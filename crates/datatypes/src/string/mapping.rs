//! Memory of its own for a long string: it grows and goes without copying a byte.
//!
//! An allocator makes a block of 100 MB larger by copying it, unless what lies behind happens to be
//! free; a mapping is made larger by the kernel, which moves page tables (0.37 ms for 100 MB that
//! must move, against 50 ms and more for copying it; measured 2026-11-21). And the kernel takes the
//! memory back a part at a time, whereas a block is its allocator's until all of it is free.
//!
//! ```text
//!   start              len          grain                          reserved
//!   |------ bytes ------|-- zeros ---|-- addresses without memory ---|
//!                        MEMORY_GRAIN_BYTES       a power of two
//! ```
//!
//! Addresses cost nothing, so the next power of two of them is reserved: a string that grows to
//! 512 MiB by small steps moves nine times in its life, the last time 256 MiB (1 ms).
//!
//! Invariants: what is reserved follows from the length alone; bytes beyond the length are zero,
//! which the kernel sees to. The number of mappings is bounded, because the kernel bounds it for
//! the whole process; beyond, and where the kernel has no addresses, the caller must do without.
//!
//! Under Miri, which has neither `mremap` nor `madvise`, the global allocator plays the kernel.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mappings that exist in the process at most, of the 65,530 that the kernel allows by default
/// (`vm.max_map_count`): the allocator, the table and the threads need the others.
const MAPPINGS_MAX: usize = 16_384;

/// Memory is accounted in these steps: a multiple of every page size that Linux has (4, 16, 64
/// KiB).
const MEMORY_GRAIN_BYTES: usize = 64 << 10;

/// The least that is reserved.
const RESERVED_BYTES_MIN: usize = 2 << 20;

/// Mappings that exist, and the memory that they may have. No memory is published by them: relaxed.
static MAPPINGS: AtomicUsize = AtomicUsize::new(0);
static MAPPED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory in the mappings of all long strings of the process: memory that the allocator
/// knows nothing of. O(1).
#[must_use]
pub fn mapped_bytes() -> usize {
    MAPPED_BYTES.load(Ordering::Relaxed)
}

/// Bytes in a mapping. See the essay.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The start of a mapping of `reserved(len)` bytes that is ours alone.
    start: NonNull<u8>,
    /// Bytes in use; the ones from here to the end of the mapping are zero.
    len: usize,
}

// SAFETY: a mapping is owned by one value, like the heap block of a vector, and is the process'.
unsafe impl Send for Mapping {}
// SAFETY: as for a vector: `&Mapping` gives out `&[u8]` only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `len` zeros, without memory until they are touched. `None`: there are too many mappings, or
    /// no addresses left.
    pub(super) fn zeroed(len: usize) -> Option<Self> {
        let bytes = reserved(len)?;
        if MAPPINGS.fetch_add(1, Ordering::Relaxed) >= MAPPINGS_MAX {
            MAPPINGS.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let Some(start) = system::map(bytes) else {
            MAPPINGS.fetch_sub(1, Ordering::Relaxed);
            return None;
        };
        MAPPED_BYTES.fetch_add(memory(len), Ordering::Relaxed);
        Some(Self { start, len })
    }

    /// Bytes in use.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Memory that it may have.
    pub(super) const fn memory_bytes(&self) -> usize {
        memory(self.len)
    }

    /// The bytes.
    pub(super) const fn as_slice(&self) -> &[u8] {
        // SAFETY: the mapping is ours, readable, and longer than `len`; all bytes have a value
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes, to be changed.
    pub(super) const fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, writable, and borrowed mutably from its only owner
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Makes it `len` bytes long, at least as long as it is; new bytes are zero. False: there are
    /// no addresses for it, and nothing has changed.
    #[must_use = "without addresses the bytes must go elsewhere"]
    pub(super) fn extend(&mut self, len: usize) -> bool {
        debug_assert!(len >= self.len, "a mapping is extended");
        let Some(bytes) = reserved(len) else { return false };
        if !self.reserve(bytes) {
            return false;
        }
        let before = memory(self.len);
        self.len = len;
        MAPPED_BYTES.fetch_add(memory(len) - before, Ordering::Relaxed);
        true
    }

    /// Makes it `len` bytes long, rounded up to a whole [`MEMORY_GRAIN_BYTES`], where that is less
    /// than it is, and gives the memory behind back. O(memory given back).
    pub(super) fn shrink(&mut self, len: usize) {
        let len = memory(len);
        if len >= self.len {
            return;
        }
        let before = memory(self.len);
        // SAFETY: `len` is less than the mapping's length: the sum stays inside of it.
        let behind = unsafe { self.start.add(len) };
        // SAFETY: `len` is a whole number of grains, hence of pages, and `before` lies inside the
        // mapping, whose reserved bytes are a multiple of the grain.
        unsafe { system::forget(behind, before - len) };
        let reserved_before = self.reserved();
        self.len = len;
        MAPPED_BYTES.fetch_sub(before - len, Ordering::Relaxed);
        let bytes = self.reserved();
        if bytes < reserved_before {
            // SAFETY: the mapping is ours and has `reserved_before` bytes; none beyond `bytes` is
            // in use, since `len <= bytes`.
            let kept = unsafe { system::resize(self.start, reserved_before, bytes) };
            self.start = kept.expect("a mapping that gets smaller needs no addresses");
        }
    }

    /// Makes the mapping `bytes` long, if it is shorter, wherever there is room.
    fn reserve(&mut self, bytes: usize) -> bool {
        let before = self.reserved();
        if bytes <= before {
            return true;
        }
        // SAFETY: the mapping is ours and has `before` bytes; nobody borrows it during `&mut self`.
        match unsafe { system::resize(self.start, before, bytes) } {
            Some(start) => {
                self.start = start;
                true
            }
            None => false,
        }
    }

    /// Bytes of the mapping.
    fn reserved(&self) -> usize {
        reserved(self.len).expect("this length was reserved before")
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, has so many bytes, and nobody borrows what is dropped.
        unsafe { system::unmap(self.start, self.reserved()) };
        MAPPINGS.fetch_sub(1, Ordering::Relaxed);
        MAPPED_BYTES.fetch_sub(self.memory_bytes(), Ordering::Relaxed);
    }
}

/// Gives back the memory behind the spare capacity of `bytes`, up to where it was used: the whole
/// grains of it. What is spare has no value before and after. A vector that is to be freed costs
/// its allocator no more than the walk over its addresses then.
pub(super) fn forget_spare(bytes: &mut Vec<u8>, used: usize) {
    let at = bytes.as_ptr().addr();
    let first = (at + bytes.len()).next_multiple_of(MEMORY_GRAIN_BYTES) - at;
    let end = whole_grains(bytes.as_ptr(), used.min(bytes.capacity()));
    if first >= end {
        return;
    }
    let Some(start) = NonNull::new(bytes.as_mut_ptr()) else { return };
    // SAFETY: `first < end <= capacity`: inside of what the vector has.
    let start = unsafe { start.add(first) };
    // SAFETY: both ends are whole grains, hence whole pages, of the vector's memory, and beyond its
    // length, so nobody borrows them.
    unsafe { system::forget(start, end - first) };
}

/// The most of `len` bytes from `start` on that end with a whole grain; 0 if there are none.
pub(super) fn whole_grains(start: *const u8, len: usize) -> usize {
    let end = start.addr() + len;
    (end - end % MEMORY_GRAIN_BYTES).saturating_sub(start.addr())
}

/// Addresses for `len` bytes; `None` where there are not that many.
fn reserved(len: usize) -> Option<usize> {
    let bytes = len.max(RESERVED_BYTES_MIN).checked_next_power_of_two()?;
    (bytes <= isize::MAX as usize).then_some(bytes)
}

/// Memory behind `len` bytes, all touched.
const fn memory(len: usize) -> usize {
    len.next_multiple_of(MEMORY_GRAIN_BYTES)
}

#[cfg(not(miri))]
mod system {
    use std::ptr::{NonNull, null_mut};

    /// Maps `bytes` of zeros.
    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of
        // ours.
        let mapped = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED { None } else { NonNull::new(mapped.cast()) }
    }

    /// Makes a mapping longer, elsewhere if need be, or shorter, where it is.
    ///
    /// # Safety
    /// - `start` is a mapping of `map` or `resize` that is `before` bytes long
    /// - nobody uses it under its old address, or bytes beyond `after`, afterwards (if this
    ///   succeeds)
    pub(super) unsafe fn resize(
        start: NonNull<u8>,
        before: usize,
        after: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: by contract; the kernel moves all of the mapping or leaves all as it is.
        let mapped =
            unsafe { libc::mremap(start.as_ptr().cast(), before, after, libc::MREMAP_MAYMOVE) };
        if mapped == libc::MAP_FAILED { None } else { NonNull::new(mapped.cast()) }
    }

    /// Gives the memory of some pages back; they read as zeros afterwards.
    ///
    /// # Safety
    /// These are whole pages of a live mapping, and nobody borrows them.
    pub(super) unsafe fn forget(start: NonNull<u8>, bytes: usize) {
        // SAFETY: by contract, the range is ours.
        let outcome = unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
        if outcome != 0 {
            // Locked memory (mlockall) cannot be given back; zeros it must have all the same.
            // SAFETY: by contract, the range is ours, and writable.
            unsafe { start.as_ptr().write_bytes(0, bytes) };
        }
    }

    /// Unmaps.
    ///
    /// # Safety
    /// `start` is a mapping of `map` or `resize`, `bytes` long, that nobody uses afterwards.
    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: by contract.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }
}

#[cfg(miri)]
mod system {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 64 << 10).expect("reserved bytes fit an isize")
    }

    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)) })
    }

    pub(super) unsafe fn resize(
        start: NonNull<u8>,
        before: usize,
        after: usize,
    ) -> Option<NonNull<u8>> {
        let moved = map(after)?;
        // SAFETY: both blocks are live, apart, and at least so long.
        unsafe { start.copy_to_nonoverlapping(moved, before.min(after)) };
        // SAFETY: by contract nobody uses the old block any more.
        unsafe { unmap(start, before) };
        Some(moved)
    }

    pub(super) unsafe fn forget(start: NonNull<u8>, bytes: usize) {
        // SAFETY: by contract, the range is ours.
        unsafe { start.as_ptr().write_bytes(0, bytes) };
    }

    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: by contract the block came from `map` or `resize`, hence from `alloc_zeroed`.
        unsafe { dealloc(start.as_ptr(), layout(bytes)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(len: usize) -> Mapping {
        Mapping::zeroed(len).expect("there are addresses")
    }

    #[test]
    fn bytes_survive_growth_and_new_ones_are_zero() {
        let mut mapping = mapping(RESERVED_BYTES_MIN - 1);
        assert!(mapping.as_slice().iter().all(|byte| *byte == 0));
        mapping.as_mut_slice().fill(7);
        assert!(mapping.extend(2 * RESERVED_BYTES_MIN + 1));
        let (old, new) = mapping.as_slice().split_at(RESERVED_BYTES_MIN - 1);
        assert!(old.iter().all(|byte| *byte == 7));
        assert!(new.iter().all(|byte| *byte == 0));
        assert_eq!(new.len(), RESERVED_BYTES_MIN + 2);
    }

    #[test]
    fn what_was_given_back_is_zero_when_it_comes_again() {
        let len = 2 * RESERVED_BYTES_MIN + 100;
        let mut mapping = mapping(len);
        mapping.as_mut_slice().fill(7);
        mapping.shrink(MEMORY_GRAIN_BYTES - 1);
        assert_eq!(mapping.len(), MEMORY_GRAIN_BYTES);
        assert_eq!(mapping.memory_bytes(), MEMORY_GRAIN_BYTES);
        assert!(mapping.extend(len));
        let (old, new) = mapping.as_slice().split_at(MEMORY_GRAIN_BYTES);
        assert!(old.iter().all(|byte| *byte == 7));
        assert!(new.iter().all(|byte| *byte == 0));
        mapping.shrink(len);
        assert_eq!(mapping.len(), len, "nothing to give back");
    }

    #[test]
    fn memory_is_counted() {
        // other tests have mappings at the same time, and far smaller ones
        const HUGE: usize = 1 << 36;
        let Some(mut huge) = Mapping::zeroed(HUGE).filter(|_| !cfg!(miri)) else { return };
        assert!(mapped_bytes() >= HUGE);
        huge.shrink(HUGE / 4);
        assert!((HUGE / 4..HUGE / 2).contains(&mapped_bytes()));
        drop(huge);
        assert!(mapped_bytes() < HUGE / 4);
    }

    #[test]
    fn what_a_vector_does_not_use_is_given_back() {
        const GRAINS: usize = 5;
        let len = GRAINS * MEMORY_GRAIN_BYTES;
        let mut bytes = vec![7_u8; len];
        let kept = whole_grains(bytes.as_ptr(), 2 * MEMORY_GRAIN_BYTES);
        assert!(kept > MEMORY_GRAIN_BYTES && kept <= 2 * MEMORY_GRAIN_BYTES);
        bytes.truncate(kept);
        forget_spare(&mut bytes, len);
        assert!(bytes.iter().all(|byte| *byte == 7) && bytes.capacity() >= len);
        // the vector can be used on
        bytes.resize(len, 8);
        assert!(bytes[..kept].iter().all(|byte| *byte == 7));
        assert!(bytes[kept..].iter().all(|byte| *byte == 8));
        // less than a grain is nothing to give back
        bytes.truncate(len - 1);
        forget_spare(&mut bytes, len);
        assert_eq!(whole_grains(std::ptr::without_provenance(1), 10), 0);
    }

    #[test]
    fn lengths_without_addresses_are_refused() {
        assert_eq!(reserved(usize::MAX), None);
        assert_eq!(reserved(1 << 62), Some(1 << 62));
        assert_eq!(reserved((1 << 62) + 1), None);
        if cfg!(miri) {
            return; // it gives up where a kernel refuses
        }
        assert!(Mapping::zeroed(1 << 60).is_none(), "more than any processor addresses");
        let mut mapping = mapping(10);
        mapping.as_mut_slice().fill(7);
        assert!(!mapping.extend(1 << 60));
        assert_eq!(mapping.as_slice(), [7; 10]);
    }
}
