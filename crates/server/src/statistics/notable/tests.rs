//! What the slow log, the latency monitor and the counters say of commands, on servers of several
//! sizes.

use std::time::Duration;

use config::Config;
use net::{Clock, VirtualTime};

use crate::fixture::{Fixture, FixtureClient};

const SHARDS: [usize; 4] = [1, 2, 5, 8];

/// A server on which everything is slow, and a client called `me` at its last home.
fn server(shards: usize) -> (Fixture, FixtureClient) {
    let mut server = Fixture::new(shards);
    let client = server.connect(shards - 1);
    server.ask(client, "CLIENT SETNAME me");
    server.ask(client, "CONFIG SET slowlog-log-slower-than 0");
    (server, client)
}

/// The lines of a reply that are no headers.
fn words(reply: &str) -> Vec<&str> {
    reply.split("\r\n").filter(|line| !line.starts_with(['*', '$'])).collect()
}

/// The newest entries of the slow log, oldest first, each as its words; all are of the client `me`.
fn entries(server: &mut Fixture, client: FixtureClient, count: usize) -> Vec<String> {
    let reply = server.ask(client, &format!("SLOWLOG GET {count}"));
    let address = server.address(client);
    let mut entries: Vec<String> = Vec::new();
    let mut ids: Vec<u64> = Vec::new();
    let (_, listed) = reply.split_once("\r\n").expect("an array has a header");
    for entry in listed.split("*6\r\n").skip(1) {
        let words = words(entry);
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let [id, unix_s, took, sent @ .., from, name] = &words[..] else { panic!("{entry}") };
        assert!(unix_s.starts_with(':') && took.starts_with(':'), "{entry}");
        assert_eq!((*from, *name), (&*address, "me"), "{entry}");
        ids.push(id.trim_start_matches(':').parse().expect("an identifier is a number"));
        entries.push(sent.join(" "));
    }
    assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first: {ids:?}");
    entries.reverse();
    entries
}

fn reset(server: &mut Fixture, client: FixtureClient) {
    server.ask(client, "CONFIG RESETSTAT");
    server.ask(client, "SLOWLOG RESET");
}

/// The line of INFO that begins so.
fn info(server: &mut Fixture, client: FixtureClient, section: &str, begin: &str) -> String {
    let reply = server.ask(client, &format!("INFO {section}"));
    let line = reply.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("{begin} in {reply}")).to_owned()
}

#[test]
fn a_command_is_one_entry_as_it_was_sent_wherever_it_ran() {
    for shards in SHARDS {
        let (mut server, client) = server(shards);
        let pairs: Vec<String> = (0..100).map(|n| format!("k{n} v{n}")).collect();
        let mset = format!("MSET {}", pairs.join(" "));
        let shown: Vec<&str> = mset.split(' ').take(31).collect();
        let shown = format!("{} ... (170 more arguments)", shown.join(" "));
        let long = "x".repeat(200);
        let mset_long = format!("MSET a {long} b {long}");
        let cut = format!("{}... (72 more bytes)", &long[..128]);
        let cut = format!("MSET a {cut} b {cut}");
        for (line, shown) in [
            (&*mset, &*shown),
            (&*mset_long, &*cut),
            ("DBSIZE", "DBSIZE"),
            ("MGET k1 k2 k3 k4 k5 k6 k7 k8", "MGET k1 k2 k3 k4 k5 k6 k7 k8"),
            ("DEL {t}a {t}b", "DEL {t}a {t}b"),
            ("KEYS k1*", "KEYS k1*"),
            ("SCAN 0 COUNT 1000", "SCAN 0 COUNT 1000"),
            ("RENAME k1 k2", "RENAME k1 k2"),
            ("BITOP OR dest k3 k4 k5 k6", "BITOP OR dest k3 k4 k5 k6"),
            ("FLUSHALL NONSENSE", "FLUSHALL NONSENSE"),
            ("FLUSHALL", "FLUSHALL"),
        ] {
            reset(&mut server, client);
            server.ask(client, line);
            let entries = entries(&mut server, client, 100);
            assert_eq!(entries, ["SLOWLOG RESET", shown], "{shards} shards");
        }
    }
}

