//! Who a client is, and how it is spoken to: AUTH and HELLO.
//!
//! There is one user, `default`. Without `requirepass` it has no password, and any password is
//! right for it. Passwords are hidden from monitors and from the slow log ([`Context::hide`])
//! before anything can be refused.

use resp::{Arguments, CommandError, Protocol, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::client::is_valid_name;
use super::{Context, SessionCommand, Then};
use crate::clients::describe::DEFAULT_USER;

pub(super) const COMMANDS: &[&SessionCommand] = &[&AUTH, &HELLO];

/// The version of Redis whose replies are given.
const REDIS_VERSION: &[u8] = b"7.2.4";

/// Room for HELLO's reply: 7 pairs of short strings.
const DESCRIPTION_BYTES: usize = 160;

/// What both commands are allowed: everything that a client may do before it is known.
const FLAGS: Flags = Flags::NOSCRIPT
    .with(Flags::LOADING)
    .with(Flags::STALE)
    .with(Flags::FAST)
    .with(Flags::NO_AUTH)
    .with(Flags::ALLOW_BUSY);

/// `AUTH [username] password`: `OK`, and the connection may go on; WRONGPASS when the pair is
/// wrong. With a password alone and none configured it is refused: the client expects one.
const AUTH: SessionCommand = SessionCommand {
    spec: Spec::new("auth", Arity::at_least(2), Group::Connection, "1.0.0")
        .flags(FLAGS)
        .about("Tells the server who the client is.", "O(1)")
        .history(&[("6.0.0", "The username.")])
        .arguments(&[
            Argument::string("username").optional().since("6.0.0"),
            Argument::string("password"),
        ])
        .reply(Reply::SIMPLE),
    run: auth,
};

fn auth(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    (1..arguments.len()).for_each(|at| context.hide(at));
    let (user, password) = match arguments.len() {
        2 if !context.core.settings.password_required() => {
            return Err(CommandError::AuthWithoutPassword);
        }
        2 => (DEFAULT_USER, &arguments[1]),
        3 => (&arguments[1], &arguments[2]),
        _ => return Err(CommandError::Syntax),
    };
    authenticate(context, user, password)?;
    reply.ok();
    Ok(Then::Done)
}

/// `HELLO [version [AUTH username password] [SETNAME name]]`: switches the protocol, and says what
/// server this is. Nothing is changed unless everything is right.
const HELLO: SessionCommand = SessionCommand {
    spec: Spec::new("hello", Arity::at_least(1), Group::Connection, "6.0.0")
        .flags(FLAGS)
        .about("Agrees on a protocol with the server.", "O(1)")
        .history(&[("6.2.0", "The version may be left out: nothing is switched then.")])
        .arguments(&[Argument::block(
            "arguments",
            &[
                Argument::integer("protover"),
                Argument::block(
                    "auth",
                    &[Argument::string("username"), Argument::string("password")],
                )
                .token("AUTH")
                .optional(),
                Argument::string("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()])
        .reply(Reply::MAP),
    run: hello,
};

fn hello(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    for at in 2..arguments.len() {
        if arguments[at].eq_ignore_ascii_case(b"AUTH") {
            context.hide(at + 1);
            context.hide(at + 2);
        }
    }
    let protocol = arguments.get(1).map(protocol_of).transpose()?;
    let options = HelloOptions::parse(arguments)?;
    if let Some((user, password)) = options.credentials {
        authenticate(context, user, password)?;
    }
    let session = context.session();
    if !session.authenticated {
        return Err(CommandError::HelloNoAuth);
    }
    if let Some(name) = options.name {
        session.identity.name = name.to_vec();
    }
    if let Some(protocol) = protocol {
        session.client.protocol = protocol;
    }
    let (protocol, id) = (session.client.protocol, session.id);
    let mut description = Vec::with_capacity(DESCRIPTION_BYTES);
    describe_server(protocol, id, &mut Writer::new(&mut description, protocol));
    reply.raw(&description);
    Ok(Then::Done)
}

/// What follows the version.
#[derive(Default)]
struct HelloOptions<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> HelloOptions<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut at = 2;
        while let Some(option) = arguments.get(at) {
            let (first, second) = (arguments.get(at + 1), arguments.get(at + 2));
            match (first, second) {
                (Some(user), Some(password)) if option.eq_ignore_ascii_case(b"AUTH") => {
                    options.credentials = Some((user, password));
                    at += 3;
                }
                (Some(name), _) if option.eq_ignore_ascii_case(b"SETNAME") => {
                    if !is_valid_name(name) {
                        return Err(CommandError::ClientName);
                    }
                    options.name = Some(name);
                    at += 2;
                }
                _ => return Err(CommandError::hello_option(option)),
            }
        }
        Ok(options)
    }
}

/// The protocol that a version names.
fn protocol_of(version: &[u8]) -> Result<Protocol, CommandError> {
    match resp::number::parse_i64(version) {
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(CommandError::NoProto),
        None => Err(CommandError::ProtocolVersion),
    }
}

/// HELLO's reply.
fn describe_server(protocol: Protocol, id: u64, reply: &mut Writer<'_>) {
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION);
    reply.bulk(b"proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

/// The connection is `user`'s from now on, if the password is right; otherwise it stays what it
/// was.
fn authenticate(
    context: &mut Context<'_>,
    user: &[u8],
    password: &[u8],
) -> Result<(), CommandError> {
    let settings = &context.core.settings;
    let is_right = !settings.password_required() || is_same(password, &settings.password);
    if user != DEFAULT_USER || !is_right {
        return Err(CommandError::WrongPass);
    }
    context.session().authenticated = true;
    Ok(())
}

/// Whether two secrets are the same, in a time that depends on the length of the first only: how
/// long a refusal takes must not tell how much of a guess was right.
fn is_same(guess: &[u8], secret: &[u8]) -> bool {
    let mut difference = guess.len() ^ secret.len();
    for (at, byte) in guess.iter().enumerate() {
        let own = if secret.is_empty() { 0 } else { secret[at % secret.len()] };
        difference |= usize::from(byte ^ own);
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;
    use crate::fixture::Fixture;

    #[test]
    fn secrets_compare_whole() {
        assert!(is_same(b"secret", b"secret") && is_same(b"", b""));
        for wrong in [&b"secre"[..], b"secrets", b"Secret", b"", b"secretsecret"] {
            assert!(!is_same(wrong, b"secret"));
            assert!(!is_same(b"secret", wrong));
        }
    }

    #[test]
    fn hello_switches_the_protocol_of_its_own_reply() {
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        let reply = server.ask(client, "HELLO 3");
        assert!(
            reply.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4")
        );
        assert!(reply.contains("$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n"), "{reply}");
        assert!(reply.ends_with("$7\r\nmodules\r\n*0\r\n"), "{reply}");
        assert_eq!(server.ask(client, "GET missing"), "_\r\n");
        assert!(server.ask(client, "HELLO").starts_with("%7\r\n"));
        assert!(server.ask(client, "HELLO 2").starts_with("*14\r\n"));
        assert_eq!(server.ask(client, "GET missing"), "$-1\r\n");
    }

    #[test]
    fn hello_refused_changes_nothing() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for (line, error) in [
            ("HELLO 1", "-NOPROTO "),
            ("HELLO 4", "-NOPROTO "),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
            ("HELLO 3 SETNAME x NONSENSE", "-ERR Syntax error in HELLO option 'NONSENSE'\r\n"),
            ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
            ("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n"),
            ("HELLO 3 SETNAME x AUTH nobody x", "-WRONGPASS "),
            ("HELLO 3 SETNAME a\u{7f}b", "-ERR Client names cannot contain"),
        ] {
            let reply = server.ask(client, line);
            assert!(reply.starts_with(error), "{line}: {reply}");
            assert_eq!(server.ask(client, "CLIENT GETNAME"), "$-1\r\n", "after {line}");
        }
    }

    #[test]
    fn without_a_password_any_is_right_for_default() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "AUTH default anything"), "+OK\r\n");
        assert!(server.ask(client, "AUTH anything").starts_with("-ERR AUTH <password> called"));
        assert!(server.ask(client, "AUTH nobody anything").starts_with("-WRONGPASS "));
        assert_eq!(server.ask(client, "AUTH a b c"), "-ERR syntax error\r\n");
    }

    #[test]
    fn with_a_password_clients_have_to_give_it() {
        let mut server = Fixture::with_password(2, "secret");
        let client = server.connect(0);
        assert_eq!(server.ask(client, "GET k"), "-NOAUTH Authentication required.\r\n");
        assert_eq!(server.ask(client, "AUTH wrong").split(' ').next(), Some("-WRONGPASS"));
        assert!(server.ask(client, "HELLO 3").starts_with("-NOAUTH HELLO must be called"));
        assert_eq!(server.ask(client, "AUTH secret"), "+OK\r\n");
        assert_eq!(server.ask(client, "GET k"), "$-1\r\n");
        assert!(server.ask(client, "AUTH wrong").starts_with("-WRONGPASS "));
        assert_eq!(server.ask(client, "GET k"), "$-1\r\n", "a wrong guess takes nothing away");
        assert_eq!(server.ask(client, "RESET"), "+RESET\r\n");
        assert_eq!(server.ask(client, "GET k"), "-NOAUTH Authentication required.\r\n");
        assert!(server.ask(client, "HELLO 3 AUTH default secret").starts_with("%7\r\n"));
        assert_eq!(server.ask(client, "GET k"), "_\r\n");
    }

    #[test]
    fn passwords_stay_out_of_the_slow_log() {
        let mut config = config::Config::default();
        config.security.password = b"secret".to_vec().into();
        config.server.monitoring.slow_log_us = 0;
        let mut server = Fixture::with_config(2, config);
        let client = server.connect(1);
        for line in [
            "AUTH mistyped-secret",
            "AUTH a-secret b-secret c-secret",
            "HELLO 9 AUTH default mistyped-secret",
            "HELLO 3 SETNAME x auth default mistyped-secret NONSENSE",
            "AUTH default secret",
        ] {
            server.ask(client, line);
        }
        let log = server.ask(client, "SLOWLOG GET -1");
        assert_eq!(log.matches("$4\r\nAUTH\r\n").count(), 4, "{log}");
        assert_eq!(log.matches("$10\r\n(redacted)\r\n").count(), 1 + 3 + 2 + 2 + 2, "{log}");
        assert!(!log.contains("secret"), "{log}");
    }
}
