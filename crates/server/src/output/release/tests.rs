use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use durability::{FsyncPolicy, Segment};
use resp::{CommandError, Protocol};

use super::refuse_writes;
use crate::clients::connection::Connection;
use crate::fixture::Fixture;
use crate::input::registry::{Action, Registry};
use crate::log::file::LogFile;
use crate::message::Work;

const REFUSED: &str = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";

fn error() -> CommandError {
    CommandError::MisconfLog("No space left on device".into())
}

/// A message with commands of these names, replied `replies`.
fn work(names: &[&str], replies: &str) -> Work {
    let registry = Registry::new();
    let mut work = Work::default();
    for name in names {
        let entry = registry.resolve(name.as_bytes(), None).ok().expect("the command is known");
        let Action::Shard(command) = entry.action else { panic!("{name} runs on a shard") };
        work.add(command, entry.number, resp::Arguments::new(b"", &[]));
    }
    work.reply = replies.as_bytes().to_vec();
    work
}

/// A file on a disk that may be full.
struct Disk {
    is_full: Rc<Cell<bool>>,
}

impl LogFile for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.is_full.get() {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(bytes.len()),
        }
    }

    fn set_length(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

/// A server that logs, each shard to a disk of its own; and whether these are full.
fn logging(shards: usize) -> (Fixture, Vec<Rc<Cell<bool>>>) {
    let mut server = Fixture::new(shards);
    let disks: Vec<Rc<Cell<bool>>> = (0..shards).map(|_| Rc::default()).collect();
    for (shard, disk) in disks.iter().enumerate() {
        let file = Box::new(Disk { is_full: Rc::clone(disk) });
        let segment = Segment::resume(0, FsyncPolicy::No, 0);
        server.cores[shard].shard.turn_log_on(shard as u16, file, segment, 0);
    }
    (server, disks)
}

/// A key on `shard` of two.
fn on(name: &str, shard: usize) -> String {
    (0..)
        .map(|n| format!("{name}{n}"))
        .find(|k| spec::shard_of_slot(spec::slot_of(k.as_bytes()), 2) == shard)
        .unwrap()
}

#[test]
fn a_transaction_waits_for_a_part_that_its_home_cannot_write() {
    let (a, b, c) = (on("a", 0), on("b", 1), on("c", 0));
    let transactions = [
        format!("RENAME {a} {b}\r\n"),
        format!("RENAME {b} {a}\r\n"),
        // Settled at home alone, in the tick that answers it.
        format!("MULTI\r\nSET {c} 2\r\nSELECT 0\r\nEXEC\r\n"),
        format!("MULTI\r\nSELECT 0\r\nRENAME {a} {b}\r\nSET {c} 2\r\nEXEC\r\n"),
    ];
    for text in transactions {
        let (mut server, disks) = logging(2);
        let client = server.connect(0);
        assert_eq!(server.ask(client, &format!("MSET {a} 1 {b} 1 {c} 1")), "+OK\r\n");
        // The other shard has room for its part.
        disks[0].set(true);
        let reply = server.send(client, text.as_bytes());
        assert!(!reply.ends_with("+OK\r\n") || reply.ends_with("QUEUED\r\n"), "{text}: {reply}");
        disks[0].set(false);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        server.settle();
        assert!(server.take(client).ends_with("+OK\r\n"), "{text}");
    }
}

#[test]
fn replies_of_writes_in_a_message_become_errors_and_others_stay() {
    let names = ["get", "set", "incr", "mget", "append"];
    let mut work = work(&names, "$2\r\n\r\n\r\n+OK\r\n-ERR no\r\n*2\r\n$-1\r\n$1\r\nx\r\n:7\r\n");
    refuse_writes(&mut work, &error());
    let wanted = format!("$2\r\n\r\n\r\n{REFUSED}-ERR no\r\n*2\r\n$-1\r\n$1\r\nx\r\n{REFUSED}");
    assert_eq!(String::from_utf8_lossy(&work.reply), wanted);
}

#[test]
fn commands_that_did_not_run_get_no_reply() {
    let mut work = work(&["set", "set"], "+OK\r\n");
    refuse_writes(&mut work, &error());
    assert_eq!(String::from_utf8_lossy(&work.reply), REFUSED);
}

/// A connection with `sent` allowed and `unsent` not.
fn with_connection(sent: &str, unsent: &str, judge: impl FnOnce(&mut Connection)) {
    let mut server = Fixture::new(1);
    let _ = server.connect(0);
    let (_, connection) = server.cores[0].connections.iter_mut().next().expect("one connection");
    connection.session.client.protocol = Protocol::Resp2;
    connection.output.bytes = format!("{sent}{unsent}").into_bytes();
    connection.output.base = 1000;
    connection.output.allowed = 1000 + sent.len() as u64;
    connection.output.wrote = true;
    judge(connection);
}

#[test]
fn the_only_reply_that_waits_becomes_the_error() {
    for unsent in ["+OK\r\n".to_owned(), format!("$200\r\n{}\r\n", "x".repeat(200))] {
        with_connection("+PONG\r\n", &unsent, |connection| {
            let end = connection.output.end();
            assert!(connection.refuse_unsent(&error()));
            let output = &connection.output;
            assert_eq!(String::from_utf8_lossy(&output.bytes), format!("+PONG\r\n{REFUSED}"));
            assert_eq!(output.sendable(), output.bytes.len());
            assert!(output.end() >= end, "positions only rise");
            assert!(!connection.session.modes.close_after_reply);
        });
    }
}

#[test]
fn of_several_replies_the_first_becomes_the_error_and_the_connection_ends() {
    with_connection("", "+OK\r\n$1\r\nx\r\n:3\r\n", |connection| {
        assert!(connection.refuse_unsent(&error()));
        assert_eq!(String::from_utf8_lossy(&connection.output.bytes), REFUSED);
        assert!(connection.session.modes.close_after_reply);
    });
}

#[test]
fn an_error_cannot_stand_before_replies_that_are_under_way() {
    with_connection("", "+OK\r\n", |connection| {
        connection.pipeline.open(false);
        assert!(!connection.refuse_unsent(&error()));
        assert_eq!(connection.output.bytes, b"+OK\r\n");
    });
}
