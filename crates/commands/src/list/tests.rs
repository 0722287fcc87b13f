//! Lists on one shard: replies, records and events. Every option against a real server is
//! tests/conformance/list.txt; what is logged and replayed is `crate::replay`.

use crate::fixture::Fixture;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

fn array(items: &[&str]) -> String {
    let bulk = |item: &&str| format!("${}\r\n{item}\r\n", item.len());
    format!("*{}\r\n{}", items.len(), items.iter().map(bulk).collect::<String>())
}

#[test]
fn elements_come_in_order_from_both_ends() {
    let mut shard = Fixture::new();
    shard.expect(&[
        ("RPUSH l b c", ":2\r\n"),
        ("LPUSH l a 1", ":4\r\n"),
        ("LRANGE l 0 -1", &array(&["1", "a", "b", "c"])),
        ("LRANGE l -2 9", &array(&["b", "c"])),
        ("LRANGE l 2 1", "*0\r\n"),
        ("LRANGE none 0 -1", "*0\r\n"),
        ("LINDEX l -1", "$1\r\nc\r\n"),
        ("LINDEX l 4", "$-1\r\n"),
        ("LINDEX l -9223372036854775808", "$-1\r\n"),
        ("LLEN l", ":4\r\n"),
        ("LLEN none", ":0\r\n"),
        ("LPOP l", "$1\r\n1\r\n"),
        ("RPOP l 2", &array(&["c", "b"])),
        ("LPOP l 0", "*0\r\n"),
        ("LPOP l 9", &array(&["a"])),
        ("EXISTS l", ":0\r\n"),
        ("LPOP l", "$-1\r\n"),
        ("LPOP l 1", "*-1\r\n"),
        ("LPUSHX l x", ":0\r\n"),
        ("RPUSHX l x", ":0\r\n"),
        ("EXISTS l", ":0\r\n"),
    ]);
}

#[test]
fn another_type_is_refused_and_left_alone() {
    let mut shard = Fixture::new();
    shard.run("SET s v");
    shard.run("RPUSH l a");
    for line in [
        "LPUSH s a",
        "RPUSHX s a",
        "LPOP s",
        "RPOP s 0",
        "LLEN s",
        "LINDEX s 0",
        "LRANGE s 0 0",
        "LSET s 0 a",
        "LINSERT s BEFORE a b",
        "LREM s 0 a",
        "LTRIM s 0 0",
        "LPOS s a",
        "LMOVE s l LEFT LEFT",
        "LMOVE l s LEFT LEFT",
        "RPOPLPUSH l s",
        "LMPOP 2 s l LEFT",
        "BLPOP none s l 0",
        "BLMOVE l s LEFT LEFT 0",
        "BLMPOP 0 2 s l LEFT",
    ] {
        assert_eq!(shard.run(line), WRONG_TYPE, "{line}");
        assert!(shard.logged().is_empty(), "{line}");
    }
    shard.expect(&[("GET l", WRONG_TYPE), ("APPEND l x", WRONG_TYPE), ("GET s", "$1\r\nv\r\n")]);
    assert_eq!(shard.run("LRANGE l 0 -1"), array(&["a"]));
}

#[test]
fn the_middle_changes() {
    let mut shard = Fixture::new();
    shard.expect(&[
        ("RPUSH l a b a c a", ":5\r\n"),
        ("LSET l -1 d", "+OK\r\n"),
        ("LSET l 5 d", "-ERR index out of range\r\n"),
        ("LSET none 0 d", "-ERR no such key\r\n"),
        ("LINSERT l AFTER a x", ":6\r\n"),
        ("LINSERT l BEFORE nope x", ":-1\r\n"),
        ("LINSERT none BEFORE a x", ":0\r\n"),
        ("LINSERT l MIDDLE a x", "-ERR syntax error\r\n"),
        ("LRANGE l 0 -1", &array(&["a", "x", "b", "a", "c", "d"])),
        ("LPOS l a", ":0\r\n"),
        ("LPOS l a RANK 2", ":3\r\n"),
        ("LPOS l a RANK -1", ":3\r\n"),
        ("LPOS l a COUNT 0", "*2\r\n:0\r\n:3\r\n"),
        ("LPOS l a COUNT 0 RANK -1 MAXLEN 3", "*1\r\n:3\r\n"),
        ("LPOS l a RANK -3", "$-1\r\n"),
        ("LREM l -1 a", ":1\r\n"),
        ("LRANGE l 0 -1", &array(&["a", "x", "b", "c", "d"])),
        ("LTRIM l 1 -2", "+OK\r\n"),
        ("LRANGE l 0 -1", &array(&["x", "b", "c"])),
        ("LTRIM l 5 9", "+OK\r\n"),
        ("EXISTS l", ":0\r\n"),
    ]);
}

