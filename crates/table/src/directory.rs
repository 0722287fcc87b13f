//! The directory and its segments: which buckets a hash belongs to.
//!
//! The space of positions (48 bits) is divided into segments by their top bits, as extendible
//! hashing does it: a segment of depth `d` covers the positions that share `d` top bits, and
//! `2^(depth - d)` neighbouring entries of the directory lead to it. Inside a segment the
//! remaining bits choose the bucket by multiplication (`local * count >> 48`), so that a segment
//! may have any number of buckets and the buckets, too, are in the order of positions:
//!
//! ```text
//! position  0 ............................................................ 2^48
//! directory | 00       | 01       | 10                  (depth 2; 10 and 11 share)
//! segment   | 40 buckets | 48 buckets | 448 buckets                           |
//! ```
//!
//! A record whose home bucket is full lives in the next bucket with room (from the last, the
//! first), and each bucket that it passed counts it. Thus a *place* is not quite in order, but a
//! *home* is: whoever walks by homes walks in the order of positions, whatever grew or shrank in
//! the meantime. Scans and snapshots rest on this and on nothing else.
//!
//! Invariants: entries that lead to one segment are equal but for the counts, which only the first
//! of them (the *owner*) keeps; `depth` of no segment exceeds the directory's.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::bucket::{Bucket, SLOTS, Slot};
use crate::hash::{Hash, POSITION_BITS, POSITION_END};

/// One entry: where the buckets are, and, in the owner, what they hold.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    buckets: NonNull<Bucket>,
    /// Buckets, at least 1.
    count: u16,
    /// Records (owner only).
    pub(crate) len: u16,
    /// Records with an expiry (owner only).
    pub(crate) expiring: u16,
    depth: u8,
}

// Four entries a cache line: 10 M keys need 256 KiB of directory.
const _: () = assert!(size_of::<Segment>() == 16);

/// Where a record is: its segment's owner entry, its bucket and slot there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: usize,
    pub(crate) bucket: usize,
    pub(crate) slot: usize,
}

impl Segment {
    /// A segment with `count` empty buckets. `count` is in `1..=u16::MAX / SLOTS`.
    pub(crate) fn allocate(count: usize, depth: u32) -> Self {
        assert!((1..=usize::from(u16::MAX) / SLOTS).contains(&count));
        let layout = buckets_layout(count);
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        let buckets = memory.cast::<Bucket>();
        for index in 0..count {
            // SAFETY: index < count, so this is inside the allocation.
            let bucket = unsafe { buckets.add(index) };
            // SAFETY: allocated for a bucket, and aligned to one.
            unsafe { bucket.write(Bucket::EMPTY) };
        }
        Self { buckets, count: count as u16, len: 0, expiring: 0, depth: depth as u8 }
    }

    /// Frees the buckets; records in them are forgotten.
    ///
    /// # Safety
    /// No copy of this entry is used afterwards.
    pub(crate) unsafe fn free(self) {
        let layout = buckets_layout(self.count());
        // SAFETY: allocated by `allocate` with this layout; by contract freed once.
        unsafe { dealloc(self.buckets.as_ptr().cast(), layout) };
    }

    /// Buckets.
    #[inline]
    pub(crate) fn count(self) -> usize {
        usize::from(self.count)
    }

    /// Bits of the position that all records of the segment share.
    #[inline]
    pub(crate) fn depth(self) -> u32 {
        u32::from(self.depth)
    }

    /// The buckets.
    #[inline]
    pub(crate) fn buckets(&self) -> &[Bucket] {
        // SAFETY: `count` initialised buckets live there as long as the directory has this entry,
        // and whoever changes them holds the directory, which this borrow is from, exclusively.
        unsafe { std::slice::from_raw_parts(self.buckets.as_ptr(), self.count()) }
    }

    /// The buckets, to change.
    #[inline]
    pub(crate) fn buckets_mut(&mut self) -> &mut [Bucket] {
        // SAFETY: as for `buckets`; entries that share a segment are not borrowed at once, because
        // they are reached through the directory.
        unsafe { std::slice::from_raw_parts_mut(self.buckets.as_ptr(), self.count()) }
    }

