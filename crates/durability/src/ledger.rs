//! Which transactions over several shards are safe, and so how far each shard's replies may leave.
//!
//! Recovery cuts a segment before the first transaction of which any part is missing, and repeats
//! that until nothing changes. So what a shard appended behind such a part must not be acknowledged
//! yet, though it is written; and that a transaction has all its parts is not enough. Here T has,
//! and is cut all the same:
//!
//! ```text
//!  shard 2              (S's part is not written)
//!  shard 1   | S | T |  cut before S, and so T's part here goes
//!  shard 0   | T | SET a |  cut before T: SET a must not have been acknowledged
//! ```
//!
//! The ledger knows the parts that are written, of all shards, and answers what recovery would
//! keep: a part is *retired*, and holds no reply any more, once it lies in the largest set of
//! prefixes, one for each segment, that is closed: every transaction in it is in it whole. Nothing
//! that is written later can take a retired part out again. Shards need not have the transactions
//! that they share in the same order, which matters for those that hold their keys: what waits for
//! a key on one shard may have run on another.
//!
//! One ledger serves the whole server, behind a lock that a core thread takes once in a tick in
//! which it wrote parts of such transactions, for some hundred nanoseconds. A tick without any pays
//! one comparison ([`crate::Gate::release_position`]).

use std::collections::{HashMap, VecDeque};

use crate::gate::Part;
use crate::transaction::{Participants, TransactionId};

/// The written parts of all shards that are not retired. See the module text.
#[derive(Debug)]
pub struct Ledger {
    shards: Vec<Column>,
    open: HashMap<TransactionId, Open>,
}

/// One shard's parts.
#[derive(Debug)]
struct Column {
    /// In the order of the segment.
    parts: VecDeque<Written>,
    /// How many were retired before `parts[0]`.
    retired: u64,
    /// Where the last retired part ends.
    retired_through: u64,
    /// Nothing more of this shard's will ever be written.
    failed: bool,
    /// Where the first part begins that will never be retired.
    lost_from: u64,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    id: TransactionId,
    start: u64,
    end: u64,
}

/// A transaction of which a part is written, and that is not retired.
#[derive(Debug)]
struct Open {
    participants: Participants,
    /// The shards that have written their part, and its number there.
    parts: Vec<(u16, u64)>,
}

impl Open {
    fn is_whole(&self) -> bool {
        self.parts.len() == self.participants.len() as usize
    }
}

impl Ledger {
    /// The ledger of so many shards, with nothing in it.
    pub fn new(shards: usize) -> Self {
        let column = || Column {
            parts: VecDeque::new(),
            retired: 0,
            retired_through: 0,
            failed: false,
            lost_from: u64::MAX,
        };
        Self { shards: (0..shards).map(|_| column()).collect(), open: HashMap::new() }
    }

    /// `shard` has written these parts, in the order of its segment. Returns the shards for which
    /// something changed: parts were retired there, or are found to be lost.
    ///
    /// O(parts that are whole and not retired) where a transaction became whole, else O(`parts`).
    pub fn written(&mut self, shard: u16, parts: impl IntoIterator<Item = Part>) -> Participants {
        let mut whole = false;
        let mut doomed = false;
        for part in parts {
            let column = &mut self.shards[usize::from(shard)];
            let number = column.retired + column.parts.len() as u64;
            column.parts.push_back(Written { id: part.id, start: part.start, end: part.end });
            let participants = part.participants;
            let open = || Open { participants, parts: Vec::new() };
            let open = self.open.entry(part.id).or_insert_with(open);
            open.parts.push((shard, number));
            whole |= open.is_whole();
            doomed |= participants.iter().any(|it| self.shards[usize::from(it)].failed);
        }
        let mut changed = Participants::new();
        if whole {
            self.retire(&mut changed);
        }
        if doomed {
            self.find_lost(&mut changed);
        }
        changed
    }

    /// Nothing more of `shard`'s segment will ever be written, or be known to be. Returns the
    /// shards that have parts which will never be retired because of that.
    pub fn failed(&mut self, shard: u16) -> Participants {
        let mut changed = Participants::new();
        let column = &mut self.shards[usize::from(shard)];
        if !std::mem::replace(&mut column.failed, true) {
            self.find_lost(&mut changed);
        }
        changed
    }

