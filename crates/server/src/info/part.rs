//! What a core thread contributes to INFO, and what INFO is made of.

use config::Config;
use keyspace::{DatabaseStats, Stats};
use telemetry::{CommandStats, Counters, Rates};

use super::cpu::CpuTime;
use super::memory::{MemoryPart, gather_memory};
use crate::clients::connection::Held;
use crate::core::Core;
use crate::info::Sections;

/// One core thread's contribution. Those of all are merged into one.
#[derive(Default)]
pub(crate) struct Part {
    pub(super) counters: Counters,
    pub(super) speeds: Speeds,
    pub(super) keys: Stats,
    /// Values being freed in slices, and those that were.
    pub(super) lazy: LazyFreed,
    /// Databases that have keys, by number.
    pub(super) databases: Vec<(usize, DatabaseStats)>,
    pub(super) clients: ClientsPart,
    pub(super) memory: MemoryPart,
    pub(super) log: LogPart,
    /// Only where a section needs them.
    pub(super) commands: Option<CommandStats>,
    /// Processor time of the first core thread, which is the process' main thread to INFO.
    pub(super) main_thread: CpuTime,
}

/// What happens a second, just now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Speeds {
    pub(super) commands: u64,
    pub(super) input_kilobytes: f64,
    pub(super) output_kilobytes: f64,
    pub(super) ticks: u64,
    /// Microseconds in ticks.
    pub(super) busy_us: u64,
}

/// Values freed in slices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LazyFreed {
    pub(super) pending: u64,
    pub(super) freed: u64,
}

/// Connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClientsPart {
    pub(super) connected: u64,
    /// Those that wait for keys, or that CLIENT PAUSE holds back.
    pub(super) blocked: u64,
    /// Waits for keys that end by themselves.
    pub(super) timeouts: u64,
    /// Keys that somebody waits for.
    pub(super) blocking_keys: u64,
    /// Capacity of the largest input buffer.
    pub(super) input_bytes_max: u64,
    /// What the replies of one connection take at most.
    pub(super) output_bytes_max: u64,
}

/// The log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogPart {
    pub(super) on: bool,
    /// Whether it refuses writes.
    pub(super) refuses: bool,
    /// Bytes of segments.
    pub(super) written: u64,
    /// Bytes that are to be written yet.
    pub(super) buffered: u64,
    /// Fsyncs under way.
    pub(super) syncing: u64,
    /// Writes that waited for an fsync.
    pub(super) delayed: u64,
}

/// All that a section may look at.
pub(crate) struct Facts<'a> {
    /// The core thread that answers.
    pub(super) core: &'a Core,
    pub(super) config: &'a Config,
    /// The contributions of all core threads.
    pub(super) all: Part,
}

impl Part {
    /// What `core` contributes. `sections` are those asked for.
    pub(crate) fn of(core: &mut Core, sections: Sections) -> Self {
        let keyspace = &core.shard.keyspace;
        let doomed = keyspace.doomed();
        let statistics = &core.statistics;
        Self {
            counters: statistics.counters.clone(),
            speeds: Speeds::of(&statistics.rates),
            keys: *keyspace.stats(),
            lazy: LazyFreed { pending: doomed.pending(), freed: doomed.freed() },
            databases: keyspace.database_stats().collect(),
            clients: ClientsPart::of(core),
            log: LogPart::of(core),
            commands: sections.need_commands().then(|| statistics.commands.clone()),
            main_thread: CpuTime::of_main_thread(core.mail.shard),
            memory: gather_memory(core),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.speeds.add(&other.speeds);
        self.keys = self.keys.with(other.keys);
        self.lazy.pending += other.lazy.pending;
        self.lazy.freed += other.lazy.freed;
        for (db, stats) in &other.databases {
            match self.databases.iter_mut().find(|(known, _)| known == db) {
                Some((_, mine)) => *mine = mine.with(*stats),
                None => self.databases.push((*db, *stats)),
            }
        }
        self.clients.add(&other.clients);
        self.log.add(&other.log);
        if let Some(theirs) = &other.commands {
            self.commands.get_or_insert_default().merge(theirs);
        }
        self.main_thread.add(other.main_thread);
        self.memory.merge(&other.memory);
    }
}

impl Speeds {
    fn of(rates: &Rates) -> Self {
        Self {
            commands: rates.commands.per_second(),
            input_kilobytes: rates.input.kilo_per_second(),
            output_kilobytes: rates.output.kilo_per_second(),
            ticks: rates.ticks.per_second(),
            busy_us: rates.busy.per_second(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.input_kilobytes += other.input_kilobytes;
        self.output_kilobytes += other.output_kilobytes;
        self.ticks += other.ticks;
        self.busy_us += other.busy_us;
    }
}

impl ClientsPart {
    fn of(core: &Core) -> Self {
        let waiting = &core.shard.waiting;
        let (timeouts, keys) = (waiting.timeouts() as u64, waiting.keys() as u64);
        let mut part = Self { timeouts, blocking_keys: keys, ..Self::default() };
        for connection in core.connections.iter() {
            // One that is being closed is no client any more.
            part.connected += u64::from(!connection.session.modes.close_now);
            let is_paused = connection.input.held == Held::Paused;
            part.blocked += u64::from(is_paused || connection.is_blocked());
            let input = connection.input.pending.capacity() as u64;
            let output = connection.output.heap_bytes() + connection.pipeline.heap_bytes();
            part.input_bytes_max = part.input_bytes_max.max(input);
            part.output_bytes_max = part.output_bytes_max.max(output as u64);
        }
        part
    }

    fn add(&mut self, other: &Self) {
        self.connected += other.connected;
        self.blocked += other.blocked;
        self.timeouts += other.timeouts;
        self.blocking_keys += other.blocking_keys;
        self.input_bytes_max = self.input_bytes_max.max(other.input_bytes_max);
        self.output_bytes_max = self.output_bytes_max.max(other.output_bytes_max);
    }
}

impl LogPart {
    fn of(core: &Core) -> Self {
        let log = &core.shard.log;
        let Some(segment) = log.segment() else { return Self::default() };
        Self {
            on: true,
            refuses: log.refusal().is_some(),
            written: segment.written(),
            buffered: segment.buffered_bytes() as u64,
            syncing: u64::from(segment.is_syncing()),
            delayed: segment.delayed_syncs(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.on |= other.on;
        self.refuses |= other.refuses;
        self.written += other.written;
        self.buffered += other.buffered;
        self.syncing += other.syncing;
        self.delayed += other.delayed;
    }
}

impl<'a> Facts<'a> {
    /// The facts at `core`, where the parts of all core threads came together.
    pub(crate) fn new(core: &'a Core, config: &'a Config, parts: &[Part]) -> Self {
        let mut all = Part::default();
        for part in parts {
            all.merge(part);
        }
        all.databases.sort_unstable_by_key(|(db, _)| *db);
        Self { core, config, all }
    }
}
