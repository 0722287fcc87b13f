//! Gives a shard its commands back: the reading half of recovery.
//!
//! Each shard replays alone, whatever the number of shards was when the log was written, so core
//! threads recover in parallel without a word between them:
//!
//! - a generation with the present number of shards: shard `i` reads chain `i`, all of it is its
//!   own ([`Scope::Own`]);
//! - a generation with another number: every shard reads *all* chains and keeps what its slots
//!   own ([`Scope::Shared`]). Reading is cheap against running, and a key's records are all in one
//!   chain, so the order between chains does not matter...
//! - ...but for the records that concern all keys. FLUSHALL in chain 0 stands for one moment of
//!   the whole server, and so does its twin in chain 1. The chains are aligned at these: all are
//!   read up to their first such record, which is then given once ([`Scope::Whole`]), and so on.
//!
//! What Redis logged of a command whose keys depend on each other may have keys of several shards
//! now: see [`crate::SlotTies`], and [`Replay::all`].
//!
//! Generations follow one another; within a step of [`Replay::step`] the caller can yield.

use std::collections::VecDeque;

use resp::Arguments;

use crate::error::RecoveryError;
use crate::plan::{PlannedGeneration, RecoveryPlan};
use crate::reader::{Entry, SegmentReader};
use crate::record::Fault;
use crate::scan::Special;
use crate::storage::Storage;

/// Whose keys a record may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it is this shard's.
    Own,
    /// Any shard's: run it only if its keys are this shard's.
    Shared,
    /// All keys of the server: run it on this shard's share (FLUSHALL, FLUSHDB, SWAPDB).
    Whole,
}

/// A command of the log.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The database it ran in.
    pub db: u32,
    /// The command and its arguments; `arguments.bytes()` is the record as it stands in the file.
    pub arguments: Arguments<'a>,
    /// Whose keys it may touch.
    pub scope: Scope,
}

/// Whether a replay has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call again.
    More,
    /// Everything was given.
    Done,
}

/// One shard's replay of the log.
pub struct Replay<S: Storage> {
    steps: VecDeque<Step>,
    /// The open file of each chain of the present generation.
    open: Vec<Option<OpenChain<S>>>,
    bytes_done: u64,
    bytes_total: u64,
    records: u64,
}

struct OpenChain<S: Storage> {
    reader: SegmentReader<S>,
    db: u32,
}

/// A stretch of one file.
#[derive(Debug, Clone)]
struct Step {
    chain: usize,
    path: String,
    end: u64,
    /// Whether the file ends there for this replay.
    last: bool,
    take: Take,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    Give(Scope),
    /// A twin of a record that was given from another chain.
    Skip,
}

impl<S: Storage> Replay<S> {
    /// The replay of `plan` for shard `shard` of `shards`. Run it after
    /// [`crate::LogDirectory::resume`].
    pub fn new(plan: &RecoveryPlan, shard: u16, shards: u16) -> Self {
        Self::of(plan, |generation| (generation.shards == shards).then_some(usize::from(shard)))
    }

    /// The replay of all records of all shards: [`Scope::Shared`], and [`Scope::Whole`] for what
    /// concerns all keys. Only of a plan for another number of shards than some generation has:
    /// that the chains can be aligned was checked then.
    pub fn all(plan: &RecoveryPlan) -> Self {
        Self::of(plan, |_| None)
    }

    /// The replay of one chain of each generation, as `chain` says, or of all of them.
    fn of(plan: &RecoveryPlan, chain: impl Fn(&PlannedGeneration) -> Option<usize>) -> Self {
        let mut steps = VecDeque::new();
        let mut bytes_total = 0;
        let mut chains = 0;
        for generation in &plan.generations {
            chains = chains.max(generation.chains.len());
            let own = chain(generation);
            match own {
                Some(chain) => add_own(&mut steps, generation, chain),
                None => add_shared(&mut steps, generation),
            }
            let read = generation.chains.iter().enumerate();
            let read = read.filter(|(chain, _)| own.is_none_or(|own| own == *chain));
            bytes_total += read.flat_map(|(_, files)| files).map(|file| file.end).sum::<u64>();
        }
        let open = (0..chains).map(|_| None).collect();
        Self { steps, open, bytes_done: 0, bytes_total, records: 0 }
    }

