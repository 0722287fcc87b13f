//! TIME and LASTSAVE: moments.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Categories, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[&TIME, &LASTSAVE];

/// `TIME`: the server's unix time, as seconds and the microseconds beyond them. All commands that a
/// tick runs see the same moment.
const TIME: SessionCommand = SessionCommand {
    spec: Spec::new("time", Arity::exactly(1), Group::Server, "2.6.0")
        .flags(Flags::LOADING.with(Flags::STALE).with(Flags::FAST))
        .about("Tells the server's time.", "O(1)")
        .tips(&["nondeterministic_output"])
        .reply(Reply::ARRAY),
    run: time,
};

fn time(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let unix_us = context.core.time.unix_us();
    reply.array(2);
    reply.bulk((unix_us / 1_000_000).to_string().as_bytes());
    reply.bulk((unix_us % 1_000_000).to_string().as_bytes());
    Ok(Then::Done)
}

/// `LASTSAVE`: when the last snapshot was written, in unix seconds; the start of the server before
/// there was one.
const LASTSAVE: SessionCommand = SessionCommand {
    spec: Spec::new("lastsave", Arity::exactly(1), Group::Server, "1.0.0")
        .flags(Flags::LOADING.with(Flags::STALE).with(Flags::FAST))
        .about("Tells when the data was last saved to a snapshot.", "O(1)")
        .categories(Categories::ADMIN.with(Categories::DANGEROUS))
        .tips(&["nondeterministic_output"])
        .reply(Reply::INTEGER),
    run: last_save,
};

fn last_save(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.integer((context.core.shared.identity.started_us / 1_000_000) as i64);
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn the_time_is_two_numbers() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let reply = server.ask(client, "TIME");
        let lines: Vec<&str> = reply.lines().collect();
        let ["*2", _, seconds, _, microseconds] = lines[..] else { panic!("two strings: {reply}") };
        assert!(seconds.parse::<u64>().is_ok_and(|it| it > 1_700_000_000), "{reply}");
        assert!(microseconds.parse::<u64>().is_ok_and(|it| it < 1_000_000), "{reply}");
        assert_eq!(server.ask(client, "LASTSAVE"), ":0\r\n", "the fixture started in 1970");
        assert_eq!(server.ask(client, "ROLE"), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
        let cloth = server.ask(client, "LOLWUT VERSION 5 3 1");
        assert!(cloth.ends_with("\n\nRedis ver. 7.2.4\n\r\n"), "{cloth}");
        let error = "-ERR value is not an integer or out of range\r\n";
        assert_eq!(server.ask(client, "LOLWUT VERSION new"), error);
    }
}
