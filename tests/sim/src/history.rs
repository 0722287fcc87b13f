//! What clients saw: one event for each operation that was sent.

use resp::Value as Reply;

use crate::model::Ask;
use crate::operation::Operation;

/// A point in the order of everything that clients did or saw.
pub(crate) type Moment = u64;

/// Later than everything.
pub(crate) const NEVER: Moment = Moment::MAX;

/// From when to when something can have happened, both included: unix milliseconds of the server's
/// own clocks. A core thread looks at the time once a tick, so what it does late in a long tick it
/// does at an early moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

impl Span {
    /// Any time.
    pub(crate) const ALWAYS: Self = Self { from_ms: i64::MIN, to_ms: i64::MAX };

    /// So much later.
    pub(crate) const fn after_ms(self, ms: u32) -> Self {
        let ms = ms as i64;
        Self { from_ms: self.from_ms.saturating_add(ms), to_ms: self.to_ms.saturating_add(ms) }
    }
}

/// An operation, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The connection. Its events are in the order in which it sent them.
    pub(crate) session: usize,
    pub(crate) operation: Operation,
    /// When its last byte was sent.
    pub(crate) invoked: Moment,
    /// When its reply came; [`NEVER`]: none did.
    pub(crate) answered: Moment,
    /// The last moment at which it can have taken effect, if it was not answered: the server died,
    /// or had seen that the connection was gone.
    pub(crate) deadline: Moment,
    pub(crate) reply: Option<Reply>,
    /// Whether the server refused it, so that it may have taken effect or not (MISCONF).
    pub(crate) refused: bool,
    /// When the server can have looked at the clock for it.
    pub(crate) span: Span,
    /// Whether it was answered while the log refused writes: what it read may be lost in a crash.
    pub(crate) is_weak: bool,
}

impl Event {
    /// Whether it may be that it never took effect.
    pub(crate) fn is_optional(&self) -> bool {
        self.refused || self.answered == NEVER
    }

    /// What the model is asked.
    pub(crate) fn ask(&self) -> Ask<'_> {
        let Self { session, operation, span, .. } = self;
        let reply = self.telling_reply();
        Ask { session: *session, operation, reply, span: *span }
    }

    /// Its reply, if that says anything about the state.
    pub(crate) fn telling_reply(&self) -> Option<&Reply> {
        self.reply.as_ref().filter(|_| !self.refused)
    }

    /// Whether its reply says that nothing, or not all of it, changed anything: then it did not wait
    /// for the log, or not everywhere.
    pub(crate) fn changed_nothing(&self) -> bool {
        let Some(reply) = &self.reply else { return false };
        match (&self.operation, reply) {
            (_, Reply::Error(_) | Reply::Integer(0)) => true,
            (Operation::Execute(_), Reply::Null) => true,
            (operation, Reply::Null) if operation.timeout_ms().is_some() => true,
            (Operation::Execute(inner), Reply::Array(replies)) => {
                let waits = |operation: &Operation| operation.timeout_ms().is_some();
                let is_idle = |reply: &Reply| matches!(reply, Reply::Error(_) | Reply::Integer(0));
                // SELECT is about no shard.
                let is_idle = inner.iter().any(|it| it.is_plain_read() || waits(it))
                    || replies.iter().any(is_idle);
                is_idle || inner.iter().all(Operation::is_read)
            }
            (operation, _) => operation.is_read(),
        }
    }

    /// Whether `reply` says that a watched key had changed.
    pub(crate) fn is_abort(&self, reply: &Reply) -> bool {
        matches!(self.operation, Operation::Execute(_)) && *reply == Reply::Null
    }

    /// One line for people.
    pub(crate) fn line(&self, keys: &[String]) -> String {
        let answer = match (&self.reply, self.answered) {
            (Some(reply), at) => format!("@{at} {}", brief(reply)),
            (None, _) if self.deadline != NEVER => format!("unanswered, dead @{}", self.deadline),
            (None, _) => "unanswered".to_owned(),
        };
        let operation = self.operation.line(keys);
        let Span { from_ms, to_ms } = self.span;
        let ms = match (from_ms, to_ms) {
            (i64::MIN, i64::MAX) => String::new(),
            (_, i64::MAX) => format!(" ({}.. ms)", from_ms % 1_000_000),
            _ => format!(" ({}..{} ms)", from_ms % 1_000_000, to_ms % 1_000_000),
        };
        format!("[{}] @{} {operation}  ->  {answer}{ms}", self.session, self.invoked)
    }
}

/// A reply in few letters.
pub(crate) fn brief(reply: &Reply) -> String {
    match reply {
        Reply::Simple(text) => text.clone(),
        Reply::Error(text) => format!("-{text}"),
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Reply::Null => "nil".to_owned(),
        Reply::Array(replies) => {
            let inner: Vec<String> = replies.iter().map(brief).collect();
            format!("[{}]", inner.join(" "))
        }
        other => format!("{other:?}"),
    }
}
