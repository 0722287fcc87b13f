//! Commands laid out over the shards that they concern: one run of the tick's bundle for each,
//! however many commands there are, and for each command where its reply will come from.

use std::ops::Range;

use commands::{Across, Merge, ShardCommand};
use resp::Arguments;
use spec::Flags;
use telemetry::SlowCallWords;

use super::gather::{Merged, Outline, Piece, SharedCall};
use crate::core::Core;
use crate::input::dispatch::Place;
use crate::message::bundle::Bundles;
use crate::message::{Client, Share, Work};

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
#[derive(Default)]
pub(crate) struct Plan {
    /// In the order in which they were first needed.
    pub(crate) parts: Vec<PlannedPart>,
    pub(crate) outline: Outline,
    /// The part of each shard, or [`NO_PART`].
    part_of_shard: Vec<u16>,
    /// Scratch: how many keys of a command each shard has, then its place among those that have.
    keys_of_shard: Vec<u32>,
}

/// What one shard does of a transaction: the last run of its open bundle.
pub(crate) struct PlannedPart {
    pub(crate) shard: usize,
    /// Whether something may be written there.
    pub(crate) writes: bool,
}

const NO_PART: u16 = u16::MAX;

impl Plan {
    /// Begins a plan whose parts join the tick's bundles. No bundle may be sent before all of it is
    /// in them.
    pub(crate) fn begin(&mut self, shards: usize) {
        self.parts.clear();
        self.outline.clear();
        self.part_of_shard.clear();
        self.part_of_shard.resize(shards, NO_PART);
    }

    /// What `part` runs.
    fn work<'a>(&self, part: u16, bundles: &'a mut Bundles) -> Option<&'a mut Work> {
        bundles.work(self.parts[usize::from(part)].shard)
    }
}

impl Core {
    /// Adds a command that lives on one shard, or whose parts do not depend on each other.
    pub(crate) fn plan(&mut self, plan: &mut Plan, planned: &Planned<'_>, place: Place) {
        let piece = match (place, planned.command.across) {
            (Place::One(shard), _) => Piece::Part(self.plan_on(plan, shard, planned, Share::Whole)),
            (Place::Several, Across::Split { merge }) => {
                Piece::Merged(self.plan_split(plan, merge, planned))
            }
            (Place::Several, Across::Everywhere { merge }) => {
                Piece::Merged(self.plan_everywhere(plan, merge, planned, 0..self.mail.shards()))
            }
            (Place::Several, Across::Cursor { merge }) => {
                let concerned = self.shards_of_cursor(planned.arguments);
                Piece::Merged(self.plan_everywhere(plan, merge, planned, concerned))
            }
            (Place::Several, Across::Together { .. }) => {
                debug_assert!(false, "a held transaction brings the keys together first");
                Piece::Part(self.plan_on(plan, self.mail.shard, planned, Share::Whole))
            }
        };
        plan.outline.pieces.push(piece);
    }

    /// The part of `shard`.
    pub(crate) fn part_on(&mut self, plan: &mut Plan, shard: usize, client: Client) -> u16 {
        let part = plan.part_of_shard[shard];
        if part != NO_PART {
            return part;
        }
        let part = plan.parts.len() as u16;
        self.bundles.begin_run(shard, client, &mut self.mail);
        plan.part_of_shard[shard] = part;
        plan.parts.push(PlannedPart { shard, writes: false });
        part
    }

    /// Adds a command, or a share of it, to the part of `shard`.
    fn plan_on(
        &mut self,
        plan: &mut Plan,
        shard: usize,
        planned: &Planned<'_>,
        share: Share,
    ) -> u16 {
        let Planned { command, number, arguments, client } = *planned;
        let part = self.part_on(plan, shard, client);
        plan.parts[usize::from(part)].writes |= command.spec.flags.has(Flags::WRITE);
        if let Some(work) = plan.work(part, &mut self.bundles) {
            work.add_for(client.db, command, number, arguments);
            work.share_last(share);
        }
        part
    }

