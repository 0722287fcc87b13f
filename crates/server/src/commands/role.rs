//! ROLE: what this server is to other servers.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Categories, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[&ROLE];

/// `ROLE`: `master`, the replication offset, and the replicas, of which there are none.
const ROLE: SessionCommand = SessionCommand {
    spec: Spec::new("role", Arity::exactly(1), Group::Server, "2.8.12")
        .flags(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::FAST))
        .about("Tells the server's part in replication.", "O(1)")
        .categories(Categories::ADMIN.with(Categories::DANGEROUS))
        .reply(Reply::ARRAY),
    run: role,
};

fn role(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(0);
    reply.array(0);
    Ok(Then::Done)
}
