//! The log turned on, slice by slice, over the real disk; and what a restart makes of it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use config::Config;
use datatypes::Object;
use datatypes::set::{Limits, Set};
use durability::{BaseWriter, FileStorage, Storage};
use keyspace::{Effects, Keyspace, Step};
use table::{Expiry, Hasher, Payload};

use super::{WALK_RECORDS, begin_walk};
use crate::fixture::{Fixture, FixtureClient};
use crate::log::recovery::{LOCK_NAME, Recovery};

const SHARDS: usize = 2;

/// Keys of database 0: many slices.
const KEYS: usize = 3000;

/// A folder of a test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bobbin-switch.{}.{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn config(&self, log: bool) -> Config {
        let mut config = Config::default();
        config.server.directory = self.0.to_str().expect("a plain path").into();
        config.log.enabled = log;
        config
    }

    /// The names of the log's files.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join("appendonlydir")).expect("there is a log");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }

    /// A server that has recovered what is here.
    fn recover(&self) -> Fixture {
        let config = self.config(true);
        let mut server = Fixture::with_config(SHARDS, self.config(true));
        let registry = server.cores[0].registry;
        let recovery = Recovery::open(FileStorage::new(&self.0), &config, SHARDS, registry)
            .expect("it can be recovered");
        for (core, recovered) in server.cores.iter_mut().zip(recovery.parts()) {
            recovered
                .load(core, |file| Box::new(file.into_file()))
                .expect("every record can be run");
        }
        server
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever is left lies in the system's folder of temporaries.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server with keys in two databases, whose log is being turned on: no slice has run.
fn switching(folder: &Folder) -> (Fixture, FixtureClient) {
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let client = server.connect(0);
    for number in 0..KEYS {
        server.ask(client, &format!("SET key:{number} {number}"));
    }
    for line in ["SET x from", "SELECT 1", "MSET a 1 b 2 c 3 d 4 e 5", "SELECT 0"] {
        server.ask(client, line);
    }
    assert_eq!(server.ask(client, "CONFIG SET appendonly yes"), "+OK\r\n");
    (server, client)
}

/// Completes the bases, and waits until the generation is committed.
fn complete(server: &mut Fixture) {
    for core in &mut server.cores {
        while core.advance_base(0) {}
    }
    let switch = &server.cores[0].shared.log_switch;
    let ended = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        switch.report().current_seconds().is_none()
    });
    assert!(ended, "the generation is committed within five seconds");
}

/// The lines of INFO persistence that tell of a rewrite.
fn report(server: &mut Fixture, client: FixtureClient) -> Vec<String> {
    let info = server.ask(client, "INFO persistence");
    let lines = info.lines().filter(|line| line.contains("rewrite") || line.contains("enabled"));
    lines.map(str::to_owned).collect()
}

/// Some of what the server holds.
fn contents(server: &mut Fixture, client: FixtureClient) -> Vec<String> {
    let mut all = Vec::new();
    for db in 0..4 {
        server.ask(client, &format!("SELECT {db}"));
        for line in ["DBSIZE", "MGET a b c d e after x {x}far counter key:1 key:2999"] {
            all.push(server.ask(client, line));
        }
    }
    server.ask(client, "SELECT 0");
    all
}

