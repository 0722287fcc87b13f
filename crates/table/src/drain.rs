//! Taking the table apart in slices: FLUSHALL ASYNC, and the end of the table.
//!
//! Most records are plain bytes in slabs, and forgetting the slab forgets them. The low bits of a
//! slot tell those from the others, so only records that own an object or were allocated outside
//! the slabs are touched at all. The slabs go back to the system chunk by chunk at the end.

use crate::bucket::{Bucket, SLOTS, Slot};
use crate::pages::CHUNK_BYTES;
use crate::table::Table;
use crate::upkeep::Upkeep;

/// Bytes of slabs unmapped for each record of the budget: what a small record takes.
const UNMAPPED_BYTES_PER_RECORD: usize = 64;

impl<V> Table<V> {
    /// Takes the table apart: forgets about `budget` records (and then, when none are left, the
    /// memory of as many) and gives each object to `dropped`. True while there is more to do. Until
    /// it answers false, lookups may miss what is still counted, and changes panic; afterwards the
    /// table is empty and as good as new. A walk under way ends, its sink dropped: finish it
    /// before if its records are wanted.
    pub fn drain(&mut self, budget: usize, mut dropped: impl FnMut(V)) -> bool {
        self.walk = None;
        let mut left = budget.max(1);
        while left > 0 {
            let emptied = self.drained.unwrap_or(0);
            let Some(owner) = self.directory.last_owner() else { return self.drain_memory(left) };
            let segment = self.directory.entry_mut(owner);
            if emptied == segment.count() {
                self.directory.pop();
                self.drained = Some(0);
                left -= 1;
                continue;
            }
            let bucket = std::mem::replace(&mut segment.buckets_mut()[emptied], Bucket::EMPTY);
            self.drained = Some(emptied + 1);
            self.len -= bucket.full().count();
            self.expiring_len -= bucket.expiring().count();
            for slot in bucket.full() {
                self.forget(bucket.slot(slot), &mut dropped);
            }
            left = left.saturating_sub(SLOTS);
        }
        true
    }

    /// Frees what a slot leads to, unless it goes with its slab.
    fn forget(&mut self, slot: Slot, dropped: &mut impl FnMut(V)) {
        if slot.is_slab_only() {
            return;
        }
        let record = self.record_at(slot);
        // SAFETY: the record is released on the next line, unread.
        let object = unsafe { record.take_object() };
        // SAFETY: the bucket that led to it is empty by now; nobody else does.
        unsafe { self.release(record) };
        if let Some(object) = object {
            dropped(object);
        }
    }

    /// Gives the slabs back; true while there are more.
    fn drain_memory(&mut self, budget: usize) -> bool {
        debug_assert!(self.len == 0 && self.expiring_len == 0);
        self.drained = Some(0);
        let chunks = budget.saturating_mul(UNMAPPED_BYTES_PER_RECORD).div_ceil(CHUNK_BYTES);
        for _ in 0..chunks {
            // SAFETY: no bucket is left, so no record is reachable; and until this is over,
            // `drained` keeps inserts out.
            if !unsafe { self.heap.slabs_mut().unmap_one() } {
                self.drained = None;
                self.upkeep = Upkeep::new();
                return false;
            }
        }
        true
    }
}

impl<V> Drop for Table<V> {
    fn drop(&mut self) {
        while self.drain(usize::MAX, drop) {}
    }
}
