//! The invariants of docs/architecture.md that clients can see: order, transactions over several
//! shards, and commands that every shard takes part in. Against a running server, with as many
//! shards as matter: one, two, and more than there are CPUs.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::{Client, Server, Value, encode, encode_line, key_on, shard_of, wait_until};

/// How long concurrent readers and writers run for each number of shards.
const RACE: Duration = Duration::from_millis(700);

#[test]
fn a_long_pipeline_is_answered_in_order() {
    for shards in [1, 2, 5, 8] {
        let server = Server::with_shards(shards);
        let mut client = server.client();
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for number in 0..10_000 {
            let key = format!("key:{}", number / 5);
            match number % 5 {
                0 => {
                    encode_line(&format!("SET {key} {number}"), &mut bytes);
                    expected.push(Value::ok());
                }
                1 => {
                    encode_line(&format!("GET {key}"), &mut bytes);
                    expected.push(Value::bulk((number - 1).to_string()));
                }
                2 => {
                    encode_line(&format!("ECHO {number}"), &mut bytes);
                    expected.push(Value::bulk(number.to_string()));
                }
                3 => {
                    encode_line(&format!("MGET {key} none:{number} {key}"), &mut bytes);
                    let value = Value::bulk((number - 3).to_string());
                    expected.push(Value::Array(vec![value.clone(), Value::Null, value]));
                }
                _ => {
                    encode_line("INCR counter", &mut bytes);
                    expected.push(Value::Integer(number / 5 + 1));
                }
            }
        }
        let replies = client.pipeline(&bytes, expected.len()).unwrap();
        let wrong = (0..replies.len()).find(|at| replies[*at] != expected[*at]);
        assert_eq!(wrong, None, "{shards} shards: {:?}", wrong.map(|at| &replies[at]));
        server.stop();
    }
}

/// `write` and `read` of several connections each at the same time; readers judge what they see.
fn race(
    server: &Server,
    write: impl Fn(&mut Client, u64) + Sync,
    read: impl Fn(&mut Client) + Sync,
) {
    let over = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = server.client();
                while !over.load(Ordering::Relaxed) {
                    read(&mut client);
                }
            });
        }
        scope.spawn(|| {
            // Also when a write panics: the readers would go on for ever.
            let _ends = Ends(&over);
            let mut client = server.client();
            let mut number = 1;
            while began.elapsed() < RACE {
                write(&mut client, number);
                number += 1;
            }
        });
    });
}

/// Sets a flag when it goes.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nobody_sees_the_flag_without_the_data() {
    for shards in [1, 2, 5, 8] {
        let server = Server::with_shards(shards);
        let data = key_on(shards - 1, shards, "data");
        let flag = key_on(0, shards, "flag");
        // Both directions: one of them is the local key at any home of the writer.
        for (data, flag) in [(&data, &flag), (&flag, &data)] {
            server.client().ask("FLUSHALL");
            server.client().ask(&format!("MSET {data} 0 {flag} 0"));
            race(
                &server,
                |client, round| {
                    let mut bytes = Vec::new();
                    for step in 0..20 {
                        let number = round * 20 + step;
                        encode_line(&format!("SET {data} {number}"), &mut bytes);
                        encode_line(&format!("SET {flag} {number}"), &mut bytes);
                    }
                    let replies = client.pipeline(&bytes, 40).unwrap();
                    assert!(replies.iter().all(|reply| *reply == Value::ok()), "{replies:?}");
                },
                |client| {
                    let seen = client.ask(&format!("GET {flag}")).number();
                    let there = client.ask(&format!("GET {data}")).number();
                    assert!(there >= seen, "{shards} shards: flag {seen}, but data {there}");
                    let mut bytes = Vec::new();
                    encode_line(&format!("GET {flag}"), &mut bytes);
                    encode_line(&format!("GET {data}"), &mut bytes);
                    let both = client.pipeline(&bytes, 2).unwrap();
                    let (seen, there) = (both[0].number(), both[1].number());
                    assert!(there >= seen, "{shards} shards: pipelined {seen}, {there}");
                },
            );
        }
        server.stop();
    }
}

#[test]
fn mset_is_never_half_seen() {
    for shards in [2, 5, 8] {
        let server = Server::with_shards(shards);
        let keys: Vec<String> = (0..shards).map(|shard| key_on(shard, shards, "m")).collect();
        let pairs = |number: u64| {
            let pairs: Vec<String> = keys.iter().map(|key| format!("{key} {number}")).collect();
            format!("MSET {}", pairs.join(" "))
        };
        let all = keys.join(" ");
        assert_eq!(server.client().ask(&pairs(0)), Value::ok());
        race(
            &server,
            |client, number| assert_eq!(client.ask(&pairs(number)), Value::ok()),
            |client| {
                let values = client.ask(&format!("MGET {all}"));
                let first = &values.elements()[0];
                assert!(values.elements().iter().all(|value| value == first), "{values:?}");
                // Single reads after it see that state or a later one, on every shard.
                for key in keys.iter().rev() {
                    let later = client.ask(&format!("GET {key}")).number();
                    assert!(later >= first.number(), "{key} went back to {later} from {first:?}");
                }
            },
        );
        server.stop();
    }
}

