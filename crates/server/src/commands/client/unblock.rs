//! CLIENT UNBLOCK.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::gathering::{Answer, Question};
use crate::waiting::End;

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`: 1 when the client was waiting in a blocking command and
/// goes on because of this, else 0. It goes on as if its time were over, or with an error.
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
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if arguments.len() > 4 {
        return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
    }
    let end = match arguments.get(3) {
        None => End::Timeout,
        Some(reason) if reason.eq_ignore_ascii_case(b"TIMEOUT") => End::Timeout,
        Some(reason) if reason.eq_ignore_ascii_case(b"ERROR") => End::Unblocked,
        Some(_) => return Err(CommandError::ClientUnblockReason),
    };
    let id = resp::number::parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
    let question = Question::later(
        move |core: &mut Core, answer| core.unblock_client(id, end, answer),
        |_, parts: Vec<bool>, reply| {
            reply.integer(i64::from(parts.contains(&true)));
            None
        },
    );
    Ok(Then::Ask(question.barrier()))
}

impl Core {
    /// Ends the wait of the client `id`, if it is one of this core thread's. Whether this ended it,
    /// if that is known at once.
    fn unblock_client(&mut self, id: i64, end: End, answer: Answer) -> Option<bool> {
        let id = u64::try_from(id).unwrap_or_default();
        let found = self.connections.iter_mut().find(|(_, it)| it.session.id == id);
        let Some((token, connection)) = found.filter(|(_, it)| it.is_blocked()) else {
            return Some(false);
        };
        let key = ConnectionKey { token, generation: connection.generation };
        self.end_wait(key, end, Some(answer))
    }
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
