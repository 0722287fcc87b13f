//! PING, ECHO, SELECT, QUIT, RESET: the connection's own commands.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[&PING, &ECHO, &SELECT, &QUIT, &RESET];

/// `PING [message]`: `PONG`, or the message.
const PING: SessionCommand = SessionCommand {
    spec: Spec::new("ping", Arity::at_least(1), Group::Connection, "1.0.0")
        .flags(Flags::FAST)
        .about("Asks the server for a sign of life.", "O(1)")
        .arguments(&[Argument::string("message").optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE.or(Reply::BULK)),
    run: ping,
};

fn ping(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    match arguments.len() {
        1 => reply.simple("PONG"),
        2 => reply.bulk(&arguments[1]),
        _ => return Err(CommandError::WrongArity("ping")),
    }
    Ok(Then::Done)
}

/// `ECHO message`: the message.
const ECHO: SessionCommand = SessionCommand {
    spec: Spec::new("echo", Arity::exactly(2), Group::Connection, "1.0.0")
        .flags(Flags::LOADING.with(Flags::STALE).with(Flags::FAST))
        .about("Answers with the given string.", "O(1)")
        .arguments(&[Argument::string("message")])
        .reply(Reply::BULK),
    run: echo,
};

fn echo(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.bulk(&arguments[1]);
    Ok(Then::Done)
}

/// `SELECT index`: the connection's further commands are about that database.
const SELECT: SessionCommand = SessionCommand {
    spec: Spec::new("select", Arity::exactly(2), Group::Connection, "1.0.0")
        .flags(Flags::LOADING.with(Flags::STALE).with(Flags::FAST))
        .about("Chooses the database of the connection.", "O(1)")
        .arguments(&[Argument::integer("index")])
        .reply(Reply::SIMPLE),
    run: select,
};

fn select(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let index = resp::number::parse_i64(&arguments[1]).ok_or(CommandError::NotInteger)?;
    if i32::try_from(index).is_err() {
        let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
        return Err(CommandError::OutsideRange { least, most });
    }
    let databases = context.core.settings.limits.databases;
    let db =
        u32::try_from(index).ok().filter(|db| *db < databases).ok_or(CommandError::DbOutOfRange)?;
    context.session().client.db = db;
    reply.ok();
    Ok(Then::Done)
}

/// `QUIT`: `OK`, and the connection closes.
const QUIT: SessionCommand = SessionCommand {
    spec: Spec::new("quit", Arity::at_least(1), Group::Connection, "1.0.0")
        .flags(
            Flags::NOSCRIPT
                .with(Flags::LOADING)
                .with(Flags::STALE)
                .with(Flags::FAST)
                .with(Flags::NO_AUTH)
                .with(Flags::ALLOW_BUSY)
                .with(Flags::RUNS_IN_MULTI),
        )
        .about("Closes the connection.", "O(1)")
        .deprecated("7.2.0", "just closing the connection")
        .reply(Reply::SIMPLE),
    run: quit,
};

fn quit(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    context.session().modes.close_after_reply = true;
    reply.ok();
    Ok(Then::Done)
}

/// `RESET`: the session as it was after connecting.
const RESET: SessionCommand = SessionCommand {
    spec: Spec::new("reset", Arity::exactly(1), Group::Connection, "6.2.0")
        .flags(
            Flags::NOSCRIPT
                .with(Flags::LOADING)
                .with(Flags::STALE)
                .with(Flags::FAST)
                .with(Flags::NO_AUTH)
                .with(Flags::ALLOW_BUSY)
                .with(Flags::RUNS_IN_MULTI),
        )
        .about("Resets the connection to its first state.", "O(1)")
        .reply(Reply::SIMPLE),
    run: reset,
};

fn reset(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let open = !context.core.settings.password_required();
    let watching = context.session().multi.take_watching();
    context.core.end_watching(watching);
    context.session().reset(open);
    reply.simple("RESET");
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn databases_are_chosen_by_number() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "SET k v"), "+OK\r\n");
        assert_eq!(server.ask(client, "SELECT 15"), "+OK\r\n");
        assert_eq!(server.ask(client, "GET k"), "$-1\r\n");
        let not_integer = "-ERR value is not an integer or out of range\r\n";
        let outside =
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n";
        for (index, error) in [
            ("16", "-ERR DB index is out of range\r\n"),
            ("-1", "-ERR DB index is out of range\r\n"),
            ("x", not_integer),
            ("1.0", not_integer),
            ("99999999999", outside),
        ] {
            assert_eq!(server.ask(client, &format!("SELECT {index}")), error);
        }
        assert_eq!(server.ask(client, "SELECT 0"), "+OK\r\n");
        assert_eq!(server.ask(client, "GET k"), "$1\r\nv\r\n");
    }

    #[test]
    fn ping_and_echo() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "ping"), "+PONG\r\n");
        assert_eq!(server.ask(client, "PING hello"), "$5\r\nhello\r\n");
        let error = "-ERR wrong number of arguments for 'ping' command\r\n";
        assert_eq!(server.ask(client, "PING a b"), error);
        assert_eq!(server.ask_words(client, &["ECHO", "a\r\nb"]), "$4\r\na\r\nb\r\n");
    }

    #[test]
    fn reset_takes_everything_back_but_the_identity() {
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        for line in ["HELLO 3 SETNAME x", "SELECT 3", "CLIENT NO-TOUCH on", "CLIENT REPLY OFF"] {
            server.ask(client, line);
        }
        assert_eq!(server.ask(client, "RESET"), "+RESET\r\n", "even with replies off");
        let line = server.ask(client, "CLIENT INFO");
        assert!(line.contains("id=1 ") && line.contains(" name= "), "{line}");
        assert!(line.contains(" flags=N db=0 ") && line.contains(" resp=2 "), "{line}");
    }

    #[test]
    fn quit_answers_what_came_before_and_nothing_after() {
        let mut server = Fixture::new(3);
        let client = server.connect(2);
        let text = b"SET a 1\r\nSET b 2\r\nQUIT now\r\nPING\r\n";
        assert_eq!(server.send(client, text), "+OK\r\n+OK\r\n+OK\r\n");
        assert!(!server.is_open(client));
    }
}
