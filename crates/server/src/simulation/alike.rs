//! Random pipelines on servers of one shard and of several: the same bytes, the same replies.
//!
//! One client sends what it likes, cut anywhere, while the core threads take steps in any order.
//! Where keys live may change when a reply is there, never what it says. So a server of one shard,
//! which needs no message, no hold and no loan for any of it, knows the replies of all others.
//!
//! Everything follows from the seed. What fails says which, and is shortened to the first commands
//! that still fail.

mod script;

use std::fmt::Write;

use config::Config;
use net::{Clock, VirtualTime};
use testing::Random;

use super::{Options, Server};

/// The seeds are 1 to this.
const RUNS: u64 = 300;

/// Ticks of all core threads after which something goes round in circles.
const TICKS_MAX: usize = 10_000;

/// The numbers of shards that must answer as one does.
const SHARDS: [usize; 2] = [2, 5];

#[test]
fn a_pipeline_is_answered_alike_on_any_number_of_shards() {
    for seed in 1..=RUNS {
        let _named = NamedByPanics(seed);
        let script = script::of(&mut Random::new(seed));
        let expected = replies(&script.bytes(script.lines.len()), 1, seed);
        for shards in SHARDS {
            if replies(&script.bytes(script.lines.len()), shards, seed) != expected {
                panic!("{}", shortest(&script, shards, seed));
            }
        }
    }
}

/// What a client is answered whose home is one of so many shards.
fn replies(bytes: &[u8], shards: usize, seed: u64) -> Vec<u8> {
    static TIME: VirtualTime = VirtualTime::new(1_700_000_000_000_000);
    let clock = Clock::simulated(&TIME);
    let options = Options { shards, seed, short_writes: 0, clock };
    let mut server = Server::empty(Config::default(), options);
    let mut chance = Random::new(seed);
    let client = server.connect(chance.below(shards));
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = if chance.one_in(3) { 2000 } else { 100 };
        let (piece, later) = rest.split_at(chance.between(1, most).min(rest.len()));
        server.give(client, piece);
        for _ in 0..chance.below(12 * shards) {
            server.step(chance.below(shards));
        }
        rest = later;
    }
    settle(&mut server);
    server.take(client)
}

/// Lets all core threads get on until they sleep, and looks whether they keep anything.
fn settle(server: &mut Server) {
    let shards = server.shards();
    let awake = |server: &Server| (0..shards).find(|shard| !server.is_asleep(*shard));
    for _ in 0..TICKS_MAX {
        let Some(shard) = awake(server) else { break };
        server.tick(shard);
    }
    assert_eq!(awake(server), None, "it does not come to rest");
    for core in server.cores.iter().map(|it| &it.core) {
        assert_eq!(core.mail.under_way, 0, "messages");
        assert!(core.held.is_empty() && core.shard.held_logs.is_empty(), "transactions");
        assert!(core.shard.holds.is_idle() && core.shard.waiting.is_empty(), "who waits");
    }
}

/// The first commands of a script that are answered differently.
fn shortest(script: &script::Script, shards: usize, seed: u64) -> String {
    let differing = |count: &usize| {
        let bytes = script.bytes(*count);
        replies(&bytes, 1, seed) != replies(&bytes, shards, seed)
    };
    // All of them do; a beginning gets other pieces of input, and may not.
    let count = (1..script.lines.len()).find(differing).unwrap_or(script.lines.len());
    let mut text = script.lines[..count].join("\n");
    for shards in [1, shards] {
        let replies = replies(&script.bytes(count), shards, seed);
        let shown = replies.escape_ascii();
        write!(text, "\n\n{shards} shards answer {shown}").expect("a string takes text");
    }
    text
}

/// Says with which seed a panic came about, wherever it did.
struct NamedByPanics(u64);

impl Drop for NamedByPanics {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with seed {}", self.0);
        }
    }
}
