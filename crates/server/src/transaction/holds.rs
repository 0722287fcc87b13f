//! Keys of a shard that held transactions have claimed, and the work that waits for them.
//!
//! A transaction whose parts depend on each other holds its keys on each participant from its
//! marker until it is settled; what is about these keys waits meanwhile, in order of arrival, and
//! everything else goes on. Since whoever looks at such a key waits, too, nobody can tell waiting
//! from having run: what waits has taken effect, logically, when it entered the inbox, like all
//! else. So the commands that a connection sends after a waiting one need not wait.
//!
//! ```text
//! oldest   T1 holds a, b | GET a waits | T2 waits for b, c | SET c waits   youngest
//!          when T1 is settled: GET a runs, T2 holds b, c; SET c goes on waiting
//! ```
//!
//! A claim may go ahead when no older one names any of its keys. Markers enter all inboxes in one
//! order, so transactions never wait for each other in a circle. Keys are claimed by hash, in all
//! databases at once: a collision makes somebody wait in vain, no more.
//!
//! Each claim stands in the line of each of its keys. A claim that waits counts in how many of them
//! somebody older is in front of it: at none it is its turn. So whatever happens to a claim costs
//! time in proportion to its keys, however many claims there are. What claims everything stands in
//! no line: its turn is when nothing is held and nothing older waits, and whoever is younger counts
//! it as one more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use durability::TransactionId;
use net::Envelope;
use smallvec::SmallVec;

use super::numbers::NumberMap;
use crate::message::{Message, Origin, Purpose};

mod arrivals;
mod lines;

use arrivals::{Arrivals, Ticket};
use lines::{Lines, Stand};

/// Claims for which room is kept while nobody claims anything: 256 places of lines, 14 KiB.
const CLAIMS_KEPT_MAX: usize = 224;

/// What a claim is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The whole shard.
    Everything,
    /// Keys with these hashes.
    Keys(Hashes),
}

/// Hashes of keys. Most claims are about one or two on each shard, and travel without an
/// allocation.
pub(crate) type Hashes = SmallVec<[u64; 2]>;

/// The claims of a shard.
#[derive(Default)]
pub(crate) struct Holds {
    /// What transactions hold. It is older than all that waits for any of it.
    held: NumberMap<TransactionId, Holder>,
    waiting: Arrivals<Waiting>,
    /// Who claims a key.
    lines: Lines,
    /// Waiting claims whose turn has come; the oldest first. They may be gone since.
    turns: BinaryHeap<Reverse<Ticket>>,
    /// How many claims are about everything. The first of them is older than all that waits behind
    /// it, and younger than all that others hold.
    everything: usize,
}

struct Holder {
    claimed: Claimed,
    ticket: Ticket,
}

struct Waiting {
    claimed: Claimed,
    /// In how many lines somebody older is in front, plus one if somebody older claims everything.
    ahead: usize,
    /// This runs when it is its turn.
    envelope: Envelope<Message>,
}

impl Holds {
    /// Whether nothing is claimed: then everything may run at once.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }

    /// Whether somebody older claims any of this.
    pub(crate) fn is_claimed(&self, claimed: &Claimed) -> bool {
        match claimed {
            Claimed::Everything => !self.is_idle(),
            Claimed::Keys(keys) => {
                self.everything > 0 || keys.iter().any(|key| self.lines.has(*key))
            }
        }
    }

    /// Whether somebody claims a key.
    #[inline]
    pub(crate) fn claims(&self, key: u64) -> bool {
        self.everything > 0 || self.lines.has(key)
    }

    /// A transaction holds what nobody claims.
    pub(crate) fn hold(&mut self, id: TransactionId, claimed: Claimed) {
        debug_assert!(!self.is_claimed(&claimed), "somebody older claims it");
        let ticket = self.waiting.pass_by();
        self.line_up(&claimed, ticket);
        self.held.insert(id, Holder { claimed, ticket });
    }

    /// Work waits until all that is older and claims any of this is done.
    pub(crate) fn wait(&mut self, envelope: Envelope<Message>, claimed: Claimed) {
        let behind_all = usize::from(self.everything > 0);
        let ahead = behind_all + self.line_up(&claimed, self.waiting.next_ticket());
        let ticket = self.waiting.add(Waiting { claimed, ahead, envelope });
        self.note_turn(ticket);
    }

    /// The transaction lets go of what it held here.
    pub(crate) fn release(&mut self, id: TransactionId) {
        let Some(Holder { claimed, ticket }) = self.held.remove(&id) else { return };
        match claimed {
            Claimed::Everything => self.let_pass(self.waiting.oldest()),
            Claimed::Keys(keys) => self.leave_lines(&keys, ticket),
        }
        if self.held.is_empty() {
            self.look_at_oldest();
        }
    }