    /// Gives the records of about the next `bytes_max` bytes to `apply`, in order. What `apply`
    /// refuses ends the replay with [`RecoveryError::Rejected`].
    pub fn step(
        &mut self,
        storage: &S,
        bytes_max: u64,
        apply: impl FnMut(Record<'_>) -> Result<(), String>,
    ) -> Result<Progress, RecoveryError> {
        self.step_into(storage, bytes_max, &mut ApplyOnly(apply))
    }

    /// The same, with a look at records before they are applied.
    pub fn step_into(
        &mut self,
        storage: &S,
        bytes_max: u64,
        apply: &mut impl Apply,
    ) -> Result<Progress, RecoveryError> {
        let stop = self.bytes_done.saturating_add(bytes_max);
        while let Some(step) = self.steps.front() {
            let slot = &mut self.open[step.chain];
            let chain = match slot {
                Some(chain) if chain.reader.path() == step.path => chain,
                _ => {
                    let reader = SegmentReader::open(storage, &step.path)?;
                    slot.insert(OpenChain { reader, db: 0 })
                }
            };
            chain.reader.set_limit(step.end);
            let before = chain.reader.offset();
            let left = stop.saturating_sub(self.bytes_done);
            let mut counted = Counted { apply: &mut *apply, records: 0 };
            let done = chain.run(storage, step.take, left, &mut counted);
            self.records += counted.records;
            let done = done?;
            self.bytes_done += chain.reader.offset() - before;
            if !done {
                return Ok(Progress::More);
            }
            if step.last {
                *slot = None;
            }
            self.steps.pop_front();
        }
        Ok(Progress::Done)
    }

    /// Bytes read so far.
    pub fn bytes_done(&self) -> u64 {
        self.bytes_done
    }

    /// Bytes that will have been read at the end.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// Records given so far.
    pub fn records(&self) -> u64 {
        self.records
    }
}

impl<S: Storage> OpenChain<S> {
    /// Reads on for about `bytes_max` bytes; whether the limit was reached.
    fn run(
        &mut self,
        storage: &S,
        take: Take,
        bytes_max: u64,
        apply: &mut impl Apply,
    ) -> Result<bool, RecoveryError> {
        let stop = self.reader.offset().saturating_add(bytes_max);
        loop {
            let start = self.reader.offset();
            if start >= stop && start < self.reader.limit() {
                return Ok(false);
            }
            let ahead = self.reader.walk_ahead(AHEAD_COMMANDS);
            if ahead > 0 {
                self.run_ahead(ahead, take, apply)?;
                continue;
            }
            let arguments = match self.reader.next(storage)? {
                Entry::Command(arguments) => arguments,
                Entry::Annotation(_) => continue,
                Entry::End => return Ok(true),
                // The plan knows this file up to its end: it has changed since.
                Entry::Torn => return Err(self.reader.damaged(Fault::Unfinished)),
            };
            let outcome = give(&mut self.db, take, arguments, |record| apply.apply(record));
            outcome.map_err(|refused| refused.at(self.reader.path(), start))?;
        }
    }

    /// Runs the `count` commands that were walked ahead: first all are looked at.
    fn run_ahead(
        &mut self,
        count: usize,
        take: Take,
        apply: &mut impl Apply,
    ) -> Result<(), RecoveryError> {
        let mut db = self.db;
        for index in 0..count {
            let (_, arguments) = self.reader.ahead(index);
            let looked = give(&mut db, take, arguments, |record| {
                apply.look(record);
                Ok(())
            });
            if looked.is_err() {
                // Met again below, in its turn.
                break;
            }
        }
        for index in 0..count {
            let (start, arguments) = self.reader.ahead(index);
            let outcome = give(&mut self.db, take, arguments, |record| apply.apply(record));
            outcome.map_err(|refused| refused.at(self.reader.path(), start))?;
        }
        Ok(())
    }
}

/// Commands walked ahead at a time: enough that the memory of the first has come when the last was
/// looked at, few enough that all of it is still in the first-level cache.
const AHEAD_COMMANDS: usize = 32;

/// What receives the records of a replay.
pub trait Apply {
    /// The record will be applied soon: a chance to bring its memory near. Records come in order,
    /// some dozens at a time, and some not at all.
    fn look(&mut self, record: Record<'_>);

    /// Applies the record. `Err`: it cannot stand in a log.
    fn apply(&mut self, record: Record<'_>) -> Result<(), String>;
}

/// Applies without looking.
struct ApplyOnly<F>(F);

impl<F: FnMut(Record<'_>) -> Result<(), String>> Apply for ApplyOnly<F> {
    fn look(&mut self, _: Record<'_>) {}

    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        (self.0)(record)
    }
}

/// Counts what is applied.
struct Counted<'a, A> {
    apply: &'a mut A,
    records: u64,
}

impl<A: Apply> Apply for Counted<'_, A> {
    fn look(&mut self, record: Record<'_>) {
        self.apply.look(record);
    }

    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        self.records += 1;
        self.apply.apply(record)
    }
}

