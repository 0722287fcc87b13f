use std::collections::BTreeSet;

use keyspace::{Random, Settings};
use resp::{Protocol, Value};

use super::COMMANDS;
use crate::fixture::Fixture;
use crate::string::recorded::check_effects;
use crate::{DEBUG_COMMANDS, FAMILIES};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

#[test]
fn effects() {
    check_effects(
        &mut Fixture::new(),
        &[
            ("SADD s a b a", "2; 0 *; new sadd"),
            ("SADD s a", "0; ; "),
            ("SISMEMBER none a", "0; ; keymiss"),
            ("SREM s a x a", "1; 0 *; srem"),
            ("SREM s x", "0; ; "),
            ("SREM none x", "0; ; "),
            ("SREM s b", "1; 0 *; srem del"),
            ("SADD s a b c", "3; 0 *; new sadd"),
            ("SMOVE s d x", "0; ; "),
            ("SMOVE s s a", "0; ; "),
            ("SMOVE s d a", "2; 0 SREM s a, 0 SADD d a; srem new sadd"),
            ("SMOVE s d b", "2; 0 SREM s b, 0 SADD d b; srem sadd"),
            ("SADD d c", "1; 0 *; sadd"),
            ("SMOVE s d c", "1; 0 SREM s c; srem del"),
            ("SADD o x", "1; 0 *; new sadd"),
            ("SPOP o", "1; 0 SREM o x; spop del"),
            ("SPOP o", "0; ; "),
            ("SPOP o 3", "0; ; "),
            ("SADD o x y", "2; 0 *; new sadd"),
            ("SPOP o 0", "0; ; "),
            ("SPOP o 3", "2; 0 DEL o; spop del"),
            ("SADD o x", "1; 0 *; new sadd"),
            ("SINTERSTORE {o}t o", "1; 0 *; new sinterstore"),
            ("SINTERSTORE t o", "1; 0 DEL t, 0 SADD t x; new sinterstore"),
            ("SUNIONSTORE t o none", "1; 0 DEL t, 0 SADD t x; keymiss sunionstore"),
            ("SDIFFSTORE t o none", "1; 0 DEL t, 0 SADD t x; keymiss sdiffstore"),
            ("SDIFFSTORE t o o", "1; 0 DEL t; del"),
            ("SDIFFSTORE t o o", "0; ; "),
            ("SET t string", "1; 0 *; new set"),
            ("SINTERSTORE t o none", "1; 0 DEL t; keymiss del"),
            ("SUNIONSTORE {none}t none", "0; ; keymiss"),
        ],
    );
}

#[test]
fn a_removal_says_unlink_where_the_configuration_does() {
    let mut fixture = Fixture::new();
    let mut settings = Settings::default();
    settings.lazy_free.server_del = true;
    fixture.keyspace.configure(settings);
    fixture.run("SADD s a b");
    fixture.run("SPOP s 2");
    assert_eq!(fixture.logged(), ["0 UNLINK s"]);
}

/// SPOP of many logs what it drew, in records that are bounded.
#[test]
fn what_is_popped_is_logged_in_bounded_records() {
    let mut fixture = Fixture::new();
    let members: Vec<String> = (0..1000).map(|number| format!("member:{number}")).collect();
    fixture.run(&format!("SADD s {}", members.join(" ")));
    let reply = fixture.run("SPOP s 900");
    let popped = members_of(&reply);
    let logged = fixture.logged();
    assert_eq!(logged.len(), 900_usize.div_ceil(128));
    let mut removed = BTreeSet::new();
    for record in &logged {
        let record = record.strip_prefix("0 SREM s ").expect("it takes members out");
        assert!(record.split(' ').all(|member| removed.insert(member.to_owned())));
    }
    assert_eq!(removed, popped);
    assert_eq!(fixture.run("SCARD s"), ":100\r\n");
    assert!(popped.iter().all(|it| fixture.run(&format!("SISMEMBER s {it}")) == ":0\r\n"));
}

/// The members of a reply, which must not repeat.
fn members_of(reply: &str) -> BTreeSet<String> {
    let (value, _) = Value::parse(reply.as_bytes()).expect("a reply").expect("whole");
    let members = match &value {
        Value::Array(members) | Value::Set(members) => members,
        other => panic!("{other:?}"),
    };
    let all = members.iter().map(|member| member.as_str().expect("text").to_owned());
    let all: BTreeSet<String> = all.collect();
    assert_eq!(all.len(), members.len(), "{reply}");
    all
}

