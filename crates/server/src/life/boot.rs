//! From a configuration to a running server: threads, recovery, listeners, and the end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use config::Config;
use durability::FileStorage;
use glommio::{LocalExecutorBuilder, Placement};
use net::{Clock, Inbox, Inboxes, Ring, RingOptions};

use crate::core::{Core, CoreParts};
use crate::input::registry::Registry;
use crate::life::error::BootError;
use crate::life::listeners::{self, SocketFile};
use crate::life::ring_refusal::{self, Surroundings};
use crate::log::recovery::{Recovered, Recovery};
use crate::message::Message;
use crate::settings;
use crate::shared::{Identity, Shared};
use crate::tick::core_thread::{CoreThread, Listener};

/// A server that runs: its threads, and what ends it.
pub struct Server {
    shared: Arc<Shared>,
    threads: Vec<glommio::ExecutorJoinHandle<()>>,
    /// Removed when the server is gone.
    _socket_file: Option<SocketFile>,
}

/// Ends a server: see [`Server::ender`].
#[derive(Clone)]
pub struct Ender(Arc<Shared>);

impl Ender {
    /// As [`Server::end`].
    pub fn end(&self) {
        end(&self.0);
    }
}

/// Asks the core threads to end, and wakes those that sleep. Where there is no ring to wake them
/// with they notice within a second.
fn end(shared: &Shared) {
    if shared.life.ending.swap(true, Ordering::AcqRel) {
        return;
    }
    let options = RingOptions { entries: 8, buffers: 1, buffer_bytes: 4096 };
    let Ok(mut ring) = Ring::new(options) else { return };
    shared.ring_descriptors().for_each(|descriptor| ring.wake(descriptor));
    if let Err(error) = ring.submit() {
        tracing::debug!("Waking the core threads failed: {error}");
    }
}

/// What each core thread is made of.
struct Parts {
    shard: usize,
    inbox: Inbox<Message>,
    inboxes: Arc<Inboxes<Message>>,
    listeners: Vec<Listener>,
    recovered: Recovered<FileStorage>,
}

impl Server {
    /// Starts a server: takes the data directory, opens the listeners, starts the core threads, and
    /// returns when all of them have recovered their data and accept connections.
    ///
    /// # Errors
    /// [`BootError`] says what is in the way.
    pub fn start(mut config: Config, config_file: Option<String>) -> Result<Self, BootError> {
        let registry = Registry::with_names(&config).map_err(BootError::Rename)?;
        let registry: &'static Registry = Box::leak(Box::new(registry));
        let cpus = crate::life::cpus::allowed();
        let shards = crate::life::cpus::shards(config.server.shards as usize, &cpus);
        try_io_uring(shards)?;
        fit_clients(&mut config, shards)?;
        settings::acts::score_at_start(&config);
        let clock = Clock::new();
        let (listeners, socket_file) = listeners::open(&config)?;
        crate::life::greeting::say(&config, config_file.as_deref(), shards, &cpus);
        warn_of_what_is_not_kept(&config);
        let storage = FileStorage::new(settings::log(&config).directory);
        let mut recovery = Recovery::open(storage, &config, shards, registry)?;
        let lock = recovery.take_lock();
        let identity = Identity::new(config_file, clock.unix_us());
        let seed = crate::life::seed::fresh();
        let shared = Arc::new(Shared::new(shards, config, identity, seed));
        if let Some(lock) = lock {
            shared.log_switch.hold_lock(lock);
        }
        let (inboxes, ends) = Inboxes::new(shards);
        let (report, reports) = mpsc::channel();
        let mut listeners = Some(listeners);
        let mut threads = Vec::with_capacity(shards);
        for (shard, (inbox, recovered)) in ends.into_iter().zip(recovery.parts()).enumerate() {
            let listeners = listeners.take().unwrap_or_default();
            let inboxes = Arc::clone(&inboxes);
            let parts = Parts { shard, inbox, inboxes, listeners, recovered };
            let (shared, report) = (Arc::clone(&shared), report.clone());
            let cpu = cpus[shard % cpus.len()];
            let thread = LocalExecutorBuilder::new(Placement::Fixed(cpu))
                .name(&format!("core-{shard}"))
                .io_memory(EXECUTOR_IO_BYTES)
                .ring_depth(EXECUTOR_RING_ENTRIES)
                .spawn(move || run_thread(parts, shared, registry, clock, report))
                .map_err(|error| BootError::Thread(error.to_string()))?;
            threads.push(thread);
        }
        drop(report);
        let mut server = Self { shared, threads, _socket_file: socket_file };
        server.await_ready(&reports, shards)?;
        Ok(server)
    }

