//! The connection's own names: CLIENT ID, GETNAME, SETNAME, SETINFO.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

const FLAGS: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

/// Cluster clients set names on all nodes.
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// `CLIENT ID`: the connection's id, unique and ascending over the life of the server.
pub(super) const ID: SessionCommand = SessionCommand {
    spec: Spec::new("client|id", Arity::exactly(2), Group::Connection, "5.0.0")
        .flags(FLAGS)
        .about("The id of the connection.", "O(1)")
        .reply(Reply::INTEGER),
    run: id,
};

fn id(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.integer(context.session().id as i64);
    Ok(Then::Done)
}

/// `CLIENT GETNAME`: the connection's name, null when it has none.
pub(super) const GETNAME: SessionCommand = SessionCommand {
    spec: Spec::new("client|getname", Arity::exactly(2), Group::Connection, "2.6.9")
        .flags(FLAGS)
        .about("The name of the connection.", "O(1)")
        .reply(Reply::BULK.or(Reply::NULL)),
    run: name,
};

fn name(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let name = &context.session().identity.name;
    if name.is_empty() {
        reply.null();
    } else {
        reply.bulk(name);
    }
    Ok(Then::Done)
}

/// `CLIENT SETNAME name`: names the connection; the empty name takes the name away.
pub(super) const SETNAME: SessionCommand = SessionCommand {
    spec: Spec::new("client|setname", Arity::exactly(3), Group::Connection, "2.6.9")
        .flags(FLAGS)
        .about("Names the connection.", "O(1)")
        .arguments(&[Argument::string("connection-name")])
        .tips(ALL_NODES)
        .reply(Reply::SIMPLE),
    run: set_name,
};

fn set_name(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let name = &arguments[2];
    if !is_valid_name(name) {
        return Err(CommandError::ClientName);
    }
    context.session().identity.name = name.to_vec();
    reply.ok();
    Ok(Then::Done)
}

/// `CLIENT SETINFO LIB-NAME name | LIB-VER version`: says which library speaks. RESET leaves it.
pub(super) const SETINFO: SessionCommand = SessionCommand {
    spec: Spec::new("client|setinfo", Arity::exactly(4), Group::Connection, "7.2.0")
        .flags(FLAGS)
        .about("Says which client library is behind the connection.", "O(1)")
        .arguments(&[Argument::one_of(
            "attr",
            &[
                Argument::string("libname").token("LIB-NAME"),
                Argument::string("libver").token("LIB-VER"),
            ],
        )])
        .tips(ALL_NODES)
        .reply(Reply::SIMPLE),
    run: set_info,
};

fn set_info(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let (attribute, value) = (&arguments[2], &arguments[3]);
    let identity = &mut context.session().identity;
    let place = if attribute.eq_ignore_ascii_case(b"LIB-NAME") {
        &mut identity.library
    } else if attribute.eq_ignore_ascii_case(b"LIB-VER") {
        &mut identity.library_version
    } else {
        return Err(CommandError::unrecognized_option(attribute));
    };
    if !is_valid_name(value) {
        return Err(CommandError::special_characters(attribute));
    }
    *place = value.to_vec();
    reply.ok();
    Ok(Then::Done)
}

/// Whether a name can stand in a line of CLIENT LIST: printable ASCII without the space.
pub(in crate::commands) fn is_valid_name(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn names_come_and_go() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT GETNAME"), "$-1\r\n");
        assert_eq!(server.ask(client, "CLIENT SETNAME !name~"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT GETNAME"), "$6\r\n!name~\r\n");
        let refused =
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
        for bad in ["a b", "a\nb", "\u{e9}"] {
            assert_eq!(server.ask_words(client, &["CLIENT", "SETNAME", bad]), refused);
        }
        assert_eq!(server.ask_words(client, &["CLIENT", "SETNAME", ""]), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT GETNAME"), "$-1\r\n");
    }

    #[test]
    fn ids_ascend() {
        let mut server = Fixture::new(2);
        let (first, second) = (server.connect(0), server.connect(1));
        assert_eq!(server.ask(first, "CLIENT ID"), ":1\r\n");
        assert_eq!(server.ask(second, "client id"), ":2\r\n");
    }

    #[test]
    fn libraries_are_named() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT SETINFO lib-name redis-py"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT SETINFO LIB-VER 5.0"), "+OK\r\n");
        assert_eq!(server.ask(client, "RESET"), "+RESET\r\n");
        let line = server.ask(client, "CLIENT INFO");
        assert!(line.contains(" lib-name=redis-py lib-ver=5.0\n"), "{line}");
        let reply = server.ask_words(client, &["CLIENT", "SETINFO", "lib-ver", "a b"]);
        assert!(reply.starts_with("-ERR lib-ver cannot contain spaces"), "{reply}");
        let reply = server.ask(client, "CLIENT SETINFO color red");
        assert_eq!(reply, "-ERR Unrecognized option 'color'\r\n");
    }
}
