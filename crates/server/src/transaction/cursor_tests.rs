//! SCAN: one cursor over all shards, on servers of several sizes.

use std::collections::BTreeSet;

use resp::Value;

use crate::fixture::{Fixture, FixtureClient};

/// The cursor and the keys of the first reply in `text`, and what follows it.
fn page(text: &str) -> (String, Vec<String>, &str) {
    let (value, len) = Value::parse(text.as_bytes()).expect("a reply").expect("a whole one");
    let parts = value.as_array().unwrap_or_else(|| panic!("{text}"));
    let keys = parts[1].as_array().expect("keys").iter();
    let keys = keys.map(|key| key.as_str().expect("a key").to_owned()).collect();
    (parts[0].as_str().expect("a cursor").to_owned(), keys, &text[len..])
}

/// The keys of the first reply in `text`, which is the whole walk, and what follows it.
fn whole(text: &str) -> (BTreeSet<String>, &str) {
    let (cursor, keys, rest) = page(text);
    assert_eq!(cursor, "0", "there is nothing more: {text}");
    let count = keys.len();
    let keys: BTreeSet<String> = keys.into_iter().collect();
    assert_eq!(keys.len(), count, "no key came twice: {text}");
    (keys, rest)
}

fn set_all(server: &mut Fixture, client: FixtureClient, keys: impl Iterator<Item = String>) {
    let text: String = keys.map(|key| format!("SET {key} v\r\n")).collect();
    let replies = server.send(client, text.as_bytes());
    assert!(replies.replace("+OK\r\n", "").is_empty(), "{replies}");
}

fn names(begin: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("{begin}{number}")).collect()
}

/// What a client sees that keeps numbers as doubles: the keys in the order in which they came, and
/// how many calls it took. `between` runs before every call but the first.
fn walk(
    server: &mut Fixture,
    client: FixtureClient,
    options: &str,
    mut between: impl FnMut(&mut Fixture, usize),
) -> (Vec<String>, usize) {
    let (mut cursor, mut seen) = (0_f64, Vec::new());
    for call in 1..10_000 {
        let reply = server.ask(client, &format!("SCAN {cursor:.0} {options}"));
        let (next, keys, rest) = page(&reply);
        assert_eq!(rest, "");
        seen.extend(keys);
        cursor = next.parse().expect("a number");
        if cursor == 0.0 {
            return (seen, call);
        }
        between(server, call);
    }
    panic!("the walk does not end: at {cursor}");
}

