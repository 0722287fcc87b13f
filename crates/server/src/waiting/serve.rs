//! First attempts, parking, and serving who waits.

use commands::Wait;
use datatypes::ObjectType;
use net::Envelope;
use resp::{CommandError, Writer};
use spec::Flags;
use table::PayloadRef;

use super::Blocked;
use super::lines::{Number, Parked, Ready, Sought, Who};
use crate::canary::{self, Canary};
use crate::clients::connection::Held;
use crate::core::Core;
use crate::input::dispatch::{Place, Request};
use crate::message::{Client, Message, Origin, Purpose, Work};
use crate::shard::ShardRequest;
use crate::statistics::notable::Ran;
use crate::transaction::Claimed;
use crate::transaction::watchers::live;

/// What became of a waiter that could be served.
enum Served {
    /// It was answered, or waits on: the next in line is to be looked at.
    Next,
    /// Those behind it have to wait, too.
    Later,
}

impl Core {
    /// Runs a connection's command that may wait.
    pub(crate) fn begin_waiting(&mut self, request: &Request<'_>) {
        // What the connection sent before comes before.
        self.send_bundles();
        match self.place(request.command, *request.arguments) {
            Place::One(shard) if shard == self.mail.shard => self.begin_waiting_here(request),
            Place::One(shard) => {
                let envelope = self.message_that_waits(request, shard);
                self.mail.push(shard, envelope);
            }
            Place::Several => self.begin_waiting_apart(request),
        }
    }

    fn begin_waiting_here(&mut self, request: &Request<'_>) {
        self.drain_inbox();
        if self.connections.find(request.key).is_none_or(|it| it.session.modes.close_now) {
            // What came before has closed it: nothing is taken for it.
            return;
        }
        if self.is_command_held(request.command, *request.arguments) {
            let envelope = self.message_that_waits(request, self.mail.shard);
            return self.wait_for_held(envelope);
        }
        self.run_here(request, true);
        if let Some(wait) = self.shard.asked.take() {
            let envelope = self.message_that_waits(request, self.mail.shard);
            self.park(envelope, &wait);
        }
        self.end_unit();
    }

    /// A message with a command that may wait; the connection's further commands are held back.
    fn message_that_waits(&mut self, request: &Request<'_>, shard: usize) -> Envelope<Message> {
        let mut envelope = self.message_for(request);
        envelope.purpose = Purpose::Wait;
        self.mail.under_way += 1;
        if let Some(connection) = self.connections.find(request.key) {
            connection.input.held = Held::Barrier;
            connection.waiting = Some(Box::new(Blocked::on(shard, envelope.work.origin.place)));
        }
        envelope
    }

    /// Tries a command that may wait, or has it wait for keys that are held.
    pub(crate) fn run_waiting(&mut self, mut envelope: Envelope<Message>) {
        let work = &envelope.work;
        if self.is_held(work, &work.commands, None) {
            envelope.purpose = Purpose::Wait;
            return self.wait_for_held(envelope);
        }
        self.run_waiting_now(envelope);
    }

    /// Tries a command that may wait, whose keys nobody holds.
    pub(crate) fn run_waiting_now(&mut self, mut envelope: Envelope<Message>) {
        match self.attempt(&mut envelope.work) {
            None => self.return_waited(envelope, false),
            Some(wait) => self.park(envelope, &wait),
        }
        self.end_unit();
    }

