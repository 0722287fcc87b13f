//! Linearizability: is there one order of all operations that explains every reply?
//!
//! The search is that of Wing and Gong with the memory of Lowe: take operations one after another,
//! each allowed if no other that is left was answered before it was sent, do each on the model, and
//! go back when a reply does not fit; never try again from a place (the same operations taken, the
//! same state) that led nowhere. Two things make it small: a connection's operations take effect in
//! the order it sent them, so what was taken is one number for each connection; and values are
//! unique, so a reply that is looked at early rules most orders out.
//!
//! Of the operations that need not have taken effect mostly few did, and which ones, many orders
//! have to be tried to find out: so orders with none of them are tried first, then with one, and so
//! on; those whose values nobody ever saw come last of all.
//!
//! An operation without an answer took effect before its deadline, or never. One that the server
//! refused while its log was failing may have, too. Which of a dead connection's unanswered
//! operations survived a crash does not depend on their order: each shard has its own log.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use resp::Value as Reply;

use crate::history::{Event, Moment, NEVER};
use crate::model::{SESSIONS_MAX, State, Texts, apply, pass_over};
use crate::operation::Value;

/// How many operations that need not have taken effect an order may have, one try after the other,
/// and whether those may be among them whose values nobody saw.
const TRIES: &[(usize, bool)] = &[
    (0, false),
    (1, false),
    (2, false),
    (3, false),
    (4, false),
    (6, false),
    (usize::MAX, false),
    (usize::MAX, true),
];

/// Places looked at before a try is given up: some tenths of a second.
const PLACES_MAX: usize = 300_000;

/// The same for the last one, and so for the judge: some seconds.
const LAST_PLACES_MAX: usize = 3_000_000;

/// What the judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is an order.
    Possible,
    /// There is none. The longest order that explains a part, as indices into the history, and
    /// what could have come next but does not fit.
    Impossible { explained: Vec<usize>, unfit: Vec<usize> },
    /// The history is too tangled to tell.
    Unknown,
}

/// Judges a history, of which each connection's events are in their order.
pub(crate) fn judge(history: &[Event]) -> Verdict {
    let mut sessions = vec![Vec::new(); SESSIONS_MAX];
    for (index, event) in history.iter().enumerate() {
        // A read that nobody saw the answer of says nothing.
        if !(event.is_optional() && event.operation.is_plain_read()) {
            sessions[event.session].push(index);
        }
    }
    let mut search = Search {
        history,
        sessions,
        texts: Texts::default(),
        seen: HashSet::new(),
        hasher: RandomState::new(),
        order: Vec::new(),
        deepest: Vec::new(),
        unfit: Vec::new(),
        places_max: PLACES_MAX,
        seen_values: SeenValues::of(history),
        with_unseen: false,
    };
    let optional = search.sessions.iter().flatten().filter(|it| history[**it].is_optional());
    let optional = optional.count();
    let mut verdict = Verdict::Unknown;
    for &(most, with_unseen) in TRIES {
        let is_last = most >= optional && (with_unseen || search.seen_values.all);
        search.with_unseen = with_unseen;
        search.places_max = if is_last { LAST_PLACES_MAX } else { PLACES_MAX };
        search.seen.clear();
        search.order.clear();
        verdict = match search.explore(&Place::begin(most)) {
            Some(true) => return Verdict::Possible,
            Some(false) => Verdict::Impossible {
                explained: search.deepest.clone(),
                unfit: search.unfit.clone(),
            },
            None => Verdict::Unknown,
        };
        if is_last {
            break;
        }
    }
    verdict
}

/// How far an order has come.
#[derive(Clone, Copy, Hash)]
struct Place {
    /// Of each connection, how many operations are taken or passed over.
    taken: [u8; SESSIONS_MAX],
    state: State,
    /// The latest of the moments at which a taken operation was sent.
    latest_invoked: Moment,
    /// How many more operations that need not have taken effect may be taken.
    optional_left: usize,
}

impl Place {
    fn begin(optional_max: usize) -> Self {
        Self {
            taken: [0; SESSIONS_MAX],
            state: State::EMPTY,
            latest_invoked: 0,
            optional_left: optional_max,
        }
    }
}

struct Search<'a> {
    history: &'a [Event],
    /// Of each connection, its events.
    sessions: Vec<Vec<usize>>,
    texts: Texts,
    /// Hashes of places that led nowhere, or are being explored.
    seen: HashSet<u64>,
    hasher: RandomState,
    order: Vec<usize>,
    deepest: Vec<usize>,
    unfit: Vec<usize>,
    places_max: usize,
    seen_values: SeenValues,
    /// Whether operations may be taken that need not have taken effect, and whose values nobody saw.
    with_unseen: bool,
}

