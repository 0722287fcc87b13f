//! A core thread: its [`Core`] and the ring that moves bytes in and out of it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use net::{Completion, ReceivedBuffer, Ring};

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::life::ending::Ending;
use crate::message::{Adopted, Purpose};
use crate::output::outgoing::Postponed;
use crate::tick::rest::Experience;

/// One core thread. Lives on the thread that made it.
pub(crate) struct CoreThread {
    pub(crate) ring: Ring,
    pub(crate) core: Core,
    /// What this thread accepts on: all listeners are the first core thread's.
    pub(crate) listeners: Vec<Listener>,
    /// What the ring reported and was not looked at.
    pub(crate) completions: Vec<Completion>,
    /// Buffers received in this tick, in order.
    received: Vec<(u32, ReceivedBuffer)>,
    /// Connections whose receive has to be armed again.
    rearm: Vec<u32>,
    /// Listeners whose accept has to be armed again.
    rearm_accept: Vec<u32>,
    /// When it may be tried again after it failed (no descriptor is left): unix milliseconds. Tried
    /// at once, it would fail at once, and keep the thread busy.
    accept_after_ms: i64,
    /// Outputs that wait for more.
    pub(crate) postponed: Postponed,
    /// Whether outputs were handed to the ring that the kernel has not seen.
    pub(crate) handed_over: bool,
    /// What it has learnt about its rests.
    pub(crate) experience: Experience,
}

/// How long not to accept after it failed.
const ACCEPT_PAUSE_MS: i64 = 100;

/// A listening socket.
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    /// Whether it is the unix socket.
    pub(crate) unix: bool,
}

impl CoreThread {
    pub(crate) fn new(ring: Ring, core: Core, listeners: Vec<Listener>) -> Self {
        let rearm_accept = (0..listeners.len() as u32).collect();
        Self {
            ring,
            core,
            listeners,
            completions: Vec::new(),
            received: Vec::new(),
            rearm: Vec::new(),
            rearm_accept,
            accept_after_ms: 0,
            postponed: Postponed::default(),
            handed_over: false,
            experience: Experience::of_this_thread(),
        }
    }

    /// Takes in what the ring did: sorted into received bytes, which are run after the inbox was
    /// drained, and all the rest, which is dealt with at once.
    pub(crate) fn reap(&mut self) {
        let mut completions = std::mem::take(&mut self.completions);
        self.ring.reap(&mut completions);
        for completion in completions.drain(..) {
            self.handle_completion(completion);
        }
        self.completions = completions;
    }

    pub(crate) fn handle_completion(&mut self, completion: Completion) {
        match completion {
            Completion::Received { token, buffer, more } => {
                self.received.push((token, buffer));
                if !more {
                    self.rearm.push(token);
                }
            }
            Completion::Starved { token } => self.rearm.push(token),
            Completion::Ended { token, result } => self.handle_receive_ended(token, result),
            Completion::Sent { token, result, bytes } => self.handle_sent(token, result, bytes),
            Completion::Accepted { token, result, more } => {
                if !more {
                    self.rearm_accept.push(token);
                }
                self.handle_accepted(token, result);
            }
            Completion::Synced { token, result } => {
                self.core.shard.log.handle_synced(token, result);
            }
            Completion::Woken => {}
        }
    }

    /// Runs the commands in the bytes that came, those that were held back, and a slice of the
    /// background work that is due.
    pub(crate) fn run(&mut self) {
        let mut received = std::mem::take(&mut self.received);
        for (token, buffer) in received.drain(..) {
            self.core.handle_received(token, self.ring.bytes(buffer));
            self.ring.release(buffer);
        }
        self.received = received;
        self.core.resume_held();
        self.core.end_input_of_tick();
        if self.core.ending != Ending::No && !self.listeners.is_empty() {
            self.stop_listening();
        }
        self.core.run_background();
        self.arm();
    }

    /// Arms receives of new connections and of those that ended early, and accepts.
    fn arm(&mut self) {
        for key in std::mem::take(&mut self.core.agenda.arm) {
            if let Some(connection) = self.core.connections.find(key)
                && let Some(stream) = &connection.stream
            {
                self.ring.receive(stream.descriptor(), key.token);
            }
        }
        for token in std::mem::take(&mut self.rearm) {
            if let Some(connection) = self.core.connections.at(token)
                && let Some(stream) = &connection.stream
            {
                self.ring.receive(stream.descriptor(), token);
            }
        }
        if self.rearm_accept.is_empty() || self.core.time.unix_ms() < self.accept_after_ms {
            return;
        }
        for token in std::mem::take(&mut self.rearm_accept) {
            if let Some(listener) = self.listeners.get(token as usize) {
                self.ring.accept(listener.socket.as_raw_fd(), token);
            }
        }
    }

