//! Recovery: the log read back, by all core threads at once, before anybody is served.
//!
//! The main thread takes the data directory, walks the segments, decides where each ends, and
//! readies the directory for writing ([`Recovery::open`]). Each core thread then replays what is
//! its own ([`Recovered::load`]): its segment, when the log was written by as many shards as there
//! are now; otherwise every segment, of which it keeps what its slots own (`share.rs`).
//!
//! While a log is replayed keys do not expire: it says itself which went, and when. A key that is
//! past its moment goes afterwards, when somebody meets it, as in any other tick.

mod share;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use config::Config;
use durability::{
    FsyncPolicy, LogDirectory, LogNames, OpenMode, Progress, Record, RecoveryError, RecoveryPlan,
    Replay, Scope, Segment, Storage, Tail, TornTail, scan,
};
use keyspace::ExpiryMode;
use resp::Arguments;

use commands::ShardCommand;

use self::share::{Share, Take};
use crate::core::Core;
use crate::input::registry::{Action, Registry};
use crate::life::error::BootError;
use crate::log::file::LogFile;
use crate::message::Client;
use crate::settings;
use crate::shard::ShardRequest;

/// The data directory, taken, and what is to be recovered from it.
pub(crate) struct Recovery<S: Storage> {
    shards: usize,
    lock: Option<S::Lock>,
    plan: Option<Arc<Plan<S>>>,
    tails: Vec<Tail>,
    /// One for each shard, if some generation has another number of shards; else none.
    shares: Vec<Share>,
    policy: FsyncPolicy,
}

struct Plan<S> {
    storage: S,
    plan: RecoveryPlan,
    /// Bytes that all core threads have read.
    done: AtomicU64,
    total: AtomicU64,
    began: Instant,
}

/// One core thread's share of a recovery.
pub(crate) struct Recovered<S> {
    shard: usize,
    plan: Option<Arc<Plan<S>>>,
    tail: Option<Tail>,
    share: Option<Share>,
    policy: FsyncPolicy,
}

/// The lock's file in the data directory.
pub(crate) const LOCK_NAME: &str = "bobbin.lock";

/// A log that one thread has walked before a second one would have got far: a millisecond.
const ALONE_BYTES_MAX: u64 = 1 << 20;

/// Bytes replayed between two looks at the clock.
const STEP_BYTES: u64 = 4 << 20;

/// How often progress is said.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Whether a directory is there, and takes no files.
fn cannot_be_written(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind;
    matches!(
        kind,
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
    )
}

impl<S: Storage + Sync> Recovery<S> {
    /// Takes the data directory, which `storage` shows, and decides what is to be recovered.
    pub(crate) fn open(
        storage: S,
        config: &Config,
        shards: usize,
        registry: &'static Registry,
    ) -> Result<Self, BootError> {
        let log = settings::log(config);
        let lock = match storage.lock(LOCK_NAME) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err(BootError::DirectoryInUse(log.directory));
            }
            // Nobody can write there, so there is nothing to be kept from others.
            Err(error) if !log.enabled && cannot_be_written(error.kind()) => None,
            Err(error) => return Err(BootError::Directory(log.directory, error.to_string())),
        };
        let policy = log.policy;
        if !log.enabled {
            let (tails, shares) = (Vec::new(), Vec::new());
            return Ok(Self { shards, lock, plan: None, tails, shares, policy });
        }
        let names = LogNames::new(&log.append_directory, &log.append_file)
            .ok_or_else(|| BootError::LogNames(log.append_file.clone()))?;
        let mut directory = LogDirectory::open(&storage, names)?;
        let indexes = scan_all(&storage, &directory)?;
        let torn = if log.load_truncated { TornTail::Cut } else { TornTail::Refuse };
        let plan = directory.plan(indexes, shards as u16, torn)?;
        for cut in plan.cuts() {
            let reason = if cut.transaction { "a transaction" } else { "a command" };
            tracing::warn!(
                "{}: cutting {} bytes off at offset {}: {reason} was not written whole, and so \
                 was acknowledged to nobody",
                cut.path,
                cut.bytes - cut.offset,
                cut.offset
            );
        }
        let tails = directory
            .resume(&storage, &plan, shards as u16)
            .map_err(|error| BootError::Directory(log.directory.clone(), error.to_string()))?;
        for stray in directory.strays() {
            tracing::warn!(
                "{}: removed, with {} bytes: it was begun when the log was being turned on, and \
                 the server ended before that was complete",
                stray.path,
                stray.bytes
            );
        }
        let shares = match plan.is_own(shards as u16) {
            true => Vec::new(),
            false => Share::of_all(&storage, &plan, registry, shards)?,
        };
        let plan = Plan {
            storage,
            plan,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            began: Instant::now(),
        };
        let plan = Some(Arc::new(plan));
        Ok(Self { shards, lock, plan, tails, shares, policy })
    }

    /// The lock of the data directory, once: to be held while the server lives, so that a second
    /// server on the directory is refused.
    pub(crate) fn take_lock(&mut self) -> Option<S::Lock> {
        self.lock.take()
    }

    /// Each core thread's share, in the order of the shards.
    pub(crate) fn parts(self) -> impl Iterator<Item = Recovered<S>> {
        let mut tails = self.tails.into_iter();
        let mut shares = self.shares.into_iter();
        (0..self.shards).map(move |shard| Recovered {
            shard,
            plan: self.plan.clone(),
            tail: tails.next(),
            share: shares.next(),
            policy: self.policy,
        })
    }
}