/// Which operations wrote a value that some reply shows, or write no value of their own.
struct SeenValues {
    /// By event.
    by_event: Vec<bool>,
    /// Whether that is so for every operation that need not have taken effect.
    all: bool,
}

impl SeenValues {
    fn of(history: &[Event]) -> Self {
        let mut values = HashSet::new();
        for reply in history.iter().filter_map(Event::telling_reply) {
            collect_values(reply, &mut values);
        }
        let is_seen = |event: &Event| {
            let mut own = Vec::new();
            event.operation.values(&mut own);
            own.is_empty() || own.iter().any(|value| values.contains(value))
        };
        let by_event: Vec<bool> = history.iter().map(is_seen).collect();
        let mut optional = history.iter().zip(&by_event).filter(|(event, _)| event.is_optional());
        let all = optional.all(|(_, seen)| *seen);
        Self { by_event, all }
    }
}

/// The values that a reply shows: `v1v12` has two.
fn collect_values(reply: &Reply, values: &mut HashSet<Value>) {
    match reply {
        Reply::Bulk(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            values.extend(text.split('v').filter_map(|number| number.parse::<Value>().ok()));
        }
        Reply::Array(replies) => replies.iter().for_each(|reply| collect_values(reply, values)),
        _ => {}
    }
}

impl Search<'_> {
    /// Whether an order goes on from here to the end; `None`: too many places.
    fn explore(&mut self, place: &Place) -> Option<bool> {
        let (candidates, done) = self.candidates(place);
        if done {
            return Some(true);
        }
        let mut unfit = Vec::new();
        for (session, index) in candidates {
            for state in self.passed_over(place, session, index) {
                if self.take(&Place { state, ..*place }, session, index, &mut unfit)? {
                    return Some(true);
                }
            }
        }
        if self.order.len() >= self.deepest.len() {
            self.deepest.clone_from(&self.order);
            self.unfit = unfit;
        }
        Some(false)
    }

    /// Takes an operation, and goes on from there.
    fn take(
        &mut self,
        place: &Place,
        session: usize,
        index: usize,
        unfit: &mut Vec<usize>,
    ) -> Option<bool> {
        let event = &self.history[index];
        let mut next = *place;
        let reply = event.telling_reply();
        if !apply(&mut self.texts, &mut next.state, session, &event.operation, reply) {
            unfit.push(index);
            return Some(false);
        }
        let at = self.sessions[session].iter().position(|it| *it == index).unwrap_or_default();
        next.taken[session] = at as u8 + 1;
        next.latest_invoked = place.latest_invoked.max(event.invoked);
        next.optional_left -= usize::from(event.is_optional());
        if !self.seen.insert(self.hasher.hash_one(next)) {
            return Some(false);
        }
        if self.seen.len() > self.places_max {
            return None;
        }
        self.order.push(index);
        let found = self.explore(&next)?;
        if !found {
            self.order.pop();
        }
        Some(found)
    }

    /// The states from which an operation may be taken, given that those of its connection before
    /// it changed no key, or lost what they changed: their session may have changed all the same.
    fn passed_over(&self, place: &Place, session: usize, index: usize) -> Vec<State> {
        let mut states = vec![place.state];
        let events = self.sessions[session].iter().skip(usize::from(place.taken[session]));
        for passed in events.take_while(|it| **it != index) {
            pass_over(&mut states, session, &self.history[*passed].operation);
        }
        states
    }

    /// The operations that may be next, those that were answered first in front; and whether only
    /// such are left as need not take effect.
    fn candidates(&self, place: &Place) -> (Vec<(usize, usize)>, bool) {
        let mut found = Vec::new();
        let mut bound = NEVER;
        let mut done = true;
        for (session, events) in self.sessions.iter().enumerate() {
            for &index in events.iter().skip(usize::from(place.taken[session])) {
                let event = &self.history[index];
                found.push((session, index));
                if !event.is_optional() {
                    bound = bound.min(event.answered);
                    done = false;
                    break;
                }
            }
        }
        found.retain(|(_, index)| {
            let event = &self.history[*index];
            let seen = self.with_unseen || self.seen_values.by_event[*index];
            let may_be = event.deadline >= place.latest_invoked && place.optional_left > 0;
            event.invoked < bound && (!event.is_optional() || may_be && seen)
        });
        found.sort_by_key(|(_, index)| {
            let event = &self.history[*index];
            (event.is_optional(), event.answered)
        });
        (found, done)
    }
}

