//! The simulated server: its core threads, its clients, its disk.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use config::Config;
use durability::Storage;
use net::{Clock, Inboxes, Peer};

use crate::core::{Core, CoreParts};
use crate::input::registry::Registry;
use crate::life::error::BootError;
use crate::log::file::LogFile;
use crate::log::recovery::Recovery;
use crate::shared::{Identity, Shared};

use super::client::{Client, Ends};
use super::core::{Arrival, SimulatedCore, Step};
use super::file::{Room, SimulatedFile};

/// Where the server seems to listen.
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 6379);

/// The first client's port; the next ones have the next ports.
const FIRST_PORT: u16 = 40_000;

/// What a simulated server is made of, besides its configuration and its disk.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many core threads it has, at least 1. What the configuration says of it is not looked
    /// at.
    pub shards: usize,
    /// What the server's own choices follow from.
    pub seed: u64,
    /// What writes to the log that take only a piece follow from; 0: each takes all.
    pub short_writes: u64,
    /// What shows it the time.
    pub clock: Clock,
}

/// A server in one thread. See the module's text.
pub struct Server {
    pub(crate) cores: Vec<SimulatedCore>,
    clients: Vec<Ends>,
    shared: Arc<Shared>,
    clock: Clock,
    /// How much each shard's log may still take.
    rooms: Vec<Room>,
    /// The lock of its storage, while it lives.
    _lock: Option<Box<dyn std::any::Any>>,
}

impl Server {
    /// A server that recovers what `storage` has, and goes on from there.
    ///
    /// # Errors
    /// As a real server's start: what is in the way.
    pub fn boot<S>(config: Config, options: Options, storage: &S) -> Result<Self, BootError>
    where
        S: Storage + Clone + Sync + 'static,
        S::Lock: 'static,
    {
        let registry = registry();
        let mut recovery = Recovery::open(storage.clone(), &config, options.shards, registry)?;
        let lock = recovery.take_lock().map(|lock| Box::new(lock) as Box<dyn std::any::Any>);
        let mut server = Self::empty(config, options);
        server._lock = lock;
        for (core, recovered) in server.cores.iter_mut().zip(recovery.parts()) {
            // Each shard's own chances.
            let chance = options.short_writes.wrapping_mul(core.core.mail.shard as u64 * 2 + 1);
            let room = server.rooms[core.core.mail.shard].clone();
            recovered.load(&mut core.core, |file| {
                let file = SimulatedFile::new(storage.clone(), file, (chance, room));
                Box::new(file) as Box<dyn LogFile>
            })?;
        }
        Ok(server)
    }

    /// A server without data and without a log.
    pub(crate) fn empty(config: Config, options: Options) -> Self {
        let identity = Identity::new(None, 0);
        let shared = Arc::new(Shared::new(options.shards, config, identity, options.seed | 1));
        let clock = options.clock;
        let (inboxes, ends) = Inboxes::new(options.shards);
        let cores = ends.into_iter().enumerate().map(|(shard, inbox)| {
            let (inboxes, shared) = (Arc::clone(&inboxes), Arc::clone(&shared));
            let registry = registry();
            let parts = CoreParts { shard, inbox, inboxes, shared, registry, clock };
            SimulatedCore::new(Core::new(parts))
        });
        let cores = cores.collect();
        let rooms = (0..options.shards).map(|_| Room::default()).collect();
        Self { cores, clients: Vec::new(), shared, clock, rooms, _lock: None }
    }

    /// A new connection whose home is core thread `home`.
    pub fn connect(&mut self, home: usize) -> Client {
        let port = FIRST_PORT + self.clients.len() as u16;
        let (remote, local) = (SocketAddr::from((LOCAL.0, port)), SocketAddr::from(LOCAL));
        self.shared.count_connection(home);
        let key = self.cores[home].core.handle_accepted(None, Peer::Tcp { remote, local });
        let (slot, by_slot) = (key.token as usize, &mut self.cores[home].clients);
        by_slot.resize(by_slot.len().max(slot + 1), 0);
        by_slot[slot] = self.clients.len();
        self.clients.push(Ends { home, key, received: Vec::new(), open: true });
        Client(self.clients.len() - 1)
    }

    /// The client's address, as CLIENT LIST shows it.
    #[must_use]
    pub fn address(&self, client: Client) -> String {
        format!("127.0.0.1:{}", usize::from(FIRST_PORT) + client.0)
    }