/// Walks all segments, each on a thread of its own, where there is enough to walk.
fn scan_all<S: Storage + Sync>(
    storage: &S,
    directory: &LogDirectory,
) -> Result<Vec<durability::SegmentIndex>, RecoveryError> {
    let sources = directory.segments();
    if sources.iter().map(|source| source.bytes(storage)).sum::<u64>() <= ALONE_BYTES_MAX {
        return sources.iter().map(|source| scan(storage, source)).collect();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            sources.iter().map(|source| scope.spawn(move || scan(storage, source))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("walking a segment does not panic"))
            .collect()
    })
}

impl<S: Storage> Recovered<S> {
    /// Replays this core thread's share, and leaves its log ready for writing to what `log_file`
    /// makes of its segment.
    pub(crate) fn load(
        self,
        core: &mut Core,
        log_file: impl FnOnce(S::File) -> Box<dyn LogFile>,
    ) -> Result<(), BootError> {
        let (Some(plan), Some(tail)) = (&self.plan, &self.tail) else { return Ok(()) };
        let share = self.share.as_ref();
        let source = Source { storage: &plan.storage, plan: &plan.plan, share };
        let mut said = Instant::now();
        let mut done = 0;
        plan.total.fetch_add(source.replay(core).bytes_total(), Ordering::Relaxed);
        let records = source.load(core, &mut |bytes_done| {
            plan.done.fetch_add(bytes_done - done, Ordering::Relaxed);
            done = bytes_done;
            if self.shard == 0 && said.elapsed() >= PROGRESS_EVERY {
                said = Instant::now();
                plan.say_progress();
            }
        })?;
        core.shard.keyspace.reset_stats();
        self.open_log(core, plan, tail, log_file)?;
        tracing::info!(
            "Shard {}: {records} commands replayed, {} keys, in {:.1} s",
            self.shard,
            core.shard.keys(),
            plan.began.elapsed().as_secs_f64()
        );
        Ok(())
    }

    fn open_log(
        &self,
        core: &mut Core,
        plan: &Plan<S>,
        tail: &Tail,
        log_file: impl FnOnce(S::File) -> Box<dyn LogFile>,
    ) -> Result<(), BootError> {
        let file = plan
            .storage
            .open(&tail.path, OpenMode::Append)
            .map_err(|error| BootError::Directory(tail.path.clone(), error.to_string()))?;
        let now_ms = core.time.unix_ms() as u64;
        let segment = Segment::resume(tail.position, self.policy, now_ms);
        core.shard.turn_log_on(self.shard as u16, log_file(file), segment, tail.counter);
        Ok(())
    }
}

/// Reads a log into this core thread's shard, which is empty: what a restart would find, but that
/// nothing is cut off or opened. Says how many records were read.
pub(crate) fn load_again<S: Storage>(
    core: &mut Core,
    storage: &S,
    plan: &RecoveryPlan,
) -> Result<u64, RecoveryError> {
    let (shard, shards) = (core.mail.shard, core.mail.shards());
    let share = match plan.is_own(shards as u16) {
        true => None,
        false => Some(Share::of_all(storage, plan, core.registry, shards)?.swap_remove(shard)),
    };
    Source { storage, plan, share: share.as_ref() }.load(core, &mut |_| {})
}

/// What a shard is loaded from.
struct Source<'a, S> {
    storage: &'a S,
    plan: &'a RecoveryPlan,
    /// `None`: every segment is of as many shards as there are.
    share: Option<&'a Share>,
}