#[test]
fn few_keys_are_one_call_wherever_they_live() {
    for shards in [1, 2, 4, 8, 64] {
        for home in [0, shards - 1] {
            for begin in ["key:", "{tag}"] {
                let mut server = Fixture::new(shards);
                let client = server.connect(home);
                assert_eq!(server.ask(client, "SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
                let keys = names(begin, 9);
                set_all(&mut server, client, keys.iter().cloned());
                assert_eq!(whole(&server.ask(client, "SCAN 0")), (keys.clone(), ""));
                set_all(&mut server, client, names(begin, 40).into_iter());
                let reply = server.ask(client, "SCAN 0 COUNT 100");
                // How many shards are before those that hold them is not told to these.
                if shards <= 4 || begin == "key:" {
                    assert_eq!(whole(&reply).0.len(), 40, "{shards} shards, {begin}");
                }
                server.ask(client, "FLUSHALL");
                assert_eq!(server.ask(client, "SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
            }
        }
    }
}

#[test]
fn a_client_that_keeps_numbers_as_doubles_sees_all_keys() {
    for shards in [1, 2, 5, 8] {
        for (begin, count) in [("key:", 2000), ("{tag}", 500), ("k", 130)] {
            for asked in [7, 100, 999] {
                let mut server = Fixture::new(shards);
                let client = server.connect(shards - 1);
                let keys = names(begin, count);
                set_all(&mut server, client, keys.iter().cloned());
                let (seen, calls) = walk(&mut server, client, &format!("COUNT {asked}"), |_, _| {});
                let came = seen.len();
                assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), keys);
                assert_eq!(came, count, "each came once");
                // A page may be shorter than was asked for where a shard begins or ends.
                let most = count / asked + 1 + 2 * shards;
                assert!(calls <= most, "{shards} shards, COUNT {asked}: {calls} calls");
            }
        }
    }
}

#[test]
fn what_is_there_from_the_first_call_to_the_last_is_seen() {
    for shards in [1, 3, 8] {
        let mut server = Fixture::new(shards);
        let client = server.connect(0);
        let keys = names("stays:", 300);
        set_all(&mut server, client, keys.iter().cloned());
        set_all(&mut server, client, names("goes:", 300).into_iter());
        let (seen, _) = walk(&mut server, client, "COUNT 20", |server, call| {
            // Half of the time shards grow, and their tables, then nearly all of that goes.
            if call <= 10 {
                let more = (0..400).map(|number| format!("comes:{call}:{number}"));
                set_all(server, client, more);
            } else if call <= 20 {
                let gone: Vec<String> =
                    (0..400).map(|number| format!("comes:{}:{number}", call - 10)).collect();
                server.ask(client, &format!("DEL {} goes:{call}", gone.join(" ")));
            }
        });
        let stay = seen.into_iter().filter(|key| key.starts_with("stays:"));
        assert_eq!(stay.collect::<BTreeSet<_>>(), keys, "{shards} shards");
    }
}

#[test]
fn shards_that_fill_while_others_are_walked_end_the_page_and_are_not_passed_over() {
    let mut server = Fixture::new(4);
    let client = server.connect(1);
    set_all(&mut server, client, names("key:", 60).into_iter());
    let (seen, _) = walk(&mut server, client, "COUNT 25", |server, call| {
        if call == 1 {
            set_all(server, client, names("more:", 2000).into_iter());
        }
    });
    let seen: BTreeSet<String> = seen.into_iter().collect();
    assert!(names("key:", 60).is_subset(&seen));
}

#[test]
fn options_are_those_of_every_shard() {
    for shards in [1, 4] {
        let mut server = Fixture::new(shards);
        let client = server.connect(0);
        set_all(&mut server, client, names("key:", 30).into_iter());
        server.ask(client, "SETBIT bits 1 1");
        for protocol in ["HELLO 2", "HELLO 3"] {
            server.ask(client, protocol);
            let found = |server: &mut Fixture, line: &str| whole(&server.ask(client, line)).0;
            assert_eq!(found(&mut server, "SCAN 0 MATCH key:2* COUNT 100").len(), 11);
            assert_eq!(found(&mut server, "SCAN 0 COUNT 100 TYPE hash").len(), 0);
            assert_eq!(found(&mut server, "SCAN 0 COUNT 100 TYPE string MATCH b*").len(), 1);
        }
        let error = "-ERR value is not an integer or out of range\r\n";
        assert_eq!(server.ask(client, "SCAN 0 COUNT x"), error);
        assert_eq!(server.ask(client, "SCAN x"), "-ERR invalid cursor\r\n");
        assert_eq!(server.ask(client, "SCAN 9007199254740991"), "*2\r\n$1\r\n0\r\n*0\r\n");
    }
}

#[test]
fn a_page_is_a_reply_like_any_in_a_pipeline_and_in_a_transaction() {
    for shards in [1, 2, 5, 8] {
        for protocol in ["HELLO 2", "HELLO 3"] {
            let mut server = Fixture::new(shards);
            let client = server.connect(shards - 1);
            server.ask(client, protocol);
            let keys = names("k", 5);
            set_all(&mut server, client, keys.iter().cloned());

            let text = b"SET k5 v\r\nSCAN 0\r\nDEL k5\r\nSCAN 0\r\nGET k0\r\n";
            let reply = server.send(client, text);
            let (seen, rest) = whole(reply.strip_prefix("+OK\r\n").expect("SET is first"));
            assert_eq!(seen, names("k", 6), "what it sees is what was sent before it");
            let (seen, rest) = whole(rest.strip_prefix(":1\r\n").expect("then DEL"));
            assert_eq!((seen, rest), (keys.clone(), "$1\r\nv\r\n"));

            // With a command that holds its keys, and without.
            for (line, answer) in [("RENAME k0 k9", "+OK\r\n"), ("GET k9", "$1\r\nv\r\n")] {
                let text = format!("MULTI\r\n{line}\r\nSCAN 0\r\nDBSIZE\r\nEXEC\r\n");
                let reply = server.send(client, text.as_bytes());
                let begin = format!("+OK\r\n{}*3\r\n{answer}", "+QUEUED\r\n".repeat(3));
                let replies = reply.strip_prefix(&begin).unwrap_or_else(|| panic!("{reply}"));
                let (seen, rest) = whole(replies);
                assert!(seen.contains("k9") && seen.len() == 5, "{reply}");
                assert_eq!(rest, ":5\r\n");
            }
        }
    }
}
