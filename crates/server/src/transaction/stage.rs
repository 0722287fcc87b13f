//! One stage of a held transaction on one of its shards.
//!
//! A stage is a message of the transaction's home. Its steps, each of which may be missing, come in
//! this order: claim keys; take back what was lent; run commands; lend keys; settle. The same box
//! goes home with what there is to tell. What the commands changed is logged when the transaction
//! settles, as one part, so that recovery has all of it or nothing.

use commands::ShardCommand;
use durability::{Participants, TransactionId};
use net::Envelope;
use resp::{Arguments, CommandError};

use super::holds::Claimed;
use super::lend::{Lent, Loan};
use crate::core::Core;
use crate::message::{Message, Purpose, Work};
use crate::shard::Sink;
use crate::transaction::watchers::Watcher;
use crate::waiting::Lining;

/// What a held transaction wants of a shard, and what it is told.
pub(crate) struct Stage {
    pub(crate) id: TransactionId,
    /// The moment of the transaction, unix milliseconds: one for all that it does.
    pub(crate) now_ms: i64,
    /// Whether this is the marker.
    pub(crate) begins: bool,
    /// What the marker claims before all else.
    pub(crate) claim: Option<Claimed>,
    /// Values that come back, or come anew.
    pub(crate) back: Vec<Lent>,
    /// Keys whose values are wanted.
    pub(crate) loans: Vec<Loan>,
    /// The values, on the way home.
    pub(crate) lent: Vec<Lent>,
    /// What changes in the lines of who waits, when it settles.
    pub(crate) lining: Option<Lining>,
    /// The last stage: the participants that log a part, and the shard lets go.
    pub(crate) settle: Option<Participants>,
    /// Why the part that settled it is not in the log: it refuses writes.
    pub(crate) refused: Option<CommandError>,
}

impl Stage {
    pub(crate) fn new(id: TransactionId, now_ms: i64) -> Self {
        Self {
            id,
            now_ms,
            begins: false,
            claim: None,
            back: Vec::new(),
            loans: Vec::new(),
            lent: Vec::new(),
            lining: None,
            settle: None,
            refused: None,
        }
    }
}

/// The transaction that a message is the marker of.
pub(crate) fn marks(message: &Message) -> Option<TransactionId> {
    message.work.stage.as_ref().filter(|stage| stage.begins).map(|stage| stage.id)
}

impl Core {
    /// Runs a message's commands, or has it wait for keys that are held.
    #[inline]
    pub(crate) fn run_work(&mut self, mut envelope: Envelope<Message>) {
        let watcher = envelope.work.watcher;
        if let Some(stage) = &mut envelope.work.stage {
            let Some(claimed) = stage.claim.take() else { return self.run_stage(envelope) };
            let id = stage.id;
            let claimed = self.with_watched(claimed, watcher);
            if self.shard.holds.is_claimed(&claimed) {
                return self.shard.holds.wait(envelope, claimed);
            }
            self.shard.holds.hold(id, claimed);
            return self.run_stage(envelope);
        }
        if !self.shard.holds.is_idle() {
            let claimed = self.claimed_by(&envelope.work);
            let claimed = self.with_watched(claimed, watcher);
            if self.shard.holds.is_claimed(&claimed) {
                return self.shard.holds.wait(envelope, claimed);
            }
        }
        self.run_now(envelope);
    }

    /// What an EXEC claims: its keys, and those whose watches it checks, since it must see what an
    /// older transaction that holds one of them is about to change.
    fn with_watched(&self, claimed: Claimed, watcher: Option<Watcher>) -> Claimed {
        let (Some(watcher), Claimed::Keys(mut keys)) = (watcher, claimed.clone()) else {
            return claimed;
        };
        let watched = self.shard.watchers.keys_of(watcher);
        keys.extend(watched.map(|key| self.shard.keyspace.hash(key).to_bits()));
        Claimed::Keys(keys)
    }

