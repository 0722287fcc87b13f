//! Files as they may be found at start: torn, damaged, incomplete, Redis' own. Each test puts them
//! on a disk in memory and looks at what is recovered, or refused and why; and that a refusal
//! changes nothing.

use std::collections::BTreeMap;

use crate::rig::{Random, Rig, State, encode, start, start_with};
use durability::{
    BaseWriter, Fault, FsyncPolicy, LogDirectory, LogNames, OpenMode, Participants, RecoveryError,
    Segment, Storage, Stray, TornTail, TransactionId,
};
use testing::MemoryStorage;

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

fn path(shard: u16, generation: u64) -> String {
    format!("appendonlydir/appendonly.aof.shard-{shard:04}.{generation}.incr.aof")
}

/// The bytes of a segment of generation 1 that `fill` writes.
fn segment(shard: u16, shards: u16, fill: impl FnOnce(&mut Segment)) -> Vec<u8> {
    let mut bytes = Segment::header(1, shard, shards);
    let mut segment = Segment::resume(bytes.len() as u64, FsyncPolicy::No, 0);
    fill(&mut segment);
    if let Some(batch) = segment.poll_write(0) {
        bytes.extend_from_slice(batch);
    }
    bytes
}

fn push(segment: &mut Segment, key: &str, write: u64) {
    segment.record(0, &encode(&["RPUSH", key, &write.to_string()]));
}

/// A disk with generation 1 of these segments.
fn disk(segments: &[Vec<u8>]) -> MemoryStorage {
    let storage = MemoryStorage::new(0);
    let mut manifest = String::new();
    for (shard, bytes) in segments.iter().enumerate() {
        let name = format!("appendonly.aof.shard-{shard:04}.1.incr.aof");
        let (seq, shards) = (shard + 1, segments.len());
        manifest.push_str(&format!(
            "file {name} seq {seq} type i generation 1 shard {shard} shards {shards}\n"
        ));
        storage.put(&format!("appendonlydir/{name}"), bytes);
    }
    storage.put(MANIFEST, manifest.as_bytes());
    storage
}

/// What a start is refused with; that it changed nothing is checked.
fn refused(storage: &MemoryStorage, shards: u16) -> RecoveryError {
    let before = storage.image();
    let Err(error) = start(storage, shards) else { panic!("the start was not refused") };
    assert_eq!(storage.image(), before, "a refused start changed the files");
    error
}