#[test]
fn emptying_and_exchanging_databases_does_not_wait_for_the_walk() {
    for sweep in ["FLUSHDB", "FLUSHALL", "SWAPDB 0 1"] {
        let folder = Folder::new();
        let (mut server, client) = switching(&folder);
        server.cores.iter_mut().for_each(|core| assert!(core.advance_base(0)));
        let before: Vec<u64> = server.cores.iter().map(|core| core.base_strings()).collect();
        for line in [
            // Read before the sweep, and never changed: the base must have it.
            "COPY x {x}far DB 2",
            sweep,
            "SET after 1",
            "INCR counter",
            "SWAPDB 0 3",
            "SELECT 1",
            "APPEND a x",
            "DEL b",
            "SELECT 0",
        ] {
            let reply = server.ask(client, line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        }
        for (core, before) in server.cores.iter().zip(before) {
            let walked = core.base_strings() - before;
            assert!(walked < 10, "{sweep} handed {walked} records over");
        }
        complete(&mut server);
        let expected = contents(&mut server, client);
        drop(server);
        let mut server = folder.recover();
        let client = server.connect(1);
        assert_eq!(contents(&mut server, client), expected, "after {sweep}");
    }
}

#[test]
fn info_shows_it_as_a_rewrite() {
    let folder = Folder::new();
    let (mut server, client) = switching(&folder);
    let lines = report(&mut server, client);
    for line in [
        "aof_enabled:1",
        "aof_rewrite_in_progress:1",
        "aof_current_rewrite_time_sec:0",
        "aof_last_rewrite_time_sec:-1",
        "aof_last_bgrewrite_status:ok",
        "aof_rewrites:1",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
    complete(&mut server);
    let lines = report(&mut server, client);
    for line in [
        "aof_rewrite_in_progress:0",
        "aof_current_rewrite_time_sec:-1",
        "aof_last_rewrite_time_sec:0",
        "aof_last_bgrewrite_status:ok",
        "aof_rewrites:1",
        "aof_rewrites_consecutive_failures:0",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
}

#[test]
fn one_that_fails_is_shown_and_one_that_is_called_off_is_not() {
    let folder = Folder::new();
    let (mut server, client) = switching(&folder);
    assert_eq!(server.ask(client, "CONFIG SET appendonly no"), "+OK\r\n");
    let lines = report(&mut server, client);
    for line in ["aof_rewrite_in_progress:0", "aof_last_bgrewrite_status:ok", "aof_rewrites:1"] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
    // A walk that was ended early is cleared first.
    server.cores.iter_mut().for_each(|core| while core.shard.keyspace.maintain(1000) {});
    assert_eq!(server.ask(client, "CONFIG SET appendonly yes"), "+OK\r\n");
    let switch = &server.cores[0].shared.log_switch;
    switch.fail(server.cores[0].switch_generation(), "for the test");
    server.cores.iter_mut().for_each(|core| core.leave_failed_log());
    let lines = report(&mut server, client);
    for line in [
        "aof_enabled:0",
        "aof_rewrite_in_progress:0",
        "aof_last_bgrewrite_status:err",
        "aof_rewrites:2",
        "aof_rewrites_consecutive_failures:1",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
}

#[test]
fn a_refused_change_leaves_the_log_free_to_be_turned_on() {
    let folder = Folder::new();
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let client = server.connect(0);
    let log = folder.0.join("appendonlydir");
    // Whatever the order in which they are named.
    for line in ["appendonly yes maxclients 4000000000", "maxclients 4000000000 appendonly yes"] {
        let refused = server.ask(client, &format!("CONFIG SET {line}"));
        assert!(refused.contains("is not able to handle the specified number"), "{refused}");
        assert_eq!(
            server.ask(client, "CONFIG GET appendonly"),
            "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"
        );
        assert!(!log.exists(), "nothing was prepared");
    }
    assert_eq!(server.ask(client, "CONFIG SET appendonly yes"), "+OK\r\n");
    complete(&mut server);
    assert!(report(&mut server, client).contains(&"aof_enabled:1".to_owned()));
}

#[test]
fn what_was_prepared_can_be_given_up() {
    let folder = Folder::new();
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let client = server.connect(0);
    let shared = std::sync::Arc::clone(&server.cores[0].shared);
    super::prepare(&shared, &folder.config(true)).expect("there is room");
    assert!(super::prepare(&shared, &folder.config(true)).is_err(), "one at a time");
    super::abandon(&shared);
    assert_eq!(server.ask(client, "CONFIG SET appendonly yes"), "+OK\r\n");
    complete(&mut server);
}

#[test]
fn turning_it_off_before_the_cut_leaves_it_free_to_be_turned_on() {
    let folder = Folder::new();
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let client = server.connect(0);
    let shared = std::sync::Arc::clone(&server.cores[0].shared);
    super::prepare(&shared, &folder.config(true)).expect("there is room");
    shared.config().log.enabled = true;
    // Shard 0 pushes the cut; before any shard comes to it, the log is turned off again.
    server.cores[0].apply_config();
    shared.config().log.enabled = false;
    server.settle();
    assert_eq!(server.ask(client, "CONFIG SET appendonly yes"), "+OK\r\n");
    complete(&mut server);
}

#[test]
fn a_segment_that_begins_anew_forgets_how_far_parts_were_retired() {
    let folder = Folder::new();
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let (one, other) = (server.connect(0), server.connect(0));
    assert_eq!(server.ask(one, "CONFIG SET appendonly yes"), "+OK\r\n");
    complete(&mut server);
    // Parts far beyond where those of the next segment will be.
    let (a, b, c) = (on("a", 0), on("b", 1), on("c", 0));
    for number in 0..50 {
        assert_eq!(server.ask(one, &format!("MSET {a} {number} {b} {number}")), "+OK\r\n");
    }
    assert_eq!(server.ask(one, "CONFIG SET appendonly no"), "+OK\r\n");
    // On again, with a disk that has no room for what shard 1 logs.
    let shared = std::sync::Arc::clone(&server.cores[0].shared);
    super::prepare(&shared, &folder.config(true)).expect("there is room");
    let is_next = |name: &&String| name.contains("shard-0001.3.incr");
    let name = folder.files().iter().find(is_next).expect("it was prepared").clone();
    let path = folder.0.join("appendonlydir").join(name);
    std::fs::remove_file(&path).expect("it is ours");
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    shared.config().log.enabled = true;
    server.cores[0].apply_config();
    server.settle();
    assert!(server.cores.iter().all(|core| core.shard.log.is_on()));
    // One tick writes both on shard 0. SET's record lies behind a part of which shard 1 lacks the
    // other: a restart would cut both.
    server.give(one, format!("MSET {a} x {b} x\r\n").as_bytes());
    server.give(other, format!("SET {c} x\r\n").as_bytes());
    server.settle();
    assert_eq!((server.take(one), server.take(other)), (String::new(), String::new()));
}

#[test]
fn the_directory_of_another_server_is_refused() {
    let folder = Folder::new();
    let theirs = FileStorage::new(&folder.0).lock(LOCK_NAME).expect("nobody has it");
    // As after CONFIG SET dir.
    let mut server = Fixture::with_config(SHARDS, folder.config(false));
    let client = server.connect(0);
    let reply = server.ask(client, "CONFIG SET appendonly yes");
    assert!(reply.contains("Unable to turn on AOF"), "{reply}");
    assert!(!folder.0.join("appendonlydir").exists(), "nothing of theirs was touched");
    drop(theirs);
    // Its own is no obstacle, as often as it likes.
    for word in ["yes", "no", "yes"] {
        let reply = server.ask(client, &format!("CONFIG SET appendonly {word}"));
        assert_eq!(reply, "+OK\r\n");
        complete(&mut server);
    }
}

#[test]
fn what_a_kill_in_the_middle_leaves_is_removed() {
    let folder = Folder::new();
    let (mut server, client) = switching(&folder);
    server.ask(client, "SET after 1");
    server.cores.iter_mut().for_each(|core| assert!(core.advance_base(0)));
    drop(server);
    let unlisted = |files: &[String]| files.iter().filter(|it| it.contains(".2.")).count();
    assert_eq!(unlisted(&folder.files()), 2 * SHARDS, "bases and increments");
    let mut server = folder.recover();
    let client = server.connect(0);
    assert_eq!(server.ask(client, "DBSIZE"), ":0\r\n");
    let files = folder.files();
    assert_eq!(unlisted(&files), 0, "{files:?}");
    assert_eq!(files.len(), SHARDS + 1, "increments and the manifest: {files:?}");
}

/// A key on `shard` of [`SHARDS`].
fn on(name: &str, shard: usize) -> String {
    (0..)
        .map(|n| format!("{name}{n}"))
        .find(|k| spec::shard_of_slot(spec::slot_of(k.as_bytes()), SHARDS) == shard)
        .unwrap()
}

#[test]
fn what_expires_or_is_evicted_of_itself_is_logged() {
    let folder = Folder::new();
    let mut server = folder.recover();
    let client = server.connect(0);
    let counters: Vec<String> =
        (0..SHARDS).flat_map(|shard| [on("expires", shard), on("goes", shard)]).collect();
    let background = |server: &mut Fixture| {
        // A period of background work is due.
        std::thread::sleep(Duration::from_millis(150));
        for core in &mut server.cores {
            core.begin_tick();
            core.run_background();
        }
        server.settle();
    };
    for key in &counters {
        let expiry = if key.starts_with("expires") { " PX 20" } else { "" };
        assert_eq!(server.ask(client, &format!("SET {key} 5{expiry}")), "+OK\r\n");
    }
    background(&mut server);
    assert_eq!(server.ask(client, "DBSIZE"), format!(":{SHARDS}\r\n"));
    let limit = |policy: &str, bytes: u32| {
        format!("CONFIG SET maxmemory-policy {policy} maxmemory {bytes}")
    };
    assert_eq!(server.ask(client, &limit("allkeys-random", 1)), "+OK\r\n");
    background(&mut server);
    assert_eq!(server.ask(client, &limit("noeviction", 0)), "+OK\r\n");
    assert_eq!(server.ask(client, "DBSIZE"), ":0\r\n");
    // Were the removals not in the log, it would make other counts of these.
    for key in &counters {
        assert_eq!(server.ask(client, &format!("INCR {key}")), ":1\r\n");
    }
    drop(server);
    let mut server = folder.recover();
    let client = server.connect(0);
    for key in &counters {
        assert_eq!(server.ask(client, &format!("GET {key}")), "$1\r\n1\r\n", "{key}");
    }
}

#[test]
fn read_only_loses_an_acknowledged_write() {
    let folder = Folder::new();
    let mut server = folder.recover();
    let c = server.connect(0);
    let (l, k) = (on("l", 0), on("k", 1));
    server.ask(c, &format!("SET {k} v PX 20"));
    std::thread::sleep(Duration::from_millis(40));
    println!("LCS {:?}", server.ask(c, &format!("LCS {l} {k}")));
    println!("APPEND {:?}", server.ask(c, &format!("APPEND {k} x")));
    let before = server.ask(c, &format!("GET {k}"));
    drop(server);
    let mut server = folder.recover();
    let c = server.connect(0);
    let after = server.ask(c, &format!("GET {k}"));
    assert_eq!(after, before);
}

#[test]
fn expiry_between_stages_comes_back() {
    let folder = Folder::new();
    let mut server = folder.recover();
    let (a, b, k) = (on("a", 0), on("b", 1), on("k", 1));
    let (c, d) = (server.connect(0), server.connect(1));
    server.ask(c, &format!("SET {a} 1"));
    server.ask(c, "MULTI");
    server.ask(c, &format!("APPEND {k} x"));
    server.ask(c, &format!("RENAME {a} {b}"));
    server.ask(d, &format!("SET {k} v PX 60"));
    server.give(c, b"EXEC\r\n");
    for home in [0, 1, 0, 1] {
        server.tick(home);
    }
    std::thread::sleep(Duration::from_millis(90));
    server.cores[1].begin_tick();
    let now = server.cores[1].time.unix_ms();
    for _ in 0..100 {
        server.cores[1].shard.run_slice(now);
    }
    server.settle();
    println!("EXEC {:?}", server.take(c));
    let before = server.ask(d, &format!("GET {k}"));
    drop(server);
    let mut server = folder.recover();
    let c = server.connect(0);
    let after = server.ask(c, &format!("GET {k}"));
    assert_eq!(after, before);
}

impl crate::core::Core {
    /// How many keys the base has that is being written.
    fn base_strings(&self) -> u64 {
        let base = self.shard.switch.as_ref().and_then(|switch| switch.base.as_ref());
        base.expect("it is not complete").writer.borrow().strings()
    }

    fn switch_generation(&self) -> u64 {
        self.shard.switch.as_ref().expect("the log is being turned on").generation
    }
}

#[test]
fn a_base_has_large_sets_in_slices() {
    let hasher = Hasher::new(9);
    let limits = Limits {
        intset_entries_max: 512,
        listpack_entries_max: 128,
        listpack_value_bytes_max: 64,
        hasher,
    };
    let mut keyspace = Keyspace::new(1, hasher, keyspace::Settings::default());
    let mut effects = Effects::new();
    for (key, members) in [("large", 20_000), ("small", 100)] {
        let mut set = Set::new(b"m", 1, &limits);
        (0..members).for_each(|number| {
            set.insert(format!("{key}{number}").as_bytes(), &limits);
        });
        let mut step = Step { db: 0, now_ms: 1, effects: &mut effects };
        let set = Payload::Object(Object::Set(set));
        keyspace.set(&mut step, key.as_bytes(), set, Expiry::At(5000));
    }
    let writer = Rc::new(RefCell::new(BaseWriter::new(1, 0, 1)));
    begin_walk(&mut keyspace, &writer).expect("no walk is under way");
    let mut slices = 0;
    let mut most = 0;
    loop {
        let before = writer.borrow().buffered_bytes();
        if !keyspace.walk(WALK_RECORDS) {
            break;
        }
        most = most.max(writer.borrow().buffered_bytes() - before);
        slices += 1;
    }
    // 256 members and their lengths, and what a chunk has more.
    assert!(slices > 30 && most < 20_000, "{slices} slices, of {most} bytes at most");
    let writer = writer.borrow();
    let text = String::from_utf8_lossy(writer.poll_write());
    for (key, members) in [("large", 20_000), ("small", 100)] {
        assert_eq!(
            text.matches(&format!("\r\n{key}")).count()
                - text.matches(&format!("\r\n{key}\r\n")).count(),
            members
        );
        let expiry = format!("PEXPIREAT\r\n$5\r\n{key}\r\n$4\r\n5000\r\n");
        assert_eq!(text.matches(&expiry).count(), 1);
        assert!(
            !text[text.find(&expiry).expect("is there")..]
                .contains(&format!("SADD\r\n$5\r\n{key}"))
        );
    }
}
