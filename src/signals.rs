//! Signals: the orderly ways to end the server.

use std::io;

use signal_hook::consts::{SIGINT, SIGSTOP, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Receives what the process is told by signals.
pub(crate) struct SignalWatch(Signals);

impl SignalWatch {
    /// Takes SIGTERM and SIGINT over.
    pub(crate) fn new() -> io::Result<Self> {
        Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    /// What ends [`SignalWatch::wait`] from another thread, for good.
    pub(crate) fn closer(&self) -> Handle {
        self.0.handle()
    }

    /// Sleeps until a signal comes, and says its name; `None` once the watch was closed.
    pub(crate) fn wait(&mut self) -> Option<&'static str> {
        let signal = self.0.forever().next()?;
        Some(if signal == SIGINT { "SIGINT" } else { "SIGTERM" })
    }
}

/// Stops the process until somebody continues it.
pub(crate) fn stop() -> io::Result<()> {
    signal_hook::low_level::raise(SIGSTOP)
}
