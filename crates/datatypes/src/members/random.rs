//! Members drawn at random, each with the same chance.
//!
//! A draw names a place, and there are more places than members: if nobody is there, another is
//! drawn. What is behind one slot of the root counts as `2^bits * 128` places. A page that spans
//! several slots of the root, or a chunk that spans several of its page, has its members spread
//! over the places of all of them, each at exactly one; so it does not matter how deep anything
//! lies. About one draw in three hits, one in eight at worst.

use std::collections::BTreeSet;

use super::chunk::{Chunk, Member};
use super::collection::Members;
use super::{CHUNK_ENTRIES_MAX, PAGE_BITS_MAX};

/// Draws before the members are counted through instead: at one hit in eight, once in 10^15.
const DRAWS_MAX: usize = 256;

/// Up to one in so many of all members is found by drawing; more by going through them.
const DRAWN_SHARE: usize = 4;

impl<const PIECES: usize> Members<PIECES> {
    /// One member, each with the same chance; `None` if there is none. `random` gives numbers of 64
    /// random bits. O(1) on the average.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Member<'_, PIECES>> {
        if self.is_empty() {
            return None;
        }
        if let Some((chunk, index)) = self.draw(random) {
            return Some(chunk.entry(index));
        }
        let mut rank = below(self.len(), random);
        for chunk in self.chunks() {
            if rank < chunk.len() {
                return Some(chunk.entry(rank));
            }
            rank -= chunk.len();
        }
        None
    }

    /// So many different members, or all if there are not so many; each choice with the same
    /// chance, in no random order. O(count) for a small share of them, else O(length).
    pub fn random_distinct(
        &self,
        count: usize,
        random: &mut impl FnMut() -> u64,
        mut sink: impl FnMut(Member<'_, PIECES>),
    ) {
        let count = count.min(self.len());
        if count <= self.len() / DRAWN_SHARE {
            let mut drawn = BTreeSet::new();
            while drawn.len() < count {
                let Some(entry) = self.random(random) else { return };
                if drawn.insert(entry.identity()) {
                    sink(entry);
                }
            }
            return;
        }
        // Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
        let (mut wanted, mut left) = (count, self.len());
        for entry in self.iter() {
            if wanted > 0 && below(left, random) < wanted {
                wanted -= 1;
                sink(entry);
            }
            left -= 1;
        }
    }

    fn draw(&self, random: &mut impl FnMut() -> u64) -> Option<(&Chunk<PIECES>, usize)> {
        let root = self.root();
        let page_bits = if root.bits() == 0 { root.at(0).bits() } else { PAGE_BITS_MAX };
        let places = CHUNK_ENTRIES_MAX << page_bits;
        for _ in 0..DRAWS_MAX {
            let number = below(places << root.bits(), random);
            let (slot, place) = (number / places, number % places);
            let at = root.owner(slot);
            let page = root.at(at);
            let place = (place << root.span_bits(at)) + (slot - at);
            let (slot, index) = (place / CHUNK_ENTRIES_MAX, place % CHUNK_ENTRIES_MAX);
            if slot >= page.slot_count() {
                continue;
            }
            let at = page.owner(slot);
            let chunk = page.at(at);
            let index = (index << page.span_bits(at)) + (slot - at);
            if index < chunk.len() {
                return Some((chunk, index));
            }
        }
        None
    }
}

/// A number below `bound`, each with the same chance up to `bound / 2^64`.
fn below(bound: usize, random: &mut impl FnMut() -> u64) -> usize {
    ((u128::from(random()) * bound as u128) >> u64::BITS) as usize
}
