//! Where slabs come from: 64 KiB pieces of the address space, aligned to 64 KiB.
//!
//! Pieces are cut from chunks of 1 MiB that are mapped once and stay mapped until the source is
//! dropped or taken apart chunk by chunk. A piece that is given back keeps its addresses and loses
//! its memory (`MADV_DONTNEED`): resident memory falls at once, no mapping is split (the kernel
//! allows 65,530 of them), and the next use of the piece faults in zeroed pages one by one, so a
//! fresh slab costs 4 KiB of memory and not 64.
//!
//! Under Miri, which has no `madvise`, the global allocator plays the kernel.

use std::ptr::NonNull;

/// Bytes of a slab, and its alignment: the slab of a record is found by masking its address.
pub(crate) const SLAB_BYTES: usize = 64 * 1024;

/// Bytes mapped at a time. Small enough that unmapping one (256 pages of 4 KiB at 0.4 us each, 0.11
/// ms) fits a slice of background work; large enough that mapping is rare.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// The source of slabs of one table.
pub(crate) struct Pages {
    /// Chunks mapped, each `CHUNK_BYTES` long and aligned to `SLAB_BYTES`.
    chunks: Vec<NonNull<u8>>,
    /// Pieces in no one's hands, without memory behind them.
    free: Vec<NonNull<u8>>,
}

impl Pages {
    /// A source that holds nothing.
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    /// A piece of `SLAB_BYTES`, aligned to as much, that nobody else holds. Its content is
    /// readable but means nothing. Aborts the process if the system has no memory.
    pub(crate) fn take(&mut self) -> NonNull<u8> {
        if self.free.is_empty() {
            let chunk = system::map();
            self.chunks.push(chunk);
            // From the last to the first, so that pieces are handed out by rising address.
            for offset in (0..CHUNK_BYTES).step_by(SLAB_BYTES).rev() {
                // SAFETY: offset < CHUNK_BYTES, so the piece lies inside the chunk just mapped.
                self.free.push(unsafe { chunk.add(offset) });
            }
        }
        self.free.pop().expect("a chunk was just cut into pieces")
    }

    /// Takes back a piece and gives its memory to the system.
    ///
    /// # Safety
    /// `piece` came from `take` of this source, is given back once, and is not used afterwards.
    pub(crate) unsafe fn give_back(&mut self, piece: NonNull<u8>) {
        // SAFETY: the piece is inside a chunk of ours and, by contract, nobody uses it.
        unsafe { system::forget(piece) };
        self.free.push(piece);
    }

    /// Unmaps one chunk; false if there is none.
    ///
    /// # Safety
    /// Nothing in any piece of this source is used afterwards, and `take` is not called before
    /// this answered false.
    pub(crate) unsafe fn unmap_one(&mut self) -> bool {
        let Some(chunk) = self.chunks.pop() else { return false };
        self.free = Vec::new();
        // SAFETY: the chunk was mapped by `system::map` and is no longer listed; nobody uses it.
        unsafe { system::unmap(chunk) };
        true
    }

    /// Bytes of pieces that are in someone's hands.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK_BYTES - self.free.len() * SLAB_BYTES
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the owner is being dropped with us; no piece is used after this.
        while unsafe { self.unmap_one() } {}
    }
}

#[cfg(not(miri))]
mod system {
    use super::{CHUNK_BYTES, NonNull, SLAB_BYTES};
    use std::alloc::{Layout, handle_alloc_error};
    use std::ptr::null_mut;

    /// Maps a chunk: a little more than needed, whose unaligned ends are unmapped again.
    pub(super) fn map() -> NonNull<u8> {
        let mapped_bytes = CHUNK_BYTES + SLAB_BYTES;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of
        // ours.
        let mapped = unsafe { libc::mmap(null_mut(), mapped_bytes, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            handle_alloc_error(Layout::new::<[u8; CHUNK_BYTES]>());
        }
        let skip = mapped.cast::<u8>().align_offset(SLAB_BYTES);
        debug_assert!(skip < SLAB_BYTES);
        // SAFETY: skip < SLAB_BYTES, inside the mapping.
        let chunk = unsafe { mapped.add(skip) };
        if skip > 0 {
            // SAFETY: the pages before the chunk are ours, whole pages, and hold nothing.
            unsafe { libc::munmap(mapped, skip) };
        }
        // SAFETY: the chunk ends at most SLAB_BYTES before the end of the mapping.
        let tail = unsafe { chunk.add(CHUNK_BYTES) };
        // SAFETY: the pages after the chunk are ours, whole pages, and hold nothing.
        unsafe { libc::munmap(tail, SLAB_BYTES - skip) };
        NonNull::new(chunk.cast()).expect("the kernel never maps page zero unasked")
    }

    /// Drops the memory behind a piece.
    ///
    /// # Safety
    /// `piece` is `SLAB_BYTES` of a live chunk, unused.
    pub(super) unsafe fn forget(piece: NonNull<u8>) {
        // SAFETY: by contract the range is ours and its content is not needed. A failure (which the
        // kernel does not report for private anonymous memory) would only keep the memory.
        unsafe { libc::madvise(piece.as_ptr().cast(), SLAB_BYTES, libc::MADV_DONTNEED) };
    }

    /// Unmaps a chunk.
    ///
    /// # Safety
    /// `chunk` came from `map`, and nothing in it is used afterwards.
    pub(super) unsafe fn unmap(chunk: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { libc::munmap(chunk.as_ptr().cast(), CHUNK_BYTES) };
    }
}

#[cfg(miri)]
mod system {
    use super::{CHUNK_BYTES, NonNull, SLAB_BYTES};
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    fn layout() -> Layout {
        Layout::from_size_align(CHUNK_BYTES, SLAB_BYTES).expect("a chunk is a valid layout")
    }

    pub(super) fn map() -> NonNull<u8> {
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc_zeroed(layout()) }).expect("Miri has memory")
    }

    pub(super) unsafe fn forget(_piece: NonNull<u8>) {}

    pub(super) unsafe fn unmap(chunk: NonNull<u8>) {
        // SAFETY: by contract the chunk came from `map`, hence from `alloc_zeroed(layout())`.
        unsafe { dealloc(chunk.as_ptr(), layout()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_and_apart() {
        let mut pages = Pages::new();
        let mut pieces: Vec<_> = (0..40).map(|_| pages.take()).collect();
        assert_eq!(pages.bytes(), 40 * SLAB_BYTES);
        pieces.sort();
        assert!(pieces.iter().all(|piece| piece.as_ptr().addr().is_multiple_of(SLAB_BYTES)));
        assert!(pieces.windows(2).all(|w| w[1].addr().get() - w[0].addr().get() >= SLAB_BYTES));
        for piece in pieces {
            // SAFETY: the piece is ours and given back once.
            unsafe { pages.give_back(piece) };
        }
        assert_eq!(pages.bytes(), 0);
    }

    #[test]
    fn a_piece_given_back_is_handed_out_again() {
        let mut pages = Pages::new();
        let piece = pages.take();
        // SAFETY: the piece is ours and given back once.
        unsafe { pages.give_back(piece) };
        assert_eq!(pages.take(), piece);
    }
}
