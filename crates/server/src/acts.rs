//! What a CONFIG SET asks of the system before it is in force, and how each core thread takes the
//! new configuration over.
//!
//! An act that fails undoes nothing, for what can fail is tried before anything is changed for
//! good: listening and the limits of the system are only looked at, the directory is changed last.

use std::io;

use config::{Act, Change, Config, Level, OomMode, Parameter, SetError};
use telemetry::LogLevel;

use crate::core::Core;
use crate::log_switch;
use crate::settings::{self, Settings};
use crate::shared::Shared;

/// Descriptors that the server needs for other things than clients: segments, rings, listeners (as
/// many as Redis sets aside).
const DESCRIPTORS_RESERVED: u64 = 32;

/// Does all that `change` asks for. When it fails nothing was changed.
pub(crate) fn act(shared: &Shared, now: &Config, change: &mut Change) -> Result<(), SetError> {
    let mut acts = change.acts();
    // What changes the process at once comes behind what may be refused.
    acts.sort_by_key(|(act, _)| matches!(act, Act::Directory | Act::LogLines));
    for (act, parameter) in acts {
        let next = &mut change.next;
        let done = match act {
            Act::Listeners => listen(now, next),
            Act::ClientsMax => allow_clients(next.clients.count_max),
            Act::Directory => change_directory(next),
            Act::Log if next.log.enabled => log_switch::prepare(shared, next),
            // Every core thread turns it off when it takes its copy.
            Act::Log => Ok(()),
            Act::OomScore => score(next),
            Act::LogLines => {
                shared.set_log_level(log_level(next.server.lines.level));
                Ok(())
            }
            // Reading the new value is all: every core thread does when it takes its copy.
            Act::Memory | Act::Password | Act::Rhythm | Act::LatencyTracking | Act::Trim => Ok(()),
        };
        done.map_err(|reason| failed(parameter, reason))?;
    }
    Ok(())
}

fn failed(parameter: &Parameter, reason: String) -> SetError {
    SetError::failed(parameter, reason)
}

/// An error as the system's own words, without Rust's addition of its number.
pub(crate) fn system_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Listens where it did. Elsewhere is refused.
fn listen(now: &Config, next: &Config) -> Result<(), String> {
    let same = now.network.port == next.network.port && now.network.bind == next.network.bind;
    if same {
        return Ok(());
    }
    tracing::warn!(
        "CONFIG SET port and bind: the listening sockets are made at start; write the change to \
         the configuration file and start the server again"
    );
    Err(match now.network.port == next.network.port {
        true => "Failed to bind to specified addresses.".to_owned(),
        false => "Unable to listen on this port. Check server logs.".to_owned(),
    })
}

/// Whether the process may have as many descriptors as that many clients need.
fn allow_clients(clients: u32) -> Result<(), String> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(limit) = open_files_max(&limits) else { return Ok(()) };
    if u64::from(clients) + DESCRIPTORS_RESERVED <= limit {
        return Ok(());
    }
    Err(format!(
        "The operating system is not able to handle the specified number of clients, try with {}",
        limit.saturating_sub(DESCRIPTORS_RESERVED)
    ))
}

/// The soft limit in the line `Max open files  1024  4096  files`; `None`: there is none.
fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Changes the working directory, and remembers it by its full path.
fn change_directory(next: &mut Config) -> Result<(), String> {
    let directory = next.server.directory.as_path();
    std::env::set_current_dir(directory).map_err(|error| system_reason(&error))?;
    if let Ok(full) = std::env::current_dir() {
        next.server.directory = full.display().to_string().as_str().into();
    }
    Ok(())
}

/// The base of `oom_score_adj`: what the process had before we first changed it.
static OOM_BASE: std::sync::OnceLock<i32> = std::sync::OnceLock::new();

const OOM_FILE: &str = "/proc/self/oom_score_adj";

/// Tells the system how dear this process is when memory runs out.
fn score(next: &Config) -> Result<(), String> {
    let base = *OOM_BASE.get_or_init(|| {
        let text = std::fs::read_to_string(OOM_FILE).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    });
    let own = next.server.oom.scores.first().copied().unwrap_or(0);
    let score = match next.server.oom.mode {
        OomMode::No => base,
        OomMode::Relative => base.saturating_add(own).clamp(-1000, 1000),
        OomMode::Absolute => own,
    };
    std::fs::write(OOM_FILE, score.to_string()).map_err(|error| {
        tracing::warn!("Unable to write oom_score_adj: {error}");
        "Failed to apply new oom_score_adj configuration, check server logs.".to_owned()
    })
}

fn log_level(level: Level) -> LogLevel {
    // Both know Redis' words.
    level.as_str().parse().unwrap_or_default()
}

impl Core {
    /// Takes the configuration that is in force now over: after each CONFIG SET, on every core
    /// thread.
    pub(crate) fn apply_config(&mut self) {
        let (settings, log_on, policy) = {
            let config = self.shared.config();
            (Settings::of(&config), config.log.enabled, settings::fsync_policy(&config))
        };
        self.statistics.configure(&settings.telemetry);
        self.shard.limits = settings.commands;
        // What DEBUG switches and what replication needs is no directive.
        let current = *self.shard.keyspace.settings();
        self.shard.keyspace.configure(keyspace::Settings {
            active_expire: current.active_expire,
            expiry: current.expiry,
            ..settings.keyspace
        });
        self.shard.log.set_policy(policy);
        if !log_on && self.shard.log.is_on() {
            self.end_log();
        }
        if log_on && self.mail.shard == 0 {
            self.push_log_cut();
        }
        if !settings.password_required() {
            // The default user needs no password any more: nobody has to pass AUTH.
            for (_, connection) in self.connections.iter_mut() {
                connection.session.authenticated = true;
            }
        }
        self.settings = settings;
    }

    /// Stops logging: what was logged is written and on disk before.
    fn end_log(&mut self) {
        if let Err(error) = self.shard.log.finish(self.time.unix_ms() as u64) {
            tracing::error!("Finishing the append-only segment failed: {error}");
        }
        self.cancel_base();
        self.shard.log.turn_off();
        self.shared.publish_log_refusal(self.mail.shard, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_found() {
        let text = "Limit   Soft Limit  Hard Limit  Units\n\
                    Max open files            1024                 524288               files\n\
                    Max locked memory         8388608              8388608              bytes\n";
        assert_eq!(open_files_max(text), Some(1024));
        assert_eq!(open_files_max("Max open files  unlimited unlimited files\n"), None);
        assert_eq!(open_files_max(""), None);
    }

    #[test]
    fn too_many_clients_are_refused_with_what_would_do() {
        let error = allow_clients(u32::MAX).expect_err("nobody has so many descriptors");
        assert!(error.starts_with("The operating system is not able to handle"), "{error}");
        assert_eq!(allow_clients(1), Ok(()));
    }

    #[test]
    fn reasons_are_the_system_s_words() {
        assert_eq!(system_reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
    }
}
