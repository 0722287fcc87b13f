//! The cut: where each segment ends so that together they are one state, and no transaction is
//! half there.
//!
//! The rule: a segment is cut before the first transaction of which any participant lacks its
//! part. A cut may drop whole parts of other transactions behind it, which are then incomplete
//! too, so it is repeated until nothing changes:
//!
//! ```text
//!  shard 0   a   [T1]  b   [T2]  c            T1's part on shard 1 is missing:
//!  shard 1   d             [T2]  e   [T3]     cut 0 before T1; that drops T2 there,
//!  shard 2   f   [T3]  g                      so cut 1 before T2; that drops T3 there,
//!                                             so cut 2 before T3.
//! ```
//!
//! Nothing that is cut off was acknowledged: a reply behind a part waits until the part is written
//! everywhere ([`crate::Ledger`]). The cut found is the largest one that satisfies the
//! rule, and cutting files in any order and being killed half way leads to the same cut again:
//! what a cut drops from one file only confirms that its transactions are incomplete.
//!
//! Only the last generation can need a cut. An earlier one was cut, if at all, before the next
//! began; there anything torn or incomplete is damage.

use std::collections::BTreeMap;

use crate::error::RecoveryError;
use crate::record::Fault;
use crate::scan::{SegmentIndex, Sweep};
use crate::transaction::TransactionId;

/// What to do with a segment whose end is torn (`aof-load-truncated`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TornTail {
    /// Cut it off and go on.
    Cut,
    /// Refuse to start.
    Refuse,
}

/// A piece to be cut off the end of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub path: String,
    /// Where it will end.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Whether an incomplete transaction is the reason, rather than a torn record.
    pub transaction: bool,
}

/// What recovery will read, and what it will cut off first.
#[derive(Debug, Clone)]
pub struct RecoveryPlan {
    pub(crate) generations: Vec<PlannedGeneration>,
    cuts: Vec<Cut>,
    counters: BTreeMap<u16, u64>,
    records: u64,
}

/// One generation of the plan.
#[derive(Debug, Clone)]
pub(crate) struct PlannedGeneration {
    pub(crate) number: u64,
    pub(crate) shards: u16,
    /// Each shard's files in order.
    pub(crate) chains: Vec<Vec<PlannedSegment>>,
}

/// One file of the plan.
#[derive(Debug, Clone)]
pub(crate) struct PlannedSegment {
    pub(crate) path: String,
    /// Where it ends, now or after its cut.
    pub(crate) end: u64,
    pub(crate) sweeps: Vec<Sweep>,
}

impl RecoveryPlan {
    /// What is cut off; empty after an orderly end. Each is worth a line in the server's log.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// How many records the segments have, those that are cut off included.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Whether Redis wrote some of it: its records may be about keys of several slots, and
    /// [`crate::SlotTies`] matter.
    pub fn is_of_redis(&self) -> bool {
        self.generations.iter().any(|generation| generation.number == 0)
    }

    /// Whether each of `shards` shards has a chain of its own in every generation. If not, shards
    /// read each other's chains.
    pub fn is_own(&self, shards: u16) -> bool {
        self.generations.iter().all(|generation| generation.shards == shards)
    }

    /// The first transaction counter of `home` that the last generation has not used.
    pub(crate) fn counter(&self, home: u16) -> u64 {
        self.counters.get(&home).copied().unwrap_or(0)
    }

    /// Makes the plan for `shards` shards from the indexes of all segments, in the order of the
    /// manifest.
    pub(crate) fn new(
        indexes: Vec<SegmentIndex>,
        shards: u16,
        torn: TornTail,
    ) -> Result<Self, RecoveryError> {
        let mut plan = Self {
            generations: Vec::new(),
            cuts: Vec::new(),
            counters: BTreeMap::new(),
            records: indexes.iter().map(|index| index.records).sum(),
        };
        let last = indexes.last().map(|index| index.source.generation);
        let groups =
            indexes.chunk_by(|left, right| left.source.generation == right.source.generation);
        for group in groups {
            let open = Some(group[0].source.generation) == last;
            plan.add_generation(group, open, torn)?;
        }
        if let Some(last) = last {
            let of_last = indexes.iter().filter(|index| index.source.generation == last);
            for (&home, &counter) in of_last.flat_map(|index| &index.counters) {
                let next = plan.counters.entry(home).or_insert(0);
                *next = (*next).max(counter);
            }
        }
        if !plan.is_own(shards) {
            plan.generations.iter().try_for_each(check_sweeps)?;
        }
        Ok(plan)
    }

