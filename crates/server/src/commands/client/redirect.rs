//! What CLIENT TRACKING would have switched on: CLIENT GETREDIR, TRACKINGINFO.
//!
//! Drivers ask before they use it; the answers are those of a connection with tracking off.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

const FLAGS: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

/// Redis' number for "tracking is off".
const NOT_TRACKING: i64 = -1;

/// `CLIENT GETREDIR`: the client that is told of invalid keys instead; -1 while tracking is off.
pub(super) const GETREDIR: SessionCommand = SessionCommand {
    spec: Spec::new("client|getredir", Arity::exactly(2), Group::Connection, "6.0.0")
        .flags(FLAGS)
        .about("The client that the connection's tracking is redirected to.", "O(1)")
        .reply(Reply::INTEGER),
    run: redirect,
};

fn redirect(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.integer(NOT_TRACKING);
    Ok(Then::Done)
}

/// `CLIENT TRACKINGINFO`: how tracking is set for the connection.
pub(super) const TRACKINGINFO: SessionCommand = SessionCommand {
    spec: Spec::new("client|trackinginfo", Arity::exactly(2), Group::Connection, "6.2.0")
        .flags(FLAGS)
        .about("How tracking is set for the connection.", "O(1)")
        .reply(Reply::MAP),
    run: tracking,
};

fn tracking(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(NOT_TRACKING);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn tracking_is_off() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        assert_eq!(server.ask(client, "CLIENT GETREDIR"), ":-1\r\n");
        let rest =
            "$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n";
        assert_eq!(server.ask(client, "CLIENT TRACKINGINFO"), format!("*6\r\n{rest}"));
        server.ask(client, "HELLO 3");
        let rest = rest.replace("*1", "~1");
        assert_eq!(server.ask(client, "CLIENT TRACKINGINFO"), format!("%3\r\n{rest}"));
    }
}
