//! Whole ticks: from bytes that came to bytes that may leave, on one shard and on two.
//!
//! It is the real core thread, in the simulator's hands (`server::simulation`), so no kernel and no
//! ring is in it; what the simulator puts in their place is counted, but for the clients' own
//! doing, and so are its questions for canaries: some instructions a command. The log is off;
//! `segment` counts that.

use std::time::Duration;

use config::Config;
use net::{Clock, VirtualTime};
use server::simulation::{Client, Options, Server};
use testing::MemoryStorage;

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::{VALUE_BYTES, command, keys};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "tick/idle", what: "a tick that finds nothing", run: idle },
    Scenario { name: "tick/set", what: "a SET, the only one of its tick", run: set },
    Scenario { name: "tick/get", what: "a GET, the only one of its tick", run: get },
    Scenario { name: "tick/get-30", what: "a GET of a pipeline of 30", run: pipeline },
    Scenario { name: "tick/get-50", what: "a GET, 50 connections with one each", run: crowd },
    Scenario {
        name: "tick/two-30",
        what: "the pipeline of 30, on two shards",
        run: pipeline_of_two,
    },
    Scenario { name: "tick/two-50", what: "the 50 connections, on two shards", run: crowd_of_two },
    Scenario { name: "tick/two-mset", what: "MSET of 10 keys on two shards", run: mset },
    Scenario {
        name: "tick/two-multi",
        what: "MULTI, 2 SET, 2 GET, EXEC on two shards",
        run: multi,
    },
    Scenario {
        name: "tick/two-rename",
        what: "RENAME between two shards, 50 connections with one each",
        run: rename,
    },
];

/// The reply to GET: `$64`, the value, line ends.
const GET_REPLY_BYTES: usize = 3 + 2 + VALUE_BYTES + 2;

const OK_BYTES: usize = "+OK\r\n".len();
const QUEUED_BYTES: usize = "+QUEUED\r\n".len();

const VALUE: [u8; VALUE_BYTES] = [b'v'; VALUE_BYTES];

/// What the time is: in microseconds since 1970, where it begins.
static TIME: VirtualTime = VirtualTime::new(1_767_225_600_000_000);

fn idle() {
    let mut bench = Bench::new(1, 1);
    for _ in 0..OPERATIONS {
        bench.turn(&[0]);
    }
}

fn set() {
    let command = |key: &[u8]| command(&[b"SET", key, &VALUE]);
    Bench::new(1, 1).run(&[0], 1, command, OK_BYTES);
}

fn get() {
    Bench::new(1, 1).run(&[0], 1, read_of, GET_REPLY_BYTES);
}

fn pipeline() {
    Bench::new(1, 1).run(&[0], 30, read_of, GET_REPLY_BYTES);
}

fn crowd() {
    Bench::new(1, 50).run(&[0], 1, read_of, GET_REPLY_BYTES);
}

/// The home gathers what is the other's, the other runs it, the home answers.
const THERE_AND_BACK: &[usize] = &[0, 1, 0];

/// The same when both are homes.
const BOTH_WAYS: &[usize] = &[0, 1, 0, 1];

fn pipeline_of_two() {
    Bench::new(2, 1).run(THERE_AND_BACK, 30, read_of, GET_REPLY_BYTES);
}

fn crowd_of_two() {
    Bench::new(2, 50).run(BOTH_WAYS, 1, read_of, GET_REPLY_BYTES);
}

fn mset() {
    let keys = keys("key");
    let mut next = keys.chunks(10).cycle();
    let command = |_: &[u8]| {
        let mut words: Vec<&[u8]> = vec![b"MSET"];
        let ten = next.next().expect("a cycle has no end");
        words.extend(ten.iter().flat_map(|key| [key.as_slice(), VALUE.as_slice()]));
        command(&words)
    };
    Bench::new(2, 1).run(THERE_AND_BACK, 1, command, OK_BYTES);
}

