//! `versus`: Bobbin and the servers it is measured against, interleaved, on the same machine.
//!
//! A scenario starts its contenders side by side, each pinned to the same CPUs, fills them alike,
//! and then gives each a turn of the same load, round after round; the medians of the rounds are
//! what counts. A server that waits for its turn costs nothing, and whatever else the machine does
//! meanwhile hits all contenders alike.
//!
//! What is measured is what the *server* spends: nanoseconds its threads ran, from /proc, over the
//! exact number of requests of the turn. Throughput and latency are the load generator's view
//! (redis-benchmark of the oracle, one more of memtier_benchmark where that is installed, and
//! `transactions` for what neither can send). All of these ask again when they were answered;
//! `open` asks at moments of its own, and is what tells how long people wait.
//!
//! Every scenario says which bars it has (issue numbers in `bars`), and the report ends with one
//! line a bar: met or not. `--record` keeps the report under `benches/record/<machine>/<date>`,
//! with the machine's description.
//!
//! ```text
//! versus [--quick] [--record] [--rounds N] [--only NAME,...] [--list]
//!        [--server-cpus 0] [--load-cpus 1] [--both-cpus 0,1]
//! ```
//!
//! Environment: `BOBBIN` (the binary under test), `BOBBIN_ORACLE` (the folder of scripts/oracle).
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report is what this program is for")]

mod arguments;
mod failure;
mod idle;
mod load;
mod machine;
mod memory;
mod open;
mod recovery;
mod report;
mod requests;
mod server;
mod stall;
mod transactions;
mod wire;

use arguments::Arguments;
use failure::Failure;
use report::Report;
use std::process::ExitCode;

/// One scenario: its name on the command line and what runs it.
type Scenario = (&'static str, fn(&Arguments, &mut Report) -> Result<(), Failure>);

const SCENARIOS: &[Scenario] = &[
    ("single", requests::single),
    ("pipeline", requests::pipeline),
    ("shards", requests::shards),
    ("log", requests::log),
    ("open", open::one_shard),
    ("open-shards", open::two_shards),
    ("memtier", requests::memtier),
    ("memory", memory::run),
    ("stall", stall::run),
    ("idle", idle::connections),
    ("start", idle::start),
    ("recovery", recovery::run),
    ("transactions", transactions::run),
    ("rename", transactions::rename),
];

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => {
            eprintln!("versus: {failure}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        for (name, _) in SCENARIOS {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    let mut report = Report::new(&arguments);
    for (name, run) in SCENARIOS {
        if arguments.chosen(name) {
            println!("== {name}");
            if let Err(failure) = run(&arguments, &mut report) {
                println!("   {name} could not be measured: {failure}");
                report.broken(name, &failure);
            }
        }
    }
    print!("{}", report.text());
    if arguments.record {
        match report.write() {
            Ok(path) => println!("recorded as {path}"),
            Err(failure) => {
                eprintln!("versus: {failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
