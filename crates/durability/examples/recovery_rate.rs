//! How fast the log is read back: writes 10 million SETs (16-byte keys, 32-byte values) over two
//! segments, then measures the quick pass and the replay, two threads, with records that are
//! looked at and thrown away. What a server adds to that is running them.
//!
//! `cargo run --release -p durability --example recovery_rate [directory] [keys]`

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::io::Write;
use std::time::Instant;

use durability::{
    FileStorage, FsyncPolicy, LogDirectory, LogNames, OpenMode, Progress, Replay, Segment, Storage,
    TornTail, scan,
};

const SHARDS: u16 = 2;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| "/tmp/bobbin-recovery-rate".to_owned());
    let keys: u64 = arguments.next().map_or(10_000_000, |keys| keys.parse().unwrap());
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    let storage = FileStorage::new(&root);
    let recorded = Moment::now();
    let bytes = record(keys);
    report("record", keys, bytes, &recorded);
    let written = Moment::now();
    let bytes = write(&storage, keys);
    report("record + write", keys, bytes, &written);

    let mut directory = LogDirectory::open(&storage, LogNames::default()).unwrap();
    let started = Moment::now();
    let indexes = std::thread::scope(|scope| {
        let passes: Vec<_> = directory
            .segments()
            .into_iter()
            .map(|source| {
                let storage = &storage;
                scope.spawn(move || scan(storage, &source).unwrap())
            })
            .collect();
        passes.into_iter().map(|pass| pass.join().unwrap()).collect()
    });
    report("quick pass", keys, bytes, &started);
    let plan = directory.plan(indexes, SHARDS, TornTail::Cut).unwrap();
    directory.resume(&storage, &plan, SHARDS).unwrap();
    let replayed = Moment::now();
    let records: u64 = std::thread::scope(|scope| {
        let replays: Vec<_> = (0..SHARDS)
            .map(|shard| {
                let (storage, plan) = (&storage, &plan);
                scope.spawn(move || replay(storage, Replay::new(plan, shard, SHARDS)))
            })
            .collect();
        replays.into_iter().map(|replay| replay.join().unwrap()).sum()
    });
    assert_eq!(records, keys);
    report("replay", keys, bytes, &replayed);
    std::fs::remove_dir_all(&root).unwrap();
}

/// The records alone, in ticks of a hundred: what a command pays for the log before its write.
fn record(keys: u64) -> u64 {
    let record = b"*3\r\n$3\r\nSET\r\n$16\r\n0123456789abcdef\r\n$16\r\n0123456789abcdef\r\n";
    let mut segment = Segment::resume(0, FsyncPolicy::No, 0);
    for _ in 0..keys / 100 {
        for _ in 0..100 {
            segment.record(0, std::hint::black_box(record));
        }
        let count = segment.poll_write(0).map_or(0, <[u8]>::len);
        segment.handle_written(count);
    }
    segment.written()
}

fn write(storage: &FileStorage, keys: u64) -> u64 {
    let mut directory = LogDirectory::open(storage, LogNames::default()).unwrap();
    let plan = directory.plan(Vec::new(), SHARDS, TornTail::Cut).unwrap();
    let tails = directory.resume(storage, &plan, SHARDS).unwrap();
    let mut bytes = 0;
    for tail in &tails {
        let mut segment = Segment::resume(tail.position, FsyncPolicy::No, 0);
        let mut file = storage.open(&tail.path, OpenMode::Append).unwrap();
        for key in 0..keys / u64::from(SHARDS) {
            let record = format!("*3\r\n$3\r\nSET\r\n$16\r\n{key:016}\r\n$32\r\n{key:032}\r\n");
            segment.record(0, record.as_bytes());
            if segment.buffered_bytes() > 60_000 {
                let batch = segment.poll_write(0).unwrap();
                storage.append(&mut file, batch).unwrap();
                let count = batch.len();
                segment.handle_written(count);
            }
        }
        let batch = segment.poll_write(0).unwrap_or_default();
        storage.append(&mut file, batch).unwrap();
        let count = batch.len();
        segment.handle_written(count);
        bytes += segment.written();
    }
    bytes
}

fn replay(storage: &FileStorage, mut replay: Replay<FileStorage>) -> u64 {
    let mut sum = 0;
    loop {
        let progress = replay.step(storage, 1 << 20, |record| {
            sum += record.arguments.iter().map(<[u8]>::len).sum::<usize>();
            Ok(())
        });
        if progress.unwrap() == Progress::Done {
            assert!(sum > 0);
            return replay.records();
        }
    }
}

/// A moment, by the wall and by the CPU time of all threads: the second counts on a busy machine.
struct Moment(Instant, f64);

impl Moment {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        // Fields 14 and 15 (utime, stime), counted behind the name in parentheses, in 1/100 s.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        Self(Instant::now(), (ticks(11) + ticks(12)) / 100.0)
    }
}

fn report(what: &str, keys: u64, bytes: u64, since: &Moment) {
    let now = Moment::now();
    let (seconds, cpu) = ((now.0 - since.0).as_secs_f64(), now.1 - since.1);
    let (millions, gigabytes) = (keys as f64 / 1e6, bytes as f64 / 1e9);
    let line = format!(
        "{what:15} {seconds:6.2} s  {:6.2} M records/s  {:5.2} GB/s; CPU {:4.0} ns a record",
        millions / seconds,
        gigabytes / seconds,
        cpu * 1e3 / millions
    );
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
