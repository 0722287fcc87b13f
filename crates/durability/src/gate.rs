//! How far a shard's replies may leave, as far as the shard itself knows.
//!
//! ```text
//!  segment    ..... | part of 3-17 | SET a | part of 5-2 | SET b |
//!                   ^ release position while 3-17 is not retired: the reply to SET a waits
//! ```
//!
//! The [`Ledger`] says which parts are retired; the gate tells it of parts that are written, and
//! remembers what it said. A shard without such parts pays one comparison.

use std::collections::VecDeque;

use crate::ledger::Ledger;
use crate::transaction::{Participants, TransactionId};

/// A part that a shard has appended to its segment.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Of which transaction.
    pub id: TransactionId,
    /// Where it begins in the segment.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// All participants, this shard among them.
    pub participants: Participants,
}

/// The parts of one shard that are not retired.
#[derive(Debug)]
pub struct Gate {
    shard: u16,
    /// In the order of the segment.
    parts: VecDeque<Part>,
    /// How many of them, from the front, are in the ledger.
    told: usize,
    /// Nothing that depends on more than this position will ever be acknowledged.
    lost: u64,
    /// Whether the ledger was told that this shard failed.
    told_failed: bool,
}

impl Gate {
    /// The gate of `shard`.
    pub fn new(shard: u16) -> Self {
        Self { shard, parts: VecDeque::new(), told: 0, lost: u64::MAX, told_failed: false }
    }

    /// The shard has appended a part.
    ///
    /// # Panics
    /// If the part does not lie behind the last one, or this shard is no participant.
    pub fn begin(&mut self, part: Part) {
        assert!(part.participants.contains(self.shard), "a part is of a participant");
        let behind = self.parts.back().is_none_or(|last| last.end <= part.start);
        assert!(behind && part.start <= part.end, "parts come in the order of the segment");
        self.parts.push_back(part);
    }

    /// Whether there is something to tell the ledger, the segment being acknowledged so far.
    #[inline]
    pub fn has_news(&self, acknowledged: u64) -> bool {
        let written = self.parts.get(self.told).is_some_and(|part| part.end <= acknowledged);
        written || (self.lost < u64::MAX && !self.told_failed)
    }

    /// Tells the ledger of parts that are written and of a failure, and takes over what follows for
    /// this shard. Returns the other shards for which something follows.
    pub fn tell(&mut self, ledger: &mut Ledger, acknowledged: u64) -> Participants {
        let from = self.told;
        let untold = self.parts.iter().skip(from);
        self.told += untold.take_while(|part| part.end <= acknowledged).count();
        let written = self.parts.range(from..self.told).copied();
        let mut changed = ledger.written(self.shard, written);
        if self.lost < u64::MAX && !self.told_failed {
            self.told_failed = true;
            changed = changed.union(&ledger.failed(self.shard));
        }
        self.listen(ledger);
        changed.remove(self.shard);
        changed
    }

    /// Takes over what the ledger says of this shard.
    pub fn listen(&mut self, ledger: &Ledger) {
        let retired = ledger.retired_through(self.shard);
        while self.told > 0 && self.parts.front().is_some_and(|part| part.end <= retired) {
            self.parts.pop_front();
            self.told -= 1;
        }
        self.lost = self.lost.min(ledger.lost_from(self.shard));
    }

    /// An fsync failed: what lies behind `position` will never be known to be on disk.
    pub fn lose_from(&mut self, position: u64) {
        self.lost = self.lost.min(position);
    }

    /// Replies that depend on more than this position will never leave: an fsync failed, here or
    /// where a transaction has another part. `u64::MAX` while nothing is lost.
    #[inline]
    pub fn lost_position(&self) -> u64 {
        self.lost
    }

    /// Up to where replies may leave, the segment being acknowledged so far.
    #[inline]
    pub fn release_position(&self, acknowledged: u64) -> u64 {
        self.parts.front().map_or(acknowledged, |part| part.start.min(acknowledged))
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, Part};
    use crate::ledger::Ledger;
    use crate::transaction::{Participants, TransactionId};

    fn part(id: u64, start: u64) -> Part {
        let participants: Participants = [0, 1].into_iter().collect();
        Part { id: TransactionId::new(0, id), start, end: start + 10, participants }
    }

    #[test]
    fn replies_wait_before_the_first_part_that_is_not_retired() {
        let mut ledger = Ledger::new(2);
        let (mut own, mut other) = (Gate::new(0), Gate::new(1));
        assert_eq!(own.release_position(7), 7);
        own.begin(part(1, 10));
        own.begin(part(2, 30));
        assert!(!own.has_news(15) && own.has_news(20));
        assert!(own.tell(&mut ledger, 40).is_empty());
        assert!(!own.has_news(50), "each is told once");
        assert_eq!(own.release_position(50), 10);
        other.begin(part(1, 0));
        assert_eq!(other.tell(&mut ledger, 10).iter().collect::<Vec<_>>(), [0]);
        own.listen(&ledger);
        assert_eq!((own.release_position(50), other.release_position(10)), (30, 10));
        other.begin(part(2, 10));
        other.tell(&mut ledger, 20);
        own.listen(&ledger);
        assert_eq!(own.release_position(50), 50);
    }

    #[test]
    fn a_failure_is_told_once_and_reaches_who_depends_on_it() {
        let mut ledger = Ledger::new(2);
        let (mut own, mut other) = (Gate::new(0), Gate::new(1));
        own.begin(part(1, 10));
        own.tell(&mut ledger, 20);
        other.lose_from(5);
        assert!(other.has_news(5));
        assert_eq!(other.tell(&mut ledger, 5).iter().collect::<Vec<_>>(), [0]);
        assert!(!other.has_news(5));
        own.listen(&ledger);
        assert_eq!((own.lost_position(), other.lost_position()), (10, 5));
    }
}
