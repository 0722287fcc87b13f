//! Commands laid out over the shards that they concern: one message for each, however many
//! commands there are, and for each command where its reply will come from.

use commands::{Across, Merge, ShardCommand};
use net::Envelope;
use resp::Arguments;

use super::gather::{Merged, Piece};
use super::rebuilt::Rebuilt;
use crate::core::Core;
use crate::input::dispatch::Place;
use crate::message::{Client, Message};

/// A command to be laid out.
#[derive(Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) command: &'static ShardCommand,
    /// Its number in the registry.
    pub(crate) number: u16,
    pub(crate) arguments: Arguments<'a>,
    /// As whom it runs.
    pub(crate) client: Client,
}

/// What is to be sent where.
pub(crate) struct Plan {
    /// Shard and message of each part, in the order in which they were first needed.
    pub(crate) parts: Vec<(usize, Envelope<Message>)>,
    /// The part of each shard, or [`NO_PART`].
    part_of_shard: Vec<u16>,
    /// One for each command.
    pub(crate) pieces: Vec<Piece>,
}

const NO_PART: u16 = u16::MAX;

impl Plan {
    pub(crate) fn new(shards: usize) -> Self {
        Self { parts: Vec::new(), part_of_shard: vec![NO_PART; shards], pieces: Vec::new() }
    }

    /// The last command of each of these parts is the same one: it counts in the first.
    fn count_once(&mut self, parts: &[u16]) {
        for part in parts.iter().skip(1) {
            if let Some(queued) = self.parts[usize::from(*part)].1.work.commands.last_mut() {
                queued.counted = false;
            }
        }
    }
}

impl Core {
    /// Adds a command that lives on one shard, or whose parts do not depend on each other.
    pub(crate) fn plan(&mut self, plan: &mut Plan, planned: &Planned<'_>) {
        let piece = match (self.place(planned.command, planned.arguments), planned.command.across) {
            (Place::One(shard), _) => Piece::Part(self.plan_on(plan, shard, planned)),
            (Place::Several, Across::Split { merge }) => {
                Piece::Merged(self.plan_split(plan, merge, planned))
            }
            (Place::Several, Across::Everywhere { merge }) => {
                let shards = 0..self.mail.shards();
                let parts: Vec<u16> =
                    shards.map(|shard| self.plan_on(plan, shard, planned)).collect();
                plan.count_once(&parts);
                Piece::Merged(Merged { merge, parts, order: Vec::new() })
            }
            (Place::Several, Across::Together { .. } | Across::Cursor) => {
                debug_assert!(false, "a held transaction brings the keys together first");
                Piece::Part(self.plan_on(plan, self.mail.shard, planned))
            }
        };
        plan.pieces.push(piece);
    }

    /// The part of `shard`.
    pub(crate) fn part_on(&mut self, plan: &mut Plan, shard: usize, client: Client) -> u16 {
        let part = plan.part_of_shard[shard];
        if part != NO_PART {
            return part;
        }
        let part = plan.parts.len() as u16;
        let mut envelope = self.mail.envelope();
        envelope.work.client = client;
        plan.part_of_shard[shard] = part;
        plan.parts.push((shard, envelope));
        part
    }

    fn plan_on(&mut self, plan: &mut Plan, shard: usize, planned: &Planned<'_>) -> u16 {
        let part = self.part_on(plan, shard, planned.client);
        let work = &mut plan.parts[usize::from(part)].1.work;
        work.add_for(planned.client.db, planned.command, planned.number, planned.arguments);
        part
    }

    /// Splits a command by its keys: each shard runs the same command with its own keys only.
    fn plan_split(&mut self, plan: &mut Plan, merge: Merge, planned: &Planned<'_>) -> Merged {
        let (arguments, shards) = (planned.arguments, self.mail.shards());
        let (begin, step) = key_range(planned.command).unwrap_or((arguments.len(), 1));
        let shard_of = |at: usize| spec::shard_of_slot(spec::slot_of(&arguments[at]), shards);
        let keys: Vec<usize> = (begin..arguments.len()).step_by(step).collect();
        let mut taking: Vec<usize> = keys.iter().map(|at| shard_of(*at)).collect();
        taking.sort_unstable();
        taking.dedup();
        let mut rebuilt: Vec<Rebuilt> =
            taking.iter().map(|_| Rebuilt::head(arguments, begin)).collect();
        let mut order = Vec::with_capacity(keys.len());
        for at in keys {
            let own = taking.binary_search(&shard_of(at)).expect("the shard of every key is there");
            order.push(own as u16);
            (at..at + step).for_each(|at| rebuilt[own].push(&arguments[at]));
        }
        let mut parts = Vec::with_capacity(taking.len());
        for (shard, rebuilt) in taking.iter().zip(rebuilt) {
            let part = rebuilt
                .finish(|arguments| self.plan_on(plan, *shard, &Planned { arguments, ..*planned }));
            parts.push(part);
        }
        plan.count_once(&parts);
        Merged { merge, parts, order }
    }
}

/// Where the keys of a command that splits begin, and how many arguments belong to each.
pub(crate) fn key_range(command: &ShardCommand) -> Option<(usize, usize)> {
    let first = command.spec.keys.first()?;
    let spec::BeginSearch::Index(begin) = first.begin else { return None };
    let spec::FindKeys::Range { step, .. } = first.find else { return None };
    Some((usize::from(begin), usize::from(step).max(1)))
}

/// Whether the last group of a command that splits is incomplete: the command refuses that.
pub(crate) fn is_uneven(command: &ShardCommand, arguments: Arguments<'_>) -> bool {
    matches!(command.across, Across::Split { .. })
        && key_range(command)
            .is_some_and(|(begin, step)| !(arguments.len() - begin).is_multiple_of(step))
}
