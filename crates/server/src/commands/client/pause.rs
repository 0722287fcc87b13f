//! CLIENT PAUSE and UNPAUSE: every core thread holds commands back (`clients/pause.rs`) before it
//! is answered.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::core::Core;
use crate::message::gathering::Question;

const FLAGS: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE);

/// `CLIENT PAUSE timeout [WRITE|ALL]`: holds writes, or all commands, back for so many
/// milliseconds. While a pause is in force another one can only make it longer and wider.
pub(super) const PAUSE: SessionCommand = SessionCommand {
    spec: Spec::new("client|pause", Arity::at_least(3), Group::Connection, "3.0.0")
        .flags(FLAGS)
        .about("Holds commands of all clients back for a time.", "O(1)")
        .history(&[("6.2.0", "The mode, and with it `WRITE`.")])
        .arguments(&[
            Argument::integer("timeout"),
            Argument::one_of(
                "mode",
                &[Argument::word("write", "WRITE"), Argument::word("all", "ALL")],
            )
            .optional()
            .since("6.2.0"),
        ])
        .reply(Reply::SIMPLE),
    run: pause,
};

fn pause(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if arguments.len() > 4 {
        return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
    }
    let all = match arguments.get(3) {
        None => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"ALL") => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"WRITE") => false,
        Some(_) => return Err(CommandError::ClientPauseMode),
    };
    let until_ms = until(&arguments[2], context.core.time.unix_ms())?;
    let begin = move |core: &mut Core| core.begin_pause(until_ms, all);
    Ok(Then::Ask(Question::new(begin, |_, _, reply| reply.ok()).barrier()))
}

/// `CLIENT UNPAUSE`: ends the pause. After a pause of all commands it is itself held back.
pub(super) const UNPAUSE: SessionCommand = SessionCommand {
    spec: Spec::new("client|unpause", Arity::exactly(2), Group::Connection, "6.2.0")
        .flags(FLAGS)
        .about("Ends a pause of clients.", "O(N) where N is the number of paused clients")
        .reply(Reply::SIMPLE),
    run: unpause,
};

fn unpause(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    Ok(Then::Ask(Question::new(Core::end_pause, |_, _, reply| reply.ok()).barrier()))
}

/// The end of a time from now on, given in milliseconds.
fn until(timeout: &[u8], now_ms: i64) -> Result<i64, CommandError> {
    let timeout_ms = resp::number::parse_i64(timeout).ok_or(CommandError::TimeoutNotInteger)?;
    if timeout_ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    now_ms.checked_add(timeout_ms).ok_or(CommandError::TimeoutOutOfRange)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn writes_wait_on_all_core_threads_until_the_end() {
        let mut server = Fixture::new(2);
        let (operator, writer) = (server.connect(0), server.connect(1));
        assert_eq!(server.ask(operator, "CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
        assert_eq!(server.ask(writer, "GET k"), "$-1\r\n");
        assert_eq!(server.send(writer, b"SET k v\r\nGET k\r\n"), "");
        let line = server.ask(operator, "CLIENT LIST ID 2");
        assert!(line.contains(" flags=b "), "{line}");
        assert_eq!(server.ask(operator, "GET k"), "$-1\r\n");
        assert_eq!(server.ask(operator, "CLIENT UNPAUSE"), "+OK\r\n");
        assert_eq!(server.take(writer), "+OK\r\n$1\r\nv\r\n");
    }

    #[test]
    fn a_pause_only_grows() {
        let mut server = Fixture::new(2);
        let (operator, reader) = (server.connect(0), server.connect(1));
        let text = b"CLIENT PAUSE 100000 WRITE\r\nCLIENT PAUSE 1 WRITE\r\nSET k v\r\n";
        assert_eq!(server.send(operator, text), "+OK\r\n+OK\r\n");
        assert_eq!(server.ask(reader, "CLIENT PAUSE 1 ALL"), "+OK\r\n");
        assert_eq!(server.ask(reader, "GET k"), "", "all, and as long as before");
    }

    #[test]
    fn bad_times_and_modes_are_refused() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let not_integer = "-ERR timeout is not an integer or out of range\r\n";
        let mode = "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n";
        for (line, error) in [
            ("CLIENT PAUSE x", not_integer),
            ("CLIENT PAUSE 99999999999999999999", not_integer),
            ("CLIENT PAUSE -1", "-ERR timeout is negative\r\n"),
            ("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range\r\n"),
            ("CLIENT PAUSE 1 x", mode),
            ("CLIENT PAUSE x x", mode),
            (
                "CLIENT PAUSE 1 ALL x",
                "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. \
                 Try CLIENT HELP.\r\n",
            ),
        ] {
            assert_eq!(server.ask(client, line), error, "{line}");
        }
        assert_eq!(server.ask(client, "CLIENT PAUSE 0"), "+OK\r\n");
        assert_eq!(server.ask(client, "SET k v"), "+OK\r\n");
    }
}
