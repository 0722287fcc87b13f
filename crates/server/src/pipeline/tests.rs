//! How much of what a connection asked for is under way, and what becomes of it.

use config::Config;
use spec::{shard_of_slot, slot_of};

use crate::fixture::{Fixture, FixtureClient};

const SHARDS: usize = 3;

/// Bytes of each large value.
const VALUE_BYTES: usize = 64 << 10;

/// More commands than may be under way, with more bytes of replies.
const COMMANDS: usize = 600;

/// A key that lives on `shard`.
fn key_on(shard: usize) -> String {
    let mut names = (0..).map(|number| format!("k{number}"));
    let found = names.find(|name| shard_of_slot(slot_of(name.as_bytes()), SHARDS) == shard);
    found.expect("every shard has keys")
}

/// A server with a client at core thread 0, and a large value on shard 1.
fn server(hard_bytes: u64) -> (Fixture, FixtureClient) {
    let mut config = Config::default();
    config.clients.output.normal.hard_bytes = hard_bytes;
    let mut server = Fixture::with_config(SHARDS, config);
    let client = server.connect(0);
    let value = "v".repeat(VALUE_BYTES);
    assert_eq!(server.ask_words(client, &["SET", &key_on(1), &value]), "+OK\r\n");
    (server, client)
}

/// Gives the bytes to the client's core thread, and lets only it and shard 1 run. The most bytes
/// that waited for their turn.
fn run_without_shard_2(server: &mut Fixture, client: FixtureClient, bytes: &[u8]) -> usize {
    server.give(client, bytes);
    let mut peak = 0;
    for _ in 0..1000 {
        let moved = server.tick(0) | server.tick(1);
        let waiting = server.cores[0].connections.iter().map(|it| it.pipeline.waiting_bytes());
        peak = waiting.fold(peak, usize::max);
        if !moved {
            return peak;
        }
    }
    panic!("it does not come to rest");
}

/// One command for shard 2, and many large replies of shard 1 behind it.
fn blocked_pipeline() -> Vec<u8> {
    let mut lines = format!("GET {}\r\n", key_on(2));
    (0..COMMANDS).for_each(|_| lines.push_str(&format!("GET {}\r\n", key_on(1))));
    lines.into_bytes()
}

#[test]
fn what_waits_for_its_turn_is_bounded_and_comes_in_order() {
    let (mut server, client) = server(0);
    let peak = run_without_shard_2(&mut server, client, &blocked_pipeline());
    assert!(peak > 4 << 20, "{peak}: much may be under way");
    // A run may be sent though its last commands are too many.
    assert!(peak < (16 << 20) + 64 * (VALUE_BYTES + 16), "{peak} bytes wait");
    assert!(server.take(client).is_empty());
    server.settle();
    let answer = server.take(client);
    assert!(answer.starts_with("$-1\r\n$65536\r\nvvv"));
    let reply_bytes = VALUE_BYTES + "$65536\r\n\r\n".len();
    assert_eq!(answer.len(), "$-1\r\n".len() + COMMANDS * reply_bytes);
    let waiting = server.cores[0].connections.iter().map(|it| it.pipeline.waiting_bytes());
    assert_eq!(waiting.sum::<usize>(), 0);
}

#[test]
fn what_waits_for_its_turn_counts_for_the_limit() {
    let (mut server, client) = server(1 << 20);
    let peak = run_without_shard_2(&mut server, client, &blocked_pipeline());
    assert!(peak <= 64 << 20, "{peak}");
    assert!(!server.is_open(client));
    let other = server.connect(1);
    assert_eq!(server.ask(other, &format!("STRLEN {}", key_on(1))), ":65536\r\n");
}

#[test]
fn silent_replies_count_for_nothing() {
    for key in [key_on(0), key_on(1)] {
        let (mut server, client) = server(1 << 20);
        let value = "v".repeat(VALUE_BYTES);
        server.ask_words(client, &["SET", &key, &value]);
        let mut lines = "CLIENT REPLY OFF\r\n".to_owned();
        (0..COMMANDS).for_each(|_| lines.push_str(&format!("GET {key}\r\n")));
        lines.push_str("CLIENT REPLY ON\r\nPING\r\n");
        assert_eq!(server.send(client, lines.as_bytes()), "+OK\r\n+PONG\r\n");
        assert!(server.is_open(client));
    }
}
