//! The log on the real file system, and Redis' own tools on its files.
//!
//! The tools are those that `scripts/oracle` brings (or `REDIS_TOOLS` names their directory);
//! without them the two tests that need them say so and check nothing.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use durability::{
    FileStorage, FsyncPolicy, LogDirectory, LogNames, OpenMode, Participants, Progress, Replay,
    Segment, Storage, TornTail, TransactionId, scan,
};

/// A directory of its own for each test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bobbin-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tool(name: &str) -> Option<PathBuf> {
    let brought = std::env::home_dir().map(|home| home.join(".cache/bobbin-peers/bin"));
    let named = std::env::var_os("REDIS_TOOLS").map(PathBuf::from);
    let found = named.or(brought)?.join(name);
    if !found.exists() {
        eprintln!("{} is not here: nothing is checked with it", found.display());
        return None;
    }
    Some(found)
}

/// A log of two shards with everything in it that a segment can have.
fn write_log(storage: &FileStorage) {
    let mut directory = LogDirectory::open(storage, LogNames::default()).unwrap();
    let plan = directory.plan(Vec::new(), 2, TornTail::Refuse).unwrap();
    let tails = directory.resume(storage, &plan, 2).unwrap();
    let both: Participants = [0, 1].into_iter().collect();
    for (shard, tail) in tails.iter().enumerate() {
        let mut segment = Segment::resume(tail.position, FsyncPolicy::Always, 0);
        let key = format!("key-{shard}");
        segment.record_arguments(0, &[b"SET", key.as_bytes(), b"*3\r\n$3\r\n#END"]);
        segment.begin_part(TransactionId::new(0, 1), &both);
        segment.begin_unit();
        segment.record_arguments(9, &[b"SET", key.as_bytes(), b"1"]);
        segment.record_arguments(9, &[b"INCR", key.as_bytes()]);
        segment.end_unit();
        segment.end_part();
        segment.mark_epoch(1);
        let mut file = storage.open(&tail.path, OpenMode::Append).unwrap();
        let bytes = segment.poll_write(0).unwrap().to_vec();
        storage.append(&mut file, &bytes).unwrap();
        segment.handle_written(bytes.len());
        let position = segment.poll_sync(0).unwrap();
        storage.sync(&file).unwrap();
        segment.handle_synced(position);
        assert_eq!(segment.acknowledged(), storage.file_bytes(&file).unwrap());
    }
}

fn records(storage: &FileStorage, shards: u16) -> Vec<Vec<u8>> {
    let mut directory = LogDirectory::open(storage, LogNames::default()).unwrap();
    let sources = directory.segments();
    let indexes = sources.iter().map(|source| scan(storage, source).unwrap()).collect();
    let plan = directory.plan(indexes, shards, TornTail::Cut).unwrap();
    directory.resume(storage, &plan, shards).unwrap();
    let mut found = Vec::new();
    let mut replay = Replay::new(&plan, 0, shards);
    let mut step = || {
        replay.step(storage, u64::MAX, |record| {
            let words: Vec<&[u8]> = record.arguments.iter().collect();
            found.push([record.db.to_string().as_bytes(), &words.join(&b' ')].join(&b':'));
            Ok(())
        })
    };
    while step().unwrap() == Progress::More {}
    found
}

#[test]
fn a_log_written_is_a_log_read() {
    let place = Place::new("read");
    let storage = FileStorage::new(&place.0);
    write_log(&storage);
    let expected: [&[u8]; 3] = [b"0:SET key-0 *3\r\n$3\r\n#END", b"9:SET key-0 1", b"9:INCR key-0"];
    assert_eq!(records(&storage, 2), expected);
    // One shard reads what two wrote, in a new generation.
    let one = records(&storage, 1);
    assert_eq!(one.len(), 6);
    assert_eq!(records(&storage, 1), one);
}

#[test]
fn the_second_holder_of_a_lock_is_refused() {
    let place = Place::new("lock");
    let storage = FileStorage::new(&place.0);
    let held = storage.lock("bobbin.lock").unwrap();
    let error = FileStorage::new(&place.0).lock("bobbin.lock").expect_err("held");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(held);
    storage.lock("bobbin.lock").unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let storage = FileStorage::new("/proc");
    let mut directory = LogDirectory::open(&storage, LogNames::default()).unwrap();
    let plan = directory.plan(Vec::new(), 1, TornTail::Refuse).unwrap();
    let error = directory.resume(&storage, &plan, 1).expect_err("no directory can be made there");
    assert_eq!((error.operation, error.name.as_str()), ("mkdir", "appendonlydir"));
}

#[test]
#[should_panic(expected = "stays inside the data directory")]
fn names_stay_inside() {
    FileStorage::new("/tmp").path("../etc/passwd");
}

#[test]
fn redis_check_aof_accepts_each_segment_and_the_manifest() {
    let Some(tool) = tool("redis-check-aof") else { return };
    let place = Place::new("check");
    let storage = FileStorage::new(&place.0);
    write_log(&storage);
    records(&storage, 3);
    let mut checked = 0;
    for name in storage.list("appendonlydir").unwrap() {
        let output =
            Command::new(&tool).arg(place.0.join("appendonlydir").join(&name)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("valid"), "{name}: {text}");
        checked += 1;
    }
    assert_eq!(checked, 6, "two segments, three of the next generation, the manifest");
}

#[test]
fn redis_itself_loads_the_directory() {
    let (Some(server), Some(client)) = (tool("redis-7.0"), tool("redis-cli")) else { return };
    let place = Place::new("redis");
    write_log(&FileStorage::new(&place.0));
    let socket = place.0.join("redis.sock");
    let mut child = Command::new(server)
        .args(["--port", "0", "--appendonly", "yes", "--save", "", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(&place.0)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ask = |arguments: &[&str]| {
        let output = Command::new(&client).arg("-s").arg(&socket).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while ask(&["PING"]) != "PONG" && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let found = (ask(&["-n", "9", "GET", "key-0"]), ask(&["-n", "9", "GET", "key-1"]));
    let sizes = (ask(&["-n", "0", "DBSIZE"]), ask(&["-n", "9", "DBSIZE"]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(found, ("2".to_owned(), "2".to_owned()));
    assert_eq!(sizes, ("2".to_owned(), "2".to_owned()));
}
