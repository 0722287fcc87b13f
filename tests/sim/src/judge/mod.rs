//! Linearizability: is there one order of all operations that explains every reply?
//!
//! The search is that of Wing and Gong with the memory of Lowe: take operations one after another,
//! each allowed if no other that is left was answered before it was sent, do each on the model, and
//! go back when a reply does not fit; never try again from a place (the same operations taken, the
//! same state) that led nowhere. What makes it small:
//!
//! - A connection's operations take effect in the order it sent them, so what was taken is one
//!   number for each connection.
//! - Values are unique. A place is left at once when a reply that is still to come shows a value
//!   that no key has and that nothing which is left can write (`is_hopeless`).
//! - What changes nothing (a read, a DEL of keys that are not there) is taken as soon as its reply
//!   fits, and nothing else is tried there (`settled`).
//! - Of the operations that need not have taken effect mostly few did, and which ones, many orders
//!   have to be tried to find out: so orders with none of them are tried first, then with one, and
//!   so on; those whose values nobody ever saw come last of all. Those whose values somebody saw
//!   did take effect.
//!
//! - Whether a key has expired is left open until somebody looks at it (`model/expiry.rs`).
//!
//! Each of these leaves orders out, and none lets one in: an order that is found explains every
//! reply on the model. A mistake here is a false alarm.
//!
//! An operation without an answer took effect before its deadline, or never. One that the server
//! refused while its log was failing may have, too. Which of a dead connection's unanswered
//! operations survived a crash does not depend on their order: each shard has its own log.

mod course;
#[cfg(test)]
mod tests;

use self::course::{Course, CourseStep, Need, Shown, Values};
use crate::hash::{HashesSeen, hash};
use crate::history::{Event, Moment, NEVER};
use crate::model::{Choices, SESSIONS_MAX, State, Texts, apply, pass_over};

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
    let mut search = Search::new(history);
    let needs = search.courses.iter().flat_map(|course| &course.steps).map(|step| step.need);
    let open = needs.clone().filter(|need| *need >= Need::Open).count();
    let some_unseen = needs.clone().any(|need| need == Need::Unseen);
    for &(most, with_unseen) in TRIES {
        let is_last = most >= open && (with_unseen || !some_unseen);
        let places_max = if is_last { LAST_PLACES_MAX } else { PLACES_MAX };
        match search.attempt(most, with_unseen, places_max) {
            Some(true) => return Verdict::Possible,
            Some(false) if is_last => {
                let (explained, unfit) = (search.deepest, search.unfit);
                return Verdict::Impossible { explained, unfit };
            }
            None if is_last => break,
            _ => {}
        }
    }
    Verdict::Unknown
}

/// How far an order has come.
#[derive(Clone, Copy, Hash)]
struct Place {
    /// Of each connection, how many operations are taken or passed over.
    taken: [u8; SESSIONS_MAX],
    state: State,
    /// The latest of the moments at which a taken operation was sent.
    latest_invoked: Moment,
    /// How many more operations may be taken of which nobody knows whether they took effect.
    open_left: usize,
}

/// An operation that may be next.
#[derive(Clone, Copy)]
struct Candidate {
    session: usize,
    /// Its place in its connection's course.
    at: u8,
    step: CourseStep,
}