    /// The keys of a message's commands.
    pub(crate) fn claimed_by(&self, work: &Work) -> Claimed {
        let mut keys = Vec::new();
        for queued in &work.commands {
            let claimed = self.claimed_by_command(queued.command, work.arguments(queued));
            let Claimed::Keys(own) = claimed else { return Claimed::Everything };
            keys.extend(own);
        }
        Claimed::Keys(keys)
    }

    /// The keys of a command; everything, where it has none or they cannot be told.
    pub(crate) fn claimed_by_command(
        &self,
        command: &ShardCommand,
        arguments: Arguments<'_>,
    ) -> Claimed {
        let mut keys = Vec::new();
        let argument = |at: usize| &arguments[at];
        let visited = command.spec.each_key(arguments.len(), &argument, &mut |at, _| {
            keys.push(self.shard.keyspace.hash(&arguments[at]).to_bits());
        });
        if visited.is_err() || keys.is_empty() { Claimed::Everything } else { Claimed::Keys(keys) }
    }

    /// Runs a stage, whose claim is granted.
    fn run_stage(&mut self, mut envelope: Envelope<Message>) {
        let work = &mut envelope.work;
        let Some(mut stage) = work.stage.take() else { return };
        if let Some(watcher) = work.watcher.take() {
            work.stopped.dirty = self.shard.end_watcher(watcher, self.time.unix_ms());
        }
        let (id, now_ms) = (stage.id, stage.now_ms);
        let mut logged = self.shard.held_logs.remove(&id).unwrap_or_default();
        for lent in std::mem::take(&mut stage.back) {
            self.take_back(lent, now_ms, &mut logged);
        }
        let mut sink = Sink::Kept { commands: &mut logged, now_ms };
        self.run_staged(&mut envelope.work, &mut sink);
        for loan in std::mem::take(&mut stage.loans) {
            let lent = self.lend(loan, now_ms, &mut logged);
            stage.lent.push(lent);
        }
        let (settles, lining) = (stage.settle, stage.lining.take());
        envelope.work.stage = Some(stage);
        envelope.purpose = Purpose::Replies;
        let Some(participants) = settles else {
            self.shard.held_logs.insert(id, logged);
            // Nobody but the transaction's home learns of this, so it need not wait for the log.
            let home = usize::from(envelope.work.origin.home);
            return self.mail.push(home, envelope);
        };
        if participants.contains(self.mail.shard as u16) {
            self.shard.log.record_part(id, &participants, &logged);
        } else {
            // It only read, and met keys past their moment.
            self.shard.log.record_kept(&logged);
        }
        self.release.hold_message(envelope);
        if let Some(lining) = lining {
            // Before the keys are let go, so that nothing appears unnoticed.
            self.change_lines(lining);
        }
        self.shard.holds.release(id);
        self.end_unit();
        self.run_released();
    }

    /// Runs what waited for keys that are free now.
    pub(crate) fn run_released(&mut self) {
        while let Some(envelope) = self.shard.holds.take_ready(marks) {
            match envelope.purpose {
                Purpose::Run if envelope.work.stage.is_some() => self.run_stage(envelope),
                Purpose::Run => self.run_now(envelope),
                Purpose::Wait => self.run_waiting_now(envelope),
                _ => self.handle_message(envelope),
            }
        }
    }

    /// Calls `call` on this core thread once no key is held here: it is about the whole shard.
    pub(crate) fn call_unheld(&mut self, call: impl FnOnce(&mut Self) + Send + 'static) {
        self.call_unclaimed(Claimed::Everything, call);
    }

    /// Calls `call` on this core thread once nobody older claims any of this.
    pub(crate) fn call_unclaimed(
        &mut self,
        claimed: Claimed,
        call: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        if !self.shard.holds.is_claimed(&claimed) {
            return call(self);
        }
        let mut envelope = self.mail.envelope();
        envelope.purpose = Purpose::Call(Box::new(call));
        self.shard.holds.wait(envelope, claimed);
    }
}
