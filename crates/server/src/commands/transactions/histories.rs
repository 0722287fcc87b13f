//! Histories that went wrong once, most of them over held keys.

use crate::fixture::Fixture;

/// A key on `shard` of `shards`.
fn on(name: &str, shard: usize, shards: usize) -> String {
    (0..)
        .map(|n| format!("{name}{n}"))
        .find(|k| spec::shard_of_slot(spec::slot_of(k.as_bytes()), shards) == shard)
        .unwrap()
}

#[test]
fn write_skew() {
    let (w, x) = (on("w", 0, 2), on("x", 1, 2));
    for (ha, hb) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut server = Fixture::new(2);
        let (a, b) = (server.connect(ha), server.connect(hb));
        for (c, watch, set) in [(a, &w, &x), (b, &x, &w)] {
            server.ask(c, &format!("WATCH {watch}"));
            server.ask(c, "MULTI");
            server.ask(c, &format!("SET {set} 1"));
        }
        server.give(a, b"EXEC\r\n");
        server.give(b, b"EXEC\r\n");
        server.settle();
        let replies = [server.take(a), server.take(b)];
        let ran = replies.iter().filter(|reply| *reply == "*1\r\n+OK\r\n").count();
        assert_eq!(ran, 1, "exactly one may run, from {ha} and {hb}: {replies:?}");
    }
}

