//! MODULE: Bobbin loads no modules. There are none to list, and none can be loaded or unloaded, in
//! Redis' words. Admission asks `enable-module-command` about those that would change something.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then, help};

/// `MODULE`: nothing but its subcommands.
pub(super) const CONTAINER: Spec = Spec::new("module", Arity::at_least(2), Group::Server, "4.0.0")
    .about("Commands about modules.", "Depends on subcommand.");

pub(super) const COMMANDS: &[&SessionCommand] = &[&HELP, &LIST, &LOAD, &LOADEX, &UNLOAD];

const OPERATORS: Flags = Flags::ADMIN.with(Flags::NOSCRIPT);

const CHANGES: Flags = OPERATORS.with(Flags::NO_ASYNC_LOADING).with(Flags::CHANGES_MODULES);

/// `MODULE LIST`: an empty array.
const LIST: SessionCommand = SessionCommand {
    spec: Spec::new("module|list", Arity::exactly(2), Group::Server, "4.0.0")
        .flags(OPERATORS)
        .about("The modules that are loaded: none.", "O(1)")
        .tips(&["nondeterministic_output_order"])
        .reply(Reply::ARRAY),
    run: list,
};

fn list(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.array(0);
    Ok(Then::Done)
}

/// `MODULE LOAD path [arg ...]`: refused.
const LOAD: SessionCommand = SessionCommand {
    spec: Spec::new("module|load", Arity::at_least(3), Group::Server, "4.0.0")
        .flags(CHANGES)
        .about("Loads a module: refused, Bobbin loads none.", "O(1)")
        .arguments(&[Argument::string("path"), Argument::string("arg").optional().multiple()]),
    run: load,
};

/// `MODULE LOADEX path [CONFIG name value ...] [ARGS arg ...]`: refused, whatever follows the path.
const LOADEX: SessionCommand = SessionCommand {
    spec: Spec::new("module|loadex", Arity::at_least(3), Group::Server, "7.0.0")
        .flags(CHANGES)
        .about("Loads a module with a configuration: refused, Bobbin loads none.", "O(1)")
        .arguments(&[
            Argument::string("path"),
            Argument::block("configs", NAME_AND_VALUE).token("CONFIG").optional().multiple_token(),
            Argument::string("args").token("ARGS").optional().multiple(),
        ]),
    run: load,
};

const NAME_AND_VALUE: &[Argument] = &[Argument::string("name"), Argument::string("value")];

fn load(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let path = String::from_utf8_lossy(&arguments[2]);
    tracing::warn!("MODULE LOAD of {path:?}: Bobbin loads no modules");
    Err(CommandError::ModuleNotLoaded)
}

/// `MODULE UNLOAD name`: there is none of that name.
const UNLOAD: SessionCommand = SessionCommand {
    spec: Spec::new("module|unload", Arity::exactly(3), Group::Server, "4.0.0")
        .flags(CHANGES)
        .about("Unloads a module: there is none.", "O(1)")
        .arguments(&[Argument::string("name")]),
    run: unload,
};

fn unload(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Err(CommandError::NoSuchModule)
}

/// `MODULE HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("module|help", Arity::exactly(2), Group::Server, "5.0.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Shows the subcommands of MODULE.", "O(1)")
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
        "MODULE",
        &[
            ("LIST", &["List the loaded modules: there are none."]),
            ("LOAD <path> [<arg> ...]", &["Refused: Bobbin loads no modules."]),
            (
                "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
                &["Refused: Bobbin loads no modules."],
            ),
            ("UNLOAD <name>", &["Refused: there is none to unload."]),
        ],
    );
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use config::{Config, Gate};

    use crate::fixture::Fixture;

    const CHANGES: [&str; 3] =
        ["MODULE LOAD /x.so", "MODULE LOADEX /x.so ARGS 1", "MODULE UNLOAD x"];

    fn gated(gate: Gate) -> Fixture {
        let mut config = Config::default();
        config.security.module_command = gate;
        Fixture::with_config(2, config)
    }

    #[test]
    fn the_directive_decides_who_may_change_modules() {
        let mut server = gated(Gate::No);
        let client = server.connect(1);
        for line in CHANGES {
            let reply = server.ask(client, line);
            assert!(reply.starts_with("-ERR MODULE command not allowed. If the"), "{reply}");
            assert!(reply.contains("enable-module-command"), "{reply}");
        }
        assert_eq!(server.ask(client, "MODULE LIST"), "*0\r\n");
        assert!(server.ask(client, "MODULE HELP").contains("MODULE <subcommand>"));
        assert_eq!(server.ask(client, "MULTI"), "+OK\r\n");
        assert!(server.ask(client, CHANGES[0]).starts_with("-ERR MODULE command not allowed"));
        assert!(server.ask(client, "EXEC").starts_with("-EXECABORT"));
    }

    #[test]
    fn nothing_is_loaded_where_it_is_allowed() {
        for gate in [Gate::Yes, Gate::Local] {
            let mut server = gated(gate);
            let client = server.connect(0);
            let failed = "-ERR Error loading the extension. Please check the server logs.\r\n";
            assert_eq!(server.ask(client, CHANGES[0]), failed);
            assert_eq!(server.ask(client, CHANGES[1]), failed);
            let missing = "-ERR Error unloading module: no such module with that name\r\n";
            assert_eq!(server.ask(client, CHANGES[2]), missing);
            let refused = server.ask(client, "DEBUG SLEEP 0");
            assert!(refused.starts_with("-ERR DEBUG command not allowed"), "a gate of its own");
        }
    }
}
