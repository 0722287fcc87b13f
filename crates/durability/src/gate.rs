//! Which transactions over several shards are not yet safe, and so how far this shard's replies
//! may leave.
//!
//! Recovery cuts a segment before the first transaction of which any part is missing. So what
//! this shard appended behind such a part must not be acknowledged yet, though it is written:
//!
//! ```text
//!  segment    ..... | part of 3-17 | SET a | part of 5-2 | SET b |
//!                   ^ release position while 3-17 lacks its part on another shard:
//!                     the reply to SET a waits
//! ```
//!
//! That a transaction has all its parts is not enough. Here T has, and is cut all the same:
//!
//! ```text
//!  shard 2              (S's part is not written)
//!  shard 1   | S | T |  cut before S, and so T's part here goes
//!  shard 0   | T | SET a |  cut before T: SET a must not have been acknowledged
//! ```
//!
//! So shards tell each other of written parts by this rule: *shard s tells participant r of a part
//! as soon as it is written, and every earlier part that is still open at s has r as a participant
//! too.* A part is retired, and no longer holds replies, once it is written, all other
//! participants have told of theirs, and all earlier parts of this shard are retired.
//!
//! Why no retired transaction is ever cut: suppose T, retired at r, is. Then a chain of drops leads
//! to it, from a transaction that really lacks a part, and the last link is some T' that lies
//! before T on a shard s. If s is r, T' was retired at r before T. Else s told r of T when T' was
//! either retired at s, or open at s with r as a participant, and then r had it before T in its
//! own segment, as both have their common transactions in the same order, and retired it before T.
//! In each case T' is a retired transaction that is cut, one link nearer to the beginning of the
//! chain; but the one at its beginning was never retired anywhere, because one of its parts was
//! never written.
//!
//! What it costs: with two shards nothing is ever delayed, as both are participants of everything;
//! all transactions of a tick are retired one exchange of messages later. With more, unlike
//! transactions in flight wait for each other in a row. In a simulation with random pairs of
//! shards and 200 transactions in flight, one exchange retires 2.2 of them with 4 shards, 2.9 with
//! 8, 4.8 with 16, in all. Where that is too few, transactions have to be numbered in one order
//! when their markers are pushed: then each shard need only publish up to which number everything
//! pushed to it is written, and the smallest of these retires all below it at once.
//!
//! # Parts that are lost
//!
//! After a failed fsync a segment takes no more bytes: what it lacks then it will lack for ever
//! ([`TransactionGate::lose_from`]). A part that lies there is lost, and so are, on every other
//! participant, that transaction's part and all parts behind it, since a part is retired only
//! behind its elders. Whoever loses a part tells the other participants of it
//! ([`TransactionGate::poll_lost`]), and so the loss reaches everyone who would wait in vain:
//!
//! ```text
//!  shard 2   | S |         S is lost: it tells 1
//!  shard 1   | S | T |     loses S, and T with it, which 0 is never told of: it tells 0 (and 2)
//!  shard 0   | T | SET a | loses T: the reply to SET a will never leave
//! ```
//!
//! Only what can never be retired is given up. If T lies behind S on shard 1, and S will never be
//! whole, no shard has retired T: it would have needed the word of shard 1, which gives it behind
//! an open S only to a participant of S, and there S lies before T too.
//!
//! A shard without open transactions pays two comparisons a tick
//! ([`TransactionGate::release_position`]).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::transaction::{Participants, TransactionId};

/// The open transactions of one shard. See the module text.
#[derive(Debug)]
pub struct TransactionGate {
    shard: u16,
    /// This shard's parts in the order of the segment, from the first one on that is not retired.
    parts: VecDeque<OpenPart>,
    /// How many of `parts`, from the front, are written.
    written: usize,
    /// How many of `parts`, from the front, all others have been told of; at most `written`.
    told: usize,
    /// The shards that are participants of each of these `told` parts.
    common: Participants,
    /// How many other participants have told of their part, for parts that are not retired.
    reported: HashMap<TransactionId, u32>,
    losses: Losses,
}

/// What will never be released. See the module text.
#[derive(Debug)]
struct Losses {
    /// Where it begins in the segment; `u64::MAX` while nothing is lost.
    from: u64,
    /// Lost parts whose other participants are still to be told.
    untold: Vec<Part>,
    /// Transactions lost elsewhere whose parts have not begun here. Empty once something is lost
    /// here: every part that begins then is lost anyway.
    ahead: HashSet<TransactionId>,
}

/// A part that this shard wrote.
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

/// Word of a written part, for some of the other participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The transaction.
    pub id: TransactionId,
    /// The participants to tell now. Others may follow in another announcement of the same part;
    /// each is told once.
    pub participants: Participants,
}

