//! Plain requests: GET and SET of random keys, unpipelined and in pipelines, over one and two
//! shards, with and without the log.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::{Load, Turn, median_turn, memtier_turn};
use crate::report::Report;
use crate::server::{Kind, Server, Setting};
use std::process::Command;

/// Keys of the unpipelined loads: fits the caches, so that the sockets are what is measured.
const KEYS_FEW: u64 = 100_000;
/// Keys of the pipelined loads: does not fit the caches, so that the table is what is measured.
const KEYS_MANY: u64 = 1_000_000;
const VALUE_BYTES: usize = 64;

/// GET and SET without pipeline at 50, 200 and 1,000 connections: 0.90, 0.88, 0.88 of Redis 8's CPU
/// per request.
pub(crate) fn single(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let servers = everyone(arguments, KEYS_FEW)?;
    let requests = arguments.amount(300_000);
    for (connections, limit) in [(50, 0.90), (200, 0.88), (1_000, 0.88)] {
        let loads = [
            ("get", Load::get(connections, 1, requests, KEYS_FEW)),
            ("set", Load::set(connections, 1, requests, KEYS_FEW, VALUE_BYTES)),
        ];
        for (verb, load) in loads {
            let scenario = format!("{verb} c{connections}");
            let turns = rounds(arguments, report, &scenario, &servers, &load)?;
            let ratio = ratio_to_redis_8(&servers, &turns, |turn| turn.cpu_us);
            report.at_most(format!("9: {scenario}, CPU per request / redis-8"), ratio, limit);
        }
    }
    Ok(())
}

/// 50 connections, pipeline 30, a million random keys: 0.40 of Redis 8's CPU per request, twice its
/// throughput.
pub(crate) fn pipeline(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let servers = everyone(arguments, KEYS_MANY)?;
    let requests = arguments.amount(3_000_000);
    let loads = [
        ("get", Load::get(50, 30, requests, KEYS_MANY)),
        ("set", Load::set(50, 30, requests, KEYS_MANY, VALUE_BYTES)),
    ];
    for (verb, load) in loads {
        let scenario = format!("{verb} c50 P30");
        let turns = rounds(arguments, report, &scenario, &servers, &load)?;
        let cpu = ratio_to_redis_8(&servers, &turns, |turn| turn.cpu_us);
        let speed = ratio_to_redis_8(&servers, &turns, |turn| turn.requests_per_second);
        report.at_most(format!("9: {scenario}, CPU per request / redis-8"), cpu, 0.40);
        report.at_least(format!("3: {scenario}, throughput / redis-8"), speed, 2.0);
    }
    Ok(())
}

/// Two shards on two CPUs against one shard on one: what a remote command costs.
pub(crate) fn shards(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let one = Setting::plain(Kind::Bobbin, &arguments.server_cpus);
    let two = Setting { shards: 2, cpus: arguments.both_cpus.clone(), ..one.clone() };
    let servers = Server::start_all(&[one, two])?;
    fill(&servers, KEYS_MANY)?;
    for (depth, requests, limit) in [(1, 300_000, 1.25), (30, 3_000_000, 1.4)] {
        let requests = arguments.amount(requests);
        let loads = [
            ("get", Load::get(50, depth, requests, KEYS_MANY)),
            ("set", Load::set(50, depth, requests, KEYS_MANY, VALUE_BYTES)),
        ];
        for (verb, load) in loads {
            let scenario = format!("{verb} c50 P{depth} random keys");
            let turns = rounds(arguments, report, &scenario, &servers, &load)?;
            let ratio = turns[1].cpu_us / turns[0].cpu_us;
            report.at_most(format!("3: {scenario}, CPU per request, 2 shards / 1"), ratio, limit);
        }
    }
    Ok(())
}

/// The log on (everysec) against off, for writes.
pub(crate) fn log(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let off = Setting::plain(Kind::Bobbin, &arguments.server_cpus);
    let on = Setting { log: true, ..off.clone() };
    let redis_off = Setting::plain(Kind::Redis8, &arguments.server_cpus);
    let redis_on = Setting { log: true, ..redis_off.clone() };
    let servers = Server::start_all(&[off, on, redis_off, redis_on])?;
    fill(&servers, KEYS_FEW)?;
    for (depth, requests) in [(1, 300_000), (30, 3_000_000)] {
        let load = Load::set(50, depth, arguments.amount(requests), KEYS_FEW, VALUE_BYTES);
        let scenario = format!("set c50 P{depth} log");
        let turns = rounds(arguments, report, &scenario, &servers, &load)?;
        let ratio = turns[1].cpu_us / turns[0].cpu_us;
        report.at_most(format!("3: {scenario}, CPU per request, on / off"), ratio, 1.10);
        report.row(&scenario, "redis-8 on / off", "cpu_ratio", turns[3].cpu_us / turns[2].cpu_us);
    }
    Ok(())
}

/// The same with memtier_benchmark, where it is installed; no bar of its own.
pub(crate) fn memtier(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    if Command::new("memtier_benchmark").arg("--version").output().is_err() {
        println!("   memtier_benchmark is not installed");
        return Ok(());
    }
    let servers = everyone(arguments, KEYS_FEW)?;
    let requests = arguments.amount(300_000);
    let mut turns = vec![Vec::new(); servers.len()];
    for _ in 0..arguments.rounds {
        for (server, turns) in servers.iter().zip(&mut turns) {
            turns.push(memtier_turn(server, &arguments.load_cpus, requests, KEYS_FEW)?);
        }
    }
    for (server, turns) in servers.iter().zip(&turns) {
        report.turn("memtier 1:10 c50", &server.label(), &median_turn(turns));
    }
    Ok(())
}

/// All four with one shard and no log, filled with `keys` keys.
fn everyone(arguments: &Arguments, keys: u64) -> Result<Vec<Server>, Failure> {
    let settings = Kind::ALL.map(|kind| Setting::plain(kind, &arguments.server_cpus));
    let servers = Server::start_all(&settings)?;
    fill(&servers, keys)?;
    Ok(servers)
}

fn fill(servers: &[Server], keys: u64) -> Result<(), Failure> {
    servers.iter().try_for_each(|server| server.wire()?.fill(0..keys, VALUE_BYTES))
}

/// Gives every server its turns, round by round, and reports the medians in the servers' order. One
/// turn each comes first and is thrown away: it warms caches, allocators and branch predictors.
pub(crate) fn rounds(
    arguments: &Arguments,
    report: &mut Report,
    scenario: &str,
    servers: &[Server],
    load: &Load,
) -> Result<Vec<Turn>, Failure> {
    let mut turns = vec![Vec::new(); servers.len()];
    for round in 0..=arguments.rounds {
        for (server, turns) in servers.iter().zip(&mut turns) {
            let turn = load.turn(server, &arguments.load_cpus)?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let medians: Vec<Turn> = turns.iter().map(|turns| median_turn(turns)).collect();
    for (server, turn) in servers.iter().zip(&medians) {
        report.turn(scenario, &server.label(), turn);
    }
    Ok(medians)
}

/// Bobbin's column over Redis 8's; NaN, which meets no bar, when one of them did not run.
pub(crate) fn ratio_to_redis_8(
    servers: &[Server],
    turns: &[Turn],
    column: fn(&Turn) -> f64,
) -> f64 {
    let of = |kind: Kind| {
        servers
            .iter()
            .position(|server| server.kind() == kind)
            .map_or(f64::NAN, |at| column(&turns[at]))
    };
    of(Kind::Bobbin) / of(Kind::Redis8)
}
