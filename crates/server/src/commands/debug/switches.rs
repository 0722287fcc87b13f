//! Small ones: switches, sleep, lines.

use std::time::Duration;

use datatypes::{Case, glob_matches};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Reply};

use super::spec;
use crate::commands::{Context, SessionCommand, Then};
use crate::message::gathering::Question;

/// `DEBUG SLEEP seconds`: no core thread does anything for so long.
pub(super) const SLEEP: SessionCommand = SessionCommand {
    spec: spec("debug|sleep", Arity::exactly(3), "Stops the server for a while.")
        .arguments(&[Argument::double("seconds")])
        .reply(Reply::SIMPLE),
    run: sleep,
};

/// The longest sleep: an hour is an error of whoever typed it.
const SLEEP_SECONDS_MAX: f64 = 3600.0;

fn sleep(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let seconds = resp::number::parse_f64(&arguments[2]).unwrap_or(0.0);
    let pause = Duration::from_secs_f64(seconds.clamp(0.0, SLEEP_SECONDS_MAX));
    let mail = &mut context.core.mail;
    let home = mail.shard;
    for shard in (0..mail.shards()).filter(|shard| *shard != home) {
        mail.call(shard, move |_| std::thread::sleep(pause));
    }
    std::thread::sleep(pause);
    reply.ok();
    Ok(Then::Done)
}

/// `DEBUG SET-ACTIVE-EXPIRE 0|1`: whether expired keys that nobody asks for are searched.
pub(super) const SET_ACTIVE_EXPIRE: SessionCommand = SessionCommand {
    spec: spec("debug|set-active-expire", Arity::exactly(3), "Switches active expiry.")
        .arguments(&[Argument::integer("on")])
        .reply(Reply::SIMPLE),
    run: set_active_expire,
};

fn set_active_expire(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let on = resp::number::parse_i64(&arguments[2]).unwrap_or(0) != 0;
    let question = Question::new(
        move |core| {
            let settings = *core.shard.keyspace.settings();
            let settings = keyspace::Settings { active_expire: on, ..settings };
            core.shard.keyspace.configure(settings);
        },
        |_, _: Vec<()>, reply| reply.ok(),
    );
    Ok(Then::Ask(question.barrier()))
}

/// `DEBUG CHANGE-REPL-ID`: the data's history has a new name.
pub(super) const CHANGE_REPL_ID: SessionCommand = SessionCommand {
    spec: spec("debug|change-repl-id", Arity::exactly(2), "Changes the replication id.")
        .reply(Reply::SIMPLE),
    run: change_repl_id,
};

fn change_repl_id(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    context.core.shared.change_replication_id();
    tracing::info!("The replication id was changed by DEBUG CHANGE-REPL-ID");
    reply.ok();
    Ok(Then::Done)
}

/// `DEBUG ERROR text`: the error `text`, as it is; its first word is the prefix.
pub(super) const ERROR: SessionCommand = SessionCommand {
    spec: spec("debug|error", Arity::exactly(3), "Answers with an error.")
        .arguments(&[Argument::string("text")])
        .reply(Reply::ANY),
    run: error,
};

fn error(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    Err(CommandError::Verbatim(Box::from(&arguments[2])))
}

/// `DEBUG LOG text`: a line in the server's log.
pub(super) const LOG: SessionCommand = SessionCommand {
    spec: spec("debug|log", Arity::exactly(3), "Writes a line to the server's log.")
        .arguments(&[Argument::string("text")])
        .reply(Reply::SIMPLE),
    run: log,
};

fn log(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(&arguments[2]));
    reply.ok();
    Ok(Then::Done)
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size`: accepted, so that tests of lists run. Our nodes have no
/// such threshold.
pub(super) const QUICKLIST_PACKED_THRESHOLD: SessionCommand = SessionCommand {
    spec: spec("debug|quicklist-packed-threshold", Arity::exactly(3), "Accepted, without effect.")
        .arguments(&[Argument::string("size")])
        .reply(Reply::SIMPLE),
    run: accept,
};

/// `DEBUG SET-DISABLE-DENY-SCRIPTS 0|1`: accepted, so that tests of scripts run.
pub(super) const SET_DISABLE_DENY_SCRIPTS: SessionCommand = SessionCommand {
    spec: spec("debug|set-disable-deny-scripts", Arity::exactly(3), "Accepted, without effect.")
        .arguments(&[Argument::integer("on")])
        .reply(Reply::SIMPLE),
    run: accept,
};

fn accept(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.ok();
    Ok(Then::Done)
}

/// `DEBUG STRINGMATCH-LEN text pattern`: 1 if the text matches the pattern, as KEYS matches; else
/// 0.
pub(super) const STRINGMATCH_LEN: SessionCommand = SessionCommand {
    spec: spec("debug|stringmatch-len", Arity::exactly(4), "Matches a text against a pattern.")
        .arguments(&[Argument::string("text"), Argument::pattern("pattern")])
        .reply(Reply::INTEGER),
    run: stringmatch_len,
};

fn stringmatch_len(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let matches = glob_matches(&arguments[3], &arguments[2], Case::Matters);
    reply.integer(i64::from(matches));
    Ok(Then::Done)
}
