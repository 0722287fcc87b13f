//! What commands log is enough: a shard that replays the log of another, at another time, ends up
//! with the same records, expiries included.
//!
//! Random commands run on one shard while its clock moves; what each logs is applied at once to a
//! second shard, whose clock is an hour ahead and which expires nothing by itself, as when a log is
//! recovered. Every few hundred commands both must hold the same, keys past their moment that
//! nobody has met yet included. And each record is about one slot.

use std::collections::HashSet;

use datatypes::string::StringBytes;
use datatypes::{Cursor, Element, Object};
use keyspace::{ExpiryMode, Random, Settings};
use resp::Value;
use table::PayloadRef;

use crate::fixture::{Fixture, command};

/// The lines that are tried: `K` is a random key, `L` one that is mostly a list, `V` a random
/// value, `I` one that is often an element, `E` one of a few members, `W` one of many, `N` a small
/// number, `M` a moment near the clock in milliseconds, `D` a database.
const LINES: &[&str] = &[
    "SET K V",
    "SET K V PX N",
    "SET K V EX N",
    "SET K V PXAT M GET",
    "SET K V XX KEEPTTL",
    "SET K V NX GET",
    "SETEX K N V",
    "PSETEX K N V",
    "SETNX K V",
    "GETSET K V",
    "GET K",
    "GETDEL K",
    "GETEX K PX N",
    "GETEX K PXAT M",
    "GETEX K PERSIST",
    "APPEND K V",
    "SETRANGE K N V",
    "INCR K",
    "INCRBY K N",
    "INCRBYFLOAT K 0.5",
    "MSET K V K V",
    "MSETNX K V K V",
    "MGET K K K",
    "SETBIT K N 1",
    "BITOP XOR K K K",
    "SADD K E E E",
    "SADD K E E E E E E E E E E E E",
    "SADD K W W W W W W W W",
    "SREM K E E E",
    "SMOVE K K E",
    "SPOP K",
    "SPOP K N",
    "SRANDMEMBER K -3",
    "SMEMBERS K",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SUNIONSTORE K K",
    "SDIFFSTORE K K K",
    "SINTERCARD 2 K K",
    "DEL K K",
    "UNLINK K",
    "EXISTS K",
    "TOUCH K",
    "TYPE K",
    "EXPIRE K 0",
    "PEXPIRE K N",
    "PEXPIRE K N NX",
    "PEXPIRE K N GT",
    "PEXPIRE K N LT",
    "PEXPIREAT K M",
    "PERSIST K",
    "PTTL K",
    "COPY K K",
    "COPY K K DB D REPLACE",
    "MOVE K D",
    "RENAME K K",
    "RENAMENX K K",
    "RANDOMKEY",
    "KEYS *",
    "SCAN 0 COUNT 3",
    "OBJECT ENCODING K",
    "RPUSH L V V",
    "LPUSH L V",
    "RPUSHX L V",
    "LPUSHX L V V",
    "LPOP L",
    "RPOP L N",
    "LLEN L",
    "LRANGE L 0 N",
    "LINDEX L N",
    "LINSERT L BEFORE I V",
    "LSET L 0 V",
    "LTRIM L 1 N",
    "LREM L 1 I",
    "LPOS L I",
    "LMOVE L L LEFT RIGHT",
    "LMOVE L L RIGHT RIGHT",
    "RPOPLPUSH L L",
    "LMPOP 2 L L RIGHT COUNT N",
    "BLPOP L L 0",
    "BRPOP L 0",
    "BLMOVE L L RIGHT LEFT 0",
    "BRPOPLPUSH L L 0",
    "BLMPOP 0 2 L L LEFT COUNT 2",
    "RENAME L L",
    "COPY L L",
    "PEXPIRE L N",
];

/// Lines that are rare, because they undo much.
const RARE_LINES: &[&str] = &["SWAPDB D D", "FLUSHDB", "FLUSHALL ASYNC"];

fn random_line(random: &mut Random, now_ms: i64) -> Vec<Vec<u8>> {
    let lines = if random.once_in(200) { RARE_LINES } else { LINES };
    let line = lines[random.below(lines.len() as u64) as usize];
    let mut fill = |word: &str| match word {
        "K" => match random.below(12) {
            // Some keys share a slot.
            number @ 0..4 => format!("{{key}}:{number}"),
            number => format!("key:{number}"),
        },
        "L" => match random.below(8) {
            number @ 0..3 => format!("{{key}}:list:{number}"),
            3 => "key:5".to_owned(),
            number => format!("list:{number}"),
        },
        "I" => random.below(100).to_string(),
        "V" => match random.below(3) {
            0 => random.below(100).to_string(),
            1 => "v".repeat(random.below(60) as usize),
            _ => "w".repeat(random.below(3000) as usize),
        },
        "E" => random.below(20).to_string(),
        "W" => format!("member:{}", random.below(1000)),
        "N" => (1 + random.below(60)).to_string(),
        "M" => (now_ms - 20 + random.below(80) as i64).to_string(),
        "D" => random.below(3).to_string(),
        word => word.to_owned(),
    };
    line.split(' ').map(|word| fill(word).into_bytes()).collect()
}

