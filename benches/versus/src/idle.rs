//! What a server costs that does nothing: CPU with a thousand open connections, resident memory
//! right after the start.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::report::Report;
use crate::server::{Kind, Server, Setting};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 1_000;

/// Two shards where there are shards: idle cost is per core.
fn settings(arguments: &Arguments) -> [Setting; 4] {
    Kind::ALL.map(|kind| Setting { shards: 2, ..Setting::plain(kind, &arguments.both_cpus) })
}

/// A thousand connections open and silent: <= 0.2 % of a CPU.
pub(crate) fn connections(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let scenario = "idle, 1,000 connections".replace(',', "");
    for setting in settings(arguments) {
        let server = Server::start(&setting)?;
        let mut wires = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut wire = server.wire()?;
            wire.command(&["PING"])?;
            wires.push(wire);
        }
        // whatever accepting them left to do is not idleness yet
        std::thread::sleep(Duration::from_secs(1));
        let (before, begin) = (server.cpu()?, Instant::now());
        std::thread::sleep(Duration::from_secs(if arguments.quick { 3 } else { 20 }));
        let ran_ns = server.cpu()?.ran_ns - before.ran_ns;
        let percent = 100.0 * ran_ns as f64 / begin.elapsed().as_nanos() as f64;
        report.row(&scenario, server.kind().name(), "cpu_percent", percent);
        if server.kind() == Kind::Bobbin {
            report.at_most(format!("3: {scenario}, % of a CPU"), percent, 0.2);
        }
    }
    Ok(())
}

/// Resident right after the start: <= 24 MB with two shards.
pub(crate) fn start(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    for setting in settings(arguments) {
        let begin = Instant::now();
        let server = Server::start(&setting)?;
        let ready_ms = begin.elapsed().as_secs_f64() * 1e3;
        std::thread::sleep(Duration::from_millis(500));
        let resident = server.resident_bytes()? as f64 / f64::from(1 << 20);
        report.row("start", server.kind().name(), "ready_ms", ready_ms);
        report.row("start", server.kind().name(), "resident_mib", resident);
        if server.kind() == Kind::Bobbin {
            report.at_most("3: resident at start, 2 shards, MiB", resident, 24.0);
        }
    }
    Ok(())
}
