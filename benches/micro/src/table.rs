//! Lookups and writes in the hash table. Keys are hashed beforehand, as the server hashes each key
//! once and hands the hash on; what that costs is a scenario of its own.

use std::hint::black_box;

use datatypes::Object;
use table::{Expiry, Hash, Hasher, Payload, PayloadRef, Table};

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::{VALUE_BYTES, keys};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "table/hash", what: "the hash of a 16-byte key", run: hash },
    Scenario { name: "table/find-hit", what: "one key of 10,000, and its value", run: find_hit },
    Scenario { name: "table/find-miss", what: "a key that is not there", run: find_miss },
    Scenario { name: "table/set-over", what: "another value of 64 bytes", run: set_over },
    Scenario {
        name: "table/set-longer",
        what: "a value that moves the record (8 to 64 bytes)",
        run: set_longer,
    },
    Scenario { name: "table/insert", what: "a new key, growth included", run: insert },
    Scenario { name: "table/remove", what: "a key goes", run: remove },
];

/// A seed like any other, so that all runs have the same buckets.
const SEED: u64 = 42;

const VALUE: [u8; VALUE_BYTES] = [b'v'; VALUE_BYTES];

/// Keys with their hashes.
type Hashed = Vec<(Hash, [u8; 16])>;

fn hashed(prefix: &str) -> Hashed {
    let hasher = Hasher::new(SEED);
    keys(prefix).into_iter().map(|key| (hasher.hash(&key), key)).collect()
}

/// A table of [`OPERATIONS`] keys, all with `value`.
fn filled(value: &[u8]) -> (Table<Object>, Hashed) {
    let (mut table, keys) = (Table::new(Hasher::new(SEED)), hashed("key"));
    for (hash, key) in &keys {
        table.set(*hash, key, Payload::Bytes(value), Expiry::Never);
    }
    assert_eq!(table.len(), OPERATIONS);
    (table, keys)
}

fn hash() {
    let (hasher, keys) = (Hasher::new(SEED), keys("key"));
    counted(&mut || {
        for key in &keys {
            black_box(hasher.hash(black_box(key)));
        }
    });
}

fn find_hit() {
    let (table, keys) = filled(&VALUE);
    let mut bytes = 0;
    counted(&mut || {
        for (hash, key) in &keys {
            if let Some(record) = table.find(*hash, key)
                && let PayloadRef::Bytes(value) = record.payload()
            {
                bytes += black_box(value).len();
            }
        }
    });
    assert_eq!(bytes, OPERATIONS * VALUE_BYTES);
}

fn find_miss() {
    let (table, keys) = (filled(&VALUE).0, hashed("not"));
    let mut found = 0;
    counted(&mut || {
        for (hash, key) in &keys {
            found += usize::from(table.find(*hash, key).is_some());
        }
    });
    assert_eq!(found, 0);
}

/// Sets every key once, to 64 bytes.
fn set_all(table: &mut Table<Object>, keys: &Hashed) {
    let mut replaced = 0;
    let before = table.len();
    counted(&mut || {
        for (hash, key) in keys {
            let payload = Payload::Bytes(black_box(&VALUE));
            let stored = table.set(*hash, key, payload, Expiry::Never);
            replaced += usize::from(stored.replaced.existed());
        }
    });
    assert_eq!((replaced, table.len()), (before, OPERATIONS));
}

fn set_over() {
    let (mut table, keys) = filled(&[b'o'; VALUE_BYTES]);
    set_all(&mut table, &keys);
}

fn set_longer() {
    let (mut table, keys) = filled(b"8 bytes.");
    set_all(&mut table, &keys);
}

fn insert() {
    set_all(&mut Table::new(Hasher::new(SEED)), &hashed("key"));
}

fn remove() {
    let (mut table, keys) = filled(&VALUE);
    counted(&mut || {
        for (hash, key) in &keys {
            black_box(table.remove(*hash, key));
        }
    });
    assert!(table.is_empty());
}