#[test]
fn the_commands_of_an_exec_are_an_entry_each() {
    for shards in SHARDS {
        for kind in ["PING", "RENAME a b", "GET a"] {
            let (mut server, client) = server(shards);
            server.ask(client, "SET a 1");
            reset(&mut server, client);
            let lines = format!(
                "MULTI\r\nMSET a 1 b 2 c 3 d 4 e 5\r\nGET c\r\n{kind}\r\nDBSIZE\r\nEXEC\r\n"
            );
            server.send(client, lines.as_bytes());
            let mut entries = entries(&mut server, client, 100);
            let mut expected =
                ["SLOWLOG RESET", "MULTI", "MSET a 1 b 2 c 3 d 4 e 5", "GET c", kind, "DBSIZE"];
            entries.sort_unstable();
            expected.sort_unstable();
            assert_eq!(entries, expected, "{shards} shards");
            for name in ["mset", "dbsize", "get"] {
                let begin = format!("cmdstat_{name}:");
                let line = info(&mut server, client, "commandstats", &begin);
                let calls = 1 + usize::from(name == "get" && kind == "GET a");
                assert!(line.starts_with(&format!("{begin}calls={calls},")), "{line}");
            }
        }
    }
}

#[test]
fn a_command_counts_once_with_its_whole_time() {
    for shards in SHARDS {
        // A look at the clock takes a millisecond, and so does what is measured.
        let time = Box::leak(Box::new(VirtualTime::with_looks_of(Duration::from_millis(1), 0)));
        let clock = Clock::simulated(time);
        let mut server = Fixture::with_clock(shards, Config::default(), clock);
        let client = server.connect(0);
        server.ask(client, "CONFIG SET slowlog-log-slower-than 1 latency-monitor-threshold 1");
        let pairs: Vec<String> = (0..100).map(|n| format!("k{n} v{n}")).collect();
        server.ask(client, "LATENCY RESET");
        reset(&mut server, client);
        server.ask(client, &format!("MSET {}", pairs.join(" ")));
        // The longest share, and merging.
        let expected = if shards == 1 { 1 } else { 2 };
        let line = info(&mut server, client, "commandstats", "cmdstat_mset:");
        let whole = format!("cmdstat_mset:calls=1,usec={expected}000,");
        assert!(line.starts_with(&whole), "{shards} shards: {line}");
        let line = info(&mut server, client, "latencystats", "latency_percentiles_usec_mset:");
        assert!(line.contains(&format!("p50={expected}")), "{shards} shards: {line}");
        let histogram = server.ask(client, "LATENCY HISTOGRAM mset");
        assert!(histogram.contains("calls\r\n:1\r\n"), "{shards} shards: {histogram}");
        let entries = server.ask(client, "SLOWLOG GET 100");
        assert_eq!(entries.matches("$4\r\nMSET\r\n").count(), 1, "{shards} shards");
        assert!(entries.contains(&format!(":{expected}000\r\n*32\r\n$4\r\nMSET")), "{entries}");
        let latest = server.ask(client, "LATENCY LATEST");
        let event = format!("$7\r\ncommand\r\n:0\r\n:{expected}\r\n:{expected}\r\n");
        assert!(latest.contains(&event), "{shards} shards: {latest}");
    }
}

#[test]
fn an_error_of_all_shards_is_one() {
    for shards in SHARDS {
        let (mut server, client) = server(shards);
        reset(&mut server, client);
        assert!(server.ask(client, "FLUSHALL NONSENSE").starts_with("-ERR"));
        let line = info(&mut server, client, "errorstats", "errorstat_ERR:");
        assert_eq!(line, "errorstat_ERR:count=1", "{shards} shards");
        let line = info(&mut server, client, "commandstats", "cmdstat_flushall:");
        assert!(line.starts_with("cmdstat_flushall:calls=1,"), "{line}");
        assert!(line.ends_with("rejected_calls=0,failed_calls=1"), "{line}");
        let line = info(&mut server, client, "stats", "total_error_replies:");
        assert_eq!(line, "total_error_replies:1", "{shards} shards");
    }
}

#[test]
fn what_a_client_left_behind_is_counted() {
    for shards in SHARDS {
        let (mut server, client) = server(shards);
        let other = server.connect(0);
        server.give(client, b"MSET a 1 b 2 c 3 d 4\r\nDBSIZE\r\nSCAN 0\r\n");
        server.disconnect(client);
        server.settle();
        for name in ["mset", "dbsize", "scan"] {
            let begin = format!("cmdstat_{name}:");
            let line = info(&mut server, other, "commandstats", &begin);
            assert!(line.starts_with(&format!("{begin}calls=1,")), "{shards} shards: {line}");
        }
    }
}
