//! The ledger against recovery's own rule, with transactions in any order on each shard.

use std::collections::{HashMap, HashSet};

use super::Ledger;
use crate::gate::Part;
use crate::transaction::{Participants, TransactionId};

/// A small generator: the tests need variety, not quality.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn part(id: u64, start: u64, shards: &[u16]) -> Part {
    let mut participants = Participants::new();
    shards.iter().for_each(|shard| participants.insert(*shard));
    Part { id: TransactionId::new(0, id), start, end: start + 10, participants }
}

/// What recovery keeps of these segments: how many parts of each.
fn recovered(segments: &[Vec<Part>]) -> Vec<usize> {
    let mut kept: Vec<usize> = segments.iter().map(Vec::len).collect();
    loop {
        let mut parts: HashMap<TransactionId, u32> = HashMap::new();
        for (segment, kept) in segments.iter().zip(&kept) {
            segment[..*kept].iter().for_each(|part| *parts.entry(part.id).or_default() += 1);
        }
        let before = kept.clone();
        for (segment, kept) in segments.iter().zip(&mut kept) {
            let torn = |part: &Part| parts[&part.id] < part.participants.len();
            *kept = segment[..*kept].iter().position(torn).unwrap_or(*kept);
        }
        if kept == before {
            return kept;
        }
    }
}

#[test]
fn what_is_retired_is_what_recovery_keeps() {
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let shards = 2 + dice.roll(4);
        let mut appended: Vec<Vec<Part>> = vec![Vec::new(); shards];
        for id in 0..30 {
            let mut of: Vec<u16> = (0..shards as u16).filter(|_| dice.roll(2) == 0).collect();
            if of.is_empty() {
                of.push(dice.roll(shards) as u16);
            }
            for shard in &of {
                // anywhere among the last few: shards differ in the order of what they share
                let segment = &mut appended[usize::from(*shard)];
                let at = segment.len() - dice.roll(segment.len().min(3) + 1);
                segment.insert(at, part(id, 0, &of));
            }
        }
        for segment in &mut appended {
            for (at, part) in segment.iter_mut().enumerate() {
                (part.start, part.end) = (at as u64 * 10, at as u64 * 10 + 10);
            }
        }
        let mut ledger = Ledger::new(shards);
        let mut written: Vec<Vec<Part>> = vec![Vec::new(); shards];
        while written.iter().zip(&appended).any(|(some, all)| some.len() < all.len()) {
            let shard = dice.roll(shards);
            let from = written[shard].len();
            let to = (from + dice.roll(4)).min(appended[shard].len());
            written[shard].extend_from_slice(&appended[shard][from..to]);
            ledger.written(shard as u16, appended[shard][from..to].iter().copied());
            for (shard, kept) in recovered(&written).into_iter().enumerate() {
                let end = ledger.retired_through(shard as u16);
                assert_eq!(end, kept as u64 * 10, "seed {seed}, shard {shard}");
            }
        }
        assert!(ledger.open.is_empty());
    }
}

#[test]
fn what_a_failed_shard_lacks_is_lost_and_what_lies_behind_it() {
    let mut ledger = Ledger::new(3);
    ledger.written(0, [part(1, 0, &[0, 1]), part(2, 10, &[0, 2])]);
    ledger.written(2, [part(2, 0, &[0, 2])]);
    assert_eq!((ledger.lost_from(0), ledger.lost_from(2)), (u64::MAX, u64::MAX));
    let lost: HashSet<u16> = ledger.failed(1).iter().collect();
    assert_eq!(lost, HashSet::from([0, 2]));
    assert_eq!((ledger.lost_from(0), ledger.lost_from(1), ledger.lost_from(2)), (0, u64::MAX, 0));
    // what comes later and needs it is lost as well; what does not is not
    ledger.written(2, [part(3, 10, &[2, 1])]);
    assert_eq!(ledger.lost_from(2), 0);
    assert!(ledger.failed(1).is_empty());
}
