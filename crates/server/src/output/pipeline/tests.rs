//! How much of what a connection asked for is under way, what becomes of it, and in which order.

use config::Config;
use spec::{shard_of_slot, slot_of};

use super::Pipeline;
use crate::fixture::{Fixture, FixtureClient};
use crate::memory::kept::KEPT_BYTES_MAX;
use crate::output::weave::RunReplies;

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

/// Settles a part of a place, with the replies of its commands.
fn settle_part(
    pipeline: &mut Pipeline,
    place: (u64, u16),
    replies: &[&[u8]],
    output: &mut Vec<u8>,
) {
    let bytes = replies.concat();
    let lengths = replies.iter().map(|reply| reply.len());
    let ends: Vec<usize> = lengths
        .scan(0, |end, length| {
            *end += length;
            Some(*end)
        })
        .collect();
    let replies = RunReplies { commands: replies.len(), bytes: &bytes, ends: &ends, begin: 0 };
    pipeline.settle_run(place, replies, output);
}

/// Settles a place; what then moved to the output.
fn settle(pipeline: &mut Pipeline, place: u64, reply: &[u8]) -> String {
    let mut output = Vec::new();
    settle_part(pipeline, (place, 0), &[reply], &mut output);
    String::from_utf8(output).expect("the tests speak UTF-8")
}

/// Replies locally.
fn reply(pipeline: &mut Pipeline, bytes: &[u8]) {
    let mut output = Vec::new();
    pipeline.tail(&mut output).extend_from_slice(bytes);
    assert!(output.is_empty(), "something is under way");
}

#[test]
fn replies_leave_in_the_order_of_the_commands() {
    let mut pipeline = Pipeline::default();
    let first = pipeline.open(false);
    reply(&mut pipeline, b"1a ");
    reply(&mut pipeline, b"1b ");
    let second = pipeline.open(false);
    let third = pipeline.open(true);
    reply(&mut pipeline, b"3a ");
    let fourth = pipeline.open(false);
    assert_eq!(settle(&mut pipeline, fourth, b"4 "), "");
    assert_eq!(settle(&mut pipeline, second, b"2 "), "");
    assert_eq!(settle(&mut pipeline, first, b"1 "), "1 1a 1b 2 ");
    reply(&mut pipeline, b"4a ");
    assert_eq!(settle(&mut pipeline, third, b"silent"), "3a 4 4a ");
    assert!(pipeline.is_empty());
    let fifth = pipeline.open(false);
    assert_eq!(settle(&mut pipeline, fifth, b"5"), "5");
}

#[test]
fn runs_of_several_bundles_share_a_place() {
    let mut pipeline = Pipeline::default();
    let before = pipeline.open(false);
    for epoch in [7, 8] {
        let here = pipeline.open_run(epoch, false);
        let there = pipeline.open_run(epoch, false);
        assert_eq!((there.0, there.1), (here.0, 1));
        assert!(pipeline.join(there, false) && pipeline.join(here, false));
        assert!(!pipeline.join(here, true));
    }
    let silent = pipeline.open_run(8, true);
    assert_eq!(silent, (before + 3, 0));
    let mut output = Vec::new();
    settle_part(&mut pipeline, (before + 2, 1), &[b"8b ", b"8c "], &mut output);
    settle_part(&mut pipeline, (before + 2, 0), &[b"8a ", b"8d "], &mut output);
    settle_part(&mut pipeline, (before + 1, 0), &[b"7a ", b"7d "], &mut output);
    settle_part(&mut pipeline, silent, &[b"silent"], &mut output);
    assert!(output.is_empty());
    settle_part(&mut pipeline, (before, 0), &[b"before "], &mut output);
    assert_eq!(output, b"before ");
    assert_eq!(pipeline.waiting_bytes(), 6 * 3 + 6);
    settle_part(&mut pipeline, (before + 1, 1), &[b"7b ", b"7c "], &mut output);
    assert_eq!(output, b"before 7a 7b 7c 7d 8a 8b 8c 8d ");
    assert!(pipeline.is_empty());
    assert_eq!(pipeline.waiting_bytes(), 0);
}

#[test]
fn a_place_is_shared_until_something_stands_behind_it() {
    let mut pipeline = Pipeline::default();
    let first = pipeline.open(false);
    assert!(pipeline.join((first, 0), false));
    assert!(!pipeline.join((first, 0), true));
    reply(&mut pipeline, b"local");
    assert!(!pipeline.join((first, 0), false));
    let second = pipeline.open(false);
    assert!(pipeline.join((second, 0), false));
    assert!(!pipeline.join((first, 0), false));
    assert_eq!(settle(&mut pipeline, first, b""), "local");
    assert!(pipeline.join((second, 0), false));
}

#[test]
fn an_input_is_owed_the_rest_of_its_replies() {
    let (mut pipeline, mut output) = (Pipeline::default(), Vec::new());
    pipeline.begin_input(1);
    pipeline.tail(&mut output).extend_from_slice(b"local ");
    assert!(!pipeline.owes());
    let place = pipeline.open(false);
    assert!(pipeline.owes(), "what was replied here waits for the rest");
    settle(&mut pipeline, place, b"1");
    assert!(!pipeline.owes());
    pipeline.begin_input(2);
    let place = pipeline.open(false);
    assert!(!pipeline.owes(), "what another input was replied waits for nothing");
    settle(&mut pipeline, place, b"2");
}

#[test]
fn a_pipeline_that_is_never_empty_keeps_no_more_than_is_under_way() {
    let mut pipeline = Pipeline::default();
    let long = [b'x'; 1000];
    let mut waiting = pipeline.open(false);
    for _ in 0..1000 {
        reply(&mut pipeline, &long);
        let next = pipeline.open(false);
        let further = pipeline.open(false);
        assert_eq!(settle(&mut pipeline, further, &long), "");
        assert_eq!(settle(&mut pipeline, waiting, b"").len(), 1000);
        assert_eq!(settle(&mut pipeline, next, b"").len(), 1000);
        waiting = pipeline.open(false);
        assert_eq!(pipeline.places.len(), 1);
    }
    assert!(pipeline.after.capacity() <= 4 * KEPT_BYTES_MAX);
    assert!(pipeline.early.capacity() <= 4 * KEPT_BYTES_MAX);
}
