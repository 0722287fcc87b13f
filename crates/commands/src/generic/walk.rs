//! Walks over the keys of a database: SCAN, KEYS, RANDOMKEY, DBSIZE.

use datatypes::{Case, Object, glob_matches};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Protocol, Writer};
use spec::{Argument, Arity, Categories, Flags, Group, Reply, Spec};
use table::Record;

use super::object::type_name;
use crate::cursor::{cursor_after, cursor_position, parse_cursor, shards_of};
use crate::{Across, Merge, ShardCommand, ShardContext};

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`: some keys, and the cursor to go on
/// with. Begins with 0 and ends when 0 comes back. Keys that are there all the while are replied;
/// others perhaps. COUNT is how many are looked at, not how many are replied.
///
/// Where several shards run it each replies COUNT, how much of that it used (all of it if there is
/// more), and its own page, for the merge to string together.
pub(super) const SCAN: ShardCommand = ShardCommand::new(
    Spec::new("scan", Arity::at_least(2), Group::Generic, "2.8.0")
        .everything()
        .about(
            "Goes through the keys of the database, some at a time.",
            "O(1) for every call. O(N) for all calls of a walk, N being the number of keys.",
        )
        .flags(Flags::READONLY)
        .arguments(&[
            Argument::integer("cursor"),
            Argument::pattern("pattern").token("MATCH").optional(),
            Argument::integer("count").token("COUNT").optional(),
            Argument::string("type").token("TYPE").optional().since("6.0.0"),
        ])
        .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
        .reply(Reply::ARRAY)
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
    scan,
)
.across(Across::Cursor { merge: Merge::Pages });

/// Keys looked at by a call that does not say how many.
const SCAN_COUNT_DEFAULT: usize = 10;

/// How many times what was asked for the shards before one may hold, if all are like it, for it to
/// look at as many keys as were asked for. Shards differ: with fewer, pages would be short of keys.
const CROWD: usize = 4;

/// More keys than any shard has, and few enough to be multiplied.
const LOOKED_AT_MAX: usize = 1 << 48;

/// The options of SCAN.
struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    type_name: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(words: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: SCAN_COUNT_DEFAULT, type_name: None };
        let mut index = 0;
        while let Some(word) = words.get(index) {
            let value = words.get(index + 1).ok_or(CommandError::Syntax)?;
            if word.eq_ignore_ascii_case(b"COUNT") {
                let count = parse_i64(value).ok_or(CommandError::NotInteger)?;
                if count < 1 {
                    return Err(CommandError::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX).min(LOOKED_AT_MAX);
            } else if word.eq_ignore_ascii_case(b"MATCH") {
                options.pattern = Some(value).filter(|pattern| *pattern != b"*");
            } else if word.eq_ignore_ascii_case(b"TYPE") {
                options.type_name = Some(value);
            } else {
                return Err(CommandError::Syntax);
            }
            index += 2;
        }
        Ok(options)
    }

    fn admit(&self, record: Record<'_, Object>) -> bool {
        let of_type =
            |name: &[u8]| type_name(record.payload()).as_bytes().eq_ignore_ascii_case(name);
        self.type_name.is_none_or(of_type)
            && self.pattern.is_none_or(|it| glob_matches(it, record.key(), Case::Matters))
    }
}

/// A shard's part of a page.
struct Page {
    /// Where to go on, 0 if this shard is done.
    next: u64,
    /// How many keys were looked at; as many as were asked for if there are more.
    used: usize,
    /// How many keys are replied.
    found: usize,
    /// They, as replies.
    keys: Vec<u8>,
}

impl Page {
    const EMPTY: Self = Self { next: 0, used: 0, found: 0, keys: Vec::new() };

    fn gather(
        shard: &mut ShardContext<'_>,
        position: u64,
        budget: usize,
        options: &ScanOptions<'_>,
        protocol: Protocol,
    ) -> Self {
        let mut page = Self::EMPTY;
        let mut writer = Writer::new(&mut page.keys, protocol);
        let (keyspace, mut step) = shard.step_in(shard.db);
        page.next = keyspace.scan(&mut step, position, budget, |record| {
            page.used += 1;
            if options.admit(record) {
                page.found += 1;
                writer.bulk(record.key());
            }
        });
        if page.next != 0 {
            page.used = page.used.max(options.count);
        }
        page
    }
}

/// How many keys a shard looks at, `distance` shards after the one where the page begins.
///
/// What it finds is thrown away if it does not fit behind what those before it found. So it looks
/// at few if it has more than was asked for, which fits only where they are empty, or if they have
/// long filled the page provided that they hold as many each. The page then ends before it, or
/// within it, and the walk goes on there: a wrong guess makes a page shorter, and nothing else.
fn budget(count: usize, distance: usize, keys: usize) -> usize {
    let crowded = keys > count || keys.saturating_mul(distance) > count.saturating_mul(CROWD);
    if distance > 0 && crowded { count.min(SCAN_COUNT_DEFAULT) } else { count }
}

fn scan(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let cursor = parse_cursor(&arguments[1]).ok_or(CommandError::InvalidCursor)?;
    let options = ScanOptions::parse(arguments.from(2))?;
    let (place, keys) = (shard.shard, shard.keyspace.key_count(shard.db));
    let shards = shards_of(cursor, place.count);
    // A shard that follows the one that the cursor names begins at its own beginning: so does that
    // one.
    let position = cursor_position(cursor).filter(|_| shards.contains(&place.index));
    let (page, next) = match position {
        Some(position) => {
            let budget = budget(options.count, place.index - shards.start, keys);
            let page = Page::gather(shard, position, budget, &options, reply.protocol());
            let next = cursor_after(place, page.next);
            (page, next)
        }
        // No cursor of this server: there is nothing after it.
        None => (Page::EMPTY, 0),
    };
    if shards.len() > 1 {
        reply.array(4);
        reply.count(options.count);
        reply.count(page.used);
    } else {
        reply.array(2);
    }
    reply.bulk(next.to_string().as_bytes());
    reply.array(page.found);
    reply.raw(&page.keys);
    Ok(())
}

/// `KEYS pattern`: all keys that match. Takes as long as there are keys: SCAN does not.
pub(super) const KEYS: ShardCommand = ShardCommand::new(
    Spec::new("keys", Arity::exactly(2), Group::Generic, "1.0.0")
        .everything()
        .about("All keys that match a pattern.", "O(N) with N being the number of keys.")
        .flags(Flags::READONLY)
        .categories(Categories::DANGEROUS)
        .arguments(&[Argument::pattern("pattern")])
        .reply(Reply::ARRAY)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    keys,
)
.across(Across::Everywhere { merge: Merge::Concatenate });

fn keys(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let pattern = &arguments[1];
    let all = pattern == b"*";
    let begun = reply.deferred();
    let mut found = 0;
    let (keyspace, mut step) = shard.step_in(shard.db);
    let mut position = 0;
    loop {
        position = keyspace.scan(&mut step, position, LOOKED_AT_MAX, |record| {
            if all || glob_matches(pattern, record.key(), Case::Matters) {
                found += 1;
                reply.bulk(record.key());
            }
        });
        if position == 0 {
            break;
        }
    }
    reply.end_array(begun, found);
    Ok(())
}

/// `RANDOMKEY`: some key, each as likely as the next; null if there is none.
///
/// With several shards each replies the number of its keys and one of them, for the merge to
/// choose.
pub(super) const RANDOMKEY: ShardCommand = ShardCommand::new(
    Spec::new("randomkey", Arity::exactly(1), Group::Generic, "1.0.0")
        .everything()
        .about("A random key of the database.", "O(1)")
        .flags(Flags::READONLY)
        .reply(Reply::BULK.or(Reply::NULL))
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    randomkey,
)
.across(Across::Everywhere { merge: Merge::RandomKey });

fn randomkey(
    shard: &mut ShardContext<'_>,
    _arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (db, shards) = (shard.db, shard.shard.count);
    let (keyspace, mut step) = shard.step_in(db);
    let key = keyspace.random_key(&mut step);
    if shards > 1 {
        reply.array(2);
        reply.count(keyspace.key_count(db));
    }
    match key {
        Some(key) => reply.bulk(&key),
        None => reply.null(),
    }
    Ok(())
}

/// `DBSIZE`: how many keys the database has, those past their moment that are not gone yet
/// included.
pub(super) const DBSIZE: ShardCommand = ShardCommand::new(
    Spec::new("dbsize", Arity::exactly(1), Group::Server, "1.0.0")
        .everything()
        .about("The number of keys in the database.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .categories(Categories::KEYSPACE)
        .reply(Reply::INTEGER)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    dbsize,
)
.across(Across::Everywhere { merge: Merge::Sum });

fn dbsize(
    shard: &mut ShardContext<'_>,
    _arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    reply.count(shard.keyspace.key_count(shard.db));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::budget;
    use crate::ShardPlace;
    use crate::fixture::Fixture;
    use resp::Value;

    /// Walks to the end and returns all keys seen, which must not repeat.
    fn scan_all(shard: &mut Fixture, options: &str) -> BTreeSet<String> {
        let (mut cursor, mut seen) = (String::from("0"), BTreeSet::new());
        loop {
            let reply = shard.run(&format!("SCAN {cursor}{options}"));
            let (value, _) = Value::parse(reply.as_bytes()).expect("a reply").expect("whole");
            let parts = value.as_array().expect("an array");
            for key in parts[1].as_array().expect("keys") {
                let new = seen.insert(key.as_str().expect("text").to_owned());
                assert!(new, "a key came twice");
            }
            cursor = parts[0].as_str().expect("a cursor").to_owned();
            if cursor == "0" {
                return seen;
            }
        }
    }

    #[test]
    fn scan_sees_each_key_once() {
        let mut shard = Fixture::new();
        let keys: BTreeSet<String> = (0..500).map(|number| format!("key:{number}")).collect();
        for key in &keys {
            shard.run(&format!("SET {key} 1"));
        }
        assert_eq!(scan_all(&mut shard, ""), keys);
        assert_eq!(scan_all(&mut shard, " COUNT 1000"), keys);
        assert_eq!(scan_all(&mut shard, " COUNT 9223372036854775807"), keys);
        let tens = scan_all(&mut shard, " MATCH key:?0 COUNT 7");
        assert_eq!(tens.len(), 9);
        assert_eq!(scan_all(&mut shard, " TYPE STRING").len(), 500);
        assert_eq!(scan_all(&mut shard, " type hash").len(), 0);
    }

    #[test]
    fn shards_of_one_page_say_what_they_used() {
        let mut shard = Fixture::new();
        shard.run("MSET a 1 b 2");
        shard.shard = ShardPlace { index: 1, count: 3 };
        let page = |used: &str, cursor: &str| {
            let (head, keys) = (format!("*4\r\n:{used}\r\n"), "*1\r\n$1\r\na\r\n");
            format!("{head}$1\r\n{cursor}\r\n{keys}")
        };
        assert_eq!(shard.run("SCAN 0 MATCH a"), page("10\r\n:2", "2"));
        assert_eq!(shard.run("SCAN 1 MATCH a COUNT 7"), page("7\r\n:2", "2"));
        assert_eq!(shard.run("SCAN 2"), "*2\r\n$1\r\n0\r\n*0\r\n", "another one's cursor");
        shard.shard.index = 2;
        assert_eq!(shard.run("SCAN 0 MATCH a"), page("10\r\n:2", "0"));
        for number in 0..500 {
            shard.run(&format!("SET key:{number} 1"));
        }
        shard.shard.index = 0;
        let more = shard.run("SCAN 0 MATCH nothing COUNT 20");
        let used: u64 = more.lines().nth(2).expect("used")[1..].parse().expect("a number");
        assert!(used >= 20 && more.ends_with("\r\n*0\r\n"), "{more}");
    }

    #[test]
    fn a_shard_that_follows_looks_at_few_keys_if_they_will_not_fit() {
        assert_eq!(budget(100, 0, 5000), 100, "where the page begins");
        assert_eq!(budget(100, 1, 101), 10, "fits behind empty shards only");
        assert_eq!(budget(100, 1, 100), 100);
        assert_eq!(budget(100, 8, 50), 100);
        assert_eq!(budget(100, 9, 50), 10, "the nine before it hold about as many each");
        assert_eq!(budget(7, 3, 8), 7);
        assert_eq!(budget(usize::MAX, usize::MAX, usize::MAX), usize::MAX);

        let mut shard = Fixture::new();
        for number in 0..500 {
            shard.run(&format!("SET key:{number} 1"));
        }
        shard.shard = ShardPlace { index: 2, count: 3 };
        let reply = shard.run("SCAN 0 COUNT 200");
        let (value, _) = Value::parse(reply.as_bytes()).expect("a reply").expect("whole");
        let parts = value.as_array().expect("an array");
        assert!(parts[3].as_array().expect("keys").len() < 40, "{reply}");
        assert!(reply.starts_with("*4\r\n:200\r\n:200\r\n"), "there are more: {reply}");
        let cursor: u64 = parts[2].as_str().expect("a cursor").parse().expect("a number");
        assert!(cursor > 2 && cursor & 1023 == 2, "it goes on within: {cursor}");
    }

    #[test]
    fn scan_removes_keys_past_their_moment() {
        let mut shard = Fixture::new();
        for number in 0..10 {
            shard.run(&format!("SET old:{number} 1 PX 5"));
            shard.run(&format!("SET new:{number} 1"));
        }
        shard.advance(6);
        shard.expect(&[("DBSIZE", ":20\r\n")]);
        assert_eq!(scan_all(&mut shard, "").len(), 10);
        shard.expect(&[("DBSIZE", ":10\r\n")]);
    }

    #[test]
    fn scan_refuses_what_redis_refuses() {
        let mut shard = Fixture::new();
        let empty = "*2\r\n$1\r\n0\r\n*0\r\n";
        shard.expect(&[
            ("SCAN a", "-ERR invalid cursor\r\n"),
            ("SCAN 18446744073709551616", "-ERR invalid cursor\r\n"),
            ("SCAN 18446744073709551615", empty),
            ("SCAN -1", empty),
            ("SCAN 00", empty),
            ("SCAN 5", empty),
            ("SCAN 0 COUNT", "-ERR syntax error\r\n"),
            ("SCAN 0 COUNT 0", "-ERR syntax error\r\n"),
            ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n"),
            ("SCAN 0 WHAT 1", "-ERR syntax error\r\n"),
            ("SCAN 0 TYPE nosuchtype", empty),
        ]);
    }

    #[test]
    fn keys_match_a_pattern() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("KEYS *", "*0\r\n"),
            ("MSET one 1 two 2 three 3", "+OK\r\n"),
            ("KEYS o*", "*1\r\n$3\r\none\r\n"),
            ("KEYS t[gh]*", "*1\r\n$5\r\nthree\r\n"),
            ("KEYS O*", "*0\r\n"),
            ("PEXPIRE one 1", ":1\r\n"),
        ]);
        shard.advance(2);
        shard.expect(&[("KEYS o*", "*0\r\n")]);
        assert!(shard.run("KEYS *").starts_with("*2\r\n"));
    }

    #[test]
    fn random_keys_are_live() {
        let mut shard = Fixture::new();
        shard.expect(&[("RANDOMKEY", "$-1\r\n"), ("MSET a 1 b 2", "+OK\r\n")]);
        let seen: BTreeSet<String> = (0..100).map(|_| shard.run("RANDOMKEY")).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["$1\r\na\r\n", "$1\r\nb\r\n"]);
        shard.run("PEXPIRE a 1");
        shard.advance(2);
        assert!((0..20).all(|_| shard.run("RANDOMKEY") == "$1\r\nb\r\n"));
        shard.run("PEXPIRE b 1");
        shard.advance(2);
        shard.expect(&[("RANDOMKEY", "$-1\r\n"), ("DBSIZE", ":0\r\n")]);
        shard.run("SET c 1");
        shard.shard.count = 2;
        shard.expect(&[("RANDOMKEY", "*2\r\n:1\r\n$1\r\nc\r\n")]);
    }
}
