//! What is noticed of a command that took long: an entry of the slow log, and of the latency
//! monitor.
//!
//! A command is measured where it runs. Who the client is, is known at its home, so a slow command
//! that ran elsewhere is reported there; the report overtakes the reply, which waits for the end of
//! the tick. So SLOWLOG GET after a slow command always finds it.

use resp::Arguments;
use spec::{Flags, Spec};

use crate::clients::connections::ConnectionKey;
use crate::core::Core;

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
        if home == self.mail.shard {
            let words: Vec<&[u8]> = ran.arguments.iter().collect();
            return self.log_slow(connection, &words, took_ns / 1000);
        }
        let words: Vec<Box<[u8]>> = ran.arguments.iter().map(Box::from).collect();
        self.mail.call(home, move |core| {
            let words: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
            core.log_slow(connection, &words, took_ns / 1000);
        });
    }

    /// Notes how long a command took, in the latency monitor, if that reaches its threshold.
    pub(crate) fn note_latency(&mut self, spec: &Spec, took_ns: u64) {
        let event = if spec.flags.has(Flags::FAST) { "fast-command" } else { "command" };
        let unix_s = self.time.unix_us() / 1_000_000;
        self.statistics.latency.record(event, took_ns / 1_000_000, unix_s);
    }

    /// Puts a command of a connection of ours into the slow log; `words` are its arguments, secrets
    /// replaced.
    fn log_slow(&mut self, key: ConnectionKey, words: &[&[u8]], duration_us: u64) {
        let unix_s = self.time.unix_us() / 1_000_000;
        let Some(connection) = self.connections.find(key) else { return };
        self.statistics.log_slow(&connection.session, words, duration_us, unix_s);
    }
}
