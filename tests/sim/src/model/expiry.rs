//! Keys that expire.
//!
//! Nobody knows at which moment of the server's clocks an operation ran, only a span of them
//! ([`Span`]), and so it is with the moment at which a key expires that was set by one. Where the
//! two overlap, an operation that looks at the key may find it or not: both is tried ([`Choices`]).
//! Once found to be gone a key is gone for everybody. An operation that looks at no key needs to know
//! of none: whoever looks first decides.

use std::ops::RangeInclusive;

use super::{ABSENT, Ask, DATABASES, KEYS_MAX, State, Texts, View, is_integer, is_okay, watch_bit};
use crate::hash::Map;
use crate::history::Span;
use crate::operation::{Database, Key, Operation};

/// Stands for the span in which a key's moment lies.
pub(super) type MomentId = u16;

/// A key does not expire.
pub(super) const NO_MOMENT: MomentId = 0;

/// Questions that one operation may leave open: its keys are few.
const QUESTIONS_MAX: u32 = 12;

/// The moments at which keys expire, each with its number.
#[derive(Default)]
pub(super) struct Moments {
    ids: Map<Span, MomentId>,
    spans: Vec<Span>,
}

/// Whether a key is past its moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    No,
    Perhaps,
    Surely,
}

impl Moments {
    fn id(&mut self, span: Span) -> MomentId {
        *self.ids.entry(span).or_insert_with(|| {
            self.spans.push(span);
            self.spans.len() as MomentId
        })
    }

    fn past(&self, moment: MomentId, now: Span) -> Past {
        let Some(at) = moment.checked_sub(1) else { return Past::No };
        let Span { from_ms, to_ms } = self.spans[usize::from(at)];
        if now.from_ms > to_ms {
            Past::Surely
        } else if now.to_ms > from_ms {
            Past::Perhaps
        } else {
            Past::No
        }
    }
}

/// Which keys an operation finds expired, of those that may be. To begin with none;
/// [`Choices::advance`] goes through all others.
#[derive(Clone, Copy, Default)]
pub(crate) struct Choices {
    /// The answers, a bit each.
    answers: u32,
    /// Questions so far.
    asked: u32,
    /// Whether some key expired.
    pub(crate) some_expired: bool,
    /// Whether there were more questions than are tried.
    pub(crate) too_many: bool,
}

impl Choices {
    fn is_gone(&mut self) -> bool {
        if self.asked == QUESTIONS_MAX {
            self.too_many = true;
            return false;
        }
        self.asked += 1;
        self.answers >> (self.asked - 1) & 1 == 1
    }

    /// The next choices to be tried from the same state. False: all were.
    pub(crate) fn advance(&mut self) -> bool {
        self.some_expired = false;
        while let Some(last) = self.asked.checked_sub(1) {
            self.asked = last;
            self.answers ^= 1 << last;
            if self.answers >> last & 1 == 1 {
                self.asked = 0;
                return true;
            }
        }
        false
    }
}

impl State {
    /// An operation looks at its keys.
    pub(super) fn look(
        &mut self,
        database: Database,
        operation: &Operation,
        now: (&Moments, Span),
        choices: &mut Choices,
    ) {
        let watched = self.watches.iter().fold(0, |all, watch| all | watch);
        for_each_key(operation, (database, watched), &mut |database, key| {
            self.look_at((database, key), now, choices);
        });
    }

    /// EXEC looks at the keys that its connection watches.
    pub(super) fn look_at_watched(
        &mut self,
        session: usize,
        moments: &Moments,
        span: Span,
        choices: &mut Choices,
    ) {
        let watched = self.watches[session];
        if watched & super::BROKEN == 0 {
            for_each_watched(watched, &mut |database, key| {
                self.look_at((database, key), (moments, span), choices);
            });
        }
    }

    fn look_at(
        &mut self,
        (database, key): (Database, Key),
        (moments, now): (&Moments, Span),
        choices: &mut Choices,
    ) {
        let moment = &mut self.moments[database][key];
        let is_gone = match moments.past(*moment, now) {
            Past::No => false,
            Past::Perhaps => choices.is_gone(),
            Past::Surely => true,
        };
        if is_gone {
            *moment = NO_MOMENT;
            self.values[database][key] = ABSENT;
            self.ghosts |= watch_bit(database, key);
            self.touch(database, key);
            choices.some_expired = true;
        }
    }
}

impl View<'_> {
    /// What DBSIZE may be: keys past their moment count until somebody removes them.
    pub(super) fn counts(&self, moments: &Moments, now: Span) -> RangeInclusive<usize> {
        let (mut least, mut most) = (0, 0);
        for key in 0..KEYS_MAX {
            let is_there = self.exists(key);
            let is_ghost = self.state.ghosts & watch_bit(self.database, key) != 0;
            least += usize::from(is_there && moments.past(self.moment(key), now) == Past::No);
            most += usize::from(is_there || is_ghost);
        }
        least..=most
    }
}

/// Operations that say when keys expire.
pub(super) fn set(texts: &mut Texts, state: &mut View<'_>, ask: &Ask<'_>) -> bool {
    match *ask.operation {
        Operation::SetExpiring(key, value, ms) => {
            let (value, moment) = (texts.value(value), texts.moments.id(ask.span.after_ms(ms)));
            state.put(key, value, moment);
            is_okay(ask.reply)
        }
        Operation::Expire(key, ms) => {
            let exists = state.exists(key);
            if exists {
                let moment = texts.moments.id(ask.span.after_ms(ms));
                state.put(key, state.get(key), moment);
            }
            is_integer(ask.reply, usize::from(exists))
        }
        Operation::Persist(key) => {
            let expires = state.moment(key) != NO_MOMENT;
            if expires {
                state.set(key, state.get(key));
            }
            is_integer(ask.reply, usize::from(expires))
        }
        ref other => unreachable!("{other:?} says nothing of expiry"),
    }
}

/// The keys whose presence makes a difference to an operation, of a connection that has selected
/// `database`. To one that only overwrites them it makes none.
fn for_each_key(
    operation: &Operation,
    (database, watched): (Database, u32),
    take: &mut impl FnMut(Database, Key),
) {
    match operation {
        Operation::Get(key)
        | Operation::GetSet(key, _)
        | Operation::Increment(key)
        | Operation::Append(key, _)
        | Operation::Expire(key, _)
        | Operation::Persist(key) => take(database, *key),
        Operation::GetMany(keys)
        | Operation::Delete(keys)
        | Operation::Exists(keys)
        | Operation::Watch(keys)
        | Operation::Take { keys, .. } => keys.iter().for_each(|key| take(database, *key)),
        Operation::SetManyIfNone(pairs) => pairs.iter().for_each(|pair| take(database, pair.0)),
        Operation::Rename(from, to)
        | Operation::RenameIfNone(from, to)
        | Operation::TakeOver { from, to, .. } => {
            take(database, *from);
            take(database, *to);
        }
        Operation::Copy { from, to, database: other, .. } => {
            take(database, *from);
            take(other.unwrap_or(database), *to);
        }
        Operation::Move(key, other) if *other != database => {
            take(database, *key);
            take(*other, *key);
        }
        // A key that is watched in either was touched if it is in the other.
        Operation::Swap => {
            let either = watched | watched >> KEYS_MAX | watched << KEYS_MAX;
            for_each_watched(either, take);
        }
        _ => {}
    }
}

fn for_each_watched(watched: u32, take: &mut impl FnMut(Database, Key)) {
    for database in 0..DATABASES {
        for key in (0..KEYS_MAX).filter(|key| watched & watch_bit(database, *key) != 0) {
            take(database, key);
        }
    }
}
