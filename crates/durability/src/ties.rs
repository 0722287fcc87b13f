//! Which slots commands of the log have tied together: for taking over a log that Redis wrote.
//!
//! A shard that replays a log of another number of shards keeps the records of its own slots. That
//! is not enough for what Redis logs of a command whose keys depend on each other: RENAME of keys
//! that lived on its one shard may now be of keys on two, and the shard of the new name needs the
//! value of the old one, and so everything that ever made that value. This server's own records
//! are each about one slot, and tie nothing.
//!
//! The way out: collect all such ties first; a shard then replays every slot that is tied, over
//! however many steps, to one of its own, and drops the keys that are not its own at the end.
//!
//! ```text
//! ties      a~b  b~c  d~e      shard 0 owns a, d     shard 1 owns b, c, e
//! replays                      a b c d e             a b c d e
//! keeps                        a d                   b c e
//! ```
//!
//! Logs without such commands, and those whose tied keys share a hash tag, have no ties that
//! matter, and each shard replays its own slots alone. Ties are collected over all generations,
//! with [`crate::Replay::all`]; whoever needs a slot that is not its own uses that too.

/// Slots in groups that grow by ties (a union-find forest).
#[derive(Debug, Clone)]
pub struct SlotTies {
    /// Each slot's way to its group's root, which is its own parent.
    parents: Vec<u16>,
}

impl SlotTies {
    /// `slots` slots, none tied.
    pub fn new(slots: u16) -> Self {
        Self { parents: (0..slots).collect() }
    }

    /// A command had keys in both slots, and what it did to one depends on the other.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn tie(&mut self, left: u16, right: u16) {
        let (left, right) = (self.root(left), self.root(right));
        self.parents[usize::from(left)] = right;
    }

    /// For each slot, whether a shard that owns the slots for which `owns` is true must replay it.
    pub fn needed(&mut self, owns: impl Fn(u16) -> bool) -> Vec<bool> {
        let slots = 0..self.parents.len() as u16;
        let mut roots = vec![false; self.parents.len()];
        for slot in slots.clone().filter(|&slot| owns(slot)) {
            roots[usize::from(self.root(slot))] = true;
        }
        slots.map(|slot| roots[usize::from(self.root(slot))]).collect()
    }

    /// The root of a slot's group; makes the way there shorter.
    fn root(&mut self, slot: u16) -> u16 {
        let mut at = slot;
        loop {
            let parent = self.parents[usize::from(at)];
            if parent == at {
                return at;
            }
            let grandparent = self.parents[usize::from(parent)];
            self.parents[usize::from(at)] = grandparent;
            at = grandparent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_needs_its_own_and_what_is_tied_to_it() {
        let mut ties = SlotTies::new(8);
        for (left, right) in [(0, 1), (1, 2), (3, 4), (6, 6), (2, 0)] {
            ties.tie(left, right);
        }
        let mut needed = |own: &[u16]| -> Vec<u16> {
            let needed = ties.needed(|slot| own.contains(&slot));
            (0..8).filter(|&slot| needed[usize::from(slot)]).collect()
        };
        assert_eq!(needed(&[0]), [0, 1, 2]);
        assert_eq!(needed(&[2, 5]), [0, 1, 2, 5]);
        assert_eq!(needed(&[4, 6]), [3, 4, 6]);
        assert_eq!(needed(&[]), []);
    }
}
