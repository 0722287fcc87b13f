//! Looking at all records in the order of positions, a slice at a time.
//!
//! A cursor is a position: everything below it was seen, nothing from it on was. Since the order is
//! that of the keys' hashes and of nothing that changes, it survives any growth, shrinking,
//! splitting or merging between two calls, and each record that is there throughout is seen
//! exactly once. A call ends only at the end of a bucket's positions.

use crate::bucket::Bucket;
use crate::group::Matches;
use crate::hash::{Hash, POSITION_END};
use crate::raw::RawRecord;
use crate::record::Record;
use crate::table::{Table, prefetch_line};

/// Buckets a scan may look at for each record asked for, so that a sparse table cannot make a
/// call long. Redis' SCAN has the same factor (db.c).
pub(crate) const BUCKETS_PER_RECORD: usize = 10;

impl<V> Table<V> {
    /// Visits records in hash order from `position` on (0 to begin) until `budget` of them were
    /// seen or `10 * budget` buckets looked at. Returns the position to go on with; 0 when done. A
    /// record that is there from the first call to the last is visited exactly once, whatever
    /// happens to the table in between. Any number may be given as position.
    pub fn scan<'t>(
        &'t self,
        position: u64,
        budget: usize,
        mut visit: impl FnMut(Record<'t, V>),
    ) -> u64 {
        let (mut position, mut seen) = (position, 0);
        for _ in 0..budget.max(1).saturating_mul(BUCKETS_PER_RECORD) {
            position = self.visit_home(position, Bucket::full, |_, record| {
                seen += 1;
                visit(Record::new(record));
            });
            if position >= POSITION_END {
                return 0;
            }
            if seen >= budget {
                break;
            }
        }
        position
    }

    /// As [`Table::scan`], but visits only records with an expiry, and ends after `buckets` buckets
    /// were looked at. Segments without such records are skipped whole (each counts as one
    /// bucket). To delete, note the keys in `visit` and remove them afterwards.
    pub fn scan_expiring<'t>(
        &'t self,
        position: u64,
        buckets: usize,
        mut visit: impl FnMut(Record<'t, V>),
    ) -> u64 {
        let mut position = position;
        for _ in 0..buckets.max(1) {
            position = match self.end_of_unexpiring(position) {
                Some(end) => end,
                None => self.visit_home(position, Bucket::expiring, |_, record| {
                    visit(Record::new(record));
                }),
            };
            if position >= POSITION_END {
                return 0;
            }
        }
        position
    }

    /// The end of the segment at `position` if none of its records has an expiry.
    pub(crate) fn end_of_unexpiring(&self, position: u64) -> Option<u64> {
        let segment = self.directory.entry(self.directory.owner(position)?);
        (segment.expiring == 0).then(|| segment.start(position) + segment.span())
    }

    /// Visits the records whose home is that of `position`, from `position` on, as far as `choose`
    /// picks their slots. Returns the first position of the next home.
    pub(crate) fn visit_home(
        &self,
        position: u64,
        choose: impl Fn(&Bucket) -> Matches,
        mut visit: impl FnMut(Hash, RawRecord<V>),
    ) -> u64 {
        if position >= POSITION_END {
            return POSITION_END;
        }
        let Some(segment) = self.directory.get(position) else { return POSITION_END };
        let (buckets, home) = (segment.buckets(), segment.home(position));
        for slot in choose(&buckets[home]) {
            prefetch_line(buckets[home].slot(slot).address().as_ptr());
        }
        let mut index = home;
        for _ in 0..buckets.len() {
            let bucket = &buckets[index];
            for slot in choose(bucket) {
                let record = self.record_at(bucket.slot(slot));
                let hash = self.hasher.hash(record.key());
                // Records that moved on from other homes are theirs to show.
                if hash.position() >= position && segment.home(hash.position()) == home {
                    visit(hash, record);
                }
            }
            if !bucket.is_passed() {
                break;
            }
            index = if index + 1 == buckets.len() { 0 } else { index + 1 };
        }
        segment.end_of_bucket(segment.start(position), home)
    }
}
