//! CLIENT: what the server knows of its connections, and what may be done to them.
//!
//! ```text
//! identity   ID GETNAME SETNAME SETINFO         the connection's own names
//! list       LIST INFO                          `clients/describe.rs`, over all core threads
//! kill       KILL                               over all core threads
//! pause      PAUSE UNPAUSE                      over all core threads
//! modes      NO-EVICT NO-TOUCH REPLY            the connection's own switches
//! redirect   GETREDIR TRACKINGINFO              tracking is off for everyone yet
//! unblock    UNBLOCK                            nobody blocks yet
//! help       HELP
//! ```

mod filter;
mod help;
mod identity;
mod kill;
mod list;
mod modes;
mod pause;
mod redirect;
mod unblock;

use spec::{Arity, Group, Spec};

use super::{Context, SessionCommand, Then};

pub(super) use identity::is_valid_name;

/// `CLIENT`: nothing but its subcommands.
pub(super) const CONTAINER: Spec =
    Spec::new("client", Arity::at_least(2), Group::Connection, "2.4.0")
        .about("Commands about client connections.", "Depends on subcommand.");

pub(super) const COMMANDS: &[&SessionCommand] = &[
    &identity::GETNAME,
    &redirect::GETREDIR,
    &help::HELP,
    &identity::ID,
    &list::INFO,
    &kill::KILL,
    &list::LIST,
    &modes::NO_EVICT,
    &modes::NO_TOUCH,
    &pause::PAUSE,
    &modes::REPLY,
    &identity::SETINFO,
    &identity::SETNAME,
    &redirect::TRACKINGINFO,
    &unblock::UNBLOCK,
    &pause::UNPAUSE,
];
