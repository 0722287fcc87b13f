//! Bad input: Redis' error or a clear message, nothing lost, no other client disturbed.

mod support;

use std::io::ErrorKind;

use support::{Client, Server, Value, encode, encode_line, key_on, read_value, shard_of};

/// Asks another client whether the server still serves both shards.
fn assert_undisturbed(client: &mut Client) {
    for shard in 0..2 {
        let key = key_on(shard, 2, "pulse");
        assert_eq!(client.ask(&format!("SET {key} on")), Value::ok());
        assert_eq!(client.ask(&format!("GET {key}")), Value::bulk("on"));
    }
}

/// What a connection is answered to `bytes` until the server closes it.
fn answer_before_closing(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.client();
    client.send_raw(bytes).expect("what is sent fits into the socket");
    let answer = client.receive_to_end().unwrap_or_else(|error| {
        panic!(
            "{} does not end the connection: {error}",
            bytes[..bytes.len().min(60)].escape_ascii()
        )
    });
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_broken_protocol_ends_only_its_connection() {
    let server = Server::with_shards(2);
    let mut other = server.client();
    for (bytes, text) in [
        (&b"*a\r\n"[..], "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n$a\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"*1\r\n\0\r\n", "expected '$', got '"),
        (b"SET k \"v\r\n", "unbalanced quotes in request"),
        (b"SET k 'v'x\r\n", "unbalanced quotes in request"),
    ] {
        let answer = answer_before_closing(&server, bytes);
        assert!(
            answer.starts_with(&format!("-ERR Protocol error: {text}")) && answer.ends_with("\r\n"),
            "{}: {answer}",
            bytes.escape_ascii()
        );
        assert_undisturbed(&mut other);
    }
    server.stop();
}

#[test]
fn lines_and_headers_without_an_end_are_refused() {
    let server = Server::with_shards(2);
    let mut other = server.client();
    for (head, text) in [
        (&b"GET "[..], "too big inline request"),
        (b"*", "too big mbulk count string"),
        (b"*1\r\n$", "too big bulk count string"),
    ] {
        let mut bytes = head.to_vec();
        bytes.resize(64 * 1024 + 100, b'1');
        let answer = answer_before_closing(&server, &bytes);
        assert_eq!(answer, format!("-ERR Protocol error: {text}\r\n"));
        assert_undisturbed(&mut other);
    }
    server.stop();
}

#[test]
fn what_came_before_the_break_is_done_and_answered() {
    let server = Server::with_shards(2);
    let mut bytes = Vec::new();
    for number in 0..300 {
        encode_line(&format!("SET before:{number} x"), &mut bytes);
    }
    bytes.extend_from_slice(b"*1\r\nbreak\r\nSET after x\r\n");
    let answer = answer_before_closing(&server, &bytes);
    let rest = answer.replace("+OK\r\n", "");
    assert_eq!(rest, "-ERR Protocol error: expected '$', got 'b'\r\n");
    assert_eq!(answer.matches("+OK\r\n").count(), 300);
    assert_eq!(server.client().ask("DBSIZE"), Value::Integer(300));
    server.stop();
}

#[test]
fn commands_come_byte_by_byte() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let mut bytes = Vec::new();
    for shard in 0..2 {
        let key = key_on(shard, 2, "slow");
        encode(&[b"SET", key.as_bytes(), b"\r\n*1\r\n$4\0\xff"], &mut bytes);
        encode_line(&format!("GET {key}"), &mut bytes);
        encode_line("NONSENSE", &mut bytes);
        bytes.extend_from_slice(b"echo 'in line'\r\n\r\n");
    }
    for byte in bytes {
        client.send_raw(&[byte]).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(client.receive().unwrap(), Value::ok());
        assert_eq!(client.receive().unwrap(), Value::bulk(b"\r\n*1\r\n$4\0\xff"));
        assert!(client.receive().unwrap().error().starts_with("ERR unknown command 'NONSENSE'"));
        assert_eq!(client.receive().unwrap(), Value::bulk("in line"));
    }
    server.stop();
}

#[test]
fn half_a_command_does_nothing() {
    let server = Server::with_shards(2);
    for shard in 0..2 {
        let key = key_on(shard, 2, "half");
        let mut whole = Vec::new();
        encode_line(&format!("SET {key} value"), &mut whole);
        for end in 1..whole.len() {
            let mut client = server.client();
            client.send_raw(&whole[..end]).unwrap();
        }
        // One that stays open does not hold anybody up either.
        let mut open = server.client();
        open.send_raw(&whole[..whole.len() - 1]).unwrap();
        assert_eq!(server.client().ask(&format!("EXISTS {key}")), Value::Integer(0));
        open.send_raw(b"\n").unwrap();
        assert_eq!(open.receive().unwrap(), Value::ok());
    }
    server.stop();
}

#[test]
fn random_bytes_break_nothing() {
    let server = Server::with_shards(2);
    let mut other = server.client();
    assert_eq!(other.ask("SET kept here"), Value::ok());
    // A fixed generator: a failure can be repeated.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..200 {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..random() % 64 {
            match random() % 8 {
                0 => bytes.extend_from_slice(b"*3\r\n"),
                1 => bytes.extend_from_slice(b"\r\n"),
                2 => bytes.extend_from_slice(b"$4\r\n"),
                3 => bytes.extend_from_slice(b"GET x"),
                4 => encode_line("GET kept", &mut bytes),
                _ => bytes.extend_from_slice(&random().to_le_bytes()),
            }
        }
        let mut client = server.client();
        client.send_raw(&bytes).unwrap();
        client.finish_sending().unwrap();
        let answer = client.receive_to_end().unwrap();
        // Whatever it is, it consists of whole replies.
        let mut rest = answer.as_slice();
        while let Some((_, length)) = read_value(rest).unwrap() {
            rest = &rest[length..];
        }
        assert!(rest.is_empty(), "round {round}: a torn reply: {}", answer.escape_ascii());
    }
    assert_eq!(other.ask("GET kept"), Value::bulk("here"));
    assert_undisturbed(&mut other);
    server.stop();
}

