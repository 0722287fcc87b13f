//! A transaction that holds its keys, as its home drives it.
//!
//! ```text
//! home                               participants
//! claim (markers, push_all)      ->  hold the keys, check WATCH, lend what the first command needs
//! run what depends on it         <-  values
//! take back, run, lend ...       ->  as often as there are commands that need keys together
//! take back, run, settle         ->  log one part each, let go of the keys
//! reply                          <-  once each part is written
//! ```
//!
//! RENAME over shards takes two hops; an EXEC that only has to check its WATCH on several shards
//! does, too: claim, then run and settle.

use commands::{Across, ShardCommand, Wait};
use durability::{Participants, TransactionId};
use net::Envelope;
use resp::{Arguments, CommandError, Span, Writer};
use spec::{Flags, KeyFlags, shard_of_slot, slot_of};

use super::gather::{Gather, Outline, Piece};
use super::holds::Claimed;
use super::lend::{Lent, Loan};
use super::numbers::NumberMap;
use super::plan::{Plan, Planned};
use super::stage::Stage;
use super::{Part, Sender};
use crate::core::Core;
use crate::input::dispatch::Place;
use crate::input::registry::Entry;
use crate::message::gathering::Target;
use crate::message::{Client, Message, Origin};
use crate::transaction::watchers::Watcher;
use crate::waiting::Lining;

/// The held transactions that connections of this core thread began.
pub(crate) type HeldTransactions = NumberMap<TransactionId, Box<Held>>;

/// What a held transaction is to do.
pub(crate) struct HeldPlan {
    sender: Sender,
    /// Whether the replies become an array: EXEC.
    framed: bool,
    pub(crate) commands: Vec<HeldCommand>,
    /// Whose watches are to be checked first, and on which shards.
    pub(crate) watcher: Option<(Watcher, Vec<u16>)>,
    /// The place in its connection's pipeline of a command that may wait for keys: its only one.
    pub(crate) waits: Option<u64>,
}

/// A command of a held transaction.
pub(crate) enum HeldCommand {
    /// Runs on shards.
    Shard(Owned),
    /// Runs at home.
    Session(&'static Entry, OwnedArguments),
}

/// A command's arguments, kept.
#[derive(Clone)]
pub(crate) struct OwnedArguments {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
}

/// A shard command, kept.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) command: &'static ShardCommand,
    pub(crate) number: u16,
    pub(crate) arguments: OwnedArguments,
}

/// A held transaction under way.
pub(crate) struct Held {
    id: TransactionId,
    /// The moment of all that it does, unix milliseconds.
    now_ms: i64,
    plan: HeldPlan,
    place: u64,
    /// The shards that take part.
    shards: Vec<usize>,
    /// The next command to run.
    next: usize,
    /// The stage under way: its parts, and the replies of its commands.
    stage: Gather,
    /// Whether it is the one that settles.
    settling: bool,
    /// The replies so far. Of a command that waits: its answer, if its wait ends before this has.
    replies: Vec<u8>,
    /// A watched key was touched, or the wait it was to end has ended: nothing runs.
    dirty: bool,
    /// Its command found nothing, and waits.
    wait: Option<Box<Wait>>,
    /// Why a part of it is not in the log.
    refused: Option<CommandError>,
}

impl OwnedArguments {
    pub(crate) fn of(arguments: Arguments<'_>) -> Self {
        Self { bytes: arguments.bytes().into(), spans: arguments.spans().into() }
    }

    pub(crate) fn get(&self) -> Arguments<'_> {
        Arguments::new(&self.bytes, &self.spans)
    }
}

impl Owned {
    pub(crate) fn of(planned: &Planned<'_>) -> Self {
        let Planned { command, number, arguments, .. } = *planned;
        Self { command, number, arguments: OwnedArguments::of(arguments) }
    }

    pub(crate) fn arguments(&self) -> Arguments<'_> {
        self.arguments.get()
    }

    fn planned(&self, client: Client) -> Planned<'_> {
        let arguments = self.arguments();
        Planned { command: self.command, number: self.number, arguments, client }
    }
}

impl HeldPlan {
    pub(crate) fn new(sender: Sender, framed: bool) -> Self {
        Self { sender, framed, commands: Vec::new(), watcher: None, waits: None }
    }

    /// As whom it runs.
    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    fn has_session_commands(&self) -> bool {
        self.commands.iter().any(|command| matches!(command, HeldCommand::Session(..)))
    }

    fn shard_commands(&self) -> impl Iterator<Item = &Owned> {
        self.commands.iter().filter_map(|command| match command {
            HeldCommand::Shard(owned) => Some(owned),
            HeldCommand::Session(..) => None,
        })
    }
}