#[test]
fn replies_have_their_shapes() {
    let mut shard = Fixture::new();
    shard.expect(&[
        ("SADD s 3 1 2", ":3\r\n"),
        ("SMEMBERS s", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SMISMEMBER s 1 9", "*2\r\n:1\r\n:0\r\n"),
        ("SMISMEMBER none 1 9", "*2\r\n:0\r\n:0\r\n"),
        ("SPOP none", "$-1\r\n"),
        ("SPOP none 2", "*0\r\n"),
        ("SRANDMEMBER none", "$-1\r\n"),
        ("SRANDMEMBER none 2", "*0\r\n"),
        ("SSCAN none 0 NONSENSE", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("SSCAN s 7 COUNT 1", "*2\r\n$1\r\n0\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    ]);
    shard.protocol = Protocol::Resp3;
    shard.expect(&[
        ("SMEMBERS s", "~3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SINTER s s", "~3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SINTER s none", "~0\r\n"),
        ("SUNION none", "~0\r\n"),
        ("SDIFF s s", "~0\r\n"),
        ("SPOP none", "_\r\n"),
        ("SPOP none 2", "~0\r\n"),
        ("SPOP s 0", "~0\r\n"),
        ("SRANDMEMBER none 2", "*0\r\n"),
        ("SRANDMEMBER s 3", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SPOP s 3", "~3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("EXISTS s", ":0\r\n"),
    ]);
}

#[test]
fn what_redis_refuses() {
    let mut shard = Fixture::new();
    let (syntax, positive) =
        ("-ERR syntax error\r\n", "-ERR value is out of range, must be positive\r\n");
    let (numkeys, limit) =
        ("-ERR numkeys should be greater than 0\r\n", "-ERR LIMIT can't be negative\r\n");
    let exceeds = "-ERR Number of keys can't be greater than number of args\r\n";
    let integer = "-ERR value is not an integer or out of range\r\n";
    shard.expect(&[
        ("SADD s a", ":1\r\n"),
        ("SPOP s -1", positive),
        ("SPOP s x", positive),
        ("SPOP s 1 2", syntax),
        ("SRANDMEMBER s x", integer),
        ("SRANDMEMBER s 1 2", syntax),
        (
            "SRANDMEMBER s -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807\r\n",
        ),
        ("SRANDMEMBER s -9223372036854775807", "-ERR value is out of range\r\n"),
        ("SRANDMEMBER s 9223372036854775807", "*1\r\n$1\r\na\r\n"),
        ("SINTERCARD 0 s", numkeys),
        ("SINTERCARD -1 s", numkeys),
        ("SINTERCARD x s", numkeys),
        ("SINTERCARD 2 s", exceeds),
        ("SINTERCARD 9223372036854775807 s", exceeds),
        ("SINTERCARD 1 s LIMIT", syntax),
        ("SINTERCARD 1 s WHAT 1", syntax),
        ("SINTERCARD 1 s LIMIT -1", limit),
        ("SINTERCARD 1 s LIMIT x", limit),
        ("SINTERCARD 1 s LIMIT 0", ":1\r\n"),
        ("SSCAN s x", "-ERR invalid cursor\r\n"),
        ("SSCAN s 0 COUNT 0", syntax),
        ("SSCAN s 0 COUNT x", integer),
        ("SSCAN s 0 TYPE set", syntax),
        ("SSCAN s 0 MATCH", syntax),
    ]);
}

/// The first words of a command on keys `K`, with whatever else it takes.
fn line_for(name: &str) -> String {
    let line = match name {
        "bitpos" | "getbit" => "K 1",
        "bitfield" | "bitfield_ro" => "K GET u8 0",
        "bitop" => "AND fresh K",
        "decrby" | "incrby" | "incrbyfloat" => "K 1",
        "getrange" | "substr" => "K 0 1",
        "setrange" => "K 0 v",
        "setbit" => "K 0 1",
        "append" | "getset" => "K v",
        "lcs" => "K K",
        "sintercard" => "1 K",
        "smove" => "K K v",
        "sadd" | "srem" | "sismember" | "smismember" => "K v",
        "sscan" => "K 0",
        "sinterstore" | "sunionstore" | "sdiffstore" => "fresh K",
        _ => "K",
    };
    format!("{name} {line}")
}

/// Every command of strings and bits meets a set once, and every command of sets a string: nothing
/// happens, and they say so. Those that overwrite do.
#[test]
fn commands_of_one_type_meet_the_other() {
    let overwrites = ["set", "mset", "setex", "psetex"];
    let other_words = ["setnx", "msetnx", "mget", "lcs"];
    let mut met = 0;
    for (value, families) in [
        ("SADD K a b", [crate::string::COMMANDS, crate::bitmap::COMMANDS]),
        ("SET K v", [COMMANDS; 2]),
    ] {
        for command in families.iter().flat_map(|family| family.iter()) {
            let name = command.spec.name;
            if overwrites.contains(&name) || other_words.contains(&name) {
                continue;
            }
            let mut shard = Fixture::new();
            shard.run(value);
            let kind = shard.run("TYPE K");
            shard.expect(&[(&line_for(name), WRONG_TYPE), ("TYPE K", &kind), ("DBSIZE", ":1\r\n")]);
            met += 1;
        }
    }
    assert!(met > 40, "{met}");
    let mut shard = Fixture::new();
    shard.expect(&[
        ("SADD K a b", ":2\r\n"),
        ("SETNX K v", ":0\r\n"),
        ("MSETNX K v L w", ":0\r\n"),
        ("MGET K", "*1\r\n$-1\r\n"),
        ("LCS K K", "-ERR The specified keys must contain string values\r\n"),
        ("SET K v GET", WRONG_TYPE),
        ("TYPE K", "+set\r\n"),
        ("SMOVE none K v", ":0\r\n"),
        ("SET L v", "+OK\r\n"),
        ("SMOVE K L a", WRONG_TYPE),
        ("SMOVE none L a", ":0\r\n"),
        ("SINTER K none L", WRONG_TYPE),
        ("SUNIONSTORE L K", ":2\r\n"),
        ("TYPE L", "+set\r\n"),
        ("SET K v", "+OK\r\n"),
        ("TYPE K", "+string\r\n"),
        ("SETEX L 10 v", "+OK\r\n"),
        ("TYPE L", "+string\r\n"),
    ]);
    let all = FAMILIES.iter().chain([&DEBUG_COMMANDS]).flat_map(|family| family.iter());
    assert!(all.count() > met, "the families are all there");
}

#[test]
fn encodings_follow_the_limits_of_the_moment() {
    let mut shard = Fixture::new();
    let numbers: Vec<String> = (0..512).map(|number| number.to_string()).collect();
    shard.run(&format!("SADD ints {}", numbers.join(" ")));
    let words: Vec<String> = (0..128).map(|number| format!("w{number}")).collect();
    shard.run(&format!("SADD words {}", words.join(" ")));
    let (intset, listpack, hashtable) =
        ("$6\r\nintset\r\n", "$8\r\nlistpack\r\n", "$9\r\nhashtable\r\n");
    shard.expect(&[
        ("OBJECT ENCODING ints", intset),
        ("OBJECT ENCODING words", listpack),
        ("COPY words copy", ":1\r\n"),
        ("SADD ints 512", ":1\r\n"),
        ("SADD words w128", ":1\r\n"),
        ("OBJECT ENCODING ints", hashtable),
        ("OBJECT ENCODING words", hashtable),
        // An intersection is integers again where it can be; a union chooses by what it meets.
        ("SADD few 1 2 3", ":3\r\n"),
        ("SREM ints 512", ":1\r\n"),
        ("SINTERSTORE i ints ints", ":512\r\n"),
        ("OBJECT ENCODING i", intset),
        ("SINTERSTORE w words copy", ":128\r\n"),
        ("OBJECT ENCODING w", listpack),
        ("SUNIONSTORE u few copy", ":131\r\n"),
        ("OBJECT ENCODING u", hashtable),
        ("SDIFFSTORE d copy few", ":128\r\n"),
        ("OBJECT ENCODING d", listpack),
    ]);
    shard.limits.set.intset_entries_max = 2;
    shard.limits.set.listpack_entries_max = 4;
    shard.limits.set.listpack_value_bytes_max = 3;
    shard.expect(&[
        ("SADD a 1 2", ":2\r\n"),
        ("OBJECT ENCODING a", intset),
        ("SADD a 3", ":1\r\n"),
        ("OBJECT ENCODING a", hashtable),
        ("SADD b x", ":1\r\n"),
        ("OBJECT ENCODING b", listpack),
        ("SADD b long", ":1\r\n"),
        ("OBJECT ENCODING b", hashtable),
        ("SADD c x", ":1\r\n"),
        ("SADD c x x x x x", ":0\r\n"),
        ("OBJECT ENCODING c", hashtable),
    ]);
}

/// A walk by SSCAN over a large set that grows and shrinks meanwhile gives every member that is
/// there all the while, and its cursors stay where a double is exact.
#[test]
fn a_walk_sees_what_stays() {
    let mut shard = Fixture::new();
    let staying: BTreeSet<String> = (0..3000).map(|number| format!("stays:{number}")).collect();
    for member in &staying {
        shard.run(&format!("SADD s {member}"));
    }
    let (mut cursor, mut seen, mut step) = (String::from("0"), BTreeSet::new(), 0);
    loop {
        let reply = shard.run(&format!("SSCAN s {cursor} COUNT 20 MATCH stays:*"));
        let (value, _) = Value::parse(reply.as_bytes()).expect("a reply").expect("whole");
        let parts = value.as_array().expect("an array");
        for member in parts[1].as_array().expect("members") {
            seen.insert(member.as_str().expect("text").to_owned());
        }
        cursor = parts[0].as_str().expect("a cursor").to_owned();
        if cursor == "0" {
            break;
        }
        assert!(cursor.parse::<u64>().expect("a number") < 1 << 53);
        step += 1;
        (0..200).for_each(|number| drop(shard.run(&format!("SADD s comes:{step}:{number}"))));
        (0..150).for_each(|number| drop(shard.run(&format!("SREM s comes:{step}:{number}"))));
    }
    assert!(step > 50, "{step} steps");
    assert_eq!(seen, staying);
}

/// Each member is drawn about equally often, whatever the encoding.
#[test]
fn draws_are_fair() {
    for (few, more) in [("1 2 3 4 5", ""), ("a b c d e", ""), ("a b c d e", "long")] {
        let mut shard = Fixture::new();
        shard.run(&format!("SADD s {few}"));
        if !more.is_empty() {
            let long = more.repeat(30);
            shard.run(&format!("SADD s {long}"));
            shard.run(&format!("SREM s {long}"));
        }
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..2000 {
            *counts.entry(shard.run("SRANDMEMBER s")).or_insert(0) += 1;
            for member in members_of(&shard.run("SRANDMEMBER s 2")) {
                *counts.entry(format!("${}\r\n{member}\r\n", member.len())).or_insert(0) += 1;
            }
        }
        // 1,200 expected each, standard deviation about 30
        assert_eq!(counts.len(), 5);
        assert!(counts.values().all(|count: &i32| count.abs_diff(1200) < 150), "{counts:?}");
        let reply = shard.run("SRANDMEMBER s -50");
        assert!(reply.starts_with("*50\r\n"));
    }
}

/// Random operations on sets of all encodings, against the obvious twin.
#[test]
fn combinations_are_those_of_the_twin() {
    let mut random = Random::new(5);
    for _ in 0..40 {
        let mut shard = Fixture::new();
        let mut twins: Vec<BTreeSet<String>> = vec![BTreeSet::new(); 4];
        for (number, twin) in twins.iter_mut().enumerate().skip(1) {
            let (size, words) = (random.below(400), random.once_in(2));
            for _ in 0..size {
                let member = random.below(500);
                let member = if words { format!("w{member}") } else { member.to_string() };
                shard.run(&format!("SADD k{number} {member}"));
                twin.insert(member);
            }
        }
        for _ in 0..20 {
            let keys: Vec<usize> =
                (0..1 + random.below(4)).map(|_| random.below(4) as usize).collect();
            let names: Vec<String> = keys.iter().map(|key| format!("k{key}")).collect();
            let names = names.join(" ");
            let sets: Vec<&BTreeSet<String>> = keys.iter().map(|key| &twins[*key]).collect();
            let (first, others) = sets.split_first().expect("one at least");
            let union: BTreeSet<String> = sets.iter().flat_map(|set| (*set).clone()).collect();
            let within = |it: &&String| others.iter().all(|other| other.contains(*it));
            let inter: BTreeSet<String> = first.iter().filter(within).cloned().collect();
            let alone = |it: &&String| !others.iter().any(|other| other.contains(*it));
            let diff: BTreeSet<String> = first.iter().filter(alone).cloned().collect();
            let limit = 1 + random.below(50);
            let card = inter.len().min(limit as usize);
            let line = format!("SINTERCARD {} {names} LIMIT {limit}", keys.len());
            assert_eq!(shard.run(&line), format!(":{card}\r\n"), "{line}");
            for (name, twin) in [("SUNION", union), ("SINTER", inter), ("SDIFF", diff)] {
                let line = format!("{name} {names}");
                assert_eq!(members_of(&shard.run(&line)), twin, "{line}");
                let line = format!("{name}STORE k9 {names}");
                assert_eq!(shard.run(&line), format!(":{}\r\n", twin.len()), "{line}");
                assert_eq!(members_of(&shard.run("SMEMBERS k9")), twin, "{line}");
            }
        }
    }
}

/// What a command overwrites or takes the last member of is freed in slices.
#[test]
fn huge_sets_are_freed_in_slices() {
    for line in ["SPOP s 1000000", "SUNIONSTORE s few", "SINTERSTORE s few none", "SDIFF s s"] {
        let mut shard = Fixture::new();
        shard.run("SADD few a");
        for chunk in 0..200 {
            let members: Vec<String> =
                (0..200).map(|number| format!("{:040}", chunk * 200 + number)).collect();
            shard.run(&format!("SADD s {}", members.join(" ")));
        }
        shard.run(line);
        let expected = u64::from(line != "SDIFF s s");
        assert_eq!(shard.keyspace.doomed().pending(), expected, "{line}");
    }
}
