//! CLIENT PAUSE: commands are held back for a time, and no key expires or is evicted: what is past
//! its moment is only not seen. So the data stands still, for a failover to another server.

use keyspace::ExpiryMode;
use spec::Flags;

use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;

/// What is paused, and for how long. Every core thread has a copy.
#[derive(Default)]
pub(crate) struct Pause {
    /// Until when: unix milliseconds; in the past: nothing is paused.
    pub(crate) until_ms: i64,
    /// Whether reads are held back too.
    pub(crate) all: bool,
    /// Connections whose commands are held back.
    pub(crate) waiting: Vec<ConnectionKey>,
}

impl Pause {
    /// Whether a command with `flags` is held back. A pause of all holds back everything, as in
    /// Redis: then not even CLIENT UNPAUSE can end it early.
    #[inline]
    pub(crate) fn holds(&self, now_ms: i64, flags: Flags) -> bool {
        if self.until_ms <= now_ms {
            return false;
        }
        let writes = flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE);
        self.all || writes
    }

    /// Whether a pause is in force.
    pub(crate) fn is_active(&self, now_ms: i64) -> bool {
        self.until_ms > now_ms
    }
}

impl Core {
    /// Begins a pause, or prolongs the one in force: neither its end comes earlier by that, nor do
    /// reads go on that it holds back.
    pub(crate) fn begin_pause(&mut self, until_ms: i64, all: bool) {
        let now_ms = self.time.unix_ms();
        let pause = &mut self.pause;
        pause.all = all || (pause.all && pause.is_active(now_ms));
        pause.until_ms = pause.until_ms.max(until_ms);
        self.shard.keyspace.set_expiry(ExpiryMode::Hide);
    }

    /// Ends the pause, and lets the held-back connections go on.
    pub(crate) fn end_pause(&mut self) {
        self.pause.until_ms = 0;
        self.pause.all = false;
        self.shard.keyspace.set_expiry(ExpiryMode::Delete);
        for key in std::mem::take(&mut self.pause.waiting) {
            if let Some(connection) = self.connections.find(key)
                && connection.input.held == Held::Paused
            {
                connection.input.held = Held::Due;
                self.agenda.resume.push(key);
            }
        }
        self.serve_all_waiting();
    }

    /// Ends the pause if its time is over.
    pub(crate) fn end_pause_if_due(&mut self) {
        if self.pause.until_ms != 0 && !self.pause.is_active(self.time.unix_ms()) {
            self.end_pause();
        }
    }
}