#[test]
fn the_last_element_takes_the_key_along() {
    for line in ["LPOP l", "RPOP l 5", "LREM l 0 a", "LTRIM l 1 0", "LMPOP 1 l LEFT", "BLPOP l 0"] {
        let mut shard = Fixture::new();
        shard.run("RPUSH l a");
        shard.run(line);
        let events = shard.events();
        assert_eq!(events.len(), 2, "{line}");
        assert_eq!(events[1], "del l", "{line}");
        assert_eq!(shard.effects.dirty(), 1, "{line}");
        assert_eq!(shard.run("EXISTS l"), ":0\r\n", "{line}");
    }
}

#[test]
fn each_record_is_about_one_key_and_no_list_is_logged() {
    let mut shard = Fixture::new();
    shard.run("RPUSH a 1 2 3");
    shard.run("RPUSH {a}b 1 2 3");
    for (line, logged) in [
        ("LMOVE a c RIGHT LEFT", &["0 RPOP a", "0 LPUSH c 3"][..]),
        ("RPOPLPUSH a c", &["0 RPOP a", "0 LPUSH c 2"]),
        ("BLMOVE a c LEFT RIGHT 0", &["0 LPOP a", "0 RPUSH c 1"]),
        ("LMOVE {a}b a LEFT RIGHT", &["0 LMOVE {a}b a LEFT RIGHT"]),
        ("BRPOPLPUSH {a}b a 0", &["0 LMOVE {a}b a RIGHT LEFT"]),
        ("BLMOVE c c LEFT RIGHT 0", &["0 LMOVE c c LEFT RIGHT"]),
        ("BLPOP x c 0", &["0 LPOP c"]),
        ("BRPOP x c 0", &["0 RPOP c"]),
        ("LMPOP 2 x a LEFT COUNT 9", &["0 LPOP a 2"]),
        ("BLMPOP 0 2 x c RIGHT", &["0 RPOP c 1"]),
        ("LPOP {a}b", &["0 *"]),
        ("LMPOP 1 x LEFT", &[]),
        ("BLMOVE x c LEFT LEFT 0", &[]),
    ] {
        shard.run(line);
        assert_eq!(shard.logged(), logged, "{line}");
    }
}

#[test]
fn what_moves_says_so_in_order() {
    let mut shard = Fixture::new();
    shard.run("RPUSH a 1");
    assert_eq!(shard.events(), ["new a", "rpush a"]);
    shard.run("LMOVE a b LEFT RIGHT");
    assert_eq!(shard.events(), ["new b", "rpush b", "lpop a", "del a"]);
    shard.run("LMOVE b b LEFT LEFT");
    assert_eq!(shard.events(), ["lpush b", "lpop b"]);
    assert_eq!(shard.run("LRANGE b 0 -1"), array(&["1"]));
}

#[test]
fn a_list_of_one_that_moves_in_itself_keeps_its_time() {
    let mut shard = Fixture::new();
    shard.run("RPUSH l a");
    shard.run("EXPIRE l 100");
    shard.expect(&[("BLMOVE l l LEFT RIGHT 0", "$1\r\na\r\n"), ("TTL l", ":100\r\n")]);
}

