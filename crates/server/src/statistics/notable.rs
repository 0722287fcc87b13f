//! What is noticed of a command that took long: an entry of the slow log, and of the latency
//! monitor.
//!
//! A command is measured where it runs. Who the client is, is known at its home, so a slow command
//! that ran elsewhere is reported there; the report overtakes the reply, which waits for the end of
//! the tick. So SLOWLOG GET after a slow command always finds it.
//!
//! A command that several shards run, each for its own keys, is one command: the shards tell its
//! home how long their shares took, with their replies, and the home counts and notes it, as it was
//! sent, when the replies are merged. Its time is that of the longest share and of merging; what
//! waits in inboxes and for the log is not in it, as for any command.

use resp::Arguments;
use spec::{Flags, Spec};
use telemetry::SlowWords;

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::{Queued, Share};
use crate::transaction::{Gather, Part};

/// A command that has run on a shard.
#[derive(Clone, Copy)]
pub(crate) struct Ran<'a> {
    /// The home of its connection.
    pub(crate) home: usize,
    pub(crate) connection: ConnectionKey,
    pub(crate) spec: &'static Spec,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) took_ns: u64,
}

impl Core {
    /// Notes a command that took so long that [`Statistics::is_notable`] said so.
    ///
    /// [`Statistics::is_notable`]: crate::statistics::Statistics::is_notable
    #[cold]
    pub(crate) fn note_long(&mut self, ran: Ran<'_>) {
        let Ran { home, connection, spec, took_ns, .. } = ran;
        self.note_latency(spec, took_ns);
        if !self.statistics.is_slow(took_ns) || spec.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let words = SlowWords::texts_of(ran.arguments.iter());
        if home == self.mail.shard {
            return self.log_slow(connection, words, took_ns / 1000);
        }
        self.mail.call(home, move |core| core.log_slow(connection, words, took_ns / 1000));
    }

    /// Commands of a connection of ours, each of which several shards have run, are at their end:
    /// each counts as one call, and is noted as one if it took long.
    pub(crate) fn note_shared(&mut self, key: ConnectionKey, gather: &Gather) {
        for (call, ended) in gather.ended() {
            let (spec, took_ns) = (&call.command.spec, ended.took_ns);
            self.statistics.count_shared(call.number, took_ns, ended.error.as_deref());
            if !self.statistics.is_notable(took_ns) {
                continue;
            }
            self.note_latency(spec, took_ns);
            if self.statistics.is_slow(took_ns) && !spec.flags.has(Flags::SKIP_SLOWLOG) {
                self.log_slow(key, gather.words_of(call), took_ns / 1000);
            }
        }
    }

    /// A part came home whose connection is gone: counts what it shared with others, once, as its
    /// first shares tell.
    pub(crate) fn count_shares(&mut self, part: &Part, commands: &[Queued]) {
        let shared = commands.iter().filter(|queued| queued.is_shared());
        for (queued, took_ns) in shared.zip(&part.shares) {
            if queued.share == Share::First {
                self.statistics.count_shared(queued.number, *took_ns, None);
            }
        }
    }

    /// Notes how long a command took, in the latency monitor, if that reaches its threshold.
    pub(crate) fn note_latency(&mut self, spec: &Spec, took_ns: u64) {
        let event = if spec.flags.has(Flags::FAST) { "fast-command" } else { "command" };
        let unix_s = self.time.unix_us() / 1_000_000;
        self.statistics.latency.record(event, took_ns / 1_000_000, unix_s);
    }

    /// Puts a command of a connection of ours into the slow log; `words` are its arguments, secrets
    /// replaced, cut short.
    fn log_slow(&mut self, key: ConnectionKey, words: Vec<Box<[u8]>>, duration_us: u64) {
        let unix_s = self.time.unix_us() / 1_000_000;
        let Some(connection) = self.connections.find(key) else { return };
        self.statistics.log_slow(&connection.session, words, duration_us, unix_s);
    }
}

#[cfg(test)]
mod tests;
