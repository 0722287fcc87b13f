//! All ends of a wait but being served: its time is over, CLIENT UNBLOCK, the client is gone.
//!
//! Whoever decides (see `mod.rs`) ends a wait once: what comes later finds nobody. So CLIENT
//! UNBLOCK says truly whether it was what ended the wait, and a client that is gone is served
//! nothing.

use commands::Otherwise;
use resp::{CommandError, Writer};

use super::blocked::Decides;
use super::lines::{Deadline, Number, Who};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::Origin;
use crate::message::gathering::Answer;

/// How a wait ends, if not by being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It took too long, or CLIENT UNBLOCK says that it did.
    Timeout,
    /// CLIENT UNBLOCK, with an error.
    Unblocked,
    /// The client is gone, or is being closed.
    Gone,
}

impl End {
    /// Writes the answer of a command that answers `otherwise` when its time is over: nothing for
    /// who is gone.
    pub(super) fn write(self, otherwise: Otherwise, reply: &mut Writer<'_>) {
        match self {
            Self::Timeout => otherwise.write(reply),
            Self::Unblocked => reply.error(&CommandError::ClientUnblocked),
            Self::Gone => {}
        }
    }
}

impl Core {
    /// Ends the waits whose time is over.
    #[inline]
    pub(crate) fn end_due_waits(&mut self) {
        let now_ms = self.time.unix_ms();
        while let Some(deadline) = self.shard.waiting.take_due(now_ms) {
            match deadline {
                Deadline::Parked(number) => {
                    self.end_parked(number, End::Timeout);
                }
                Deadline::Apart(key) => self.end_apart(key, End::Timeout),
            }
        }
    }

    /// Ends the wait of a connection of ours, if it waits. Whether this ended it, if that is known
    /// here; otherwise its shard gives the answer.
    pub(crate) fn end_wait(
        &mut self,
        key: ConnectionKey,
        end: End,
        answer: Option<Answer>,
    ) -> Option<bool> {
        let home = self.mail.shard;
        let blocked = self.connections.find(key).and_then(|it| it.waiting.as_ref());
        let Some(blocked) = blocked else { return Some(false) };
        let origin = Origin { home: home as u16, connection: key, place: blocked.place };
        let Decides::Shard(shard) = blocked.decides else {
            self.end_apart(key, end);
            return Some(true);
        };
        if shard == home {
            return Some(self.end_wait_here(origin, end));
        }
        self.mail.call(shard, move |core| {
            let ended = core.end_wait_here(origin, end);
            if let Some(answer) = answer {
                answer.give(core, ended);
            }
        });
        None
    }

    /// Ends the wait of a connection of ours that was tried in vain, if its peer sends nothing
    /// more: it may be gone.
    pub(crate) fn end_idle_wait(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        if connection.output.receive_ended && connection.is_blocked() {
            self.end_wait(key, End::Gone, None);
        }
    }

    /// Ends the wait of a command on this shard. False: it does not wait here.
    fn end_wait_here(&mut self, origin: Origin, end: End) -> bool {
        if let Some(number) = self.shard.waiting.number_of(origin) {
            return self.end_parked(number, end);
        }
        // It may wait for keys that are held, and then for its first attempt.
        if end == End::Gone
            && let Some(envelope) = self.shard.holds.take_waiting(origin)
        {
            self.return_waited(envelope, false);
            // Others may have waited for it alone.
            self.run_released();
            return true;
        }
        false
    }

    fn end_parked(&mut self, number: Number, end: End) -> bool {
        let Some(waiter) = self.shard.waiting.leave(number) else { return false };
        self.shard.want_effects();
        let Who::Parked(parked) = waiter.who else { return false };
        let Some(mut envelope) = parked.envelope else { return false };
        let work = &mut envelope.work;
        end.write(parked.otherwise, &mut Writer::new(&mut work.reply, work.client.protocol));
        self.count_ended(work.commands.first().map(|queued| queued.number), end);
        self.return_waited(envelope, true);
        true
    }

    /// Counts a command that waited in vain, as a call that took no time.
    pub(super) fn count_ended(&mut self, number: Option<u16>, end: End) {
        let failed = end == End::Unblocked;
        if failed {
            self.statistics.count_error(&CommandError::ClientUnblocked);
        }
        if let Some(number) = number.filter(|_| end != End::Gone) {
            self.statistics.count_call(number, 0, failed);
        }
    }
}
