//! CLIENT KILL: ends connections, on all core threads, before it answers.
//!
//! Others are closed at once; whoever kills itself still gets the answer, and nothing after it.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::filter::Filter;
use super::{Context, SessionCommand, Then};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::gathering::Question;

/// `CLIENT KILL address` answers `OK`, or an error when nobody has the address. `CLIENT KILL option
/// value ...` answers how many were ended: those that pass every filter, without the client that
/// asks unless SKIPME is `no`.
pub(super) const KILL: SessionCommand = SessionCommand {
    spec: Spec::new("client|kill", Arity::at_least(3), Group::Connection, "2.4.0")
        .flags(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
        .about("Ends connections.", "O(N) where N is the number of client connections")
        .history(&[
            ("2.8.12", "Filters."),
            ("2.8.12", "The `ID` filter."),
            ("3.2.0", "The type `master`."),
            ("5.0.0", "The type `replica`, another word for `slave`."),
            ("6.2.0", "The `LADDR` filter."),
        ])
        .arguments(&[Argument::one_of(
            "filter",
            &[Argument::string("old-format").deprecated("2.8.12"), FILTERS],
        )])
        .reply(Reply::SIMPLE.or(Reply::INTEGER)),
    run: kill,
};

const FILTERS: Argument = Argument::one_of(
    "new-format",
    &[
        Argument::integer("client-id").token("ID").optional().since("2.8.12"),
        Argument::one_of(
            "client-type",
            &[
                Argument::word("normal", "NORMAL"),
                Argument::word("master", "MASTER").since("3.2.0"),
                Argument::word("slave", "SLAVE"),
                Argument::word("replica", "REPLICA").since("5.0.0"),
                Argument::word("pubsub", "PUBSUB"),
            ],
        )
        .token("TYPE")
        .optional()
        .since("2.8.12"),
        Argument::string("username").token("USER").optional(),
        Argument::string("addr").token("ADDR").optional(),
        Argument::string("laddr").token("LADDR").optional().since("6.2.0"),
        Argument::one_of("skipme", &[Argument::word("yes", "YES"), Argument::word("no", "NO")])
            .token("SKIPME")
            .optional(),
        Argument::integer("maxage").token("MAXAGE").optional().since("7.4.0"),
    ],
)
.multiple();

/// What one core thread ended.
#[derive(Clone, Copy)]
struct Killed {
    count: i64,
    /// Whether the client that asks is one of them: its end is up to its home.
    oneself: bool,
}

fn kill(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let old_form = arguments.len() == 3;
    let filter =
        if old_form { Filter::of_address(&arguments[2]) } else { Filter::parse(arguments)? };
    let (key, asking) = (context.key, context.session().id);
    let question = Question::new(
        move |core: &mut Core| core.kill_clients(&filter, asking),
        move |core, parts: Vec<Killed>, reply| {
            let count = parts.iter().map(|part| part.count).sum();
            if !old_form {
                reply.integer(count);
            } else if count == 0 {
                core.statistics.count_error(&CommandError::NoSuchClient);
                reply.error(&CommandError::NoSuchClient);
            } else {
                reply.ok();
            }
            if parts.iter().any(|part| part.oneself)
                && let Some(connection) = core.connections.find(key)
            {
                connection.session.modes.close_after_reply = true;
            }
        },
    );
    Ok(Then::Ask(question.barrier()))
}

impl Core {
    /// Ends the connections of this core thread that pass `filter`, but for that of client
    /// `asking`.
    fn kill_clients(&mut self, filter: &Filter, asking: u64) -> Killed {
        let now_ms = self.time.unix_ms();
        let mut killed = Killed { count: 0, oneself: false };
        let mut closing = Vec::new();
        for (token, connection) in self.connections.iter_mut() {
            if connection.session.modes.close_now || !filter.admits(connection, now_ms) {
                continue;
            }
            if connection.session.id != asking {
                closing.push(ConnectionKey { token, generation: connection.generation });
                killed.count += 1;
            } else if filter.oneself {
                killed.oneself = true;
                killed.count += 1;
            }
        }
        closing.into_iter().for_each(|key| self.close(key));
        killed
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn others_are_ended_on_all_core_threads() {
        let mut server = Fixture::new(3);
        let clients: Vec<_> = (0..6).map(|n| server.connect(n % 3)).collect();
        assert_eq!(server.ask(clients[0], "CLIENT KILL TYPE normal"), ":5\r\n");
        assert!(server.is_open(clients[0]));
        assert!(clients[1..].iter().all(|client| !server.is_open(*client)));
        assert_eq!(server.ask(clients[0], "CLIENT KILL TYPE normal"), ":0\r\n");
    }

    #[test]
    fn filters_are_joined() {
        let mut server = Fixture::new(2);
        let (me, other) = (server.connect(0), server.connect(1));
        let address = server.address(other);
        assert_eq!(server.ask(me, "CLIENT KILL ID 2 TYPE pubsub"), ":0\r\n");
        assert_eq!(server.ask(me, "CLIENT KILL ID 2 MAXAGE 1000"), ":0\r\n");
        assert_eq!(server.ask(me, "CLIENT KILL ID 1"), ":0\r\n", "SKIPME is yes");
        assert_eq!(server.ask(me, "CLIENT KILL LADDR 127.0.0.1:6379 ID 99"), ":0\r\n");
        let line = format!("CLIENT KILL ID 2 USER default ADDR {address} LADDR 127.0.0.1:6379");
        assert_eq!(server.ask(me, &line), ":1\r\n");
        assert!(!server.is_open(other));
    }

    #[test]
    fn the_old_form_names_an_address() {
        let mut server = Fixture::new(2);
        let (me, other) = (server.connect(0), server.connect(1));
        let (mine, theirs) = (server.address(me), server.address(other));
        assert_eq!(server.ask(me, &format!("CLIENT KILL {theirs}")), "+OK\r\n");
        assert!(!server.is_open(other));
        let reply = server.ask(me, &format!("CLIENT KILL {theirs}"));
        assert_eq!(reply, "-ERR No such client\r\n");
        assert_eq!(server.ask(me, &format!("CLIENT KILL {mine}")), "+OK\r\n");
        assert!(!server.is_open(me));
    }

    #[test]
    fn whoever_kills_itself_gets_the_answer_and_nothing_more() {
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        let reply = server.send(client, b"PING\r\nCLIENT KILL ID 1 SKIPME no\r\nPING\r\n");
        assert_eq!(reply, "+PONG\r\n:1\r\n");
        assert!(!server.is_open(client));
    }

    #[test]
    fn bad_filters_are_refused() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let not_positive = "-ERR client-id should be greater than 0\r\n";
        for (line, error) in [
            ("CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n"),
            ("CLIENT KILL ID abc TYPE", not_positive),
            ("CLIENT KILL ID 0", not_positive),
            ("CLIENT KILL ID -1", not_positive),
            ("CLIENT KILL ID 1 TYPE", "-ERR syntax error\r\n"),
            ("CLIENT KILL TYPE x", "-ERR Unknown client type 'x'\r\n"),
            ("CLIENT KILL USER x", "-ERR No such user 'x'\r\n"),
            ("CLIENT KILL SKIPME x", "-ERR syntax error\r\n"),
            ("CLIENT KILL MAXAGE 0", "-ERR value is out of range, must be positive\r\n"),
            ("CLIENT KILL x y", "-ERR syntax error\r\n"),
        ] {
            assert_eq!(server.ask(client, line), error, "{line}");
        }
    }
}
