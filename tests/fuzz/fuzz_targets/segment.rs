//! A log directory as anybody may have left it: one to three segments of any bytes, behind a
//! manifest that is right or is any bytes too. The first byte chooses.
//!
//! Checked: no panic; a refused start changes no file; an accepted one cuts, and the next start
//! finds nothing to cut and gives the same records, also to another number of shards.
#![no_main]

use std::collections::BTreeMap;

use durability::{
    LogDirectory, LogNames, Progress, RecoveryError, Replay, Segment, TornTail, scan,
};
use libfuzzer_sys::fuzz_target;
use testing::MemoryStorage;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let shards = u16::from(choice & 3).max(1);
    let storage = MemoryStorage::new(0);
    let mut manifest = String::new();
    let pieces = rest.split(|&byte| byte == 0xff).chain(std::iter::repeat(&b""[..]));
    for (shard, piece) in (0..shards).zip(pieces) {
        let name = format!("s{shard}.aof");
        let seq = shard + 1;
        // Generation 0 is Redis' own, without first lines.
        let imported = choice & 4 != 0;
        let more = format!(" generation 1 shard {shard} shards {shards}");
        let header = Segment::header(1, shard, shards);
        let (more, header) = if imported { ("", &b""[..]) } else { (&*more, &*header) };
        manifest.push_str(&format!("file {name} seq {seq} type i{more}\n"));
        storage.put(&format!("appendonlydir/{name}"), &[header, piece].concat());
    }
    let listed = if choice & 8 != 0 { rest } else { manifest.as_bytes() };
    storage.put("appendonlydir/appendonly.aof.manifest", listed);
    let before = storage.image();
    match start(&storage, shards) {
        Err(_) => assert_eq!(storage.image(), before, "a refused start changed the files"),
        Ok((records, _)) => {
            let (again, cuts) = start(&storage, shards).expect("the same log");
            assert_eq!((again, cuts), (records.clone(), 0));
            // Chains that disagree about sweeps are refused to another number of shards.
            if let Ok((_, cuts)) = start(&storage, shards + 1) {
                assert_eq!(cuts, 0);
            }
        }
    }
});

/// Opens and replays everything; the records of each shard, and how many cuts there were.
fn start(
    storage: &MemoryStorage,
    shards: u16,
) -> Result<(BTreeMap<u16, Vec<Vec<u8>>>, usize), RecoveryError> {
    let mut directory = LogDirectory::open(storage, LogNames::default())?;
    let sources = directory.segments();
    let indexes = sources.iter().map(|source| scan(storage, source)).collect::<Result<_, _>>()?;
    let plan = directory.plan(indexes, shards, TornTail::Cut)?;
    directory.resume(storage, &plan, shards)?;
    let mut records = BTreeMap::new();
    for shard in 0..shards {
        let own: &mut Vec<Vec<u8>> = records.entry(shard).or_default();
        let mut replay = Replay::new(&plan, shard, shards);
        let mut step = || {
            replay.step(storage, 100, |record| {
                own.push(record.arguments.bytes().to_vec());
                Ok(())
            })
        };
        while step()? == Progress::More {}
    }
    Ok((records, plan.cuts().len()))
}
