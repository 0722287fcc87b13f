//! SLOWLOG: the calls that took too long, of all core threads together.
//!
//! A slow call is kept by its connection's home, wherever it ran, so each core thread's log is in
//! the order of identifiers and the newest of all are found by merging.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};
use telemetry::SlowEntry;

use super::{Context, SessionCommand, Then, help};
use crate::message::gathering::Question;

pub(super) const COMMANDS: &[&SessionCommand] = &[&GET, &HELP, &LEN, &RESET];

/// The container.
pub(super) const CONTAINER: Spec =
    Spec::new("slowlog", Arity::at_least(2), Group::Server, "2.2.12")
        .about("A container for slow log commands.", "Depends on subcommand.");

const FLAGS: Flags = Flags::ADMIN.with(Flags::LOADING).with(Flags::STALE);

/// Entries shown when no count is given.
const COUNT_DEFAULT: usize = 10;

/// `SLOWLOG GET [count]`: the newest entries, newest first: 10 of them, or `count`; -1 is all.
const GET: SessionCommand = SessionCommand {
    spec: Spec::new("slowlog|get", Arity::at_least(2), Group::Server, "2.2.12")
        .flags(FLAGS)
        .about("Shows the newest entries of the slow log.", "O(N), N the entries shown")
        .history(&[("4.0.0", "Entries tell the client's address, port and name.")])
        .arguments(&[Argument::integer("count").optional()])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .reply(Reply::ARRAY),
    run: get,
};

fn get(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let count = match arguments.get(2) {
        None => COUNT_DEFAULT,
        Some(_) if arguments.len() > 3 => {
            return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
        }
        Some(text) => match resp::number::parse_i64(text) {
            Some(-1) => usize::MAX,
            Some(count) => usize::try_from(count).map_err(|_| CommandError::SlowlogCount)?,
            None => return Err(CommandError::SlowlogCount),
        },
    };
    Ok(Then::Ask(Question::new(
        move |core| -> Vec<SlowEntry> {
            core.statistics.slow_calls().newest().take(count).cloned().collect()
        },
        move |core, parts, reply| {
            let entries_max = core.settings.telemetry.slow_log.entries_max;
            let mut entries: Vec<SlowEntry> = parts.into_iter().flatten().collect();
            entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
            // Further ones may have come while the core threads were asked.
            entries.truncate(count.min(entries_max));
            reply.array(entries.len());
            for entry in &entries {
                write_entry(entry, reply);
            }
        },
    )))
}

fn write_entry(entry: &SlowEntry, reply: &mut Writer<'_>) {
    let integer = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    reply.array(6);
    reply.integer(integer(entry.id));
    reply.integer(integer(entry.unix_s));
    reply.integer(integer(entry.duration_us));
    reply.array(entry.arguments.len());
    for argument in &entry.arguments {
        reply.bulk(argument);
    }
    reply.bulk(&entry.client_address);
    reply.bulk(&entry.client_name);
}

/// `SLOWLOG LEN`: how many entries there are: at most `slowlog-max-len` on all core threads
/// together.
const LEN: SessionCommand = SessionCommand {
    spec: Spec::new("slowlog|len", Arity::exactly(2), Group::Server, "2.2.12")
        .flags(FLAGS)
        .about("Counts the entries of the slow log.", "O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .reply(Reply::INTEGER),
    run: len,
};

fn len(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(Then::Ask(Question::new(
        |core| core.statistics.slow_calls().len(),
        |core, parts, reply| {
            let entries_max = core.settings.telemetry.slow_log.entries_max;
            reply.count(parts.into_iter().sum::<usize>().min(entries_max));
        },
    )))
}

/// `SLOWLOG RESET`: forgets all entries.
const RESET: SessionCommand = SessionCommand {
    spec: Spec::new("slowlog|reset", Arity::exactly(2), Group::Server, "2.2.12")
        .flags(FLAGS)
        .about("Empties the slow log.", "O(N), N the entries there are")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE),
    run: reset,
};

fn reset(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    let question =
        Question::new(|core| core.statistics.slow_log.reset(), |_, _: Vec<()>, reply| reply.ok());
    Ok(Then::Ask(question.barrier()))
}

