//! DEBUG HELP.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Reply};

use super::spec;
use crate::commands::{Context, SessionCommand, Then, help};

/// `DEBUG HELP`.
pub(super) const HELP: SessionCommand = SessionCommand {
    spec: spec("debug|help", Arity::exactly(2), "Shows the subcommands of DEBUG.")
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
        "DEBUG",
        &[
            ("CHANGE-REPL-ID", &["Give the data's history a new name."]),
            ("DIGEST", &["Show a digest of all keys and values; zeros when there are none."]),
            ("DIGEST-VALUE <key> [<key> ...]", &["Show digests of keys' values."]),
            ("ERROR <text>", &["Answer with this error."]),
            ("LOADAOF", &["Write the log, forget all keys, and replay the log."]),
            ("LOG <text>", &["Write a line to the server's log."]),
            ("OBJECT <key>", &["Show a line about the inside of a value."]),
            (
                "POPULATE <count> [<prefix>] [<size>]",
                &["Make <count> keys <prefix>:<number>, where there are none yet."],
            ),
            ("PROTOCOL <type>", &["Answer with a value of this type."]),
            ("QUICKLIST-PACKED-THRESHOLD <size>", &["Accepted, without effect."]),
            ("RELOAD [<option> ...]", &["The same as LOADAOF."]),
            ("SET-ACTIVE-EXPIRE <0|1>", &["Switch the search for expired keys off or on."]),
            ("SET-DISABLE-DENY-SCRIPTS <0|1>", &["Accepted, without effect."]),
            ("SLEEP <seconds>", &["Stop the whole server for so long."]),
            ("STRINGMATCH-LEN <text> <pattern>", &["Match a text against a pattern."]),
        ],
    );
    Ok(Then::Done)
}