impl Core {
    /// Claims the keys of a held transaction, on all its shards as one step.
    pub(crate) fn begin_held(&mut self, plan: HeldPlan) {
        let Some(connection) = self.connections.find(plan.sender.key) else { return };
        let place = match plan.waits {
            Some(place) => place,
            None => connection.pipeline.open(plan.sender.silent),
        };
        let id = self.shard.log.next_transaction(self.mail.shard as u16);
        let now_ms = self.time.unix_ms();
        let mut claims = self.claims_of(&plan);
        if let Some((_, watched)) = &plan.watcher {
            for shard in watched {
                claims[usize::from(*shard)].get_or_insert_with(|| Claimed::Keys(Vec::new()));
            }
        }
        let shards: Vec<usize> =
            (0..claims.len()).filter(|shard| claims[*shard].is_some()).collect();
        let mut loans = match plan.commands.first() {
            Some(HeldCommand::Shard(owned)) if self.is_owned_dependent(owned) => {
                self.loans_of(owned, plan.sender.client.db)
            }
            _ => Vec::new(),
        };
        let protocol = plan.sender.client.protocol;
        let stage = Gather::new(protocol, Outline::default(), shards.len(), 0);
        for (index, shard) in shards.iter().enumerate() {
            let mut stage = Stage::new(id, now_ms);
            stage.begins = true;
            stage.claim = claims[*shard].take();
            stage.loans = take_of(&mut loans, *shard);
            let mut envelope = self.stage_message(&plan.sender, stage, index);
            let watcher = plan.watcher.as_ref();
            envelope.work.watcher = watcher
                .filter(|(_, watched)| watched.contains(&(*shard as u16)))
                .map(|(watcher, _)| *watcher);
            self.mail.add_marker(*shard, envelope);
        }
        self.mail.under_way += shards.len();
        self.mail.push_markers();
        let held = Held {
            id,
            now_ms,
            plan,
            place,
            shards,
            next: 0,
            stage,
            settling: false,
            replies: Vec::new(),
            dirty: false,
            wait: None,
            refused: None,
        };
        self.held.insert(id, Box::new(held));
        self.advance_held(id);
    }

    /// A stage came back from a shard.
    pub(crate) fn handle_stage(&mut self, id: TransactionId, envelope: Envelope<Message>) {
        let Some(held) = self.held.get_mut(&id) else { return self.mail.recycle(envelope) };
        held.stage.add(envelope);
        self.advance_held(id);
    }

    /// The answer to a question that a command of a held transaction asks.
    pub(crate) fn handle_held_answer(&mut self, id: TransactionId, piece: usize, reply: Vec<u8>) {
        if let Some(held) = self.held.get_mut(&id) {
            held.stage.add_answer(piece, reply);
        }
        self.advance_held(id);
    }

    /// Goes on once everything of the stage under way is here.
    fn advance_held(&mut self, id: TransactionId) {
        if !self.held.get(&id).is_some_and(|held| held.stage.is_complete()) {
            return;
        }
        let Some(mut held) = self.held.remove(&id) else { return };
        held.dirty |= held.stage.is_dirty();
        let replies = &mut held.replies;
        held.stage.each(|reply| replies.extend_from_slice(reply));
        let mut lent = Vec::new();
        for mut envelope in held.stage.take_envelopes() {
            if let Some(stage) = &mut envelope.work.stage {
                lent.append(&mut stage.lent);
                if stage.refused.is_some() {
                    held.refused = stage.refused.take();
                }
            }
            self.mail.recycle(envelope);
        }
        if held.settling {
            return self.end_held(&held);
        }
        let mut back = Vec::new();
        let key = held.plan.sender.key;
        let is_attempt = held.plan.waits.is_some();
        if is_attempt && !self.still_waits(key, held.place) {
            held.dirty = true;
        }
        if held.dirty {
            held.next = held.plan.commands.len();
            back = lent.into_iter().filter(|lent| !lent.loan.copy).collect();
        } else if let Some(HeldCommand::Shard(command)) = held.plan.commands.get(held.next)
            && self.is_owned_dependent(command)
        {
            // Whatever stage comes before such a command lends what it needs.
            let how = (command, &held.plan.sender, held.now_ms);
            back = self.run_on_lent(how, is_attempt, lent, &mut held.replies);
            held.next += 1;
            if is_attempt {
                held.wait = self.shard.asked.take();
                self.note_attempt(key, id, held.wait.as_deref());
                if held.wait.is_some() && !self.still_waits(key, held.place) {
                    // It ended in that moment: what it would join it has left already.
                    (held.wait, held.dirty) = (None, true);
                }
            }
        }
        self.send_stage(held, back);
    }

