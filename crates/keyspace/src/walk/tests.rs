//! Walks while databases are emptied and exchanged under them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use datatypes::set::{Limits, Set};
use datatypes::{Element, Object};
use table::{Expiry, Hasher, Payload, PayloadRef};

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
    let taken = Rc::clone(&walked);
    let began = keyspace.begin_walk(move |record| {
        let PayloadRef::Bytes(value) = record.payload else { panic!("these are short") };
        let place = (record.db, record.key.to_vec());
        let earlier = taken.borrow_mut().insert(place, value.to_vec());
        assert!(earlier.is_none(), "handed over twice");
        None
    });
    assert!(began && !begin_idle(&mut keyspace), "one walk at a time");
    (keyspace, walked)
}

/// Begins a walk that keeps nothing.
fn begin_idle(keyspace: &mut Keyspace) -> bool {
    keyspace.begin_walk(|_| None)
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

const MEMBERS: usize = 20_000;

/// Set limits of a server that is not configured otherwise.
fn limits() -> Limits {
    Limits {
        intset_entries_max: 512,
        listpack_entries_max: 128,
        listpack_value_bytes_max: 64,
        hasher: Hasher::new(9),
    }
}

fn change_set(keyspace: &mut Keyspace, key: &str, change: impl FnOnce(&mut Set)) {
    let mut effects = Effects::new();
    let mut step = Step { db: 0, now_ms: 1, effects: &mut effects };
    let mut record = keyspace.find_mut(&mut step, key.as_bytes()).expect("it is there");
    change(record.object_mut().and_then(Object::as_set_mut).expect("it is a set"));
}

/// A keyspace with a large set and a small one.
fn with_sets() -> Keyspace {
    let mut keyspace = Keyspace::new(2, Hasher::new(9), Settings::default());
    let mut effects = Effects::new();
    for (key, members) in [("large", MEMBERS), ("small", 500)] {
        let mut set = Set::new(b"m", 1, &limits());
        (0..members).for_each(|number| {
            set.insert(format!("m{number}").as_bytes(), &limits());
        });
        let mut step = Step { db: 0, now_ms: 1, effects: &mut effects };
        keyspace.set(&mut step, key.as_bytes(), Payload::Object(Object::Set(set)), Expiry::Never);
    }
    keyspace
}

type Members = Rc<RefCell<BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>>>;

fn begin(keyspace: &mut Keyspace) -> Members {
    let walked = Members::default();
    let taken = Rc::clone(&walked);
    let began = keyspace.begin_walk(move |record| {
        let PayloadRef::Object(object) = record.payload else { panic!("these are sets") };
        let mut taken = taken.borrow_mut();
        let members = taken.entry(record.key.to_vec()).or_default();
        object.elements(record.from, record.elements, |element| {
            let Element::Member(member) = element else { panic!("these are sets") };
            assert!(members.insert(member.text().to_vec()), "handed over twice");
        })
    });
    assert!(began);
    walked
}

#[test]
fn a_large_value_is_walked_in_slices_as_it_was() {
    for changed_at in [0, 1, 10, 60] {
        let mut keyspace = with_sets();
        let walked = begin(&mut keyspace);
        let mut calls = 0;
        loop {
            if calls == changed_at {
                let before: usize = walked.borrow().values().map(BTreeSet::len).sum();
                change_set(&mut keyspace, "large", |set| {
                    assert!(set.insert(b"new", &limits()) && set.remove(b"m7"));
                });
                let after: usize = walked.borrow().values().map(BTreeSet::len).sum();
                assert_eq!(before, after, "nothing is handed over inside of a command");
                change_set(&mut keyspace, "small", |set| assert!(set.remove(b"m7")));
            }
            let before = walked.borrow().get(&b"large"[..]).map_or(0, BTreeSet::len);
            if !keyspace.walk(64) {
                break;
            }
            let after = walked.borrow().get(&b"large"[..]).map_or(0, BTreeSet::len);
            assert!(after - before < 700, "{} members in one slice", after - before);
            calls += 1;
        }
        assert!(calls > MEMBERS / 700);
        for (key, members) in [("large", MEMBERS), ("small", 500)] {
            let expected = (0..members).map(|number| format!("m{number}").into_bytes()).collect();
            assert!(walked.borrow()[key.as_bytes()] == expected, "{key}, changed at {changed_at}");
        }
        while keyspace.doomed_mut().free_slice(1) {}
        assert_eq!(keyspace.doomed().freed(), 0, "a share is nobody's value");
        let again = begin(&mut keyspace);
        while keyspace.walk(64) {}
        assert!(again.borrow()[&b"large"[..]].contains(&b"new"[..]));
    }
}

#[test]
fn one_that_ends_early_lets_shares_go() {
    let mut keyspace = with_sets();
    let walked = begin(&mut keyspace);
    change_set(&mut keyspace, "large", |set| assert!(set.remove(b"m7")));
    assert!(keyspace.walk(64));
    keyspace.end_walk();
    assert!(!keyspace.doomed().is_empty());
    assert_eq!((keyspace.doomed().pending(), Rc::strong_count(&walked)), (0, 1));
    while keyspace.doomed_mut().free_slice(1) {}
    while keyspace.maintain(1000) {}
    let again = begin(&mut keyspace);
    while keyspace.walk(64) {}
    assert_eq!(again.borrow()[&b"large"[..]].len(), MEMBERS - 1);
}
