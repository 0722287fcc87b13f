//! A server of several core threads in one thread, without sockets: for tests of session commands.
//!
//! [`Fixture::send`] gives bytes to a connection and ticks all core threads in turn until nothing
//! moves any more; what the connection was sent by then is the answer. Messages between the core
//! threads travel through the real inboxes. The log is off, so replies wait for nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use config::Config;
use net::{Clock, Inboxes, Peer};

use crate::clients::connections::ConnectionKey;
use crate::core::{Core, CoreParts};
use crate::input::registry::Registry;
use crate::log::shard_log::DueSync;
use crate::shared::{Identity, Shared};

/// Where the server seems to listen.
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 6379);

/// The first client's port; the next ones have the next ports.
const FIRST_PORT: u16 = 40_000;

/// Turns of all core threads after which something goes round in circles.
const TURNS_MAX: usize = 1000;

/// The server.
pub(crate) struct Fixture {
    pub(crate) cores: Vec<Core>,
    clients: Vec<Ends>,
    /// Fsyncs under way, with the core threads whose they are.
    pub(crate) syncs: Vec<(usize, DueSync)>,
}

/// Names a client of a [`Fixture`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixtureClient(usize);

/// A client's end of its connection.
struct Ends {
    home: usize,
    key: ConnectionKey,
    received: Vec<u8>,
    open: bool,
}

impl Fixture {
    /// A server of so many core threads, configured by default.
    pub(crate) fn new(shards: usize) -> Self {
        Self::with_config(shards, Config::default())
    }

    /// The same, with `requirepass`.
    pub(crate) fn with_password(shards: usize, password: &str) -> Self {
        let mut config = Config::default();
        config.security.password = password.as_bytes().to_vec().into();
        Self::with_config(shards, config)
    }

    /// The same, configured by `config`.
    pub(crate) fn with_config(shards: usize, config: Config) -> Self {
        Self::with_clock(shards, config, Clock::new())
    }

    /// The same, whose time is that of `clock`.
    pub(crate) fn with_clock(shards: usize, config: Config, clock: Clock) -> Self {
        let identity = Identity::new(None, 0);
        let registry = Registry::for_trials().named(&config).expect("commands can be renamed so");
        let registry: &'static Registry = Box::leak(Box::new(registry));
        let shared = Arc::new(Shared::new(shards, config, identity, 1));
        let (inboxes, ends) = Inboxes::new(shards);
        let cores = ends.into_iter().enumerate().map(|(shard, inbox)| {
            let (inboxes, shared) = (Arc::clone(&inboxes), Arc::clone(&shared));
            Core::new(CoreParts { shard, inbox, inboxes, shared, registry, clock })
        });
        Self { cores: cores.collect(), clients: Vec::new(), syncs: Vec::new() }
    }

    /// A new connection whose home is core thread `home`.
    pub(crate) fn connect(&mut self, home: usize) -> FixtureClient {
        let port = FIRST_PORT + self.clients.len() as u16;
        let (remote, local) = (SocketAddr::from((LOCAL.0, port)), SocketAddr::from(LOCAL));
        let key = self.cores[home].handle_accepted(None, Peer::Tcp { remote, local });
        self.clients.push(Ends { home, key, received: Vec::new(), open: true });
        FixtureClient(self.clients.len() - 1)
    }

    /// The client's address, as CLIENT LIST shows it.
    pub(crate) fn address(&self, client: FixtureClient) -> String {
        format!("127.0.0.1:{}", usize::from(FIRST_PORT) + client.0)
    }

    /// Whether the server has not closed the connection.
    pub(crate) fn is_open(&self, client: FixtureClient) -> bool {
        self.clients[client.0].open
    }

    /// Sends a line of words without quotes, as an array of bulk strings; see [`Fixture::send`].
    pub(crate) fn ask(&mut self, client: FixtureClient, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.ask_words(client, &words)
    }

    /// Sends a command of these words.
    pub(crate) fn ask_words(&mut self, client: FixtureClient, words: &[&str]) -> String {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.send(client, bytes.as_bytes())
    }

    /// Sends bytes, lets the server come to rest, and takes what the client was sent.
    pub(crate) fn send(&mut self, client: FixtureClient, bytes: &[u8]) -> String {
        self.give(client, bytes);
        self.settle();
        self.take(client)
    }

