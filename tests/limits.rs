//! Limits: how much clients may send, leave unread, and how many they may be. What a client does
//! beyond them costs it its connection, and nobody else anything.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Client, Server, Value, encode, encode_line, key_on, wait_until};

const MIB: u64 = 1024 * 1024;

/// A field of INFO as a number.
fn info_number(client: &mut Client, field: &str) -> i64 {
    let text = client.ask("INFO everything").text();
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.parse().ok())
        .unwrap_or_else(|| panic!("INFO has no number {field}:\n{text}"))
}

#[test]
fn an_argument_may_be_as_long_as_configured() {
    let server = Server::start("--shards 2 --proto-max-bulk-len 1mb");
    let mut client = server.client();
    for shard in 0..2 {
        let key = key_on(shard, 2, "bulk");
        let value = vec![b'v'; MIB as usize];
        let reply = client.call(&[b"SET", key.as_bytes(), &value]).unwrap();
        assert_eq!(reply, Value::ok());
        let longer = client.ask(&format!("APPEND {key} x"));
        let text = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        assert_eq!(longer.error(), text);
        assert_eq!(client.ask(&format!("STRLEN {key}")), Value::Integer(MIB as i64));
    }
    client.send_raw(b"*2\r\n$3\r\nGET\r\n$1048577\r\n").unwrap();
    assert_eq!(client.receive().unwrap().error(), "ERR Protocol error: invalid bulk length");
    assert!(client.receive_to_end().unwrap().is_empty());
    server.stop();
}

#[test]
fn who_has_not_passed_auth_may_send_little() {
    let server = Server::start("--shards 2 --requirepass secret");
    for (bytes, text) in [
        (&b"*11\r\n"[..], "unauthenticated multibulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"),
    ] {
        let mut client = server.client();
        client.send_raw(bytes).unwrap();
        let error = client.receive().unwrap();
        assert_eq!(error.error(), format!("ERR Protocol error: {text}"));
        assert!(client.receive_to_end().unwrap().is_empty());
    }
    let mut client = server.client();
    for line in ["GET k", "SET k v", "MGET a b c d", "DBSIZE", "INFO", "FLUSHALL"] {
        assert_eq!(client.ask(line).error(), "NOAUTH Authentication required.");
    }
    assert!(client.ask("AUTH wrong").error().starts_with("WRONGPASS "));
    assert_eq!(client.ask("GET k").error(), "NOAUTH Authentication required.");
    // In one piece: what follows AUTH is judged after it.
    let mut bytes = Vec::new();
    encode_line("AUTH secret", &mut bytes);
    let words: Vec<String> = (0..50).map(|number| format!("k{number} {number}")).collect();
    encode_line(&format!("MSET {}", words.join(" ")), &mut bytes);
    encode(&["SET", "long", &"v".repeat(20_000)], &mut bytes);
    let replies = client.pipeline(&bytes, 3).unwrap();
    assert_eq!(replies, [Value::ok(), Value::ok(), Value::ok()]);
    assert_eq!(client.ask("DBSIZE"), Value::Integer(51));
    server.stop();
}

#[test]
fn a_full_query_buffer_ends_the_connection() {
    let server = Server::start("--shards 2 --client-query-buffer-limit 1mb");
    let mut other = server.client();
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$300000000\r\n").unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let sent = (0..64).take_while(|_| client.write_all(&piece).is_ok()).count();
    // The rest may fill the socket's buffers; the connection ends either way.
    let mut rest = Vec::new();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(client.read_to_end(&mut rest).is_err() || rest.is_empty(), "after {sent} pieces");
    assert_eq!(other.ask("EXISTS k"), Value::Integer(0));
    assert!(server.log().contains("reached max query buffer length"));
    server.stop();
}