    /// A shard begins a new segment, whose positions begin anew: its parts are forgotten.
    pub fn begin_segment(&mut self, shard: u16) {
        let column = &mut self.shards[usize::from(shard)];
        column.retired += column.parts.len() as u64;
        let parts = std::mem::take(&mut column.parts);
        column.retired_through = 0;
        column.failed = false;
        column.lost_from = u64::MAX;
        for part in parts {
            if let Some(open) = self.open.get_mut(&part.id) {
                open.parts.retain(|(of, _)| *of != shard);
                open.participants.remove(shard);
                if open.participants.is_empty() {
                    self.open.remove(&part.id);
                }
            }
        }
    }

    /// Up to where the parts of a shard are retired: every part that ends there or before it is.
    pub fn retired_through(&self, shard: u16) -> u64 {
        self.shards[usize::from(shard)].retired_through
    }

    /// From where on nothing in a shard's segment will ever be acknowledged; `u64::MAX`: nowhere.
    pub fn lost_from(&self, shard: u16) -> u64 {
        self.shards[usize::from(shard)].lost_from
    }

    /// Retires the largest closed set of prefixes.
    fn retire(&mut self, changed: &mut Participants) {
        let mut counts: Vec<usize> =
            self.shards.iter().map(|column| self.leading_whole(column)).collect();
        while self.shrink(&mut counts) {}
        for (shard, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let column = &mut self.shards[shard];
            for part in column.parts.drain(..count) {
                column.retired_through = part.end;
                // The first of its shards to come here takes it out.
                self.open.remove(&part.id);
            }
            column.retired += count as u64;
            changed.insert(shard as u16);
        }
    }

    /// How many parts at the front of a column are of whole transactions.
    fn leading_whole(&self, column: &Column) -> usize {
        let is_whole = |part: &Written| self.open.get(&part.id).is_some_and(Open::is_whole);
        column.parts.iter().position(|part| !is_whole(part)).unwrap_or(column.parts.len())
    }

    /// Ends each prefix before its first transaction that is not whole in the prefixes. Whether
    /// any became shorter.
    fn shrink(&self, counts: &mut [usize]) -> bool {
        let mut shrunk = false;
        for (shard, column) in self.shards.iter().enumerate() {
            let leaves = |part: &Written| {
                self.open.get(&part.id).is_some_and(|open| {
                    open.parts.iter().any(|(of, number)| {
                        let of = usize::from(*of);
                        number - self.shards[of].retired >= counts[of] as u64
                    })
                })
            };
            let kept = column.parts.iter().take(counts[shard]).position(leaves);
            if let Some(kept) = kept {
                counts[shard] = kept;
                shrunk = true;
            }
        }
        shrunk
    }

    /// Finds what will never be retired: a part whose transaction lacks one on a shard that failed,
    /// or has one behind such a part.
    fn find_lost(&mut self, changed: &mut Participants) {
        loop {
            let lost: Vec<Option<u64>> =
                self.shards.iter().map(|column| self.first_lost(column)).collect();
            let mut found = false;
            for (shard, start) in lost.into_iter().enumerate() {
                let column = &mut self.shards[shard];
                if let Some(start) = start.filter(|start| *start < column.lost_from) {
                    column.lost_from = start;
                    changed.insert(shard as u16);
                    found = true;
                }
            }
            if !found {
                return;
            }
        }
    }

    fn first_lost(&self, column: &Column) -> Option<u64> {
        let is_lost = |part: &&Written| {
            self.open.get(&part.id).is_some_and(|open| {
                open.participants.iter().any(|shard| {
                    let other = &self.shards[usize::from(shard)];
                    match open.parts.iter().find(|(of, _)| *of == shard) {
                        None => other.failed,
                        Some((_, number)) => {
                            let part = other.parts.get((number - other.retired) as usize);
                            part.is_some_and(|part| part.start >= other.lost_from)
                        }
                    }
                })
            })
        };
        column.parts.iter().find(is_lost).map(|part| part.start)
    }
}

#[cfg(test)]
#[path = "ledger/tests.rs"]
mod tests;
