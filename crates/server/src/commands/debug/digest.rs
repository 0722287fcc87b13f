//! DEBUG DIGEST and DIGEST-VALUE: 160 bits that say whether two data sets, or two values, are
//! equal.
//!
//! A data set's digest is the sum, bit by bit without carry, of the digests of its keys, each of
//! which takes in its database, name, value, and whether it expires. So it does not depend on the
//! order of keys, nor on the shard they live on, and no keys are 160 zeros. It is not Redis' digest
//! (which is made with SHA-1) and it is no protection against who would forge one.

use std::fmt::Write;

use datatypes::{Cursor, Element, Object, ObjectType};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Reply, shard_of_slot, slot_of};
use table::{PayloadRef, Record};

use super::spec;
use crate::commands::{Context, SessionCommand, Then};
use crate::core::Core;
use crate::message::gathering::Question;

/// Five times 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest([u32; 5]);

/// One odd multiplier for each of the five: the first digits of the square roots of 2, 3, 5, 7, 11
/// in base 2^32, the last bit set.
const MULTIPLIERS: [u32; 5] = [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F373, 0xA54F_F53B, 0x510E_527F];

impl Digest {
    /// The digest of these parts: each is told from the next by its length.
    fn of(parts: &[&[u8]]) -> Self {
        let mut lanes = MULTIPLIERS;
        for part in parts {
            for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
                for (lane, multiplier) in lanes.iter_mut().zip(MULTIPLIERS) {
                    *lane = (*lane ^ u32::from(*byte)).wrapping_mul(multiplier).rotate_left(13);
                }
            }
        }
        // Without these turns the last bytes would not reach all bits.
        for _ in 0..4 {
            for at in 0..lanes.len() {
                let next = lanes[(at + 1) % lanes.len()];
                lanes[at] = (lanes[at] ^ next >> 15).wrapping_mul(MULTIPLIERS[at]).rotate_left(11);
            }
        }
        Self(lanes)
    }

    fn add(&mut self, other: Self) {
        for (lane, theirs) in self.0.iter_mut().zip(other.0) {
            *lane ^= theirs;
        }
    }

    /// 40 hexadecimal digits.
    fn text(&self) -> String {
        self.0.iter().fold(String::with_capacity(40), |mut text, lane| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{lane:08x}");
            text
        })
    }
}

/// The digest of a value; `around` goes before it: what else is to count.
fn of_record(record: Record<'_, Object>, around: &[&[u8]]) -> Digest {
    let expires: &[u8] = if record.expiry().is_some() { b"expires" } else { b"" };
    let of = |value: &[&[u8]]| Digest::of(&[around, &[expires], value].concat());
    match record.payload() {
        PayloadRef::Bytes(bytes) => of(&[bytes]),
        PayloadRef::Int(integer) => of(&[integer.to_string().as_bytes()]),
        PayloadRef::Object(object) => match object.object_type() {
            ObjectType::String => of(&[object.as_string().map_or(&[], |string| string.as_slice())]),
            ObjectType::Set => {
                // In whatever order and encoding its members come.
                let mut all = of(&[b"set"]);
                object.elements(Cursor::default(), usize::MAX, |element| match element {
                    Element::Member(member) => all.add(of(&[b"member", &member.text()])),
                    Element::String(_) | Element::Item(_) => unreachable!("a set has members"),
                });
                all
            }
            ObjectType::List => {
                // In their order, whatever the encoding: each with its place.
                let (mut all, mut place) = (of(&[b"list"]), 0_u64);
                object.elements(Cursor::default(), usize::MAX, |element| match element {
                    Element::Item(item) => {
                        all.add(of(&[b"item", &place.to_le_bytes(), &item.text()]));
                        place += 1;
                    }
                    Element::String(_) | Element::Member(_) => unreachable!("a list has items"),
                });
                all
            }
        },
    }
}

/// `DEBUG DIGEST`: of all databases.
pub(super) const DIGEST: SessionCommand = SessionCommand {
    spec: spec("debug|digest", Arity::exactly(2), "A digest of all keys and values.")
        .reply(Reply::SIMPLE),
    run: digest,
};

fn digest(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(Then::Ask(Question::new(digest_of_shard, |_, parts, reply| {
        let mut all = Digest::default();
        parts.into_iter().for_each(|part| all.add(part));
        reply.simple(&all.text());
    })))
}

/// Records looked at in one call of a table's scan.
const SCAN_RECORDS: usize = 1024;

fn digest_of_shard(core: &mut Core) -> Digest {
    let keyspace = &core.shard.keyspace;
    let mut all = Digest::default();
    for db in 0..keyspace.database_count() {
        let Some(database) = keyspace.database(db) else { continue };
        let number = (db as u64).to_le_bytes();
        let mut position = 0;
        loop {
            position = database.table().scan(position, SCAN_RECORDS, |record| {
                all.add(of_record(record, &[&number, record.key()]));
            });
            if position == 0 {
                break;
            }
        }
    }
    all
}

