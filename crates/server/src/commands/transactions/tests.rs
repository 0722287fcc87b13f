//! MULTI, EXEC, WATCH and commands that need keys together, on servers of several sizes.

use std::time::Duration;

use config::Config;
use keyspace::EvictionPolicy;
use net::{Clock, VirtualTime};

use crate::fixture::{Fixture, FixtureClient};

/// Sends lines in one pipeline and expects these replies.
fn expect(server: &mut Fixture, client: FixtureClient, steps: &[(&str, &str)]) {
    for (line, reply) in steps {
        assert_eq!(server.ask(client, line), *reply, "{line}");
    }
}

/// Servers of several sizes, each with a connection at every home.
fn everywhere(test: impl Fn(&mut Fixture, FixtureClient, FixtureClient)) {
    for shards in [1, 2, 3, 8] {
        for home in 0..shards {
            let mut server = Fixture::new(shards);
            let (one, other) = (server.connect(home), server.connect(shards - 1 - home));
            test(&mut server, one, other);
        }
    }
}

#[test]
fn exec_replies_in_order_wherever_the_keys_live() {
    everywhere(|server, client, _| {
        let text = b"MULTI\r\nSET a 1\r\nINCR b\r\nPING\r\nMGET a b c\r\nDEL a b c\r\n\
                     DBSIZE\r\nSELECT 1\r\nSET a x\r\nGET a\r\nEXEC\r\nGET a\r\n";
        let queued = "+QUEUED\r\n".repeat(9);
        let replies = "*9\r\n+OK\r\n:1\r\n+PONG\r\n\
                       *3\r\n$1\r\n1\r\n$1\r\n1\r\n$-1\r\n:2\r\n:0\r\n\
                       +OK\r\n+OK\r\n$1\r\nx\r\n";
        let whole = format!("+OK\r\n{queued}{replies}$1\r\nx\r\n");
        assert_eq!(server.send(client, text), whole);
    });
}

#[test]
fn what_cannot_be_queued_ends_the_transaction() {
    everywhere(|server, client, _| {
        expect(
            server,
            client,
            &[
                ("EXEC", "-ERR EXEC without MULTI\r\n"),
                ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
                ("MULTI", "+OK\r\n"),
                ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
                ("WATCH a", "-ERR WATCH inside MULTI is not allowed\r\n"),
                ("SET a 1", "+QUEUED\r\n"),
                ("EXEC", "*1\r\n+OK\r\n"),
                ("MULTI", "+OK\r\n"),
                ("SET a", "-ERR wrong number of arguments for 'set' command\r\n"),
                ("SET a 2", "+QUEUED\r\n"),
                ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
                ("GET a", "$1\r\n1\r\n"),
                ("MULTI", "+OK\r\n"),
                ("SHUTDOWN", "-ERR Command not allowed inside a transaction\r\n"),
                ("DISCARD", "+OK\r\n"),
                ("MULTI", "+OK\r\n"),
                ("EXEC", "*0\r\n"),
                ("MULTI", "+OK\r\n"),
                ("INCR a", "+QUEUED\r\n"),
                ("SET b x", "+QUEUED\r\n"),
                ("INCR b", "+QUEUED\r\n"),
                ("INCR a", "+QUEUED\r\n"),
                (
                    "EXEC",
                    "*4\r\n:2\r\n+OK\r\n-ERR value is not an integer or out of range\r\n:3\r\n",
                ),
            ],
        );
    });
}

