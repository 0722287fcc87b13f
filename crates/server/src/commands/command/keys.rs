//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys of a command that is given in full.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Categories, Flags, Group, KeyFlags, Reply, Spec};

use super::info::FLAGS;
use super::{Context, SessionCommand, Then};
use crate::input::registry::Registry;

const GRAMMAR: &[Argument] =
    &[Argument::string("command"), Argument::string("arg").optional().multiple()];

const COST: &str = "O(N) where N is the number of arguments to the command";

/// `COMMAND GETKEYS command [argument ...]`: the keys that the command would use.
pub(super) const GETKEYS: SessionCommand = SessionCommand {
    spec: Spec::new("command|getkeys", Arity::at_least(3), Group::Server, "2.8.13")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("Finds the keys of a command.", COST)
        .arguments(GRAMMAR)
        .reply(Reply::ARRAY),
    run: keys,
};

fn keys(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let found = find(context.core.registry, arguments.from(2))?;
    reply.array(found.len());
    found.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(Then::Done)
}

/// `COMMAND GETKEYSANDFLAGS command [argument ...]`: the keys, each with what would be done to it.
pub(super) const GETKEYSANDFLAGS: SessionCommand = SessionCommand {
    spec: Spec::new("command|getkeysandflags", Arity::at_least(3), Group::Server, "7.0.0")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("Finds the keys of a command, and what it does to them.", COST)
        .arguments(GRAMMAR)
        .reply(Reply::ARRAY),
    run: keys_and_flags,
};

fn keys_and_flags(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let found = find(context.core.registry, arguments.from(2))?;
    reply.array(found.len());
    for (key, flags) in &found {
        reply.array(2);
        reply.bulk(key);
        reply.set(flags.names().count());
        flags.names().for_each(|name| reply.simple(name));
    }
    Ok(Then::Done)
}

/// The keys of `command`, in the order of its key specs.
fn find<'a>(
    registry: &Registry,
    command: Arguments<'a>,
) -> Result<Vec<(&'a [u8], KeyFlags)>, CommandError> {
    let argument = |at: usize| command.get(at).unwrap_or_default();
    let entry =
        registry.resolve(argument(0), command.get(1)).map_err(|_| CommandError::CommandInvalid)?;
    let spec = entry.spec;
    if spec.keys.iter().all(|key| key.flags.has(KeyFlags::NOT_KEY)) {
        return Err(CommandError::CommandWithoutKeys);
    }
    if !spec.arity.admits(command.len()) {
        return Err(CommandError::CommandArity);
    }
    let mut found = Vec::new();
    let visited = spec.each_key_exactly(command.len(), &argument, &mut |at, flags| {
        if !flags.has(KeyFlags::NOT_KEY) {
            found.push((argument(at), flags));
        }
    });
    if visited.is_ok() && !found.is_empty() {
        return Ok(found);
    }
    if spec.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Ok(Vec::new());
    }
    Err(CommandError::CommandArguments)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn keys_are_found() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        for (command, keys) in [
            ("get a", "*1\r\n$1\r\na\r\n"),
            ("MSET a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("mset a 1 b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("bitop and d a b", "*3\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ] {
            assert_eq!(server.ask(client, &format!("COMMAND GETKEYS {command}")), keys);
        }
    }

    #[test]
    fn what_has_no_keys_is_refused() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for (command, error) in [
            ("nosuch a", "-ERR Invalid command specified\r\n"),
            ("client nosuch", "-ERR Invalid command specified\r\n"),
            ("client id", "-ERR The command has no key arguments\r\n"),
            ("client", "-ERR The command has no key arguments\r\n"),
            ("ping", "-ERR The command has no key arguments\r\n"),
            ("get", "-ERR Invalid number of arguments specified for command\r\n"),
            ("get a b", "-ERR Invalid number of arguments specified for command\r\n"),
        ] {
            for subcommand in ["GETKEYS", "GETKEYSANDFLAGS"] {
                let reply = server.ask(client, &format!("COMMAND {subcommand} {command}"));
                assert_eq!(reply, error, "{command}");
            }
        }
    }

    #[test]
    fn flags_follow_the_arguments() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for (command, flags) in [
            ("get a", "+RO +access"),
            ("set a b", "+OW +update"),
            ("set a b EX 10 get", "+RW +access +update"),
            ("bitfield a", "+RO +access"),
            ("bitfield a GET u1 0 overflow sat get u8 0", "+RO +access"),
            ("bitfield a GET u1 0 SET u1 0 1", "+RW +access +update"),
            ("bitfield a GET u1", "+RW +access +update"),
        ] {
            let reply = server.ask(client, &format!("COMMAND GETKEYSANDFLAGS {command}"));
            let (head, rest) = reply.split_at("*1\r\n*2\r\n$1\r\na\r\n*?\r\n".len());
            assert!(head.starts_with("*1\r\n*2\r\n$1\r\na\r\n*"), "{reply}");
            assert_eq!(rest.split_whitespace().collect::<Vec<_>>().join(" "), flags, "{command}");
        }
    }
}