    /// Address of a bucket, for prefetching.
    #[inline]
    pub(crate) fn bucket_address(self, position: u64) -> *const u8 {
        self.buckets.as_ptr().wrapping_add(self.home(position)).cast::<u8>().cast_const()
    }

    /// The home of a position that belongs to this segment. Rises with the position.
    #[inline]
    pub(crate) fn home(self, position: u64) -> usize {
        // local < 2^48 and count < 2^13: no overflow.
        let local = (position << self.depth) & (POSITION_END - 1);
        ((local * u64::from(self.count)) >> POSITION_BITS) as usize
    }

    /// The first position of the segment that `position` belongs to.
    #[inline]
    pub(crate) fn start(self, position: u64) -> u64 {
        position & !(self.span() - 1)
    }

    /// Positions that the segment covers.
    #[inline]
    pub(crate) fn span(self) -> u64 {
        POSITION_END >> self.depth
    }

    /// The first position behind those whose home is `bucket`, where `start` is the segment's own.
    #[inline]
    pub(crate) fn end_of_bucket(self, start: u64, bucket: usize) -> u64 {
        // home(p) >= bucket + 1  <=>  local(p) >= ceil((bucket + 1) * 2^48 / count), and local
        // positions are multiples of 2^depth.
        let local = ((bucket as u64 + 1) << POSITION_BITS).div_ceil(u64::from(self.count));
        start + local.div_ceil(1 << self.depth)
    }

    /// Puts a record into the first bucket with room from its home on. There is room.
    #[inline]
    pub(crate) fn place(&mut self, hash: Hash, content: Slot) -> (usize, usize) {
        debug_assert!(usize::from(self.len) < self.count() * SLOTS);
        let home = self.home(hash.position());
        self.len += 1;
        self.expiring += u16::from(content.is_expiring());
        let buckets = self.buckets_mut();
        let mut index = home;
        loop {
            let bucket = &mut buckets[index];
            if let Some(slot) = bucket.empty().next() {
                bucket.put(slot, hash.fingerprint(), content);
                return (index, slot);
            }
            bucket.pass();
            index = if index + 1 == buckets.len() { 0 } else { index + 1 };
        }
    }

    /// Empties a slot that holds a record with this position.
    #[inline]
    pub(crate) fn displace(&mut self, position: u64, bucket: usize, slot: usize) {
        let home = self.home(position);
        self.len -= 1;
        let buckets = self.buckets_mut();
        let expiring = buckets[bucket].slot(slot).is_expiring();
        buckets[bucket].clear(slot);
        let mut index = home;
        while index != bucket {
            buckets[index].unpass();
            index = if index + 1 == buckets.len() { 0 } else { index + 1 };
        }
        self.expiring -= u16::from(expiring);
    }
}

fn buckets_layout(count: usize) -> Layout {
    Layout::array::<Bucket>(count).expect("a segment is far smaller than the address space")
}

/// The segments of one table.
pub(crate) struct Directory {
    /// Empty, or `1 << depth` entries.
    entries: Vec<Segment>,
    depth: u32,
    /// Buckets of all segments.
    buckets: usize,
}