    /// How long accepts that failed are not armed yet; `None`: there are none.
    pub(crate) fn accept_pause(&self) -> Option<Duration> {
        let pause_ms = self.accept_after_ms - self.core.time.unix_ms();
        (!self.rearm_accept.is_empty()).then(|| Duration::from_millis(pause_ms.max(0) as u64))
    }

    fn handle_accepted(&mut self, listener: u32, result: i32) {
        if self.core.ending != Ending::No {
            // The listeners are being closed: what came meanwhile is turned away.
            if result >= 0 {
                drop(net::Stream::from_accepted(result));
            }
            return;
        }
        if result < 0 {
            let error = std::io::Error::from_raw_os_error(-result);
            if self.accept_after_ms == 0 {
                tracing::warn!("Accepting client connection: {error}");
            }
            self.accept_after_ms = self.core.time.unix_ms() + ACCEPT_PAUSE_MS;
            return;
        }
        self.accept_after_ms = 0;
        let Some(unix) = self.listeners.get(listener as usize).map(|it| it.unix) else { return };
        let shard = self.core.shared.place_connection();
        let adopted = Adopted { descriptor: result, unix };
        if shard == self.core.mail.shard {
            self.core.adopt(adopted);
        } else {
            let mut envelope = self.core.mail.envelope();
            envelope.purpose = Purpose::Adopt(adopted);
            self.core.mail.push(shard, envelope);
        }
    }

    /// The receive of a connection has ended: the peer closed (`result` is 0), it failed, or we
    /// shut the socket down. What a peer sent before it closed is still done and, since it may have
    /// closed its own direction only, answered. Otherwise the connection goes once no send is under
    /// way.
    fn handle_receive_ended(&mut self, token: u32, result: i32) {
        // Bytes that came before the end are run first.
        let mut received = std::mem::take(&mut self.received);
        if received.iter().any(|(of, _)| *of == token) {
            for (token, buffer) in received.drain(..) {
                self.core.handle_received(token, self.ring.bytes(buffer));
                self.ring.release(buffer);
            }
        }
        self.received = received;
        let Some(connection) = self.core.connections.at(token) else { return };
        connection.output.receive_ended = true;
        if result == 0 && !connection.session.modes.close_now && connection.is_busy() {
            let key = ConnectionKey { token, generation: connection.generation };
            return self.core.end_input(key);
        }
        connection.session.modes.close_now = true;
        if connection.output.sending.is_none() {
            drop(self.core.handle_ended(token));
        } else if let Some(stream) = &connection.stream {
            stream.shut_down();
        }
    }

    /// The listening sockets are closed: no further connections.
    fn stop_listening(&mut self) {
        for token in 0..self.listeners.len() as u32 {
            self.ring.cancel_accept(token);
        }
        self.listeners.clear();
    }

    /// Writes what this tick logged, and begins an fsync where one is due.
    pub(crate) fn write(&mut self) {
        if let Some(due) = self.core.write_log()
            && let Some(file) = due.descriptor
        {
            self.ring.sync_data(file, due.token);
        }
    }

    /// Lets replies go and wakes who sleeps.
    pub(crate) fn send(&mut self) {
        self.core.release_replies();
        self.flush_outputs();
        self.wake();
        self.submit_outputs();
        self.close_connections();
        // Whom the end of a connection concerns.
        self.wake();
    }

    /// Wakes who sleeps and was sent something.
    fn wake(&mut self) {
        let shared = &self.core.shared;
        for shard in self.core.mail.wakes().drain(..) {
            self.ring.wake(shared.ring_descriptor(shard));
        }
    }

    /// Connections that are no longer wanted are shut down; their ends come as completions. One
    /// whose receive has ended before has no completion to come but that of a send.
    fn close_connections(&mut self) {
        for key in std::mem::take(&mut self.core.agenda.close) {
            let Some(connection) = self.core.connections.find(key) else { continue };
            if let Some(stream) = &connection.stream {
                stream.shut_down();
            }
            if connection.output.receive_ended && connection.output.sending.is_none() {
                drop(self.core.handle_ended(key.token));
            }
        }
    }
}
