//! What transactions that hold keys of a shard have changed there so far: it is logged as one part
//! when they settle.

use durability::TransactionId;
use keyspace::LoggedCommands;

use super::numbers::NumberMap;
use crate::memory::kept::KEPT_BYTES_MAX;

/// The changes of each, by transaction.
#[derive(Default)]
pub(crate) struct HeldLogs {
    begun: NumberMap<TransactionId, LoggedCommands>,
    /// An empty one, for the next.
    spare: LoggedCommands,
}

impl HeldLogs {
    /// Takes out what a transaction has changed so far.
    pub(crate) fn take(&mut self, id: TransactionId) -> LoggedCommands {
        let begun = if self.begun.is_empty() { None } else { self.begun.remove(&id) };
        begun.unwrap_or_else(|| std::mem::take(&mut self.spare))
    }

    /// Keeps that until the transaction goes on.
    pub(crate) fn keep(&mut self, id: TransactionId, logged: LoggedCommands) {
        if logged.is_empty() {
            self.spare = logged;
        } else {
            self.begun.insert(id, logged);
        }
    }

    /// The transaction has settled, and what it changed is in the log.
    pub(crate) fn recycle(&mut self, mut logged: LoggedCommands) {
        logged.clear();
        if logged.capacity() <= KEPT_BYTES_MAX {
            self.spare = logged;
        }
    }

    /// Whether no transaction under way has changed anything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }
}