impl<S: Storage> Source<'_, S> {
    fn replay(&self, core: &Core) -> Replay<S> {
        match self.share {
            Some(share) if share.borrows() => Replay::all(self.plan),
            _ => Replay::new(self.plan, core.mail.shard as u16, core.mail.shards() as u16),
        }
    }

    /// Runs this shard's records; says how many were read. `note` is told of the bytes done.
    fn load(&self, core: &mut Core, note: &mut dyn FnMut(u64)) -> Result<u64, RecoveryError> {
        let usual = *core.shard.keyspace.settings();
        let ignoring = keyspace::Settings { expiry: ExpiryMode::Ignore, ..usual };
        core.shard.keyspace.configure(ignoring);
        let result = self.run(core, note);
        if let Some(share) = self.share.filter(|share| share.borrows()) {
            share.drop_borrowed(core);
        }
        core.shard.keyspace.configure(usual);
        result
    }

    fn run(&self, core: &mut Core, note: &mut dyn FnMut(u64)) -> Result<u64, RecoveryError> {
        let mut replay = self.replay(core);
        loop {
            core.time.advance();
            let mut sink = Sink { core, share: self.share, looked: false };
            let progress = replay.step_into(self.storage, STEP_BYTES, &mut sink)?;
            note(replay.bytes_done());
            if progress == Progress::Done {
                return Ok(replay.records());
            }
        }
    }
}

impl<S> Plan<S> {
    fn say_progress(&self) {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(0.001) / 1e6;
        tracing::info!(
            "Loading the append-only log: {percent} % of {} MB, {rate:.0} MB/s",
            total / 1_000_000
        );
    }
}

/// Receives the records for a shard.
struct Sink<'a> {
    core: &'a mut Core,
    share: Option<&'a Share>,
    /// Whether buckets were asked for whose records were not yet.
    looked: bool,
}

impl durability::Apply for Sink<'_> {
    /// Asks for the bucket of the first key.
    fn look(&mut self, record: Record<'_>) {
        let Some(key) = record.arguments.get(1) else { return };
        if self.share.is_some_and(|share| !share.needs(key)) {
            return;
        }
        let shard = &mut self.core.shard;
        if !self.looked {
            shard.prefetch_begin();
            self.looked = true;
        }
        shard.prefetch_bucket(record.db, key);
    }

    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        if self.looked {
            self.core.shard.prefetch_records();
            self.looked = false;
        }
        apply(self.core, self.share, record)
    }
}

/// Runs one logged command, or this shard's part of it. `Err`: it cannot stand in a log.
fn apply(core: &mut Core, share: Option<&Share>, record: Record<'_>) -> Result<(), String> {
    let Record { db, arguments, scope } = record;
    let (number, command) = find_command(core.registry, arguments)?;
    if db as usize >= core.shard.keyspace.database_count() {
        return Err(format!("it is of database {db}, and 'databases' allows fewer"));
    }
    let client = Client { db, ..Client::default() };
    let now_ms = core.time.unix_ms();
    let (counted, may_wait) = (false, false);
    let request = ShardRequest { command, number, arguments, client, now_ms, counted, may_wait };
    let Some(share) = share.filter(|_| scope == Scope::Shared) else {
        return core.replay(&request);
    };
    match share.take(command, arguments)? {
        Take::Nothing => Ok(()),
        Take::All => core.replay(&request),
        Take::Keys(own) => {
            crate::transaction::own_part(&request, &own, |request| core.replay(request))
        }
    }
}

/// The command that a record names, with its number.
fn find_command(
    registry: &'static Registry,
    arguments: Arguments<'_>,
) -> Result<(u16, &'static ShardCommand), String> {
    let name = arguments.get(0).ok_or("an empty command")?;
    let entry = registry
        .resolve_record(name, arguments.get(1))
        .map_err(|_| format!("unknown command '{}'", String::from_utf8_lossy(name)))?;
    let Action::Shard(command) = entry.action else {
        return Err(format!("'{}' does not belong into a log", entry.spec.name));
    };
    if !entry.spec.arity.admits(arguments.len()) {
        return Err(format!("wrong number of arguments for '{}'", entry.spec.name));
    }
    Ok((entry.number, command))
}

impl Core {
    /// Runs a logged command without logging it.
    fn replay(&mut self, request: &ShardRequest<'_>) -> Result<(), String> {
        let mut reply = std::mem::take(&mut self.reply);
        self.shard.replay(request, &mut reply);
        let error = reply.strip_prefix(b"-");
        let result = match error {
            None => Ok(()),
            Some(text) => Err(String::from_utf8_lossy(text).trim_end().to_owned()),
        };
        // Whoever uses it next finds it empty.
        reply.clear();
        self.reply = reply;
        result
    }
}