/// `SLOWLOG HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("slowlog|help", Arity::exactly(2), Group::Server, "6.2.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Shows the subcommands of SLOWLOG.", "O(1)")
        .reply(Reply::ARRAY),
    run: show_help,
};

fn show_help(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    help::write(
        reply,
        "SLOWLOG",
        &[
            (
                "GET [<count>]",
                &[
                    "Show the newest <count> entries (10 without a count, all with -1).",
                    "An entry: id, unix time, microseconds, arguments, client's address, its name.",
                ],
            ),
            ("LEN", &["Count the entries."]),
            ("RESET", &["Forget all entries."]),
        ],
    );
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    /// Keys on each of three shards: a command on them is local or remote from any home.
    const KEYS: [&str; 3] = ["a", "b", "c"];

    #[test]
    fn slow_commands_are_found_wherever_they_ran() {
        let mut server = Fixture::new(3);
        let client = server.connect(1);
        server.ask(client, "CLIENT SETNAME me");
        server.ask(client, "CONFIG SET slowlog-log-slower-than 0");
        server.ask(client, "SLOWLOG RESET");
        for key in KEYS {
            server.ask(client, &format!("SET {key} value"));
        }
        let reply = server.ask(client, "SLOWLOG GET 3");
        let address = server.address(client);
        for key in KEYS {
            let words = format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$5\r\nvalue\r\n");
            let client = format!("${}\r\n{address}\r\n$2\r\nme\r\n", address.len());
            assert!(reply.contains(&format!("{words}{client}")), "{key}: {reply}");
        }
        assert!(reply.starts_with("*3\r\n*6\r\n:"), "{reply}");
    }

    #[test]
    fn entries_come_newest_first_and_are_counted() {
        let mut server = Fixture::new(2);
        let (one, other) = (server.connect(0), server.connect(1));
        server.ask(one, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 4");
        for number in 0..10 {
            // The last ones are all of one core thread: the other has older ones only.
            let client = if number % 2 == 0 || number > 5 { one } else { other };
            server.ask(client, &format!("ECHO {number}"));
        }
        assert!(server.ask(one, "SLOWLOG GET -1").starts_with("*4\r\n"), "of the whole server");
        server.ask(one, "CONFIG SET slowlog-log-slower-than -1");
        let reply = server.ask(one, "SLOWLOG GET 4");
        let at = |word: &str| reply.find(word).unwrap_or_else(|| panic!("{word} in {reply}"));
        // The command that switched it off found it switched off when it was measured.
        assert!(at("$1\r\n9\r\n") < at("$1\r\n8\r\n"), "{reply}");
        assert_eq!(server.ask(other, "SLOWLOG LEN"), ":4\r\n", "four of all core threads");
        assert!(server.ask(other, "SLOWLOG GET -1").starts_with("*4\r\n"));
        assert!(server.ask(other, "SLOWLOG GET 100").starts_with("*4\r\n"));
        // What has gone does not come back.
        server.ask(one, "CONFIG SET slowlog-max-len 100");
        assert_eq!(server.ask(other, "SLOWLOG LEN"), ":4\r\n");
        server.ask(one, "CONFIG SET slowlog-max-len 2");
        assert!(server.ask(other, "SLOWLOG GET -1").starts_with("*2\r\n"));
        server.ask(one, "CONFIG SET slowlog-max-len 100");
        assert_eq!(server.ask(other, "SLOWLOG LEN"), ":2\r\n");
        assert_eq!(server.ask(other, "SLOWLOG GET 0"), "*0\r\n");
        assert_eq!(server.ask(other, "SLOWLOG RESET"), "+OK\r\n");
        assert_eq!(server.ask(one, "SLOWLOG GET -1"), "*0\r\n");
    }

    #[test]
    fn counts_are_checked() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let error = "-ERR count should be greater than or equal to -1\r\n";
        assert_eq!(server.ask(client, "SLOWLOG GET -2"), error);
        assert_eq!(server.ask(client, "SLOWLOG GET many"), error);
    }
}
