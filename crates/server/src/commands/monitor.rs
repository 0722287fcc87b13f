//! MONITOR: the connection is shown every command of every client.

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[&MONITOR];

/// `MONITOR`: `OK`, and from then on a line for every command, but for operators' ones; RESET ends
/// it. A second MONITOR is not answered at all, as in Redis.
const MONITOR: SessionCommand = SessionCommand {
    spec: Spec::new("monitor", Arity::exactly(1), Group::Server, "1.0.0")
        .flags(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
        .about("Shows every command that the server runs.", "")
        .reply(Reply::SIMPLE),
    run: monitor,
};

fn monitor(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let modes = &mut context.session().modes;
    if !std::mem::replace(&mut modes.monitor, true) {
        context.core.add_monitor(context.key);
        reply.ok();
    }
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn monitors_see_commands_of_all_core_threads_in_order() {
        let mut server = Fixture::new(3);
        let monitor = server.connect(0);
        assert_eq!(server.ask(monitor, "MONITOR"), "+OK\r\n");
        assert_eq!(server.ask(monitor, "MONITOR"), "", "a second one is not answered");
        for home in 0..3 {
            let client = server.connect(home);
            let address = server.address(client);
            server.send(client, b"SELECT 3\r\nset foo bar\r\nGET \"a b\"\r\n");
            let seen = server.take(monitor);
            let shown: Vec<&str> =
                seen.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
            let [select, set, get] = shown[..] else { panic!("three lines, not {seen}") };
            assert_eq!(select, format!("[3 {address}] \"SELECT\" \"3\""));
            assert_eq!(set, format!("[3 {address}] \"set\" \"foo\" \"bar\""));
            assert_eq!(get, format!("[3 {address}] \"GET\" \"a b\""));
        }
    }

    #[test]
    fn passwords_and_operators_commands_are_not_shown() {
        let mut server = Fixture::new(2);
        let (monitor, client) = (server.connect(1), server.connect(0));
        server.ask(monitor, "MONITOR");
        server.ask(client, "AUTH not-real");
        server.ask(client, "SLOWLOG LEN");
        server.ask(client, "HELLO 2 AUTH someone not-real");
        let seen = server.take(monitor);
        assert!(!seen.contains("not-real") && !seen.contains("LEN"), "{seen}");
        assert!(seen.contains("\"AUTH\" \"(redacted)\"\r\n"), "{seen}");
        assert!(seen.contains("\"AUTH\" \"(redacted)\" \"(redacted)\"\r\n"), "{seen}");
    }

    #[test]
    fn reset_and_closing_end_it() {
        let mut server = Fixture::new(2);
        let (one, other, client) = (server.connect(0), server.connect(1), server.connect(0));
        server.ask(one, "MONITOR");
        server.ask(other, "MONITOR");
        assert!(server.cores[0].shared.has_monitors());
        server.ask(one, "RESET");
        server.ask(other, "QUIT");
        server.ask(client, "PING");
        server.take(one);
        server.ask(client, "PING");
        assert_eq!(server.take(one), "");
        assert!(!server.cores[0].shared.has_monitors());
    }
}
