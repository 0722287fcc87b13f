//! CLIENT LIST and CLIENT INFO: clients as lines (`clients/describe.rs`).

use std::collections::HashSet;

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::filter::ClientType;
use super::{Context, SessionCommand, Then};
use crate::clients::connection::Connection;
use crate::clients::describe::{self, Asking, Line};
use crate::core::Core;
use crate::message::gathering::Question;
use crate::transaction::watchers::Watcher;

/// `CLIENT INFO`: the connection's own line.
pub(super) const INFO: SessionCommand = SessionCommand {
    spec: Spec::new("client|info", Arity::exactly(2), Group::Connection, "6.2.0")
        .flags(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE))
        .about("What is known of the connection.", "O(1)")
        .tips(&["nondeterministic_output"])
        .reply(Reply::VERBATIM),
    run: info,
};

fn info(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let asking = Asking::new(context.session().id, arguments);
    let (registry, now_ms) = (context.core.registry, context.core.time.unix_ms());
    let mut line = describe::line(context.connection(), registry, now_ms, asking);
    let Some(watcher) = line.watcher else {
        line.text.push(b'\n');
        reply.verbatim(*b"txt", &line.text);
        return Ok(Then::Done);
    };
    Ok(Then::Ask(Question::new(
        move |core: &mut Core| core.shard.watchers.is_touched(watcher),
        move |_, parts: Vec<bool>, reply| {
            if parts.contains(&true) {
                line.note_touched();
            }
            line.text.push(b'\n');
            reply.verbatim(*b"txt", &line.text);
        },
    )))
}

