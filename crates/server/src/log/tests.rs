//! What stands in the segments, and what it makes on another number of shards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use durability::{FsyncPolicy, Segment};
use keyspace::Random;
use resp::Value;
use spec::{shard_of_slot, slot_of};

use super::one_slot::slots_of;
use crate::fixture::{Fixture, FixtureClient};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bobbin-segments.{}.{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever is left lies in the system's folder of temporaries.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server whose shards log to files in `folder` that bear their numbers.
fn logging(folder: &Path, shards: usize) -> Fixture {
    let mut server = Fixture::new(shards);
    for (shard, core) in server.cores.iter_mut().enumerate() {
        let file = std::fs::File::create(folder.join(shard.to_string())).expect("a file");
        let segment = Segment::resume(0, FsyncPolicy::No, 0);
        core.shard.turn_log_on(shard as u16, Box::new(file), segment, 0);
    }
    server
}

/// The records of a segment, without its marks, each as it stands there.
fn records(folder: &Path, shard: usize) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(shard.to_string())).expect("the segment");
    let (mut rest, mut records) = (&*text, Vec::new());
    while !rest.is_empty() {
        if rest.starts_with('#') {
            rest = rest.split_once('\n').expect("a whole line").1;
            continue;
        }
        let parsed = Value::parse(rest.as_bytes()).expect("RESP");
        let (record, others) = rest.split_at(parsed.expect("a whole record").1);
        records.push(record.to_owned());
        rest = others;
    }
    records
}

/// The same, as lines of words.
fn lines(folder: &Path, shard: usize) -> Vec<String> {
    let words = |it: &String| it.split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" ");
    records(folder, shard).iter().map(words).collect()
}

/// A name that lives on `shard` of two.
fn on(name: &str, shard: usize) -> String {
    let mut names = (0..).map(|number| format!("{name}{number}"));
    let found = names.find(|name| shard_of_slot(slot_of(name.as_bytes()), 2) == shard);
    found.expect("every shard has keys")
}

#[test]
fn several_records_of_a_command_are_one_unit_on_one_shard() {
    let folder = Folder::new();
    let mut server = logging(&folder.0, 1);
    let client = server.connect(0);
    server.ask(client, "PING");
    for line in ["MSET a 1 b 2", "RENAME a c", "DEL b", "DEL c none", "MSET {t}1 1 {t}2 2"] {
        server.ask(client, line);
    }
    let found = lines(&folder.0, 0).join(", ");
    let expected = "MULTI, SELECT 0, SET a 1, SET b 2, EXEC, MULTI, SET c 1, DEL a, EXEC, DEL b, \
                    DEL c, MSET {t}1 1 {t}2 2";
    assert_eq!(found, expected);
}

#[test]
fn what_was_lent_goes_home_with_its_own_records() {
    let folder = Folder::new();
    let mut server = logging(&folder.0, 2);
    let client = server.connect(0);
    let (a, b, huge) = (on("a", 0), on("b", 1), on("huge", 1));
    let value = "v".repeat(1 << 20);
    server.ask_words(client, &["SET", &huge, &value]);
    server.ask(client, &format!("SET {b} v"));
    server.ask(client, &format!("SET {a} w"));
    let before = lines(&folder.0, 1).len();
    // Two queues on two shards: what is taken from one is all that is logged, on its shard.
    let taken = server.ask(client, &format!("BTAKE {a} {b} 0"));
    assert_eq!(taken, format!("*2\r\n${}\r\n{a}\r\n$1\r\nw\r\n", a.len()));
    assert_eq!(lines(&folder.0, 0).last(), Some(&format!("DEL {a}")));
    assert_eq!(lines(&folder.0, 1).len(), before, "nothing happened to the other");
    // What was only read is not logged, nor touched, and is where it was, though it travelled.
    let watcher = server.connect(0);
    server.ask(watcher, &format!("WATCH {huge}"));
    server.ask(client, &format!("COPY {b} {a}"));
    assert_eq!(server.ask(client, &format!("BITOP NOT {a} {huge}")), ":1048576\r\n");
    assert_eq!(lines(&folder.0, 1).len(), before);
    assert_eq!(server.ask(client, &format!("STRLEN {huge}")), ":1048576\r\n");
    server.ask(watcher, "MULTI");
    server.ask(watcher, "PING");
    assert_eq!(server.ask(watcher, "EXEC"), "*1\r\n+PONG\r\n");
}

