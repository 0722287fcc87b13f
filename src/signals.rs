//! Signals, from before the start to after the end.
//!
//! SIGTERM and SIGINT end the server in order; while it still recovers its data, at once, since
//! nothing was acknowledged that could be lost. A second SIGINT insists: it ends at once, too.
//! SIGHUP does nothing, as in Redis, and SIGXFSZ neither: a log that may not grow is a full disk.
//! SIGPIPE is ignored by the runtime. All others do what they do to any process.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use server::Ender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Receives what the process is told by signals.
pub(crate) struct SignalWatch(Arc<OnceLock<Ender>>);

/// How long a server that is just starting may take to say how it is ended.
const START_MS: u64 = 50;

impl SignalWatch {
    /// Takes the signals over. `on_end` is called when the server is told to end, once.
    pub(crate) fn start(on_end: impl Fn() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGXFSZ])?;
        let watch = Self(Arc::new(OnceLock::new()));
        let ender = Arc::clone(&watch.0);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut ending = false;
            for signal in signals.forever() {
                let name = match signal {
                    SIGINT => "SIGINT",
                    SIGTERM => "SIGTERM",
                    _ => continue,
                };
                if ending && signal == SIGINT {
                    tracing::warn!(
                        "Received SIGINT again: exiting now, without the log's last sync"
                    );
                    std::process::exit(1);
                }
                if ender.get().is_none() {
                    std::thread::sleep(Duration::from_millis(START_MS));
                }
                let Some(ender) = ender.get() else {
                    tracing::warn!("Received {name} while starting: exiting now");
                    std::process::exit(0);
                };
                tracing::warn!("Received {name}: finishing what is under way");
                if !ending {
                    on_end();
                }
                ending = true;
                ender.end();
            }
        })?;
        Ok(watch)
    }

    /// The server runs, and this ends it.
    pub(crate) fn ends(&self, ender: Ender) {
        // There is one server in a process.
        let _ = self.0.set(ender);
    }
}

/// Stops the process until somebody continues it.
pub(crate) fn stop() -> io::Result<()> {
    signal_hook::low_level::raise(SIGSTOP)
}
