//! Replies and a log that fails, over real files whose fsyncs end as a test says.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use durability::{FsyncPolicy, Segment};
use spec::{shard_of_slot, slot_of};

use crate::fixture::Fixture;

const SHARDS: usize = 3;

/// A server of [`SHARDS`] shards that log under `appendfsync always`.
struct Logged {
    server: Fixture,
    folder: PathBuf,
}

impl Logged {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bobbin-release.{}.{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let mut server = Fixture::new(SHARDS);
        for (shard, core) in server.cores.iter_mut().enumerate() {
            let file = File::create_new(folder.join(shard.to_string())).expect("a file");
            let segment = Segment::resume(0, FsyncPolicy::Always, 0);
            core.shard.turn_log_on(shard as u16, Box::new(file), segment, 0);
        }
        Self { server, folder }
    }

    /// Ends the fsyncs that are under way, and those that follow: `result` says how on each shard.
    fn end_syncs(&mut self, result: impl Fn(usize) -> i32) {
        while !self.server.syncs.is_empty() {
            for (shard, due) in std::mem::take(&mut self.server.syncs) {
                self.server.cores[shard].shard.log.handle_synced(due.token, result(shard));
            }
            self.server.settle();
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // Whatever is left lies in the system's folder of temporaries.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A key that lives on `shard`.
fn key_on(shard: usize) -> String {
    let mut names = (0..).map(|number| format!("k{number}"));
    let found = names.find(|name| shard_of_slot(slot_of(name.as_bytes()), SHARDS) == shard);
    found.expect("every shard has keys")
}

/// An input/output error, as the ring reports it.
const FAILS: i32 = -5;

const MISCONF: &str = "-MISCONF Errors writing to the AOF file: Input/output error\r\n";

#[test]
fn what_waits_for_a_failed_log_anywhere_is_answered_or_closed() {
    let mut it = Logged::new();
    let keys: Vec<String> = (0..SHARDS).map(key_on).collect();
    let clients: Vec<_> = (0..SHARDS).map(|home| it.server.connect(home)).collect();
    let (reader, outsider, follower) =
        (it.server.connect(0), it.server.connect(2), it.server.connect(2));
    it.server.ask(clients[0], &format!("SET {} old", keys[0]));
    it.end_syncs(|_| 0);
    assert_eq!(it.server.take(clients[0]), "+OK\r\n");
    // A transaction over 0 and 1 from 2; behind it on 0, a write from there and one from 2.
    it.server.ask(outsider, &format!("MSET {} a {} b", keys[0], keys[1]));
    it.server.ask(clients[0], &format!("SET {} c", keys[0]));
    it.server.ask(follower, &format!("SET {} d", keys[0]));
    for client in [outsider, clients[0], follower] {
        assert_eq!(it.server.take(client), "", "nothing is synced yet");
    }
    it.end_syncs(|shard| if shard == 1 { FAILS } else { 0 });
    assert_eq!(it.server.take(outsider), MISCONF);
    assert_eq!(it.server.take(follower), MISCONF);
    assert_eq!(it.server.take(clients[0]), MISCONF);
    assert!(it.server.cores.iter().all(|core| !core.release.is_waiting()));
    // Reads go on, writes are refused, everywhere and at once.
    for client in [reader, outsider, follower, clients[1], clients[2]] {
        assert_eq!(it.server.ask(client, &format!("GET {}", keys[0])), "$1\r\nd\r\n");
        assert_eq!(it.server.ask(client, &format!("GET {}", keys[1])), "$1\r\nb\r\n");
        for key in &keys {
            assert_eq!(it.server.ask(client, &format!("SET {key} x")), MISCONF);
        }
    }
}

#[test]
fn a_loss_reaches_those_who_share_no_transaction_with_the_failed_log() {
    let mut it = Logged::new();
    let keys: Vec<String> = (0..SHARDS).map(key_on).collect();
    let clients: Vec<_> = (0..SHARDS).map(|home| it.server.connect(home)).collect();
    // Shard 1 has a part of both; shard 0 is told of the second only behind the first.
    it.server.ask(clients[0], &format!("MSET {} a {} a", keys[2], keys[1]));
    it.server.ask(clients[2], &format!("MSET {} b {} b", keys[1], keys[0]));
    it.server.ask(clients[1], &format!("SET {} c", keys[0]));
    it.end_syncs(|shard| if shard == 2 { FAILS } else { 0 });
    // Homes that waited for no log of their own could answer.
    assert_eq!(it.server.take(clients[1]), MISCONF);
    assert!(it.server.cores.iter().all(|core| !core.release.is_waiting()));
    for home in 0..SHARDS {
        let client = it.server.connect(home);
        assert_eq!(it.server.ask(client, &format!("GET {}", keys[0])), "$1\r\nc\r\n");
        assert_eq!(it.server.ask(client, &format!("DEL {}", keys[0])), MISCONF);
    }
}

#[test]
fn transactions_of_any_kind_are_answered_with_the_error() {
    let keys: Vec<String> = (0..SHARDS).map(key_on).collect();
    for home in 0..SHARDS {
        for lines in [
            &[format!("RENAME {} {}", keys[0], keys[1])][..],
            &[format!("MSET {} 1 {} 2", keys[1], keys[2])],
            &["MULTI".to_owned(), format!("SET {} 1", keys[1]), "EXEC".to_owned()],
            &[
                "MULTI".to_owned(),
                format!("SET {} 1", keys[0]),
                format!("SET {} 1", keys[1]),
                "EXEC".to_owned(),
            ],
            &[
                "MULTI".to_owned(),
                format!("COPY {} {}", keys[0], keys[1]),
                format!("INCR {}", keys[2]),
                "EXEC".to_owned(),
            ],
        ] {
            let mut it = Logged::new();
            let client = it.server.connect(home);
            it.server.ask(client, &format!("SET {} value", keys[0]));
            it.end_syncs(|_| 0);
            it.server.take(client);
            let mut answer = String::new();
            for line in lines {
                answer.push_str(&it.server.ask(client, line));
            }
            let queued = answer.len();
            it.end_syncs(|shard| if shard == 1 { FAILS } else { 0 });
            answer.push_str(&it.server.take(client));
            // Where a part of it was at home, its reply may not be told from others: closed.
            let refused = answer[queued..].contains(MISCONF);
            let closed = answer.len() == queued && !it.server.is_open(client);
            assert!(refused || closed, "from {home}: {lines:?}: {answer}");
            assert!(it.server.cores.iter().all(|core| !core.release.is_waiting()));
        }
    }
}
