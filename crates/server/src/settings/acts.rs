//! What a CONFIG SET asks of the system before it is in force, and how each core thread takes the
//! new configuration over.
//!
//! Acts are tried in the order of [`place`]: what only looks, what changes something and can fail,
//! the log last of these (it needs the new directory), and then what cannot fail. When one fails
//! those before it are undone, the latest first, and nothing of the change is in force.

use std::io;
use std::path::PathBuf;

use config::{Act, Change, Config, Level, OomMode, SetError};
use telemetry::LogLevel;

use crate::core::Core;
use crate::life::boot::room_for_clients;
use crate::log::switch;
use crate::settings::{self, Settings};
use crate::shared::Shared;

/// Does all that `change` asks for. When it fails nothing was changed.
pub(crate) fn act(shared: &Shared, now: &Config, change: &mut Change) -> Result<(), SetError> {
    let mut acts = change.acts();
    acts.sort_by_key(|(act, _)| place(*act));
    let mut done: Vec<Done> = Vec::with_capacity(acts.len());
    for (act, parameter) in acts {
        match attempt(shared, now, &mut change.next, act) {
            Ok(one) => done.push(one),
            Err(reason) => {
                done.into_iter().rev().for_each(|one| one.undo(shared, now));
                return Err(SetError::failed(parameter, reason));
            }
        }
    }
    Ok(())
}

/// Where an act stands among the acts of one CONFIG SET.
fn place(act: Act) -> u8 {
    match act {
        Act::Listeners | Act::ClientsMax => 0,
        Act::OomScore => 1,
        Act::Directory => 2,
        Act::Log => 3,
        Act::LogLines
        | Act::Memory
        | Act::Password
        | Act::Rhythm
        | Act::LatencyTracking
        | Act::Trim => 4,
    }
}

/// An act that went well: what undoing it takes.
enum Done {
    Nothing,
    /// The log was prepared.
    Log,
    /// The score with the out-of-memory killer was written.
    OomScore,
    /// The working directory was this one.
    Directory(Option<PathBuf>),
}

impl Done {
    /// Undoes it; `now` is the configuration that stays in force.
    fn undo(self, shared: &Shared, now: &Config) {
        let undone = match self {
            Self::Nothing | Self::Directory(None) => Ok(()),
            Self::Log => {
                switch::abandon(shared);
                Ok(())
            }
            Self::OomScore => score(now),
            Self::Directory(Some(before)) => {
                std::env::set_current_dir(before).map_err(|error| system_reason(&error))
            }
        };
        if let Err(reason) = undone {
            tracing::warn!("A part of a refused CONFIG SET could not be undone: {reason}");
        }
    }
}

fn attempt(shared: &Shared, now: &Config, next: &mut Config, act: Act) -> Result<Done, String> {
    match act {
        Act::Listeners => listen(now, next).map(|()| Done::Nothing),
        Act::ClientsMax => {
            allow_clients(next.clients.count_max, shared.shards()).map(|()| Done::Nothing)
        }
        Act::OomScore => score(next).map(|()| Done::OomScore),
        Act::Directory => change_directory(next).map(Done::Directory),
        Act::Log if next.log.enabled => switch::prepare(shared, next).map(|()| Done::Log),
        Act::LogLines => {
            shared.set_log_level(log_level(next.server.lines.level));
            Ok(Done::Nothing)
        }
        // Reading the new value is all, or turning the log off: every core thread does when it
        // takes its copy.
        Act::Log | Act::Memory | Act::Password | Act::Rhythm | Act::LatencyTracking | Act::Trim => {
            Ok(Done::Nothing)
        }
    }
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

/// Makes room for the descriptors that so many clients need.
fn allow_clients(clients: u32, shards: usize) -> Result<(), String> {
    let room = match room_for_clients(clients, shards) {
        Ok(room) => room,
        Err(error) => return Err(system_reason(&error)),
    };
    if u64::from(clients) <= room.clients {
        return Ok(());
    }
    Err(format!(
        "The operating system is not able to handle the specified number of clients, try with {}",
        room.clients
    ))
}

/// Changes the working directory, and remembers it by its full path. Gives what it was.
fn change_directory(next: &mut Config) -> Result<Option<PathBuf>, String> {
    let before = std::env::current_dir().ok();
    let directory = next.server.directory.as_path();
    std::env::set_current_dir(directory).map_err(|error| system_reason(&error))?;
    if let Ok(full) = std::env::current_dir() {
        next.server.directory = full.display().to_string().as_str().into();
    }
    Ok(before)
}

/// The base of `oom_score_adj`: what the process had before we first changed it.
static OOM_BASE: std::sync::OnceLock<i32> = std::sync::OnceLock::new();

const OOM_FILE: &str = "/proc/self/oom_score_adj";

/// Does at start what CONFIG SET oom-score-adj does. What is in the way is logged, no more.
pub(crate) fn score_at_start(config: &Config) {
    if config.server.oom.mode != OomMode::No {
        // A failure has been logged.
        let _ = score(config);
    }
}

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
        self.shard.turn_log_off();
        self.shared.publish_log_refusal(self.mail.shard, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_clients_are_refused_with_what_would_do() {
        let error = allow_clients(u32::MAX, 2).expect_err("nobody has so many descriptors");
        assert!(error.starts_with("The operating system is not able to handle"), "{error}");
        assert_eq!(allow_clients(1, 2), Ok(()));
    }

    #[test]
    fn reasons_are_the_system_s_words() {
        assert_eq!(system_reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
    }
}
