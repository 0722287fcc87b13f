//! A core thread without its operating system: a state machine.
//!
//! Bytes and connections go in ([`Core::handle_accepted`], [`Core::handle_received`],
//! [`Core::handle_ended`]), messages come through the inbox ([`Core::drain_inbox`]), and what is to
//! be sent stands in the connections' outputs afterwards. It knows no ring and no socket call; time
//! is what [`Core::begin_tick`] was told. So the simulator can drive the very same code.

use std::sync::Arc;

use commands::ShardPlace;
use keyspace::Keyspace;
use net::{Clock, Envelope, Inbox, Inboxes, Peer, Stream};

#[cfg(any(test, feature = "simulation"))]
use crate::canary::{self, Canary};
use crate::clients::connection::{Connection, Held};
use crate::clients::connections::{ConnectionKey, Connections};
use crate::clients::pause::Pause;
use crate::clients::session::Session;
use crate::input::parsed::Parsed;
use crate::input::registry::Registry;
use crate::life::ending::Ending;
use crate::memory::heap::Heap;
use crate::memory::kept::KEPT_BYTES_MAX;
use crate::message::bundle::Bundles;
use crate::message::gathering::Gatherings;
use crate::message::mail::Mail;
use crate::message::{Adopted, Message, Purpose};
use crate::output::release::Release;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::shared::Shared;
use crate::statistics::Statistics;
use crate::tick::background::Background;
use crate::tick::crowd::Crowd;
use crate::tick::time::Time;
use crate::transaction::{Guests, HeldTransactions, Spare};
use crate::waiting::End;

/// A core thread's state.
pub(crate) struct Core {
    /// The part of the keyspace that this thread owns.
    pub(crate) shard: Shard,
    /// The connections whose home this is.
    pub(crate) connections: Connections,
    /// How many connections are busy, and with how many stages.
    pub(crate) crowd: Crowd,
    /// Inbox, other inboxes, boxes.
    pub(crate) mail: Mail,
    /// Every command by name.
    pub(crate) registry: &'static Registry,
    /// The configuration, as of the last CONFIG SET that reached this thread.
    pub(crate) settings: Settings,
    /// What the tick was told about time.
    pub(crate) time: Time,
    /// What all core threads share.
    pub(crate) shared: Arc<Shared>,
    /// Counters of this thread.
    pub(crate) statistics: Statistics,
    /// Replies that wait for the log.
    pub(crate) release: Release,
    /// Answers that all core threads contribute to.
    pub(crate) gatherings: Gatherings,
    /// Transactions of our connections that hold their keys.
    pub(crate) held: HeldTransactions,
    /// What transactions that are over leave for the next.
    pub(crate) spare: Spare,
    /// Where commands of held transactions run, on values of several shards.
    pub(crate) guests: Guests,
    /// Scratch for the commands of one piece of input.
    pub(crate) parsed: Parsed,
    /// Pieces of input so far, of all connections.
    pub(crate) inputs: u64,
    /// What is to be done for connections in this tick.
    pub(crate) agenda: Agenda,
    /// The messages that collect this tick's commands for shards.
    pub(crate) bundles: Bundles,
    /// Scratch for one reply.
    pub(crate) reply: Vec<u8>,
    /// CLIENT PAUSE.
    pub(crate) pause: Pause,
    /// What this thread has from the allocator.
    pub(crate) heap: Heap,
    /// Periodic and left-over work.
    pub(crate) background: Background,
    /// How far the server's end has come.
    pub(crate) ending: Ending,
    /// Connections that are shown every command (MONITOR).
    pub(crate) monitors: Vec<ConnectionKey>,
}

/// Connections with something to be done.
#[derive(Default)]
pub(crate) struct Agenda {
    /// With output to be sent.
    pub(crate) flush: Vec<ConnectionKey>,
    /// Whose held-back commands may run now.
    pub(crate) resume: Vec<ConnectionKey>,
    /// To be closed.
    pub(crate) close: Vec<ConnectionKey>,
    /// New, to be armed for receiving.
    pub(crate) arm: Vec<ConnectionKey>,
}

/// What a core is made of.
pub(crate) struct CoreParts {
    pub(crate) shard: usize,
    pub(crate) inbox: Inbox<Message>,
    pub(crate) inboxes: Arc<Inboxes<Message>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: &'static Registry,
    pub(crate) clock: Clock,
}

impl Core {
    /// A tick begins.
    pub(crate) fn begin_tick(&mut self) {
        self.time.advance();
        self.statistics.ticks.begin(self.time.now_ns());
        self.shard.keyspace.tick(self.time.unix_ms());
        self.end_due_waits();
    }