    /// Begins a command of `count` arguments in the part of `shard`, with those that are here.
    fn begin_on(&mut self, plan: &mut Plan, shard: usize, head: &Planned<'_>, count: usize) -> u16 {
        let part = self.part_on(plan, shard, head.client);
        plan.parts[usize::from(part)].writes |= head.command.spec.flags.has(Flags::WRITE);
        if let Some(work) = plan.work(part, &mut self.bundles) {
            work.begin_command(head.client.db, head.command, head.number, count);
            head.arguments.iter().for_each(|argument| work.push_argument(argument));
        }
        part
    }

    /// Adds a command that every one of `shards` runs; as a call it counts at the first.
    fn plan_everywhere(
        &mut self,
        plan: &mut Plan,
        merge: Merge,
        planned: &Planned<'_>,
        shards: Range<usize>,
    ) -> Merged {
        let begin = plan.outline.numbers.len();
        for shard in shards.clone() {
            let share = if shard == shards.start { Share::First } else { Share::Further };
            let part = self.plan_on(plan, shard, planned, share);
            plan.outline.numbers.push(part);
        }
        let call = self.share(plan, planned);
        Merged { merge, parts: begin..plan.outline.numbers.len(), order: 0..0, call }
    }

    /// Splits a command by its keys: each shard runs the same command with its own keys only.
    fn plan_split(&mut self, plan: &mut Plan, merge: Merge, planned: &Planned<'_>) -> Merged {
        let (arguments, shards) = (planned.arguments, self.mail.shards());
        let (begin, step) = planned.command.key_range().unwrap_or((arguments.len(), 1));
        // The shard of each key, and how many keys each shard has.
        plan.keys_of_shard.clear();
        plan.keys_of_shard.resize(shards, 0);
        let order = plan.outline.numbers.len();
        for at in (begin..arguments.len()).step_by(step) {
            let shard = spec::shard_of_slot(spec::slot_of(&arguments[at]), shards);
            plan.keys_of_shard[shard] += 1;
            plan.outline.numbers.push(shard as u16);
        }
        let order = order..plan.outline.numbers.len();
        // Each shard that has any begins the command.
        let parts = plan.outline.numbers.len();
        for shard in 0..shards {
            let keys = plan.keys_of_shard[shard] as usize;
            if keys == 0 {
                continue;
            }
            let own = plan.outline.numbers.len() - parts;
            plan.keys_of_shard[shard] = own as u32;
            let head = Planned { arguments: arguments.first(begin), ..*planned };
            let part = self.begin_on(plan, shard, &head, begin + keys * step);
            if let Some(work) = plan.work(part, &mut self.bundles) {
                work.share_last(if own == 0 { Share::First } else { Share::Further });
            }
            plan.outline.numbers.push(part);
        }
        // Each key goes to its shard.
        for (index, at) in (begin..arguments.len()).step_by(step).enumerate() {
            let number = order.start + index;
            let own = plan.keys_of_shard[usize::from(plan.outline.numbers[number])];
            plan.outline.numbers[number] = own as u16;
            let part = plan.outline.numbers[parts + own as usize];
            if let Some(work) = plan.work(part, &mut self.bundles) {
                (at..at + step).for_each(|at| work.push_argument(&arguments[at]));
            }
        }
        let call = self.share(plan, planned);
        Merged { merge, parts: parts..plan.outline.numbers.len(), order, call }
    }

    /// What is kept of a command that several shards run, to be counted and noted as the one that
    /// it is.
    fn share(&self, plan: &mut Plan, planned: &Planned<'_>) -> SharedCall {
        let Planned { command, number, arguments, .. } = *planned;
        let words = match self.statistics.keeps_slow_calls() {
            true => plan.outline.words.push(arguments.iter()),
            false => SlowCallWords::default(),
        };
        SharedCall { command, number, words }
    }
}
