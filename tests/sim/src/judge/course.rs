//! What is known of a history before the search: of each connection its events, and from each of
//! them on which values the rest will show and which it may write.

use resp::Value as Reply;

use crate::history::{Event, Moment, NEVER};
use crate::operation::{Operation, Value};

/// A set of values of which some reply speaks: a bit for each. Those that found no bit are in no
/// set, and only make the search longer.
pub(super) type Values = u128;

/// The values that replies show, each with its bit.
pub(super) struct Shown {
    /// By value; 0 for those that nobody saw.
    bits: Vec<Values>,
    count: u32,
}

impl Shown {
    pub(super) fn of(history: &[Event]) -> Self {
        let mut shown = Self { bits: Vec::new(), count: 0 };
        for reply in history.iter().filter_map(Event::telling_reply) {
            for_each_text(reply, &mut |text| {
                values_in(text).for_each(|value| shown.add(value));
            });
        }
        shown
    }

    fn add(&mut self, value: Value) {
        let at = value as usize;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        if self.bits[at] == 0 && self.count < Values::BITS {
            self.bits[at] = 1 << self.count;
            self.count += 1;
        }
    }

    fn bit(&self, value: Value) -> Values {
        self.bits.get(value as usize).copied().unwrap_or(0)
    }

    /// The values of which the text of a key is made: `v1v12` is of two.
    pub(super) fn in_text(&self, text: &[u8]) -> Values {
        values_in(text).fold(0, |set, value| set | self.bit(value))
    }

    fn in_reply(&self, reply: &Reply) -> Values {
        let mut set = 0;
        for_each_text(reply, &mut |text| set |= self.in_text(text));
        set
    }

    fn written_by(&self, event: &Event) -> Values {
        let mut own = Vec::new();
        event.operation.values(&mut own);
        own.iter().fold(0, |set, value| set | self.bit(*value))
    }
}

/// What is in front of the first `v` is a counter, and no value.
fn values_in(text: &[u8]) -> impl Iterator<Item = Value> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.split('v').skip(1).filter_map(|number| number.parse().ok())
}

fn for_each_text(reply: &Reply, take: &mut impl FnMut(&[u8])) {
    match reply {
        Reply::Bulk(bytes) => take(bytes),
        Reply::Array(replies) => replies.iter().for_each(|reply| for_each_text(reply, take)),
        _ => {}
    }
}

/// The events of a connection, in the order in which it sent them.
pub(super) struct Course {
    pub(super) steps: Vec<CourseStep>,
    /// Of each event: it, and all behind it. One more than there are events: nothing.
    rests: Vec<Rest>,
}

/// An event, as the search looks at it.
#[derive(Clone, Copy)]
pub(super) struct CourseStep {
    /// Its place in the history.
    pub(super) index: usize,
    pub(super) invoked: Moment,
    pub(super) answered: Moment,
    /// [`NEVER`] if it took effect.
    pub(super) deadline: Moment,
    pub(super) need: Need,
    /// Whether it can be taken as soon as its reply fits: see [`is_settled`].
    pub(super) settled: bool,
}

/// Whether an event took effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It did: it was answered.
    Answered,
    /// It did, though it was not answered: some reply shows what only it wrote.
    Seen,
    /// That cannot be known: it writes nothing of its own.
    Open,
    /// Nobody saw what it wrote, if it did.
    Unseen,
}

/// What a connection has left.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    /// Values that replies of it show.
    pub(super) shows: Values,
    /// Values that it may write.
    pub(super) writes: Values,
    /// The first deadline.
    pub(super) first_deadline: Moment,
    /// The last moment at which something of it can take effect.
    pub(super) last_deadline: Moment,
}

impl Rest {
    const NOTHING: Self = Self { shows: 0, writes: 0, first_deadline: NEVER, last_deadline: 0 };
}

impl Course {
    pub(super) fn new(history: &[Event], session: usize, shown: &Shown) -> Self {
        let mut steps = Vec::new();
        let mut rests = vec![Rest::NOTHING];
        for (index, event) in history.iter().enumerate() {
            // A read that nobody saw the answer of says nothing.
            let says = !(event.is_optional() && event.operation.is_plain_read());
            if event.session == session && says {
                steps.push(CourseStep::new(index, event, shown));
            }
        }
        for step in steps.iter().rev() {
            let event = &history[step.index];
            let behind = rests[rests.len() - 1];
            rests.push(Rest {
                shows: behind.shows | event.telling_reply().map_or(0, |it| shown.in_reply(it)),
                writes: behind.writes | shown.written_by(event),
                first_deadline: behind.first_deadline.min(step.deadline),
                last_deadline: behind.last_deadline.max(step.deadline),
            });
        }
        rests.reverse();
        Self { steps, rests }
    }

    /// What is left when so many are taken or passed over.
    pub(super) fn rest(&self, taken: u8) -> &Rest {
        &self.rests[usize::from(taken)]
    }
}

impl CourseStep {
    fn new(index: usize, event: &Event, shown: &Shown) -> Self {
        let optional = event.is_optional();
        let mut own = Vec::new();
        event.operation.values(&mut own);
        let need = match shown.written_by(event) {
            _ if !optional => Need::Answered,
            0 if own.is_empty() => Need::Open,
            0 => Need::Unseen,
            _ => Need::Seen,
        };
        Self {
            index,
            invoked: event.invoked,
            answered: event.answered,
            deadline: if optional { event.deadline } else { NEVER },
            need,
            settled: !optional && is_settled(event),
        }
    }
}

/// Whether the place of an operation in the order makes no difference to any other, as long as its
/// own reply fits: its reply says that it changed no key, and what it changed of its session cannot
/// come too early. (A WATCH can: then it sees more.)
fn is_settled(event: &Event) -> bool {
    let Some(reply) = event.telling_reply() else { return false };
    match (&event.operation, reply) {
        (Operation::Execute(_), Reply::Null) => true,
        (Operation::Execute(inner), _) => inner.iter().all(is_still),
        (operation, _) if is_still(operation) => true,
        (Operation::Take { .. } | Operation::TakeOver { .. }, Reply::Null) => true,
        (Operation::Unwatch, _) | (_, Reply::Error(_)) => true,
        (
            Operation::Delete(_)
            | Operation::SetManyIfNone(_)
            | Operation::RenameIfNone(..)
            | Operation::Copy { .. }
            | Operation::Move(..)
            | Operation::Expire(..)
            | Operation::Persist(_),
            Reply::Integer(0),
        ) => true,
        _ => false,
    }
}

fn is_still(operation: &Operation) -> bool {
    operation.is_plain_read() || matches!(operation, Operation::Select(_))
}
