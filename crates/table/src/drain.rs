//! Taking the table apart in slices: FLUSHALL ASYNC, and the end of the table.
//!
//! Most records are plain bytes in slabs, and forgetting the slab forgets them. The low bits of a
//! slot tell those from the others, so only records that own an object or were allocated outside
//! the slabs are touched at all. The slabs go back to the system chunk by chunk at the end.

use crate::bucket::{Bucket, SLOTS, Slot};
use crate::pages::CHUNK_BYTES;
use crate::table::Table;
use crate::upkeep::Upkeep;

/// Records whose objects take as long to free as a chunk takes to unmap: 0.11 ms (measured
/// 2026-11-21: 0.4 us a page), and 1.5 us for a record that is nowhere in the cache.
const RECORDS_PER_CHUNK: usize = 64;
const _: () = assert!(CHUNK_BYTES == 1 << 20, "what RECORDS_PER_CHUNK was measured for");

/// What a call of [`Table::drain`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a table is to be drained until there is no more"]
pub struct Drained {
    /// Whether there is more to do.
    pub more: bool,
    /// What it took, in records with an object of their own: 64 for a mebibyte of slabs given back
    /// to the system. Above the budget by less than that.
    pub spent: usize,
}

impl<V> Table<V> {
    /// Takes the table apart: forgets about `budget` records (and then, when none are left, gives
    /// back memory that takes as long) and gives each object to `dropped`. As long as there is
    /// `more`, lookups may miss what is still counted, and changes panic; afterwards the table is
    /// empty and as good as new. A walk under way ends, its sink dropped: finish it before if its
    /// records are wanted.
    pub fn drain(&mut self, budget: usize, mut dropped: impl FnMut(V)) -> Drained {
        self.walk = None;
        let budget = budget.max(1);
        let mut spent = 0;
        while spent < budget {
            let emptied = self.drained.unwrap_or(0);
            let Some(owner) = self.directory.last_owner() else {
                return self.drain_memory(budget, spent);
            };
            let segment = self.directory.entry_mut(owner);
            if emptied == segment.count() {
                self.directory.pop();
                self.drained = Some(0);
                spent += 1;
                continue;
            }
            let bucket = std::mem::replace(&mut segment.buckets_mut()[emptied], Bucket::EMPTY);
            self.drained = Some(emptied + 1);
            self.len -= bucket.full().count();
            self.expiring_len -= bucket.expiring().count();
            for slot in bucket.full() {
                self.forget(bucket.slot(slot), &mut dropped);
            }
            spent += SLOTS;
        }
        Drained { more: true, spent }
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

    /// Gives slabs back until `budget` is spent.
    fn drain_memory(&mut self, budget: usize, mut spent: usize) -> Drained {
        debug_assert!(self.len == 0 && self.expiring_len == 0);
        self.drained = Some(0);
        while spent < budget {
            // SAFETY: no bucket is left, so no record is reachable; and until this is over,
            // `drained` keeps inserts out.
            if !unsafe { self.heap.slabs_mut().unmap_one() } {
                self.drained = None;
                self.upkeep = Upkeep::new();
                return Drained { more: false, spent };
            }
            spent += RECORDS_PER_CHUNK;
        }
        Drained { more: true, spent }
    }
}

impl<V> Drop for Table<V> {
    fn drop(&mut self) {
        while self.drain(usize::MAX, drop).more {}
    }
}
