//! Instructions per operation of the parts that every command passes.
//!
//! `scripts/micro` runs this program once per scenario under callgrind, which counts the
//! instructions executed inside [`counted::counted`] and nothing else: neither the start of the
//! process nor what a scenario prepares. The sum divided by [`counted::OPERATIONS`] is the cost of
//! one operation. Unlike a time, it is the same number on a busy machine, so a change of a few
//! percent is a change of the code.
//!
//! ```text
//!   micro --list          one line a scenario: name, operations, what it does
//!   micro NAME            runs it once; on its own this shows nothing
//! ```
//!
//! What it cannot see: cache misses, the kernel, waiting. `benches/versus` measures those.
//!
//! One file a structure; each lists its scenarios in a slice, and [`scenarios`] joins the slices.
#![forbid(unsafe_code)]

mod counted;
mod inbox;
mod keys;
mod parse;
mod reply;
mod segment;
mod string;
mod table;
mod tick;

use std::io::{self, Write as _};
use std::process::ExitCode;

use counted::{OPERATIONS, Scenario};

/// All scenarios, in the order of a command's way through the server.
fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    [
        parse::SCENARIOS,
        table::SCENARIOS,
        string::SCENARIOS,
        reply::SCENARIOS,
        segment::SCENARIOS,
        inbox::SCENARIOS,
        tick::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for scenario in scenarios() {
        writeln!(out, "{} {OPERATIONS} {}", scenario.name, scenario.what)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [argument] = arguments.as_slice() else { return refuse("one argument: NAME or --list") };
    if argument == "--list" {
        return list().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    match scenarios().find(|scenario| scenario.name == argument) {
        Some(scenario) => {
            (scenario.run)();
            ExitCode::SUCCESS
        }
        None => refuse("no such scenario; --list names them"),
    }
}

fn refuse(why: &str) -> ExitCode {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(io::stderr(), "micro: {why}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::scenarios;

    #[test]
    fn names_are_words_and_differ() {
        let mut names: Vec<&str> = scenarios().map(|scenario| scenario.name).collect();
        assert!(names.iter().all(|name| !name.contains(char::is_whitespace)));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_scenario_does_what_it_asserts() {
        for scenario in scenarios() {
            (scenario.run)();
        }
    }
}
