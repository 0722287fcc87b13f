//! Every record of a segment is about one slot: what debug builds check before they write one.
//!
//! Recovery with another number of shards gives each record to the one shard that owns its slot.

use resp::Value;
use spec::{Spec, slot_of};

/// # Panics
/// If a record has keys of several slots: the command that logged it broke the contract of
/// `keyspace::Effects`.
pub(crate) fn check(record: &[u8]) {
    let slots = slots_of(record);
    assert!(slots.len() <= 1, "a record about several slots: {}", String::from_utf8_lossy(record));
}

/// The slots of a record's keys, each once; none if it is about no key, or no command of this
/// server's.
pub(crate) fn slots_of(record: &[u8]) -> Vec<u16> {
    let parsed = Value::parse(record).ok().flatten();
    let words = parsed.as_ref().and_then(|(value, _)| value.as_array()).unwrap_or(&[]);
    let words: Vec<&[u8]> = words.iter().filter_map(Value::as_bytes).collect();
    let Some(spec) = words.first().and_then(|name| spec_of(name)) else { return Vec::new() };
    let mut slots = Vec::new();
    let visited = spec.each_key(words.len(), &|at| words[at], &mut |at, _| {
        slots.push(slot_of(words[at]));
    });
    debug_assert!(visited.is_ok(), "the keys of what was logged can be found");
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// The description of a command, by its name in any case. Containers' subcommands are never logged.
fn spec_of(name: &[u8]) -> Option<&'static Spec> {
    let all = commands::FAMILIES.iter().flat_map(|family| family.iter());
    let found = all.copied().find(|it| name.eq_ignore_ascii_case(it.spec.name.as_bytes()));
    found.map(|command| &command.spec)
}

#[cfg(test)]
mod tests {
    use super::slots_of;

    #[test]
    fn slots_of_records() {
        let slots = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let mut bytes = format!("*{}\r\n", words.len());
            words.iter().for_each(|it| bytes.push_str(&format!("${}\r\n{it}\r\n", it.len())));
            slots_of(bytes.as_bytes()).len()
        };
        assert_eq!(slots("set a b"), 1);
        assert_eq!(slots("MSET a 1 {a}b 2"), 1);
        assert_eq!(slots("MSET a 1 b 2"), 2);
        assert_eq!(slots("RENAME a b"), 2);
        assert_eq!(slots("FLUSHALL"), 0);
        assert_eq!(slots("WHATEVER a b"), 0);
    }

    #[test]
    #[should_panic(expected = "a record about several slots")]
    fn no_record_is_about_several_slots() {
        super::check(b"*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nb\r\n");
    }
}
