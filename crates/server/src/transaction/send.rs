//! Sending a transaction's parts to their shards, as one step.

use commands::Across;
use durability::{Participants, TransactionId};
use resp::CommandError;
use smallvec::SmallVec;
use spec::Flags;

use super::held_plan::{HeldCommand, HeldPlan, Owned};
use super::plan::{Plan, Planned};
use super::rebuilt::Rebuilt;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::{Place, Request};
use crate::message::Client;
use crate::shard::ShardRequest;
use crate::transaction::watchers::Watcher;

/// How long a shard took for each of the commands that other shards run as well, in order:
/// nanoseconds.
pub(crate) type Shares = SmallVec<[u64; 1]>;

/// What makes a run a part of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Names the transaction in every participant's segment.
    pub(crate) id: TransactionId,
    /// The shards where something may be written, each of which logs a part.
    pub(crate) participants: Participants,
    /// Which of the parts this is.
    pub(crate) index: u16,
    /// Once it was run.
    pub(crate) shares: Shares,
}

impl Default for Part {
    /// A part of no transaction in particular.
    fn default() -> Self {
        let (id, participants) = (TransactionId::new(0, 0), Participants::new());
        Self { id, participants, index: 0, shares: Shares::new() }
    }
}

/// As whom, and to where, a transaction replies.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) key: ConnectionKey,
    pub(crate) client: Client,
    /// Whether the reply is not sent (CLIENT REPLY).
    pub(crate) silent: bool,
}

/// Whose plan is sent.
#[derive(Clone, Copy)]
pub(crate) enum Planner {
    /// One command's, on several shards.
    Command,
    /// An EXEC's. Whose watches are to be checked: all of them are where the plan's only part goes.
    Exec(Option<Watcher>),
}

impl Core {
    /// Sends a command to all the shards that have a part in it, as one step.
    pub(crate) fn begin_transaction(&mut self, request: &Request<'_>) {
        if self.is_out_of_memory() && request.command.spec.flags.has(Flags::DENYOOM) {
            let error = CommandError::OutOfMemory;
            return self.refuse(request, &error);
        }
        let Request { key, command, number, arguments: &arguments, client, silent } = *request;
        let (sender, planned) =
            (Sender { key, client, silent }, Planned { command, number, arguments, client });
        if matches!(command.across, Across::Together { .. }) {
            let mut held = HeldPlan::new(sender, false);
            held.commands.push(HeldCommand::Shard(Owned::of(&planned, Place::Several)));
            return self.begin_held(held);
        }
        let mut plan = self.spare.take_plan();
        plan.begin(self.mail.shards());
        self.plan(&mut plan, &planned, Place::Several);
        self.send_plan(sender, plan, Planner::Command);
    }

    /// Sends the parts of a plan with the tick's bundles, which enter the inboxes as one step.
    pub(crate) fn send_plan(&mut self, sender: Sender, mut plan: Plan, planner: Planner) {
        let Some(connection) = self.connections.find(sender.key) else { return };
        let pipeline = &mut connection.pipeline;
        self.bundles.take_further_commands_of(pipeline);
        if let ([only], Planner::Exec(watcher)) = (&plan.parts[..], planner) {
            // All of it is there: so is the whole reply.
            let place = pipeline.open(sender.silent);
            self.bundles.complete_exec((only.shard, place), sender, watcher);
        } else {
            let mut gather = self.spare.take_gather();
            let random = self.shared.random();
            gather.begin(sender.client.protocol, &mut plan.outline, plan.parts.len(), random);
            if let Planner::Exec(watcher) = planner {
                debug_assert!(watcher.is_none(), "keys are held where watches are checked first");
                gather.frame();
            }
            let place = pipeline.open_gather(gather, sender.silent);
            let id = self.shard.log.next_transaction(self.mail.shard as u16);
            let writers = plan.parts.iter().filter(|part| part.writes);
            let participants: Participants = writers.map(|part| part.shard as u16).collect();
            for (index, part) in plan.parts.iter().enumerate() {
                let (index, shares) = (index as u16, Shares::new());
                let part_here = Part { id, participants, index, shares };
                self.bundles.complete_part((part.shard, place), sender, part_here);
            }
        }
        let full = plan.parts.iter().any(|part| self.bundles.is_full(part.shard));
        self.spare.keep_plan(plan);
        if full {
            self.send_bundles();
        }
    }
}

/// The part of a logged command that concerns the keys at `own`, run by `replay`.
pub(crate) fn own_part<R>(
    request: &ShardRequest<'_>,
    own: &[usize],
    replay: impl FnOnce(&ShardRequest<'_>) -> R,
) -> R {
    let arguments = request.arguments;
    let (begin, step) = request.command.key_range().unwrap_or((arguments.len(), 1));
    let mut rebuilt = Rebuilt::head(arguments, begin);
    for at in own {
        (*at..at + step).for_each(|at| rebuilt.push(&arguments[at]));
    }
    rebuilt.finish(|arguments| replay(&ShardRequest { arguments, ..*request }))
}
