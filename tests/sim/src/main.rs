//! The simulator. See docs/testing.md; `scripts/sim --help` says how it is run.
#![forbid(unsafe_code)]

mod arguments;
mod census;
mod hash;
mod history;
mod judge;
mod line;
mod mix;
mod model;
mod operation;
mod plan;
mod report;
mod shrink;
mod trial;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    match arguments::Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => report::run(&arguments),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}
