//! LATENCY: hiccups by event, and histograms by command, of all core threads together.

use std::collections::HashMap;

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};
use telemetry::{Histogram, LatencyMonitor};

use super::{Context, SessionCommand, Then, help};
use crate::core::Core;
use crate::input::registry::{Action, Entry, Registry};
use crate::message::gathering::Question;

pub(super) const COMMANDS: &[&SessionCommand] =
    &[&DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET];

/// The container.
pub(super) const CONTAINER: Spec =
    Spec::new("latency", Arity::at_least(2), Group::Server, "2.8.13")
        .about("A container for latency diagnostics commands.", "Depends on subcommand.");

const FLAGS: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE);

const TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/// Asks all core threads for their monitors; `write` is given what they come to together.
fn ask_monitors(write: impl FnOnce(&mut Core, LatencyMonitor, &mut Writer<'_>) + 'static) -> Then {
    Then::Ask(Question::new(
        |core| core.statistics.latency.clone(),
        move |core, parts, reply| {
            let mut all = LatencyMonitor::new(core.settings.telemetry.latency_threshold_ms);
            for part in &parts {
                all.merge(part);
            }
            write(core, all, reply);
        },
    ))
}

/// The name of an event as a client wrote it. What is no text is the name of none.
fn event_name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `LATENCY LATEST`: for each event its name, the unix time and milliseconds of its last spike, and
/// its longest ever.
const LATEST: SessionCommand = SessionCommand {
    spec: Spec::new("latency|latest", Arity::exactly(2), Group::Server, "2.8.13")
        .flags(FLAGS)
        .about("Shows the latest spike of every event.", "O(1)")
        .tips(TIPS)
        .reply(Reply::ARRAY),
    run: latest,
};

fn latest(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(ask_monitors(|_, monitor, reply| {
        reply.array(monitor.iter().count());
        for (event, history) in monitor.iter() {
            let last = history.latest();
            reply.array(4);
            reply.bulk(event.as_bytes());
            reply.integer(last.map_or(0, |last| integer(last.unix_s)));
            reply.integer(last.map_or(0, |last| integer(last.latency_ms)));
            reply.integer(integer(history.max_ms()));
        }
    }))
}

/// `LATENCY HISTORY event`: the unix times and milliseconds of its last 160 spikes, oldest first.
const HISTORY: SessionCommand = SessionCommand {
    spec: Spec::new("latency|history", Arity::exactly(3), Group::Server, "2.8.13")
        .flags(FLAGS)
        .about("Shows the last spikes of an event.", "O(1)")
        .arguments(&[Argument::string("event")])
        .tips(TIPS)
        .reply(Reply::ARRAY),
    run: history,
};

fn history(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let event = event_name(&arguments[2]);
    Ok(ask_monitors(move |_, monitor, reply| {
        let Some(history) = monitor.history(&event) else { return reply.array(0) };
        reply.array(history.samples().len());
        for sample in history.samples() {
            reply.array(2);
            reply.integer(integer(sample.unix_s));
            reply.integer(integer(sample.latency_ms));
        }
    }))
}

/// `LATENCY RESET [event ...]`: forgets the named events, or all; how many there were.
const RESET: SessionCommand = SessionCommand {
    spec: Spec::new("latency|reset", Arity::at_least(2), Group::Server, "2.8.13")
        .flags(FLAGS)
        .about("Forgets the spikes of events.", "O(1)")
        .arguments(&[Argument::string("event").optional().multiple()])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .reply(Reply::INTEGER),
    run: reset,
};

fn reset(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let named: Vec<String> = arguments.from(2).iter().map(event_name).collect();
    let question = Question::new(
        move |core| -> Vec<&'static str> {
            let monitor = &mut core.statistics.latency;
            let events: Vec<&'static str> = monitor.iter().map(|(event, _)| event).collect();
            let wanted =
                |event: &&'static str| named.is_empty() || named.iter().any(|name| name == event);
            events.into_iter().filter(wanted).filter(|event| monitor.reset(event)).collect()
        },
        |_, parts, reply| {
            // An event that occurred on several core threads is one event.
            let mut events: Vec<&str> = parts.into_iter().flatten().collect();
            events.sort_unstable();
            events.dedup();
            reply.count(events.len());
        },
    );
    Ok(Then::Ask(question.barrier()))
}

