//! Members drawn at random: SRANDMEMBER and SPOP.

use super::Set;
use crate::packed::Entry;

impl Set {
    /// One member, each with the same chance; `None` if there is none. `random` gives numbers of 64
    /// random bits. O(1) on the average, O(length) in a listpack. What is drawn with repetition is
    /// drawn by calling it again.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Entry<'_>> {
        match self {
            Self::Integers(integers) if integers.is_empty() => None,
            Self::Integers(integers) => {
                integers.get(below(integers.len(), random)).map(Entry::Integer)
            }
            Self::Packed(listpack) if listpack.is_empty() => None,
            Self::Packed(listpack) => {
                listpack.seek(below(listpack.len(), random)).map(|at| listpack.get(at))
            }
            Self::Large(members) => members.random(random).map(|member| member.name()),
        }
    }

    /// So many different members, or all if there are not so many; each choice with the same
    /// chance, in no random order.
    pub fn random_distinct(
        &self,
        count: usize,
        random: &mut impl FnMut() -> u64,
        mut sink: impl FnMut(Entry<'_>),
    ) {
        if let Self::Large(members) = self {
            return members.random_distinct(count, random, |member| sink(member.name()));
        }
        // Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
        let (mut wanted, mut left) = (count.min(self.len()), self.len());
        self.for_each(|member| {
            if wanted > 0 && below(left, random) < wanted {
                wanted -= 1;
                sink(member);
            }
            left -= 1;
        });
    }

    /// Takes one member out, each with the same chance; `None` if there is none.
    pub fn pop(&mut self, random: &mut impl FnMut() -> u64) -> Option<Vec<u8>> {
        let member = self.random(random)?.text().to_vec();
        self.remove(&member);
        Some(member)
    }
}

/// A number below `bound`, each with the same chance up to `bound / 2^64`.
fn below(bound: usize, random: &mut impl FnMut() -> u64) -> usize {
    ((u128::from(random()) * bound as u128) >> u64::BITS) as usize
}