#[test]
fn watch_does_not_wait_for_older() {
    // T = RENAME src w is in the order before SET y; whoever sees y=1 must see w touched.
    let (src, w, y) = (on("src", 1, 2), on("w", 0, 2), on("y", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(0));
    server.ask(b, &format!("SET {src} v"));
    server.ask(a, &format!("WATCH {w}"));
    server.ask(a, "MULTI");
    server.ask(a, &format!("GET {y}"));
    server.ask(a, &format!("SET {y} 2"));
    server.give(b, format!("RENAME {src} {w}\r\nSET {y} 1\r\n").as_bytes());
    // Until then neither has taken effect.
    server.cores[0].send_bundles();
    server.give(a, b"EXEC\r\n");
    server.settle();
    let (ra, rb) = (server.take(a), server.take(b));
    assert_eq!((ra.as_str(), rb.as_str()), ("*-1\r\n", "+OK\r\n+OK\r\n"));
}

#[test]
fn lent_and_untouched_does_not_abort() {
    let (w, q, y) = (on("w", 0, 2), on("q", 1, 2), on("y", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    server.ask(b, &format!("MSET {w} 1 {q} 1"));
    server.ask(a, &format!("WATCH {w}"));
    server.ask(a, "MULTI");
    server.ask(a, &format!("SET {y} 2"));
    server.give(b, format!("RENAMENX {w} {q}\r\n").as_bytes());
    server.give(a, b"EXEC\r\n");
    server.settle();
    assert_eq!((server.take(a).as_str(), server.take(b).as_str()), ("*1\r\n+OK\r\n", ":0\r\n"));
}

#[test]
fn an_exec_in_front_does_not_let_the_session_of_the_next_go() {
    let (k, w) = (on("k", 0, 2), on("w", 1, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    let first = format!("WATCH {k} {w}\r\nMULTI\r\nGET {k}\r\nEXEC\r\n");
    let next = format!("MULTI\r\nAPPEND {k} x\r\nSELECT 1\r\nSET {k} db1\r\nEXEC\r\n");
    server.give(a, (first + &next).as_bytes());
    let token = server.cores[0].connections.iter_mut().next().unwrap().0;
    server.cores[0].handle_ended(token);
    server.settle();
    assert_eq!(server.ask(b, &format!("GET {k}")), "$1\r\nx\r\n");
    server.ask(b, "SELECT 1");
    assert_eq!(server.ask(b, &format!("GET {k}")), "$3\r\ndb1\r\n");
    assert_eq!(server.cores[0].connections.iter().count(), 0, "it is gone in the end");
}

#[test]
fn disconnect_in_held_exec_writes_elsewhere() {
    let (k, w) = (on("k", 0, 2), on("w", 1, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    server.ask(b, &format!("SET {k} db0"));
    server.ask(a, &format!("WATCH {w}"));
    server.ask(a, "MULTI");
    server.ask(a, "SELECT 1");
    server.ask(a, &format!("SET {k} db1"));
    server.give(a, b"EXEC\r\n");
    let token = server.cores[0].connections.iter_mut().next().unwrap().0;
    server.cores[0].handle_ended(token);
    server.settle();
    let zero = server.ask(b, &format!("GET {k}"));
    server.ask(b, "SELECT 1");
    let one = server.ask(b, &format!("GET {k}"));
    assert_eq!((zero.as_str(), one.as_str()), ("$3\r\ndb0\r\n", "$3\r\ndb1\r\n"));
}

#[test]
fn select_in_held_exec_is_for_what_follows() {
    let (a1, b1, z) = (on("a", 0, 2), on("b", 1, 2), on("z", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    server.send(
        a,
        format!("MULTI\r\nSELECT 2\r\nRENAME {a1} {b1}\r\nEXEC\r\nSET {z} 1\r\n").as_bytes(),
    );
    let zero = server.ask(b, &format!("EXISTS {z}"));
    server.ask(b, "SELECT 2");
    let two = server.ask(b, &format!("EXISTS {z}"));
    assert_eq!((zero.as_str(), two.as_str()), (":0\r\n", ":1\r\n"));
}

#[test]
fn select_after_held_exec_is_not_for_it() {
    let (a1, b1, q) = (on("a", 0, 2), on("b", 1, 2), on("q", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    let text = format!("MULTI\r\nPING\r\nRENAME {a1} {b1}\r\nSET {q} 7\r\nEXEC\r\nSELECT 5\r\n");
    server.send(a, text.as_bytes());
    let zero = server.ask(b, &format!("EXISTS {q}"));
    server.ask(b, "SELECT 5");
    let five = server.ask(b, &format!("EXISTS {q}"));
    assert_eq!((zero.as_str(), five.as_str()), (":1\r\n", ":0\r\n"));
}

#[test]
fn unwatch_in_held_exec_is_not_for_later_watches() {
    let (a1, b1, k) = (on("a", 0, 2), on("b", 1, 2), on("k", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b) = (server.connect(0), server.connect(1));
    server.send(
        a,
        format!("MULTI\r\nRENAME {a1} {b1}\r\nUNWATCH\r\nEXEC\r\nWATCH {k}\r\n").as_bytes(),
    );
    server.ask(b, &format!("SET {k} 1"));
    server.ask(a, "MULTI");
    assert_eq!(server.ask(a, "EXEC"), "*-1\r\n");
}

#[test]
fn skip_is_for_a_refusal_too() {
    for shard in 0..2 {
        let mut server = Fixture::new(2);
        let a = server.connect(0);
        assert_eq!(server.ask(a, "CONFIG SET maxmemory 1"), "+OK\r\n");
        let key = on("k", shard, 2);
        let text = format!("CLIENT REPLY SKIP\r\nSET {key} 1\r\nPING\r\n");
        let reply = server.send(a, text.as_bytes());
        assert_eq!(reply, "+PONG\r\n", "shard {shard}");
    }
}

#[test]
fn info_in_exec_sees_what_came_before() {
    let mut server = Fixture::new(2);
    let a = server.connect(0);
    let reply = server.send(a, b"MULTI\r\nSET a 1\r\nINFO keyspace\r\nEXEC\r\n");
    assert!(reply.contains("db0:keys=1"), "{reply}");
}

#[test]
fn a_command_counts_once() {
    let mut server = Fixture::new(8);
    let a = server.connect(0);
    server.ask(a, "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8");
    server.ask(a, "FLUSHALL");
    let reply = server.ask(a, "INFO commandstats");
    assert!(
        reply.contains("cmdstat_mset:calls=1,") && reply.contains("flushall:calls=1,"),
        "{reply}"
    );
}

#[test]
fn queue_is_bounded() {
    let mut server = Fixture::new(1);
    let a = server.connect(0);
    assert_eq!(server.ask(a, "CONFIG SET client-query-buffer-limit 1048576"), "+OK\r\n");
    server.ask(a, "MULTI");
    let value = "x".repeat(100_000);
    for _ in 0..50 {
        if server.is_open(a) {
            server.ask(a, &format!("SET a {value}"));
        }
    }
    assert!(!server.is_open(a), "5 MB are queued");
}

#[test]
fn hello_in_exec() {
    let (k, l) = (on("k", 1, 2), on("l", 1, 2));
    let mut server = Fixture::new(2);
    let a = server.connect(0);
    let text = format!("MULTI\r\nGET {k}\r\nHELLO 3\r\nGET {l}\r\nEXEC\r\n");
    let reply = server.send(a, text.as_bytes());
    assert!(reply.ends_with("_\r\n"), "{reply}");
}

#[test]
fn unwatch_stalls_the_shard() {
    let (s, d, w, other) = (on("s", 0, 2), on("d", 1, 2), on("w", 0, 2), on("o", 0, 2));
    let mut server = Fixture::new(2);
    let (a, b, c) = (server.connect(0), server.connect(0), server.connect(0));
    server.ask(a, &format!("WATCH {w}"));
    server.give(b, format!("RENAME {s} {d}\r\n").as_bytes());
    server.give(a, b"UNWATCH\r\n");
    server.give(c, format!("SET {other} 1\r\n").as_bytes());
    // Only this shard ticks: nobody holds `other`.
    server.tick(0);
    assert_eq!(server.take(c), "+OK\r\n");
}

#[test]
fn copy_to_two_databases() {
    let (a, b) = (on("a", 0, 2), on("b", 1, 2));
    let mut server = Fixture::new(2);
    let c = server.connect(0);
    server.ask(c, &format!("SET {a} old"));
    let first = server.ask(c, &format!("COPY {a} {b} DB 1 DB 2"));
    server.ask(c, "SELECT 2");
    let got = server.ask(c, &format!("GET {b}"));
    server.ask(c, "SELECT 0");
    server.ask(c, &format!("SET {a} new"));
    let second = server.ask(c, &format!("COPY {a} {b} DB 2"));
    server.ask(c, "SELECT 2");
    let then = server.ask(c, &format!("GET {b}"));
    assert_eq!([first, got, second, then].join(""), ":1\r\n$3\r\nold\r\n:0\r\n$3\r\nold\r\n");
}

#[test]
fn expiry_between_stages_is_logged_before_the_part() {
    use durability::{FsyncPolicy, Segment};
    let folder = std::env::temp_dir().join(format!("bobbin-history.{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut server = Fixture::new(2);
    for (shard, core) in server.cores.iter_mut().enumerate() {
        let file = std::fs::File::create(folder.join(shard.to_string())).unwrap();
        let segment = Segment::resume(0, FsyncPolicy::No, 0);
        core.shard.turn_log_on(shard as u16, Box::new(file), segment, 0);
    }
    let (a, b, k) = (on("a", 0, 2), on("b", 1, 2), on("k", 1, 2));
    let c = server.connect(0);
    server.ask(c, &format!("SET {a} 1"));
    server.ask(c, "MULTI");
    server.ask(c, &format!("APPEND {k} x"));
    server.ask(c, &format!("RENAME {a} {b}"));
    server.ask(c, &format!("EXISTS {k}"));
    let d = server.connect(1);
    server.ask(d, &format!("SET {k} v PX 60"));
    server.give(c, b"EXEC\r\n");
    server.tick(0);
    server.tick(1);
    server.tick(0);
    server.tick(1);
    std::thread::sleep(std::time::Duration::from_millis(90));
    server.cores[1].begin_tick();
    let now = server.cores[1].time.unix_ms();
    for _ in 0..100 {
        server.cores[1].shard.run_slice(now);
    }
    server.settle();
    server.take(c);
    server.ask(d, &format!("GET {k}"));
    let log = std::fs::read_to_string(folder.join("1")).unwrap().replace("\r\n", " ");
    let del = log.find("DEL").unwrap_or(usize::MAX);
    let append = log.find("APPEND").expect("logged");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(append < del, "the replay appends to nothing: k = x for ever");
}

#[test]
fn expiry_in_a_read_only_held_transaction_is_logged() {
    use durability::{FsyncPolicy, Segment};
    let folder = std::env::temp_dir().join(format!("bobbin-history-read.{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut server = Fixture::new(2);
    for (shard, core) in server.cores.iter_mut().enumerate() {
        let file = std::fs::File::create(folder.join(shard.to_string())).unwrap();
        let segment = Segment::resume(0, FsyncPolicy::No, 0);
        core.shard.turn_log_on(shard as u16, Box::new(file), segment, 0);
    }
    let (l, k) = (on("l", 0, 2), on("k", 1, 2));
    let c = server.connect(0);
    server.ask(c, &format!("SET {k} v PX 20"));
    std::thread::sleep(std::time::Duration::from_millis(40));
    assert_eq!(server.ask(c, &format!("LCS {l} {k}")), "$0\r\n\r\n");
    assert_eq!(server.ask(c, &format!("APPEND {k} x")), ":1\r\n");
    let log = std::fs::read_to_string(folder.join("1")).unwrap().replace("\r\n", " ");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(log.contains("DEL"), "the replay appends to what had expired");
}

#[test]
fn one_shard() {
    let mut server = Fixture::new(1);
    let (a, b) = (server.connect(0), server.connect(0));
    server.ask(a, "WATCH k");
    server.send(a, b"MULTI\r\nPING\r\nSET q 7\r\nEXEC\r\nSELECT 5\r\n");
    assert_eq!(server.ask(b, "EXISTS q"), ":1\r\n");
    server.ask(b, "SELECT 5");
    let five = server.ask(b, "EXISTS q");
    // A watched key, SELECT inside, SET pipelined behind EXEC.
    let mut server = Fixture::new(1);
    let (a, b) = (server.connect(0), server.connect(0));
    server.ask(a, "WATCH k");
    server.send(a, b"MULTI\r\nSELECT 2\r\nEXEC\r\nSET z 1\r\n");
    assert_eq!(server.ask(b, "EXISTS z"), ":0\r\n");
    server.ask(b, "SELECT 2");
    assert_eq!((server.ask(b, "EXISTS z").as_str(), five.as_str()), (":1\r\n", ":0\r\n"));
}

#[test]
fn a_command_that_is_refused_wherever_it_runs_leaves_nothing_behind() {
    let (k, other) = (on("k", 1, 2), on("other", 1, 2));
    let mut server = Fixture::new(2);
    let a = server.connect(0);
    let text = format!("MULTI\r\nSET {k} 1\r\nMSET {k} 1 {other}\r\nSELECT 1\r\nEXEC\r\n");
    let reply = server.send(a, text.as_bytes());
    assert!(reply.ends_with("'mset' command\r\n+OK\r\n"), "{reply}");
    assert!(server.cores.iter().all(|core| core.shard.held_logs.is_empty()), "all is settled");
}

#[test]
fn exec_of_session_commands_does_not_overtake_what_came_before() {
    for home in 0..2 {
        let (here, there) = (on("here", home, 2), on("there", 1 - home, 2));
        for before in [vec![&there], vec![&there, &here]] {
            let mut server = Fixture::new(2);
            let client = server.connect(home);
            let sets: String = before.iter().map(|key| format!("SET {key} v\r\n")).collect();
            let text = format!("{sets}MULTI\r\nINFO keyspace\r\nEXEC\r\n");
            let reply = server.send(client, text.as_bytes());
            assert!(reply.contains(&format!("keys={}", before.len())), "{reply}");
        }
    }
}