    /// A core with nothing in it.
    pub(crate) fn new(parts: CoreParts) -> Self {
        let CoreParts { shard, inbox, inboxes, shared, registry, clock } = parts;
        let settings = Settings::of(&shared.config());
        let place = ShardPlace { index: shard, count: inboxes.len() };
        let hasher = table::Hasher::new(shared.hash_seed);
        let databases = settings.limits.databases as usize;
        let mut keyspace = Keyspace::new(databases, hasher, settings.keyspace);
        keyspace.seed(shared.random());
        let statistics = Statistics::new(registry.count(), &settings, Arc::clone(&shared));
        Self {
            shard: Shard::new(keyspace, place, settings.commands),
            connections: Connections::default(),
            crowd: Crowd::default(),
            bundles: Bundles::new(inboxes.len()),
            mail: Mail::new(shard, inbox, inboxes),
            registry,
            settings,
            time: Time::new(clock),
            shared,
            statistics,
            release: Release::default(),
            gatherings: Gatherings::default(),
            held: HeldTransactions::default(),
            spare: Spare::default(),
            guests: Guests::default(),
            parsed: Parsed::default(),
            inputs: 0,
            agenda: Agenda::default(),
            reply: Vec::new(),
            pause: Pause::default(),
            background: Background::default(),
            ending: Ending::default(),
            monitors: Vec::new(),
            heap: Heap::of_this_thread(),
        }
    }

    /// A connection was accepted here or handed over by the core thread that accepted it.
    pub(crate) fn handle_accepted(&mut self, stream: Option<Stream>, peer: Peer) -> ConnectionKey {
        let id = self.shared.next_client_id();
        let open = !self.settings.password_required();
        let session = Session::new(id, peer, open, self.time.unix_ms());
        let key = self.connections.insert(Connection::new(stream, session));
        self.statistics.counters.clients.received += 1;
        self.agenda.arm.push(key);
        key
    }

    /// Bytes came on a connection.
    pub(crate) fn handle_received(&mut self, token: u32, bytes: &[u8]) {
        let now_ms = self.time.unix_ms();
        let Some(connection) = self.connections.at(token) else { return };
        let modes = connection.session.modes;
        if modes.close_now || modes.close_after_reply || self.ending != Ending::No {
            return;
        }
        if connection.session.activity.last_ms != now_ms {
            connection.session.activity.last_ms = now_ms;
            self.crowd.add(now_ms);
        }
        connection.session.activity.bytes_in += bytes.len() as u64;
        self.statistics.counters.traffic.input_bytes += bytes.len() as u64;
        self.statistics.counters.traffic.reads += 1;
        let key = ConnectionKey { token, generation: connection.generation };
        if connection.input.pending.is_empty() {
            let consumed = self.consume(key, bytes);
            self.keep_input(key, &bytes[consumed..]);
        } else {
            connection.input.pending.reserve(bytes.len().max(connection.input.parser.needed()));
            connection.input.pending.extend_from_slice(bytes);
            if connection.input.held == Held::No {
                self.consume_pending(key);
            }
            self.keep_input(key, &[]);
        }
    }

    /// Nothing more comes on a connection: it goes once all that came is done and answered.
    pub(crate) fn end_input(&mut self, key: ConnectionKey) {
        // A command is run that came before; but nobody waits for who may be gone.
        self.end_idle_wait(key);
        let Some(connection) = self.connections.find(key) else { return };
        if connection.input.held == Held::No {
            connection.session.modes.close_after_reply = true;
            self.list_for_flush(key);
        }
    }

    /// Runs what is whole in a connection's pending input.
    pub(crate) fn consume_pending(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let input = &mut connection.input;
        let mut pending = std::mem::take(&mut input.pending);
        let mut consumed = std::mem::take(&mut input.consumed);
        consumed += self.consume(key, &pending[consumed..]);
        let Some(connection) = self.connections.find(key) else { return };
        if consumed == pending.len() {
            if pending.capacity() > KEPT_BYTES_MAX {
                // What a value of 100 MB came in takes as long to free as the value itself.
                self.shard.keyspace.doomed_mut().push_bytes(std::mem::take(&mut pending));
            }
            pending.clear();
            consumed = 0;
        } else if consumed > pending.len() / 2 {
            if pending.capacity() > KEPT_BYTES_MAX {
                let rest = pending[consumed..].to_vec();
                self.shard.keyspace.doomed_mut().push_bytes(std::mem::replace(&mut pending, rest));
            } else {
                pending.drain(..consumed);
            }
            consumed = 0;
        }
        connection.input.consumed = consumed;
        connection.input.pending = pending;
    }

    /// Keeps the beginning of a command for later, within `client-query-buffer-limit`.
    fn keep_input(&mut self, key: ConnectionKey, rest: &[u8]) {
        let limit = self.settings.limits.query_buffer_bytes_max;
        let Some(connection) = self.connections.find(key) else { return };
        if connection.session.modes.close_now {
            return;
        }
        connection.input.pending.extend_from_slice(rest);
        if connection.input.waiting_bytes() as u64 > limit {
            self.refuse_input(key);
        }
    }

