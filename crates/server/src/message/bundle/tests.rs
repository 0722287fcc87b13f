//! Commands of all connections of a tick, on their way to shards.

use crate::fixture::Fixture;

/// Commands that alternate between shards, and what they are to be answered.
fn alternating(count: usize) -> (String, String) {
    let (mut commands, mut replies) = (String::new(), String::new());
    for at in 0..count {
        commands.push_str(&format!("SET k{at} v{at}\r\nINCR n{}\r\nGET k{at}\r\n", at % 7));
        let value = format!("v{at}");
        replies.push_str(&format!("+OK\r\n:{}\r\n${}\r\n{value}\r\n", at / 7 + 1, value.len()));
    }
    (commands, replies)
}

#[test]
fn a_long_pipeline_over_all_shards_is_answered_in_order() {
    for shards in [1, 2, 5] {
        for count in [1, 10, 400] {
            let mut server = Fixture::new(shards);
            let client = server.connect(shards - 1);
            let (commands, replies) = alternating(count);
            assert_eq!(server.send(client, commands.as_bytes()), replies, "{shards} {count}");
        }
    }
}

#[test]
fn what_is_no_shard_command_keeps_its_place() {
    let mut server = Fixture::new(3);
    let client = server.connect(0);
    let text = "SET a 1\r\nSET b 1\r\nPING\r\nGET a\r\nINCR a b\r\nMGET a b c\r\nSELECT 1\r\n\
                GET a\r\nGET b\r\nSELECT 0\r\nDEL a b c\r\nGET a\r\n";
    let replies = "+OK\r\n+OK\r\n+PONG\r\n$1\r\n1\r\n\
                   -ERR wrong number of arguments for 'incr' command\r\n\
                   *3\r\n$1\r\n1\r\n$1\r\n1\r\n$-1\r\n\
                   +OK\r\n$-1\r\n$-1\r\n+OK\r\n:2\r\n$-1\r\n";
    assert_eq!(server.send(client, text.as_bytes()), replies);
}

#[test]
fn clients_share_bundles_and_keep_their_replies_apart() {
    let mut server = Fixture::new(2);
    let clients: Vec<_> = (0..6).map(|_| server.connect(0)).collect();
    for (at, client) in clients.iter().enumerate() {
        server.give(*client, format!("SET k{at} {at}\r\nGET k{at}\r\n").as_bytes());
    }
    server.settle();
    for (at, client) in clients.iter().enumerate() {
        assert_eq!(server.take(*client), format!("+OK\r\n$1\r\n{at}\r\n"));
    }
}

#[test]
fn silent_commands_are_done_and_not_answered() {
    let mut server = Fixture::new(2);
    let client = server.connect(0);
    let text = "CLIENT REPLY OFF\r\nSET a 1\r\nSET b 2\r\nSET c 3\r\nCLIENT REPLY ON\r\n\
                GET a\r\nGET b\r\nGET c\r\n";
    let replies = "+OK\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n";
    assert_eq!(server.send(client, text.as_bytes()), replies);
}

#[test]
fn transactions_and_plain_commands_keep_their_places_among_each_other() {
    let mut text = String::new();
    for at in 0..40 {
        text.push_str(&format!("SET a{at} {at}\r\nGET a{at}\r\nMGET a{at} b{at} c{at}\r\n"));
        text.push_str(&format!(
            "INCR n\r\nMULTI\r\nSET b{at} x\r\nINCR n\r\nEXEC\r\nGET b{at}\r\n"
        ));
        text.push_str(&format!("MULTI\r\nGET a{at}\r\nEXEC\r\nGET a{at}\r\nMULTI\r\nEXEC\r\n"));
        text.push_str(&format!("MSET b{at} {at} c{at} y d{at} z\r\nGET c{at}\r\nGET d{at}\r\n"));
        text.push_str(&format!("MULTI\r\nMGET b{at} c{at} d{at}\r\nDBSIZE\r\nGET n\r\nEXEC\r\n"));
        text.push_str(&format!("MULTI\r\nMGET b{at} d{at}\r\nDEL a{at} b{at}\r\nEXEC\r\n"));
        text.push_str(&format!("EXISTS a{at} b{at} c{at}\r\nRENAME c{at} a{at}\r\nGET a{at}\r\n"));
    }
    let answer = |shards: usize| {
        let mut server = Fixture::new(shards);
        let client = server.connect(shards - 1);
        server.send(client, text.as_bytes())
    };
    let alone = answer(1);
    assert!(alone.ends_with("*2\r\n*2\r\n$2\r\n39\r\n$1\r\nz\r\n:2\r\n:1\r\n+OK\r\n$1\r\ny\r\n"));
    for shards in [2, 3, 5] {
        assert_eq!(answer(shards), alone, "{shards}");
    }
}

#[test]
fn what_asks_all_core_threads_sees_the_commands_before_it() {
    let on = |shard: usize| {
        let name = |n: &usize| spec::shard_of_slot(spec::slot_of(format!("k{n}").as_bytes()), 2);
        let n = (0..).find(|n| name(n) == shard).expect("there are many names");
        format!("k{n}")
    };
    for home in [0, 1] {
        let mut server = Fixture::new(2);
        let client = server.connect(home);
        let (here, there) = (on(home), on(1 - home));
        let text = format!("GET {there}\r\nSET {here} 1\r\nINFO keyspace\r\n");
        let replies = server.send(client, text.as_bytes());
        assert!(replies.contains("db0:keys=1,"), "{home}: {replies}");
        let text = format!("GET {there}\r\nSET {here} 2\r\nCONFIG SET maxmemory 1\r\n");
        let replies = server.send(client, text.as_bytes());
        assert_eq!(replies, "$-1\r\n+OK\r\n+OK\r\n", "{home}");
    }
}

#[test]
fn a_bundle_of_stages_is_bounded_too() {
    let mut server = Fixture::new(2);
    let clients: Vec<_> = (0..3).map(|_| server.connect(0)).collect();
    // `a` is in the second half of the slots, `b` in the first.
    let commands: String = (0..60).map(|at| format!("RENAME {{a}}{at} {{b}}{at}\r\n")).collect();
    clients.iter().for_each(|client| server.give(*client, commands.as_bytes()));
    for shard in 0..2 {
        let runs = server.cores[0].bundles.work(shard).map_or(0, |work| work.runs.each.len());
        assert_eq!(runs, 180 % super::BUNDLE_COMMANDS_MAX);
    }
    server.settle();
    for client in clients {
        assert_eq!(server.take(client), "-ERR no such key\r\n".repeat(60));
    }
}
