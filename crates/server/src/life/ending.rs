//! The end of a server: what is under way is finished, the log is written and synced, all threads
//! leave together.
//!
//! Each core thread stops reading from its clients, goes on ticking until nothing of its own is
//! under way, and says so ([`Life::drained`](crate::shared::Life)); it still serves the messages of
//! the others until all have said so. Only then does it finish its log and leave: a message never
//! meets a shard that is gone.

use std::sync::atomic::Ordering;

use crate::core::Core;
use crate::tick::core_thread::CoreThread;

/// How far a core thread's end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It serves.
    #[default]
    No,
    /// It finishes what is under way, until this moment (unix milliseconds) at the latest.
    Draining(i64),
    /// Nothing of its own is under way; others may still need it.
    Drained,
    /// It may leave.
    Ended,
}

/// How long to wait for clients to take their last replies.
const DRAIN_MS_MAX: i64 = 1000;

impl Core {
    /// Looks whether the server is to end.
    pub(crate) fn begin_ending_if_asked(&mut self) {
        if self.ending == Ending::No && self.shared.life.ending.load(Ordering::Acquire) {
            self.ending = Ending::Draining(self.time.unix_ms() + DRAIN_MS_MAX);
        }
    }

    /// At the end of a tick: says what memory is used now, and takes the server's end a step
    /// further.
    pub(crate) fn end_tick(&mut self) {
        self.count_tick();
        self.publish_bounded_memory();
        match self.ending {
            Ending::No | Ending::Ended => {}
            Ending::Draining(until_ms) => {
                let quiet = self.mail.under_way == 0
                    && !self.release.is_waiting()
                    && self.connections.iter().all(|it| it.output.pending_bytes() == 0);
                if quiet || self.time.unix_ms() >= until_ms {
                    self.ending = Ending::Drained;
                    self.shared.life.drained.fetch_add(1, Ordering::AcqRel);
                }
            }
            Ending::Drained => {
                if self.shared.life.drained.load(Ordering::Acquire) >= self.mail.shards() {
                    self.finish();
                }
            }
        }
    }

    /// Nothing will be logged any more: make it durable.
    fn finish(&mut self) {
        self.drain_inbox();
        self.ending = Ending::Ended;
        let result = self.shard.log.finish(self.time.unix_ms() as u64);
        if let Err(error) = result {
            tracing::error!("Finishing the append-only segment failed: {error}");
            self.shared.record_end_failure(error.to_string());
        }
    }
}

impl CoreThread {
    /// Whether the thread may leave.
    pub(crate) fn has_ended(&self) -> bool {
        self.core.ending == Ending::Ended
    }
}