#[cfg(test)]
mod tests {
    use resp::Value as Reply;

    use super::{Verdict, judge};
    use crate::history::{Event, NEVER};
    use crate::operation::Operation::{self, Get, GetMany, Set, SetMany};

    fn event(session: usize, operation: Operation, invoked: u64, answered: u64) -> Event {
        Event {
            session,
            operation,
            invoked,
            answered,
            deadline: NEVER,
            reply: None,
            refused: false,
            is_weak: false,
        }
    }

    fn set(session: usize, key: usize, value: u32, invoked: u64, answered: u64) -> Event {
        let reply = Some(Reply::Simple("OK".into())).filter(|_| answered != NEVER);
        Event { reply, ..event(session, Set(key, value), invoked, answered) }
    }

    fn bulk(value: u32) -> Reply {
        if value == 0 { Reply::Null } else { Reply::Bulk(format!("v{value}").into_bytes()) }
    }

    fn get(session: usize, key: usize, value: u32, invoked: u64, answered: u64) -> Event {
        Event { reply: Some(bulk(value)), ..event(session, Get(key), invoked, answered) }
    }

    fn is_possible(history: &[Event]) -> bool {
        match judge(history) {
            Verdict::Possible => true,
            Verdict::Impossible { .. } => false,
            Verdict::Unknown => panic!("small histories can be judged"),
        }
    }

    #[test]
    fn what_overlaps_may_be_seen_or_not() {
        assert!(is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 0, 5, 15), get(1, 0, 1, 20, 30)]));
        assert!(is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 1, 5, 8)]));
    }

    #[test]
    fn what_was_answered_is_seen() {
        assert!(!is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 0, 11, 20)]));
        assert!(!is_possible(&[get(1, 0, 1, 0, 5), set(0, 0, 1, 6, 10)]));
    }

    #[test]
    fn a_pipeline_takes_effect_in_order() {
        let pipeline = [set(0, 0, 1, 0, 10), set(0, 1, 2, 0, 10)];
        let seen = |first, second| [get(1, 1, first, 0, 10), get(1, 0, second, 0, 10)];
        let with = |reads: [Event; 2]| [pipeline.to_vec(), reads.to_vec()].concat();
        assert!(is_possible(&with(seen(2, 1))));
        assert!(is_possible(&with(seen(0, 0))));
        assert!(!is_possible(&with(seen(2, 0))));
    }

    #[test]
    fn readers_agree_on_an_order() {
        let read = |session, first, second| Event {
            reply: Some(Reply::Array(vec![bulk(first), bulk(second)])),
            ..event(session, GetMany(vec![0, 1]), 0, 10)
        };
        let writes = [set(0, 0, 1, 0, 10), set(1, 1, 2, 0, 10)];
        let with = |reads: [Event; 2]| [writes.to_vec(), reads.to_vec()].concat();
        assert!(is_possible(&with([read(2, 1, 0), read(3, 1, 2)])));
        assert!(!is_possible(&with([read(2, 1, 0), read(3, 0, 2)])));
        let half = Event {
            reply: Some(Reply::Simple("OK".into())),
            ..event(0, SetMany(vec![(0, 1), (1, 2)]), 0, 10)
        };
        assert!(!is_possible(&[half, read(2, 1, 0)]));
    }

    #[test]
    fn what_is_unanswered_happens_before_its_deadline_or_never() {
        let lost = |deadline| Event { deadline, ..set(0, 0, 1, 0, NEVER) };
        assert!(is_possible(&[lost(10), get(1, 0, 1, 20, 30), get(1, 0, 1, 40, 50)]));
        assert!(is_possible(&[lost(10), get(1, 0, 0, 20, 30), get(1, 0, 0, 40, 50)]));
        assert!(!is_possible(&[lost(10), get(1, 0, 0, 20, 30), get(1, 0, 1, 40, 50)]));
        assert!(is_possible(&[lost(35), get(1, 0, 0, 20, 30), get(1, 0, 1, 40, 50)]));
        assert!(!is_possible(&[lost(35), get(1, 0, 1, 20, 30), get(1, 0, 0, 40, 50)]));
    }

    #[test]
    fn one_of_the_unanswered_may_survive_without_the_one_before() {
        let dead = |key, value| Event { deadline: 10, ..set(0, key, value, 0, NEVER) };
        let after = [get(1, 0, 0, 20, 30), get(1, 1, 2, 20, 30)];
        assert!(is_possible(&[[dead(0, 1), dead(1, 2)].as_slice(), &after].concat()));
    }
}