#[test]
fn a_touched_key_stops_exec_wherever_it_lives() {
    for touch in ["SET a 2", "DEL a", "RENAME a z", "FLUSHALL", "SWAPDB 0 1", "PEXPIRE a 0"] {
        everywhere(|server, client, other| {
            let begin = [
                ("MSET a 1 b 1 c 1", "+OK\r\n"),
                ("WATCH a b c d", "+OK\r\n"),
                ("MULTI", "+OK\r\n"),
                ("INCR b", "+QUEUED\r\n"),
                ("INCR c", "+QUEUED\r\n"),
            ];
            expect(server, client, &begin);
            server.ask(other, touch);
            expect(server, client, &[("EXEC", "*-1\r\n"), ("MSET b 1 c 1", "+OK\r\n")]);
            let again = [
                ("MULTI", "+OK\r\n"),
                ("INCR b", "+QUEUED\r\n"),
                ("INCR c", "+QUEUED\r\n"),
                ("EXEC", "*2\r\n:2\r\n:2\r\n"),
            ];
            expect(server, client, &again);
        });
    }
}

#[test]
fn a_watched_key_that_expires_stops_exec_though_nobody_has_removed_it() {
    for shards in [1, 2, 3] {
        // At home alone, on other shards alone, and held for the sake of several.
        for (watch, queued) in [("a", "GET a"), ("a", "GET b"), ("a b c", "GET b"), ("a", "PING")] {
            let time = Box::leak(Box::new(VirtualTime::new(1_700_000_000_000_000)));
            let clock = Clock::simulated(time);
            let mut server = Fixture::with_clock(shards, Config::default(), clock);
            let (client, other) = (server.connect(0), server.connect(shards - 1));
            let begin = |server: &mut Fixture, expires: &str| {
                server.ask(other, "MSET a 1 b 1 c 1");
                server.ask(other, expires);
                server.ask(client, &format!("WATCH {watch}"));
                server.ask(client, "MULTI");
                server.ask(client, queued);
            };
            begin(&mut server, "SET a 1 PX 10");
            // No tick of the fixture does background work.
            time.pass(Duration::from_millis(12));
            assert_eq!(server.ask(client, "EXEC"), "*-1\r\n", "{watch}: {queued}");
            assert_eq!(server.ask(other, "DBSIZE"), ":3\r\n", "it is still there");
            begin(&mut server, "SET a 1 PX 1000");
            time.pass(Duration::from_millis(12));
            assert_ne!(server.ask(client, "EXEC"), "*-1\r\n", "{watch}: {queued}");
        }
    }
}

#[test]
fn swapdb_touches_what_is_watched_in_either_database() {
    for swap in ["SWAPDB 0 1", "SWAPDB 1 0"] {
        for watched in [0, 1] {
            everywhere(|server, client, other| {
                expect(server, other, &[("SET a 0", "+OK\r\n"), ("SELECT 1", "+OK\r\n")]);
                expect(server, other, &[("SET a 1", "+OK\r\n")]);
                server.ask(client, &format!("SELECT {watched}"));
                expect(server, client, &[("WATCH a", "+OK\r\n"), ("MULTI", "+OK\r\n")]);
                expect(server, client, &[("GET a", "+QUEUED\r\n")]);
                server.ask(other, swap);
                expect(server, client, &[("EXEC", "*-1\r\n")]);
            });
        }
    }
}

#[test]
fn exec_sees_what_the_pipeline_before_it_is_still_changing() {
    // RENAME holds its keys for two hops: EXEC comes to the watched key before it is changed.
    for queued in ["SET c 1\r\nCOPY c d", "SET {b}2 1\r\nGET b"] {
        everywhere(|server, client, _| {
            let text = format!("SET a 1\r\nWATCH b\r\nRENAME a b\r\nMULTI\r\n{queued}\r\nEXEC\r\n");
            let replies = "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n";
            assert_eq!(server.send(client, text.as_bytes()), replies);
        });
    }
}

#[test]
fn what_was_not_touched_lets_exec_run() {
    everywhere(|server, client, other| {
        expect(server, client, &[("SET a 1", "+OK\r\n"), ("WATCH a b", "+OK\r\n")]);
        for line in ["GET a", "DEL b", "SET c 1", "SET a 1 NX"] {
            server.ask(other, line);
        }
        let steps = [("MULTI", "+OK\r\n"), ("INCR a", "+QUEUED\r\n"), ("EXEC", "*1\r\n:2\r\n")];
        expect(server, client, &steps);
        expect(server, client, &[("WATCH a", "+OK\r\n"), ("UNWATCH", "+OK\r\n")]);
        server.ask(other, "SET a 7");
        let steps = [("MULTI", "+OK\r\n"), ("INCR a", "+QUEUED\r\n"), ("EXEC", "*1\r\n:8\r\n")];
        expect(server, client, &steps);
    });
}