    fn await_ready(
        &mut self,
        reports: &mpsc::Receiver<Result<(), BootError>>,
        shards: usize,
    ) -> Result<(), BootError> {
        for _ in 0..shards {
            match reports.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.end();
                    return Err(error);
                }
                Err(_) => return Err(self.early_end(shards)),
            }
        }
        self.shared.life.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Why a core thread ended before it could say how it is.
    fn early_end(&mut self, shards: usize) -> BootError {
        self.end();
        let ended = self.threads.drain(..).find_map(|thread| thread.join().err());
        match ended {
            Some(glommio::GlommioError::IoError(error)) => {
                BootError::Ring(ring_refusal::of_thread(error, locked_bytes(shards)))
            }
            Some(error) => BootError::Thread(error.to_string()),
            None => BootError::Thread("it ended early".into()),
        }
    }

    /// Lets CONFIG SET loglevel change the level of the process' log.
    pub fn keep_log_control(&self, control: telemetry::LogControl) {
        self.shared.keep_log_control(control);
    }

    /// Asks the server to end: what is under way is finished, the log is written and synced.
    pub fn end(&self) {
        end(&self.shared);
    }

    /// What ends the server from another thread.
    #[must_use]
    pub fn ender(&self) -> Ender {
        Ender(Arc::clone(&self.shared))
    }

    /// Waits until all core threads have ended.
    ///
    /// # Errors
    /// A core thread that panicked, or whose log could not be finished.
    pub fn join(self) -> Result<(), BootError> {
        for thread in self.threads {
            thread.join().map_err(|error| BootError::Thread(error.to_string()))?;
        }
        match self.shared.end_failure() {
            None => Ok(()),
            Some(failure) => Err(BootError::End(failure)),
        }
    }
}

/// Memory that an executor registers for its own file I/O, of which there is none: the least that
/// it takes. It counts three times, once for each of the executor's rings.
const EXECUTOR_IO_BYTES: usize = 64 * 1024;

/// Entries of each of an executor's rings: all that goes through them is its own wake-ups.
const EXECUTOR_RING_ENTRIES: usize = 8;

/// Memory that a shard may lock where the process has no privileges: three times
/// [`EXECUTOR_IO_BYTES`], the executor's rings, and the socket ring with its 4096 completions.
const SHARD_LOCKED_BYTES: u64 = 320 * 1024;

fn locked_bytes(shards: usize) -> u64 {
    SHARD_LOCKED_BYTES * shards as u64
}

/// Tries `io_uring` before the executor does, which has nothing but a panic to say.
fn try_io_uring(shards: usize) -> Result<(), BootError> {
    let needed = locked_bytes(shards);
    ring_refusal::make_room(needed).map_err(BootError::Ring)?;
    // On a thread of its own: a ring belongs to the thread that made it.
    let tried = std::thread::spawn(net::probe).join();
    tried.map_err(|_| BootError::Thread("probing io_uring panicked".into()))?.map_err(|refused| {
        BootError::Ring(ring_refusal::explain(&refused, &Surroundings::found(needed)))
    })
}

/// Says loudly what of the data is not loaded, or will not be kept.
fn warn_of_what_is_not_kept(config: &Config) {
    if config.log.enabled {
        let log = settings::log(config);
        let folder = Path::new(&log.directory).join(&log.append_directory);
        let has_log = std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
        if has_log {
            return;
        }
    } else if !config.snapshot.save.is_empty() {
        tracing::warn!(
            "NOTHING WILL BE KEPT when the server ends: appendonly is no, and snapshots (save) are \
             not in this version. Set 'appendonly yes' to keep the data, or 'save \"\"' if that is \
             what you want."
        );
    }
    let dump =
        Path::new(&settings::log(config).directory).join(config.snapshot.file_name.as_path());
    if dump.exists() {
        tracing::warn!(
            "{} IS NOT LOADED: RDB files are not in this version. The server starts without its \
             data, and never writes over it.",
            dump.display()
        );
    }
}

