//! CLIENT PAUSE: commands are held back for a time.

use spec::Flags;

use crate::connection::Held;
use crate::connections::ConnectionKey;
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

    /// Begins a pause, or prolongs the one in force: neither its end comes earlier by that, nor do
    /// reads go on that it holds back.
    pub(crate) fn begin(&mut self, until_ms: i64, all: bool, now_ms: i64) {
        self.all = all || (self.all && self.is_active(now_ms));
        self.until_ms = self.until_ms.max(until_ms);
    }

    /// Ends the pause. The held-back connections go on at the next [`Core::end_pause_if_due`].
    pub(crate) fn end(&mut self) {
        self.until_ms = 0;
        self.all = false;
    }

    /// Whether a pause is in force.
    pub(crate) fn is_active(&self, now_ms: i64) -> bool {
        self.until_ms > now_ms
    }
}

impl Core {
    /// Lets the held-back connections go on once the pause is over.
    pub(crate) fn end_pause_if_due(&mut self) {
        if self.pause.waiting.is_empty() || self.pause.is_active(self.time.unix_ms()) {
            return;
        }
        for key in std::mem::take(&mut self.pause.waiting) {
            if let Some(connection) = self.connections.find(key)
                && connection.input.held == Held::Paused
            {
                connection.input.held = Held::No;
                self.agenda.resume.push(key);
            }
        }
    }
}
