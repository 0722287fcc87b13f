//! CONFIG: the one configuration of the server.
//!
//! It lives in `shared.config` under a lock that only CONFIG and INFO take. CONFIG SET makes the
//! next one, does what the change asks of the system (`settings/acts.rs`), puts it in force, and
//! then asks every core thread to take its copy ([`Core::apply_config`]): the reply comes when all
//! have.
//!
//! [`Core::apply_config`]: crate::core::Core::apply_config

use std::io;
use std::path::Path;

use config::SetError;
use datatypes::{Case, glob_matches};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then, help};
use crate::message::gathering::Question;
use crate::settings::acts;

pub(super) const COMMANDS: &[&SessionCommand] = &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET];

/// The container.
pub(super) const CONTAINER: Spec = Spec::new("config", Arity::at_least(2), Group::Server, "2.0.0")
    .about("A container for server configuration commands.", "Depends on subcommand.");

const FLAGS: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE);

/// `CONFIG GET parameter [parameter ...]`: names that match the patterns, with their values.
const GET: SessionCommand = SessionCommand {
    spec: Spec::new("config|get", Arity::at_least(3), Group::Server, "2.0.0")
        .flags(FLAGS)
        .about("Shows the values of parameters.", "O(N), N the parameters")
        .history(&[("7.0.0", "Takes several patterns.")])
        .arguments(&[Argument::string("parameter").multiple()])
        .reply(Reply::MAP),
    run: get,
};

fn get(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let patterns: Vec<&[u8]> = arguments.from(2).iter().collect();
    let matches = |pattern: &[u8], name: &[u8]| glob_matches(pattern, name, Case::Ignored);
    let found = context.core.shared.config().matching(&patterns, &matches);
    reply.map(found.len());
    for (name, value) in &found {
        reply.bulk(name);
        reply.bulk(value);
    }
    Ok(Then::Done)
}

/// `CONFIG SET parameter value [parameter value ...]`: all of them, or none.
const SET: SessionCommand = SessionCommand {
    spec: Spec::new("config|set", Arity::at_least(4), Group::Server, "2.0.0")
        .flags(FLAGS)
        .about("Changes parameters while the server runs.", "O(N), N the parameters")
        .history(&[("7.0.0", "Takes several parameters.")])
        .arguments(&[Argument::block(
            "data",
            &[Argument::string("parameter"), Argument::string("value")],
        )
        .multiple()])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE),
    run: set,
};

fn set(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let words: Vec<&[u8]> = arguments.from(2).iter().collect();
    for (index, name) in words.iter().enumerate().step_by(2) {
        if config::is_sensitive(name) {
            context.hide(index + 3);
        }
    }
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|it| (it[0], it[1])).collect();
    let local = context.session().peer.is_local();
    change(context, &pairs, local).map_err(|error| refusal(&error))?;
    let question = Question::new(|core| core.apply_config(), |_, _: Vec<()>, reply| reply.ok());
    Ok(Then::Ask(question.barrier()))
}

/// Puts the next configuration in force, or leaves everything as it was.
fn change(context: &Context<'_>, pairs: &[(&[u8], &[u8])], local: bool) -> Result<(), SetError> {
    let shared = &context.core.shared;
    let mut config = shared.config();
    let protected_allowed = config.security.protected_configs.admits(local);
    let mut change = config.plan(pairs, protected_allowed)?;
    acts::act(shared, &config, &mut change)?;
    *config = change.next;
    Ok(())
}

fn refusal(error: &SetError) -> CommandError {
    match error {
        SetError::Unknown { name } => CommandError::config_unknown(name),
        SetError::Failed { name, reason } => {
            CommandError::config_failed(name, reason.to_string().as_bytes())
        }
    }
}

/// `CONFIG RESETSTAT`: INFO's counts begin anew.
const RESETSTAT: SessionCommand = SessionCommand {
    spec: Spec::new("config|resetstat", Arity::exactly(2), Group::Server, "2.0.0")
        .flags(FLAGS)
        .about("Begins the server's statistics anew.", "O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE),
    run: reset_statistics,
};

fn reset_statistics(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let question = Question::new(
        |core| {
            core.statistics.reset();
            core.shard.keyspace.reset_stats();
        },
        |_, _: Vec<()>, reply| reply.ok(),
    );
    Ok(Then::Ask(question.barrier()))
}

/// `CONFIG REWRITE`: the file says what is in force; comments and order stay.
const REWRITE: SessionCommand = SessionCommand {
    spec: Spec::new("config|rewrite", Arity::exactly(2), Group::Server, "2.8.0")
        .flags(FLAGS)
        .about("Writes the parameters in force to the configuration file.", "O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE),
    run: rewrite,
};

fn rewrite(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let shared = &context.core.shared;
    let Some(path) = shared.identity.config_file.as_deref() else {
        return Err(CommandError::NoConfigFile);
    };
    // The lock is held until the file is written: two rewrites do not meet.
    let config = shared.config();
    if let Err(error) = rewrite_file(Path::new(path), &config) {
        tracing::warn!("CONFIG REWRITE failed: {error}");
        return Err(CommandError::config_rewrite(acts::system_reason(&error).as_bytes()));
    }
    tracing::info!("CONFIG REWRITE executed with success.");
    reply.ok();
    Ok(Then::Done)
}

/// Replaces the file by one step: whoever reads it sees the old text or the new one.
fn rewrite_file(path: &Path, config: &config::Config) -> io::Result<()> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&name);
    let written = write_synced(temporary, &config::rewrite(&text, config))
        .and_then(|()| copy_mode(path, temporary))
        .and_then(|()| std::fs::rename(temporary, path));
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

fn copy_mode(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::metadata(from) {
        Ok(metadata) => std::fs::set_permissions(to, metadata.permissions()),
        Err(_) => Ok(()),
    }
}

/// `CONFIG HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("config|help", Arity::exactly(2), Group::Server, "5.0.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Shows the subcommands of CONFIG.", "O(1)")
        .reply(Reply::ARRAY),
    run: show_help,
};

fn show_help(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    help::write(
        reply,
        "CONFIG",
        &[
            ("GET <pattern> [<pattern> ...]", &["Show the parameters that match, with values."]),
            ("SET <name> <value> [<name> <value> ...]", &["Change parameters: all, or none."]),
            ("RESETSTAT", &["Begin the statistics of INFO anew."]),
            ("REWRITE", &["Write the parameters in force to the configuration file."]),
        ],
    );
    Ok(Then::Done)
}

#[cfg(test)]
mod tests;
