//! Waiting for keys of several shards.
//!
//! An attempt is a held transaction (`transaction/held.rs`): so it sees all keys at one moment, and
//! takes the first of them in the command's order. If it finds nothing, its last stage puts the
//! waiter into the lines, before it lets the keys go: so nothing appears unnoticed.
//!
//! ```text
//! home                          shard of a            shard of b
//! BLPOP a b 0: hold, lend   ->  holds a               holds b
//! nothing: settle           ->  joins the line of a   joins the line of b      (let go)
//!                                                     RPUSH b x
//!                           <-                        calls
//! again: hold, lend         ->  holds a               holds b
//! b has x: settle           ->  leaves                logs, leaves
//! ```
//!
//! Between the call and the attempt no key is held, and the value may be taken by somebody else: a
//! hold that had no marker could wait for one that has, and that for it, in a circle. Then the
//! waiter goes on waiting in its place in line. Those behind it wait until the attempt has settled.
//!
//! The home decides: a wait that ends before the attempt has run the command ends it, and the
//! attempt gives everything back.

use commands::{Otherwise, Wait};
use durability::TransactionId;
use resp::{CommandError, Writer};
use spec::{Flags, shard_of_slot, slot_of};

use super::blocked::{Blocked, Decides};
use super::ends::End;
use super::lines::{Sought, Who};
use crate::canary::{self, Canary};
use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::{Place, Request};
use crate::message::Origin;
use crate::transaction::{HeldCommand, HeldPlan, Owned, Planned, Sender};

/// A command that may wait for keys of several shards, at its home.
pub(crate) struct Apart {
    command: Owned,
    sender: Sender,
    /// Whether an attempt is under way that has not run the command yet.
    trying: bool,
    /// Since the first attempt ended in waiting.
    wait: Option<Standing>,
    /// The last attempt that ended in waiting.
    in_vain: Option<TransactionId>,
}

/// How long a command waits, and what it answers in vain.
#[derive(Clone, Copy)]
struct Standing {
    until_ms: Option<i64>,
    otherwise: Otherwise,
}

/// What an attempt changes in the lines of a shard when it settles.
pub(crate) enum Lining {
    /// It found nothing: it waits for these keys.
    Join { origin: Origin, sought: Sought },
    /// It waits no more.
    Leave(Origin),
}

impl Core {
    /// Begins a command that may wait for keys of several shards.
    pub(super) fn begin_waiting_apart(&mut self, request: &Request<'_>) {
        if let Err(error) = self.may_try(request.command.spec.flags) {
            return self.refuse(request, &error);
        }
        let Request { key, command, number, arguments, client, silent } = *request;
        let arguments = *arguments;
        let command = Owned::of(&Planned { command, number, arguments, client }, Place::Several);
        let sender = Sender { key, client, silent };
        let Some(connection) = self.connections.find(key) else { return };
        let place = connection.pipeline.open(silent);
        connection.input.held = Held::Barrier;
        let apart = Apart { command, sender, trying: false, wait: None, in_vain: None };
        connection.waiting = Some(Box::new(Blocked::apart(place, apart)));
        self.attempt_apart(key);
    }

    /// What an attempt is refused for.
    fn may_try(&self, flags: Flags) -> Result<(), CommandError> {
        if self.is_out_of_memory() && flags.has(Flags::DENYOOM) {
            return Err(CommandError::OutOfMemory);
        }
        self.may_run_again(flags)
    }

    /// Begins an attempt, unless one is under way.
    fn attempt_apart(&mut self, key: ConnectionKey) {
        let now_ms = self.time.unix_ms();
        let Some(connection) = self.connections.find(key) else { return };
        let Some(blocked) = &mut connection.waiting else { return };
        let place = blocked.place;
        let Decides::Home(apart) = &mut blocked.decides else { return };
        let (flags, number) = (apart.command.command.spec.flags, apart.command.number);
        // When the pause ends it is tried.
        if apart.trying || self.pause.holds(now_ms, flags) {
            return;
        }
        apart.trying = true;
        let mut plan = HeldPlan::new(apart.sender, false);
        plan.commands.push(HeldCommand::Shard(apart.command.clone()));
        plan.waits = Some(place);
        if let Err(error) = self.may_try(flags) {
            self.statistics.count_rejected(Some(number), &error);
            let mut reply = Vec::new();
            Writer::new(&mut reply, plan.sender.client.protocol).error(&error);
            return self.answer_apart(key, reply);
        }
        self.begin_held(plan);
    }

    /// Whether an attempt may run its command: nothing has ended the wait.
    pub(crate) fn still_waits(&mut self, key: ConnectionKey, place: u64) -> bool {
        let waiting = self.connections.find(key).and_then(|it| it.waiting.as_ref());
        waiting.is_some_and(|blocked| blocked.place == place)
    }

