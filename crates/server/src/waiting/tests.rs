//! Histories of clients that wait, told one by one.

use std::time::Duration;

use config::Config;
use net::{Clock, VirtualTime};

use super::End;
use crate::clients::connections::ConnectionKey;
use crate::fixture::{Fixture, FixtureClient};
use crate::simulation::{Client, Options, Server};

/// A key on `shard` of `shards`.
fn on(name: &str, shard: usize, shards: usize) -> String {
    (0..)
        .map(|n| format!("{name}{n}"))
        .find(|k| spec::shard_of_slot(spec::slot_of(k.as_bytes()), shards) == shard)
        .unwrap()
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn pair(key: &str, value: &str) -> String {
    format!("*2\r\n{}{}", bulk(key), bulk(value))
}

/// Sends a command that has to wait.
fn wait(server: &mut Fixture, client: FixtureClient, line: &str) {
    assert_eq!(server.ask(client, line), "", "{line} waits");
}

#[test]
fn what_is_there_is_taken_at_once_and_first_in_key_order() {
    for shards in [1, 2, 5] {
        for home in 0..shards {
            let mut server = Fixture::new(shards);
            let client = server.connect(home);
            server.ask(client, "MSET b 1 c 2");
            assert_eq!(server.ask(client, "BTAKE a b c 0"), pair("b", "1"), "{shards} {home}");
            assert_eq!(server.ask(client, "BTAKE c b a 0"), pair("c", "2"), "{shards} {home}");
            assert_eq!(server.ask(client, "DBSIZE"), ":0\r\n");
        }
    }
}

#[test]
fn who_came_first_is_served_first() {
    for shards in [1, 2, 5] {
        let mut server = Fixture::new(shards);
        let clients: Vec<_> = (0..4).map(|n| server.connect(n % shards)).collect();
        let writer = server.connect(shards - 1);
        for client in &clients {
            wait(&mut server, *client, "BTAKE k 0");
        }
        for (at, client) in clients.iter().enumerate() {
            let value = at.to_string();
            assert_eq!(server.ask(writer, &format!("SET k {value}")), "+OK\r\n");
            assert_eq!(server.take(*client), pair("k", &value), "{shards} shards");
            assert_eq!(server.ask(writer, "EXISTS k"), ":0\r\n");
        }
        assert!(server.cores.iter().all(|core| core.shard.waiting.is_empty()));
    }
}

#[test]
fn further_commands_of_who_waits_come_after() {
    for shards in [1, 2] {
        let mut server = Fixture::new(shards);
        let (client, writer) = (server.connect(0), server.connect(shards - 1));
        assert_eq!(server.send(client, b"SET x 1\r\nBTAKE k 0\r\nAPPEND x 2\r\n"), "+OK\r\n");
        assert_eq!(server.ask(writer, "GET x"), bulk("1"));
        server.ask(writer, "SET k v");
        assert_eq!(server.take(client), pair("k", "v") + ":2\r\n");
    }
}

#[test]
fn several_keys_of_one_waiter_on_several_shards() {
    for (home, order) in [(0, [0, 1]), (1, [0, 1]), (0, [1, 0])] {
        let mut server = Fixture::new(2);
        let keys = [on("a", 0, 2), on("b", 1, 2)];
        let (first, second) = (&keys[order[0]], &keys[order[1]]);
        let (one, two, writer) = (server.connect(home), server.connect(1), server.connect(0));
        wait(&mut server, one, &format!("BTAKE {first} {second} 0"));
        wait(&mut server, two, &format!("BTAKE {second} 0"));
        assert_eq!(server.ask(writer, &format!("SET {second} v")), "+OK\r\n");
        assert_eq!(server.take(one), pair(second, "v"), "who came first");
        assert_eq!(server.ask(writer, &format!("MSET {first} w {second} x")), "+OK\r\n");
        assert_eq!(server.take(two), pair(second, "x"), "who came next");
        assert_eq!(server.ask(writer, &format!("GET {first}")), bulk("w"), "nobody waits for it");
        assert!(server.cores.iter().all(|core| core.shard.waiting.is_empty()));
    }
}

#[test]
fn one_transaction_that_fills_both_keys_serves_the_first_in_order() {
    let mut server = Fixture::new(2);
    let (a, b) = (on("a", 0, 2), on("b", 1, 2));
    let (one, two, writer) = (server.connect(0), server.connect(1), server.connect(0));
    wait(&mut server, one, &format!("BTAKE {b} {a} 0"));
    wait(&mut server, two, &format!("BTAKE {a} {b} 0"));
    assert_eq!(server.ask(writer, &format!("MSET {a} 1 {b} 2")), "+OK\r\n");
    assert_eq!((server.take(one), server.take(two)), (pair(&b, "2"), pair(&a, "1")));
}

#[test]
fn keys_appear_in_all_ways() {
    for shards in [1, 2, 3] {
        for way in ["RENAME x k", "COPY x k", "RENAMENX x k", "MSETNX k v y 1"] {
            let mut server = Fixture::new(shards);
            let (client, writer) = (server.connect(0), server.connect(shards - 1));
            server.ask(writer, "SET x v");
            wait(&mut server, client, "BTAKE k 0");
            server.ask(writer, way);
            assert_eq!(server.take(client), pair("k", "v"), "{way}, {shards} shards");
        }
        for way in ["MOVE k 1", "SWAPDB 0 1", "COPY k k DB 1"] {
            let mut server = Fixture::new(shards);
            let (client, writer) = (server.connect(0), server.connect(shards - 1));
            server.ask(writer, "SET k v");
            server.ask(client, "SELECT 1");
            wait(&mut server, client, "BTAKE k 0");
            server.ask(writer, way);
            assert_eq!(server.take(client), pair("k", "v"), "{way}, {shards} shards");
        }
    }
}

#[test]
fn an_exec_is_one_unit() {
    for shards in [1, 2, 3] {
        for also in ["", "SELECT 0\r\n", "RENAME nothing x\r\n"] {
            let mut server = Fixture::new(shards);
            let (client, writer) = (server.connect(0), server.connect(shards - 1));
            wait(&mut server, client, "BTAKE k 0");
            let text = format!("MULTI\r\nSET k 1\r\nDEL k\r\n{also}EXEC\r\n");
            server.send(writer, text.as_bytes());
            assert_eq!(server.take(client), "", "it was gone again");
            let text = format!("MULTI\r\nSET k 1\r\n{also}APPEND k 2\r\nGET k\r\nEXEC\r\n");
            let reply = server.send(writer, text.as_bytes());
            assert!(reply.ends_with(&bulk("12")), "{reply}");
            assert_eq!(server.take(client), pair("k", "12"), "{shards} {also}");
        }
    }
}

#[test]
fn nothing_waits_between_multi_and_exec() {
    for shards in [1, 2, 3] {
        let mut server = Fixture::new(shards);
        let client = server.connect(0);
        let text = b"MULTI\r\nBTAKE k 0\r\nBTAKE a b c 0\r\nBMOVE k l 0\r\nEXEC\r\n";
        let replies = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n*-1\r\n*-1\r\n$-1\r\n";
        assert_eq!(server.send(client, text), replies);
        let text = b"SET b 1\r\nMULTI\r\nBTAKE a b c 0\r\nBMOVE b l 0\r\nEXEC\r\n";
        let replies = "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n";
        let taken = replies.to_owned() + &pair("b", "1") + "$-1\r\n";
        assert_eq!(server.send(client, text), taken);
        assert_eq!(server.ask(client, "PING"), "+PONG\r\n");
    }
}

#[test]
fn who_is_served_may_serve_others_in_a_chain_and_in_a_circle() {
    for shards in [1, 2, 3] {
        let mut server = Fixture::new(shards);
        let movers: Vec<_> = (0..4).map(|n| server.connect(n % shards)).collect();
        let writer = server.connect(0);
        for (at, client) in movers.iter().enumerate() {
            wait(&mut server, *client, &format!("BMOVE k{at} k{} 0", (at + 1) % 4));
        }
        assert_eq!(server.ask(writer, "SET k2 v"), "+OK\r\n");
        for client in &movers {
            assert_eq!(server.take(*client), bulk("v"), "{shards} shards");
        }
        assert_eq!(server.ask(writer, "GET k2"), bulk("v"), "once around");
        assert_eq!(server.ask(writer, "DBSIZE"), ":1\r\n");
    }
}

#[test]
fn a_wait_ends_when_its_time_is_over_and_not_before() {
    static TIME: VirtualTime = VirtualTime::new(1_700_000_000_000_000);
    let clock = Clock::simulated(&TIME);
    let options = Options { shards: 2, seed: 1, short_writes: 0, clock };
    let mut server = Server::empty(Config::default(), options);
    let (a, b) = (on("a", 0, 2), on("b", 1, 2));
    let lines = [
        format!("BTAKE {a} 0.1"),
        format!("BTAKE {b} 0.1"),
        format!("BTAKE {a} {b} 0.1"),
        format!("BMOVE {b} {a} 0.1"),
    ];
    let clients: Vec<Client> = lines.iter().map(|_| server.connect(0)).collect();
    for (client, line) in clients.iter().zip(&lines) {
        server.give(*client, format!("{line}\r\nPING\r\n").as_bytes());
    }
    let rest = |server: &mut Server| (0..40).for_each(|n| server.tick(n % 2));
    rest(&mut server);
    TIME.pass(Duration::from_millis(99));
    rest(&mut server);
    assert!(clients.iter().all(|client| server.take(*client).is_empty()));
    TIME.pass(Duration::from_millis(1));
    rest(&mut server);
    for (client, null) in clients.iter().zip(["*-1", "*-1", "*-1", "$-1"]) {
        let reply = String::from_utf8(server.take(*client)).unwrap();
        assert_eq!(reply, format!("{null}\r\n+PONG\r\n"));
    }
    assert!(server.cores.iter().all(|it| it.core.shard.waiting.is_empty()));
    assert!(server.cores.iter().all(|it| it.core.shard.waiting.timeouts() == 0));
    assert!(server.cores.iter().all(|it| it.core.mail.under_way == 0));
}

#[test]
fn timeouts_are_checked() {
    let mut server = Fixture::new(2);
    let client = server.connect(0);
    for (timeout, error) in [
        ("x", "-ERR timeout is not a float or out of range\r\n"),
        ("-1", "-ERR timeout is negative\r\n"),
        ("1e300", "-ERR timeout is out of range\r\n"),
    ] {
        assert_eq!(server.ask(client, &format!("BTAKE k {timeout}")), error);
        assert_eq!(server.ask(client, &format!("BTAKE a b c {timeout}")), error);
    }
    assert_eq!(server.ask(client, "PING"), "+PONG\r\n");
}

#[test]
fn unblock_says_whether_it_did() {
    for shards in [1, 2, 3] {
        for line in ["BTAKE k 0", "BTAKE a b c 0", "BTAKE a b c 100", "BMOVE k l 0"] {
            let mut server = Fixture::new(shards);
            let (client, other) = (server.connect(0), server.connect(shards - 1));
            assert_eq!(server.ask(other, "CLIENT UNBLOCK 1"), ":0\r\n");
            wait(&mut server, client, line);
            assert_eq!(server.ask(other, "CLIENT UNBLOCK 1"), ":1\r\n", "{line}");
            let null = if line.starts_with("BMOVE") { "$-1\r\n" } else { "*-1\r\n" };
            assert_eq!(server.take(client), null);
            assert_eq!(server.ask(other, "CLIENT UNBLOCK 1"), ":0\r\n");
            wait(&mut server, client, line);
            assert_eq!(server.ask(other, "CLIENT UNBLOCK 1 ERROR"), ":1\r\n");
            let error = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";
            assert_eq!(server.take(client), error, "{line}");
            wait(&mut server, client, line);
            let text = b"MULTI\r\nCLIENT UNBLOCK 1\r\nSET k 1\r\nSET a 1\r\nEXEC\r\n";
            let reply = server.send(other, text);
            assert!(reply.ends_with("*3\r\n:1\r\n+OK\r\n+OK\r\n"), "{line}: {reply}");
            assert_eq!(server.take(client), null, "it did not wait any more");
            assert_eq!(server.ask(other, "EXISTS k a"), ":2\r\n");
            server.ask(other, "DEL k a");
            wait(&mut server, client, line);
            let text = b"MULTI\r\nSET k 1\r\nSET a 1\r\nCLIENT UNBLOCK 1\r\nEXEC\r\n";
            let reply = server.send(other, text);
            assert!(reply.ends_with("*3\r\n+OK\r\n+OK\r\n:1\r\n"), "{line}: {reply}");
            assert_eq!(server.take(client), null, "it did not wait any more");
        }
    }
}

#[test]
fn who_is_gone_is_served_nothing() {
    for shards in [1, 2, 3] {
        for line in ["BTAKE k 0", "BTAKE a k c 0"] {
            let mut server = Fixture::new(shards);
            let (gone, next, other) =
                (server.connect(0), server.connect(0), server.connect(shards - 1));
            wait(&mut server, gone, line);
            wait(&mut server, next, "BTAKE k 0");
            server.disconnect(gone);
            assert_eq!(server.ask(other, "SET k v"), "+OK\r\n");
            assert_eq!(server.take(next), pair("k", "v"), "{line}, {shards} shards");
            // Killed: before CLIENT KILL answers.
            let killed = server.connect(0);
            wait(&mut server, killed, line);
            let id = server.cores[0].connections.iter().map(|it| it.session.id).max().unwrap();
            assert_eq!(server.ask(other, &format!("CLIENT KILL ID {id}")), ":1\r\n");
            assert_eq!(server.ask(other, "SET k v"), "+OK\r\n");
            assert_eq!(server.ask(other, "GET k"), bulk("v"), "{line}, {shards} shards");
            assert!(server.cores.iter().all(|core| core.shard.waiting.is_empty()));
            assert!(server.cores.iter().all(|core| core.mail.under_way == 0));
        }
    }
}

#[test]
fn who_is_gone_at_any_moment_leaves_nothing_behind() {
    for line in ["BTAKE k 0", "BTAKE a k c 0", "BMOVE k l 0"] {
        for turns in 0..12 {
            let mut server = Fixture::new(3);
            let (client, writer) = (server.connect(0), server.connect(1));
            server.give(client, format!("{line}\r\n").as_bytes());
            server.give(writer, b"SET k v\r\n");
            for turn in 0..turns {
                server.tick(turn % 3);
            }
            server.disconnect(client);
            server.settle();
            assert!(
                server.cores.iter().all(|core| core.shard.waiting.is_empty()),
                "{line} {turns}"
            );
            assert!(server.cores.iter().all(|core| core.mail.under_way == 0), "{line} {turns}");
            assert!(server.cores.iter().all(|core| core.shard.holds.is_idle()), "{line} {turns}");
        }
    }
}

#[test]
fn who_may_be_gone_at_any_moment_keeps_nobody_waiting() {
    for line in ["BTAKE k 0", "BTAKE a k c 0", "BMOVE k l 0"] {
        for turns in 0..12 {
            let mut server = Fixture::new(3);
            let (client, next, writer) = (server.connect(0), server.connect(2), server.connect(1));
            server.give(client, format!("{line}\r\n").as_bytes());
            for turn in 0..turns {
                server.tick(turn % 3);
            }
            server.finish_sending(client);
            server.give(next, b"BTAKE k 0\r\n");
            server.settle();
            assert!(!server.is_open(client), "{line} {turns}");
            assert_eq!(server.ask(writer, "SET k v"), "+OK\r\n");
            assert_eq!(server.take(next), pair("k", "v"), "{line} {turns}");
            assert!(server.cores.iter().all(|core| core.shard.waiting.is_empty()));
        }
    }
}

#[test]
fn who_waited_in_vain_is_answered_when_what_it_saw_is_written() {
    for turns in 0..12 {
        let mut server = Fixture::new(3);
        let client = server.connect(0);
        server.give(client, b"BTAKE a k c 0\r\n");
        for turn in 0..turns {
            server.tick(turn % 3);
        }
        let core = &mut server.cores[0];
        let waits = core.connections.iter().any(|it| it.is_blocked());
        let (token, generation) =
            core.connections.iter_mut().map(|(token, it)| (token, it.generation)).next().unwrap();
        core.end_wait(ConnectionKey { token, generation }, End::Timeout, None);
        let (place, settled) = (core.connections.at(token).unwrap(), core.held.is_empty());
        let is_answered = place.pipeline.is_empty();
        assert!(!waits || is_answered == settled, "after {turns} turns");
        server.settle();
        assert!(!waits || server.take(client) == "*-1\r\n", "after {turns} turns");
    }
}

#[test]
fn unblock_at_any_moment_ends_the_wait_or_does_not() {
    for line in ["BTAKE k 0", "BTAKE a k c 0", "BMOVE k l 0"] {
        for turns in 0..12 {
            let mut server = Fixture::new(3);
            let (client, writer, other) = (server.connect(0), server.connect(1), server.connect(2));
            wait(&mut server, client, line);
            server.give(writer, b"SET k v\r\n");
            for turn in 0..turns {
                server.tick(turn % 3);
            }
            let ended = server.ask(other, "CLIENT UNBLOCK 1 ERROR");
            server.settle();
            let reply = server.take(client);
            assert_eq!(ended == ":1\r\n", reply.starts_with('-'), "{line} {turns}: {reply}");
            let left = server.ask(other, "EXISTS k");
            assert_eq!(ended == ":1\r\n", left == ":1\r\n", "{line} {turns}: {reply}");
            assert!(
                server.cores.iter().all(|core| core.shard.waiting.is_empty()),
                "{line} {turns}"
            );
        }
    }
}

#[test]
fn what_a_transaction_holds_is_left_alone() {
    // RENAME from another shard holds `k` while it is set by others, and gives it a value.
    let (x, k, l) = (on("x", 1, 2), on("k", 0, 2), on("l", 0, 2));
    let mut server = Fixture::new(2);
    let clients: Vec<_> = (0..3).map(|_| server.connect(0)).collect();
    let (writer, other) = (server.connect(0), server.connect(1));
    wait(&mut server, clients[0], &format!("BMOVE {k} {l} 0"));
    wait(&mut server, clients[1], &format!("BTAKE {k} 0"));
    wait(&mut server, clients[2], &format!("BTAKE {l} 0"));
    server.ask(other, &format!("SET {x} 1"));
    // `l` is held when `k` appears.
    server.give(other, format!("RENAME {x} {l}\r\n").as_bytes());
    server.tick(1);
    server.give(writer, format!("SET {k} 2\r\n").as_bytes());
    server.settle();
    server.take(writer);
    let replies: Vec<String> = clients.iter().map(|client| server.take(*client)).collect();
    // RENAME came first, so its value was there when SET's was moved over it, or was taken before.
    assert_eq!(replies[0], bulk("2"));
    assert_eq!(replies[1], "");
    assert!([pair(&l, "1"), pair(&l, "2")].contains(&replies[2]), "{replies:?}");
    assert!(server.cores.iter().all(|core| core.shard.holds.is_idle()));
    assert_eq!(server.ask(writer, &format!("SET {k} 3")), "+OK\r\n");
    assert_eq!(server.take(clients[1]), pair(&k, "3"));
}

#[test]
fn a_pause_of_writes_keeps_them_from_being_served() {
    for line in ["BTAKE k 0", "BTAKE a k c 0"] {
        let mut server = Fixture::new(3);
        let (client, writer) = (server.connect(0), server.connect(1));
        let key = line.split(' ').nth_back(1).unwrap();
        wait(&mut server, client, line);
        // Beyond the pause, which holds this back as well.
        server.give(writer, format!("SET {key} v\r\n").as_bytes());
        server.ask(writer, "CLIENT PAUSE 100000 WRITE");
        let served = server.take(client);
        assert_eq!(server.ask(writer, "CLIENT UNPAUSE"), "+OK\r\n");
        assert_eq!(served + &server.take(client), pair(key, "v"));
    }
}

#[test]
fn whoever_waits_is_seen_to() {
    let mut server = Fixture::new(2);
    let (a, b) = (on("a", 0, 2), on("b", 1, 2));
    let (one, two, other) = (server.connect(0), server.connect(0), server.connect(1));
    wait(&mut server, one, &format!("BTAKE {b} 0"));
    wait(&mut server, two, &format!("BTAKE {a} {b} 7"));
    let info = server.ask(other, "INFO clients");
    for field in ["blocked_clients:2", "total_blocking_keys:2", "clients_in_timeout_table:1"] {
        assert!(info.contains(&format!("{field}\r\n")), "{info}");
    }
    for id in [1, 2] {
        let line = server.ask(other, &format!("CLIENT LIST ID {id}"));
        assert!(line.contains(" flags=b ") && line.contains(" cmd=btake "), "{line}");
    }
    server.ask(other, &format!("SET {b} 1"));
    server.ask(other, &format!("SET {b} 1"));
    let info = server.ask(other, "INFO clients");
    for field in ["blocked_clients:0", "total_blocking_keys:0", "clients_in_timeout_table:0"] {
        assert!(info.contains(&format!("{field}\r\n")), "{info}");
    }
    let stats = server.ask(other, "INFO commandstats");
    assert!(stats.contains("cmdstat_btake:calls=2,"), "{stats}");
}

#[test]
fn a_served_command_touches_what_is_watched() {
    for shards in [1, 2] {
        let mut server = Fixture::new(shards);
        let (client, watcher) = (server.connect(0), server.connect(shards - 1));
        wait(&mut server, client, "BMOVE k l 0");
        server.ask(watcher, "WATCH l");
        server.ask(watcher, "SET k v");
        server.ask(watcher, "MULTI");
        assert_eq!(server.ask(watcher, "EXEC"), "*-1\r\n", "{shards} shards");
    }
}

#[test]
fn who_comes_while_a_line_has_to_wait_comes_after_all_that_is_served_then() {
    let [a, b] = ["a", "b"].map(|name| on(name, 0, 2));
    let [c, d] = ["c", "d"].map(|name| on(name, 1, 2));
    let mut server = Fixture::new(2);
    let [waiter, renamer, late] = [0; 3].map(|home| server.connect(home));
    let copier = server.connect(1);
    server.ask(renamer, &format!("MSET {b} old {c} moved"));
    wait(&mut server, waiter, &format!("BMOVE {a} {b} 0"));
    // It makes the key for which somebody waits; behind it somebody else is to hold that key.
    server.give(renamer, format!("RENAME {c} {a}\r\n").as_bytes());
    server.tick(0);
    server.give(copier, format!("COPY {a} {d} REPLACE\r\n").as_bytes());
    server.tick(1);
    server.tick(0);
    assert_eq!(server.take(renamer), "");
    assert!(!server.cores[0].shard.holds.is_idle());
    // The line is looked at when the copy is made. Both come after that, also on the other key.
    server.give(late, format!("SET {a} late\r\nGET {b}\r\n").as_bytes());
    server.settle();
    assert_eq!(server.take(late), format!("+OK\r\n{}", bulk("moved")));
    assert_eq!(server.take(waiter), bulk("moved"));
    assert_eq!(server.ask(late, &format!("MGET {a} {b} {c} {d}")), {
        let [late, moved] = ["late", "moved"].map(bulk);
        format!("*4\r\n{late}{moved}$-1\r\n{moved}")
    });
}
