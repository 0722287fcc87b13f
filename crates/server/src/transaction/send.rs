//! Sending a transaction's parts to their shards, as one step.

use commands::{Across, ShardCommand};
use durability::{Participants, TransactionId};
use resp::{Arguments, CommandError};
use spec::Flags;

use super::gather::Gather;
use super::held::{HeldCommand, HeldPlan, Owned};
use super::plan::{Plan, Planned, key_range};
use super::rebuilt::Rebuilt;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::{Place, Request};
use crate::message::{Client, Origin};
use crate::shard::ShardRequest;
use crate::transaction::watchers::Watcher;

/// What makes a message a part of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Names the transaction in every participant's segment.
    pub(crate) id: TransactionId,
    /// The shards where something may be written, each of which logs a part.
    pub(crate) participants: Participants,
    /// Which of the parts this is.
    pub(crate) index: u16,
}

impl Default for Part {
    /// A part of no transaction in particular.
    fn default() -> Self {
        Self { id: TransactionId::new(0, 0), participants: Participants::new(), index: 0 }
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
        if self.is_dependent(command, arguments) {
            let mut held = HeldPlan::new(sender, false);
            held.commands.push(HeldCommand::Shard(Owned::of(&planned)));
            return self.begin_held(held);
        }
        let mut plan = Plan::new(self.mail.shards());
        self.plan(&mut plan, &planned);
        self.send_plan(sender, plan, false, None);
    }

    /// Sends the parts of a plan, as one step. `framed`: the replies become an array. `watcher`:
    /// whose watches are to be checked; all of them are where the plan's only part goes.
    pub(crate) fn send_plan(
        &mut self,
        sender: Sender,
        plan: Plan,
        framed: bool,
        watcher: Option<Watcher>,
    ) {
        let Some(connection) = self.connections.find(sender.key) else { return };
        let Plan { parts, pieces, .. } = plan;
        let random = self.shared.random();
        let gather = Gather::new(sender.client.protocol, pieces, parts.len(), framed, random);
        if gather.is_complete() {
            if !sender.silent {
                gather.merge(connection.reply_buffer());
            }
            return;
        }
        let place = connection.pipeline.open_gather(Box::new(gather), sender.silent);
        let id = self.shard.log.next_transaction(self.mail.shard as u16);
        let mut participants = Participants::new();
        for (shard, _) in parts.iter().filter(|(_, envelope)| envelope.work.writes() > 0) {
            participants.insert(*shard as u16);
        }
        let home = self.mail.shard as u16;
        self.mail.under_way += parts.len();
        for (index, (shard, mut envelope)) in parts.into_iter().enumerate() {
            let work = &mut envelope.work;
            work.origin = Origin { home, connection: sender.key, place, part: 0 };
            work.part = Some(Box::new(Part { id, participants, index: index as u16 }));
            work.watcher = watcher;
            self.mail.add_marker(shard, envelope);
        }
        self.mail.push_markers();
        // A part of this very shard need not wait for the next tick.
        self.drain_inbox();
    }

    /// Whether a command runs on `shard` and nowhere else.
    pub(crate) fn is_on(
        &self,
        command: &'static ShardCommand,
        arguments: Arguments<'_>,
        shard: usize,
    ) -> bool {
        matches!(self.place(command, arguments), Place::One(place) if place == shard)
    }

    /// Whether a command needs keys of several shards in one place.
    pub(crate) fn is_dependent(
        &self,
        command: &'static ShardCommand,
        arguments: Arguments<'_>,
    ) -> bool {
        matches!(command.across, Across::Together { .. })
            && matches!(self.place(command, arguments), Place::Several)
    }
}

/// The part of a logged command that concerns the keys at `own`, run by `replay`.
pub(crate) fn own_part<R>(
    request: &ShardRequest<'_>,
    own: &[usize],
    replay: impl FnOnce(&ShardRequest<'_>) -> R,
) -> R {
    let arguments = request.arguments;
    let (begin, step) = key_range(request.command).unwrap_or((arguments.len(), 1));
    let mut rebuilt = Rebuilt::head(arguments, begin);
    for at in own {
        (*at..at + step).for_each(|at| rebuilt.push(&arguments[at]));
    }
    rebuilt.finish(|arguments| replay(&ShardRequest { arguments, ..*request }))
}
