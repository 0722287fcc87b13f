//! Memory for records: slabs for the small, the global allocator for the large.
//!
//! Sizes are deterministic: [`class_bytes`] of a record's length *is* its allocation, so no record
//! stores its capacity. Above the slabs the classes are the quarters of a power of two (1280, 1536,
//! 1792, 2048, 2560 ...), which are jemalloc's, so nothing is wasted twice, and a value that grows
//! by small appends moves once in a quarter of its length.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::slab::{SLAB_OBJECT_BYTES_MAX, Slabs, UNIT};

/// Allocates and frees by size class, and counts.
pub(crate) struct Heap {
    slabs: Slabs,
    /// Bytes of allocations above `SLAB_OBJECT_BYTES_MAX`.
    large_bytes: usize,
}

/// Bytes that are allocated for a record of `bytes`. At least `bytes`, and a fixpoint.
#[inline]
pub(crate) fn class_bytes(bytes: usize) -> usize {
    if bytes <= SLAB_OBJECT_BYTES_MAX {
        bytes.next_multiple_of(UNIT)
    } else {
        // The power of two below, in quarters: 1025..=1280 in steps of 256, and so on.
        let step = 1_usize << ((bytes - 1).ilog2() - 2);
        bytes.next_multiple_of(step)
    }
}

/// Whether a class lives outside the slabs.
#[inline]
pub(crate) fn is_large(class_bytes: usize) -> bool {
    class_bytes > SLAB_OBJECT_BYTES_MAX
}

impl Heap {
    /// An empty heap.
    pub(crate) fn new() -> Self {
        Self { slabs: Slabs::new(), large_bytes: 0 }
    }

    /// Memory of exactly `bytes`, which must be a class, aligned to 8.
    #[inline]
    pub(crate) fn allocate(&mut self, bytes: usize) -> NonNull<u8> {
        debug_assert_eq!(class_bytes(bytes), bytes);
        if is_large(bytes) { self.allocate_large(bytes) } else { self.slabs.allocate(bytes) }
    }

    /// Frees what `allocate(bytes)` gave.
    ///
    /// # Safety
    /// `memory` came from `allocate(bytes)` of this heap with the same `bytes`, is freed once, and
    /// is not used afterwards.
    #[inline]
    pub(crate) unsafe fn free(&mut self, memory: NonNull<u8>, bytes: usize) {
        if is_large(bytes) {
            self.large_bytes -= bytes;
            // SAFETY: by contract it came from `allocate_large`, so from `alloc` with this layout.
            unsafe { dealloc(memory.as_ptr(), large_layout(bytes)) };
        } else {
            // SAFETY: by contract it came from the slabs, with this size.
            unsafe { self.slabs.free(memory, bytes) };
        }
    }

    /// The slabs, for compaction and teardown.
    pub(crate) fn slabs_mut(&mut self) -> &mut Slabs {
        &mut self.slabs
    }

    /// Whether slabs hold much room that is not used.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.slabs.is_wasteful()
    }

    /// Bytes of what is allocated, rounded to classes.
    pub(crate) fn bytes_used(&self) -> usize {
        self.slabs.bytes_used() + self.large_bytes
    }

    /// Of [`Heap::bytes_used`], what does not come from the global allocator.
    pub(crate) fn bytes_mapped(&self) -> usize {
        self.slabs.bytes_used()
    }

    /// Bytes held from the system.
    pub(crate) fn bytes_reserved(&self) -> usize {
        self.slabs.bytes_reserved() + self.large_bytes
    }

    #[cold]
    fn allocate_large(&mut self, bytes: usize) -> NonNull<u8> {
        let layout = large_layout(bytes);
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        self.large_bytes += bytes;
        memory
    }
}

fn large_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, UNIT).expect("a record is far shorter than the address space")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::next_random;

    #[test]
    fn classes_are_fixpoints_and_waste_little() {
        for bytes in (1..200_000).step_by(if cfg!(miri) { 61 } else { 1 }) {
            let class = class_bytes(bytes);
            assert!(class >= bytes && class_bytes(class) == class, "{bytes} {class}");
            assert!(class.is_multiple_of(UNIT));
            assert!(class - bytes < UNIT || class - bytes <= bytes / 4, "{bytes} {class}");
        }
        assert_eq!(class_bytes(279), 280);
        assert_eq!(class_bytes(1025), 1280);
        assert_eq!(class_bytes(2049), 2560);
    }

    /// Random allocation and freeing: what was written is still there, so nothing overlaps.
    #[test]
    fn objects_never_overlap() {
        let rounds = if cfg!(miri) { 2_000 } else { 200_000 };
        let (mut heap, mut state) = (Heap::new(), 11);
        let mut held: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        for _ in 0..rounds {
            let random = next_random(&mut state);
            if random.is_multiple_of(3) && !held.is_empty() {
                let (memory, bytes, mark) = held.swap_remove((random >> 8) as usize % held.len());
                // SAFETY: the memory is live and was filled when it was allocated.
                let content = unsafe { std::slice::from_raw_parts(memory.as_ptr(), bytes) };
                assert_eq!(content, vec![mark; bytes]);
                // SAFETY: allocated below with this size, freed once.
                unsafe { heap.free(memory, bytes) };
            } else {
                let bytes = class_bytes(1 + (random >> 8) as usize % 1500);
                let memory = heap.allocate(bytes);
                assert!(memory.addr().get().is_multiple_of(UNIT));
                let mark = random as u8;
                // SAFETY: `bytes` were just allocated here.
                unsafe { memory.write_bytes(mark, bytes) };
                held.push((memory, bytes, mark));
            }
            assert_eq!(heap.bytes_used() == 0, held.is_empty());
        }
        for (memory, bytes, _) in held {
            // SAFETY: as above.
            unsafe { heap.free(memory, bytes) };
        }
        assert_eq!(heap.bytes_used(), 0);
        assert!(heap.bytes_reserved() > crate::pages::SLAB_BYTES);
        while heap.slabs_mut().give_back(1) {}
        assert!(heap.bytes_reserved() <= crate::pages::SLAB_BYTES);
    }
}
