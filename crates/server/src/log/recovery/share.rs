//! A shard's share of a log that another number of shards wrote.
//!
//! Then every shard reads all segments and runs the records of its own slots: each record is about
//! one. Only Redis writes records about several, on its one shard: those of a command that is split
//! by key are split again, and of one whose keys depend on each other (RENAME, SUNIONSTORE) the
//! slots are *tied* (`durability::SlotTies`). A shard runs what concerns the slots tied to its own
//! as well, and drops the keys of other shards in the end.
//!
//! ```text
//! log of Redis    SET {a}1 x    RENAME {a}1 {b}1    MSET {a}2 y {c}1 z
//! ties            a~b           (MSET is split by key: nothing is tied)
//! runs            owner of a, and of b:  SET, RENAME, MSET {a}2 y        of c:  MSET {c}1 z
//! ```

use commands::{Across, ShardCommand};
use durability::{Progress, RecoveryError, RecoveryPlan, Replay, SlotTies, Storage};
use keyspace::{Keyspace, Step};
use resp::Arguments;
use spec::{SLOTS, shard_of_slot, slot_of};

use super::{STEP_BYTES, find_command};
use crate::core::Core;
use crate::input::registry::Registry;

/// Which slots' records a shard runs.
#[derive(Clone, Debug)]
pub(super) struct Share {
    shard: usize,
    shards: usize,
    /// By slot.
    needed: Vec<bool>,
    /// Whether other shards' slots are among the needed.
    borrows: bool,
    /// Whether Redis wrote some of the log: only then a record may be about several slots.
    of_redis: bool,
}

/// What a shard runs of a command.
pub(super) enum Take {
    Nothing,
    All,
    /// The part that concerns the keys at these arguments.
    Keys(Vec<usize>),
}

impl Share {
    /// The shares of `shards` shards. A log that Redis wrote is read once for it.
    pub(super) fn of_all<S: Storage>(
        storage: &S,
        plan: &RecoveryPlan,
        registry: &'static Registry,
        shards: usize,
    ) -> Result<Vec<Self>, RecoveryError> {
        let mut ties = SlotTies::new(SLOTS);
        let of_redis = plan.is_of_redis();
        let share = |ties: &mut SlotTies, shard| Self::new(ties, of_redis, (shard, shards));
        if !of_redis {
            return Ok((0..shards).map(|shard| share(&mut ties, shard)).collect());
        }
        let mut replay = Replay::all(plan);
        let mut collect = |arguments: Arguments<'_>| {
            let (_, command) = find_command(registry, arguments)?;
            tie(&mut ties, command, arguments)
        };
        while replay.step(storage, STEP_BYTES, |it| collect(it.arguments))? == Progress::More {}
        Ok((0..shards).map(|shard| share(&mut ties, shard)).collect())
    }

    fn new(ties: &mut SlotTies, of_redis: bool, (shard, shards): (usize, usize)) -> Self {
        let is_own = |slot| shard_of_slot(slot, shards) == shard;
        let needed = ties.needed(is_own);
        let borrows = (0..SLOTS).zip(&needed).any(|(slot, needed)| *needed && !is_own(slot));
        Self { shard, shards, needed, borrows, of_redis }
    }

    /// Whether records of other shards' keys are run, too.
    pub(super) fn borrows(&self) -> bool {
        self.borrows
    }

    /// Whether records of `key` are run here.
    pub(super) fn needs(&self, key: &[u8]) -> bool {
        self.needed[usize::from(slot_of(key))]
    }

    /// What the shard runs of a command that stands in any shard's segment.
    pub(super) fn take(
        &self,
        command: &ShardCommand,
        arguments: Arguments<'_>,
    ) -> Result<Take, String> {
        let mut keys = 0;
        let mut own = Vec::new();
        let (mut first, mut is_of_one) = (None, true);
        visit_keys(command, arguments, |at| {
            let slot = slot_of(&arguments[at]);
            is_of_one &= *first.get_or_insert(slot) == slot;
            keys += 1;
            if self.needed[usize::from(slot)] {
                own.push(at);
            }
        })?;
        if !is_of_one && !self.of_redis {
            let name = command.spec.name;
            return Err(format!(
                "'{name}' has keys of several slots here: an earlier build wrote this, and only \
                 as many shards as it had can read it"
            ));
        }
        Ok(match (own.len(), command.across) {
            (0, _) => Take::Nothing,
            (count, Across::Split { .. }) if count < keys => Take::Keys(own),
            // Either all keys are this shard's, or they are tied.
            _ => Take::All,
        })
    }

    /// Drops the keys that were only needed to make others.
    pub(super) fn drop_borrowed(&self, core: &mut Core) {
        let now_ms = core.time.unix_ms();
        let shard = &mut core.shard;
        for db in 0..shard.keyspace.database_count() {
            let mut position = 0;
            loop {
                let (next, foreign) = self.find_borrowed(&shard.keyspace, db, position);
                for key in foreign {
                    let mut step = Step { db, now_ms, effects: &mut shard.effects };
                    shard.keyspace.remove(&mut step, &key);
                    shard.effects.clear();
                }
                position = next;
                if position == 0 {
                    break;
                }
            }
        }
    }

    /// Some keys of other shards from `position` on, and where to go on (0: at the end).
    fn find_borrowed(&self, keyspace: &Keyspace, db: usize, position: u64) -> (u64, Vec<Vec<u8>>) {
        let mut foreign = Vec::new();
        let Some(database) = keyspace.database(db) else { return (0, foreign) };
        let next = database.table().scan(position, SCAN_RECORDS, |record| {
            if shard_of_slot(slot_of(record.key()), self.shards) != self.shard {
                foreign.push(record.key().to_vec());
            }
        });
        (next, foreign)
    }
}