#[test]
fn many_keys_are_deleted_and_counted_as_one_step() {
    for shards in [2, 5] {
        let server = Server::with_shards(shards);
        let keys: Vec<String> = (0..shards).map(|shard| key_on(shard, shards, "d")).collect();
        let all = keys.join(" ");
        let pairs: Vec<String> = keys.iter().map(|key| format!("{key} x")).collect();
        let set = format!("MSET {}", pairs.join(" "));
        let count = shards as i64;
        race(
            &server,
            |client, number| {
                assert_eq!(client.ask(&set), Value::ok());
                assert_eq!(client.ask(&format!("TOUCH {all} none")), Value::Integer(count));
                let delete = if number % 2 == 0 { "DEL" } else { "UNLINK" };
                let deleted = client.ask(&format!("{delete} {all} {all} none"));
                assert_eq!(deleted, Value::Integer(count));
            },
            |client| {
                let there = client.ask(&format!("EXISTS {all}")).number();
                assert!(there == 0 || there == count, "{there} of {count} keys are there");
            },
        );
        server.stop();
    }
}

#[test]
fn keys_of_all_shards_make_one_keyspace() {
    for shards in [1, 2, 5] {
        let server = Server::with_shards(shards);
        let mut client = server.client();
        assert_eq!(client.ask("RANDOMKEY"), Value::Null);
        let mut names = BTreeSet::new();
        for number in 0..500 {
            assert_eq!(client.ask(&format!("SET name:{number} {number}")), Value::ok());
            names.insert(format!("name:{number}"));
        }
        assert_eq!(client.ask("DBSIZE"), Value::Integer(500));
        let texts = |value: &Value| value.elements().iter().map(Value::text).collect();
        let listed: BTreeSet<String> = texts(&client.ask("KEYS name:*"));
        assert_eq!(listed, names);
        assert_eq!(client.ask("KEYS name:49?").elements().len(), 10);
        let drawn: BTreeSet<usize> =
            (0..100).map(|_| shard_of(&client.ask("RANDOMKEY").text(), shards)).collect();
        assert_eq!(drawn.len(), shards, "RANDOMKEY draws from every shard");

        assert_eq!(client.ask("SWAPDB 0 1"), Value::ok());
        assert_eq!(client.ask("DBSIZE"), Value::Integer(0));
        assert_eq!(client.ask("SELECT 1"), Value::ok());
        assert_eq!(client.ask("DBSIZE"), Value::Integer(500));
        assert_eq!(client.ask("SET other x"), Value::ok());
        assert_eq!(client.ask("SELECT 2"), Value::ok());
        assert_eq!(client.ask("SET third x"), Value::ok());
        assert_eq!(client.ask("FLUSHDB"), Value::ok());
        assert_eq!(client.ask("DBSIZE"), Value::Integer(0));
        assert_eq!(client.ask("SELECT 1"), Value::ok());
        assert_eq!(client.ask("DBSIZE"), Value::Integer(501));
        assert_eq!(client.ask("FLUSHALL ASYNC"), Value::ok());
        assert_eq!(client.ask("DBSIZE"), Value::Integer(0));
        assert_eq!(client.ask("FLUSHALL LATER").error(), "ERR syntax error");
        server.stop();
    }
}

#[test]
fn swapdb_is_one_step() {
    let server = Server::with_shards(2);
    let keys: Vec<String> = (0..2).map(|shard| key_on(shard, 2, "s")).collect();
    let mut client = server.client();
    for (database, value) in [(0, "a"), (1, "b")] {
        client.ask(&format!("SELECT {database}"));
        client.ask(&format!("MSET {} {value} {} {value}", keys[0], keys[1]));
    }
    race(
        &server,
        |client, _| assert_eq!(client.ask("SWAPDB 0 1"), Value::ok()),
        |client| {
            let values = client.ask(&format!("MGET {} {}", keys[0], keys[1]));
            let values = values.elements();
            assert!(values[0] == values[1], "half swapped: {values:?}");
        },
    );
    server.stop();
}

#[test]
fn scan_finds_what_stays_while_the_table_grows_and_shrinks() {
    let server = Server::with_shards(5);
    let mut client = server.client();
    let mut bytes = Vec::new();
    (0..2000).for_each(|number| encode_line(&format!("SET stay:{number} x"), &mut bytes));
    client.pipeline(&bytes, 2000).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.client();
            while !over.load(Ordering::Relaxed) {
                let (mut sets, mut deletes) = (Vec::new(), Vec::new());
                for number in 0..5000 {
                    encode_line(&format!("SET come:{number} x"), &mut sets);
                    encode_line(&format!("DEL come:{number}"), &mut deletes);
                }
                client.pipeline(&sets, 5000).unwrap();
                client.pipeline(&deletes, 5000).unwrap();
            }
        });
        let _ends = Ends(&over);
        for _ in 0..5 {
            let mut found = BTreeSet::new();
            let mut cursor = "0".to_owned();
            loop {
                let reply = client.ask(&format!("SCAN {cursor} COUNT 100 MATCH stay:*"));
                let [next, keys] = reply.elements() else { panic!("{reply:?} is no scan") };
                found.extend(keys.elements().iter().map(Value::text));
                cursor = next.text();
                if cursor == "0" {
                    break;
                }
            }
            assert_eq!(found.len(), 2000);
        }
    });
    server.stop();
}