/// `LATENCY GRAPH event`: its spikes drawn with characters.
const GRAPH: SessionCommand = SessionCommand {
    spec: Spec::new("latency|graph", Arity::exactly(3), Group::Server, "2.8.13")
        .flags(FLAGS)
        .about("Draws the spikes of an event.", "O(1)")
        .arguments(&[Argument::string("event")])
        .tips(TIPS)
        .reply(Reply::VERBATIM),
    run: graph,
};

fn graph(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let event = arguments[2].to_vec();
    Ok(ask_monitors(move |core, monitor, reply| {
        let unix_s = core.time.unix_us() / 1_000_000;
        match monitor.graph(&event_name(&event), unix_s) {
            Some(drawing) => reply.verbatim(*b"txt", drawing.as_bytes()),
            None => {
                let error = CommandError::no_latency_samples(&event);
                core.statistics.count_error(&error);
                reply.error(&error);
            }
        }
    }))
}

/// `LATENCY DOCTOR`: the spikes in words, with advice.
const DOCTOR: SessionCommand = SessionCommand {
    spec: Spec::new("latency|doctor", Arity::exactly(2), Group::Server, "2.8.13")
        .flags(FLAGS)
        .about("Describes the latency spikes and what may help.", "O(1)")
        .tips(TIPS)
        .reply(Reply::VERBATIM),
    run: doctor,
};

fn doctor(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(ask_monitors(|_, monitor, reply| reply.verbatim(*b"txt", monitor.report().as_bytes())))
}

/// `LATENCY HISTOGRAM [command ...]`: for each command that ran: its calls, and how many of them
/// took no longer than so many microseconds. A container stands for its subcommands; unknown names
/// are passed over.
const HISTOGRAM: SessionCommand = SessionCommand {
    spec: Spec::new("latency|histogram", Arity::at_least(2), Group::Server, "7.0.0")
        .flags(FLAGS)
        .about("Shows how long commands took.", "O(N), N the commands shown")
        .arguments(&[Argument::string("command").optional().multiple()])
        .tips(TIPS)
        .reply(Reply::MAP),
    run: histogram,
};

fn histogram(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let registry = context.core.registry;
    let wanted: Vec<&'static Entry> = if arguments.len() == 2 {
        registry.entries().iter().flat_map(with_subcommands).collect()
    } else {
        arguments.from(2).iter().flat_map(|name| named(registry, name)).collect()
    };
    let numbers: Vec<usize> = wanted.iter().map(|entry| usize::from(entry.number)).collect();
    Ok(Then::Ask(Question::new(
        move |core| -> Counted {
            let commands = &core.statistics.commands;
            let counted = |number: &usize| Some((*number, commands.latency(*number)?.clone()));
            numbers.iter().filter_map(counted).collect()
        },
        move |_, parts, reply| write_histograms(parts, &wanted, reply),
    )))
}

