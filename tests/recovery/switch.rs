//! The log turned on and off while clients write.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Client, Value, new_folder, wait_until};
use crate::{check_with_redis, kill, pipeline, segments, start};

#[test]
fn the_log_can_be_turned_on_and_off() {
    let server = start(new_folder(), "--shards 2 --appendonly no");
    let mut client = server.client();
    let fill: Vec<String> = (0..100_000).map(|at| format!("SET fill:{at} {at}")).collect();
    pipeline(&mut client, &fill);
    let lines: Vec<String> = (0..500).map(|at| format!("SET k:{at} 7 PX 100000000")).collect();
    pipeline(&mut client, &lines);
    for line in ["SELECT 1", "MSET a 1 b 2 c 3 d 4", "SELECT 0", "SET x from"] {
        client.ask(line);
    }
    let running = Arc::new(AtomicBool::new(true));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (mut client, running) = (server.client(), Arc::clone(&running));
            std::thread::spawn(move || {
                for round in 0.. {
                    if !running.load(Ordering::Relaxed) {
                        break;
                    }
                    let at = round * 7 % 500;
                    client.ask(&format!("INCR k:{at}"));
                    client.ask(&format!("APPEND fill:{} {writer}", round % 1000));
                    client.ask(&format!("MSET p{writer} {round} q{writer} {round} r{writer} 1"));
                    client.ask(&format!("DEL k:{} fill:{}", (at + 250) % 500, 2000 + round));
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.ask("CONFIG SET appendonly yes"), Value::ok());
    // While the bases are being written: what the walks would find too late.
    for line in ["COPY x {x}far DB 2", "RENAME x {x}near", "SELECT 1", "FLUSHDB", "SET e 5"] {
        let reply = client.ask(line);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
    }
    client.ask("SWAPDB 1 2");
    client.ask("SELECT 0");
    wait_until("the log is on", || server.log().contains("is complete"));
    std::thread::sleep(Duration::from_millis(50));
    running.store(false, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("the writer ends"));
    let digest = |client: &mut Client| {
        let lines: Vec<String> = (0..2000)
            .flat_map(|at| [format!("GET fill:{at}"), format!("GET k:{at}")])
            .chain((0..500).map(|at| format!("PEXPIRETIME k:{at}")))
            .chain((0..2).map(|at| format!("MGET p{at} q{at} r{at}")))
            .chain(["DBSIZE", "GET {x}near", "SELECT 1", "GET {x}far", "DBSIZE"].map(String::from))
            .chain(["SELECT 2", "GET e", "DBSIZE", "SELECT 0"].map(String::from))
            .collect();
        pipeline(client, &lines)
    };
    let expected = digest(&mut client);
    check_with_redis(&server.folder);
    let server = start(kill(server), "--shards 2");
    let mut client = server.client();
    assert!(digest(&mut client) == expected, "another state than before the kill");
    assert_eq!(client.ask("CONFIG SET appendonly no"), Value::ok());
    client.ask("SET unlogged 1");
    let server = start(kill(server), "--shards 3");
    let mut client = server.client();
    assert_eq!(client.ask("EXISTS unlogged").number(), 0);
    assert!(digest(&mut client) == expected, "another state with three shards");
    // And on again, over a log that is there: what was before becomes history.
    for (line, word) in [("no", "off"), ("yes", "on")] {
        assert_eq!(client.ask(&format!("CONFIG SET appendonly {line}")), Value::ok(), "{word}");
        client.ask(&format!("SET switched {word}"));
    }
    wait_until("the log is on", || server.log().contains("is complete"));
    assert_eq!(segments(&server.folder).len(), 6, "a base and an increment for each shard");
    client.ask("DEL switched");
    let server = start(kill(server), "--shards 3");
    assert!(digest(&mut server.client()) == expected, "another state after the third switch");
}

#[test]
fn a_kill_while_the_log_is_turned_on_leaves_no_files_behind() {
    let server = start(new_folder(), "--shards 2 --appendonly no");
    let mut client = server.client();
    let fill: Vec<String> = (0..100_000).map(|at| format!("SET fill:{at} {at}")).collect();
    pipeline(&mut client, &fill);
    assert_eq!(client.ask("CONFIG SET appendonly yes"), Value::ok());
    assert_eq!(client.ask("SET late 1"), Value::ok());
    let log = server.log();
    let folder = kill(server);
    if log.contains("is complete") {
        return println!("skipped: the log was on before the kill");
    }
    assert_eq!(segments(&folder).len(), 6, "an empty generation, and one half written");
    let others = ["appendonlydir/appendonly.aof.9.incr.aof", "appendonlydir/notes.aof"];
    others.iter().for_each(|name| fs::write(folder.join(name), "mine").expect("a file"));
    let server = start(folder, "--shards 2");
    // Not before it is complete can what was logged be recovered.
    assert_eq!(server.client().ask("DBSIZE").number(), 0);
    let names = segments(&server.folder);
    assert_eq!(names.len(), 2 + others.len(), "{names:?}");
    assert!(server.log().contains("removed, with"), "{}", server.log());
    for name in others {
        assert_eq!(fs::read(server.folder.join(name)).expect("it is left alone"), b"mine");
    }
}
