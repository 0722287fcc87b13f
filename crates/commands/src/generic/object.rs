//! What a key holds, and how: TYPE, OBJECT.
//!
//! None of these counts as a use of the key.

use datatypes::string::stored_encoding;
use datatypes::{Object, ObjectType};
use keyspace::AccessClock;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::{PayloadRef, Record};

use crate::{ShardCommand, ShardContext};

const KEY: &[Argument] = &[Argument::key("key")];
const TIPS: &[&str] = &["nondeterministic_output"];

/// `TYPE key`: the type of the key's value, `none` if there is no such key.
pub(super) const TYPE: ShardCommand = ShardCommand::new(
    Spec::new("type", Arity::exactly(2), Group::Generic, "1.0.0")
        .about("The type of a key's value.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(KEY)
        .reply(Reply::SIMPLE),
    |shard, arguments, reply| {
        let found = shard.peek(&arguments[1]);
        reply.simple(found.map_or("none", |record| type_name(record.payload())));
        Ok(())
    },
);

/// The word that TYPE replies.
pub(super) fn type_name(payload: PayloadRef<'_, Object>) -> &'static str {
    match payload {
        PayloadRef::Bytes(_) | PayloadRef::Int(_) => ObjectType::String.name(),
        PayloadRef::Object(object) => object.type_name(),
    }
}

/// The word that OBJECT ENCODING replies.
pub(super) fn encoding(record: Record<'_, Object>) -> &'static str {
    match (stored_encoding(record.payload(), record.is_raw()), record.payload()) {
        (Some(encoding), _) => encoding.name(),
        (None, PayloadRef::Object(object)) => object.encoding(),
        (None, PayloadRef::Bytes(_) | PayloadRef::Int(_)) => {
            unreachable!("what is embedded is a string")
        }
    }
}

/// `OBJECT`: the container.
pub(super) const OBJECT: Spec = Spec::new("object", Arity::at_least(2), Group::Generic, "2.2.3")
    .about("Commands about the inside of values.", "Depends on subcommand.");

const KEYS: &[KeySpec] = &[KeySpec::one(2, KeyFlags::RO)];

const fn subcommand(name: &'static str, since: &'static str) -> Spec {
    Spec::new(name, Arity::exactly(3), Group::Generic, since)
        .flags(Flags::READONLY)
        .keys(KEYS)
        .arguments(KEY)
        .tips(TIPS)
}

/// `OBJECT ENCODING key`: how the value is stored, in Redis' words. Null without the key.
pub(super) const OBJECT_ENCODING: ShardCommand = ShardCommand::new(
    subcommand("object|encoding", "2.2.3")
        .about("How a value is stored.", "O(1)")
        .reply(Reply::BULK.or(Reply::NULL)),
    |shard, arguments, reply| {
        ask(shard, arguments, reply, |record, _, reply| {
            reply.bulk(encoding(record).as_bytes());
            Ok(())
        })
    },
);

/// `OBJECT FREQ key`: the logarithmic counter of uses, under an LFU policy. Null without the key.
pub(super) const OBJECT_FREQ: ShardCommand = ShardCommand::new(
    subcommand("object|freq", "4.0.0")
        .about("How often a key is used, on a logarithmic scale.", "O(1)")
        .reply(Reply::INTEGER.or(Reply::NULL)),
    |shard, arguments, reply| {
        ask(shard, arguments, reply, |record, clock, reply| {
            if !clock.is_lfu() {
                return Err(CommandError::FrequencyNotTracked);
            }
            reply.integer(i64::from(clock.frequency(record.access())));
            Ok(())
        })
    },
);

/// `OBJECT IDLETIME key`: seconds since it was last used, under any policy but LFU. Null without
/// the key.
pub(super) const OBJECT_IDLETIME: ShardCommand = ShardCommand::new(
    subcommand("object|idletime", "2.2.3")
        .about("The seconds since a key was used.", "O(1)")
        .reply(Reply::INTEGER.or(Reply::NULL)),
    |shard, arguments, reply| {
        ask(shard, arguments, reply, |record, clock, reply| {
            if clock.is_lfu() {
                return Err(CommandError::IdleTimeNotTracked);
            }
            reply.integer(i64::from(clock.idle_seconds(record.access())));
            Ok(())
        })
    },
);

/// Integers that Redis shares between keys (`OBJ_SHARED_INTEGERS`), and the reference count that it
/// then shows (`OBJ_SHARED_REFCOUNT`, the largest `int`).
const SHARED_INTEGERS: i64 = 10_000;
const SHARED_REFERENCES: i64 = i32::MAX as i64;

/// `OBJECT REFCOUNT key`: how many references there are to the value: one, but clients of Redis may
/// look for the small integers that it shares. Null without the key.
pub(super) const OBJECT_REFCOUNT: ShardCommand = ShardCommand::new(
    subcommand("object|refcount", "2.2.3")
        .about("The number of references to a value.", "O(1)")
        .reply(Reply::INTEGER.or(Reply::NULL)),
    |shard, arguments, reply| {
        let may_share = shard.keyspace.settings().integers_shared;
        ask(shard, arguments, reply, |record, _, reply| {
            let shared =
                may_share && matches!(record.payload(), PayloadRef::Int(0..SHARED_INTEGERS));
            reply.integer(if shared { SHARED_REFERENCES } else { 1 });
            Ok(())
        })
    },
);

/// Replies what `tell` makes of the record of the key, null if there is none.
fn ask(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
    tell: impl FnOnce(Record<'_, Object>, AccessClock, &mut Writer<'_>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let clock = shard.keyspace.clock();
    let (keyspace, mut step) = shard.step_in(shard.db);
    match keyspace.read(&mut step, &arguments[2], false) {
        Some(record) => tell(record, clock, reply)?,
        None => reply.null(),
    }
    Ok(())
}

/// `OBJECT HELP`: the subcommands.
pub(super) const OBJECT_HELP: ShardCommand = ShardCommand::new(
    Spec::new("object|help", Arity::exactly(2), Group::Generic, "6.2.0")
        .about("The subcommands of OBJECT.", "O(1)")
        .flags(Flags::LOADING.with(Flags::STALE))
        .reply(Reply::ARRAY),
    |_, _, reply| {
        reply.array(HELP.len());
        HELP.iter().for_each(|line| reply.simple(line));
        Ok(())
    },
);

const HELP: [&str; 11] = [
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    How the value of <key> is stored.",
    "FREQ <key>",
    "    How often <key> is used, as counted under an LFU maxmemory policy.",
    "IDLETIME <key>",
    "    The seconds since <key> was last used.",
    "REFCOUNT <key>",
    "    The number of references to the value of <key>.",
    "HELP",
    "    Print this help.",
];

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;
    use keyspace::{EvictionPolicy, Settings};

    #[test]
    fn types_and_encodings() {
        let mut shard = Fixture::new();
        let long = "x".repeat(45);
        shard.expect(&[
            ("TYPE a", "+none\r\n"),
            ("OBJECT ENCODING a", "$-1\r\n"),
            ("SET a 12", "+OK\r\n"),
            ("TYPE a", "+string\r\n"),
            ("OBJECT ENCODING a", "$3\r\nint\r\n"),
            ("OBJECT REFCOUNT a", ":2147483647\r\n"),
            ("SET a 10000", "+OK\r\n"),
            ("OBJECT REFCOUNT a", ":1\r\n"),
            ("SET a abc", "+OK\r\n"),
            ("object encoding a", "$6\r\nembstr\r\n"),
            ("APPEND a d", ":4\r\n"),
            ("OBJECT ENCODING a", "$3\r\nraw\r\n"),
        ]);
        shard.run(&format!("SET a {long}"));
        shard.expect(&[("OBJECT ENCODING a", "$3\r\nraw\r\n")]);
        let huge = "x".repeat(5000);
        shard.run(&format!("SET a {huge}"));
        shard.expect(&[("OBJECT ENCODING a", "$3\r\nraw\r\n"), ("TYPE a", "+string\r\n")]);
    }

    #[test]
    fn idle_time_or_frequency_by_policy() {
        let mut shard = Fixture::new();
        shard.run("SET a 1");
        shard.advance(7_500);
        shard.expect(&[
            ("OBJECT IDLETIME a", ":7\r\n"),
            ("TTL a", ":-1\r\n"),
            ("OBJECT IDLETIME a", ":7\r\n"),
            ("GET a", "$1\r\n1\r\n"),
            ("OBJECT IDLETIME a", ":0\r\n"),
            ("OBJECT IDLETIME b", "$-1\r\n"),
        ]);
        assert!(shard.run("OBJECT FREQ a").starts_with("-ERR An LFU maxmemory policy is not sel"));
        let settings = Settings { eviction: EvictionPolicy::AllkeysLfu, ..Settings::default() };
        shard.keyspace.configure(settings);
        shard.run("SET b 1");
        shard.expect(&[("OBJECT FREQ b", ":5\r\n"), ("OBJECT FREQ c", "$-1\r\n")]);
        assert!(shard.run("OBJECT IDLETIME b").starts_with("-ERR An LFU maxmemory policy is sel"));
        shard.advance(3 * 60_000);
        shard.expect(&[("OBJECT FREQ b", ":2\r\n")]);
    }

    #[test]
    fn help_and_arity() {
        let mut shard = Fixture::new();
        assert!(shard.run("OBJECT HELP").starts_with("*11\r\n+OBJECT <subcommand>"));
        let arity = "-ERR wrong number of arguments for 'object|encoding' command\r\n";
        shard.expect(&[("OBJECT ENCODING", arity)]);
    }
}