#[test]
fn keys_expire_on_every_shard() {
    let server = Server::with_shards(5);
    let mut client = server.client();
    let mut bytes = Vec::new();
    (0..1000).for_each(|number| encode_line(&format!("SET e:{number} x PX 300"), &mut bytes));
    client.pipeline(&bytes, 1000).unwrap();
    client.ask("SET stays x");
    assert!(client.ask("DBSIZE").number() > 1 || client.ask("EXISTS e:1").number() == 0);
    // Nobody touches them: every shard has to find them itself.
    wait_until("all keys have expired", || client.ask("DBSIZE").number() == 1);
    assert_eq!(client.ask("EXISTS e:1 e:2 e:3 stays"), Value::Integer(1));
    server.stop();
}

#[test]
fn a_value_of_100_mb_comes_and_goes() {
    let server = Server::with_shards(2);
    let value = vec![b'v'; 100 << 20];
    for shard in 0..2 {
        let key = key_on(shard, 2, "big");
        let mut client = server.client();
        let mut bytes = Vec::new();
        encode(&[b"SET", key.as_bytes(), &value], &mut bytes);
        assert_eq!(client.pipeline(&bytes, 1).unwrap(), [Value::ok()]);
        assert_eq!(client.ask(&format!("STRLEN {key}")), Value::Integer(100 << 20));
        let reply = client.ask(&format!("GET {key}"));
        assert!(reply == Value::bulk(&value), "the value came back otherwise than it went");
        assert_eq!(client.ask(&format!("DEL {key}")), Value::Integer(1));
        assert_eq!(client.ask(&format!("EXISTS {key}")), Value::Integer(0));
    }
    server.stop();
}

#[test]
fn a_reader_that_dawdles_gets_everything() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let value = "v".repeat(1000);
    let keys: Vec<String> = (0..2).map(|shard| key_on(shard, 2, "slow")).collect();
    client.ask(&format!("MSET {} {value} {} {value}", keys[0], keys[1]));
    let mut bytes = Vec::new();
    for number in 0..20_000 {
        encode_line(&format!("GET {}", keys[number % 2]), &mut bytes);
        encode_line(&format!("ECHO {number}"), &mut bytes);
    }
    // All is asked for before anything is read: 20 MB wait in the server.
    client.send_raw(&bytes).unwrap();
    for number in 0..20_000 {
        if number % 5000 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(client.receive().unwrap(), Value::bulk(&value));
        assert_eq!(client.receive().unwrap(), Value::bulk(number.to_string()));
    }
    server.stop();
}

#[test]
fn what_was_sent_before_the_end_is_done_and_answered() {
    let server = Server::with_shards(2);
    let mut client = server.client();
    let mut bytes = Vec::new();
    (0..10_000).for_each(|number| encode_line(&format!("SET last:{number} x"), &mut bytes));
    client.send_raw(&bytes).unwrap();
    client.finish_sending().unwrap();
    let replies = client.receive_to_end().unwrap();
    assert_eq!(replies.len(), 10_000 * b"+OK\r\n".len());
    assert_eq!(server.client().ask("DBSIZE"), Value::Integer(10_000));
    server.stop();
}

#[test]
fn a_large_reply_comes_whole_after_the_end_of_input() {
    let server = Server::with_shards(2);
    let value = vec![b'v'; 20 << 20];
    for shard in 0..2 {
        let key = key_on(shard, 2, "whole");
        let mut client = server.client();
        assert_eq!(client.call(&[b"SET", key.as_bytes(), &value]).unwrap(), Value::ok());
        let mut bytes = Vec::new();
        encode_line(&format!("GET {key}"), &mut bytes);
        encode_line("ECHO end", &mut bytes);
        client.send_raw(&bytes).unwrap();
        client.finish_sending().unwrap();
        // The server has seen the end long before the reply fits into the sockets' buffers.
        std::thread::sleep(Duration::from_millis(50));
        assert!(client.receive().unwrap() == Value::bulk(&value));
        assert_eq!(client.receive().unwrap(), Value::bulk("end"));
        assert!(client.receive_to_end().unwrap().is_empty());
        // One that goes without having read does not stay either.
        let mut gone = server.client();
        gone.send_raw(&bytes).unwrap();
        gone.finish_sending().unwrap();
        drop(gone);
    }
    let mut client = server.client();
    wait_until("all others are gone", || {
        client.ask("INFO clients").text().contains("connected_clients:1\r\n")
    });
    server.stop();
}
