//! Going through the members in the order of their positions, in slices.
//!
//! A position is that of a hash, so the way is the same whatever chunks did meanwhile: a member
//! that is there from the first call to the last is handed over. One that is handed over twice can
//! only be one that was taken out and came again.

use table::POSITION_BITS;

use super::chunk::{Chunk, Member};
use super::collection::Members;
use super::piece::hash_of;

impl<const PIECES: usize> Members<PIECES> {
    /// Hands over about `budget` entries, those at `position` and after, and returns where to go
    /// on: 0 at the end. Begins with 0; results are below 2^48. Twice the budget is rare, and no
    /// more than 64 chunks are looked at, so it may hand over fewer.
    pub fn scan(
        &self,
        position: u64,
        budget: usize,
        mut sink: impl FnMut(Member<'_, PIECES>),
    ) -> u64 {
        let (mut position, mut left) = (position, budget.max(1));
        for _ in 0..left.max(CHUNKS_LOOKED_AT) {
            if position >= END {
                return 0;
            }
            let (chunk, first, end) = self.chunk_at(position);
            let given = if position == first && chunk.len() <= left {
                position = end;
                chunk.entries().map(&mut sink).count()
            } else {
                let stop = part_end((first, end), position, chunk.len().div_ceil(left));
                let from = std::mem::replace(&mut position, stop);
                let hasher = self.hasher();
                let wanted = chunk.entries().filter(|entry| {
                    (from..stop).contains(&hash_of(entry.name(), hasher).position())
                });
                wanted.map(&mut sink).count()
            };
            left = left.saturating_sub(given);
            if left == 0 {
                break;
            }
        }
        if position >= END { 0 } else { position }
    }

    /// The chunk that answers for a position, with the interval of positions that it answers for.
    fn chunk_at(&self, position: u64) -> (&Chunk<PIECES>, u64, u64) {
        let root = self.root();
        let at = root.slot_of(position);
        let (first, _) = root.interval_of(at, 0);
        let page = root.at(at);
        let slot = page.slot_of(position);
        let (first, width) = page.interval_of(slot, first);
        (page.at(slot), first, first + width)
    }
}

const END: u64 = 1 << POSITION_BITS;

/// The least number of chunks that one call may look at: there may be empty ones after removals.
const CHUNKS_LOOKED_AT: usize = 64;

/// The end of the part of an interval that `position` is in, if it is cut into so many equal ones,
/// or some more.
fn part_end((first, end): (u64, u64), position: u64, parts: usize) -> u64 {
    let width = ((end - first) / (parts as u64).next_power_of_two()).max(1);
    first + ((position - first) / width + 1) * width
}
