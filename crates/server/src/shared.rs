//! What all core threads share: a few atomics and descriptors. No lock is taken on the way of a
//! command; a tick that wrote parts of transactions over several shards takes the ledger's, once.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use config::Config;
use durability::Ledger;
use telemetry::{LogControl, LogLevel};

use crate::log::switch::LogSwitch;
use crate::memory::evictable::Evictable;
use crate::memory::gauge::{self, MemoryGauge};

/// Shared by all core threads.
pub(crate) struct Shared {
    cores: Vec<PerCore>,
    /// How far the server is between its start and its end.
    pub(crate) life: Life,
    /// Numbers of which each is given out once.
    pub(crate) sequences: Sequences,
    /// How many clients there are.
    pub(crate) clients: Clients,
    /// The configuration as last set: core threads have copies of their own, renewed by CONFIG SET.
    config: Mutex<Config>,
    /// From which every core thread derives the same hash function.
    pub(crate) hash_seed: u64,
    /// What is said once at start.
    pub(crate) identity: Identity,
    /// How much memory the process has.
    pub(crate) memory_gauge: MemoryGauge,
    /// Changes which lines are logged; empty where the process logs nothing (tests).
    log_control: OnceLock<LogControl>,
    /// The log being turned on at run time.
    pub(crate) log_switch: LogSwitch,
    /// What the shards' logs have to tell each other.
    logs: Logs,
    /// Names the history of the data to replicas: 40 hexadecimal digits.
    replication_id: Mutex<String>,
}

/// Whether logs take writes. Every write looks at the count: on a line of its own, so that what
/// else is shared does not take it from the caches of the core threads.
#[derive(Debug, Default)]
#[repr(align(128))]
struct LogRefusals {
    /// Shards whose log refuses writes.
    shards: AtomicUsize,
    /// Why one of them last did.
    reason: Mutex<String>,
}

/// How far the server is between its start and its end; nothing here goes back.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// Whether all core threads have recovered, and clients are served.
    pub(crate) ready: AtomicBool,
    /// Whether the server is to end.
    pub(crate) ending: AtomicBool,
    /// Core threads that have nothing of their own under way any more.
    pub(crate) drained: AtomicUsize,
    /// What went wrong at the end, first of all.
    failure: Mutex<Option<String>>,
}

/// What the shards' logs have to tell each other.
struct Logs {
    /// The parts of transactions that shards have written.
    ledger: Mutex<Ledger>,
    refusals: LogRefusals,
}

/// Counts of clients of all core threads.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// Connections in MONITOR.
    pub(crate) monitors: AtomicUsize,
    /// Those that were admitted and are not gone: `maxclients` bounds them.
    admitted: AtomicUsize,
}

/// Numbers of which each is given out once, whichever core thread asks.
#[derive(Debug)]
pub(crate) struct Sequences {
    /// The last client id given out.
    client_ids: AtomicU64,
    /// The next slow log entry's id.
    pub(crate) slow_log_ids: AtomicU64,
    /// Feeds choices that need not be repeatable from one seed.
    random: AtomicU64,
}

/// What is known of the server from its start on.
#[derive(Debug)]
pub(crate) struct Identity {
    /// 40 hexadecimal digits, new at each start.
    pub(crate) run_id: String,
    /// Unix microseconds of the start.
    pub(crate) started_us: u64,
    /// The configuration file's path, if there is one.
    pub(crate) config_file: Option<String>,
    /// The path of the executable.
    pub(crate) executable: String,
}

impl Identity {
    /// The identity of a server that starts now.
    pub(crate) fn new(config_file: Option<String>, started_us: u64) -> Self {
        let executable = std::env::current_exe()
            .map_or_else(|_| String::new(), |path| path.display().to_string());
        Self { run_id: crate::life::seed::run_id(), started_us, config_file, executable }
    }
}

/// What a core thread tells the others. Written by that core thread (connections: also by the one
/// that accepts; what is to be evicted: also by who needs memory), read by all; on a line of its
/// own.
#[repr(align(128))]
struct PerCore {
    ring: AtomicI32,
    connections: AtomicUsize,
    /// Slabs of records: what no other thread gives back.
    record_bytes: AtomicI64,
    /// What its thread took from the allocator and did not give back.
    heap_bytes: AtomicI64,
    /// The keys that may be evicted, and what others wish of them.
    evictable: Evictable,
    /// Read by nobody else: the others look at the count.
    log_refuses: AtomicBool,
}

