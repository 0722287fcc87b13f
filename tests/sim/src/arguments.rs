//! What the command line asks for.

use crate::mix::Mix;
use crate::plan::Scope;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) scope: Scope,
}

/// One of three things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// So many seeds from one on.
    Seeds { from: u64, count: u64 },
    /// One seed, with all that happens if `trace`.
    Replay { seed: u64, trace: bool },
    /// Every canary must be found within so many seeds.
    Canaries { seeds: u64 },
}

const USAGE: &str = "\
usage: sim [--seeds N] [--from S]     N simulations (50000), from seed S (1) on
       sim --seed N [--trace]         one of them again; what fails is shrunk and shown
       sim --canaries [--seeds N]     every deliberate mistake must be found within N seeds (2000)
  --shards N      no more than N core threads (16)
  --usual         without RENAME, COPY, MSETNX, MULTI, EXEC, WATCH, SELECT, MOVE, SWAPDB, expiries";

/// Simulations unless `--seeds` says otherwise: what CI runs.
const SEEDS: u64 = 50_000;

/// Seeds within which a canary must be found.
const CANARY_SEEDS: u64 = 2_000;

impl Arguments {
    /// Reads the words behind the program's name.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words;
        let (mut seeds, mut from, mut seed) = (None, 1, None);
        let (mut trace, mut canaries) = (false, false);
        let mut scope = Scope { shards_max: 16, mix: Mix::ALL };
        while let Some(word) = words.next() {
            let mut number = || {
                let text = words.next().unwrap_or_default();
                text.parse::<u64>().map_err(|_| format!("{word}: no number\n{USAGE}"))
            };
            match word.as_str() {
                "--seeds" => seeds = Some(number()?),
                "--from" => from = number()?,
                "--seed" => seed = Some(number()?),
                "--shards" => scope.shards_max = number()?.clamp(1, 16) as usize,
                "--trace" => trace = true,
                "--canaries" => canaries = true,
                "--usual" => scope.mix = Mix::default(),
                _ => return Err(USAGE.to_owned()),
            }
        }
        let task = match seed {
            Some(seed) => Task::Replay { seed, trace },
            None if canaries => Task::Canaries { seeds: seeds.unwrap_or(CANARY_SEEDS) },
            None => Task::Seeds { from, count: seeds.unwrap_or(SEEDS) },
        };
        Ok(Self { task, scope })
    }
}