#[derive(Debug)]
struct OpenPart {
    part: Part,
    /// The others that have not been told of it.
    untold: Participants,
}

impl TransactionGate {
    /// The gate of `shard`.
    pub fn new(shard: u16) -> Self {
        Self {
            shard,
            parts: VecDeque::new(),
            written: 0,
            told: 0,
            common: Participants::everyone(),
            reported: HashMap::new(),
            losses: Losses { from: u64::MAX, untold: Vec::new(), ahead: HashSet::new() },
        }
    }

    /// This shard has appended its part. Parts come in the order of the segment, and any two
    /// shards have the transactions that they share in the same order.
    ///
    /// # Panics
    /// If the part does not lie behind the last one, or this shard is no participant.
    pub fn begin(&mut self, part: Part) {
        assert!(part.participants.contains(self.shard), "a part is of a participant");
        let behind = self.parts.back().is_none_or(|last| last.part.end <= part.start);
        assert!(behind && part.start <= part.end, "parts come in the order of the segment");
        let mut untold = part.participants;
        untold.remove(self.shard);
        if untold.is_empty() {
            // Complete once it is written, like any record.
            return;
        }
        if self.losses.ahead.remove(&part.id) {
            self.lose_from(part.start);
        }
        if part.start >= self.losses.from {
            return self.lose(part);
        }
        self.parts.push_back(OpenPart { part, untold });
    }

    /// Whom to tell of which written part now, given what the segment has `acknowledged` (see
    /// [`crate::Segment::acknowledged`]); `None` when there is nobody to tell. Ask until then
    /// after each write, and after each [`Self::handle_part_written`].
    pub fn poll_written(&mut self, acknowledged: u64) -> Option<Announcement> {
        while self.parts.get(self.written).is_some_and(|open| open.part.end <= acknowledged) {
            self.written += 1;
        }
        loop {
            let word = self.next_word();
            let open = self.parts.len();
            self.retire();
            // What was retired may have been in the way of further words.
            if word.is_some() || self.parts.len() == open {
                return word;
            }
        }
    }

    /// The next part that somebody may be told of, as the parts stand.
    fn next_word(&mut self) -> Option<Announcement> {
        let mut common = self.common;
        for index in self.told..self.written {
            let OpenPart { part, untold } = &mut self.parts[index];
            let now = untold.intersection(&common);
            *untold = untold.without(&now);
            common = common.intersection(&part.participants);
            let id = part.id;
            if index == self.told && untold.is_empty() {
                self.told += 1;
                self.common = common;
            }
            if !now.is_empty() {
                return Some(Announcement { id, participants: now });
            }
            if common.len() <= 1 {
                // Only this shard is left: nobody can be told of what follows.
                break;
            }
        }
        None
    }

    /// Another participant has told of its part of `id`. Once for each of them; it may come before
    /// this shard has begun its own part.
    pub fn handle_part_written(&mut self, id: TransactionId) {
        if self.losses.from < u64::MAX && !self.parts.iter().any(|open| open.part.id == id) {
            // Lost here, or to be lost when it begins.
            return;
        }
        *self.reported.entry(id).or_insert(0) += 1;
        self.retire();
    }

    /// This segment will never have what lies at `position` or behind it: an fsync failed, and
    /// this is what was acknowledged by then. It may be said again.
    pub fn lose_from(&mut self, position: u64) {
        if position >= self.losses.from {
            return;
        }
        self.losses.from = position;
        self.losses.ahead = HashSet::new();
        while self.parts.back().is_some_and(|open| open.part.start >= position) {
            let Some(open) = self.parts.pop_back() else { break };
            self.lose(open.part);
        }
        self.written = self.written.min(self.parts.len());
        if self.told > self.parts.len() {
            self.told = self.parts.len();
            self.count_common();
        }
    }

    /// Another participant has lost its part of `id`, or will never tell of it. It may come before
    /// this shard has begun its own part, and more than once.
    pub fn handle_part_lost(&mut self, id: TransactionId) {
        match self.parts.iter().find(|open| open.part.id == id) {
            Some(open) => self.lose_from(open.part.start),
            None if self.losses.from == u64::MAX => {
                self.losses.ahead.insert(id);
            }
            None => {}
        }
    }

    /// Whom to tell of which lost part now; `None` when there is nobody to tell. Ask until then
    /// after each call that may lose something.
    pub fn poll_lost(&mut self) -> Option<Announcement> {
        let part = self.losses.untold.pop()?;
        let mut participants = part.participants;
        participants.remove(self.shard);
        Some(Announcement { id: part.id, participants })
    }

    /// Replies that depend on more than this will never leave; `u64::MAX` while nothing is lost.
    #[inline]
    pub fn lost_position(&self) -> u64 {
        self.losses.from
    }

