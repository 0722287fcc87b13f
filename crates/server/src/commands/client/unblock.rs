//! CLIENT UNBLOCK.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`: 1 when the client was waiting in a blocking command and
/// goes on, else 0. No command blocks, so it is 0.
pub(super) const UNBLOCK: SessionCommand = SessionCommand {
    spec: Spec::new("client|unblock", Arity::at_least(3), Group::Connection, "5.0.0")
        .flags(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
        .about(
            "Lets a client go on that waits in a blocking command.",
            "O(log N) where N is the number of client connections",
        )
        .arguments(&[
            Argument::integer("client-id"),
            Argument::one_of(
                "unblock-type",
                &[Argument::word("timeout", "TIMEOUT"), Argument::word("error", "ERROR")],
            )
            .optional(),
        ])
        .reply(Reply::INTEGER),
    run: unblock,
};

fn unblock(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if arguments.len() > 4 {
        return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
    }
    if let Some(reason) = arguments.get(3)
        && !reason.eq_ignore_ascii_case(b"TIMEOUT")
        && !reason.eq_ignore_ascii_case(b"ERROR")
    {
        return Err(CommandError::ClientUnblockReason);
    }
    resp::number::parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    reply.integer(0);
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn nobody_is_blocked() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT UNBLOCK 1"), ":0\r\n");
        assert_eq!(server.ask(client, "CLIENT UNBLOCK 99 error"), ":0\r\n");
        let reply = server.ask(client, "CLIENT UNBLOCK x");
        assert_eq!(reply, "-ERR value is not an integer or out of range\r\n");
        let reply = server.ask(client, "CLIENT UNBLOCK x y");
        assert_eq!(reply, "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
        let reply = server.ask(client, "CLIENT UNBLOCK 1 ERROR x");
        assert!(reply.starts_with("-ERR unknown subcommand or wrong number"), "{reply}");
    }
}