#[test]
fn a_client_that_never_reads_is_disconnected() {
    let options = "--shards 2 --client-output-buffer-limit normal 4mb 0 0";
    let server = Server::start(options);
    let mut other = server.client();
    let keys: Vec<String> = (0..2).map(|shard| key_on(shard, 2, "out")).collect();
    for key in &keys {
        let value = vec![b'v'; 100_000];
        assert_eq!(other.call(&[b"SET", key.as_bytes(), &value]).unwrap(), Value::ok());
    }
    let before = server.resident_bytes();
    for line in [
        format!("GET {}", keys[0]),
        format!("GET {}", keys[1]),
        format!("MGET {} {}", keys[0], keys[1]),
    ] {
        let mut bytes = Vec::new();
        (0..200).for_each(|_| encode_line(&line, &mut bytes));
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut sent = 0;
        let began = Instant::now();
        // 400 MB of replies at least, unless it is cut off.
        while sent < 20 && client.write_all(&bytes).is_ok() {
            sent += 1;
            assert_eq!(other.ask("PING"), Value::Simple("PONG".into()));
            assert!(began.elapsed() < Duration::from_secs(10), "{line}: it is never cut off");
        }
        wait_until("the server has closed it", || {
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut chunk = [0; 64 * 1024];
            matches!(client.read(&mut chunk), Ok(0) | Err(_))
        });
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 200 * MIB, "it grew by {} MiB", grown / MIB);
    assert!(server.log().contains("overcoming of output buffer limits"));
    assert_eq!(other.ask(&format!("STRLEN {}", keys[1])), Value::Integer(100_000));
    server.stop();
}

#[test]
fn huge_replies_to_one_piece_of_input_are_bounded() {
    let server = Server::start("--shards 2 --client-output-buffer-limit normal 8mb 0 0");
    let mut other = server.client();
    let keys: Vec<String> = (0..2).map(|shard| key_on(shard, 2, "huge")).collect();
    for key in &keys {
        let value = vec![b'v'; 4 << 20];
        assert_eq!(other.call(&[b"SET", key.as_bytes(), &value]).unwrap(), Value::ok());
    }
    let before = server.resident_bytes();
    for key in &keys {
        let line = format!("GET {key}");
        // 16 KiB of input ask for two gigabytes.
        let mut bytes = Vec::new();
        (0..400).for_each(|_| encode_line(&line, &mut bytes));
        let mut client = server.client();
        client.send_raw(&bytes).unwrap();
        let answered = client.receive_to_end().unwrap();
        assert!(answered.len() < 100 << 20, "{} bytes were answered", answered.len());
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 200 * MIB, "it grew by {} MiB", grown / MIB);
    assert_eq!(other.ask(&format!("STRLEN {}", keys[1])), Value::Integer(4 << 20));
    server.stop();
}

#[test]
fn a_soft_limit_gives_time() {
    let options = "--shards 2 --client-output-buffer-limit normal 0 1mb 1";
    let server = Server::start(options);
    let mut client = server.client();
    let value = vec![b'v'; 4 << 20];
    assert_eq!(client.call(&[&b"SET"[..], b"soft", &value]).unwrap(), Value::ok());
    // Read at once: nothing happens, however often the limit was passed.
    for _ in 0..5 {
        assert!(client.ask("GET soft") == Value::bulk(&value));
    }
    // Never read: after a second it goes, though it asks for nothing more.
    let mut silent = TcpStream::connect(server.address()).unwrap();
    silent.write_all(&b"GET soft\r\n".repeat(8)).unwrap();
    let began = Instant::now();
    wait_until("the client was disconnected", || {
        server.log().contains("overcoming of output buffer limits")
    });
    assert!(began.elapsed() >= Duration::from_millis(900), "it was given {:?}", began.elapsed());
    server.stop();
}

#[test]
fn no_more_clients_than_configured() {
    let server = Server::start("--shards 2 --maxclients 10");
    let mut clients: Vec<Client> = (0..10).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("PING"), Value::Simple("PONG".into()));
    }
    for _ in 0..20 {
        let mut refused = server.client();
        let error = refused.receive().unwrap();
        assert_eq!(error.error(), "ERR max number of clients reached");
        assert!(refused.receive_to_end().unwrap().is_empty());
    }
    drop(clients.pop());
    wait_until("a place is free", || {
        let mut client = server.client();
        client.call(&["PING"]).is_ok_and(|reply| reply.error().is_empty())
    });
    for client in &mut clients {
        assert_eq!(client.ask("PING"), Value::Simple("PONG".into()));
    }
    assert!(info_number(&mut clients[0], "rejected_connections") >= 20);
    server.stop();
}