fn fault(error: &RecoveryError) -> Fault {
    match error {
        RecoveryError::Damaged { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

/// A one-shard log of the keys a, b, c.
fn abc() -> Vec<u8> {
    segment(0, 1, |segment| {
        for (write, key) in ["a", "b", "c"].into_iter().enumerate() {
            push(segment, key, write as u64);
        }
    })
}

fn keys(state: &State) -> String {
    state.keys().map(|(_, key)| key.as_str()).collect()
}

#[test]
fn the_first_start_makes_a_log_and_the_second_goes_on_in_it() {
    let storage = MemoryStorage::new(0);
    let first = start(&storage, 2).unwrap();
    assert_eq!(first.tails[1].path, path(1, 1));
    let second = start(&storage, 2).unwrap();
    assert_eq!(first.tails, second.tails);
    assert_eq!(first.tails[0].position, Segment::header(1, 0, 2).len() as u64);
}

#[test]
fn a_torn_end_is_cut_at_any_byte_or_refused() {
    let whole = abc();
    let header = Segment::header(1, 0, 1).len();
    for length in header..whole.len() {
        let storage = disk(&[whole[..length].to_vec()]);
        let is_whole = whole[..length].ends_with(b"\r\n")
            && keys(&start(&disk(&[whole[..length].to_vec()]), 1).unwrap().state).len() == {
                whole[..length].windows(5).filter(|window| window == b"RPUSH").count()
            }
            && start(&disk(&[whole[..length].to_vec()]), 1).unwrap().cuts.is_empty();
        match start_with(&storage, 1, TornTail::Refuse) {
            Ok(_) => assert!(is_whole, "{length}"),
            Err(RecoveryError::Torn { bytes, offset, .. }) => {
                assert!(!is_whole && bytes == length as u64 && offset < bytes, "{length}");
            }
            Err(error) => panic!("{error}"),
        }
        let started = start(&storage, 1).unwrap();
        assert!("abc".starts_with(&keys(&started.state)));
        let content = storage.content(&path(0, 1)).unwrap();
        assert_eq!(content.len() as u64, started.tails[0].position);
        assert!(whole.starts_with(&content));
    }
}

#[test]
fn a_flipped_byte_is_refused_with_its_place_or_changes_a_value_only() {
    let mut whole = abc();
    for write in 10..14 {
        whole.extend_from_slice(&encode(&["RPUSH", "d", &write.to_string()]));
    }
    let intact = start(&disk(&[whole.clone()]), 1).unwrap().state;
    let first = Segment::header(1, 0, 1).len();
    for at in 0..whole.len() - 60 {
        let mut bent = whole.clone();
        bent[at] ^= 4;
        let storage = disk(&[bent]);
        let before = storage.image();
        match start(&storage, 1) {
            Ok(started) => assert!(at >= first && started.state != intact, "byte {at} is missed"),
            Err(RecoveryError::Damaged { offset, .. }) => {
                // A length that grew by just the right amount swallows the head of the next
                // record; what is left of that one is the place then.
                assert!(offset <= at as u64 + 12, "byte {at} is blamed on {offset}");
                assert_eq!(storage.image(), before);
            }
            // The name of a command, or a number in it, is found when it runs.
            Err(RecoveryError::Rejected { offset, reason, .. }) => {
                assert!(offset <= at as u64, "byte {at} is blamed on {offset}: {reason}");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
}

#[test]
fn a_length_that_runs_past_the_end_is_damage_when_records_follow() {
    let mut whole = abc();
    let record = whole.windows(8).position(|window| window == b"$5\r\nRPUS").unwrap();
    for write in 10..14 {
        whole.extend_from_slice(&encode(&["RPUSH", "d", &write.to_string()]));
    }
    // The first RPUSH claims a name of 599 bytes.
    whole.splice(record + 2..record + 2, *b"99");
    match refused(&disk(&[whole]), 1) {
        RecoveryError::Damaged { fault: Fault::BrokenOff, offset, .. } => {
            assert_eq!(offset, record as u64 - 4, "where the record begins");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn faults_are_refused_by_name() {
    let header = |more: &[u8]| [&Segment::header(1, 0, 1)[..], more].concat();
    let cases: Vec<(Vec<u8>, Fault)> = vec![
        (Vec::new(), Fault::NoHeader),
        (encode(&["RPUSH", "a", "1"]), Fault::NoHeader),
        (Segment::header(2, 0, 1), Fault::Elsewhere),
        (header(&Segment::header(1, 0, 1)), Fault::Elsewhere),
        (header(b"\0\0\0"), Fault::Zeros),
        (header(b"SET a b\r\n"), Fault::Start(b'S')),
        (header(&encode(&["MULTI"]).repeat(2)), Fault::Nested),
        (header(&encode(&["EXEC"])), Fault::Exec),
        (header(&encode(&["SELECT", "x"])), Fault::Select),
        (header(b"#TXN 0-1 2\r\n"), Fault::Participants),
        (header(b"#TXN 0-1 3\r\n"), Fault::Participants),
        (header(b"#TXN 0-1 1\r\n#TXN 0-2 1\r\n"), Fault::Part),
        (header(b"#TXN 0-1 1\r\n#END 0-2\r\n"), Fault::Part),
        (header(b"#END 0-2\r\n"), Fault::Part),
        (header(b"#TXN 0-1 1\r\n#EPOCH 1\r\n"), Fault::Part),
        (header(&b"#TXN 0-1 1\r\n#END 0-1\r\n".repeat(2)), Fault::PartTwice),
        (header(&[encode(&["MULTI"]), b"#EPOCH 1\r\n".to_vec()].concat()), Fault::Nested),
        (header(&[b'#'; 2000]), Fault::AnnotationLong),
        (b"REDIS0011".to_vec(), Fault::Rdb),
        (b"#BOBBIN 7 whatever\r\n".to_vec(), Fault::Format),
    ];
    for (bytes, expected) in cases {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(fault(&refused(&disk(&[bytes]), 1)), expected, "{text:?}");
    }
}

#[test]
fn missing_files_are_refused() {
    let storage = disk(&[abc()]);
    storage.remove(&path(0, 1)).unwrap();
    let error = refused(&storage, 1);
    assert!(matches!(&error, RecoveryError::SegmentMissing { name } if *name == path(0, 1)));
    let storage = disk(&[abc()]);
    storage.remove(MANIFEST).unwrap();
    let error = refused(&storage, 1);
    assert!(matches!(error, RecoveryError::ManifestMissing { .. }), "{error}");
    let storage = disk(&[abc()]);
    storage.put(MANIFEST, b"file x\n");
    assert!(matches!(refused(&storage, 1), RecoveryError::Manifest { .. }));
    storage.put(MANIFEST, b"");
    assert!(matches!(refused(&storage, 1), RecoveryError::Manifest { .. }));
}

#[test]
fn segments_that_changed_places_are_refused() {
    let (first, second) = (segment(0, 2, |_| ()), segment(1, 2, |_| ()));
    assert_eq!(fault(&refused(&disk(&[second, first]), 2)), Fault::Elsewhere);
}

#[test]
fn an_exec_that_breaks_off_is_cut_whole() {
    let whole = segment(0, 1, |segment| {
        push(segment, "a", 1);
        segment.begin_unit();
        push(segment, "b", 2);
        push(segment, "c", 3);
        segment.end_unit();
    });
    let unit = whole.windows(5).position(|window| window == b"MULTI").unwrap();
    for length in unit..whole.len() {
        let started = start(&disk(&[whole[..length].to_vec()]), 1).unwrap();
        assert_eq!(keys(&started.state), "a", "{length}");
    }
    assert_eq!(keys(&start(&disk(&[whole]), 1).unwrap().state), "abc");
}

#[test]
fn a_command_that_does_not_run_ends_the_start() {
    let storage = disk(&[segment(0, 1, |segment| {
        push(segment, "a", 1);
        segment.record(0, &encode(&["NONSENSE"]));
    })]);
    match start(&storage, 1) {
        Err(RecoveryError::Rejected { name, offset, reason }) => {
            assert_eq!(name, path(0, 1));
            assert_eq!(&storage.content(&name).unwrap()[offset as usize..][..4], b"*1\r\n");
            assert!(reason.contains("NONSENSE"));
        }
        other => panic!("{:?}", other.map(|started| started.state)),
    }
}

#[test]
fn a_long_record_is_read_through_a_small_window() {
    let key = "k".repeat(900_000);
    let storage = disk(&[segment(0, 1, |segment| {
        push(segment, "a", 1);
        push(segment, &key, 2);
        push(segment, "b", 3);
    })]);
    let state = start(&storage, 1).unwrap().state;
    assert_eq!(state.keys().map(|(_, key)| key.len()).collect::<Vec<_>>(), [1, 1, 900_000]);
}

#[test]
fn a_single_file_of_redis_is_taken_in() {
    let mut file = encode(&["SELECT", "1"]);
    file.extend_from_slice(b"#TS:1700000000\r\n");
    file.extend_from_slice(&encode(&["RPUSH", "a", "1"]));
    let storage = MemoryStorage::new(0);
    storage.put("appendonly.aof", &file);
    for freeze_at in 1.. {
        let crashed = storage.after_kill();
        crashed.freeze_at(freeze_at);
        let done = start(&crashed, 2).is_ok();
        for after in [crashed.after_kill(), crashed.after_power_loss(freeze_at)] {
            let started = start(&after, 2).unwrap();
            assert_eq!(started.state, BTreeMap::from([((1, "a".to_owned()), vec![1])]));
            assert_eq!(after.content("appendonlydir/appendonly.aof"), Some(file.clone()));
            assert_eq!(after.content("appendonly.aof"), None);
            assert_eq!(started.tails.len(), 2);
        }
        if done {
            return;
        }
    }
}

#[test]
fn a_log_of_redis_7_is_taken_in_with_its_torn_end() {
    let storage = MemoryStorage::new(0);
    let record = |key, write: &str| encode(&["RPUSH", key, write]);
    storage.put("appendonlydir/appendonly.aof.1.base.aof", &record("a", "1"));
    storage.put("appendonlydir/appendonly.aof.1.incr.aof", &record("a", "2"));
    let torn = [record("a", "3"), record("b", "4")[..9].to_vec()].concat();
    storage.put("appendonlydir/appendonly.aof.2.incr.aof", &torn);
    let manifest = "file appendonly.aof.1.base.aof seq 1 type b\n\
        file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    storage.put(MANIFEST, manifest.as_bytes());
    for _ in 0..2 {
        let started = start(&storage, 3).unwrap();
        assert_eq!(started.state, BTreeMap::from([((0, "a".to_owned()), vec![1, 2, 3])]));
        assert_eq!(started.tails[2].path, path(2, 1));
    }
    // An earlier file that breaks off is damage.
    storage.put("appendonlydir/appendonly.aof.1.incr.aof", &record("a", "2")[..8]);
    assert_eq!(fault(&refused(&storage, 3)), Fault::Unfinished);
    storage.put("appendonlydir/appendonly.aof.1.incr.aof", b"REDIS0011\xfa");
    assert_eq!(fault(&refused(&storage, 3)), Fault::Rdb);
}

#[test]
fn a_closed_generation_must_be_complete() {
    let id = TransactionId::new(0, 1);
    let both: Participants = [0, 1].into_iter().collect();
    let with_part = segment(0, 2, |segment| {
        segment.begin_part(id, &both);
        push(segment, "a", 1);
        segment.end_part();
    });
    let storage = disk(&[with_part, segment(1, 2, |_| ())]);
    let later = [Segment::header(2, 0, 1), encode(&["RPUSH", "b", "2"])].concat();
    storage.put(&path(0, 2), &later);
    let mut manifest = storage.content(MANIFEST).unwrap();
    manifest.extend_from_slice(
        b"file appendonly.aof.shard-0000.2.incr.aof seq 3 type i generation 2 shard 0 shards 1\n",
    );
    storage.put(MANIFEST, &manifest);
    assert_eq!(fault(&refused(&storage, 1)), Fault::Incomplete);
}

#[test]
fn shards_that_disagree_about_a_flush_are_refused_when_the_order_matters() {
    let flushed = segment(0, 2, |segment| segment.record(0, &encode(&["flushall", "ASYNC"])));
    let storage = disk(&[flushed, segment(1, 2, |_| ())]);
    assert!(start(&storage, 2).is_ok(), "each shard reads its own");
    assert_eq!(fault(&refused(&storage, 3)), Fault::Disagree);
}

#[test]
fn the_second_server_is_refused() {
    let storage = MemoryStorage::new(0);
    let _held = storage.lock("bobbin.lock").unwrap();
    let error = storage.lock("bobbin.lock").expect_err("held");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

/// Writes bases for `state` and commits them as a new generation of `shards` shards.
fn rebase(storage: &MemoryStorage, state: &State, shards: u16) -> Result<(), RecoveryError> {
    let mut directory = LogDirectory::open(storage, LogNames::default())?;
    let new = directory.begin_generation(storage, shards)?;
    for shard in 0..shards {
        let mut base = BaseWriter::new(new.number, shard, shards);
        let own = state.iter().filter(|((_, key), _)| crate::rig::shard_of(key, shards) == shard);
        let mut file = storage.open(&new.bases[usize::from(shard)], OpenMode::CreateNew)?;
        for ((db, key), writes) in own {
            for write in writes {
                base.command(*db, &[b"RPUSH", key.as_bytes(), write.to_string().as_bytes()]);
            }
            let count = base.poll_write().len();
            storage.append(&mut file, base.poll_write())?;
            base.handle_written(count);
        }
        let count = base.poll_write().len();
        storage.append(&mut file, base.poll_write())?;
        base.handle_written(count);
        storage.sync(&file)?;
    }
    directory.commit_generation(storage, &new)?;
    Ok(())
}

#[test]
fn a_base_replaces_everything_before_it_at_once() {
    let mut random = Random::new(5);
    let storage = MemoryStorage::new(5);
    let started = start(&storage, 3).unwrap();
    let mut rig = Rig::new(&storage, &started, FsyncPolicy::EverySecond);
    for write in 0..100 {
        rig.request(&mut random, write);
        rig.tick((write % 3) as u16, &mut random).unwrap();
    }
    let state = start(&storage.after_kill(), 3).unwrap().state;
    assert!(state.len() > 5);
    let storage = storage.after_kill();
    start(&storage, 3).unwrap();
    for freeze_at in 1.. {
        let crashed = storage.after_kill();
        crashed.freeze_at(freeze_at);
        let done = rebase(&crashed, &state, 2).is_ok();
        for after in [crashed.after_kill(), crashed.after_power_loss(freeze_at)] {
            assert_eq!(start(&after, 2).unwrap().state, state, "operation {freeze_at}");
        }
        if done {
            let names = crashed.list("appendonlydir").unwrap();
            assert_eq!(names.len(), 5, "two bases, two increments, the manifest: {names:?}");
            let manifest = String::from_utf8(crashed.content(MANIFEST).unwrap()).unwrap();
            assert_eq!(manifest.matches("generation 2").count(), 4, "{manifest}");
            return;
        }
    }
}

#[test]
fn strings_of_a_base_keep_their_expiry() {
    let mut base = BaseWriter::new(1, 0, 1);
    base.string(0, b"a", b"1", None);
    base.string(3, b"b", b"2", Some(1_700_000_000_123));
    base.expire(3, b"c", 5);
    let expected = [
        Segment::header(1, 0, 1),
        encode(&["SELECT", "0"]),
        encode(&["SET", "a", "1"]),
        encode(&["SELECT", "3"]),
        encode(&["SET", "b", "2", "PXAT", "1700000000123"]),
        encode(&["PEXPIREAT", "c", "5"]),
    ];
    assert_eq!(base.poll_write(), expected.concat());
    assert_eq!((base.strings(), base.bytes()), (2, expected.concat().len() as u64));
}

#[test]
fn unlisted_segments_of_ours_are_removed_and_their_numbers_not_reused() {
    let storage = disk(&[abc()]);
    let stray = path(0, 9);
    let content = [Segment::header(9, 0, 1), encode(&["RPUSH", "z", "1"])].concat();
    storage.put(&stray, &content);
    let others = ["appendonly.aof.9.incr.aof", "appendonly.aof.shard-0.9.incr.aof", "notes.txt"];
    for other in others {
        storage.put(&format!("appendonlydir/{other}"), &content);
    }
    let bare = path(0, 7);
    storage.put(&bare, &Segment::header(7, 0, 1));
    storage.put("appendonlydir/temp-appendonly.aof.manifest", b"file");
    let started = start(&storage, 2).unwrap();
    assert_eq!(keys(&started.state), "abc");
    assert_eq!(started.tails[0].generation, 10);
    assert!(storage.content(&stray).is_none());
    assert!(storage.content(&bare).is_none());
    for other in others {
        assert!(storage.content(&format!("appendonlydir/{other}")).is_some(), "{other}");
    }
    let bytes = content.len() as u64;
    assert_eq!(started.strays, [Stray { path: stray, bytes }]);
    assert!(storage.content("appendonlydir/temp-appendonly.aof.manifest").is_none());
}

#[test]
fn sweeps_within_a_transaction_keep_their_place_between_its_writes() {
    // EXEC of: push a, FLUSHALL, push b, with a and b on different shards of two.
    let key_of = |shard| {
        let name = |n: u32| format!("k{n}");
        (0..).map(name).find(|key| crate::rig::shard_of(key, 2) == shard).unwrap()
    };
    let (a, b) = (key_of(0), key_of(1));
    let both: Participants = [0, 1].into_iter().collect();
    let flush = encode(&["flushall", "ASYNC"]);
    let first = segment(0, 2, |segment| {
        segment.begin_part(TransactionId::new(0, 1), &both);
        segment.begin_unit();
        push(segment, &a, 1);
        segment.record(0, &flush);
        segment.end_unit();
        segment.end_part();
    });
    let second = segment(1, 2, |segment| {
        segment.begin_part(TransactionId::new(0, 1), &both);
        segment.begin_unit();
        segment.record(0, &flush);
        push(segment, &b, 2);
        segment.end_unit();
        segment.end_part();
    });
    for shards in 1..6 {
        let storage = disk(&[first.clone(), second.clone()]);
        let state = start(&storage, shards).unwrap().state;
        assert_eq!(state, BTreeMap::from([((0, b.clone()), vec![2])]), "{shards} shards");
    }
}
