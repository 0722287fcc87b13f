//! Who may connect, and who may do what.

use crate::declare::{flag, integer, section, text, word, words};
use crate::parameter::{Act, Parameter};
use crate::sections::why;
use crate::text::Text;

section! {
    /// Passwords, protected mode, gates.
    pub struct Security {
        /// Refuse clients from other hosts while no password is set.
        pub protected_mode: bool,
        /// Password of the default user; empty: none.
        pub password: Text,
        /// Path of the ACL file; empty: none.
        pub acl_file: Text,
        /// Entries of the ACL log.
        pub acl_log_entries_max: u64,
        /// Channels that a new user may use.
        pub acl_pubsub_default: PubsubDefault,
        /// Who may use DEBUG.
        pub debug_command: Gate,
        /// Who may use MODULE.
        pub module_command: Gate,
        /// Who may set protected parameters.
        pub protected_configs: Gate,
        /// Directives that are not parameters.
        pub directives: Directives,
    }
    in security
}

section! {
    /// Directives of a file that CONFIG does not know, in the order given, arguments as given.
    pub struct Directives {
        /// `user default <rules ...>`, of those that give it what it has anyway.
        pub users: Vec<Vec<Text>>,
        /// `rename-command <from> <to>`; an empty `to` removes the command.
        pub renamed_commands: Vec<Vec<Text>>,
    }
}

words! {
    /// Who may pass: `enable-debug-command` and its like.
    pub enum Gate {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Clients on this machine: loopback or unix socket.
        Local = "local",
    }
}

impl Gate {
    /// Whether a client passes; `local`: it came over loopback or the unix socket.
    pub fn admits(self, local: bool) -> bool {
        self == Self::Yes || (self == Self::Local && local)
    }
}

words! {
    /// `acl-pubsub-default`.
    pub enum PubsubDefault {
        /// None.
        ResetChannels = "resetchannels",
        /// All.
        AllChannels = "allchannels",
    }
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "protected-mode",
        flag!(security.protected_mode, true),
        "Refuse clients from other hosts while no password is set.",
    ),
    Parameter::new("requirepass", text!(security.password, ""), "Password of the default user.")
        .sensitive()
        .act(Act::Password),
    Parameter::new("aclfile", text!(security.acl_file, ""), "File with users.")
        .at_start()
        .inert(why::ACL)
        .guards(
            |config| !config.security.acl_file.is_empty(),
            "ACL users are not in this version, and without them the server would be open to \
             everyone: remove the line, and set requirepass to keep others out",
        ),
    Parameter::new(
        "acllog-max-len",
        integer!(security.acl_log_entries_max, 128, 0, i64::MAX),
        "Entries of the ACL log.",
    )
    .act(Act::Trim)
    .inert(why::ACL),
    Parameter::new(
        "acl-pubsub-default",
        word!(security.acl_pubsub_default: PubsubDefault, "resetchannels"),
        "Channels that a new user may use.",
    )
    .inert(why::ACL),
    Parameter::new(
        "enable-debug-command",
        word!(security.debug_command: Gate, "no"),
        "Who may use DEBUG.",
    )
    .at_start(),
    Parameter::new(
        "enable-module-command",
        word!(security.module_command: Gate, "no"),
        "Who may use MODULE LOAD, LOADEX, UNLOAD, which find that Bobbin loads no modules.",
    )
    .at_start(),
    Parameter::new(
        "enable-protected-configs",
        word!(security.protected_configs: Gate, "no"),
        "Who may set `dir` and `dbfilename`.",
    )
    .at_start(),
];
