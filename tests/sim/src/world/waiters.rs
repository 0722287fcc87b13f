//! Clients that wait for keys when nothing moves any more.
//!
//! That is no fault as long as none of the keys is there; and as what waits has taken nothing, its
//! connection could as well have asked whether there is one. So that is what the history says.

use std::time::Duration;

use resp::Value as Reply;

use super::{Life, World, now_ms, unsent};
use crate::history::{NEVER, Span};
use crate::line::{Line, LineEnd};
use crate::operation::Operation;

/// How far time may have to pass for a wait to end, in steps of [`STEP`]: more than the longest
/// timeout, and than what a log that refuses writes is tried again after.
const STEPS_MAX: u32 = 60;

const STEP: Duration = Duration::from_millis(100);

/// What became of clients that wait.
pub(super) enum Waiters {
    /// Something else is not answered, or nobody waits.
    None,
    /// Time has passed: some may go on.
    Passing,
    /// They may wait for ever.
    AtRest,
}

/// A reply to an operation, in which numbers stand for the names of keys that a value was taken of.
pub(super) fn number_keys(operation: &Operation, names: &[String], reply: Reply) -> Reply {
    match (operation, reply) {
        (Operation::Take { .. }, Reply::Array(mut pair)) => {
            if let Some(first) = pair.first_mut()
                && let Reply::Bulk(name) = first
                && let Some(key) = names.iter().position(|it| it.as_bytes() == name)
            {
                *first = Reply::Integer(key as i64);
            }
            Reply::Array(pair)
        }
        (Operation::Execute(inner), Reply::Array(replies)) if inner.len() == replies.len() => {
            let replies = inner.iter().zip(replies);
            Reply::Array(replies.map(|(of, it)| number_keys(of, names, it)).collect())
        }
        (_, reply) => reply,
    }
}

impl World<'_> {
    /// Nothing moves: sees to the clients that wait for keys, if nobody waits for anything else.
    pub(super) fn see_to_waiters(&mut self, life: &mut Life<'_>) -> Waiters {
        let mut waiting = Vec::new();
        for (at, line) in life.lines.iter().enumerate().filter(|(_, line)| !line.is_done()) {
            match line.unanswered().next() {
                Some(event) if line.end == LineEnd::No && self.waits(event) => {
                    waiting.push((at, event));
                }
                _ => return Waiters::None,
            }
        }
        if waiting.is_empty() {
            return Waiters::None;
        }
        let ends = |event: usize| self.history[event].operation.timeout_ms() > Some(0);
        if (life.has_refused || waiting.iter().any(|(_, event)| ends(*event)))
            && life.patience < STEPS_MAX
        {
            life.patience += 1;
            self.time.pass(STEP);
            return Waiters::Passing;
        }
        // A log that failed may owe them the answer.
        if !life.has_refused {
            for (at, event) in waiting {
                self.census.waiters += 1;
                self.say_that_nothing_is_there(&life.lines[at], event);
            }
        }
        Waiters::AtRest
    }

    fn say_that_nothing_is_there(&mut self, line: &Line, event: usize) {
        let keys = match &self.history[event].operation {
            Operation::Take { keys, .. } => keys.clone(),
            Operation::TakeOver { from, .. } => vec![*from],
            _ => Vec::new(),
        };
        // Neither the one that waits nor what its connection sent behind it has had any effect.
        for event in line.unanswered() {
            self.history[event].invoked = NEVER;
        }
        let mut asks = unsent(line.session, Operation::Exists(keys));
        asks.invoked = self.moment + 1;
        asks.answered = self.moment + 2;
        self.moment += 2;
        asks.reply = Some(Reply::Integer(0));
        asks.span = Span { from_ms: now_ms(self.time), to_ms: now_ms(self.time) };
        let text = asks.line(&self.plan.keys);
        self.note(|| format!("-- still waits: {text}"));
        self.history.push(asks);
    }

    /// Whether an operation may wait for keys.
    pub(super) fn waits(&self, event: usize) -> bool {
        self.history[event].operation.timeout_ms().is_some()
    }
}