impl Shared {
    pub(crate) fn new(shards: usize, config: Config, identity: Identity, seed: u64) -> Self {
        let cores = (0..shards).map(|_| PerCore::new()).collect();
        Self {
            cores,
            life: Life::default(),
            sequences: Sequences {
                client_ids: AtomicU64::new(0),
                slow_log_ids: AtomicU64::new(0),
                random: AtomicU64::new(seed),
            },
            clients: Clients::default(),
            config: Mutex::new(config),
            hash_seed: seed,
            identity,
            memory_gauge: MemoryGauge::new(),
            log_control: OnceLock::new(),
            log_switch: LogSwitch::default(),
            logs: Logs {
                ledger: Mutex::new(Ledger::new(shards)),
                refusals: LogRefusals::default(),
            },
            replication_id: Mutex::new(crate::life::seed::run_id()),
        }
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.cores.len()
    }

    /// The configuration, locked: CONFIG SET changes it, core threads copy from it.
    pub(crate) fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger, locked.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.logs.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that a core thread could not finish its log.
    pub(crate) fn record_end_failure(&self, failure: String) {
        let mut place = self.life.failure.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert(failure);
    }

    /// What went wrong at the end, if anything.
    pub(crate) fn end_failure(&self) -> Option<String> {
        self.life.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Hands over what changes the level of the process' log: the first one stays.
    pub(crate) fn keep_log_control(&self, control: LogControl) {
        self.log_control.get_or_init(|| control);
    }

    /// Changes which lines are logged.
    pub(crate) fn set_log_level(&self, level: LogLevel) {
        if let Some(control) = self.log_control.get() {
            control.set_level(level);
        }
    }

    /// Whether some connection is shown every command.
    #[inline]
    pub(crate) fn has_monitors(&self) -> bool {
        self.clients.monitors.load(Ordering::Relaxed) != 0
    }

    /// What names the history of the data to replicas.
    pub(crate) fn replication_id(&self) -> String {
        self.replication_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new name for it (DEBUG CHANGE-REPL-ID): nobody can continue where he was.
    pub(crate) fn change_replication_id(&self) {
        let mut id = self.replication_id.lock().unwrap_or_else(PoisonError::into_inner);
        *id = crate::life::seed::run_id();
    }

    /// A new client id: ascending, never used twice.
    pub(crate) fn next_client_id(&self) -> u64 {
        self.sequences.client_ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// 64 random bits (splitmix64 over a counter that all core threads advance).
    pub(crate) fn random(&self) -> u64 {
        let mut bits = self.sequences.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Says under which descriptor a core thread's ring is woken.
    pub(crate) fn publish_ring(&self, shard: usize, descriptor: RawFd) {
        self.cores[shard].ring.store(descriptor, Ordering::Release);
    }

    /// The descriptor of a core thread's ring.
    pub(crate) fn ring_descriptor(&self, shard: usize) -> RawFd {
        self.cores[shard].ring.load(Ordering::Acquire)
    }

    /// The descriptors of all rings that there are.
    pub(crate) fn ring_descriptors(&self) -> impl Iterator<Item = RawFd> {
        let rings = self.cores.iter().map(|core| core.ring.load(Ordering::Acquire));
        rings.filter(|&descriptor| descriptor >= 0)
    }

    /// Chooses the home of a new connection: the core thread with the fewest, and counts it there.
    pub(crate) fn place_connection(&self) -> usize {
        let counts = self.cores.iter().map(|core| core.connections.load(Ordering::Relaxed));
        let fewest = counts.enumerate().min_by_key(|(_, count)| *count);
        let shard = fewest.map_or(0, |(shard, _)| shard);
        self.count_connection(shard);
        shard
    }

    /// `shard` has one connection more.
    pub(crate) fn count_connection(&self, shard: usize) {
        self.cores[shard].connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a connection may be one of `clients_max` clients: it is one then. All core threads
    /// ask this one count, so that there are exactly so many, whoever comes at the same time.
    pub(crate) fn admit_client(&self, clients_max: usize) -> bool {
        let more = |clients: usize| (clients < clients_max).then_some(clients + 1);
        let admitted = &self.clients.admitted;
        admitted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A connection of `shard` that was no client is gone.
    pub(crate) fn connection_refused(&self, shard: usize) {
        self.cores[shard].connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// A client of `shard` is gone.
    pub(crate) fn client_gone(&self, shard: usize) {
        self.connection_refused(shard);
        self.clients.admitted.fetch_sub(1, Ordering::Relaxed);
    }

    /// Says how much memory a shard and its connections use: slabs of records, and what its thread
    /// has from the allocator.
    pub(crate) fn publish_memory(&self, shard: usize, records: i64, heap: i64) {
        self.cores[shard].record_bytes.store(records, Ordering::Relaxed);
        self.cores[shard].heap_bytes.store(heap, Ordering::Relaxed);
    }

    /// Takes note of the memory in use, for `used_memory_peak`. What threads gave back of each
    /// other's is not published at one moment, so the allocator is asked instead, which knows.
    pub(crate) fn note_memory_peak(&self) {
        let records = self.cores.iter().map(|it| it.record_bytes.load(Ordering::Relaxed));
        let records: i64 = records.sum();
        let allocated = self.memory_gauge.read().allocated;
        self.memory_gauge.note(allocated + records.max(0).unsigned_abs());
    }

    /// Memory that the server uses: what it took to start, all shards and connections. What INFO
    /// shows as `used_memory` and what `maxmemory` bounds.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let of = |core: &PerCore| {
            let [records, heap] = [&core.record_bytes, &core.heap_bytes];
            records.load(Ordering::Relaxed) + heap.load(Ordering::Relaxed)
        };
        let sum: i64 = self.cores.iter().map(of).sum();
        let grown = sum.max(0).unsigned_abs() + gauge::mapped_bytes();
        self.memory_gauge.startup() + grown
    }

    /// What a shard says of the keys that it may evict, and is asked for.
    pub(crate) fn evictable(&self, shard: usize) -> &Evictable {
        &self.cores[shard].evictable
    }

    /// The same of every shard.
    pub(crate) fn evictables(&self) -> impl Iterator<Item = &Evictable> {
        self.cores.iter().map(|core| &core.evictable)
    }

    /// Says whether a shard's log takes writes, or why not: its core thread does.
    pub(crate) fn publish_log_refusal(&self, shard: usize, refusal: Option<&str>) {
        let cell = &self.cores[shard].log_refuses;
        if cell.load(Ordering::Relaxed) == refusal.is_some() {
            return;
        }
        cell.store(refusal.is_some(), Ordering::Relaxed);
        let LogRefusals { shards, reason: place } = &self.logs.refusals;
        match refusal {
            Some(reason) => {
                let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
                reason.clone_into(&mut place);
                // Behind its reason: whoever sees the count finds that.
                shards.fetch_add(1, Ordering::Release);
            }
            None => {
                shards.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Why the log of some shard last refused writes, in the system's words.
    pub(crate) fn log_refusal(&self) -> String {
        self.logs.refusals.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether some shard's log refuses writes: then transactions over several shards are refused
    /// as a whole.
    #[inline]
    pub(crate) fn some_log_refuses(&self) -> bool {
        self.logs.refusals.shards.load(Ordering::Acquire) != 0
    }
}

impl PerCore {
    fn new() -> Self {
        Self {
            ring: AtomicI32::new(-1),
            connections: AtomicUsize::new(0),
            record_bytes: AtomicI64::new(0),
            heap_bytes: AtomicI64::new(0),
            evictable: Evictable::default(),
            log_refuses: AtomicBool::new(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_exactly_as_many_clients_as_may_be() {
        let shared = Shared::new(3, Config::default(), Identity::new(None, 0), 1);
        assert!(shared.admit_client(2));
        // Two come at the same moment: both are on their way to their homes.
        let homes = [shared.place_connection(), shared.place_connection()];
        assert!(shared.admit_client(2), "there is room for one of them");
        assert!(!shared.admit_client(2));
        shared.connection_refused(homes[1]);
        assert!(!shared.admit_client(1), "fewer are allowed now than there are");
        shared.client_gone(homes[0]);
        assert!(!shared.admit_client(1));
        assert!(shared.admit_client(2));
    }

    #[test]
    fn a_refusal_counts_once_however_often_it_is_said() {
        let shared = Shared::new(3, Config::default(), Identity::new(None, 0), 1);
        let say = |shard, refusal| shared.publish_log_refusal(shard, refusal);
        assert!(!shared.some_log_refuses());
        say(0, None);
        say(1, Some("No space left on device"));
        say(1, Some("again"));
        say(2, Some("Input/output error"));
        assert!(shared.some_log_refuses());
        assert_eq!(shared.log_refusal(), "Input/output error");
        say(1, None);
        say(1, None);
        assert!(shared.some_log_refuses(), "one still does");
        say(2, None);
        assert!(!shared.some_log_refuses());
        say(0, Some("x"));
        assert!(shared.some_log_refuses());
    }
}
