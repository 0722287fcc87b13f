//! Runs what was asked for, and says what came of it.

use std::process::ExitCode;

use server::simulation::{Canary, let_out};

use crate::arguments::{Arguments, Task};
use crate::census::Census;
use crate::plan::{Era, Plan, Scope};
use crate::shrink::shrink;
use crate::trial::{Fault, Trial, attempt};

/// Failing seeds shown in full; of the others only the number.
const SHOWN_MAX: u64 = 3;

/// Runs it; what it prints last are the counts.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut score = Score::default();
    match arguments.task {
        Task::Seeds { from, count } => run_seeds(&arguments.scope, from, count, &mut score),
        Task::Replay { seed, trace } => replay(&arguments.scope, seed, trace, &mut score),
        Task::Canaries { seeds } => run_canaries(&arguments.scope, seeds, &mut score),
    }
    score.end()
}

#[derive(Default)]
struct Score {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Score {
    #[expect(clippy::print_stdout, reason = "the counts are what scripts/test reads")]
    fn end(&self) -> ExitCode {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[expect(clippy::print_stdout, reason = "a tool that talks")]
fn say(text: &str) {
    println!("{text}");
}

fn run_seeds(scope: &Scope, from: u64, count: u64, score: &mut Score) {
    let mut census = Census::default();
    for seed in from..from + count {
        let plan = Plan::of(seed, scope);
        match attempt(&plan, false) {
            Trial::Passed(of_this) => {
                score.passed += 1;
                census += of_this;
            }
            Trial::Unknown => {
                score.skipped += 1;
                say(&format!("seed {seed}: too tangled to judge"));
            }
            Trial::Failed(_) => {
                score.failed += 1;
                if score.failed <= SHOWN_MAX {
                    show(seed, &plan);
                } else {
                    say(&format!("FAILED seed {seed}"));
                }
            }
        }
    }
    say(&format!("{count} simulations: {census}"));
}

fn replay(scope: &Scope, seed: u64, trace: bool, score: &mut Score) {
    let plan = Plan::of(seed, scope);
    if trace {
        let outcome = crate::world::run(&plan, true);
        outcome.trace.iter().for_each(|line| say(line));
    }
    match attempt(&plan, false) {
        Trial::Passed(census) => {
            score.passed += 1;
            say(&format!("seed {seed}: {census}"));
        }
        Trial::Unknown => score.skipped += 1,
        Trial::Failed(_) => {
            score.failed += 1;
            show(seed, &plan);
        }
    }
}

/// Shows a failure, as small as it can be made.
fn show(seed: u64, plan: &Plan) {
    say(&format!("FAILED seed {seed}; again: scripts/sim --seed {seed} --trace"));
    let small = shrink(plan);
    let Trial::Failed(fault) = attempt(&small, true) else { return };
    let Fault { what, outcome } = *fault;
    say(&format!("  {what}"));
    say(&format!("  shrunk from {} operations to {}:", plan.operations(), small.operations()));
    for era in &small.eras {
        let Era { shards, sync, fault, end, .. } = era;
        say(&format!("    {shards} shards, appendfsync {sync:?}, {fault:?}, then {end:?}"));
    }
    outcome.trace.iter().for_each(|line| say(&format!("    {line}")));
}

/// Lets each canary out, and wants it found.
fn run_canaries(scope: &Scope, seeds: u64, score: &mut Score) {
    for canary in Canary::ALL {
        let_out(Some(*canary));
        let found = (1..=seeds).find_map(|seed| match attempt(&Plan::of(seed, scope), false) {
            Trial::Failed(fault) => Some((seed, fault.what)),
            _ => None,
        });
        match found {
            Some((seed, what)) => {
                score.passed += 1;
                let what = what.lines().next().unwrap_or_default();
                say(&format!("ok {canary:?}: found by seed {seed}: {what}"));
            }
            None => {
                score.failed += 1;
                say(&format!("FAILED {canary:?}: not found within {seeds} seeds"));
            }
        }
    }
    let_out(None);
}
