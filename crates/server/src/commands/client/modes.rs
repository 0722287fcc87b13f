//! The connection's own switches: CLIENT NO-EVICT, NO-TOUCH, REPLY.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::clients::session::Replies;

const FLAGS: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

const ON_OR_OFF: &[Argument] =
    &[Argument::one_of("enabled", &[Argument::word("on", "ON"), Argument::word("off", "OFF")])];

/// `CLIENT NO-EVICT ON|OFF`: whether the connection is spared when clients are evicted.
pub(super) const NO_EVICT: SessionCommand = SessionCommand {
    spec: Spec::new("client|no-evict", Arity::exactly(3), Group::Connection, "7.0.0")
        .flags(FLAGS.with(Flags::ADMIN))
        .about("Spares the connection when clients are evicted.", "O(1)")
        .arguments(ON_OR_OFF)
        .reply(Reply::SIMPLE),
    run: no_evict,
};

fn no_evict(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    context.session().modes.no_evict = is_on(&arguments[2])?;
    reply.ok();
    Ok(Then::Done)
}

/// `CLIENT NO-TOUCH ON|OFF`: whether the connection's reads leave LRU and LFU as they are.
pub(super) const NO_TOUCH: SessionCommand = SessionCommand {
    spec: Spec::new("client|no-touch", Arity::exactly(3), Group::Connection, "7.2.0")
        .flags(FLAGS)
        .about("Keeps the connection's commands from counting as access to keys.", "O(1)")
        .arguments(ON_OR_OFF)
        .reply(Reply::SIMPLE),
    run: no_touch,
};

fn no_touch(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    context.session().client.no_touch = is_on(&arguments[2])?;
    reply.ok();
    Ok(Then::Done)
}

/// `CLIENT REPLY ON|OFF|SKIP`: whether replies are sent. ON is answered, OFF and SKIP are not; SKIP
/// is about the next command, and nothing while replies are off. Between MULTI and EXEC none of
/// them is queued, as in Valkey: EXEC would announce replies that do not come.
pub(super) const REPLY: SessionCommand = SessionCommand {
    spec: Spec::new("client|reply", Arity::exactly(3), Group::Connection, "3.2.0")
        .flags(FLAGS.with(Flags::NO_MULTI).with(Flags::SWITCHES_REPLIES))
        .about("Chooses whether commands are answered.", "O(1)")
        .arguments(&[Argument::one_of(
            "action",
            &[
                Argument::word("on", "ON"),
                Argument::word("off", "OFF"),
                Argument::word("skip", "SKIP"),
            ],
        )])
        .reply(Reply::SIMPLE),
    run: set_replies,
};

fn set_replies(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let action = &arguments[2];
    let replies = &mut context.session().replies;
    if action.eq_ignore_ascii_case(b"on") {
        *replies = Replies::On;
        reply.ok();
    } else if action.eq_ignore_ascii_case(b"off") {
        *replies = Replies::Off;
    } else if action.eq_ignore_ascii_case(b"skip") {
        if *replies != Replies::Off {
            *replies = Replies::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(Then::Done)
}

fn is_on(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"on") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn switches_show_in_the_flags() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let shown = |server: &mut Fixture| {
            let line = server.ask(client, "CLIENT INFO");
            let flags = line.split(' ').find_map(|field| field.strip_prefix("flags="));
            flags.unwrap_or_default().to_owned()
        };
        assert_eq!(shown(&mut server), "N");
        assert_eq!(server.ask(client, "CLIENT NO-EVICT on"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT NO-TOUCH ON"), "+OK\r\n");
        assert_eq!(shown(&mut server), "eT");
        assert_eq!(server.ask(client, "CLIENT NO-EVICT OFF"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT NO-TOUCH maybe"), "-ERR syntax error\r\n");
        assert_eq!(shown(&mut server), "T");
        assert_eq!(server.ask(client, "RESET"), "+RESET\r\n");
        assert_eq!(shown(&mut server), "N");
    }

    #[test]
    fn replies_are_skipped_or_off() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT REPLY SKIP"), "");
        assert_eq!(server.ask(client, "PING"), "");
        assert_eq!(server.ask(client, "PING"), "+PONG\r\n");
        assert_eq!(server.ask(client, "CLIENT REPLY SKIP"), "");
        assert_eq!(server.ask(client, "CLIENT REPLY ON"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT REPLY OFF"), "");
        for line in ["PING", "GET {a}", "GET {b}", "NONSENSE", "CLIENT LIST", "CLIENT REPLY SKIP"] {
            assert_eq!(server.ask(client, line), "", "{line}");
        }
        assert_eq!(server.ask(client, "PING"), "", "SKIP does not turn replies on");
        assert_eq!(server.ask(client, "CLIENT REPLY ON"), "+OK\r\n");
        assert_eq!(server.ask(client, "CLIENT REPLY x"), "-ERR syntax error\r\n");
    }

    #[test]
    fn replies_are_not_switched_in_a_transaction() {
        for shards in [1, 3] {
            let mut server = Fixture::new(shards);
            let client = server.connect(0);
            for action in ["OFF", "SKIP", "ON", "nonsense"] {
                assert_eq!(server.ask(client, "MULTI"), "+OK\r\n");
                let refused = "-ERR Command 'client|reply' not allowed inside a transaction\r\n";
                assert_eq!(server.ask(client, &format!("CLIENT REPLY {action}")), refused);
                assert_eq!(server.ask(client, "PING"), "+QUEUED\r\n");
                let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
                assert_eq!(server.ask(client, "EXEC"), aborted);
                assert_eq!(server.ask(client, "PING"), "+PONG\r\n");
            }
        }
    }

    #[test]
    fn quit_without_a_reply_closes_too() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT REPLY OFF"), "");
        assert_eq!(server.ask(client, "QUIT"), "");
        assert!(!server.is_open(client));
    }
}
