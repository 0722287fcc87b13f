//! The cut against its own definition: random transactions over 2 to 5 segments, each file torn
//! anywhere, independently (worse than any crash that the gate allows), and the result of the
//! planned cut compared with a naive search.

use std::collections::BTreeMap;

use crate::rig::{Random, encode};
use durability::{
    FsyncPolicy, LogDirectory, LogNames, Participants, Segment, TornTail, TransactionId, scan,
};
use testing::MemoryStorage;

/// A step of a shard's log: where it ends, and of which transaction it is.
struct Step {
    start: u64,
    end: u64,
    transaction: Option<u64>,
}

struct Log {
    files: Vec<Vec<u8>>,
    steps: Vec<Vec<Step>>,
    participants: BTreeMap<u64, Vec<u16>>,
}

fn random_log(random: &mut Random, shards: u16) -> Log {
    let mut files: Vec<_> = (0..shards).map(|shard| Segment::header(1, shard, shards)).collect();
    let mut segments: Vec<_> =
        files.iter().map(|file| Segment::resume(file.len() as u64, FsyncPolicy::No, 0)).collect();
    let mut steps: Vec<Vec<Step>> = (0..shards).map(|_| Vec::new()).collect();
    let mut participants = BTreeMap::new();
    for number in 0..10 + random.below(30) {
        let mut members: Vec<u16> = (0..shards).filter(|_| random.below(3) == 0).collect();
        if members.is_empty() {
            members.push(random.below(u64::from(shards)) as u16);
        }
        let transaction = (members.len() > 1).then_some(number);
        let set: Participants = members.iter().copied().collect();
        for &member in &members {
            let segment = &mut segments[usize::from(member)];
            let start = segment.appended();
            let id = TransactionId::new(members[0], number);
            if transaction.is_some() {
                segment.begin_part(id, &set);
            }
            for _ in 0..random.below(3) {
                segment.record(0, &encode(&["RPUSH", "k", &number.to_string()]));
            }
            if transaction.is_some() {
                segment.end_part();
            }
            let end = segment.appended();
            steps[usize::from(member)].push(Step { start, end, transaction });
        }
        if let Some(number) = transaction {
            participants.insert(number, members);
        }
    }
    for (file, segment) in files.iter_mut().zip(&mut segments) {
        file.extend_from_slice(segment.poll_write(0).unwrap_or_default());
    }
    Log { files, steps, participants }
}

/// Cuts at the end of the last whole step, then before any transaction that lacks a part, until
/// nothing changes.
fn naive(log: &Log, lengths: &[u64]) -> Vec<u64> {
    let mut cuts = lengths.to_vec();
    loop {
        let before = cuts.clone();
        let has = |cuts: &[u64], shard: usize, transaction| {
            let kept = |step: &&Step| step.end <= cuts[shard];
            log.steps[shard].iter().filter(kept).any(|step| step.transaction == Some(transaction))
        };
        for (&transaction, members) in &log.participants {
            if members.iter().all(|&member| has(&cuts, usize::from(member), transaction)) {
                continue;
            }
            for &member in members {
                let mut of = log.steps[usize::from(member)].iter();
                let step = of.find(|step| step.transaction == Some(transaction)).unwrap();
                let cut = &mut cuts[usize::from(member)];
                *cut = (*cut).min(step.start);
            }
        }
        if cuts == before {
            return cuts;
        }
    }
}

#[test]
fn the_cut_is_the_largest_that_leaves_no_transaction_half() {
    let mut cascades = 0;
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let shards = 2 + random.below(4) as u16;
        let log = random_log(&mut random, shards);
        let storage = MemoryStorage::new(seed);
        let mut manifest = String::new();
        let mut lengths = Vec::new();
        for (shard, file) in log.files.iter().enumerate() {
            let header = Segment::header(1, shard as u16, shards).len() as u64;
            let more = file.len() as u64 - header;
            let torn = random.below(2) == 0 && more > 0;
            let length = if torn { header + random.below(more + 1) } else { file.len() as u64 };
            let name = format!("s{shard}.aof");
            storage.put(&format!("appendonlydir/{name}"), &file[..length as usize]);
            let seq = shard + 1;
            manifest.push_str(&format!(
                "file {name} seq {seq} type i generation 1 shard {shard} shards {shards}\n"
            ));
            lengths.push(length);
        }
        storage.put("appendonlydir/appendonly.aof.manifest", manifest.as_bytes());
        let directory = LogDirectory::open(&storage, LogNames::default()).unwrap();
        let sources = directory.segments();
        let indexes = sources.iter().map(|source| scan(&storage, source).unwrap()).collect();
        let plan = directory.plan(indexes, shards, TornTail::Cut).unwrap();
        let mut found = lengths.clone();
        for cut in plan.cuts() {
            let shard = sources.iter().position(|source| source.path == cut.path).unwrap();
            found[shard] = cut.offset;
        }
        let expected = naive(&log, &lengths);
        for shard in 0..usize::from(shards) {
            let kept =
                |limit: u64| log.steps[shard].iter().filter(|step| step.end <= limit).count();
            assert_eq!(kept(found[shard]), kept(expected[shard]), "seed {seed}, shard {shard}");
        }
        cascades += u64::from(plan.cuts().iter().filter(|cut| cut.transaction).count() > 1);
    }
    assert!(cascades > 300, "cuts spread too rarely to prove anything: {cascades}");
}