const LINES: &[&str] = &[
    "SET K V",
    "SET K V PX 1000000",
    "INCR N",
    "APPEND K V",
    "MSET K V K V K V",
    "MSETNX K V K V",
    "DEL K",
    "DEL K K K",
    "UNLINK K K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "COPY K K DB 1 REPLACE",
    "MOVE K 1",
    "BITOP OR K K K",
    "BITOP AND K K",
    "PEXPIRE K 1000000",
    "GETDEL K",
    "RPUSH L V V V",
    "LPUSH L V V",
    "LPOP L",
    "RPOP L 2",
    "LSET L 0 V",
    "LTRIM L 0 5",
    "LMOVE L L LEFT RIGHT",
    "RPOPLPUSH L L",
    "LMPOP 2 L L LEFT COUNT 2",
    "RENAME L L",
    "COPY L L REPLACE",
    "PEXPIRE L 1000000",
];

/// Wait for a key outside of MULTI.
const WAITING_LINES: &[&str] = &[
    "BTAKE K K 1",
    "BMOVE K K 1",
    "BLPOP L L 1",
    "BRPOP L L 1",
    "BLMOVE L L LEFT RIGHT 1",
    "BRPOPLPUSH L L 1",
    "BLMPOP 1 2 L L RIGHT COUNT 3",
];

fn random_line(random: &mut Random, lines: &[&str]) -> String {
    let line = lines[random.below(lines.len() as u64) as usize];
    let mut fill = |word: &str| match word {
        "K" if random.once_in(4) => format!("{{t}}{}", random.below(3)),
        "K" => format!("k{}", random.below(20)),
        "N" => format!("n{}", random.below(5)),
        "L" if random.once_in(4) => format!("{{t}}l{}", random.below(3)),
        "L" => format!("l{}", random.below(10)),
        "V" => random.below(1000).to_string(),
        word => word.to_owned(),
    };
    line.split(' ').map(&mut fill).collect::<Vec<_>>().join(" ")
}

/// Everything that a server holds: values, and moments of expiry.
fn contents(server: &mut Fixture, client: FixtureClient) -> Vec<String> {
    let names = (0..20).map(|it| format!("k{it}")).chain((0..5).map(|it| format!("n{it}")));
    let names: Vec<String> = names.chain((0..3).map(|it| format!("{{t}}{it}"))).collect();
    let mut all = Vec::new();
    for db in 0..2 {
        server.ask(client, &format!("SELECT {db}"));
        for name in &names {
            let value = server.ask(client, &format!("GET {name}"));
            let moment = server.ask(client, &format!("PEXPIRETIME {name}"));
            all.push(format!("{db} {name} {value} {moment}"));
        }
        for name in (0..10).map(|it| format!("l{it}")).chain((0..3).map(|it| format!("{{t}}l{it}")))
        {
            let items = server.ask(client, &format!("LRANGE {name} 0 -1"));
            let moment = server.ask(client, &format!("PEXPIRETIME {name}"));
            all.push(format!("{db} {name} {items} {moment}"));
        }
    }
    server.ask(client, "SELECT 0");
    all
}

/// Random commands, and transactions of them.
fn run_random(server: &mut Fixture, client: FixtureClient, random: &mut Random) {
    let both = [LINES, WAITING_LINES].concat();
    for _ in 0..500 {
        if !random.once_in(4) {
            let line = random_line(random, LINES);
            server.ask(client, &line);
            continue;
        }
        server.ask(client, "MULTI");
        for _ in 0..1 + random.below(3) {
            let line = random_line(random, &both);
            server.ask(client, &line);
        }
        server.ask(client, "EXEC");
    }
}

#[test]
fn every_record_is_about_one_slot_and_other_shards_make_the_same_of_them() {
    for (seed, shards, others) in [(1, 1, 3), (2, 2, 3), (3, 3, 2), (4, 2, 1), (5, 1, 5)] {
        let folder = Folder::new();
        let mut server = logging(&folder.0, shards);
        let client = server.connect(0);
        run_random(&mut server, client, &mut Random::new(seed));
        let mut again = Fixture::new(others);
        let replaying = again.connect(0);
        let mut count = 0;
        for shard in 0..shards {
            for record in records(&folder.0, shard) {
                let slots = slots_of(record.as_bytes());
                assert!(slots.len() <= 1, "seed {seed}: {record}");
                let is_own = |slot: &u16| shard_of_slot(*slot, shards) == shard;
                assert!(slots.iter().all(is_own), "seed {seed}: on shard {shard}: {record}");
                let reply = again.send(replaying, record.as_bytes());
                assert!(!reply.contains('-'), "seed {seed}: {record}: {reply}");
                count += 1;
            }
        }
        assert!(count > 200, "seed {seed}: {count} records");
        let (ours, theirs) = (contents(&mut server, client), contents(&mut again, replaying));
        assert_eq!(ours, theirs, "seed {seed}");
    }
}