    /// An attempt has run its command. `wait`: in vain.
    pub(crate) fn note_attempt(
        &mut self,
        key: ConnectionKey,
        id: TransactionId,
        wait: Option<&Wait>,
    ) {
        let Some(wait) = wait else { return self.forget_apart(key) };
        let until_ms = self.end_of(wait);
        let Some(connection) = self.connections.find(key) else { return };
        let Some(blocked) = &mut connection.waiting else { return };
        blocked.tried_in_vain = true;
        let Decides::Home(apart) = &mut blocked.decides else { return };
        apart.trying = false;
        apart.in_vain = Some(id);
        if apart.wait.is_none() {
            apart.wait = Some(Standing { until_ms, otherwise: wait.otherwise });
            if let Some(until_ms) = until_ms {
                self.shard.waiting.add_deadline(until_ms, key);
            }
        }
        self.end_idle_wait(key);
    }

    /// A shard has a key that one of our connections waits for.
    pub(super) fn handle_called(&mut self, origin: Origin) {
        if self.still_waits(origin.connection, origin.place) {
            self.attempt_apart(origin.connection);
        }
    }

    /// A pause has ended: tries for all who wait apart.
    pub(super) fn attempt_all_apart(&mut self) {
        let waits = |blocked: &Blocked| matches!(blocked.decides, Decides::Home(_));
        let keys: Vec<ConnectionKey> = self
            .connections
            .iter_mut()
            .filter(|(_, connection)| connection.waiting.as_deref().is_some_and(waits))
            .map(|(token, connection)| ConnectionKey { token, generation: connection.generation })
            .collect();
        keys.into_iter().for_each(|key| self.attempt_apart(key));
    }

    /// Ends the wait of a connection of ours that waits apart.
    pub(super) fn end_apart(&mut self, key: ConnectionKey, end: End) {
        let Some(connection) = self.connections.find(key) else { return };
        let Some(blocked) = &connection.waiting else { return };
        let Decides::Home(apart) = &blocked.decides else { return };
        let (number, protocol) = (apart.command.number, apart.sender.client.protocol);
        let otherwise = apart.wait.map_or(Otherwise::Null, |wait| wait.otherwise);
        connection.session.modes.close_after_reply |= end == End::Gone;
        let mut reply = Vec::new();
        end.write(otherwise, &mut Writer::new(&mut reply, protocol));
        self.count_ended(Some(number), end);
        self.answer_apart(key, reply);
    }

    /// Answers a command that waits apart, and takes it out of all lines.
    fn answer_apart(&mut self, key: ConnectionKey, reply: Vec<u8>) {
        let home = self.mail.shard as u16;
        let Some(connection) = self.connections.find(key) else { return };
        let Some(blocked) = &connection.waiting else { return };
        let origin = Origin { home, connection: key, place: blocked.place };
        let Decides::Home(apart) = &blocked.decides else { return };
        let (has_lines, in_vain) = (apart.wait.is_some(), apart.in_vain);
        self.forget_apart(key);
        // What an attempt under way settles last it finds out by itself, and leaves the lines, too.
        if has_lines {
            for shard in 0..self.mail.shards() {
                self.mail.call(shard, move |core| {
                    core.change_lines(Lining::Leave(origin));
                    core.end_unit();
                });
            }
        }
        // An answer says that no key was there: whatever took it away has to be written first.
        let reply = match in_vain.filter(|_| !reply.is_empty()) {
            Some(id) => self.answer_settled(id, reply),
            None => Some(reply),
        };
        if let Some(reply) = reply {
            self.settle_place(key, origin.place, &reply);
        }
    }

    /// A connection of ours does not wait any more.
    fn forget_apart(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let Some(blocked) = connection.waiting.take() else { return };
        if let Decides::Home(apart) = blocked.decides
            && let Some(until_ms) = apart.wait.and_then(|wait| wait.until_ms)
        {
            self.shard.waiting.remove_deadline(until_ms, key);
        }
    }

    /// What an attempt changes in the lines of `shard` when it settles.
    pub(crate) fn lining_on(
        &self,
        shard: usize,
        origin: Origin,
        command: &Owned,
        (db, wait): (u32, Option<&Wait>),
    ) -> Lining {
        let Some(wait) = wait else { return Lining::Leave(origin) };
        let shards = self.mail.shards();
        let own = |key: &&[u8]| shard_of_slot(slot_of(key), shards) == shard;
        let keys = wait.keys(command.arguments()).filter(own).map(Box::from).collect();
        Lining::Join { origin, sought: Sought { db, keys, awaited: wait.until } }
    }

    /// Does what an attempt, or the end of a wait, changes in the lines of this shard.
    pub(crate) fn change_lines(&mut self, lining: Lining) {
        let waiting = &mut self.shard.waiting;
        match lining {
            Lining::Join { sought, .. } if sought.keys.is_empty() => {}
            Lining::Join { origin, sought } => {
                if let Some(number) = waiting.number_of(origin) {
                    if let Some(waiter) = waiting.waiter(number) {
                        waiter.who = Who::Apart { called: false };
                    }
                    waiting.make_ready_behind(number);
                } else {
                    waiting.join(origin, sought, Who::Apart { called: false });
                }
            }
            Lining::Leave(_) if canary::is_out(Canary::LeftInLine) => {}
            Lining::Leave(origin) => {
                let number = waiting.number_of(origin);
                if let Some(waiter) = number.and_then(|number| waiting.leave(number)) {
                    waiting.make_ready_after(&waiter);
                }
            }
        }
        self.shard.want_effects();
    }
}