/// Records looked at between two rounds of removing: their keys are copied.
const SCAN_RECORDS: usize = 1000;

/// Ties the slots of a command whose keys depend on each other.
fn tie(
    ties: &mut SlotTies,
    command: &ShardCommand,
    arguments: Arguments<'_>,
) -> Result<(), String> {
    if matches!(command.across, Across::Split { .. }) {
        return Ok(());
    }
    let mut first = None;
    visit_keys(command, arguments, |at| {
        let slot = slot_of(&arguments[at]);
        match first {
            None => first = Some(slot),
            Some(first) if first != slot => ties.tie(first, slot),
            Some(_) => {}
        }
    })
}

fn visit_keys(
    command: &ShardCommand,
    arguments: Arguments<'_>,
    mut visit: impl FnMut(usize),
) -> Result<(), String> {
    let argument = |at: usize| &arguments[at];
    let visited = command.spec.each_key(arguments.len(), &argument, &mut |at, _| visit(at));
    visited.map_err(|_| format!("the keys of '{}' cannot be found", command.spec.name))
}

#[cfg(test)]
mod tests {
    use durability::SlotTies;
    use resp::{Arguments, Span};
    use spec::SLOTS;

    use super::{Share, Take};

    /// What the first of two shards takes of a command.
    fn take(line: &str, of_redis: bool) -> Result<Take, String> {
        let (mut spans, mut at) = (Vec::new(), 0);
        for word in line.split(' ') {
            spans.push(Span { start: at, end: at + word.len() as u32 });
            at += word.len() as u32 + 1;
        }
        let name = line.split(' ').next().unwrap_or_default();
        let mut all = commands::FAMILIES.iter().flat_map(|family| family.iter());
        let command = all.find(|it| it.spec.name == name).expect("a command");
        let share = Share::new(&mut SlotTies::new(SLOTS), of_redis, (0, 2));
        share.take(command, Arguments::new(line.as_bytes(), &spans))
    }

    #[test]
    fn a_record_goes_to_the_shard_of_its_slot_and_only_redis_names_several() {
        // b lives on the first shard, a on the second.
        assert!(matches!(take("set b 1", false), Ok(Take::All)));
        assert!(matches!(take("set a 1", false), Ok(Take::Nothing)));
        assert!(matches!(take("mset b 1 {b}c 2", false), Ok(Take::All)));
        assert!(matches!(take("mset b 1 a 2", true), Ok(Take::Keys(own)) if own == [1]));
        for line in ["mset b 1 a 2", "rename a b"] {
            let refused = take(line, false).err().expect("an older build's");
            assert!(refused.contains("has keys of several slots"), "{refused}");
        }
    }
}