    /// Closes a connection whose waiting commands take more than `client-query-buffer-limit`.
    pub(crate) fn refuse_input(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        tracing::warn!(
            "Closing client that reached max query buffer length: {}",
            crate::clients::describe::client(&connection.session)
        );
        self.statistics.counters.clients.query_buffer_limit += 1;
        self.close(key);
    }

    /// The peer closed, or the connection failed.
    pub(crate) fn handle_ended(&mut self, token: u32) -> Option<Box<Connection>> {
        // Once it is gone nothing of it takes effect any more.
        self.send_bundles();
        if let Some(connection) = self.connections.at(token)
            && connection.session.multi.executing
        {
            // Its EXEC runs to its end, in its session; `end_held` comes here again.
            connection.stream = None;
            connection.ended = true;
            connection.session.modes.close_now = true;
            return None;
        }
        if let Some(connection) = self.connections.at(token) {
            let key = ConnectionKey { token, generation: connection.generation };
            self.end_wait(key, End::Gone, None);
        }
        let mut connection = self.connections.remove(token)?;
        let unread = std::mem::take(&mut connection.input.pending);
        self.shard.keyspace.doomed_mut().push_bytes(unread);
        self.end_watching(connection.session.multi.take_watching());
        self.shared.client_gone(self.mail.shard);
        Some(connection)
    }

    /// Runs all that other core threads have handed over. To be called before a local command runs
    /// whenever the inbox is not empty: what entered it took effect before that command.
    pub(crate) fn drain_inbox(&mut self) {
        while !self.mail.inbox.is_empty() {
            let batch = self.mail.inbox.take();
            #[cfg(any(test, feature = "simulation"))]
            if canary::is_out(Canary::Lanes) {
                let mut lanes: Vec<_> = batch.collect();
                lanes.sort_by_key(|message| message.work.origin.home);
                lanes.into_iter().for_each(|envelope| self.handle_message(envelope));
                continue;
            }
            for envelope in batch {
                self.handle_message(envelope);
            }
        }
    }

    pub(crate) fn handle_message(&mut self, mut envelope: Envelope<Message>) {
        match std::mem::take(&mut envelope.purpose) {
            Purpose::Run => self.run_bundle(envelope),
            Purpose::Replies => self.handle_replies(envelope),
            Purpose::Wait => self.run_waiting(envelope),
            Purpose::Waited { parked } => self.handle_waited(envelope, parked),
            Purpose::Adopt(adopted) => {
                self.mail.recycle(envelope);
                self.adopt(adopted);
            }
            Purpose::Call(call) => {
                drop(envelope);
                call(self);
            }
            Purpose::LedgerMoved => {
                self.mail.recycle(envelope);
                self.shard.log.listen(&self.shared.ledger());
            }
        }
    }

    /// The reply for a place of a connection's pipeline is here.
    pub(crate) fn settle_place(&mut self, key: ConnectionKey, place: u64, reply: &[u8]) {
        let Some(connection) = self.connections.find(key) else { return };
        let (pipeline, output) = (&mut connection.pipeline, &mut connection.output.bytes);
        pipeline.settle_bytes(place, reply, output);
        self.note_settled(key);
    }

    /// After something settled in a connection's pipeline: list it for what follows from that.
    pub(crate) fn note_settled(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let resumes = match connection.input.held {
            Held::PipelineFull => connection.pipeline.has_room(),
            Held::Barrier => connection.pipeline.is_empty(),
            Held::No | Held::Paused | Held::Due => false,
        };
        if resumes {
            connection.input.held = Held::Due;
            self.agenda.resume.push(key);
        }
        self.list_for_flush(key);
    }

    /// Remembers that a connection has output, or is to be closed once it has none.
    #[inline]
    pub(crate) fn list_for_flush(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let ends = connection.session.modes.close_after_reply;
        if !connection.output.listed && (ends || !connection.output.bytes.is_empty()) {
            connection.output.listed = true;
            self.agenda.flush.push(key);
        }
    }

    /// Marks a connection to be closed at the end of the tick.
    pub(crate) fn close(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        if !connection.session.modes.close_now {
            connection.session.modes.close_now = true;
            self.agenda.close.push(key);
            // From now on nothing is taken for it.
            self.end_wait(key, End::Gone, None);
        }
    }

    /// Runs commands of connections that were held back.
    pub(crate) fn resume_held(&mut self) {
        while let Some(key) = self.agenda.resume.pop() {
            if let Some(connection) = self.connections.find(key)
                && connection.input.held == Held::Due
            {
                connection.input.held = Held::No;
            }
            if self.ending == Ending::No {
                self.consume_pending(key);
                let ended = |connection: &mut Connection| connection.output.receive_ended;
                if self.connections.find(key).is_some_and(ended) {
                    self.end_input(key);
                }
            }
        }
    }

    pub(crate) fn adopt(&mut self, adopted: Adopted) {
        let stream = Stream::from_accepted(adopted.descriptor);
        let path = if adopted.unix { self.settings.unix_path() } else { String::new() };
        let peer = stream.peer(&path);
        crate::input::admission::welcome(self, stream, peer);
    }
}