    /// Takes out a command that may wait for keys, and waits here for its first attempt. Looks at
    /// all that waits.
    pub(crate) fn take_waiting(&mut self, origin: Origin) -> Option<Envelope<Message>> {
        let is_it = |waiting: &Waiting| {
            let envelope = &waiting.envelope;
            matches!(envelope.purpose, Purpose::Wait) && envelope.work.origin == origin
        };
        let found = self.waiting.iter().find(|(_, waiting)| is_it(waiting));
        let ticket = found.map(|(ticket, _)| ticket)?;
        self.take(ticket)
    }

    /// Hashes of all keys that are claimed; `None`: everything is.
    pub(crate) fn claimed(&self) -> Option<impl Iterator<Item = u64> + '_> {
        (self.everything == 0).then(|| self.lines.keys())
    }

    /// Takes the oldest work out whose turn it is. A marker holds from then on what it claimed:
    /// `marks` tells which transaction it begins.
    pub(crate) fn take_ready(
        &mut self,
        marks: impl Fn(&Message) -> Option<TransactionId>,
    ) -> Option<Envelope<Message>> {
        while let Some(Reverse(ticket)) = self.turns.pop() {
            // Who is gone was taken out when its turn had come already.
            let Some(waiting) = self.waiting.find(ticket) else { continue };
            let Some(id) = marks(&waiting.envelope) else { return self.take(ticket) };
            let Waiting { claimed, envelope, .. } = self.waiting.remove(ticket)?;
            self.held.insert(id, Holder { claimed, ticket });
            return Some(envelope);
        }
        None
    }

    /// The youngest of all joins the lines of what it claims; returns in how many of them somebody
    /// is in front of it.
    fn line_up(&mut self, claimed: &Claimed, ticket: Ticket) -> usize {
        match claimed {
            Claimed::Everything => {
                self.everything += 1;
                0
            }
            Claimed::Keys(keys) => {
                let stands = keys.iter().map(|key| self.lines.join(*key, ticket));
                stands.filter(|stand| *stand == Stand::Behind).count()
            }
        }
    }

    /// Leaves the lines of keys; the turn of those behind may have come.
    fn leave_lines(&mut self, keys: &[u64], ticket: Ticket) {
        for key in keys {
            if let Some(next) = self.lines.leave(*key, ticket) {
                self.count_down(next);
            }
        }
    }

    /// What waits is taken out.
    fn take(&mut self, ticket: Ticket) -> Option<Envelope<Message>> {
        let was_oldest = self.waiting.oldest() == Some(ticket);
        let younger = self.waiting.younger(ticket);
        let Waiting { claimed, ahead, envelope } = self.waiting.remove(ticket)?;
        match claimed {
            Claimed::Keys(keys) => self.leave_lines(&keys, ticket),
            Claimed::Everything if ahead == 0 => self.let_pass(younger),
            Claimed::Everything => self.everything -= 1,
        }
        if was_oldest && self.held.is_empty() {
            self.look_at_oldest();
        }
        Some(envelope)
    }

    /// The first that claimed everything is gone: those behind it, from `next` on, count it no
    /// more; behind the next one that claims everything, they count that one instead. So whoever
    /// waits is passed by once at most.
    fn let_pass(&mut self, mut next: Option<Ticket>) {
        self.everything -= 1;
        while let Some(ticket) = next {
            self.count_down(ticket);
            next = self.waiting.younger(ticket).filter(|_| !self.is_of_everything(ticket));
        }
    }

    /// One thing less is ahead of what waits.
    fn count_down(&mut self, ticket: Ticket) {
        self.waiting[ticket].ahead -= 1;
        if !self.is_of_everything(ticket) {
            self.note_turn(ticket);
        }
    }

    /// Nothing is held any more, or what waited longest does not: then it may be the turn of what
    /// claims everything, or nobody claims anything.
    fn look_at_oldest(&mut self) {
        match self.waiting.oldest() {
            Some(oldest) if self.is_of_everything(oldest) => self.note_turn(oldest),
            Some(_) => {}
            None => self.rest(),
        }
    }

    /// Notes if the turn of what waits has just come.
    fn note_turn(&mut self, ticket: Ticket) {
        let waiting = &self.waiting[ticket];
        let has_turn = match waiting.claimed {
            Claimed::Everything => self.held.is_empty() && self.waiting.oldest() == Some(ticket),
            Claimed::Keys(_) => waiting.ahead == 0,
        };
        if has_turn {
            self.turns.push(Reverse(ticket));
        }
    }

    fn is_of_everything(&self, ticket: Ticket) -> bool {
        matches!(self.waiting[ticket].claimed, Claimed::Everything)
    }

    /// Nobody claims anything: gives back what only many claims need.
    fn rest(&mut self) {
        self.turns.clear();
        let room = self.held.capacity().max(self.waiting.capacity()).max(self.lines.capacity());
        if room > CLAIMS_KEPT_MAX {
            self.held.shrink_to(CLAIMS_KEPT_MAX);
            self.waiting.give_back(CLAIMS_KEPT_MAX);
            self.lines.give_back(CLAIMS_KEPT_MAX);
            self.turns.shrink_to(CLAIMS_KEPT_MAX);
        }
    }
}

#[cfg(test)]
mod tests;