#[test]
fn wrong_arguments_get_the_error_and_change_nothing() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let not_an_integer = "ERR value is not an integer or out of range";
    for shard in 0..2 {
        let key = key_on(shard, 2, "k");
        let (number, float) = (key_on(shard, 2, "n"), key_on(shard, 2, "f"));
        client.ask(&format!("SET {key} text"));
        client.ask(&format!("SET {number} 9223372036854775807"));
        client.ask(&format!("SET {float} 1e300"));
        for (line, error) in [
            ("GET", "ERR wrong number of arguments for 'get' command"),
            ("GET K K", "ERR wrong number of arguments for 'get' command"),
            ("MSET K", "ERR wrong number of arguments for 'mset' command"),
            ("MSET K a N", "ERR wrong number of arguments for 'mset' command"),
            ("SET K v EX", "ERR syntax error"),
            ("SET K v EX 0", "ERR invalid expire time in 'set' command"),
            ("SET K v EX -1", "ERR invalid expire time in 'set' command"),
            ("SET K v EX 9223372036854775807", "ERR invalid expire time in 'set' command"),
            ("SET K v PX 99999999999999999999", not_an_integer),
            ("SET K v NX XX", "ERR syntax error"),
            ("INCR K", not_an_integer),
            ("INCR N", "ERR increment or decrement would overflow"),
            ("INCRBY N 99999999999999999999", not_an_integer),
            ("DECRBY K -9223372036854775808", "ERR decrement would overflow"),
            ("INCRBYFLOAT K 1", "ERR value is not a valid float"),
            ("SETRANGE K -1 v", "ERR offset is out of range"),
            (
                "SETRANGE K 536870912 v",
                "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
            ("SETBIT K 4294967296 1", "ERR bit offset is not an integer or out of range"),
            ("SETBIT K 0 2", "ERR bit is not an integer or out of range"),
            ("GETRANGE K a b", not_an_integer),
            ("EXPIRE K soon", not_an_integer),
            ("EXPIRE K 9223372036854775807", "ERR invalid expire time in 'expire' command"),
            ("SCAN notacursor", "ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "ERR syntax error"),
            ("SELECT 16", "ERR DB index is out of range"),
            ("SELECT -1", "ERR DB index is out of range"),
            ("SELECT one", not_an_integer),
            ("NONSENSE K", "ERR unknown command 'NONSENSE'"),
            ("OBJECT NONSENSE K", "ERR unknown subcommand 'NONSENSE'. Try OBJECT HELP."),
        ] {
            let words: Vec<&str> = line
                .split(' ')
                .map(|word| match word {
                    "K" => key.as_str(),
                    "N" => number.as_str(),
                    word => word,
                })
                .collect();
            let reply = client.call(&words).unwrap();
            assert!(reply.error().starts_with(error), "{words:?}: {reply:?}");
        }
        assert_eq!(client.ask(&format!("GET {key}")), Value::bulk("text"));
        assert_eq!(client.ask(&format!("TTL {key}")), Value::Integer(-1));
        assert_eq!(client.ask(&format!("GET {number}")), Value::bulk("9223372036854775807"));
        assert_eq!(client.ask(&format!("GET {float}")), Value::bulk("1e300"));
    }
    server.stop();
}

#[test]
fn keys_are_bytes() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let keys: Vec<Vec<u8>> = (0..=255u8)
        .map(|byte| vec![byte, 0, b'\r', b'\n', 255 - byte])
        .chain([Vec::new(), vec![0; 70_000], b"{".to_vec(), b"{}".to_vec(), b"a{}{b}".to_vec()])
        .collect();
    for (number, key) in keys.iter().enumerate() {
        let value = number.to_string();
        assert_eq!(client.call(&[b"SET", key.as_slice(), value.as_bytes()]).unwrap(), Value::ok());
    }
    assert_eq!(client.ask("DBSIZE"), Value::Integer(keys.len() as i64));
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(
            client.call(&[b"GET", key.as_slice()]).unwrap(),
            Value::bulk(number.to_string())
        );
    }
    let mut delete: Vec<&[u8]> = vec![b"DEL"];
    delete.extend(keys.iter().map(Vec::as_slice));
    assert_eq!(client.call(&delete).unwrap(), Value::Integer(keys.len() as i64));
    server.stop();
}

