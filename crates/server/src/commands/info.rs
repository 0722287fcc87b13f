//! INFO: what the server tells about itself. The sections are in `crate::info`.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Categories, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::info::{Facts, Part, Sections};
use crate::message::gathering::Question;

pub(super) const COMMANDS: &[&SessionCommand] = &[&INFO];

/// `INFO [section ...]`: the sections named, or the default ones. Unknown names are passed over.
const INFO: SessionCommand = SessionCommand {
    spec: Spec::new("info", Arity::at_least(1), Group::Server, "1.0.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Tells the state and statistics of the server.", "O(1)")
        .categories(Categories::DANGEROUS)
        .history(&[("7.0.0", "Takes several sections.")])
        .arguments(&[Argument::string("section").optional().multiple()])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .reply(Reply::VERBATIM),
    run: info,
};

fn info(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let sections = match arguments.len() {
        1 => Sections::default_ones(),
        _ => Sections::named(arguments.from(1)),
    };
    Ok(Then::Ask(Question::new(
        move |core| Part::of(core, sections),
        move |core, parts, reply| {
            let config = core.shared.config().clone();
            let text = sections.write(&Facts::new(core, &config, &parts));
            reply.verbatim(*b"txt", &text);
        },
    )))
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn sections_come_in_order_and_once() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        let titles = |reply: &str| -> Vec<String> {
            reply.lines().filter_map(|line| line.strip_prefix("# ").map(str::to_owned)).collect()
        };
        let default = titles(&server.ask(client, "INFO"));
        assert_eq!(
            default,
            [
                "Server",
                "Clients",
                "Memory",
                "Persistence",
                "Stats",
                "Replication",
                "CPU",
                "Modules",
                "Errorstats",
                "Cluster",
                "Keyspace"
            ]
        );
        assert_eq!(titles(&server.ask(client, "INFO default cpu CPU")), default);
        assert_eq!(titles(&server.ask(client, "INFO keyspace Server")), ["Server", "Keyspace"]);
        assert_eq!(titles(&server.ask(client, "INFO everything")).len(), 13);
        assert_eq!(server.ask(client, "INFO nonsense"), "$0\r\n\r\n");
    }

    #[test]
    fn numbers_of_all_core_threads_add_up() {
        let mut server = Fixture::new(3);
        let client = server.connect(1);
        server.connect(0);
        server.send(client, b"SET a 1 EX 100\r\nSET b 2\r\nSET c 3\r\nSELECT 2\r\nSET d 4\r\n");
        let reply = server.ask(client, "INFO clients keyspace stats server");
        for line in [
            "connected_clients:2",
            "total_connections_received:2",
            "db2:keys=1,expires=0,avg_ttl=0",
            "redis_version:7.2.4",
            "shards:3",
            "total_commands_processed:5",
        ] {
            assert!(reply.lines().any(|one| one == line), "{line} in {reply}");
        }
        assert!(reply.contains("db0:keys=3,expires=1,avg_ttl="), "{reply}");
    }

    #[test]
    fn every_line_is_a_title_a_field_or_blank() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        server.ask(client, "HELLO 3");
        let reply = server.ask(client, "INFO everything");
        let text = reply.split_once("txt:").expect("a verbatim string").1;
        let text = text.strip_suffix("\r\n").expect("the end of the reply");
        let mut names: Vec<&str> = Vec::new();
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            if !line.starts_with("# ") {
                let (name, _) = line.split_once(':').unwrap_or_else(|| panic!("a field: {line}"));
                assert!(!names.contains(&name), "{name} twice");
                names.push(name);
            }
        }
        assert!(names.len() > 150, "{} fields", names.len());
    }
}
