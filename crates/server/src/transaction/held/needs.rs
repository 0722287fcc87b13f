//! What a held transaction asks of each of its shards: claims, and values that are lent.

use commands::Across;
use keyspace::Effects;
use spec::{KeyFlags, Subject, shard_of_slot, slot_of};

use super::{Held, Participant};
use crate::core::Core;
use crate::transaction::held_plan::{HeldCommand, Owned};
use crate::transaction::holds::{Claimed, Hashes};
use crate::transaction::lend::{Lent, Loan};
use crate::transaction::spare::Spare;
use crate::transaction::stage::Stage;

impl Core {
    /// Has each shard claim what the transaction is about there.
    pub(super) fn claim(&mut self, held: &mut Held) {
        let shards = self.mail.shards();
        let commands = std::mem::take(&mut held.plan.commands);
        for command in &commands {
            let HeldCommand::Shard(owned) = command else { continue };
            let arguments = owned.arguments();
            let argument = |at: usize| &arguments[at];
            let spec = &owned.command.spec;
            if spec.subject == Subject::Everything {
                for shard in 0..shards {
                    held.stage(shard, &mut self.spare).claim = Some(Claimed::Everything);
                }
                break;
            }
            // A visit that ends early is of a command that will be refused.
            let _ = spec.each_key(arguments.len(), &argument, &mut |at, _| {
                let key = &arguments[at];
                let hash = self.shard.keyspace.hash(key).to_bits();
                let shard = shard_of_slot(slot_of(key), shards);
                held.stage(shard, &mut self.spare).claim_key(hash);
            });
        }
        held.plan.commands = commands;
        if let Some((watcher, watched)) = held.plan.watcher.take() {
            for shard in watched {
                let stage = held.stage(usize::from(shard), &mut self.spare);
                stage.claim.get_or_insert_with(|| Claimed::Keys(Hashes::new()));
                stage.watcher = Some(watcher);
            }
        }
    }

    /// Has the shards lend what the next command needs in one place, if it does.
    pub(super) fn want(&mut self, held: &mut Held) {
        let next = held.plan.commands.get(held.next);
        let Some(HeldCommand::Shard(owned)) = next.filter(|it| it.is_dependent()) else { return };
        for loan in self.loans_of(owned, held.plan.sender.client.db) {
            let owner = usize::from(loan.owner);
            held.stage(owner, &mut self.spare).lent.push(Lent::wanted(loan));
        }
    }

    /// The keys that a command needs together.
    fn loans_of(&self, owned: &Owned, db: u32) -> Vec<Loan> {
        let arguments = owned.arguments();
        let Across::Together { db_of } = owned.command.across else { return Vec::new() };
        let mut loans: Vec<Loan> = Vec::new();
        let argument = |at: usize| &arguments[at];
        let visited = owned.command.spec.each_key(arguments.len(), &argument, &mut |at, flags| {
            let key = &arguments[at];
            let reads = flags.has(KeyFlags::RO);
            let db = db_of(arguments, at, db);
            let owner = shard_of_slot(slot_of(key), self.mail.shards()) as u16;
            loans.push(Loan { db, key: key.into(), owner, reads });
        });
        debug_assert!(visited.is_ok(), "a command whose keys cannot be found has one place");
        // A key is lent once, and to be read only if that is enough for every mention.
        loans.sort_by(|one, other| (one.db, &one.key).cmp(&(other.db, &other.key)));
        loans.dedup_by(|again, kept| {
            let same = again.db == kept.db && again.key == kept.key;
            kept.reads &= again.reads || !same;
            same
        });
        loans
    }
}

impl Held {
    /// What a command did to guests, on its way to their owners.
    pub(super) fn hand_out(&mut self, effects: &mut Effects, shards: usize, spare: &mut Spare) {
        effects.each(|of, happened| {
            let owner = shard_of_slot(slot_of(of.key), shards);
            self.stage(owner, spare).done.add(of, happened);
        });
        effects.clear();
    }

    /// What is to be asked next of a shard, which takes part from now on.
    pub(super) fn stage(&mut self, shard: usize, spare: &mut Spare) -> &mut Stage {
        let found = self.participants.iter().position(|it| it.shard == shard);
        let at = found.unwrap_or(self.participants.len());
        if found.is_none() {
            self.participants.push(Participant { shard, stage: None });
        }
        let stage = &mut self.participants[at].stage;
        stage.get_or_insert_with(|| spare.take_stage(self.id, self.now_ms))
    }

    pub(super) fn take_stage(&mut self, shard: usize) -> Option<Box<Stage>> {
        self.participants.iter_mut().find(|it| it.shard == shard)?.stage.take()
    }

    /// Whether anything is to be asked next.
    pub(super) fn has_stages(&self) -> bool {
        self.participants.iter().any(|it| it.stage.is_some())
    }
}