/// `CLIENT LIST [TYPE type | ID id ...]`: a line for each client, in the order in which they came;
/// with ID in the order asked for, unknown ones left out.
pub(super) const LIST: SessionCommand = SessionCommand {
    spec: Spec::new("client|list", Arity::at_least(2), Group::Connection, "2.4.0")
        .flags(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
        .about(
            "What is known of all connections.",
            "O(N) where N is the number of client connections",
        )
        .history(&[
            ("2.8.12", "The field `id`."),
            ("5.0.0", "The `TYPE` filter."),
            ("6.0.0", "The field `user`."),
            ("6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr`, `redir`, and the `ID` filter."),
            ("7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "The field `ssub`."),
            ("7.2.0", "The fields `lib-name` and `lib-ver`."),
            ("7.4.0", "The field `watch`."),
        ])
        .arguments(&[
            Argument::one_of(
                "client-type",
                &[
                    Argument::word("normal", "NORMAL"),
                    Argument::word("master", "MASTER"),
                    Argument::word("replica", "REPLICA"),
                    Argument::word("pubsub", "PUBSUB"),
                ],
            )
            .token("TYPE")
            .optional()
            .since("5.0.0"),
            Argument::integer("client-id").token("ID").optional().multiple().since("6.2.0"),
        ])
        .tips(&["nondeterministic_output"])
        .reply(Reply::VERBATIM),
    run: list,
};

fn list(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let wanted = Wanted::parse(arguments)?;
    let asking = Asking::new(context.session().id, arguments);
    let asked = wanted.clone();
    Ok(Then::Ask(Question::new(
        move |core: &mut Core| Listed::of(core, &wanted, asking),
        move |_, parts: Vec<Listed>, reply| {
            let mut lines = Listed::finish(parts);
            lines.sort_unstable_by_key(|line| line.id);
            reply.verbatim(*b"txt", &asked.join(&lines));
        },
    )))
}

/// Which clients are listed.
#[derive(Clone, Debug)]
enum Wanted {
    All,
    OfType(ClientType),
    /// In this order, and as often as named.
    Ids(Vec<i64>),
}

/// What a core thread knows of clients.
struct Listed {
    /// The lines of those whose home it is, but for what they watch.
    lines: Vec<Line>,
    /// Whose watched keys were touched here.
    touched: Vec<Watcher>,
}

impl Wanted {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let Some(option) = arguments.get(2) else { return Ok(Self::All) };
        if option.eq_ignore_ascii_case(b"TYPE") && arguments.len() == 4 {
            return ClientType::parse(&arguments[3]).map(Self::OfType);
        }
        if option.eq_ignore_ascii_case(b"ID") && arguments.len() > 3 {
            let ids = arguments.from(3).iter().map(resp::number::parse_i64);
            let ids: Option<Vec<i64>> = ids.collect();
            return ids.map(Self::Ids).ok_or(CommandError::InvalidClientId);
        }
        Err(CommandError::Syntax)
    }

    fn includes(&self, connection: &Connection) -> bool {
        match self {
            Self::All => true,
            Self::OfType(kind) => *kind == ClientType::of(connection),
            Self::Ids(ids) => {
                i64::try_from(connection.session.id).is_ok_and(|id| ids.contains(&id))
            }
        }
    }

    /// The lines as one text; `lines` ascend by id.
    fn join(&self, lines: &[Line]) -> Vec<u8> {
        let mut text = Vec::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
        let mut add = |line: &Line| {
            text.extend_from_slice(&line.text);
            text.push(b'\n');
        };
        if let Self::Ids(ids) = self {
            for id in ids.iter().filter_map(|id| u64::try_from(*id).ok()) {
                if let Ok(at) = lines.binary_search_by_key(&id, |line| line.id) {
                    add(&lines[at]);
                }
            }
        } else {
            lines.iter().for_each(add);
        }
        text
    }
}

impl Listed {
    /// What `core` knows, clients left out that are being closed.
    fn of(core: &Core, wanted: &Wanted, asking: Asking) -> Self {
        let (registry, now_ms) = (core.registry, core.time.unix_ms());
        let open = core.connections.iter().filter(|it| !it.session.modes.close_now);
        let lines = open.filter(|it| wanted.includes(it));
        let lines = lines.map(|it| describe::line(it, registry, now_ms, asking)).collect();
        Self { lines, touched: core.shard.watchers.touched().collect() }
    }

    /// The lines of all core threads. Whether a watched key was touched is said by all shards that
    /// have keys of it, each as it is when it is asked.
    fn finish(parts: Vec<Self>) -> Vec<Line> {
        let touched: HashSet<Watcher> =
            parts.iter().flat_map(|part| &part.touched).copied().collect();
        let mut lines: Vec<Line> = parts.into_iter().flat_map(|part| part.lines).collect();
        for line in &mut lines {
            if line.watcher.is_some_and(|watcher| touched.contains(&watcher)) {
                line.note_touched();
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{Fixture, FixtureClient};

    /// The lines of a RESP2 reply.
    fn lines(reply: &str) -> Vec<&str> {
        let (_, text) = reply.split_once("\r\n").expect("a bulk string has a header");
        text.trim_end_matches("\r\n").lines().collect()
    }

    #[test]
    fn the_fields_stand_in_redis_order() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        server.ask(client, "SELECT 3");
        let reply = server.ask(client, "CLIENT LIST");
        let line = lines(&reply)[0];
        let names: Vec<&str> = line.split(' ').filter_map(|it| it.split('=').next()).collect();
        let redis = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free \
                     argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir \
                     resp lib-name lib-ver";
        assert_eq!(names.join(" "), redis);
        for field in [
            "id=1",
            "laddr=127.0.0.1:6379",
            "fd=-1",
            "name=",
            "flags=N",
            "db=3",
            "multi=-1",
            "qbuf=26",
            "argv-mem=10",
            "obl=0",
            "oll=0",
            "omem=0",
            "events=r",
            "cmd=client|list",
            "user=default",
            "redir=-1",
            "resp=2",
        ] {
            assert!(line.split(' ').any(|it| it == field), "{field} in {line}");
        }
        assert!(reply.ends_with("lib-ver=\n\r\n"));
    }

    #[test]
    fn clients_of_all_core_threads_ascend() {
        let mut server = Fixture::new(3);
        let clients: Vec<_> = (0..7).map(|n| server.connect((7 - n) % 3)).collect();
        let reply = server.ask(clients[4], "CLIENT LIST");
        let ids: Vec<&str> =
            lines(&reply).iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(ids, ["id=1", "id=2", "id=3", "id=4", "id=5", "id=6", "id=7"]);
        let reply = server.ask(clients[0], "CLIENT LIST TYPE normal");
        assert_eq!(lines(&reply).len(), 7);
        assert_eq!(server.ask(clients[0], "CLIENT LIST TYPE pubsub"), "$0\r\n\r\n");
        let reply = server.ask(clients[0], "CLIENT LIST ID 5 99 2 -1 5");
        let ids: Vec<&str> =
            lines(&reply).iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(ids, ["id=5", "id=2", "id=5"], "in the order asked for");
    }

    /// A field of the first line of a reply.
    fn field<'a>(reply: &'a str, name: &str) -> &'a str {
        let line = lines(reply)[0];
        let value = line.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{name} in {line}"))
    }

    /// What others and the client itself are told of the client with id 1.
    fn seen(server: &mut Fixture, other: FixtureClient) -> [String; 3] {
        let reply = server.ask(other, "CLIENT LIST ID 1");
        ["flags", "multi", "cmd"].map(|name| field(&reply, name).to_owned())
    }

    #[test]
    fn what_a_client_watches_is_known_wherever_the_keys_live() {
        for shards in [1, 2, 5, 8] {
            for home in 0..shards {
                let mut server = Fixture::new(shards);
                let (client, other) = (server.connect(home), server.connect(0));
                server.ask(client, "WATCH a b c d e f g h a");
                assert_eq!(seen(&mut server, other), ["N", "-1", "watch"]);
                server.ask(other, "GET a");
                let own = server.ask(client, "CLIENT INFO");
                assert_eq!(field(&own, "flags"), "N");
                for (touched, line) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
                    server.ask(other, &format!("SET {line} {touched}"));
                    assert_eq!(seen(&mut server, other), ["d", "-1", "client|info"]);
                }
                let own = server.ask(client, "CLIENT INFO");
                assert_eq!(field(&own, "flags"), "d");
                server.ask(client, "CLIENT NO-TOUCH ON");
                server.ask(client, "MULTI");
                assert_eq!(seen(&mut server, other), ["xdT", "0", "multi"]);
                server.ask(client, "GET a");
                server.ask(client, "CLIENT INFO");
                assert_eq!(seen(&mut server, other), ["xdT", "2", "client|info"]);
                assert_eq!(server.ask(client, "EXEC"), "*-1\r\n");
                assert_eq!(seen(&mut server, other), ["T", "-1", "exec"]);
                server.ask(client, "WATCH a");
                server.ask(client, "UNWATCH");
                server.ask(other, "SET a again");
                assert_eq!(seen(&mut server, other), ["T", "-1", "unwatch"]);
            }
        }
    }

    #[test]
    fn the_command_is_the_last_that_was_sent() {
        for shards in [1, 3] {
            let mut server = Fixture::new(shards);
            let (client, other) = (server.connect(0), server.connect(shards - 1));
            for (line, command) in [
                ("GET a", "get"),
                ("GET", "get"),
                ("nonsense", "NULL"),
                ("CLIENT ID", "client|id"),
                ("CLIENT nonsense", "NULL"),
                ("MULTI", "multi"),
                ("SET a 1", "set"),
                ("STRLEN", "strlen"),
                ("CLIENT GETNAME", "client|getname"),
                ("CLIENT REPLY OFF", "client|reply"),
                ("DISCARD", "discard"),
            ] {
                server.ask(client, line);
                assert_eq!(seen(&mut server, other)[2], command, "{line}");
            }
        }
    }

    #[test]
    fn what_is_never_run_is_not_kept() {
        let mut server = Fixture::new(2);
        let (client, other) = (server.connect(0), server.connect(1));
        server.send(client, b"MULTI\r\nGET a\r\nGET\r\n");
        assert_eq!(server.send(client, &b"SET a 1\r\n".repeat(10)), "+QUEUED\r\n".repeat(10));
        assert_eq!(seen(&mut server, other), ["x", "1", "set"]);
    }

    #[test]
    fn exec_shows_what_it_runs() {
        for shards in [1, 3] {
            let mut server = Fixture::new(shards);
            let client = server.connect(0);
            server.send(client, b"MULTI\r\nGET a\r\nCLIENT INFO\r\nGET b\r\n");
            let reply = server.ask(client, "EXEC");
            let (_, own) = reply.split_once("$-1\r\n").expect("GET replies null first");
            let shown = ["flags", "multi", "cmd"].map(|name| field(own, name));
            assert_eq!(shown, ["x", "3", "exec"], "{shards} shards");
        }
    }

    #[test]
    fn resp3_gets_a_verbatim_string() {
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        server.ask(client, "HELLO 3");
        assert!(server.ask(client, "CLIENT INFO").contains("txt:id=1 "));
        assert_eq!(server.ask(client, "CLIENT LIST ID 9"), "=4\r\ntxt:\r\n");
        assert!(
            server
                .ask(client, "CLIENT LIST")
                .contains(" cmd=client|list user=default redir=-1 resp=3 ")
        );
    }

    #[test]
    fn bad_filters_are_refused() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for (line, error) in [
            ("CLIENT LIST TYPE", "-ERR syntax error\r\n"),
            ("CLIENT LIST TYPE normal x", "-ERR syntax error\r\n"),
            ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"),
            ("CLIENT LIST ID", "-ERR syntax error\r\n"),
            ("CLIENT LIST ID 1 x", "-ERR Invalid client ID\r\n"),
            ("CLIENT LIST x", "-ERR syntax error\r\n"),
            ("CLIENT INFO x", "-ERR wrong number of arguments for 'client|info' command\r\n"),
        ] {
            assert_eq!(server.ask(client, line), error, "{line}");
        }
    }
}