/// The command called `name` (`config|get` names a subcommand) with its subcommands.
fn named(registry: &'static Registry, name: &[u8]) -> Vec<&'static Entry> {
    let mut words = name.splitn(2, |byte| *byte == b'|');
    let entry = words.next().and_then(|name| registry.find(name));
    match (entry, words.next()) {
        (Some(entry), None) => with_subcommands(entry).collect(),
        (Some(entry), Some(subcommand)) => entry.subcommand(subcommand).into_iter().collect(),
        (None, _) => Vec::new(),
    }
}

/// A command that can run or is counted for those below it (DEBUG), and those below it.
fn with_subcommands(entry: &'static Entry) -> impl Iterator<Item = &'static Entry> {
    let counts_all = entry.subcommands.iter().any(|below| below.number == entry.number);
    let own = counts_all || !matches!(entry.action, Action::Container);
    own.then_some(entry).into_iter().chain(&entry.subcommands)
}

/// Histograms with the numbers of their commands.
type Counted = Vec<(usize, Histogram)>;

fn write_histograms(parts: Vec<Counted>, wanted: &[&'static Entry], reply: &mut Writer<'_>) {
    let mut all: HashMap<usize, Histogram> = HashMap::new();
    for (number, histogram) in parts.into_iter().flatten() {
        all.entry(number).or_default().merge(&histogram);
    }
    let header = reply.deferred();
    let mut shown = 0;
    for entry in wanted {
        // A command named twice is shown once.
        let Some(histogram) = all.remove(&usize::from(entry.number)) else { continue };
        shown += 1;
        reply.bulk(entry.spec.name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(integer(histogram.total()));
        reply.bulk(b"histogram_usec");
        let pairs = histogram.cumulative_us();
        reply.map(pairs.len());
        for (microseconds, count) in pairs {
            reply.integer(integer(microseconds));
            reply.integer(integer(count));
        }
    }
    reply.end_map(header, shown);
}

/// `LATENCY HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("latency|help", Arity::exactly(2), Group::Server, "2.8.13")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Shows the subcommands of LATENCY.", "O(1)")
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
        "LATENCY",
        &[
            ("DOCTOR", &["Describe the latency spikes and what may help."]),
            ("GRAPH <event>", &["Draw the spikes of <event>."]),
            ("HISTOGRAM [<command> ...]", &["Show how long commands took; all without a name."]),
            ("HISTORY <event>", &["Show times and milliseconds of the spikes of <event>."]),
            ("LATEST", &["Show the latest spike of every event."]),
            ("RESET [<event> ...]", &["Forget the spikes of the events; all without a name."]),
        ],
    );
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn histograms_are_of_all_core_threads_and_of_whom_was_asked() {
        let mut server = Fixture::new(3);
        let client = server.connect(0);
        server.ask(client, "CONFIG RESETSTAT");
        server.send(client, b"SET a 1\r\nSET b 2\r\nSET c 3\r\nCLIENT ID\r\nCLIENT GETNAME\r\n");
        let all = server.ask(client, "LATENCY HISTOGRAM");
        assert!(
            all.contains("$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n"),
            "{all}"
        );
        assert!(all.contains("$16\r\nconfig|resetstat\r\n"), "{all}");
        let container = server.ask(client, "LATENCY HISTOGRAM client nonsense CLIENT|ID");
        assert!(container.starts_with("*4\r\n"), "two commands, each once: {container}");
        assert!(server.ask(client, "LATENCY HISTOGRAM client|id").starts_with("*2\r\n"));
        assert_eq!(server.ask(client, "LATENCY HISTOGRAM nonsense"), "*0\r\n");
        server.ask(client, "HELLO 3");
        assert!(
            server.ask(client, "LATENCY HISTOGRAM set").starts_with("%1\r\n$3\r\nset\r\n%2\r\n")
        );
    }

    #[test]
    fn spikes_of_all_core_threads_are_one_event() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        server.ask(client, "CONFIG SET latency-monitor-threshold 100");
        for (core, sample) in server.cores.iter_mut().zip([(1000, 300), (1001, 200)]) {
            core.statistics.latency.record("command", sample.1, sample.0);
        }
        let mut ask = |line: &str| server.ask(client, line);
        assert_eq!(ask("LATENCY LATEST"), "*1\r\n*4\r\n$7\r\ncommand\r\n:1001\r\n:200\r\n:300\r\n");
        assert_eq!(
            ask("LATENCY HISTORY command"),
            "*2\r\n*2\r\n:1000\r\n:300\r\n*2\r\n:1001\r\n:200\r\n"
        );
        assert!(ask("LATENCY GRAPH command").contains("command - high 300 ms, low 200 ms"));
        assert!(ask("LATENCY DOCTOR").contains("command: 2 latency spikes"));
        assert_eq!(ask("LATENCY RESET other"), ":0\r\n");
        assert_eq!(ask("LATENCY RESET"), ":1\r\n");
        assert_eq!(ask("LATENCY HISTORY command"), "*0\r\n");
        let none = "-ERR No samples available for event 'command'\r\n";
        assert_eq!(ask("LATENCY GRAPH command"), none);
        assert_eq!(
            ask("LATENCY help xxx"),
            "-ERR wrong number of arguments for 'latency|help' command\r\n"
        );
    }
}