    /// The position up to which replies may leave, given what the segment has `acknowledged`.
    #[inline]
    pub fn release_position(&self, acknowledged: u64) -> u64 {
        let acknowledged = acknowledged.min(self.losses.from);
        match self.parts.front() {
            None => acknowledged,
            Some(open) => open.part.start.min(acknowledged),
        }
    }

    /// How many transactions are open here.
    pub fn open_count(&self) -> usize {
        self.parts.len()
    }

    /// Drops parts from the front that are written, told of, and reported by all others.
    fn retire(&mut self) {
        let before = self.told;
        while self.told > 0 {
            let Some(OpenPart { part, .. }) = self.parts.front() else { break };
            let others = part.participants.len() - 1;
            if self.reported.get(&part.id).is_none_or(|&count| count < others) {
                break;
            }
            self.reported.remove(&part.id);
            self.parts.pop_front();
            self.told -= 1;
            self.written -= 1;
        }
        if self.told < before {
            self.count_common();
        }
    }

    /// A part that does not stand in `parts`, or no longer, is lost.
    fn lose(&mut self, part: Part) {
        self.reported.remove(&part.id);
        self.losses.untold.push(part);
    }

    /// Finds `common` anew.
    fn count_common(&mut self) {
        let told = self.parts.iter().take(self.told);
        self.common = told.fold(Participants::everyone(), |common, open| {
            common.intersection(&open.part.participants)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(counter: u64, start: u64, shards: &[u16]) -> Part {
        let participants = shards.iter().copied().collect();
        Part { id: id(counter), start, end: start + 10, participants }
    }

    fn id(counter: u64) -> TransactionId {
        TransactionId::new(0, counter)
    }

    fn told(gate: &mut TransactionGate, acknowledged: u64) -> Vec<(u64, Vec<u16>)> {
        std::iter::from_fn(|| gate.poll_written(acknowledged))
            .map(|word| (word.id.counter(), word.participants.iter().collect()))
            .collect()
    }

    #[test]
    fn replies_wait_for_the_parts_of_others() {
        let mut gate = TransactionGate::new(1);
        assert_eq!(gate.release_position(50), 50);
        gate.begin(part(1, 100, &[1, 2]));
        gate.begin(part(2, 110, &[0, 1, 2]));
        assert_eq!((gate.release_position(90), gate.release_position(130)), (90, 100));
        // Written here, but not there.
        assert_eq!(told(&mut gate, 109), []);
        assert_eq!(told(&mut gate, 115), [(1, vec![2])]);
        assert_eq!(gate.release_position(115), 100);
        gate.handle_part_written(id(1));
        assert_eq!(gate.release_position(130), 110);
        // There, but not here: two words of others do not replace the own write.
        gate.handle_part_written(id(2));
        gate.handle_part_written(id(2));
        assert_eq!(gate.release_position(115), 110);
        assert_eq!(told(&mut gate, 120), [(2, vec![0, 2])]);
        assert_eq!((gate.release_position(130), gate.open_count()), (130, 0));
        assert!(gate.reported.is_empty());
    }

    #[test]
    fn nobody_is_told_of_what_lies_behind_a_stranger() {
        let mut gate = TransactionGate::new(1);
        gate.begin(part(1, 0, &[1, 2]));
        gate.begin(part(2, 10, &[0, 1, 2]));
        gate.begin(part(3, 20, &[0, 1]));
        // Shard 0 has no part of 1, so it learns of 2 when 1 is complete; shard 2 at once.
        assert_eq!(told(&mut gate, 30), [(1, vec![2]), (2, vec![2])]);
        gate.handle_part_written(id(3));
        assert_eq!(told(&mut gate, 30), []);
        gate.handle_part_written(id(1));
        assert_eq!(told(&mut gate, 30), [(2, vec![0]), (3, vec![0])]);
        assert_eq!(gate.release_position(30), 10);
        gate.handle_part_written(id(2));
        gate.handle_part_written(id(2));
        assert_eq!((gate.release_position(30), gate.open_count()), (30, 0));
    }

    #[test]
    fn a_part_that_was_told_behind_another_is_retired_with_it() {
        let mut gate = TransactionGate::new(1);
        gate.begin(part(1, 0, &[0, 1, 2]));
        gate.begin(part(2, 10, &[1, 2, 3]));
        gate.begin(part(3, 20, &[1, 2]));
        assert_eq!(told(&mut gate, 30), [(1, vec![0, 2]), (2, vec![2]), (3, vec![2])]);
        for number in [3, 2, 2, 1, 1] {
            gate.handle_part_written(id(number));
        }
        assert_eq!(told(&mut gate, 30), [(2, vec![3])]);
        assert_eq!((gate.release_position(30), gate.open_count()), (30, 0));
    }

    #[test]
    fn two_shards_never_wait_for_each_other_twice() {
        let mut gate = TransactionGate::new(0);
        for number in 0..100 {
            gate.begin(part(number, number * 10, &[0, 1]));
        }
        assert_eq!(told(&mut gate, 1000).len(), 100);
        for number in (0..100).rev() {
            assert_eq!(gate.release_position(1000), 0);
            gate.handle_part_written(id(number));
        }
        assert_eq!(gate.release_position(1000), 1000);
    }

    #[test]
    fn word_may_come_before_the_part_and_out_of_order() {
        let mut gate = TransactionGate::new(0);
        gate.handle_part_written(id(2));
        gate.begin(part(1, 0, &[0, 3]));
        gate.begin(part(2, 10, &[0, 3]));
        assert_eq!(told(&mut gate, 20).len(), 2);
        assert_eq!(gate.release_position(20), 0, "2 is complete, but 1 lies before it");
        gate.handle_part_written(id(1));
        assert_eq!(gate.release_position(20), 20);
        assert!(gate.reported.is_empty());
    }

    /// The parts that the gate says are lost, with whom to tell, ascending.
    fn lost(gate: &mut TransactionGate) -> Vec<(u64, Vec<u16>)> {
        let mut words: Vec<_> = std::iter::from_fn(|| gate.poll_lost())
            .map(|word| (word.id.counter(), word.participants.iter().collect()))
            .collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn what_lies_behind_the_acknowledged_is_lost_with_its_segment() {
        let mut gate = TransactionGate::new(0);
        gate.begin(part(1, 0, &[0, 1]));
        gate.begin(part(2, 10, &[0, 1, 2]));
        assert_eq!((gate.lost_position(), lost(&mut gate)), (u64::MAX, vec![]));
        gate.lose_from(10);
        gate.lose_from(10);
        gate.begin(part(3, 20, &[0, 2]));
        assert_eq!(lost(&mut gate), [(2, vec![1, 2]), (3, vec![2])]);
        assert_eq!((gate.lost_position(), gate.release_position(10)), (10, 0));
        // What was written before still becomes complete.
        assert_eq!(told(&mut gate, 10), [(1, vec![1])]);
        gate.handle_part_written(id(2));
        gate.handle_part_written(id(1));
        assert_eq!((gate.release_position(10), gate.open_count()), (10, 0));
        // Whatever the policy is by then.
        assert_eq!(gate.release_position(30), 10);
        assert!(gate.reported.is_empty());
    }

    #[test]
    fn a_loss_elsewhere_takes_what_lies_behind_along() {
        let mut gate = TransactionGate::new(1);
        gate.begin(part(1, 0, &[1, 2]));
        gate.begin(part(2, 10, &[1, 2, 3]));
        gate.begin(part(3, 20, &[0, 1]));
        assert_eq!(told(&mut gate, 30), [(1, vec![2]), (2, vec![2])]);
        gate.handle_part_lost(id(2));
        gate.handle_part_lost(id(2));
        // Shard 0 was never told of 3, and never will be.
        assert_eq!(lost(&mut gate), [(2, vec![2, 3]), (3, vec![0])]);
        assert_eq!((gate.lost_position(), gate.release_position(30)), (10, 0));
        gate.handle_part_lost(id(3));
        gate.handle_part_lost(id(4));
        gate.handle_part_written(id(1));
        assert_eq!((gate.release_position(30), gate.open_count()), (10, 0));
        assert_eq!(lost(&mut gate), []);
        gate.begin(part(4, 30, &[1, 2]));
        assert_eq!(lost(&mut gate), [(4, vec![2])]);
        assert!(gate.reported.is_empty() && gate.losses.ahead.is_empty());
    }

    #[test]
    fn word_of_a_loss_may_come_before_the_part() {
        let mut gate = TransactionGate::new(0);
        gate.handle_part_lost(id(2));
        gate.begin(part(1, 0, &[0, 3]));
        assert_eq!((gate.lost_position(), lost(&mut gate)), (u64::MAX, vec![]));
        gate.begin(part(2, 10, &[0, 3]));
        gate.begin(part(3, 20, &[0, 1]));
        assert_eq!(lost(&mut gate), [(2, vec![3]), (3, vec![1])]);
        assert_eq!(gate.lost_position(), 10);
        assert_eq!(told(&mut gate, 30), [(1, vec![3])]);
        gate.handle_part_written(id(1));
        assert_eq!(gate.release_position(30), 10);
    }

    #[test]
    fn a_transaction_of_one_shard_waits_for_nobody() {
        let mut gate = TransactionGate::new(4);
        gate.begin(part(1, 0, &[4]));
        gate.begin(part(2, 10, &[4, 5]));
        assert_eq!((gate.release_position(5), gate.release_position(20)), (5, 10));
        assert_eq!(told(&mut gate, 20), [(2, vec![5])]);
    }
}