    /// The file `from` will be at `to` when it is read.
    pub(crate) fn move_file(&mut self, from: &str, to: &str) {
        let chains = self.generations.iter_mut().flat_map(|generation| &mut generation.chains);
        for file in chains.flatten().filter(|file| file.path == from) {
            to.clone_into(&mut file.path);
        }
    }

    fn add_generation(
        &mut self,
        group: &[SegmentIndex],
        open: bool,
        torn: TornTail,
    ) -> Result<(), RecoveryError> {
        let shards = group[0].source.shards;
        let mut chains = Vec::with_capacity(usize::from(shards));
        let mut ends = Vec::with_capacity(usize::from(shards));
        for shard in 0..shards {
            let chain: Vec<_> = group.iter().filter(|index| index.source.shard == shard).collect();
            if let Some((end, earlier)) = chain.split_last() {
                for index in earlier {
                    check_finished(index)?;
                }
                ends.push(*end);
            }
            chains.push(chain);
        }
        let cuts = settle(&ends)?;
        for (index, &offset) in ends.iter().zip(&cuts) {
            if !open {
                check_closed(index, offset)?;
            }
            if offset == index.bytes {
                continue;
            }
            let path = index.source.path.clone();
            if torn == TornTail::Refuse {
                return Err(RecoveryError::Torn { name: path, offset, bytes: index.bytes });
            }
            let transaction = offset < index.whole_bytes;
            self.cuts.push(Cut { path, offset, bytes: index.bytes, transaction });
        }
        let planned = |(chain, cut): (Vec<&SegmentIndex>, u64)| {
            let last = chain.len() - 1;
            let ends = |at: usize, index: &SegmentIndex| if at == last { cut } else { index.bytes };
            let files = chain.iter().enumerate();
            files.map(|(at, index)| PlannedSegment::new(index, ends(at, index))).collect()
        };
        let chains = chains.into_iter().zip(cuts).map(planned).collect();
        self.generations.push(PlannedGeneration {
            number: group[0].source.generation,
            shards,
            chains,
        });
        Ok(())
    }
}

impl PlannedSegment {
    fn new(index: &SegmentIndex, end: u64) -> Self {
        let sweeps = index.sweeps.iter().filter(|sweep| sweep.end <= end).cloned().collect();
        Self { path: index.source.path.clone(), end, sweeps }
    }
}

/// A file that is not the last of its chain must be whole.
fn check_finished(index: &SegmentIndex) -> Result<(), RecoveryError> {
    check_closed(index, index.whole_bytes)
}

/// A file of a closed generation must be whole, and so must its transactions.
fn check_closed(index: &SegmentIndex, cut: u64) -> Result<(), RecoveryError> {
    let fault = match cut {
        _ if index.whole_bytes < index.bytes => Fault::Unfinished,
        cut if cut < index.whole_bytes => Fault::Incomplete,
        _ => return Ok(()),
    };
    Err(RecoveryError::damaged(&index.source.path, cut, fault))
}

