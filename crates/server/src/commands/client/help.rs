//! CLIENT HELP.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::commands::help::{self, Lines};

/// `CLIENT HELP`: a line or more for each subcommand.
pub(super) const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("client|help", Arity::exactly(2), Group::Connection, "5.0.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("The subcommands, in a few words each.", "O(1)")
        .reply(Reply::ARRAY),
    run: client_help,
};

fn client_help(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    help::write(reply, "CLIENT", LINES);
    Ok(Then::Done)
}

const LINES: Lines = &[
    ("GETREDIR", &["Return the client ID we are redirecting to when tracking is enabled."]),
    ("GETNAME", &["Return the name of the current connection."]),
    ("ID", &["Return the ID of the current connection."]),
    ("INFO", &["Return information about the current client connection."]),
    ("KILL <ip:port>", &["Kill connection made from <ip:port>."]),
    (
        "KILL <option> <value> [<option> <value> [...]]",
        &[
            "Kill connections. Options are:",
            "* ADDR (<ip:port>|<unixsocket>:0)",
            "  Kill connections made from the specified address",
            "* LADDR (<ip:port>|<unixsocket>:0)",
            "  Kill connections made to specified local address",
            "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "  Kill connections by type.",
            "* USER <username>",
            "  Kill connections authenticated by <username>.",
            "* SKIPME (YES|NO)",
            "  Skip killing current connection (default: yes).",
            "* ID <client-id>",
            "  Kill connections by client id.",
            "* MAXAGE <maxage>",
            "  Kill connections older than the specified age.",
        ],
    ),
    (
        "LIST [options ...]",
        &[
            "Return information about client connections. Options:",
            "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "  Return clients of specified type.",
            "* ID <client-id> [<client-id> ...]",
            "  Return clients of specified IDs only.",
        ],
    ),
    ("UNPAUSE", &["Stop the current client pause, resuming traffic."]),
    (
        "PAUSE <timeout> [WRITE|ALL]",
        &["Suspend all, or just write, clients for <timeout> milliseconds."],
    ),
    ("REPLY (ON|OFF|SKIP)", &["Control the replies sent to the current connection."]),
    ("SETNAME <name>", &["Assign the name <name> to the current connection."]),
    (
        "SETINFO <option> <value>",
        &[
            "Set client meta attr. Options are:",
            "* LIB-NAME: the client lib name.",
            "* LIB-VER: the client lib version.",
        ],
    ),
    ("UNBLOCK <clientid> [TIMEOUT|ERROR]", &["Unblock the specified blocked client."]),
    ("TRACKINGINFO", &["Report tracking status for the current connection."]),
    ("NO-EVICT (ON|OFF)", &["Protect current client connection from eviction."]),
    ("NO-TOUCH (ON|OFF)", &["Will not touch LRU/LFU stats when this mode is on."]),
];