    /// Runs the command of a message. `Some`: it has to wait.
    fn attempt(&mut self, work: &mut Work) -> Option<Box<Wait>> {
        let mut reply = std::mem::take(&mut work.reply);
        let queued = work.commands.first()?;
        if let Err(error) = self.make_room_for(queued.command) {
            self.statistics.count_rejected(Some(queued.number), &error);
            Writer::new(&mut reply, work.client.protocol).error(&error);
            work.reply = reply;
            return None;
        }
        let request = ShardRequest {
            command: queued.command,
            number: queued.number,
            arguments: work.arguments(queued),
            client: Client { db: queued.db, ..work.client },
            now_ms: self.time.unix_ms(),
            counted: !queued.is_shared(),
            may_wait: true,
        };
        let took_ns = self.shard.run(&request, &mut self.statistics, &self.time, &mut reply);
        let waits = self.shard.asked.take();
        if waits.is_none() && self.statistics.is_notable(took_ns) {
            let (home, connection) = (usize::from(work.origin.home), work.origin.connection);
            let (spec, arguments) = (&queued.command.spec, request.arguments);
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
        work.reply = reply;
        waits
    }

    /// Keeps a command here until one of its keys is there, or its wait ends otherwise.
    fn park(&mut self, envelope: Envelope<Message>, wait: &Wait) {
        let work = &envelope.work;
        let Some(queued) = work.commands.first() else { return };
        let (origin, db) = (work.origin, queued.db);
        let keys = wait.keys(work.arguments(queued)).map(Box::from).collect();
        let sought = Sought { db, keys, awaited: wait.until };
        let until_ms = self.end_of(wait);
        let parked = Parked::new(envelope, wait.otherwise, until_ms);
        self.shard.waiting.join(origin, sought, Who::Parked(parked));
        self.shard.want_effects();
        let home = usize::from(origin.home);
        if home == self.mail.shard {
            self.note_parked(origin);
        } else {
            self.mail.call(home, move |core| core.note_parked(origin));
        }
    }

    /// When a wait that begins now ends by itself: unix milliseconds.
    pub(super) fn end_of(&self, wait: &Wait) -> Option<i64> {
        let timeout_ms = i64::try_from(wait.timeout_ms).unwrap_or(i64::MAX);
        (timeout_ms > 0).then(|| self.time.unix_ms().saturating_add(timeout_ms))
    }

    /// A command of one of our connections is parked on its shard: nothing of it is under way.
    fn note_parked(&mut self, origin: Origin) {
        self.mail.under_way -= 1;
        if let Some(connection) = self.connections.find(origin.connection)
            && let Some(blocked) = &mut connection.waiting
        {
            blocked.tried_in_vain |= blocked.place == origin.place;
        }
        self.end_idle_wait(origin.connection);
    }

    /// Sends a command home that does not wait any more.
    pub(super) fn return_waited(&mut self, mut envelope: Envelope<Message>, parked: bool) {
        envelope.purpose = Purpose::Waited { parked };
        self.release.keep_message(envelope);
    }

    /// A command of one of our connections does not wait any more.
    pub(crate) fn handle_waited(&mut self, envelope: Envelope<Message>, parked: bool) {
        if parked {
            // It counted as under way until it was parked.
            self.mail.under_way += 1;
        }
        let key = envelope.work.origin.connection;
        let is_gone = envelope.work.reply.is_empty();
        if let Some(connection) = self.connections.find(key) {
            connection.waiting = None;
            // Who stopped sending while it waited gets no answer, and nothing more is done for it.
            connection.session.modes.close_after_reply |= is_gone;
        }
        self.settle_waited(envelope);
    }

    /// A unit has ended: a command, an EXEC, a settled transaction. Serves who waits for what it
    /// changed.
    #[inline]
    pub(crate) fn end_unit(&mut self) {
        if self.shard.waiting.has_ready() {
            self.serve_waiting();
        }
    }

    #[cold]
    fn serve_waiting(&mut self) {
        // Whoever is served leaves, and whoever waits on has changed nothing: so this ends.
        while let Some(mut ready) = self.shard.waiting.take_ready() {
            while let Some(number) = self.next_to_serve(&ready) {
                match self.serve(&ready, number) {
                    Served::Next => ready.from = number + 1,
                    Served::Later => break,
                }
            }
        }
        self.shard.want_effects();
    }

    /// Who is to be served next in a line: nobody where the key is not what anybody there awaits.
    /// A key that is held is looked at later.
    fn next_to_serve(&mut self, ready: &Ready) -> Option<Number> {
        if !self.shard.waiting.has_line(ready) {
            return None;
        }
        let hash = self.shard.keyspace.hash(&ready.key).to_bits();
        if self.is_claimed(&[hash], ready) {
            if !canary::is_out(Canary::ForgottenLine) {
                self.postpone(ready.clone());
            }
            return None;
        }
        let now_ms = self.time.unix_ms();
        let record = live(&self.shard.keyspace, ready.db, &ready.key, now_ms);
        let held = record.map(|record| match record.payload() {
            PayloadRef::Bytes(_) | PayloadRef::Int(_) => ObjectType::String,
            PayloadRef::Object(object) => object.object_type(),
        });
        self.shard.waiting.next_in_line(ready, held)
    }

    fn serve(&mut self, ready: &Ready, number: Number) -> Served {
        let Some(waiter) = self.shard.waiting.waiter(number) else { return Served::Next };
        let parked = match &mut waiter.who {
            Who::Parked(parked) => parked,
            Who::Apart { called } => {
                if !std::mem::replace(called, true) {
                    let origin = waiter.origin;
                    let home = usize::from(origin.home);
                    self.mail.call(home, move |core| core.handle_called(origin));
                }
                return Served::Later;
            }
        };
        let Some(mut envelope) = parked.envelope.take() else { return Served::Next };
        let flags = envelope.work.commands.first().map_or(Flags::NONE, |it| it.command.spec.flags);
        let claimed = self.keys_of(&envelope.work);
        let is_claimed = self.is_claimed(&claimed, ready);
        let is_paused = self.pause.holds(self.time.unix_ms(), flags);
        let waits = if is_claimed || is_paused {
            true
        } else if let Err(error) = self.may_run_again(flags) {
            let work = &mut envelope.work;
            Writer::new(&mut work.reply, work.client.protocol).error(&error);
            let number = work.commands.first().map(|queued| queued.number);
            self.statistics.count_rejected(number, &error);
            false
        } else {
            self.attempt(&mut envelope.work).is_some()
        };
        if !waits {
            self.shard.waiting.leave(number);
            self.return_waited(envelope, true);
            return Served::Next;
        }
        if let Some(waiter) = self.shard.waiting.waiter(number)
            && let Who::Parked(parked) = &mut waiter.who
        {
            parked.envelope = Some(envelope);
        }
        if is_claimed {
            self.postpone(Ready { from: number, ..ready.clone() });
            return Served::Later;
        }
        // A pause lets all lines be looked at when it ends.
        if is_paused { Served::Later } else { Served::Next }
    }

    /// What a command that waited is refused for, as at its first attempt.
    pub(super) fn may_run_again(&self, flags: Flags) -> Result<(), CommandError> {
        if flags.has(Flags::WRITE) {
            crate::input::admission::log_takes_writes(self)?;
        }
        Ok(())
    }

    /// Hashes of the keys that a command which may wait uses: it has some.
    fn keys_of(&self, work: &Work) -> Vec<u64> {
        match self.claimed_by(work) {
            Claimed::Keys(keys) => keys.into_vec(),
            Claimed::Everything => Vec::new(),
        }
    }

    /// Whether somebody claims one of these keys for whom a line has to wait.
    fn is_claimed(&self, keys: &[u64], ready: &Ready) -> bool {
        let holds = &self.shard.holds;
        let is_older = |key: &u64| !ready.granted.contains(key);
        !holds.is_idle() && keys.iter().filter(|key| is_older(key)).any(|key| holds.claims(*key))
    }

    /// Has a line looked at once nobody older claims any key of those who stand in it. All of them
    /// may be served then: whoever comes meanwhile, for any of their keys, comes after them.
    fn postpone(&mut self, ready: Ready) {
        if !self.shard.waiting.postpone(&ready) {
            return;
        }
        let mut keys = vec![self.shard.keyspace.hash(&ready.key).to_bits()];
        for envelope in self.shard.waiting.parked_in(&ready) {
            keys.append(&mut self.keys_of(&envelope.work));
        }
        keys.sort_unstable();
        keys.dedup();
        let Ready { db, key, .. } = ready;
        let claimed = Claimed::Keys(keys.iter().copied().collect());
        self.call_unclaimed(claimed, move |core| {
            core.shard.waiting.resume(db, key, keys);
            core.end_unit();
        });
    }

    /// A pause has ended: serves who could not be served meanwhile.
    pub(crate) fn serve_all_waiting(&mut self) {
        if !self.shard.waiting.is_empty() {
            self.shard.waiting.make_all_ready();
            self.end_unit();
        }
        self.attempt_all_apart();
    }
}
