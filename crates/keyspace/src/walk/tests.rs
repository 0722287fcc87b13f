//! Walks while databases are emptied and exchanged under them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use datatypes::Object;
use table::{Expiry, Hasher, Payload, PayloadRef, Record};

use crate::{Effects, Keyspace, Settings, Step};

/// What the sinks have received: by the number that a database had at the beginning, and key, the
/// value.
type Walked = Rc<RefCell<BTreeMap<(usize, Vec<u8>), Vec<u8>>>>;

const KEYS: usize = 1000;

fn set(keyspace: &mut Keyspace, db: usize, key: &str, value: &str) {
    let mut effects = Effects::new();
    let mut step = Step { db, now_ms: 1, effects: &mut effects };
    keyspace.set(&mut step, key.as_bytes(), Payload::Bytes(value.as_bytes()), Expiry::Never);
}

/// A keyspace with [`KEYS`] keys in each of two of its databases, and a walk that has begun.
fn walking() -> (Keyspace, Walked) {
    let mut keyspace = Keyspace::new(4, Hasher::new(9), Settings::default());
    for db in [0, 1] {
        for number in 0..KEYS {
            set(&mut keyspace, db, &format!("key:{number}"), &format!("{db}:{number}"));
        }
    }
    let walked = Walked::default();
    let began = keyspace.begin_walk(|db| {
        let walked = Rc::clone(&walked);
        move |record: Record<'_, Object>| {
            let PayloadRef::Bytes(value) = record.payload() else { panic!("these are short") };
            let place = (db, record.key().to_vec());
            let earlier = walked.borrow_mut().insert(place, value.to_vec());
            assert!(earlier.is_none(), "handed over twice");
        }
    });
    assert!(began && !begin_idle(&mut keyspace), "one walk at a time");
    (keyspace, walked)
}

/// Begins a walk that keeps nothing.
fn begin_idle(keyspace: &mut Keyspace) -> bool {
    keyspace.begin_walk(|_| |_: Record<'_, Object>| {})
}

#[test]
fn it_survives_that_databases_are_emptied_and_exchanged() {
    for moment in 0..30 {
        let (mut keyspace, walked) = walking();
        let mut effects = Effects::new();
        for _ in 0..moment {
            assert!(keyspace.walk(50));
        }
        let before = walked.borrow().len();
        keyspace.swap(0, 1, &mut effects);
        keyspace.swap(1, 3, &mut effects);
        assert_eq!(keyspace.flush(3, &mut effects), KEYS);
        // New keys are none of the walk's, in a database that was there and in one that was not.
        for db in [0, 3] {
            set(&mut keyspace, db, "key:1", "new");
            set(&mut keyspace, db, "other", "new");
        }
        let changed = walked.borrow().len() - before;
        assert!(changed <= 1, "only what was changed is handed over at once: {changed}");
        assert!(keyspace.doomed().is_empty(), "its records are wanted");
        if moment % 2 == 0 {
            keyspace.flush(0, &mut effects);
        }
        while keyspace.walk(50) {}
        let walked = walked.borrow();
        assert_eq!(walked.len(), 2 * KEYS);
        for ((db, key), value) in walked.iter() {
            let number = String::from_utf8_lossy(&key["key:".len()..]).into_owned();
            assert_eq!(String::from_utf8_lossy(value), format!("{db}:{number}"));
        }
        let flushed = if moment % 2 == 0 { 2 * KEYS + 1 } else { KEYS };
        assert_eq!(keyspace.doomed().pending(), flushed as u64, "freed once it was walked");
        assert!(begin_idle(&mut keyspace));
    }
}

#[test]
fn one_that_ends_early_gives_back_what_was_flushed() {
    let (mut keyspace, walked) = walking();
    let mut effects = Effects::new();
    keyspace.walk(10);
    keyspace.flush(0, &mut effects);
    keyspace.swap(0, 1, &mut effects);
    let before = walked.borrow().len();
    keyspace.end_walk();
    assert_eq!(keyspace.doomed().pending(), KEYS as u64);
    assert_eq!((walked.borrow().len(), Rc::strong_count(&walked)), (before, 1));
    assert!(!keyspace.walk(10));
    assert!(begin_idle(&mut keyspace));
}