#[test]
fn a_move_logs_as_much_whatever_the_lists_hold() {
    let mut bytes = Vec::new();
    for count in [10, 100_000] {
        let mut shard = Fixture::new();
        for key in ["a", "b"] {
            let element = "x".repeat(10);
            let mut words = vec![&b"RPUSH"[..], key.as_bytes()];
            words.extend(std::iter::repeat_n(element.as_bytes(), count));
            shard.run_words(&words);
        }
        for line in ["LMOVE a b LEFT RIGHT", "BRPOPLPUSH a b 0"] {
            shard.run(line);
            bytes.push(shard.effects.records().iter().map(|(_, it)| it.len()).sum::<usize>());
        }
    }
    assert_eq!(bytes[..2], bytes[2..]);
    assert!(bytes.iter().all(|bytes| (1..100).contains(bytes)), "{bytes:?}");
}

#[test]
fn encodings_follow_the_limits() {
    let mut shard = Fixture::new();
    shard.run(&format!("RPUSH l {}", "x".repeat(8000)));
    assert_eq!(shard.run("OBJECT ENCODING l"), "$8\r\nlistpack\r\n");
    shard.run(&format!("RPUSH l {}", "x".repeat(300)));
    assert_eq!(shard.run("OBJECT ENCODING l"), "$9\r\nquicklist\r\n");
    shard.limits.list = datatypes::list::ListLimits::of(2);
    shard.run("RPUSH m a b");
    assert_eq!(shard.run("OBJECT ENCODING m"), "$8\r\nlistpack\r\n");
    shard.run("RPUSH m c");
    assert_eq!(shard.run("OBJECT ENCODING m"), "$9\r\nquicklist\r\n");
    assert_eq!(shard.run("TYPE m"), "+list\r\n");
}

#[test]
fn nothing_is_there_to_wait_for() {
    let mut shard = Fixture::new();
    for line in ["BLPOP a b 0", "BRPOP a 1.5", "BLMPOP 0 1 a LEFT", "BLMOVE a b LEFT LEFT 0"] {
        assert_eq!(shard.run(line), "", "{line} waits");
        assert!(shard.logged().is_empty() && shard.events().is_empty(), "{line}");
    }
    shard.expect(&[
        ("BLPOP a x", "-ERR timeout is not a float or out of range\r\n"),
        ("BLPOP a -1", "-ERR timeout is negative\r\n"),
        ("BLMOVE a b LEFT UP x", "-ERR syntax error\r\n"),
        ("BLMPOP x 0 a LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ("BLMPOP x 1 a LEFT", "-ERR timeout is not a float or out of range\r\n"),
    ]);
}

#[test]
fn what_is_no_such_command_is_refused() {
    let mut shard = Fixture::new();
    shard.run("RPUSH l a");
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807\r\n";
    shard.expect(&[
        ("LPOP l x", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l -1", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
        ("LMPOP 0 l LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ("LMPOP 2 l LEFT", "-ERR syntax error\r\n"),
        ("LMPOP 9223372036854775807 l LEFT", "-ERR syntax error\r\n"),
        ("LMPOP 1 l LEFT COUNT 0", "-ERR count should be greater than 0\r\n"),
        ("LMPOP 1 l LEFT COUNT", "-ERR syntax error\r\n"),
        ("LMPOP 1 l LEFT COUNT 1 COUNT 1", "-ERR syntax error\r\n"),
        ("LREM l -9223372036854775808 a", range),
        ("LPOS l a RANK -9223372036854775808", range),
        ("LPOS l a COUNT -1", "-ERR COUNT can't be negative\r\n"),
        ("LPOS l a MAXLEN -1", "-ERR MAXLEN can't be negative\r\n"),
        ("LPOS l a RANK", "-ERR syntax error\r\n"),
        ("LRANGE l x 0", "-ERR value is not an integer or out of range\r\n"),
        ("LTRIM l 0 x", "-ERR value is not an integer or out of range\r\n"),
    ]);
    assert!(shard.run("LPOS l a RANK 0").starts_with("-ERR RANK can't be zero: use 1 to start"));
}