impl Directory {
    /// A directory without segments.
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), depth: 0, buckets: 0 }
    }

    /// The entry that `position` belongs to (not necessarily the owner).
    #[inline]
    pub(crate) fn get(&self, position: u64) -> Option<&Segment> {
        self.entries.get((position >> (POSITION_BITS - self.depth)) as usize)
    }

    /// The number of the owner entry that `position` belongs to.
    #[inline]
    pub(crate) fn owner(&self, position: u64) -> Option<usize> {
        let segment = self.get(position)?;
        Some((segment.start(position) >> (POSITION_BITS - self.depth)) as usize)
    }

    /// An entry by number.
    #[inline]
    pub(crate) fn entry(&self, number: usize) -> &Segment {
        &self.entries[number]
    }

    /// An entry by number, to change. Counts are to be changed in owners only.
    #[inline]
    pub(crate) fn entry_mut(&mut self, number: usize) -> &mut Segment {
        &mut self.entries[number]
    }

    /// Entries.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether entry `number` is the owner of its segment.
    #[inline]
    pub(crate) fn is_owner(&self, number: usize) -> bool {
        number.is_multiple_of(1 << (self.depth - self.entries[number].depth()))
    }

    /// Bits that choose an entry.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// Buckets of all segments.
    #[inline]
    pub(crate) fn buckets(&self) -> usize {
        self.buckets
    }

    /// Bytes of buckets and entries.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets * size_of::<Bucket>() + self.entries.capacity() * size_of::<Segment>()
    }

    /// Puts the first segment into an empty directory.
    pub(crate) fn begin(&mut self, segment: Segment) {
        assert!(self.entries.is_empty() && segment.depth() == 0);
        self.depth = 0;
        self.buckets = segment.count();
        self.entries.push(segment);
    }

    /// Puts `new` in the place of the segments that cover its positions from `start` on, and frees
    /// their buckets. `new` is as deep as they are or shallower, or the only half of a pair that is
    /// replaced by two calls (see `split`). Records are the caller's business.
    pub(crate) fn replace(&mut self, start: u64, new: Segment) {
        let first = (start >> (POSITION_BITS - self.depth)) as usize;
        let count = 1 << (self.depth - new.depth());
        let mut number = first;
        while number < first + count {
            let old = self.entries[number];
            self.buckets -= old.count();
            number += 1 << (self.depth - old.depth());
            // SAFETY: all entries that lead to `old` are overwritten below.
            unsafe { old.free() };
        }
        self.fill(first, count, new);
    }

    /// Puts two segments, one deeper each, in the place of the one at `start`, and frees its
    /// buckets. Doubles the directory if it must.
    pub(crate) fn split(&mut self, start: u64, low: Segment, high: Segment) {
        debug_assert_eq!(low.depth(), high.depth());
        if low.depth() > self.depth {
            self.double();
        }
        let first = (start >> (POSITION_BITS - self.depth)) as usize;
        let old = self.entries[first];
        debug_assert_eq!(old.depth() + 1, low.depth());
        let half = 1 << (self.depth - low.depth());
        self.buckets -= old.count();
        self.fill(first, half, low);
        self.fill(first + half, half, high);
        // SAFETY: all entries that led to `old` were overwritten.
        unsafe { old.free() };
    }

    /// Halves the directory as long as no segment needs its depth. O(entries).
    pub(crate) fn shrink(&mut self) {
        let needed = self.entries.iter().map(|entry| entry.depth()).max().unwrap_or(0);
        if needed < self.depth {
            let stride = 1 << (self.depth - needed);
            self.entries = self.entries.iter().step_by(stride).copied().collect();
            self.depth = needed;
        }
    }

    /// Takes the last segment away, for teardown; `None` when there is none. Its records must be
    /// gone. The directory is then no longer one that can be searched.
    pub(crate) fn pop(&mut self) -> bool {
        let Some(last) = self.entries.last().copied() else { return false };
        let count = 1 << (self.depth - last.depth());
        self.entries.truncate(self.entries.len() - count);
        self.buckets -= last.count();
        // SAFETY: all entries that led to it are gone.
        unsafe { last.free() };
        if self.entries.is_empty() {
            *self = Self::new();
        }
        true
    }

    /// The number of the last owner.
    pub(crate) fn last_owner(&self) -> Option<usize> {
        let last = self.entries.last()?;
        Some(self.entries.len() - (1 << (self.depth - last.depth())))
    }

    fn fill(&mut self, first: usize, count: usize, segment: Segment) {
        self.buckets += segment.count();
        self.entries[first..first + count].fill(segment);
    }

    #[cold]
    fn double(&mut self) {
        let doubled = self.entries.iter().flat_map(|&entry| [entry, entry]).collect();
        self.entries = doubled;
        self.depth += 1;
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        while self.pop() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_ends_are_where_homes_change() {
        for (count, depth) in [(1, 0), (3, 0), (7, 3), (448, 5), (512, 12), (5, 30)] {
            let segment = Segment::allocate(count, depth);
            let start = segment.span() * (u64::from(depth > 0));
            for bucket in 0..count {
                let end = segment.end_of_bucket(start, bucket);
                assert_eq!(segment.home(end - 1), bucket);
                if bucket + 1 < count {
                    assert_eq!(segment.home(end), bucket + 1);
                } else {
                    assert_eq!(end, start + segment.span());
                }
            }
            // SAFETY: the segment is not used after this.
            unsafe { segment.free() };
        }
    }
}
