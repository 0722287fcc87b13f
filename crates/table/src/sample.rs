//! Choosing records at random.
//!
//! Fairness comes from rejection: an entry of the directory, a bucket number and a slot number are
//! drawn uniformly from fixed ranges, and the draw counts only if the entry is its segment's
//! owner, the segment has that bucket, and the slot is full. Every slot of the table is then
//! equally likely, whatever the sizes of the segments. About half of the draws count, fewer just
//! after mass deletes; when none of `TRIES` did, the first record after a random position is taken,
//! which is fair up to the gaps between records.

use crate::bucket::{Bucket, SLOTS};
use crate::group::Matches;
use crate::hash::{POSITION_BITS, POSITION_END, next_random};
use crate::raw::RawRecord;
use crate::record::Record;
use crate::resize::SEGMENT_BUCKETS_MAX;
use crate::table::Table;

/// Draws before the fallback. At two draws in five that count, one call in 10^14 needs it; after
/// deletes that left 2 % of the slots full, one in four.
const TRIES: usize = 64;

impl<V> Table<V> {
    /// A record chosen uniformly by the 64 random bits given. `None` only if there is none.
    #[must_use]
    pub fn sample(&self, random: u64) -> Option<Record<'_, V>> {
        if self.len == 0 {
            return None;
        }
        self.draw(random, Bucket::full).map(Record::new)
    }

    /// A record with an expiry, chosen by the 64 random bits given: uniformly where a fair share
    /// of the records has one, else by position. `None` only if there is none.
    #[must_use]
    pub fn sample_expiring(&self, random: u64) -> Option<Record<'_, V>> {
        if self.expiring_len == 0 {
            return None;
        }
        self.draw(random, Bucket::expiring).map(Record::new)
    }

    fn draw(
        &self,
        random: u64,
        choose: impl Fn(&Bucket) -> Matches + Copy,
    ) -> Option<RawRecord<V>> {
        let mut state = random;
        let entries = self.directory.len();
        let range = if entries == 1 { 1 } else { SEGMENT_BUCKETS_MAX };
        for _ in 0..TRIES {
            let number = below(&mut state, entries);
            if !self.directory.is_owner(number) {
                continue;
            }
            let segment = self.directory.entry(number);
            let index = below(&mut state, range.max(segment.count()));
            let Some(bucket) = segment.buckets().get(index) else { continue };
            let slot = below(&mut state, SLOTS);
            if choose(bucket).any(|chosen| chosen == slot) {
                return Some(self.record_at(bucket.slot(slot)));
            }
        }
        let start = next_random(&mut state) >> (u64::BITS - POSITION_BITS);
        self.first_from(start, &mut state, choose)
            .or_else(|| self.first_from(0, &mut state, choose))
    }

    /// One of the chosen records of the first home from `position` on that has any.
    fn first_from(
        &self,
        position: u64,
        state: &mut u64,
        choose: impl Fn(&Bucket) -> Matches + Copy,
    ) -> Option<RawRecord<V>> {
        let mut position = position;
        while position < POSITION_END {
            let segment = self.directory.entry(self.directory.owner(position)?);
            if segment.len == 0 {
                position = segment.start(position) + segment.span();
                continue;
            }
            let (mut seen, mut picked) = (0, None);
            // Keeps each of the home's records with the same chance.
            position = self.visit_home(position, choose, |_, record| {
                seen += 1;
                if below(state, seen) == 0 {
                    picked = Some(record);
                }
            });
            if picked.is_some() {
                return picked;
            }
        }
        None
    }
}

/// A number below `end`, which is small against 2^64: the bias is `end / 2^64`.
#[inline]
fn below(state: &mut u64, end: usize) -> usize {
    ((u128::from(next_random(state)) * end as u128) >> u64::BITS) as usize
}
