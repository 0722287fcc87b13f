//! COMMAND HELP.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Categories, Group, Reply, Spec};

use super::info::FLAGS;
use super::{Context, SessionCommand, Then};
use crate::commands::help::{self, Lines};

/// `COMMAND HELP`: a line or more for each subcommand.
pub(super) const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("command|help", Arity::exactly(2), Group::Server, "5.0.0")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("The subcommands, in a few words each.", "O(1)")
        .reply(Reply::ARRAY),
    run: command_help,
};

fn command_help(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    help::write(reply, "COMMAND", LINES);
    Ok(Then::Done)
}

const WITHOUT_NAMES: &str = "If no command names are given, documentation details for all";

const LINES: Lines = &[
    ("(no subcommand)", &["Return details about all commands."]),
    ("COUNT", &["Return the total number of commands in this server."]),
    ("LIST", &["Return a list of all commands in this server."]),
    (
        "INFO [<command-name> ...]",
        &["Return details about multiple commands.", WITHOUT_NAMES, "commands are returned."],
    ),
    (
        "DOCS [<command-name> ...]",
        &[
            "Return documentation details about multiple commands.",
            WITHOUT_NAMES,
            "commands are returned.",
        ],
    ),
    ("GETKEYS <full-command>", &["Return the keys from a full command."]),
    (
        "GETKEYSANDFLAGS <full-command>",
        &["Return the keys and the access flags from a full command."],
    ),
];
