//! DEBUG LOADAOF and RELOAD: the data set as a restart would find it.
//!
//! In two rounds over all core threads: first every log is written and synced, then each shard
//! forgets its keys and replays its part of the log. What clients write meanwhile is logged like
//! everything else; only a transaction over several shards in just that moment could be met half
//! written. An EXEC logs what it changed when it ends, so these are no part of one.

use durability::{FileStorage, LogDirectory, LogNames, TornTail, scan};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Reply};

use super::declare::{FLAGS, spec};
use crate::commands::{Context, SessionCommand, Then};
use crate::core::Core;
use crate::log::recovery;
use crate::message::gathering::Question;
use crate::settings;

/// `DEBUG LOADAOF`: the log is written, all keys are forgotten, and the log is replayed.
pub(super) const LOADAOF: SessionCommand = SessionCommand {
    spec: spec("debug|loadaof", Arity::exactly(2), "Replays the log.")
        .flags(FLAGS.with(Flags::NO_MULTI))
        .reply(Reply::SIMPLE),
    run: load_log,
};

/// `DEBUG RELOAD [NOSAVE|NOFLUSH|MERGE]`: the same; there are no snapshots to save to and load
/// from. The options are accepted: what they spare is not done.
pub(super) const RELOAD: SessionCommand = SessionCommand {
    spec: spec("debug|reload", Arity::at_least(2), "Saves and loads the data.")
        .flags(FLAGS.with(Flags::NO_MULTI))
        .arguments(&[Argument::string("option").optional().multiple()])
        .reply(Reply::SIMPLE),
    run: reload,
};

fn reload(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    for option in arguments.from(2) {
        let known = [&b"nosave"[..], b"noflush", b"merge"];
        if !known.iter().any(|known| option.eq_ignore_ascii_case(known)) {
            return Err(CommandError::DebugReloadOption);
        }
    }
    load_log(context, arguments, reply)
}

fn load_log(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if !context.core.shard.log.is_on() {
        tracing::warn!("DEBUG RELOAD needs the append-only log: it is off");
        return Err(CommandError::DebugLoadFailed);
    }
    let written = Question::of_several(
        |core| write(core).is_ok(),
        |_, parts, reply| {
            if parts.contains(&false) {
                reply.error(&CommandError::DebugLoadFailed);
                return None;
            }
            Some(replayed())
        },
    );
    Ok(Then::Ask(written.barrier()))
}

fn replayed() -> Question {
    Question::new(
        |core| match replay(core) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("Shard {}: replaying the log failed: {error}", core.mail.shard);
                false
            }
        },
        |_, parts, reply| {
            if parts.contains(&false) {
                reply.error(&CommandError::DebugLoadFailed)
            } else {
                reply.ok()
            }
        },
    )
}

fn write(core: &mut Core) -> std::io::Result<()> {
    core.shard.log.finish(core.time.unix_ms() as u64)
}

fn replay(core: &mut Core) -> Result<(), String> {
    write(core).map_err(|error| error.to_string())?;
    let log = settings::log(&core.shared.config());
    let storage = FileStorage::new(log.directory.clone());
    let names = LogNames::new(&log.append_directory, &log.append_file)
        .ok_or_else(|| format!("'{}' cannot name the log's files", log.append_file))?;
    let directory = LogDirectory::open(&storage, names).map_err(|error| error.to_string())?;
    let sources = directory.segments();
    let indexes: Result<Vec<_>, _> = sources.iter().map(|source| scan(&storage, source)).collect();
    let indexes = indexes.map_err(|error| error.to_string())?;
    let shards = core.mail.shards() as u16;
    let plan = directory.plan(indexes, shards, TornTail::Cut).map_err(|error| error.to_string())?;
    forget_keys(core);
    recovery::load_again(core, &storage, &plan).map_err(|error| error.to_string())?;
    Ok(())
}

fn forget_keys(core: &mut Core) {
    let shard = &mut core.shard;
    for db in 0..shard.keyspace.database_count() {
        shard.keyspace.flush(db, &mut shard.effects);
    }
    shard.effects.clear();
}