/// The words of a logged command.
fn words(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (value, len) = Value::parse(bytes).expect("RESP").expect("whole");
    assert_eq!(len, bytes.len());
    let words = value.as_array().expect("an array").iter();
    words.map(|word| word.as_bytes().expect("bulk strings").to_vec()).collect()
}

/// What the last command of `shard` logs, with its databases.
fn logged(shard: &Fixture, command: &[Vec<u8>]) -> Vec<(usize, Vec<Vec<u8>>)> {
    let effects = &shard.effects;
    let mut all: Vec<_> = effects.before().iter().map(|(db, it)| (db, words(it))).collect();
    if effects.logs_verbatim() {
        all.push((shard.db, command.to_vec()));
    }
    all.extend(effects.records().iter().map(|(db, it)| (db, words(it))));
    all
}

/// The slots of a command's keys.
fn slots(words: &[Vec<u8>]) -> HashSet<u16> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let (spec, mut slots) = (&command(&words).spec, HashSet::new());
    let visited = spec.each_key(words.len(), &|at| words[at], &mut |at, _| {
        slots.insert(spec::slot_of(words[at]));
    });
    visited.expect("keys are where the command says");
    slots
}

/// Database, key, value as its type and elements, expiry.
type Content = (usize, Vec<u8>, Vec<Vec<u8>>, Option<i64>);

/// The type and the elements of a value.
fn elements(payload: PayloadRef<'_, Object>) -> Vec<Vec<u8>> {
    let PayloadRef::Object(object) = payload else {
        let value = StringBytes::of(payload).expect("what is embedded is a string");
        return vec![b"string".to_vec(), value.to_vec()];
    };
    let mut all = vec![object.type_name().as_bytes().to_vec()];
    object.elements(Cursor::default(), usize::MAX, |element| {
        all.push(match element {
            Element::String(bytes) => bytes.to_vec(),
            Element::Member(entry) | Element::Item(entry) => entry.text().to_vec(),
        });
    });
    // What a large set became small by is not in the log, and so neither is its order.
    if object.as_set().is_some() {
        all[1..].sort();
    }
    all
}

/// Everything that a shard holds.
fn contents(shard: &mut Fixture) -> Vec<Content> {
    let mut all = Vec::new();
    for db in 0..shard.keyspace.database_count() {
        let Some(database) = shard.keyspace.database(db) else { continue };
        let mut position = 0;
        loop {
            position = database.table().scan(position, 100, |record| {
                let value = elements(record.payload());
                all.push((db, record.key().to_vec(), value, record.expiry()));
            });
            if position == 0 {
                break;
            }
        }
    }
    all.sort();
    all
}

fn run(shard: &mut Fixture, words: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    shard.run_words(&words)
}

#[test]
fn a_replayed_log_gives_the_same_records() {
    for seed in 0..10 {
        let (mut shard, mut replica) = (Fixture::new(), Fixture::new());
        let ignoring = Settings { expiry: ExpiryMode::Ignore, ..Settings::default() };
        replica.keyspace.configure(ignoring);
        replica.advance(3_600_000);
        let mut random = Random::new(seed);
        let mut replayed = 0;
        for count in 1..=4000 {
            if random.once_in(4) {
                let ms = random.below(10) as i64;
                shard.advance(ms);
                replica.advance(ms);
            }
            shard.db = random.below(3) as usize;
            let command = random_line(&mut random, shard.now_ms);
            let before = (count % 200 == 0).then(|| contents(&mut shard));
            let reply = run(&mut shard, &command);
            let text = String::from_utf8_lossy(&command.join(&b' ')).into_owned();
            let logged = logged(&shard, &command);
            if let Some(before) = before.filter(|_| logged.is_empty()) {
                assert_eq!(
                    before,
                    contents(&mut shard),
                    "seed {seed}: {text} changed and logged nothing"
                );
            }
            for (db, words) in logged {
                assert!(slots(&words).len() <= 1, "seed {seed}: {text} logs what has several");
                replica.db = db;
                let answer = run(&mut replica, &words);
                assert!(!answer.starts_with(b"-"), "seed {seed}: {text} logs what fails");
                replayed += 1;
            }
            if count % 100 == 0 {
                let (ours, theirs) = (contents(&mut shard), contents(&mut replica));
                assert!(ours == theirs, "seed {seed}, command {count}: {text}");
            }
            if random.once_in(50) {
                shard.effects.clear();
                shard.keyspace.expire_slice(shard.now_ms, &mut shard.effects);
                for (db, bytes) in shard.effects.before().iter() {
                    replica.db = db;
                    run(&mut replica, &words(bytes));
                }
            }
            drop(reply);
        }
        assert!(replayed > 1500, "the log is not empty: {replayed}");
    }
}