#[test]
fn idle_clients_go_after_the_timeout() {
    let server = Server::start("--shards 2 --timeout 1");
    let mut idle: Vec<Client> = (0..4).map(|_| server.client()).collect();
    let mut busy = server.client();
    let began = Instant::now();
    let ends: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let pulse = scope.spawn(move || {
            while began.elapsed() < Duration::from_millis(3500) {
                assert_eq!(busy.ask("PING"), Value::Simple("PONG".into()));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let ends = idle.iter_mut().map(|client| client.receive_to_end().unwrap()).collect();
        pulse.join().expect("the busy client stays");
        ends
    });
    assert!(ends.iter().all(Vec::is_empty));
    assert!(began.elapsed() >= Duration::from_secs(1));
    server.stop();
}

#[test]
fn ten_thousand_connections_come_and_go() {
    let server = Server::with_shards(2);
    let mut other = server.client();
    let mut after_first = 0;
    for batch in 0..10 {
        let clients: Vec<TcpStream> = (0..1000)
            .map(|number| {
                let mut client = TcpStream::connect(server.address()).unwrap();
                // Some say nothing, some half a command, some a whole one whose reply they leave.
                match number % 3 {
                    0 => {}
                    1 => client.write_all(b"*3\r\n$3\r\nSET\r\n$1").unwrap(),
                    _ => client.write_all(b"INCR visits\r\nMGET a b c d\r\n").unwrap(),
                }
                client
            })
            .collect();
        drop(clients);
        assert_eq!(other.ask("PING"), Value::Simple("PONG".into()));
        wait_until("they are gone", || info_number(&mut other, "connected_clients") == 1);
        if batch == 0 {
            after_first = server.resident_bytes();
        }
    }
    let grown = server.resident_bytes().saturating_sub(after_first);
    assert!(grown < 20 * MIB, "nine thousand more connections left {} KiB", grown / 1024);
    assert_eq!(other.ask("GET visits").number(), 3330);
    server.stop();
}

#[test]
fn as_many_clients_as_there_are_descriptors() {
    // 100 files are fewer than the default of 10,000 clients: the server makes room or says so.
    let server = Server::start_limited(100, "--shards 2");
    let mut first = server.client();
    assert_eq!(first.ask("SET k v"), Value::ok());
    let mut clients: Vec<Client> = (0..200).map(|_| server.client()).collect();
    let mut refused = 0;
    for client in &mut clients {
        let reply = client.call(&["PING"]).or_else(|_| client.receive());
        match reply.as_ref().map(Value::error) {
            Ok("") => {}
            Ok("ERR max number of clients reached") | Err(_) => refused += 1,
            Ok(error) => panic!("{error}"),
        }
    }
    let lowered = server.log().contains("maxclients is");
    assert_eq!(refused > 0, lowered, "{refused} were refused");
    assert_eq!(first.ask("GET k"), Value::bulk("v"));
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_millis(500));
    let used = server.cpu_ticks() - before;
    assert!(used < 10, "{used}0 ms of CPU in half a second of idling");
    drop(clients);
    wait_until("new clients are taken again", || {
        let mut client = server.client();
        client.call(&["PING"]).is_ok_and(|reply| reply == Value::Simple("PONG".into()))
    });
    server.stop();
}

#[test]
fn idle_connections_cost_nothing() {
    let server = Server::with_shards(2);
    let clients: Vec<Client> = (0..1000)
        .map(|_| {
            let mut client = server.client();
            assert_eq!(client.ask("SET k v"), Value::ok());
            client
        })
        .collect();
    // What the last SET set off (a sync, a wake-up) is over soon.
    std::thread::sleep(Duration::from_millis(1200));
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_secs(2));
    let used = server.cpu_ticks() - before;
    assert!(used <= 4, "{used}0 ms of CPU in two seconds of idling");
    drop(clients);
    server.stop();
}
