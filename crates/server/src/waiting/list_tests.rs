//! BLPOP and its kind over shards: what ends a wait, in which order, and with which reply.

use crate::fixture::{Fixture, FixtureClient};

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array(items: &[&str]) -> String {
    format!("*{}\r\n{}", items.len(), items.iter().map(|item| bulk(item)).collect::<String>())
}

/// Sends a command that has to wait.
fn wait(server: &mut Fixture, client: FixtureClient, line: &str) {
    assert_eq!(server.ask(client, line), "", "{line} waits");
}

/// The commands that wait for a list at `k`, and what they answer when it is `x`.
fn waits() -> [(&'static str, String); 6] {
    [
        ("BLPOP k 0", array(&["k", "x"])),
        ("BRPOP a k c 0", array(&["k", "x"])),
        ("BLMPOP 0 3 a k c LEFT COUNT 5", format!("*2\r\n{}{}", bulk("k"), array(&["x"]))),
        ("BLMOVE k l LEFT RIGHT 0", bulk("x")),
        ("BRPOPLPUSH k l 0", bulk("x")),
        ("BLMOVE k k LEFT RIGHT 0", bulk("x")),
    ]
}

#[test]
fn a_list_ends_the_wait_and_nothing_else_does() {
    for shards in [1, 2, 3] {
        for (line, reply) in waits() {
            let mut server = Fixture::new(shards);
            let (client, writer) = (server.connect(0), server.connect(shards - 1));
            wait(&mut server, client, line);
            for other in [
                "SET k v",
                "APPEND k v",
                "PEXPIREAT k 1",
                "SET y v",
                "RENAME y k",
                "COPY k z",
                "COPY z k REPLACE",
                "DEL k",
                "SET k v PXAT 1",
                "FLUSHALL",
            ] {
                server.ask(writer, other);
                assert_eq!(server.take(client), "", "{line}: {other}, {shards} shards");
            }
            let text = b"MULTI\r\nRPUSH k 1\r\nLPOP k\r\nSET k 1\r\nDEL k\r\nEXEC\r\n";
            server.send(writer, text);
            assert_eq!(server.take(client), "", "{line}: it was gone again");
            assert_eq!(server.ask(writer, "RPUSH k x"), ":1\r\n");
            assert_eq!(server.take(client), reply, "{line}, {shards} shards");
            assert!(server.cores.iter().all(|core| core.shard.waiting.is_empty()));
        }
    }
}

#[test]
fn a_list_appears_in_all_ways() {
    for shards in [1, 2, 3] {
        for way in ["RENAME y k", "COPY y k", "RENAMENX y k", "LMOVE y k LEFT LEFT", "LPUSH k x"] {
            for (line, reply) in waits() {
                let mut server = Fixture::new(shards);
                let (client, writer) = (server.connect(0), server.connect(shards - 1));
                server.ask(writer, "RPUSH y x");
                wait(&mut server, client, line);
                server.ask(writer, way);
                assert_eq!(server.take(client), reply, "{way}: {line}, {shards} shards");
            }
        }
        for way in ["MOVE k 1", "SWAPDB 0 1", "COPY k k DB 1"] {
            let mut server = Fixture::new(shards);
            let (client, writer) = (server.connect(0), server.connect(shards - 1));
            server.ask(writer, "RPUSH k x");
            server.ask(client, "SELECT 1");
            wait(&mut server, client, "BLPOP k 0");
            server.ask(writer, way);
            assert_eq!(server.take(client), array(&["k", "x"]), "{way}, {shards} shards");
        }
    }
}

#[test]
fn each_awaits_a_type_of_its_own_and_keeps_its_place() {
    for shards in [1, 2] {
        let mut server = Fixture::new(shards);
        let [first, string, last] = [0, shards - 1, 0].map(|home| server.connect(home));
        let writer = server.connect(shards - 1);
        wait(&mut server, first, "BLPOP k 0");
        // The trial command takes strings, whatever comes.
        wait(&mut server, string, "BTAKE k 0");
        wait(&mut server, last, "BRPOP k 0");
        server.ask(writer, "SET k v");
        assert_eq!(server.take(string), array(&["k", "v"]), "{shards} shards");
        assert_eq!(server.take(first) + &server.take(last), "");
        assert_eq!(server.ask(writer, "RPUSH k 1 2 3"), ":3\r\n");
        assert_eq!(server.take(first), array(&["k", "1"]), "{shards} shards");
        assert_eq!(server.take(last), array(&["k", "3"]), "{shards} shards");
        assert_eq!(server.ask(writer, "LRANGE k 0 -1"), array(&["2"]));
    }
}

#[test]
fn what_is_pushed_serves_as_many_as_it_has_elements_for() {
    for shards in [1, 2] {
        let mut server = Fixture::new(shards);
        let clients: Vec<_> = (0..3).map(|n| server.connect(n % shards)).collect();
        let writer = server.connect(0);
        clients.iter().for_each(|client| wait(&mut server, *client, "BLPOP k 0"));
        assert_eq!(server.ask(writer, "RPUSH k 1 2"), ":2\r\n");
        assert_eq!(server.take(clients[0]), array(&["k", "1"]));
        assert_eq!(server.take(clients[1]), array(&["k", "2"]));
        assert_eq!(server.take(clients[2]), "");
        assert_eq!(server.ask(writer, "EXISTS k"), ":0\r\n");
    }
}

#[test]
fn a_moved_element_serves_who_waits_for_it() {
    for shards in [1, 2, 3] {
        let mut server = Fixture::new(shards);
        let movers: Vec<_> = (0..4).map(|n| server.connect(n % shards)).collect();
        let writer = server.connect(0);
        for (at, client) in movers.iter().enumerate() {
            let line = format!("BLMOVE k{at} k{} LEFT RIGHT 0", (at + 1) % 4);
            wait(&mut server, *client, &line);
        }
        assert_eq!(server.ask(writer, "RPUSH k2 v"), ":1\r\n");
        for client in &movers {
            assert_eq!(server.take(*client), bulk("v"), "{shards} shards");
        }
        assert_eq!(server.ask(writer, "LRANGE k2 0 -1"), array(&["v"]), "once around");
    }
}

#[test]
fn a_target_of_another_type_is_an_error_when_served_and_takes_nothing() {
    for shards in [1, 2, 3] {
        let mut server = Fixture::new(shards);
        let (client, writer) = (server.connect(0), server.connect(shards - 1));
        wait(&mut server, client, "BLMOVE k l LEFT RIGHT 0");
        server.ask(writer, "SET l v");
        assert_eq!(server.ask(writer, "RPUSH k x"), ":1\r\n");
        assert!(server.take(client).starts_with("-WRONGTYPE "), "{shards} shards");
        assert_eq!(server.ask(writer, "LRANGE k 0 -1"), array(&["x"]));
    }
}

#[test]
fn in_vain_is_a_null_array_and_at_once_what_each_replies() {
    for shards in [1, 2, 3] {
        for (protocol, null_array, null) in [("2", "*-1\r\n", "$-1\r\n"), ("3", "_\r\n", "_\r\n")] {
            let mut server = Fixture::new(shards);
            let (client, other) = (server.connect(0), server.connect(shards - 1));
            server.ask(client, &format!("HELLO {protocol}"));
            for (line, _) in waits() {
                wait(&mut server, client, line);
                assert_eq!(server.ask(other, "CLIENT UNBLOCK 1 TIMEOUT"), ":1\r\n", "{line}");
                assert_eq!(server.take(client), null_array, "{line}, {shards} shards");
                let text = format!("MULTI\r\n{line}\r\nEXEC\r\n");
                let at_once = if line.contains("POP ") { null_array } else { null };
                let reply = server.send(client, text.as_bytes());
                assert!(reply.ends_with(&format!("*1\r\n{at_once}")), "{line}: {reply}");
            }
        }
    }
}

#[test]
fn a_move_between_shards_takes_only_the_element() {
    for shards in [2, 3] {
        let mut server = Fixture::new(shards);
        let client = server.connect(0);
        server.ask(client, "RPUSH a 1 2 3");
        for (line, moved) in [
            ("LMOVE a b LEFT RIGHT", "1"),
            ("LMOVE a c RIGHT LEFT", "3"),
            ("RPOPLPUSH c d", "3"),
            ("BLMOVE d a LEFT RIGHT 0", "3"),
        ] {
            assert_eq!(server.ask(client, line), bulk(moved), "{line}");
        }
        assert_eq!(server.ask(client, "LRANGE a 0 -1"), array(&["2", "3"]));
        assert_eq!(server.ask(client, "EXISTS a b c d"), ":2\r\n");
        let reply = server.ask(client, "LMPOP 3 none a b RIGHT COUNT 9");
        assert_eq!(reply, format!("*2\r\n{}{}", bulk("a"), array(&["3", "2"])));
    }
}