#[test]
fn commands_that_need_keys_together_find_them() {
    everywhere(|server, client, other| {
        let steps = [
            ("SET a one PXAT 9999999999999", "+OK\r\n"),
            ("RENAME a b", "+OK\r\n"),
            ("RENAME a b", "-ERR no such key\r\n"),
            ("GET b", "$3\r\none\r\n"),
            ("PEXPIRETIME b", ":9999999999999\r\n"),
            ("EXISTS a b", ":1\r\n"),
            ("COPY b c", ":1\r\n"),
            ("COPY b c", ":0\r\n"),
            ("COPY b d DB 3 REPLACE", ":1\r\n"),
            ("COPY b d DB 99", "-ERR DB index is out of range\r\n"),
            ("RENAMENX b c", ":0\r\n"),
            ("MSETNX x 1 y 2 c 3", ":0\r\n"),
            ("MSETNX x 1 y 2 z 3", ":1\r\n"),
            ("MGET x y z", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
            ("BITOP OR dest x y z nothing", ":1\r\n"),
            ("GET dest", "$1\r\n3\r\n"),
            ("LCS b c", "$3\r\none\r\n"),
            ("DBSIZE", ":6\r\n"),
            ("SELECT 3", "+OK\r\n"),
            ("GET d", "$3\r\none\r\n"),
            ("DBSIZE", ":1\r\n"),
        ];
        expect(server, client, &steps);
        assert_eq!(server.ask(other, "MGET b c"), "*2\r\n$3\r\none\r\n$3\r\none\r\n");
    });
}

#[test]
fn exec_may_need_keys_together_and_the_whole_keyspace() {
    everywhere(|server, client, _| {
        let steps = [
            ("MSET a 1 b 2", "+OK\r\n"),
            ("WATCH a b", "+OK\r\n"),
            ("MULTI", "+OK\r\n"),
            ("RENAME a c", "+QUEUED\r\n"),
            ("INCR c", "+QUEUED\r\n"),
            ("PING", "+QUEUED\r\n"),
            ("RENAME c d", "+QUEUED\r\n"),
            ("RENAME d e", "+QUEUED\r\n"),
            ("RENAME no d", "+QUEUED\r\n"),
            ("SELECT 2", "+QUEUED\r\n"),
            ("SET q 7", "+QUEUED\r\n"),
            ("RENAME q r", "+QUEUED\r\n"),
            ("SELECT 0", "+QUEUED\r\n"),
            ("MGET a b c d e", "+QUEUED\r\n"),
            ("DBSIZE", "+QUEUED\r\n"),
            (
                "EXEC",
                "*12\r\n+OK\r\n:2\r\n+PONG\r\n+OK\r\n+OK\r\n-ERR no such key\r\n\
                 +OK\r\n+OK\r\n+OK\r\n+OK\r\n\
                 *5\r\n$-1\r\n$1\r\n2\r\n$-1\r\n$-1\r\n$1\r\n2\r\n:2\r\n",
            ),
            ("SELECT 2", "+OK\r\n"),
            ("GET r", "$1\r\n7\r\n"),
        ];
        expect(server, client, &steps);
    });
}

#[test]
fn what_follows_exec_runs_in_the_database_that_it_selected() {
    // EXEC holds its keys, for RENAME or for a WATCH elsewhere, before it comes to SELECT.
    for (watch, queued) in [("PING", "RENAME a b"), ("WATCH a b c", "GET a")] {
        everywhere(|server, client, _| {
            server.ask(client, "MSET a 1 b 2 c 3");
            let text = format!(
                "{watch}\r\nMULTI\r\nSELECT 1\r\n{queued}\r\nEXEC\r\nSET a x\r\nDBSIZE\r\n"
            );
            assert!(server.send(client, text.as_bytes()).ends_with("+OK\r\n:1\r\n"));
            expect(server, client, &[("SELECT 0", "+OK\r\n"), ("GET a", "$1\r\n1\r\n")]);
        });
    }
}

#[test]
fn a_session_that_ends_or_resets_watches_nothing() {
    everywhere(|server, client, other| {
        expect(server, client, &[("WATCH a", "+OK\r\n"), ("MULTI", "+OK\r\n")]);
        assert!(server.ask(client, "CLIENT INFO").starts_with("+QUEUED"));
        expect(server, client, &[("RESET", "+RESET\r\n"), ("MULTI", "+OK\r\n")]);
        server.ask(other, "SET a 1");
        expect(server, client, &[("GET a", "+QUEUED\r\n"), ("EXEC", "*1\r\n$1\r\n1\r\n")]);
        expect(server, client, &[("WATCH a", "+OK\r\n"), ("QUIT", "+OK\r\n")]);
        server.settle();
        assert!(server.cores.iter().all(|core| !core.shard.is_watched()));
    });
}

#[test]
fn no_key_is_evicted_between_the_commands_of_an_exec() {
    let mut server = Fixture::new(1);
    let client = server.connect(0);
    expect(&mut server, client, &[("MULTI", "+OK\r\n")]);
    let value = "x".repeat(1000);
    let keys = 200;
    for key in 0..keys {
        expect(&mut server, client, &[(&format!("SET {key} {value}"), "+QUEUED\r\n")]);
    }
    expect(&mut server, client, &[("DBSIZE", "+QUEUED\r\n")]);
    // There is room for the queue, and not for all that it is going to write.
    let core = &mut server.cores[0];
    core.publish_memory();
    core.settings.limits.memory_bytes_max = core.shared.memory_bytes() + 64 * 1024;
    core.settings.keyspace.eviction = EvictionPolicy::AllkeysLru;
    core.shard.keyspace.configure(core.settings.keyspace);
    let replies = format!("*{}\r\n{}:{keys}\r\n", keys + 1, "+OK\r\n".repeat(keys));
    expect(&mut server, client, &[("EXEC", &replies)]);
    // With room for nothing it is made at the next one's expense.
    server.cores[0].settings.limits.memory_bytes_max = 1;
    server.ask(client, "SET next x");
    assert!(server.cores[0].shard.keys() < keys, "keys can be evicted");
}

#[test]
fn memory_that_is_used_up_ends_only_what_may_take_more() {
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    everywhere(|server, client, other| {
        server.ask(client, "MSET a 1 b 2 c 3");
        server.send(client, b"MULTI\r\nSET a x\r\nGET b\r\n");
        expect(
            server,
            other,
            &[
                ("CONFIG SET maxmemory 1", "+OK\r\n"),
                ("MULTI", "+OK\r\n"),
                ("GET a", "+QUEUED\r\n"),
                ("MGET b c", "+QUEUED\r\n"),
                ("DEL c", "+QUEUED\r\n"),
                ("PING", "+QUEUED\r\n"),
                ("EXEC", "*4\r\n$1\r\n1\r\n*2\r\n$1\r\n2\r\n$1\r\n3\r\n:1\r\n+PONG\r\n"),
                ("MULTI", "+OK\r\n"),
                ("GET a", "+QUEUED\r\n"),
                ("SET a 2", oom),
                ("EXEC", aborted),
                ("MULTI", "+OK\r\n"),
                ("MSET a 2 b 3", oom),
                ("DISCARD", "+OK\r\n"),
            ],
        );
        let denied = "-EXECABORT Transaction discarded because of: OOM command not allowed when \
                      used memory > 'maxmemory'.\r\n";
        expect(server, client, &[("EXEC", denied), ("GET a", "$1\r\n1\r\n")]);
    });
}