    /// Sends the next stage: what comes back to its owners, the commands up to the next one that
    /// needs keys together, and what is lent for that; or the end.
    fn send_stage(&mut self, mut held: Box<Held>, mut back: Vec<Lent>) {
        let id = held.id;
        let mut plan = Plan::default();
        plan.begin_messages(self.mail.shards());
        let mut loans = Vec::new();
        let mut asks = false;
        while let Some(command) = held.plan.commands.get(held.next).filter(|_| !asks) {
            match command {
                HeldCommand::Shard(owned) if self.is_owned_dependent(owned) => {
                    loans = self.loans_of(owned, held.plan.sender.client.db);
                    break;
                }
                HeldCommand::Shard(owned) => {
                    let place = held.place_of(self.place(owned.command, owned.arguments()));
                    self.plan(&mut plan, &owned.planned(held.plan.sender.client), place);
                }
                // What it asks for must show what the commands before it did.
                HeldCommand::Session(..) if !plan.parts.is_empty() || !back.is_empty() => break,
                HeldCommand::Session(entry, arguments) => {
                    let target = Target::Held { id, piece: plan.outline.pieces.len() };
                    let key = held.plan.sender.key;
                    let piece =
                        crate::commands::run_in_exec(self, key, entry, arguments.get(), target);
                    // What comes after it, the end included, must not be seen by it.
                    asks = matches!(piece, Piece::Asked);
                    plan.outline.pieces.push(piece);
                    // SELECT, say, is for the commands after it.
                    if let Some(connection) = self.connections.find(key) {
                        held.plan.sender.client = connection.session.client;
                    }
                }
            }
            held.next += 1;
        }
        held.settling = held.next == held.plan.commands.len() && !asks;
        let client = held.plan.sender.client;
        let concerned: Vec<usize> = held
            .shards
            .iter()
            .copied()
            .filter(|shard| {
                held.settling
                    || back.iter().any(|lent| self.owner(&lent.loan) == *shard)
                    || loans.iter().any(|(owner, _)| owner == shard)
            })
            .collect();
        for shard in concerned {
            self.part_on(&mut plan, shard, client);
        }
        let writers = held.writers();
        let Plan { parts, outline, .. } = plan;
        held.stage = Gather::new(client.protocol, outline, parts.len(), self.shared.random());
        self.mail.under_way += parts.len();
        let messages = parts.into_iter().filter_map(|part| Some((part.shard, part.envelope?)));
        for (index, (shard, mut envelope)) in messages.enumerate() {
            let mut stage = Stage::new(id, held.now_ms);
            let own = back.extract_if(.., |lent| self.owner(&lent.loan) == shard);
            stage.back = own.collect();
            stage.loans = take_of(&mut loans, shard);
            stage.settle = held.settling.then_some(writers);
            stage.lining = self.lining_of(&held, shard);
            address(&mut envelope, &held.plan.sender, stage, index, self.mail.shard);
            self.mail.add_marker(shard, envelope);
        }
        self.held.insert(id, held);
        self.mail.push_markers();
        self.advance_held(id);
    }

    /// All parts are settled: the reply takes its place.
    fn end_held(&mut self, held: &Held) {
        let sender = &held.plan.sender;
        if held.plan.waits.is_some() && (held.dirty || held.wait.is_some()) {
            // Its wait goes on, or was answered when it ended; or is answered now.
            if !held.replies.is_empty() {
                self.settle_place(sender.key, held.place, held.replies.clone());
            }
            return;
        }
        let mut reply = Vec::new();
        let mut writer = Writer::new(&mut reply, sender.client.protocol);
        if let Some(error) = &held.refused {
            writer.error(error);
        } else if held.dirty {
            writer.null_array();
        } else {
            if held.plan.framed {
                writer.array(held.plan.commands.len());
            }
            writer.raw(&held.replies);
        }
        self.settle_place(sender.key, held.place, reply);
        if !held.plan.has_session_commands() {
            // An EXEC behind this one may have.
            return;
        }
        let Some(connection) = self.connections.find(sender.key) else { return };
        connection.session.multi.executing = false;
        if connection.ended {
            drop(self.handle_ended(sender.key.token));
        }
    }

    /// Has an attempt of a command that waits answer it, as soon as it has settled: what it saw is
    /// written then. The reply comes back if it has.
    pub(crate) fn answer_settled(&mut self, id: TransactionId, reply: Vec<u8>) -> Option<Vec<u8>> {
        let Some(held) = self.held.get_mut(&id) else { return Some(reply) };
        held.replies = reply;
        None
    }

