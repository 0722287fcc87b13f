//! What a key costs: MEMORY USAGE, DEBUG OBJECT.

use datatypes::string::StringBytes;
use datatypes::{Cursor, Element, Object};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::{PayloadRef, Record};

use super::object::encoding;
use crate::{ShardCommand, ShardContext};

/// `MEMORY USAGE key [SAMPLES count]`: the bytes that the key takes: its record, its share of the
/// table, and what its value owns. Exact, so that SAMPLES is checked and not needed. Null without
/// the key.
pub(super) const MEMORY_USAGE: ShardCommand = ShardCommand::new(
    Spec::new("memory|usage", Arity::at_least(3), Group::Server, "4.0.0")
        .about("The bytes that a key and its value take.", "O(1)")
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(2, KeyFlags::RO)])
        .arguments(&[Argument::key("key"), Argument::integer("count").token("SAMPLES").optional()])
        .reply(Reply::INTEGER.or(Reply::NULL)),
    usage,
);

fn usage(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut index = 3;
    while let Some(word) = arguments.get(index) {
        let samples = arguments.get(index + 1).ok_or(CommandError::Syntax)?;
        if !word.eq_ignore_ascii_case(b"SAMPLES") {
            return Err(CommandError::Syntax);
        }
        if parse_i64(samples).ok_or(CommandError::NotInteger)? < 0 {
            return Err(CommandError::Syntax);
        }
        index += 2;
    }
    let (keyspace, mut step) = shard.step_in(shard.db);
    match keyspace.read(&mut step, &arguments[2], false) {
        Some(record) => reply.count(bytes(record)),
        None => reply.null(),
    }
    Ok(())
}

/// All bytes of a record.
fn bytes(record: Record<'_, Object>) -> usize {
    let owned = match record.payload() {
        PayloadRef::Object(object) => object.heap_bytes(),
        PayloadRef::Bytes(_) | PayloadRef::Int(_) => 0,
    };
    record.bytes() + owned
}

/// `DEBUG OBJECT key`: one line about the inside of a value, in the form that Redis' own suite
/// looks for.
pub(super) const DEBUG_OBJECT: ShardCommand = ShardCommand::new(
    Spec::new("debug|object", Arity::exactly(3), Group::Server, "1.0.0")
        .about("A line about the inside of a value.", "O(1)")
        .flags(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::DEBUGS))
        .keys(&[KeySpec::one(2, KeyFlags::RO)])
        .arguments(&[Argument::key("key")])
        .reply(Reply::SIMPLE),
    debug_object,
);

fn debug_object(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let clock = shard.keyspace.clock();
    let (keyspace, mut step) = shard.step_in(shard.db);
    let record = keyspace.find(&mut step, &arguments[2]).ok_or(CommandError::NoSuchKey)?;
    let access = record.access();
    let idle_seconds = if clock.is_lfu() { 0 } else { clock.idle_seconds(access) };
    // The address is the record's key's: where a value lives changes when it changes.
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{access} \
         lru_seconds_idle:{idle_seconds}",
        record.key().as_ptr(),
        encoding(record),
        serialized_bytes(record),
    );
    reply.simple(&line);
    Ok(())
}

/// The length of a string in an RDB file, uncompressed: a length in 1, 2, 5 or 9 bytes and the
/// bytes, or an integer of 8, 16 or 32 bits behind one byte. Of a collection: that of its elements,
/// each as if it stood alone; its packed encodings take somewhat less. O(length).
fn serialized_bytes(record: Record<'_, Object>) -> usize {
    if let PayloadRef::Int(integer) = record.payload() {
        if i8::try_from(integer).is_ok() {
            return 2;
        }
        if i16::try_from(integer).is_ok() {
            return 3;
        }
        if i32::try_from(integer).is_ok() {
            return 5;
        }
    }
    if let Some(bytes) = StringBytes::of(record.payload()) {
        return serialized_length_bytes(bytes.len()) + bytes.len();
    }
    let PayloadRef::Object(object) = record.payload() else {
        unreachable!("what is embedded is a string")
    };
    let mut bytes = serialized_length_bytes(object.len());
    object.elements(Cursor::default(), usize::MAX, |element| {
        let len = match element {
            Element::String(bytes) => bytes.len(),
            Element::Member(entry) | Element::Item(entry) => entry.text().len(),
        };
        bytes += serialized_length_bytes(len) + len;
    });
    bytes
}

/// What a length takes in an RDB file.
const fn serialized_length_bytes(len: usize) -> usize {
    match len {
        0..64 => 1,
        64..16_384 => 2,
        16_384..=0xffff_ffff => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    fn number(reply: &str) -> usize {
        reply.trim_start_matches(':').trim_end().parse().expect("an integer reply")
    }

    #[test]
    fn usage_grows_with_the_value() {
        let mut shard = Fixture::new();
        shard.run("SET small 1");
        shard.run(&format!("SET medium {}", "x".repeat(300)));
        shard.run(&format!("SET large {}", "x".repeat(100_000)));
        let small = number(&shard.run("MEMORY USAGE small"));
        let medium = number(&shard.run("MEMORY USAGE medium SAMPLES 0"));
        let large = number(&shard.run("MEMORY USAGE large SAMPLES 5 SAMPLES 7"));
        assert!((16..100).contains(&small), "{small}");
        assert!((300..400).contains(&medium), "{medium}");
        assert!((100_000..101_000).contains(&large), "{large}");
    }

    #[test]
    fn usage_refuses() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("MEMORY USAGE a", "$-1\r\n"),
            ("MEMORY USAGE a SAMPLES", "-ERR syntax error\r\n"),
            ("MEMORY USAGE a SAMPLES -1", "-ERR syntax error\r\n"),
            ("MEMORY USAGE a SAMPLES x", "-ERR value is not an integer or out of range\r\n"),
            ("MEMORY USAGE a WHAT 1", "-ERR syntax error\r\n"),
        ]);
    }

    #[test]
    fn debug_object_says_what_redis_says() {
        let mut shard = Fixture::new();
        shard.expect(&[("DEBUG OBJECT a", "-ERR no such key\r\n"), ("SET a abc", "+OK\r\n")]);
        shard.advance(3000);
        let line = shard.run("DEBUG OBJECT a");
        assert!(line.starts_with("+Value at:0x"), "{line}");
        assert!(line.contains(" refcount:1 encoding:embstr serializedlength:4 lru:"), "{line}");
        assert!(line.ends_with(" lru_seconds_idle:3\r\n"), "{line}");
        for (value, bytes) in [("5", 2), ("-129", 3), ("70000", 5), ("4294967296", 11)] {
            shard.run(&format!("SET a {value}"));
            let line = shard.run("DEBUG OBJECT a");
            assert!(line.contains(&format!("serializedlength:{bytes} ")), "{value} {line}");
        }
    }
}