#[test]
fn a_tag_decides_the_shard() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    // RENAME needs both keys on one shard, or to reach over two: with a tag it is the former.
    let tag = key_on(1, 2, "tag");
    assert_eq!(shard_of(&tag, 2), 1);
    assert_eq!(client.ask(&format!("SET {{{tag}}}:a x")), Value::ok());
    assert_eq!(client.ask(&format!("RENAME {{{tag}}}:a {{{tag}}}:b")), Value::ok());
    assert_eq!(client.ask(&format!("GET {{{tag}}}:b")), Value::bulk("x"));
    server.stop();
}

#[test]
fn a_million_arguments_are_taken() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let mut arguments = vec!["EXISTS"; 1];
    arguments.resize(1024 * 1024, "k");
    assert_eq!(client.call(&arguments).unwrap(), Value::Integer(0));
    client.ask("SET k x");
    assert_eq!(client.call(&arguments).unwrap(), Value::Integer(1024 * 1024 - 1));
    server.stop();
}

#[test]
fn both_protocols_and_back() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let (local, remote) = (key_on(0, 2, "none"), key_on(1, 2, "none"));
    let hello = client.ask("HELLO 3");
    let Value::Map(fields) = hello else { panic!("HELLO 3 answered {hello:?}") };
    assert!(fields.contains(&Value::bulk("proto")) && fields.contains(&Value::Integer(3)));
    // Null of RESP3 is `_`, of RESP2 `$-1`: both read as Null, so the bytes are compared.
    for (line, protocol, null) in [("", 3, "_\r\n"), ("HELLO 2\r\n", 2, "$-1\r\n")] {
        let mut client = server.client();
        let first = if protocol == 3 { "HELLO 3\r\n" } else { "HELLO 3\r\nHELLO 2\r\n" };
        let bytes = format!("{first}GET {local}\r\nGET {remote}\r\n");
        client.send_raw(bytes.as_bytes()).unwrap();
        client.finish_sending().unwrap();
        let answer = String::from_utf8_lossy(&client.receive_to_end().unwrap()).into_owned();
        assert!(answer.ends_with(&format!("{null}{null}")), "after {line}: {answer}");
    }
    assert!(client.ask("HELLO 4").error().starts_with("NOPROTO unsupported protocol version"));
    assert!(client.ask("HELLO x").error().starts_with("ERR Protocol version is not an integer"));
    assert_eq!(client.ask("PING"), Value::Simple("PONG".into()));
    server.stop();
}

#[test]
fn a_client_that_goes_in_the_middle_disturbs_nobody() {
    let server = Server::with_shards(2);
    let mut other = server.client();
    for round in 0..50 {
        let mut client = server.client();
        let mut bytes = Vec::new();
        for number in 0..200 {
            encode_line(&format!("SET go:{number} {round}"), &mut bytes);
            encode_line("MGET go:1 go:2 go:3", &mut bytes);
        }
        client.send_raw(&bytes).unwrap();
        // Dropped with all replies unread: the server meets a reset.
        drop(client);
        assert_undisturbed(&mut other);
    }
    let mut last = server.client();
    let error = last.call(&["QUIT"]).and_then(|reply| {
        assert_eq!(reply, Value::ok());
        last.receive()
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    server.stop();
}
