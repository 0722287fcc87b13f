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

use std::collections::VecDeque;

use durability::TransactionId;
use net::Envelope;

use super::numbers::{NumberMap, NumberSet};
use crate::message::{Message, Origin, Purpose};

/// What a claim is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The whole shard.
    Everything,
    /// Keys with these hashes.
    Keys(Vec<u64>),
}

/// The claims of a shard.
#[derive(Default)]
pub(crate) struct Holds {
    /// In order of arrival.
    claims: VecDeque<Claim>,
    /// How many claims name a key.
    keys: NumberMap<u64, u32>,
    /// How many claims are about everything.
    everything: u32,
    /// How many claims are of work that waits.
    waiting: usize,
}

struct Claim {
    claimed: Claimed,
    state: State,
}

enum State {
    /// The transaction holds what it claimed.
    Held(TransactionId),
    /// This runs when it is its turn.
    Waiting(Envelope<Message>),
}

impl Holds {
    /// Whether nothing is claimed: then everything may run at once.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether somebody older claims any of this.
    pub(crate) fn is_claimed(&self, claimed: &Claimed) -> bool {
        match claimed {
            Claimed::Everything => !self.claims.is_empty(),
            Claimed::Keys(keys) => {
                self.everything > 0 || keys.iter().any(|key| self.keys.contains_key(key))
            }
        }
    }

    /// Whether somebody claims a key.
    pub(crate) fn claims(&self, key: u64) -> bool {
        self.everything > 0 || self.keys.contains_key(&key)
    }

    /// A transaction holds what nobody claims.
    pub(crate) fn hold(&mut self, id: TransactionId, claimed: Claimed) {
        self.add(claimed, State::Held(id));
    }

    /// Work waits until all that is older and claims any of this is done.
    pub(crate) fn wait(&mut self, envelope: Envelope<Message>, claimed: Claimed) {
        self.waiting += 1;
        self.add(claimed, State::Waiting(envelope));
    }

    /// The transaction lets go of what it held here.
    pub(crate) fn release(&mut self, id: TransactionId) {
        let holds = |claim: &Claim| matches!(claim.state, State::Held(held) if held == id);
        if let Some(at) = self.claims.iter().position(holds) {
            self.remove(at);
        }
    }

    /// Takes out a command that may wait for keys, and waits here for its first attempt.
    pub(crate) fn take_waiting(&mut self, origin: Origin) -> Option<Envelope<Message>> {
        let is_it = |claim: &Claim| match &claim.state {
            State::Waiting(envelope) => {
                matches!(envelope.purpose, Purpose::Wait) && envelope.work.origin == origin
            }
            State::Held(_) => false,
        };
        let at = self.claims.iter().position(is_it)?;
        self.waiting -= 1;
        match self.remove(at) {
            State::Waiting(envelope) => Some(envelope),
            State::Held(_) => None,
        }
    }

    /// Hashes of all keys that are claimed; `None`: everything is.
    pub(crate) fn claimed(&self) -> Option<impl Iterator<Item = u64> + '_> {
        (self.everything == 0).then(|| self.keys.keys().copied())
    }

    /// Takes the oldest work out whose turn it is. A marker holds from then on what it claimed:
    /// `marks` tells which transaction it begins.
    pub(crate) fn take_ready(
        &mut self,
        marks: impl Fn(&Message) -> Option<TransactionId>,
    ) -> Option<Envelope<Message>> {
        let at = self.ready()?;
        let State::Waiting(envelope) = &self.claims[at].state else { return None };
        let taken = match marks(envelope) {
            Some(id) => std::mem::replace(&mut self.claims[at].state, State::Held(id)),
            None => self.remove(at),
        };
        match taken {
            State::Waiting(envelope) => {
                self.waiting -= 1;
                Some(envelope)
            }
            State::Held(_) => None,
        }
    }

    /// The oldest waiting claim of which no older one names any key.
    fn ready(&self) -> Option<usize> {
        if self.waiting == 0 {
            return None;
        }
        let mut older: NumberSet<u64> = NumberSet::default();
        for (at, claim) in self.claims.iter().enumerate() {
            let Claimed::Keys(keys) = &claim.claimed else {
                let first = at == 0 && matches!(claim.state, State::Waiting(_));
                return first.then_some(at);
            };
            let free = keys.iter().all(|key| !older.contains(key));
            if free && matches!(claim.state, State::Waiting(_)) {
                return Some(at);
            }
            older.extend(keys);
        }
        None
    }

    fn add(&mut self, claimed: Claimed, state: State) {
        match &claimed {
            Claimed::Everything => self.everything += 1,
            Claimed::Keys(keys) => {
                keys.iter().for_each(|key| *self.keys.entry(*key).or_default() += 1);
            }
        }
        self.claims.push_back(Claim { claimed, state });
    }

    fn remove(&mut self, at: usize) -> State {
        let claim = self.claims.remove(at).expect("a claim's place was just found");
        match &claim.claimed {
            Claimed::Everything => self.everything -= 1,
            Claimed::Keys(keys) => keys.iter().for_each(|key| self.forget(*key)),
        }
        claim.state
    }

    fn forget(&mut self, key: u64) {
        if let Some(count) = self.keys.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.keys.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claimed, Holds};
    use durability::TransactionId;
    use net::Envelope;

    use crate::message::Message;

    fn work(place: u64) -> Envelope<Message> {
        let mut message = Message::default();
        message.work.origin.place = place;
        Envelope::new(message)
    }

    fn keys(keys: &[u64]) -> Claimed {
        Claimed::Keys(keys.to_vec())
    }

    /// The places of the work whose turn it is; work 100 and above is a marker.
    fn ready(holds: &mut Holds) -> Vec<u64> {
        let mut places = Vec::new();
        let marks = |message: &Message| {
            let place = message.work.origin.place;
            (place >= 100).then(|| TransactionId::new(0, place))
        };
        while let Some(envelope) = holds.take_ready(marks) {
            places.push(envelope.work.origin.place);
        }
        places
    }

    #[test]
    fn what_shares_a_key_waits_in_order_and_nothing_else() {
        let mut holds = Holds::default();
        assert!(holds.is_idle() && !holds.is_claimed(&Claimed::Everything));
        let first = TransactionId::new(0, 1);
        holds.hold(first, keys(&[1, 2]));
        assert!(holds.is_claimed(&keys(&[7, 2])) && !holds.is_claimed(&keys(&[3])));
        assert!(holds.is_claimed(&Claimed::Everything));
        holds.wait(work(1), keys(&[1]));
        holds.wait(work(100), keys(&[2, 3]));
        holds.wait(work(2), keys(&[3]));
        holds.wait(work(3), keys(&[1]));
        assert!(ready(&mut holds).is_empty());
        holds.release(first);
        assert_eq!(ready(&mut holds), [1, 100, 3]);
        holds.release(TransactionId::new(0, 100));
        assert_eq!(ready(&mut holds), [2]);
        assert!(holds.is_idle() && holds.keys.is_empty());
    }

    #[test]
    fn everything_waits_for_all_and_all_for_it() {
        let mut holds = Holds::default();
        let first = TransactionId::new(0, 1);
        holds.hold(first, keys(&[1]));
        holds.wait(work(1), Claimed::Everything);
        assert!(holds.is_claimed(&keys(&[9])));
        holds.wait(work(2), keys(&[9]));
        assert!(ready(&mut holds).is_empty());
        holds.release(first);
        assert_eq!(ready(&mut holds), [1, 2]);
        assert!(holds.is_idle() && holds.everything == 0);
    }
}
