//! Claims, by hand and by chance.

use std::collections::BTreeSet;

use durability::TransactionId;
use net::Envelope;

use super::{CLAIMS_KEPT_MAX, Claimed, Holds};
use crate::message::{Message, Origin, Purpose};

fn work(place: u64) -> Envelope<Message> {
    let mut message = Message::default();
    message.work.origin.place = place;
    Envelope::new(message)
}

fn keys(keys: &[u64]) -> Claimed {
    Claimed::Keys(keys.into())
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

/// Whether nothing is left of any claim, and nothing is kept but the room of some.
fn is_empty(holds: &Holds) -> bool {
    let left = holds.lines.keys().count() + holds.held.len() + holds.turns.len();
    let room = holds.held.capacity().max(holds.turns.capacity());
    holds.is_idle() && left + holds.everything == 0 && room <= CLAIMS_KEPT_MAX
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
    assert!(is_empty(&holds));
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
    assert!(is_empty(&holds));
}

#[test]
fn many_claims_give_their_room_back() {
    let mut holds = Holds::default();
    let first = TransactionId::new(0, 1);
    holds.hold(first, Claimed::Everything);
    let places: Vec<u64> = (1..=5000).map(|count| 100 + count).collect();
    for place in &places {
        holds.wait(work(*place), keys(&[*place, *place]));
    }
    assert!(ready(&mut holds).is_empty());
    holds.release(first);
    assert_eq!(ready(&mut holds), places);
    for place in &places {
        assert!(holds.claims(*place));
        holds.release(TransactionId::new(0, *place));
    }
    assert!(is_empty(&holds));
}

/// The same without any index: each question is answered by a walk over all claims.
#[derive(Default)]
struct Model(Vec<Claim>);

struct Claim {
    /// `None`: everything.
    keys: Option<Vec<u64>>,
    /// Of the work, or of the transaction that was its marker.
    place: u64,
    waits: bool,
}

impl Claim {
    fn shares(&self, keys: Option<&[u64]>) -> bool {
        let (Some(own), Some(keys)) = (&self.keys, keys) else { return true };
        own.iter().any(|key| keys.contains(key))
    }
}

impl Model {
    fn is_claimed(&self, keys: Option<&[u64]>) -> bool {
        self.0.iter().any(|claim| claim.shares(keys))
    }

    fn release(&mut self, place: u64) {
        self.0.retain(|claim| claim.waits || claim.place != place);
    }

    fn take_waiting(&mut self, place: u64) -> Option<u64> {
        let is_it = |claim: &Claim| claim.waits && claim.place == place && may_wait(place);
        let at = self.0.iter().position(is_it)?;
        Some(self.0.remove(at).place)
    }

    fn take_ready(&mut self) -> Option<u64> {
        let has_turn = |at: &usize| {
            let claim = &self.0[*at];
            let is_older = |older: &Claim| older.shares(claim.keys.as_deref());
            claim.waits && !self.0[..*at].iter().any(is_older)
        };
        let at = (0..self.0.len()).find(has_turn)?;
        let place = self.0[at].place;
        if is_marker(place) {
            self.0[at].waits = false;
        } else {
            self.0.remove(at);
        }
        Some(place)
    }
}

fn is_marker(place: u64) -> bool {
    place.is_multiple_of(3)
}

/// Whether it is a command that may wait for keys.
fn may_wait(place: u64) -> bool {
    place % 3 == 1
}

const KEYS: u64 = 6;

/// Claims, and the model of them.
struct Both {
    holds: Holds,
    model: Model,
    seed: u64,
    /// How much has arrived.
    places: u64,
    /// How much work had its turn.
    turns: u64,
}

impl Both {
    /// A number below `bound`, by chance.
    fn below(&mut self, bound: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 32) % bound
    }

    /// Some keys, some of them twice, or none, or everything.
    fn claimed(&mut self) -> Option<Vec<u64>> {
        let count = self.below(9);
        (count < 8).then(|| (0..count / 2).map(|_| self.below(KEYS)).collect())
    }

    fn arrive(&mut self) {
        self.places += 1;
        let place = self.places;
        let keys = self.claimed();
        let claimed = keys.as_ref().map_or(Claimed::Everything, |keys| self::keys(keys));
        let waits = self.model.is_claimed(keys.as_deref());
        assert_eq!(self.holds.is_claimed(&claimed), waits);
        if waits || self.below(8) == 0 {
            let mut envelope = work(place);
            envelope.purpose = if may_wait(place) { Purpose::Wait } else { Purpose::Run };
            self.holds.wait(envelope, claimed);
            self.model.0.push(Claim { keys, place, waits: true });
        } else if is_marker(place) {
            self.holds.hold(TransactionId::new(0, place), claimed);
            self.model.0.push(Claim { keys, place, waits: false });
        }
    }

    /// The place of a claim, or now and then of nobody.
    fn some_place(&mut self) -> u64 {
        let at = self.below(self.model.0.len() as u64 + 1) as usize;
        self.model.0.get(at).map_or(self.places + 1, |claim| claim.place)
    }

    fn release(&mut self) {
        let place = self.some_place();
        self.holds.release(TransactionId::new(0, place));
        self.model.release(place);
    }

    fn take_waiting(&mut self) {
        let place = self.some_place();
        let taken = self.holds.take_waiting(Origin { place, ..Origin::default() });
        let taken = taken.map(|envelope| envelope.work.origin.place);
        assert_eq!(taken, self.model.take_waiting(place));
    }

    /// False: it is nobody's turn.
    fn take_ready(&mut self) -> bool {
        let marks = |message: &Message| {
            let place = message.work.origin.place;
            is_marker(place).then(|| TransactionId::new(0, place))
        };
        let taken = self.holds.take_ready(marks).map(|envelope| envelope.work.origin.place);
        assert_eq!(taken, self.model.take_ready());
        self.turns += u64::from(taken.is_some());
        taken.is_some()
    }

    fn check(&self) {
        let claims = &self.model.0;
        assert_eq!(self.holds.is_idle(), claims.is_empty());
        for key in 0..KEYS {
            assert_eq!(self.holds.claims(key), self.model.is_claimed(Some(&[key])));
        }
        let claimed: Option<BTreeSet<u64>> = self.holds.claimed().map(Iterator::collect);
        let keys: Option<Vec<&Vec<u64>>> = claims.iter().map(|claim| claim.keys.as_ref()).collect();
        assert_eq!(claimed, keys.map(|keys| keys.into_iter().flatten().copied().collect()));
    }
}

#[test]
fn claims_go_ahead_as_if_all_were_looked_at_each_time() {
    let (mut places, mut turns) = (0, 0);
    for seed in 1..=2000 {
        let (holds, model) = (Holds::default(), Model::default());
        let mut both = Both { holds, model, seed: seed << 32 | seed, places: 0, turns: 0 };
        // With few claims at a time, and with many.
        let crowd = 2 + seed % 40;
        for _ in 0..200 {
            match both.below(8) {
                0..4 if (both.model.0.len() as u64) < crowd => both.arrive(),
                0..5 => both.release(),
                5 => both.take_waiting(),
                6 => _ = both.take_ready(),
                _ => while both.take_ready() {},
            }
            both.check();
        }
        while !both.model.0.is_empty() {
            both.release();
            while both.take_ready() {}
        }
        assert!(is_empty(&both.holds));
        (places, turns) = (places + both.places, turns + both.turns);
    }
    assert!(turns > places / 4, "of {places} that came, {turns} had a turn: that tests little");
}