/// Why a command could not be given.
enum Refused {
    Fault(Fault),
    Rejected(String),
}

impl Refused {
    fn at(self, path: &str, offset: u64) -> RecoveryError {
        match self {
            Self::Fault(fault) => RecoveryError::damaged(path, offset, fault),
            Self::Rejected(reason) => {
                RecoveryError::Rejected { name: path.to_owned(), offset, reason }
            }
        }
    }
}

/// Gives a command to `apply`, unless it is the log's own or to be skipped.
fn give(
    db: &mut u32,
    take: Take,
    arguments: Arguments<'_>,
    apply: impl FnOnce(Record<'_>) -> Result<(), String>,
) -> Result<(), Refused> {
    match (Special::of(arguments).map_err(Refused::Fault)?, take) {
        (Some(Special::Select(selected)), _) => *db = selected,
        (Some(Special::Multi | Special::Exec), _) | (_, Take::Skip) => {}
        (_, Take::Give(scope)) => {
            apply(Record { db: *db, arguments, scope }).map_err(Refused::Rejected)?;
        }
    }
    Ok(())
}

fn add_own(steps: &mut VecDeque<Step>, generation: &PlannedGeneration, chain: usize) {
    for file in &generation.chains[chain] {
        let (path, end) = (file.path.clone(), file.end);
        steps.push_back(Step { chain, path, end, last: true, take: Take::Give(Scope::Own) });
    }
}

/// Adds the steps of a generation that all shards read: between two sweeps every chain in turn,
/// then the sweep once.
fn add_shared(steps: &mut VecDeque<Step>, generation: &PlannedGeneration) {
    let sweeps: Vec<Vec<(usize, u64, u64)>> = generation
        .chains
        .iter()
        .map(|files| {
            let of_file = |(at, file): (usize, &crate::plan::PlannedSegment)| {
                let place = move |sweep: &crate::scan::Sweep| (at, sweep.start, sweep.end);
                file.sweeps.iter().map(place).collect::<Vec<_>>()
            };
            files.iter().enumerate().flat_map(of_file).collect()
        })
        .collect();
    // The plan has checked that all chains have the same number of them.
    let count = sweeps.first().map_or(0, Vec::len);
    let mut reached = vec![0; generation.chains.len()];
    for sweep in 0..=count {
        for (chain, files) in generation.chains.iter().enumerate() {
            let until = sweeps[chain].get(sweep).copied();
            let last_file = until.map_or(files.len() - 1, |(at, ..)| at);
            for (at, file) in files.iter().enumerate().take(last_file + 1).skip(reached[chain]) {
                let here = until.filter(|(sweep_at, ..)| *sweep_at == at);
                let end = here.map_or(file.end, |(_, start, _)| start);
                let take = Take::Give(Scope::Shared);
                let path = file.path.clone();
                steps.push_back(Step { chain, path, end, last: here.is_none(), take });
            }
            reached[chain] = last_file;
        }
        for (chain, files) in generation.chains.iter().enumerate() {
            let Some(&(at, _, end)) = sweeps[chain].get(sweep) else { continue };
            let take = if chain == 0 { Take::Give(Scope::Whole) } else { Take::Skip };
            let path = files[at].path.clone();
            steps.push_back(Step { chain, path, end, last: false, take });
        }
    }
}
