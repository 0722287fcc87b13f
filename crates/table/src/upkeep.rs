//! Giving memory back after deletes, in slices.
//!
//! Deletes leave segments with too many buckets and slabs with too few objects. A *pass* goes over
//! the table in the order of positions, makes segments smaller and merges neighbours, and moves
//! records out of sparse slabs into others: only the table points at records, so they may be
//! moved. Slabs that became empty, in a pass or by deletes alone, give their memory back to the
//! system a few at a time.
//!
//! A pass begins only if enough was removed since the last one to be worth a look (a sixteenth of
//! the records) and the look shows waste: less than half of the slots full, or a size class with a
//! quarter of its room unused. So a table that only grows, or churns in place, is never passed
//! over.

use crate::hash::POSITION_END;
use crate::table::Table;

/// Removals that are never worth a look. Under Miri small, so that passes are seen.
const REMOVED_MIN: usize = if cfg!(miri) { 16 } else { 256 };

/// Records that take as long to move as a slab's memory takes to give back: 0.2 us and 10 us.
const RECORDS_PER_SLAB: usize = 50;

/// The state of upkeep between two slices.
pub(crate) struct Upkeep {
    /// Records removed since the last pass began.
    removed: usize,
    /// Where the pass under way has got to.
    pass: Option<u64>,
    /// Bytes of occupied slabs when the pass under way began.
    bytes_before: usize,
    /// The segment at `pass` was just merged and may merge again.
    merged: bool,
    /// A pass is over and slabs that it did not empty have to be opened again.
    reopening: bool,
}

impl Upkeep {
    pub(crate) const fn new() -> Self {
        Self { removed: 0, pass: None, bytes_before: 0, merged: false, reopening: false }
    }

    #[inline]
    pub(crate) fn note_removed(&mut self) {
        self.removed += 1;
    }
}

impl<V> Table<V> {
    /// A slice of upkeep: looks at or moves about `budget` records (a segment that is rebuilt may
    /// add some five hundred). True while there is more to do now. A few compares if there is not.
    pub fn maintain(&mut self, budget: usize) -> bool {
        if self.drained.is_some() {
            return false;
        }
        if self.clear_marks(budget)
            || self.heap.slabs_mut().give_back(budget.div_ceil(RECORDS_PER_SLAB))
        {
            return true;
        }
        if self.upkeep.reopening {
            self.upkeep.reopening = self.heap.slabs_mut().reopen(budget.max(1));
            return true;
        }
        if self.upkeep.pass.is_none() {
            if self.upkeep.removed < REMOVED_MIN.max(self.len / 16) {
                return false;
            }
            self.upkeep.removed = 0;
            if !self.is_sparse() && !self.heap.is_wasteful() {
                return false;
            }
            self.upkeep.pass = Some(0);
            self.upkeep.bytes_before = self.heap.slabs_mut().bytes_occupied();
        }
        self.pass(budget.max(1));
        true
    }

    /// Less than half of the slots are full, and there are more than a cache line of them.
    fn is_sparse(&self) -> bool {
        self.directory.buckets() > 1 && self.len < self.slots() / 2
    }

    /// Moves the pass on by about `budget` records.
    fn pass(&mut self, budget: usize) {
        let mut left = budget;
        while left > 0 {
            let position = self.upkeep.pass.unwrap_or(POSITION_END);
            let segment = match self.directory.get(position) {
                Some(segment) if position < POSITION_END => *segment,
                _ => return self.end_pass(),
            };
            let start = segment.start(position);
            if position == start || self.upkeep.merged {
                let poured = self.tighten(start);
                self.upkeep.merged = poured.is_some();
                if let Some(poured) = poured {
                    left = left.saturating_sub(poured.max(1));
                    continue;
                }
            }
            let bucket = segment.home(position);
            let looked_at = self.compact(position, bucket);
            self.upkeep.pass = Some(segment.end_of_bucket(start, bucket));
            left = left.saturating_sub(looked_at.max(1));
        }
    }

    /// Moves the records of a bucket that are better elsewhere; returns how many were looked at.
    fn compact(&mut self, position: u64, bucket: usize) -> usize {
        let Some(segment) = self.directory.owner(position) else { return 0 };
        let copy = self.directory.entry(segment).buckets()[bucket];
        for slot in copy.full() {
            let content = copy.slot(slot);
            if content.is_large() {
                continue;
            }
            // SAFETY: a slot that is not large leads to a live object of the slabs.
            if unsafe { self.heap.slabs_mut().should_move(content.address()) } {
                let record = self.record_at(content);
                self.move_record(crate::directory::Place { segment, bucket, slot }, record);
            }
        }
        copy.full().count()
    }

    fn end_pass(&mut self) {
        self.directory.shrink();
        self.upkeep.pass = None;
        // A slab that began to leave in the middle of the pass still holds what lies before. If
        // this pass was worth it, another may be: the next call looks.
        let bytes = self.heap.slabs_mut().bytes_occupied();
        if bytes < self.upkeep.bytes_before - self.upkeep.bytes_before / 8 {
            self.upkeep.removed = usize::MAX / 2;
        }
        self.upkeep.merged = false;
        self.upkeep.reopening = true;
    }
}
