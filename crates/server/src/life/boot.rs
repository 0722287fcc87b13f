//! From a configuration to a running server: threads, recovery, listeners, and the end.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use config::Config;
use durability::FileStorage;
use glommio::{LocalExecutorBuilder, Placement};
use net::{Clock, Inbox, Inboxes, Ring, RingOptions};

use crate::core::{Core, CoreParts};
use crate::input::registry::Registry;
use crate::life::error::BootError;
use crate::log::recovery::{Recovered, Recovery};
use crate::message::Message;
use crate::settings;
use crate::shared::{Identity, Shared};
use crate::tick::core_thread::{CoreThread, Listener};

/// A server that runs: its threads, and what ends it.
pub struct Server {
    shared: Arc<Shared>,
    threads: Vec<glommio::ExecutorJoinHandle<()>>,
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

/// How long to try again when the port is still bound: a server that was killed gives it back only
/// when the kernel has torn its sockets and rings down.
const BIND_RETRY_MAX: Duration = Duration::from_secs(2);

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
        fit_clients(&mut config, shards)?;
        settings::acts::score_at_start(&config);
        let clock = Clock::new();
        let listeners = open_listeners(&config)?;
        crate::life::greeting::say(&config, config_file.as_deref(), shards, &cpus);
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
                .spawn(move || run_thread(parts, shared, registry, clock, report))
                .map_err(|error| BootError::Thread(error.to_string()))?;
            threads.push(thread);
        }
        drop(report);
        let server = Self { shared, threads };
        server.await_ready(&reports, shards)?;
        Ok(server)
    }

    fn await_ready(
        &self,
        reports: &mpsc::Receiver<Result<(), BootError>>,
        shards: usize,
    ) -> Result<(), BootError> {
        for _ in 0..shards {
            let report = reports.recv().map_err(|_| BootError::Thread("it ended early".into()))?;
            if let Err(error) = report {
                self.end();
                return Err(error);
            }
        }
        self.shared.life.ready.store(true, Ordering::Release);
        Ok(())
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

/// Memory that an executor registers for its own file I/O: its default of 10 MiB is beyond the
/// usual limit of locked memory, 8 MiB.
const EXECUTOR_IO_BYTES: usize = 256 * 1024;

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
            let _ = report.send(Err(BootError::Ring(error)));
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

/// Opens every listening socket that the configuration asks for.
fn open_listeners(config: &Config) -> Result<Vec<Listener>, BootError> {
    let mut listeners = Vec::new();
    let backlog = i32::try_from(config.network.backlog).unwrap_or(i32::MAX);
    if config.network.port != 0 {
        for address in &config.network.bind {
            let address = address.to_string_lossy();
            // A leading dash: fine if this machine has no such address.
            let optional = address.starts_with('-');
            let address = address.trim_start_matches('-').to_owned();
            match bind(&address, config.network.port, backlog) {
                Ok(sockets) => listeners
                    .extend(sockets.into_iter().map(|socket| Listener { socket, unix: false })),
                Err(error) if optional && is_unavailable(&error) => {
                    tracing::debug!("Not listening on {address}: {error}");
                }
                Err(error) => {
                    return Err(BootError::Bind(address, config.network.port, error));
                }
            }
        }
        if listeners.is_empty() {
            let error = io::ErrorKind::AddrNotAvailable.into();
            return Err(BootError::Bind("every address".into(), config.network.port, error));
        }
    }
    if !config.network.unix_socket.is_empty() {
        let path = config.network.unix_socket.as_path();
        let socket = listen_unix(path, config.network.unix_socket_mode, backlog)
            .map_err(|error| BootError::UnixSocket(path.display().to_string(), error))?;
        listeners.push(Listener { socket, unix: true });
    }
    Ok(listeners)
}

/// `*` and `-::*` stand for all addresses of a family.
fn bind(address: &str, port: u16, backlog: i32) -> io::Result<Vec<OwnedFd>> {
    let addresses: Vec<SocketAddr> = match address {
        "*" => vec![SocketAddr::from(([0, 0, 0, 0], port))],
        "::*" => vec![SocketAddr::new(IpAddr::from([0u16; 8]), port)],
        name => (name, port).to_socket_addrs()?.collect(),
    };
    let mut sockets = Vec::new();
    for address in addresses.iter().take(1) {
        sockets.push(bind_with_patience(*address, backlog)?);
    }
    Ok(sockets)
}

fn bind_with_patience(address: SocketAddr, backlog: i32) -> io::Result<OwnedFd> {
    let began = Instant::now();
    loop {
        match net::listen_tcp(address, backlog) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < BIND_RETRY_MAX =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

fn listen_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<OwnedFd> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = net::listen_unix(path, backlog)?;
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(socket)
}

/// Whether an address does not exist on this machine: fine where it was marked with `-`.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported | io::ErrorKind::NotFound
    ) || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Tries what a core thread needs of this machine, and says what was found.
///
/// # Errors
/// What is missing.
pub fn check_system() -> Result<String, BootError> {
    let cpus = crate::life::cpus::allowed();
    let options = RingOptions::default();
    let ring = std::thread::spawn(move || Ring::new(options).map(|ring| ring.descriptor()))
        .join()
        .map_err(|_| BootError::Thread("probing io_uring panicked".into()))?;
    ring.map_err(BootError::Ring)?;
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