    /// Gives bytes to the client's home, as the beginning of a tick.
    pub(crate) fn give(&mut self, client: FixtureClient, bytes: &[u8]) {
        let ends = &self.clients[client.0];
        let core = &mut self.cores[ends.home];
        core.begin_tick();
        core.drain_inbox();
        core.handle_received(ends.key.token, bytes);
    }

    /// The client goes away, as the beginning of a tick.
    pub(crate) fn disconnect(&mut self, client: FixtureClient) {
        let ends = &mut self.clients[client.0];
        ends.open = false;
        let core = &mut self.cores[ends.home];
        core.begin_tick();
        core.drain_inbox();
        drop(core.handle_ended(ends.key.token));
    }

    /// The client sends nothing more, and may be gone.
    pub(crate) fn finish_sending(&mut self, client: FixtureClient) {
        let ends = &self.clients[client.0];
        let core = &mut self.cores[ends.home];
        core.begin_tick();
        core.drain_inbox();
        if let Some(connection) = core.connections.find(ends.key) {
            connection.output.receive_ended = true;
        }
        core.end_input(ends.key);
    }

    /// What the client was sent since it was last looked at.
    pub(crate) fn take(&mut self, client: FixtureClient) -> String {
        let bytes = std::mem::take(&mut self.clients[client.0].received);
        String::from_utf8(bytes).expect("tests of the fixture speak UTF-8")
    }

    /// Ticks all core threads until nothing moves.
    pub(crate) fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            let mut moved = false;
            for home in 0..self.cores.len() {
                moved |= self.tick(home);
            }
            moved |= self.cores.iter().any(|core| !core.mail.inbox.is_empty());
            if !moved {
                return;
            }
        }
        panic!("the server does not come to rest");
    }

    /// A core thread's tick but for its ring. Whether it did anything that others may react to.
    pub(crate) fn tick(&mut self, home: usize) -> bool {
        let core = &mut self.cores[home];
        core.begin_tick();
        let mut moved = !core.mail.inbox.is_empty() || !core.agenda.resume.is_empty();
        moved |= core.bundles.are_open();
        core.drain_inbox();
        core.resume_held();
        core.end_input_of_tick();
        core.agenda.arm.clear();
        moved |= core.release.keeps_messages();
        if let Some(due) = core.write_log() {
            self.syncs.push((home, due));
        }
        let waited = core.release.is_waiting();
        core.release_replies();
        moved |= waited && !core.release.is_waiting();
        moved |= !core.agenda.flush.is_empty();
        for key in std::mem::take(&mut core.agenda.flush) {
            self.flush(home, key);
        }
        let core = &mut self.cores[home];
        for key in std::mem::take(&mut core.agenda.close) {
            moved = true;
            self.cores[home].handle_ended(key.token);
            let ended = self.clients.iter_mut().filter(|it| it.home == home && it.key == key);
            ended.for_each(|it| it.open = false);
        }
        self.cores[home].mail.wakes().clear();
        self.cores[home].count_tick();
        moved
    }

    /// Gives a client what may leave, as `output/outgoing.rs` does.
    fn flush(&mut self, home: usize, key: ConnectionKey) {
        let core = &mut self.cores[home];
        let Some(connection) = core.connections.find(key) else { return };
        connection.output.listed = false;
        let sendable = connection.output.sendable();
        let sent: Vec<u8> = connection.output.bytes.drain(..sendable).collect();
        connection.output.base += sendable as u64;
        let finished = connection.session.modes.close_after_reply
            && connection.output.pending_bytes() == 0
            && connection.pipeline.is_empty();
        if finished {
            core.close(key);
        }
        let receives = self.clients.iter_mut().filter(|it| it.home == home && it.key == key);
        receives.for_each(|it| it.received.extend_from_slice(&sent));
    }
}

#[cfg(test)]
mod tests {
    use super::Fixture;

    #[test]
    fn commands_find_their_shards_and_replies_their_order() {
        let mut server = Fixture::new(3);
        let client = server.connect(1);
        let text = b"SET a 1\r\nSET b 2\r\nPING\r\nMGET a b c\r\nDEL a b\r\n";
        let replies = "+OK\r\n+OK\r\n+PONG\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n";
        assert!(server.send(client, text).starts_with(replies));
    }
}
