//! What clients saw: one event for each operation that was sent.

use resp::Value as Reply;

use crate::operation::Operation;

/// A point in the order of everything that clients did or saw.
pub(crate) type Moment = u64;

/// Later than everything.
pub(crate) const NEVER: Moment = Moment::MAX;

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
    /// Whether it was answered while the log refused writes: what it read may be lost in a crash.
    pub(crate) is_weak: bool,
}

impl Event {
    /// Whether it may be that it never took effect.
    pub(crate) fn is_optional(&self) -> bool {
        self.refused || self.answered == NEVER
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
                inner.iter().any(|it| it.is_read() || waits(it)) || replies.iter().any(is_idle)
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
        format!("[{}] @{} {operation}  ->  {answer}", self.session, self.invoked)
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
