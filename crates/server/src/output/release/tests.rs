use resp::{CommandError, Protocol};

use super::refuse_writes;
use crate::clients::connection::Connection;
use crate::fixture::Fixture;
use crate::input::registry::{Action, Registry};
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