/// `DEBUG DIGEST-VALUE key [key ...]`: of each key's value; zeros where there is none.
pub(super) const DIGEST_VALUE: SessionCommand = SessionCommand {
    spec: spec("debug|digest-value", Arity::at_least(2), "Digests of the values of keys.")
        .arguments(&[Argument::string("key").optional().multiple()])
        .reply(Reply::ARRAY),
    run: digest_value,
};

fn digest_value(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let db = context.session().client.db as usize;
    let shards = context.core.mail.shards();
    let keys: Vec<Box<[u8]>> = arguments.from(2).iter().map(Box::from).collect();
    let count = keys.len();
    Ok(Then::Ask(Question::new(
        move |core| -> Vec<(usize, Digest)> {
            let table = core.shard.keyspace.database(db).map(|database| database.table());
            let found = keys.iter().enumerate().filter_map(|(at, key)| {
                let own = shard_of_slot(slot_of(key), shards) == core.mail.shard;
                let table = table.filter(|_| own)?;
                let record = table.find(table.hash(key), key)?;
                Some((at, of_record(record, &[])))
            });
            found.collect()
        },
        move |_, parts, reply| {
            let mut digests = vec![Digest::default(); count];
            for (at, digest) in parts.into_iter().flatten() {
                digests[at] = digest;
            }
            reply.array(count);
            digests.iter().for_each(|digest| reply.simple(&digest.text()));
        },
    )))
}

#[cfg(test)]
mod tests {
    use datatypes::set::{Limits, Set};
    use table::{Expiry, Hasher, Payload, Table};

    use super::*;
    use crate::commands::debug::tests::debuggable;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(Digest::of(&[b"ab", b"c"]), Digest::of(&[b"a", b"bc"]));
        assert_ne!(Digest::of(&[b"a"]), Digest::of(&[b"b"]));
        assert_eq!(Digest::default().text(), "0".repeat(40));
    }

    #[test]
    fn equal_data_has_equal_digests_on_any_number_of_shards() {
        let digest = |shards: usize, lines: &[&str]| {
            let mut server = debuggable(shards);
            let client = server.connect(0);
            for line in lines {
                server.ask(client, line);
            }
            server.ask(client, "DEBUG DIGEST")
        };
        let zeros = format!("+{}\r\n", "0".repeat(40));
        assert_eq!(digest(2, &[]), zeros);
        let lines = ["SET a 1", "SET b two", "SELECT 3", "SET a 1"];
        let one = digest(1, &lines);
        assert_ne!(one, zeros);
        assert_eq!(one, digest(3, &lines));
        assert_eq!(one, digest(2, &["SET b two", "SET a 0", "INCR a", "SELECT 3", "SET a 1"]));
        assert_ne!(one, digest(2, &["SET a 1", "SET b two", "SELECT 4", "SET a 1"]));
        assert_eq!(zeros, digest(2, &["SET a 1", "DEL a"]));
    }

    #[test]
    fn values_have_digests_of_their_own() {
        let mut server = debuggable(3);
        let client = server.connect(1);
        server.ask(client, "MSET a 1 b 1 c 2");
        let reply = server.ask(client, "DEBUG DIGEST-VALUE a b c none");
        let digests: Vec<&str> = reply.lines().skip(1).collect();
        let [a, b, c, none] = digests[..] else { panic!("four digests, not {reply}") };
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(none, format!("+{}", "0".repeat(40)));
    }

    #[test]
    fn a_set_has_the_digest_of_its_members_in_any_encoding() {
        let limits = |listpack_entries_max| Limits {
            intset_entries_max: 512,
            listpack_entries_max,
            listpack_value_bytes_max: 64,
            hasher: Hasher::new(1),
        };
        let mut table: Table<Object> = Table::new(Hasher::new(1));
        let cases = [
            ("small", 128, ["a", "b", "1"]),
            ("large", 0, ["1", "a", "b"]),
            ("other", 0, ["1", "a", "c"]),
        ];
        for (key, entries_max, members) in cases {
            let mut set = Set::new(b"a", 1, &limits(entries_max));
            members.iter().for_each(|member| {
                set.insert(member.as_bytes(), &limits(entries_max));
            });
            let hash = table.hash(key.as_bytes());
            table.set(hash, key.as_bytes(), Payload::Object(Object::Set(set)), Expiry::Never);
        }
        let digest =
            |key: &[u8]| of_record(table.find(table.hash(key), key).expect("is there"), &[]);
        assert_eq!(digest(b"small"), digest(b"large"));
        assert_ne!(digest(b"large"), digest(b"other"));
    }
}