/// Where shards read all chains, the records that concern all keys must be the same in each: they
/// are what the chains are aligned at.
fn check_sweeps(generation: &PlannedGeneration) -> Result<(), RecoveryError> {
    let sweeps = |chain: &[PlannedSegment]| -> Vec<Sweep> {
        chain.iter().flat_map(|segment| segment.sweeps.clone()).collect()
    };
    let Some((first, others)) = generation.chains.split_first() else { return Ok(()) };
    let expected = sweeps(first);
    for chain in others {
        let found = sweeps(chain);
        let pairs = expected.iter().zip(&found);
        let same = |(left, right): &(&Sweep, &Sweep)| {
            left.record.eq_ignore_ascii_case(&right.record) && left.db == right.db
        };
        let agreeing = pairs.take_while(same).count();
        if agreeing < expected.len().max(found.len()) {
            // Named is the file of this chain where the first odd one lies, or its last.
            let odd = found.get(agreeing);
            let file = chain.iter().find(|file| odd.is_some_and(|odd| file.sweeps.contains(odd)));
            let path = file.or_else(|| chain.last()).map_or("", |file| &file.path);
            let offset = odd.map_or(0, |sweep| sweep.start);
            return Err(RecoveryError::damaged(path, offset, Fault::Disagree));
        }
    }
    Ok(())
}

/// One part, as the settling of a cut sees it: which transaction, in which segment, where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    id: TransactionId,
    segment: u16,
    /// Its place among the segment's parts.
    part: u32,
}

/// Finds the cut of every segment of a generation: `segments[i]` is shard `i`'s last file.
///
/// O(p log p) for p parts in all.
fn settle(segments: &[&SegmentIndex]) -> Result<Vec<u64>, RecoveryError> {
    let mut sites = Vec::new();
    for (segment, index) in segments.iter().enumerate() {
        for (part, site) in index.parts.iter().enumerate() {
            sites.push(Site { id: site.id, segment: segment as u16, part: part as u32 });
        }
    }
    sites.sort_unstable();
    if let Some(pair) = sites.windows(2).find(|pair| is_twice(pair[0], pair[1])) {
        let index = segments[usize::from(pair[1].segment)];
        let start = index.parts[pair[1].part as usize].start;
        return Err(RecoveryError::damaged(&index.source.path, start, Fault::PartTwice));
    }
    let mut settling = Settling {
        segments,
        cuts: segments.iter().map(|index| index.whole_bytes).collect(),
        kept: segments.iter().map(|index| index.parts.len()).collect(),
        incomplete: Vec::new(),
    };
    for group in sites.chunk_by(|left, right| left.id == right.id) {
        if !settling.is_complete(group) {
            settling.incomplete.push(group[0].id);
        }
    }
    settling.run(&sites);
    Ok(settling.cuts)
}

fn is_twice(left: Site, right: Site) -> bool {
    left.id == right.id && left.segment == right.segment
}

struct Settling<'a> {
    segments: &'a [&'a SegmentIndex],
    cuts: Vec<u64>,
    /// How many parts of each segment lie before its cut.
    kept: Vec<usize>,
    /// Transactions known to be incomplete, still to be cut out.
    incomplete: Vec<TransactionId>,
}

impl Settling<'_> {
    /// Whether all participants have their part, and agree on who they are.
    fn is_complete(&self, group: &[Site]) -> bool {
        let participants = |site: &Site| {
            let index = self.segments[usize::from(site.segment)];
            index.sets[index.parts[site.part as usize].set as usize]
        };
        let set = participants(&group[0]);
        set.len() as usize == group.len() && group.iter().all(|site| participants(site) == set)
    }

    fn run(&mut self, sites: &[Site]) {
        while let Some(id) = self.incomplete.pop() {
            let first = sites.partition_point(|site| site.id < id);
            for site in sites[first..].iter().take_while(|site| site.id == id) {
                self.cut_before(*site);
            }
        }
    }

    /// Cuts a segment before a part; what lies behind becomes incomplete.
    fn cut_before(&mut self, site: Site) {
        let segment = usize::from(site.segment);
        let parts = &self.segments[segment].parts;
        let start = parts[site.part as usize].start;
        if start >= self.cuts[segment] {
            return;
        }
        self.cuts[segment] = start;
        while self.kept[segment] > site.part as usize {
            self.kept[segment] -= 1;
            self.incomplete.push(parts[self.kept[segment]].id);
        }
    }
}