fn multi() {
    let keys = keys("key");
    let mut next = keys.chunks(4).cycle();
    let transaction = |_: &[u8]| {
        let four = next.next().expect("a cycle has no end");
        let words: [&[&[u8]]; 6] = [
            &[b"MULTI"],
            &[b"SET", &four[0], &VALUE],
            &[b"GET", &four[1]],
            &[b"SET", &four[2], &VALUE],
            &[b"GET", &four[3]],
            &[b"EXEC"],
        ];
        words.iter().flat_map(|words| command(words)).collect()
    };
    let replies = OK_BYTES + 4 * QUEUED_BYTES + "*4\r\n".len() + 2 * OK_BYTES + 2 * GET_REPLY_BYTES;
    Bench::new(2, 1).run(THERE_AND_BACK, 1, transaction, replies);
}

/// Two hops, when both are homes.
const TWICE_BOTH_WAYS: &[usize] = &[0, 1, 0, 1, 0, 1];

fn rename() {
    const CLIENTS: usize = 50;
    let keys = keys("key");
    let mut count = 0;
    let command = |_: &[u8]| {
        let (round, client) = (count / CLIENTS, count % CLIENTS);
        count += 1;
        let here = &keys[round / 2 * CLIENTS + client];
        let there = elsewhere(here);
        match round % 2 {
            0 => command(&[b"RENAME", here, &there]),
            _ => command(&[b"RENAME", &there, here]),
        }
    };
    Bench::new(2, CLIENTS).run(TWICE_BOTH_WAYS, 1, command, OK_BYTES);
}

/// A name for the key on the other of two shards.
fn elsewhere(key: &[u8]) -> Vec<u8> {
    let shard = |name: &[u8]| spec::shard_of_slot(spec::slot_of(name), 2);
    let mut name = key.to_vec();
    while shard(&name) == shard(key) {
        name.push(b'+');
    }
    name
}

fn read_of(key: &[u8]) -> Vec<u8> {
    command(&[b"GET", key])
}

/// A server that has all keys, and clients that are spread over its core threads.
struct Bench {
    server: Server,
    clients: Vec<Client>,
}

impl Bench {
    fn new(shards: usize, clients: usize) -> Self {
        let mut config = Config::default();
        config.log.enabled = false;
        let clock = Clock::simulated(&TIME);
        let options = Options { shards, seed: 1, short_writes: 0, clock };
        let server = Server::boot(config, options, &MemoryStorage::new(1));
        let mut server = server.expect("a server without a log starts");
        let clients = (0..clients).map(|at| server.connect(at % shards)).collect();
        let mut bench = Self { server, clients };
        let writer = bench.clients[0];
        for key in keys("key") {
            bench.server.give(writer, &command(&[b"SET", &key, &VALUE]));
            for shard in [0, shards - 1, 0] {
                bench.server.tick(shard);
            }
        }
        assert_eq!(bench.server.take(writer).len(), OPERATIONS * OK_BYTES);
        bench
    }

    /// Every client sends `pipeline` commands, for one key after the other, and core threads take
    /// their ticks in the order of `ticks`: until there were [`OPERATIONS`] commands. Each is
    /// answered by so many bytes.
    fn run(
        &mut self,
        ticks: &[usize],
        pipeline: usize,
        mut command: impl FnMut(&[u8]) -> Vec<u8>,
        reply_bytes: usize,
    ) {
        let commands: Vec<_> = keys("key").iter().map(|key| command(key)).collect();
        for round in commands.chunks(pipeline * self.clients.len()) {
            for (client, commands) in self.clients.iter().zip(round.chunks(pipeline)) {
                self.server.give(*client, &commands.concat());
            }
            self.turn(ticks);
            let answers = self.clients.iter().map(|client| self.server.take(*client).len());
            assert_eq!(answers.sum::<usize>(), round.len() * reply_bytes);
        }
    }

    fn turn(&mut self, ticks: &[usize]) {
        TIME.pass(Duration::from_micros(100));
        counted(&mut || ticks.iter().for_each(|shard| self.server.tick(*shard)));
    }
}