    /// Bytes of a client arrive: its home runs them in the next tick that begins.
    pub fn give(&mut self, client: Client, bytes: &[u8]) {
        let ends = &self.clients[client.0];
        let arrival = Arrival::Bytes(ends.key, bytes.to_vec());
        self.cores[ends.home].arrivals.push_back(arrival);
    }

    /// The client sends nothing more, but still reads.
    pub fn finish_sending(&mut self, client: Client) {
        let ends = &self.clients[client.0];
        self.cores[ends.home].arrivals.push_back(Arrival::Finished(ends.key));
    }

    /// The client goes away.
    pub fn disconnect(&mut self, client: Client) {
        let ends = &self.clients[client.0];
        self.cores[ends.home].arrivals.push_back(Arrival::Gone(ends.key));
    }

    /// What the client was sent since it was last looked at.
    pub fn take(&mut self, client: Client) -> Vec<u8> {
        std::mem::take(&mut self.clients[client.0].received)
    }

    /// Whether the server has not closed the connection, or learnt that it ended.
    #[must_use]
    pub fn is_open(&self, client: Client) -> bool {
        self.clients[client.0].open
    }

    /// How many core threads there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.cores.len()
    }

    /// The step that a core thread takes next.
    #[must_use]
    pub fn next_step(&self, shard: usize) -> Step {
        self.cores[shard].next
    }

    /// A core thread takes its next step, asleep or not.
    pub fn step(&mut self, shard: usize) -> Step {
        let mut wakes = Vec::new();
        let step = self.cores[shard].step(&mut self.clients, &mut wakes);
        for woken in wakes {
            if let Some(until_ms) = &mut self.cores[woken].sleeps_until_ms {
                *until_ms = 0;
            }
        }
        step
    }

    /// A core thread goes on until its tick is over.
    pub fn tick(&mut self, shard: usize) {
        while self.step(shard) != Step::Rest {}
    }

    /// Whether a core thread sleeps, and has no reason to wake up.
    #[must_use]
    pub fn is_asleep(&self, shard: usize) -> bool {
        let core = &self.cores[shard];
        core.next == Step::Reap && core.is_asleep((self.clock.unix_us() / 1000) as i64)
    }

    /// When the first of the sleepers wakes up by itself: unix milliseconds. `None`: none sleeps.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.cores.iter().filter_map(|core| core.sleeps_until_ms).min()
    }

    /// Whether an fsync of a core thread's segment is under way.
    #[must_use]
    pub fn is_syncing(&self, shard: usize) -> bool {
        self.cores[shard].sync.is_some()
    }

    /// The disk does what the fsync under way asks for; its core thread learns of it later.
    pub fn sync(&mut self, shard: usize) {
        let core = &mut self.cores[shard];
        if core.sync.is_some() && core.synced.is_none() {
            core.synced = Some(match core.core.shard.log.sync_file() {
                Ok(()) => 0,
                Err(error) => -error.raw_os_error().unwrap_or(EIO),
            });
        }
    }

    /// The core thread learns that the fsync under way has ended: done now, if it was not before.
    pub fn end_sync(&mut self, shard: usize) {
        self.sync(shard);
        let core = &mut self.cores[shard];
        if let (Some(due), Some(result)) = (core.sync.take(), core.synced.take()) {
            core.arrivals.push_back(Arrival::Synced { token: due.token, result });
        }
    }

    /// How many bytes more a shard's log may take, whatever the others may; `None`: as many as the
    /// storage has room for.
    pub fn set_room(&mut self, shard: usize, bytes: Option<u64>) {
        self.rooms[shard].set(bytes);
    }

    /// The earliest moment that some core thread may still take for the present: unix milliseconds.
    /// A tick's moment is that of its beginning.
    #[must_use]
    pub fn clock_ms(&self) -> i64 {
        let ticking = self.cores.iter().filter(|core| core.next != Step::Reap);
        let now_ms = (self.clock.unix_us() / 1000) as i64;
        ticking.map(|core| core.core.time.unix_ms()).fold(now_ms, i64::min)
    }

    /// How many keys have expired.
    #[must_use]
    pub fn expired_keys(&self) -> u64 {
        self.cores.iter().map(|core| core.core.shard.keyspace.stats().expired).sum()
    }

    /// Whether the log of some shard refuses writes: then replies may show what only memory has.
    #[must_use]
    pub fn refuses_writes(&self) -> bool {
        self.shared.some_log_refuses()
    }
}

/// What a failed fsync is reported as when the storage does not say.
const EIO: i32 = 5;

/// Every command: the same for all simulated servers.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::for_trials)
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("shards", &self.shards()).finish()
    }
}
