//! Growing and shrinking, one segment at a time.
//!
//! A segment that is full (load 0.9) is rebuilt a quarter of a power of two larger: 8, 10, 12, 14,
//! 16, 20 ... 112, 128 buckets. These are also jemalloc's size classes, so no bytes hide behind an
//! array. At `SEGMENT_BUCKETS_MAX` it is split in two instead. So the load stays between 0.72 and
//! 0.9, and no step touches more than the records of one segment: at most 128 * 9 * 0.9 = 1,036,
//! which are prefetched a few buckets ahead.
//!
//! Rebuilding reads every record, because a bucket holds 8 bits of the hash and not all of them.
//! Keeping more would cost every key a byte or two for good; reading them costs every insert about
//! five visits of other records on the way to any size, an eighth of a microsecond.

use crate::bucket::{SLOTS, Slot};
use crate::directory::Segment;
use crate::hash::Hash;
use crate::table::{Table, prefetch_line};

/// Buckets of a segment that is split rather than grown. Under Miri small, so that splits are seen.
pub(crate) const SEGMENT_BUCKETS_MAX: usize = if cfg!(miri) { 8 } else { 128 };

/// Buckets that a segment may have if splitting does not help, because most of its records share
/// their position (which takes a caller that hands in false hashes).
const SEGMENT_BUCKETS_LIMIT: usize = 4096;

/// Buckets that are prefetched ahead while records are poured: nine records each.
const PREFETCH_BUCKETS: usize = 3;

/// Records at which a segment of `count` buckets is full. Small ones are filled to the brim: a
/// database of ten keys should not need a kilobyte.
#[inline]
pub(crate) fn limit(count: usize) -> usize {
    if count <= 8 { count * SLOTS } else { count * SLOTS * 9 / 10 }
}

/// The next larger number of buckets.
fn next_count(count: usize) -> usize {
    if count < 8 { count + 1 } else { count + (1 << (count.ilog2() - 2)) }
}

/// The smallest number of buckets that `len` records fill to at most about 0.8.
fn count_for(len: usize) -> usize {
    let mut count = 1;
    while limit(count) < len + len / 8 {
        count = next_count(count);
    }
    count
}

impl<V> Table<V> {
    /// The owner entry of the segment that `position` belongs to, which has room for a record.
    ///
    /// # Panics
    /// If the table is being drained.
    #[inline]
    pub(crate) fn make_room(&mut self, position: u64) -> usize {
        loop {
            if let Some(owner) = self.directory.owner(position) {
                let segment = self.directory.entry(owner);
                if usize::from(segment.len) < limit(segment.count()) {
                    assert!(self.drained.is_none(), "a table under drain takes no records");
                    return owner;
                }
                self.grow(owner, position);
            } else {
                assert!(self.drained.is_none(), "a table under drain takes no records");
                self.directory.begin(Segment::allocate(1, 0));
            }
        }
    }

    /// Gives the full segment of entry `owner` more room.
    #[cold]
    fn grow(&mut self, owner: usize, position: u64) {
        let old = *self.directory.entry(owner);
        let start = old.start(position);
        if old.count() >= SEGMENT_BUCKETS_MAX && self.may_split(old) {
            self.split(old, start);
            return;
        }
        assert!(old.count() < SEGMENT_BUCKETS_LIMIT, "hashes given are not those of the keys");
        self.rebuild(old, start, next_count(old.count()));
    }

    /// Whether a split keeps the directory in proportion: never more than one entry for every 16
    /// records, however badly positions are spread.
    fn may_split(&self, old: Segment) -> bool {
        old.depth() < self.directory.depth() || self.directory.len() * 16 <= self.len
    }

    /// Replaces a segment by one with `count` buckets.
    fn rebuild(&mut self, old: Segment, start: u64, count: usize) {
        let mut new = Segment::allocate(count, old.depth());
        self.pour(&old, |hash, slot| {
            new.place(hash, slot);
        });
        self.directory.replace(start, new);
    }

    /// Replaces a segment by two.
    fn split(&mut self, old: Segment, start: u64) {
        let count = count_for(usize::from(old.len) / 2);
        let mut low = Segment::allocate(count, old.depth() + 1);
        let mut high = Segment::allocate(count, old.depth() + 1);
        let middle = start + low.span();
        self.pour(&old, |hash, slot| {
            let half = if hash.position() < middle { &mut low } else { &mut high };
            if usize::from(half.len) == limit(half.count()) {
                self.enlarge(half);
            }
            half.place(hash, slot);
        });
        self.directory.split(start, low, high);
    }

    /// Rebuilds a segment that is in no directory yet.
    #[cold]
    fn enlarge(&self, segment: &mut Segment) {
        let mut new = Segment::allocate(next_count(segment.count()), segment.depth());
        self.pour(segment, |hash, slot| {
            new.place(hash, slot);
        });
        let old = std::mem::replace(segment, new);
        // SAFETY: the only copy of the entry, just replaced.
        unsafe { old.free() };
    }

    /// Makes the segment at `start` smaller, or one with its neighbour, if that is due. Returns the
    /// records poured, `None` if nothing was due.
    pub(crate) fn tighten(&mut self, start: u64) -> Option<usize> {
        let old = *self.directory.entry(self.directory.owner(start)?);
        let len = usize::from(old.len);
        if old.depth() > 0 {
            let buddy_start = start ^ old.span();
            let buddy = *self.directory.entry(self.directory.owner(buddy_start)?);
            let total = len + usize::from(buddy.len);
            if buddy.depth() == old.depth() && total <= limit(SEGMENT_BUCKETS_MAX) / 2 {
                let mut new = Segment::allocate(count_for(total), old.depth() - 1);
                for half in [&old, &buddy] {
                    self.pour(half, |hash, slot| {
                        new.place(hash, slot);
                    });
                }
                self.directory.replace(start.min(buddy_start), new);
                return Some(total);
            }
        }
        if len == 0 && old.depth() == 0 {
            self.directory.pop();
            return Some(0);
        }
        let count = count_for(len);
        if len < limit(old.count()) / 2 && count < old.count() {
            self.rebuild(old, start, count);
            return Some(len);
        }
        None
    }

    /// Hands every record of a segment to `into`, in the order of buckets.
    fn pour(&self, from: &Segment, mut into: impl FnMut(Hash, Slot)) {
        let buckets = from.buckets();
        for (index, bucket) in buckets.iter().enumerate() {
            if let Some(ahead) = buckets.get(index + PREFETCH_BUCKETS) {
                for slot in ahead.full() {
                    prefetch_line(ahead.slot(slot).address().as_ptr());
                }
            }
            for slot in bucket.full() {
                let content = bucket.slot(slot);
                into(self.hasher.hash(self.record_at(content).key()), content);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_quarters_of_powers_of_two() {
        let mut counts = vec![1];
        while *counts.last().unwrap() < 64 {
            counts.push(next_count(*counts.last().unwrap()));
        }
        let expected =
            [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64].to_vec();
        assert_eq!(counts, expected);
        for len in 0..5000 {
            assert!(limit(count_for(len)) >= len);
        }
    }
}