struct Search<'a> {
    history: &'a [Event],
    /// Of each connection, its events.
    courses: Vec<Course>,
    shown: Shown,
    texts: Texts,
    /// Of each text, the values in it that replies show.
    texts_values: Vec<Values>,
    /// Hashes of places that led nowhere, or are being explored.
    seen: HashesSeen,
    places_max: usize,
    /// Whether operations may be taken whose values nobody saw.
    with_unseen: bool,
    /// Candidates of all places on the way here, those of each behind those of the one before.
    candidates: Vec<Candidate>,
    order: Vec<usize>,
    deepest: Vec<usize>,
    unfit: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Event]) -> Self {
        let shown = Shown::of(history);
        let sessions = history.iter().map(|event| event.session + 1).max().unwrap_or(0);
        let courses = (0..sessions).map(|session| Course::new(history, session, &shown));
        Self {
            history,
            courses: courses.collect(),
            shown,
            texts: Texts::default(),
            texts_values: Vec::new(),
            seen: HashesSeen::default(),
            places_max: 0,
            with_unseen: false,
            candidates: Vec::new(),
            order: Vec::new(),
            deepest: Vec::new(),
            unfit: Vec::new(),
        }
    }

    /// Whether there is an order with at most so many operations of which nobody knows whether
    /// they took effect; `None`: too many places.
    fn attempt(&mut self, most: usize, with_unseen: bool, places_max: usize) -> Option<bool> {
        self.with_unseen = with_unseen;
        self.places_max = places_max;
        self.seen.clear();
        self.candidates.clear();
        self.order.clear();
        self.deepest.clear();
        let (taken, state) = ([0; SESSIONS_MAX], State::EMPTY);
        self.explore(&Place { taken, state, latest_invoked: 0, open_left: most })
    }

    /// Whether an order goes on from here to the end; `None`: too many places.
    fn explore(&mut self, place: &Place) -> Option<bool> {
        let begin = self.candidates.len();
        if self.find_candidates(place) {
            return Some(true);
        }
        let end = self.candidates.len();
        let settled = (begin..end).find(|at| self.is_settled(place, self.candidates[*at]));
        let chosen = settled.map_or(begin..end, |at| at..at + 1);
        for at in chosen {
            if self.take(place, self.candidates[at], settled.is_some())? {
                return Some(true);
            }
        }
        if self.order.len() > self.deepest.len() || self.order.is_empty() {
            self.deepest.clone_from(&self.order);
            let unfit = self.candidates[begin..end].iter();
            self.unfit = unfit.map(|candidate| candidate.step.index).collect();
        }
        self.candidates.truncate(begin);
        Some(false)
    }

    /// Takes an operation, and goes on from there. One that `is_settled` finds no key expired.
    fn take(&mut self, place: &Place, candidate: Candidate, is_settled: bool) -> Option<bool> {
        let Candidate { session, at, .. } = candidate;
        if is_settled {
            let mut next = *place;
            self.fits(&mut next.state, candidate, &mut Choices::default());
            return self.go_on(place, candidate, next);
        }
        if at == place.taken[session] {
            return self.take_from(place, candidate, place.state);
        }
        // Those of its connection before it changed no key, or lost what they changed: their
        // session may have changed all the same.
        let mut states = vec![place.state];
        let passed = &self.courses[session].steps[usize::from(place.taken[session])..at.into()];
        for step in passed {
            pass_over(&mut states, session, &self.history[step.index].operation);
        }
        for state in states {
            if self.take_from(place, candidate, state)? {
                return Some(true);
            }
        }
        Some(false)
    }

    fn take_from(&mut self, place: &Place, candidate: Candidate, state: State) -> Option<bool> {
        let mut choices = Choices::default();
        loop {
            let mut next = Place { state, ..*place };
            let fits = self.fits(&mut next.state, candidate, &mut choices);
            if fits && self.go_on(place, candidate, next)? {
                return Some(true);
            }
            if choices.too_many {
                return None;
            }
            if !choices.advance() {
                return Some(false);
            }
        }
    }

    /// Goes on from `next`, which `candidate` led to from `place`.
    fn go_on(&mut self, place: &Place, candidate: Candidate, mut next: Place) -> Option<bool> {
        let Candidate { session, at, step } = candidate;
        next.taken[session] = at + 1;
        next.latest_invoked = place.latest_invoked.max(step.invoked);
        next.open_left -= usize::from(step.need >= Need::Open);
        if self.is_hopeless(&next) || !self.seen.insert(hash(&next)) {
            return Some(false);
        }
        if self.seen.len() > self.places_max {
            return None;
        }
        self.order.push(step.index);
        let found = self.explore(&next)?;
        if !found {
            self.order.pop();
        }
        Some(found)
    }

    /// Does an operation. False: its reply is another.
    fn fits(&mut self, state: &mut State, candidate: Candidate, choices: &mut Choices) -> bool {
        let event = &self.history[candidate.step.index];
        apply(&mut self.texts, state, &event.ask(), choices)
    }

    /// Finds the operations that may be next, those that were answered first in front; and whether
    /// only such are left as need not take effect.
    fn find_candidates(&mut self, place: &Place) -> bool {
        let begin = self.candidates.len();
        let mut bound = NEVER;
        let mut done = true;
        for (session, course) in self.courses.iter().enumerate() {
            let taken = place.taken[session];
            for (at, step) in (taken..).zip(&course.steps[usize::from(taken)..]) {
                let may_be = match step.need {
                    Need::Answered => true,
                    _ if step.deadline < place.latest_invoked => false,
                    Need::Seen => true,
                    Need::Open => place.open_left > 0,
                    Need::Unseen => place.open_left > 0 && self.with_unseen,
                };
                if may_be {
                    self.candidates.push(Candidate { session, at, step: *step });
                }
                if step.need == Need::Answered {
                    bound = bound.min(step.answered);
                    done = false;
                    break;
                }
            }
        }
        let mut kept = begin;
        for at in begin..self.candidates.len() {
            if self.candidates[at].step.invoked < bound {
                self.candidates[kept] = self.candidates[at];
                kept += 1;
            }
        }
        self.candidates.truncate(kept);
        let order = |candidate: &Candidate| (candidate.step.need, candidate.step.answered);
        self.candidates[begin..].sort_unstable_by_key(order);
        done
    }

    /// Whether an operation may be taken without trying any other in its stead: it fits, whenever
    /// else it might be taken the others would find the same, and it keeps nobody from being taken
    /// who would still be in time.
    fn is_settled(&mut self, place: &Place, candidate: Candidate) -> bool {
        let Candidate { session, at, step } = candidate;
        if !step.settled || at != place.taken[session] {
            return false;
        }
        let is_in_time = step.invoked <= place.latest_invoked
            || self.courses.iter().zip(place.taken).all(|(course, taken)| {
                let rest = course.rest(taken);
                rest.last_deadline < place.latest_invoked || rest.first_deadline >= step.invoked
            });
        // One that finds a key expired changes what those find that might come before it.
        let mut choices = Choices::default();
        is_in_time
            && self.fits(&mut place.state.clone(), candidate, &mut choices)
            && !choices.some_expired
    }

    /// Whether a reply that is still to come shows a value that no key has, and that nothing that
    /// is left can write.
    fn is_hopeless(&mut self, place: &Place) -> bool {
        let (mut shown, mut written) = (0, 0);
        for (course, taken) in self.courses.iter().zip(place.taken) {
            let rest = course.rest(taken);
            shown |= rest.shows;
            if rest.last_deadline >= place.latest_invoked {
                written |= rest.writes;
            }
        }
        let missing = shown & !written;
        if missing == 0 {
            return false;
        }
        while let Some(text) = self.texts.nth(self.texts_values.len()) {
            self.texts_values.push(self.shown.in_text(text));
        }
        let present = place.state.texts().fold(0, |set, text| set | self.texts_values[text]);
        missing & !present != 0
    }
}