/// The life of a core thread.
async fn run_thread(
    parts: Parts,
    shared: Arc<Shared>,
    registry: &'static Registry,
    clock: Clock,
    report: mpsc::Sender<Result<(), BootError>>,
) {
    let shard = parts.shard;
    let ring = match Ring::new(RingOptions::default()) {
        Ok(ring) => ring,
        Err(error) => {
            let around = Surroundings::found(locked_bytes(shared.shards()));
            let _ = report.send(Err(BootError::Ring(ring_refusal::explain(&error, &around))));
            return;
        }
    };
    shared.publish_ring(shard, ring.descriptor());
    let Parts { inbox, inboxes, listeners, recovered, .. } = parts;
    let core = CoreParts { shard, inbox, inboxes, shared: Arc::clone(&shared), registry, clock };
    let mut core = Core::new(core);
    if let Err(error) = recovered.load(&mut core, |file| Box::new(file.into_file())) {
        let _ = report.send(Err(error));
        return;
    }
    let _ = report.send(Ok(()));
    // Who waits for the others' reports is told when one of them can send none.
    drop(report);
    // Nobody serves before all have recovered: a transaction may need any shard.
    while !shared.life.ready.load(Ordering::Acquire) {
        if shared.life.ending.load(Ordering::Acquire) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut thread = CoreThread::new(ring, core, listeners);
    while !thread.has_ended() {
        thread.tick();
        thread.rest();
        glommio::yield_if_needed().await;
    }
}

/// Descriptors that the server keeps for itself: the listeners, the log, standard streams; and for
/// each core thread its socket ring, the executor's rings and events, its segments.
const OWN_DESCRIPTORS: u64 = 32;
const SHARD_DESCRIPTORS: u64 = 16;

/// How many descriptors there are, and for whom.
pub(crate) struct Room {
    /// The process may open so many.
    limit: u64,
    /// The server keeps so many for itself.
    own: u64,
    /// So many clients find one.
    pub(crate) clients: u64,
}

/// Makes room for the descriptors of so many clients, as far as the system lets it.
pub(crate) fn room_for_clients(clients: u32, shards: usize) -> io::Result<Room> {
    let own = OWN_DESCRIPTORS + SHARD_DESCRIPTORS * shards as u64;
    let limit = net::raise_descriptor_limit(u64::from(clients) + own)?;
    Ok(Room { limit, own, clients: limit.saturating_sub(own) })
}

/// Makes room for `maxclients` descriptors, or lowers `maxclients` to the room there is: a client
/// too many is then told so, instead of waiting in a backlog that nobody can accept from.
fn fit_clients(config: &mut Config, shards: usize) -> Result<(), BootError> {
    let asked = config.clients.count_max;
    let Room { limit, own, clients } = room_for_clients(asked, shards)
        .map_err(|error| BootError::Descriptors(error.to_string()))?;
    if clients == 0 {
        return Err(BootError::Descriptors(format!(
            "the limit is {limit}, and {} are needed: raise it (ulimit -n)",
            own + 1
        )));
    }
    if clients < u64::from(asked) {
        config.clients.count_max = u32::try_from(clients).unwrap_or(u32::MAX);
        tracing::warn!(
            "maxclients is {clients} instead of {asked}: the process may open {limit} files, of \
             which it needs {own} itself. Raise the limit with 'ulimit -n'."
        );
    }
    Ok(())
}

/// Tries what a core thread needs of this machine, and says what was found.
///
/// # Errors
/// What is missing.
pub fn check_system() -> Result<String, BootError> {
    let cpus = crate::life::cpus::allowed();
    try_io_uring(crate::life::cpus::shards(0, &cpus))?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!(
        "io_uring works (kernel {}); {} CPUs: {} shards",
        kernel.trim(),
        cpus.len(),
        crate::life::cpus::shards(0, &cpus)
    ))
}

/// Whether `name` matches the glob `pattern`: for `include` directives.
#[must_use]
pub fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    datatypes::glob_matches(pattern, name, datatypes::Case::Matters)
}
