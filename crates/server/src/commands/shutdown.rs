//! SHUTDOWN: the end of the server.

use std::sync::atomic::Ordering;

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::core::Core;

pub(super) const COMMANDS: &[&SessionCommand] = &[&SHUTDOWN];

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`: what is under way is finished, the log written
/// and synced, and the process ends; there is no reply but for an error. NOW does not wait for
/// replicas, of which there are none. FORCE and NOSAVE end the server even if data would be lost:
/// when the log cannot be written, or SAVE asks for it and nothing is logged. ABORT ends nothing: a
/// shutdown that waits for nobody cannot be aborted.
const SHUTDOWN: SessionCommand = SessionCommand {
    spec: Spec::new("shutdown", Arity::at_least(1), Group::Server, "1.0.0")
        .flags(
            Flags::ADMIN
                .with(Flags::NOSCRIPT)
                .with(Flags::LOADING)
                .with(Flags::STALE)
                .with(Flags::NO_MULTI)
                .with(Flags::ALLOW_BUSY),
        )
        .about("Ends the server, its data on disk.", "O(N), N the bytes that are to be written yet")
        .history(&[("7.0.0", "Takes NOW, FORCE and ABORT.")])
        .arguments(&[
            Argument::one_of(
                "save-selector",
                &[Argument::word("nosave", "NOSAVE"), Argument::word("save", "SAVE")],
            )
            .optional(),
            Argument::word("now", "NOW").optional().since("7.0.0"),
            Argument::word("force", "FORCE").optional().since("7.0.0"),
            Argument::word("abort", "ABORT").optional().since("7.0.0"),
        ])
        .reply(Reply::SIMPLE),
    run: shutdown,
};

/// What the words after SHUTDOWN say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    nosave: bool,
    save: bool,
    now: bool,
    force: bool,
    abort: bool,
}

impl Options {
    fn parse<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        for word in words {
            let flag = match word.to_ascii_lowercase().as_slice() {
                b"nosave" => &mut options.nosave,
                b"save" => &mut options.save,
                b"now" => &mut options.now,
                b"force" => &mut options.force,
                b"abort" => &mut options.abort,
                _ => return Err(CommandError::Syntax),
            };
            *flag = true;
        }
        let Self { nosave, save, now, force, abort } = options;
        if (abort && (nosave || save || now || force)) || (nosave && save) {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}

fn shutdown(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let options = Options::parse(arguments.from(1))?;
    if options.abort {
        return Err(CommandError::NoShutdown);
    }
    let core = &mut *context.core;
    if let Some(reason) = loss(core, options) {
        if !options.force && !options.nosave {
            tracing::warn!("SHUTDOWN refused: {reason}. SHUTDOWN NOSAVE or FORCE ends it anyway.");
            return Err(CommandError::ShutdownFailed);
        }
        tracing::warn!("SHUTDOWN: {reason}; it was told to end anyway");
    }
    tracing::warn!("User requested shutdown...");
    core.shared.life.ending.store(true, Ordering::Release);
    let (own, shards) = (core.mail.shard, core.mail.shards());
    core.mail.wakes().extend((0..shards).filter(|&shard| shard != own));
    Ok(Then::Done)
}

/// What would be lost.
fn loss(core: &Core, options: Options) -> Option<&'static str> {
    if core.shared.some_log_refuses() {
        return Some("the append-only log cannot be written");
    }
    if options.save && !core.shard.log.is_on() {
        return Some("there is no append-only log to save the data to");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn parse(line: &str) -> Result<Options, CommandError> {
        Options::parse(line.split_whitespace().map(str::as_bytes))
    }

    #[test]
    fn options_exclude_each_other() {
        assert_eq!(parse(""), Ok(Options::default()));
        assert_eq!(
            parse("NoSave now"),
            Ok(Options { nosave: true, now: true, ..parse("").unwrap() })
        );
        for line in ["save nosave", "abort now", "abort save", "force abort", "never"] {
            assert_eq!(parse(line), Err(CommandError::Syntax), "{line}");
        }
    }

    #[test]
    fn a_shutdown_is_asked_for_or_refused() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "SHUTDOWN ABORT"), "-ERR No shutdown in progress.\r\n");
        assert_eq!(server.ask(client, "SHUTDOWN SOON"), "-ERR syntax error\r\n");
        let refused = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";
        assert_eq!(server.ask(client, "SHUTDOWN SAVE"), refused, "nothing is logged");
        assert!(!server.cores[0].shared.life.ending.load(Ordering::Acquire));
        assert_eq!(server.ask(client, "SHUTDOWN NOSAVE"), "");
        assert!(server.cores[1].shared.life.ending.load(Ordering::Acquire));
    }
}
