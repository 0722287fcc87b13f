//! Several keys in one step: MULTI/EXEC, MSET, MGET, RENAME over two shards on two CPUs, against
//! Redis 8 on one.
//!
//! redis-benchmark sends one command again and again; a transaction is six. So the load is made
//! here: one thread a connection, each sending a whole transaction at once and waiting for its last
//! reply, as client libraries do.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::{Load, Turn, median_turn};
use crate::report::Report;
use crate::requests::{ratio_to_redis_8, rounds};
use crate::server::{Kind, Server, Setting};
use crate::wire::{Reply, encode};
use std::time::Instant;

const CONNECTIONS: u64 = 50;
const KEYS: u64 = 100_000;
const KEYS_AT_ONCE: usize = 10;

/// MULTI of four SET/GET: <= 1.3 of Redis 8's CPU per transaction on random keys, <= 0.8 on one
/// hash tag; MSET of ten random keys <= 1.0, MGET <= 0.9.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let servers = contenders(arguments)?;
    servers.iter().try_for_each(|server| server.wire()?.fill(0..KEYS, 64))?;
    let requests = arguments.amount(200_000);
    for (verb, limit) in [("MSET", 1.0), ("MGET", 0.9)] {
        let mut load = Load::get(50, 1, requests, KEYS);
        load.command = vec![verb.to_owned()];
        for _ in 0..KEYS_AT_ONCE {
            load.command.push("key:__rand_int__".to_owned());
            if verb == "MSET" {
                load.command.push("v".repeat(64));
            }
        }
        let scenario = format!("{verb} of 10");
        let turns = rounds(arguments, report, &scenario, &servers, &load)?;
        let ratio = ratio_to_redis_8(&servers, &turns, |turn| turn.cpu_us);
        report.at_most(format!("4: {scenario} random keys, CPU / redis-8"), ratio, limit);
    }
    for (scenario, tagged, limit) in
        [("MULTI of 4, random keys", false, 1.3), ("MULTI of 4, one tag", true, 0.8)]
    {
        let turns = own_rounds(arguments, &servers, |_, _, random| multi(random, tagged))?;
        let name = scenario.replace(',', "");
        for (server, turn) in servers.iter().zip(&turns) {
            report.turn(&name, &server.label(), turn);
        }
        let ratio = ratio_to_redis_8(&servers, &turns, |turn| turn.cpu_us);
        report.at_most(format!("4: {scenario}, CPU / redis-8"), ratio, limit);
    }
    Ok(())
}

/// RENAME between keys of different shards at 50 connections: p99 <= 1 ms. Alone, to and fro, and
/// as the middle of three commands that are sent at once.
pub(crate) fn rename(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let servers = contenders(arguments)?;
    for (scenario, build) in [
        ("RENAME", to_and_fro as fn(u64, u64, &mut Random) -> Request),
        ("SET RENAME DEL", in_the_middle),
    ] {
        let turns = own_rounds(arguments, &servers, build)?;
        for (server, turn) in servers.iter().zip(&turns) {
            report.turn(scenario, &server.label(), turn);
            if server.kind() == Kind::Bobbin {
                report.at_most(format!("4: {scenario} across shards, p99 ms"), turn.p99_ms, 1.0);
            }
        }
    }
    Ok(())
}

// Slots 0-8191 and 8192-16383 are the two shards: `b` is in slot 3300, `a` in 15495.

/// A connection's own key changes its shard with every request.
fn to_and_fro(connection: u64, step: u64, _: &mut Random) -> Request {
    let (here, there) = (format!("{{a}}{connection}"), format!("{{b}}{connection}"));
    let bytes = match step {
        0 => encode(&["SET", &here, "value"]),
        odd if odd % 2 == 1 => encode(&["RENAME", &here, &there]),
        _ => encode(&["RENAME", &there, &here]),
    };
    Request { bytes, replies: 1 }
}

/// A new key, renamed and deleted.
fn in_the_middle(_: u64, _: u64, random: &mut Random) -> Request {
    let name = random.next();
    let (from, to) = (format!("{{a}}{name}"), format!("{{b}}{name}"));
    let mut bytes = encode(&["SET", &from, "value"]);
    bytes.extend(encode(&["RENAME", &from, &to]));
    bytes.extend(encode(&["DEL", &to]));
    Request { bytes, replies: 3 }
}

fn contenders(arguments: &Arguments) -> Result<Vec<Server>, Failure> {
    let bobbin = Setting { shards: 2, ..Setting::plain(Kind::Bobbin, &arguments.both_cpus) };
    Server::start_all(&[bobbin, Setting::plain(Kind::Redis8, &arguments.server_cpus)])
}

/// What one connection sends at once, and how many replies come back.
struct Request {
    bytes: Vec<u8>,
    replies: usize,
}

fn multi(random: &mut Random, tagged: bool) -> Request {
    let mut bytes = encode(&["MULTI"]);
    let tag = random.below(KEYS);
    for step in 0..4 {
        let key = if tagged {
            format!("{{{tag}}}{step}")
        } else {
            format!("key:{:012}", random.below(KEYS))
        };
        bytes.extend(if step % 2 == 0 {
            encode(&["SET", &key, "value"])
        } else {
            encode(&["GET", &key])
        });
    }
    bytes.extend(encode(&["EXEC"]));
    Request { bytes, replies: 6 }
}

/// The medians of interleaved turns of this module's own load.
fn own_rounds(
    arguments: &Arguments,
    servers: &[Server],
    build: impl Fn(u64, u64, &mut Random) -> Request + Sync,
) -> Result<Vec<Turn>, Failure> {
    let each = arguments.amount(100_000) / CONNECTIONS;
    let mut turns = vec![Vec::new(); servers.len()];
    for round in 0..=arguments.rounds {
        for (server, turns) in servers.iter().zip(&mut turns) {
            let turn = own_turn(server, each, round as u64, &build)?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    Ok(turns.iter().map(|turns| median_turn(turns)).collect())
}

fn own_turn(
    server: &Server,
    each: u64,
    round: u64,
    build: &(impl Fn(u64, u64, &mut Random) -> Request + Sync),
) -> Result<Turn, Failure> {
    let before = server.cpu()?;
    let begin = Instant::now();
    let mut latencies_ms = std::thread::scope(|scope| {
        let start = |connection| {
            let mut random = Random::new(round * CONNECTIONS + connection);
            scope.spawn(move || {
                one_connection(server, each, |step| build(connection, step, &mut random))
            })
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(start).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| Failure::new("load", "panicked"))??);
        }
        Ok::<_, Failure>(all)
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let count = (each * CONNECTIONS) as f64;
    latencies_ms.sort_by(f64::total_cmp);
    let at = |share: f64| latencies_ms[((latencies_ms.len() - 1) as f64 * share) as usize];
    Ok(Turn {
        cpu_us: (server.cpu()?.ran_ns - before.ran_ns) as f64 / 1e3 / count,
        requests_per_second: count / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
    })
}

fn one_connection(
    server: &Server,
    count: u64,
    mut build: impl FnMut(u64) -> Request,
) -> Result<Vec<f64>, Failure> {
    let mut wire = server.wire()?;
    let mut latencies_ms = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for step in 0..count {
        let request = build(step);
        let begin = Instant::now();
        wire.send(&request.bytes)?;
        for _ in 0..request.replies {
            if let Reply::Error(text) = wire.reply()? {
                return Err(Failure::new(server.label(), text));
            }
        }
        latencies_ms.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies_ms)
}

/// SplitMix64: seeded, so that every contender gets the same keys.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`; the bias of the modulus is far below what a benchmark can see.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