    /// What an attempt of a command that may wait changes in the lines of a shard, as it settles.
    fn lining_of(&self, held: &Held, shard: usize) -> Option<Lining> {
        let (Some(place), true) = (held.plan.waits, held.settling) else { return None };
        let Some(HeldCommand::Shard(command)) = held.plan.commands.first() else { return None };
        let Sender { key, client, .. } = held.plan.sender;
        let origin = Origin { home: self.mail.shard as u16, connection: key, place, part: 0 };
        Some(self.lining_on(shard, origin, command, (client.db, held.wait.as_deref())))
    }

    /// What each shard has to hold, if anything.
    fn claims_of(&self, plan: &HeldPlan) -> Vec<Option<Claimed>> {
        let shards = self.mail.shards();
        let mut claims: Vec<Option<Claimed>> = vec![None; shards];
        for owned in plan.shard_commands() {
            let arguments = owned.arguments();
            let mut keys = 0;
            let argument = |at: usize| &arguments[at];
            let spec = &owned.command.spec;
            let visited = spec.each_key(arguments.len(), &argument, &mut |at, _| {
                keys += 1;
                let key = &arguments[at];
                let hash = self.shard.keyspace.hash(key).to_bits();
                let claim = &mut claims[shard_of_slot(slot_of(key), shards)];
                if let Claimed::Keys(hashes) =
                    claim.get_or_insert_with(|| Claimed::Keys(Vec::new()))
                {
                    hashes.push(hash);
                }
            });
            if visited.is_err() || keys == 0 {
                return vec![Some(Claimed::Everything); shards];
            }
        }
        claims
    }

    fn is_owned_dependent(&self, owned: &Owned) -> bool {
        self.is_dependent(owned.command, owned.arguments())
    }

    /// The keys that a command needs together, each with its owner.
    fn loans_of(&self, owned: &Owned, db: u32) -> Vec<(usize, Loan)> {
        let arguments = owned.arguments();
        let Across::Together { db_of } = owned.command.across else { return Vec::new() };
        let mut loans: Vec<(usize, Loan)> = Vec::new();
        let argument = |at: usize| &arguments[at];
        let visited = owned.command.spec.each_key(arguments.len(), &argument, &mut |at, spec| {
            let key = &arguments[at];
            let copy = spec.flags.has(KeyFlags::RO);
            let db = db_of(arguments, at, db);
            let loan = Loan { db, key: key.into(), copy };
            loans.push((self.owner(&loan), loan));
        });
        debug_assert!(visited.is_ok(), "a command whose keys cannot be found has one place");
        // A key is lent once, and as a copy only if that is enough for every mention.
        loans.sort_by(|(_, one), (_, other)| (one.db, &one.key).cmp(&(other.db, &other.key)));
        loans.dedup_by(|(_, again), (_, kept)| {
            let same = again.db == kept.db && again.key == kept.key;
            kept.copy &= again.copy || !same;
            same
        });
        loans
    }

    fn owner(&self, loan: &Loan) -> usize {
        shard_of_slot(slot_of(&loan.key), self.mail.shards())
    }

    fn stage_message(&mut self, sender: &Sender, stage: Stage, index: usize) -> Envelope<Message> {
        let mut envelope = self.mail.envelope();
        envelope.work.client = sender.client;
        address(&mut envelope, sender, stage, index, self.mail.shard);
        envelope
    }
}

impl Held {
    /// Where a command runs: on a shard that takes part, and so is settled. One that is refused
    /// whatever its keys has its place at home, which may hold none.
    fn place_of(&self, place: Place) -> Place {
        match (place, self.shards.first()) {
            (Place::One(shard), Some(first)) if !self.shards.contains(&shard) => Place::One(*first),
            _ => place,
        }
    }

    /// The shards that log a part: all, where anything may have been changed.
    fn writers(&self) -> Participants {
        let mut writers = Participants::new();
        let mut commands = self.plan.shard_commands();
        let is_idle = self.dirty || self.wait.is_some();
        if !is_idle && commands.any(|it| it.command.spec.flags.has(Flags::WRITE)) {
            self.shards.iter().for_each(|shard| writers.insert(*shard as u16));
        }
        writers
    }
}

fn address(
    envelope: &mut Envelope<Message>,
    sender: &Sender,
    stage: Stage,
    index: usize,
    home: usize,
) {
    let work = &mut envelope.work;
    work.origin = Origin { home: home as u16, connection: sender.key, ..Origin::default() };
    work.part = Some(Box::new(Part { id: stage.id, index: index as u16, ..Part::default() }));
    work.stage = Some(Box::new(stage));
}

/// Takes out the loans of one owner.
fn take_of(loans: &mut Vec<(usize, Loan)>, owner: usize) -> Vec<Loan> {
    loans.extract_if(.., |(of, _)| *of == owner).map(|(_, loan)| loan).collect()
}
