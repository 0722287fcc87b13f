//! The table against a map: random operations from a seed, compared after every step.
//!
//! The model is a `BTreeMap` from key to a plain struct. Objects count their living instances, so a
//! lost or doubly owned object fails the test. A walk, a scan, upkeep and draining run among the
//! other operations. Run under Miri as well (with smaller numbers), which sees what a comparison
//! cannot.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use table::{
    Entry, Expiry, Hasher, OwnedPayload, Payload, PayloadRef, Record, Replaced, Table, WalkId,
};

/// An object whose living instances are counted by the count of its `Rc`.
#[derive(Debug, Clone)]
struct Object {
    number: u64,
    _living: Rc<()>,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    Int(i64),
    Object(u64),
}

#[derive(Debug, Clone, PartialEq)]
struct Model {
    value: Value,
    expiry: Option<i64>,
    access: u32,
    raw: bool,
}

type Map = BTreeMap<Vec<u8>, Model>;

fn model_of(record: Record<'_, Object>) -> Model {
    let value = match record.payload() {
        PayloadRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        PayloadRef::Int(integer) => Value::Int(integer),
        PayloadRef::Object(object) => Value::Object(object.number),
    };
    Model { value, expiry: record.expiry(), access: record.access(), raw: record.is_raw() }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*, Vigna 2014.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What a sink was given.
type Given = Rc<RefCell<Vec<(Vec<u8>, Model)>>>;

/// A walk under way: its id, what it must give, and what it has given.
struct Snapshot {
    id: WalkId,
    expected: Map,
    given: Given,
}

struct Run {
    table: Table<Object>,
    map: Map,
    random: Random,
    living: Rc<()>,
    keys: u64,
    snapshot: Option<Snapshot>,
    snapshots_finished: usize,
}

impl Run {
    fn new(seed: u64, keys: u64) -> Self {
        Self {
            table: Table::new(Hasher::new(seed)),
            map: Map::new(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            living: Rc::new(()),
            keys,
            snapshot: None,
            snapshots_finished: 0,
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.random.below(self.keys);
        // Lengths of both sides of every threshold of a length field, now and then.
        let length = match number % 97 {
            0 => 0,
            1 => 223,
            2 => 224,
            3 => 300,
            4 if number == 4 => 8_200,
            _ => 0,
        };
        let mut key =
            if length == 0 && number == 0 { Vec::new() } else { number.to_string().into() };
        key.resize(key.len().max(length), b'-');
        key
    }

    fn value(&mut self) -> Value {
        let number = self.random.next();
        match self.random.below(10) {
            0..5 => {
                let length = match self.random.below(40) {
                    0 => 223 + self.random.below(3),
                    1 => 8_159 + self.random.below(3),
                    2 => 900 + self.random.below(3_000),
                    _ => self.random.below(80),
                };
                Value::Bytes((0..length).map(|index| (number + index) as u8).collect())
            }
            5..8 => Value::Int((number as i64) >> self.random.below(64) << 8 >> 8),
            _ => Value::Object(number),
        }
    }

    fn expiry(&mut self) -> Option<i64> {
        (self.random.below(3) == 0).then(|| self.random.next() as i64)
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0..7 => self.set(),
            7..10 => self.remove(),
            10..12 => self.find(),
            12..16 => self.change(),
            16 => self.entry(),
            17 => self.rename(),
            18..20 => self.walk(),
            20 => {
                let budget = 1 + self.random.below(50) as usize;
                self.table.maintain(budget);
            }
            21 => self.sample(),
            22 if self.random.below(60) == 0 => self.remove_most(),
            23 if self.random.below(200) == 0 => self.drain(),
            _ => self.set(),
        }
        assert_eq!(self.table.len(), self.map.len());
    }

    fn set(&mut self) {
        let (key, value) = (self.key(), self.value());
        let expiry = match self.random.below(3) {
            0 => Expiry::Keep,
            1 => Expiry::Never,
            _ => Expiry::At(self.random.next() as i64),
        };
        let old = self.map.get(&key).cloned();
        let hash = self.table.hash(&key);
        let payload = match &value {
            Value::Bytes(bytes) => Payload::Bytes(bytes),
            Value::Int(integer) => Payload::Int(*integer),
            Value::Object(number) => {
                Payload::Object(Object { number: *number, _living: self.living.clone() })
            }
        };
        let stored = self.table.set(hash, &key, payload, expiry);
        let new = Model {
            value,
            expiry: match expiry {
                Expiry::Keep => old.as_ref().and_then(|old| old.expiry),
                Expiry::Never => None,
                Expiry::At(at_ms) => Some(at_ms),
            },
            access: old.as_ref().map_or(0, |old| old.access),
            raw: false,
        };
        match (old.map(|old| old.value), stored.replaced) {
            (None, Replaced::Nothing) => {}
            (Some(Value::Object(number)), Replaced::Object(object)) => {
                assert_eq!(object.number, number);
            }
            (Some(Value::Bytes(_) | Value::Int(_)), Replaced::Plain) => {}
            (old, replaced) => panic!("{old:?} was replaced, said to be {replaced:?}"),
        }
        assert_eq!(model_of(stored.record.as_record()), new);
        assert_eq!(stored.record.key(), key);
        self.map.insert(key, new);
    }

    fn remove(&mut self) {
        let key = self.key();
        let removed = self.table.remove(self.table.hash(&key), &key);
        match (self.map.remove(&key), removed) {
            (None, None) => {}
            (Some(model), Some(removed)) => {
                assert_eq!(removed.expiry, model.expiry);
                let number = removed.object.map(|object| Value::Object(object.number));
                assert!(number.is_none_or(|number| number == model.value));
            }
            (model, removed) => panic!("{model:?} removed, said to be {removed:?}"),
        }
        assert!(!self.table.contains(self.table.hash(&key), &key));
    }

    fn find(&mut self) {
        let key = self.key();
        let hash = self.table.hash(&key);
        self.table.prefetch(hash);
        self.table.prefetch_record(hash);
        let found = self.table.find(hash, &key);
        assert_eq!(found.map(model_of).as_ref(), self.map.get(&key));
        // Access may change under a walk without being a change; the snapshot check ignores it.
        if let (Some(record), Some(model)) = (found, self.map.get_mut(&key)) {
            assert!(record.bytes() >= key.len());
            model.access = (self.random.next() as u32) & 0xff_ffff;
            record.set_access(model.access);
        }
    }

    fn change(&mut self) {
        let key = self.key();
        let (value, expiry, choice) = (self.value(), self.expiry(), self.random.below(6));
        let (length, fill) = (self.random.below(400) as usize, self.random.next() as u8);
        let living = self.living.clone();
        let hash = self.table.hash(&key);
        let Some(mut record) = self.table.find_mut(hash, &key) else {
            assert!(!self.map.contains_key(&key));
            return;
        };
        let model = self.map.get_mut(&key).expect("the table found it");
        match choice {
            0 => {
                record.set_expiry(expiry);
                model.expiry = expiry;
            }
            1 => {
                record.set_raw(fill % 2 == 0);
                record.set_access(u32::from(fill));
                (model.raw, model.access) = (fill % 2 == 0, u32::from(fill));
            }
            2 => {
                let payload = match &value {
                    Value::Bytes(bytes) => Payload::Bytes(bytes),
                    Value::Int(integer) => Payload::Int(*integer),
                    Value::Object(number) => {
                        Payload::Object(Object { number: *number, _living: living })
                    }
                };
                let object = record.set_payload(payload);
                assert_eq!(object.is_some(), matches!(model.value, Value::Object(_)));
                model.value = value;
            }
            3 => match (record.bytes_mut(), &mut model.value) {
                (Some(bytes), Value::Bytes(expected)) => {
                    bytes.fill(fill);
                    expected.fill(fill);
                }
                (None, Value::Int(_) | Value::Object(_)) => {}
                (bytes, value) => panic!("{bytes:?} {value:?}"),
            },
            4 => {
                let old = record.as_record().payload().is_object();
                match (record.resize_bytes(length), &mut model.value) {
                    (Some(bytes), Value::Bytes(expected)) => {
                        expected.resize(length, 0);
                        assert_eq!(bytes, expected);
                    }
                    (None, Value::Int(_)) => assert!(!old),
                    (None, Value::Object(_)) => assert!(old),
                    (bytes, value) => panic!("{bytes:?} {value:?}"),
                }
            }
            _ => match (record.object_mut(), &mut model.value) {
                (Some(object), Value::Object(number)) => {
                    object.number ^= u64::from(fill);
                    *number ^= u64::from(fill);
                }
                (None, Value::Int(_) | Value::Bytes(_)) => {}
                (object, value) => panic!("{object:?} {value:?}"),
            },
        }
        assert_eq!(model_of(record.into_record()), *model);
    }

    fn entry(&mut self) {
        let (key, value, expiry) = (self.key(), self.value(), self.expiry());
        let payload_of = |value: &Value, living: &Rc<()>| match value {
            Value::Object(number) => Some(Object { number: *number, _living: living.clone() }),
            Value::Bytes(_) | Value::Int(_) => None,
        };
        let object = payload_of(&value, &self.living);
        match self.table.entry(self.table.hash(&key), &key) {
            Entry::Occupied(record) => {
                let model = self.map.remove(&key).expect("the table has it");
                assert_eq!(record.remove().expiry, model.expiry);
            }
            Entry::Vacant(vacant) => {
                assert!(!self.map.contains_key(&key));
                let payload = match &value {
                    Value::Bytes(bytes) => Payload::Bytes(bytes),
                    Value::Int(integer) => Payload::Int(*integer),
                    Value::Object(_) => Payload::Object(object.expect("made for it")),
                };
                vacant.insert(payload, expiry);
                self.map.insert(key, Model { value, expiry, access: 0, raw: false });
            }
        }
    }

    fn rename(&mut self) {
        let (from, to) = (self.key(), self.key());
        let taken = self.table.take(self.table.hash(&from), &from);
        let model = self.map.remove(&from);
        assert_eq!(taken.is_some(), model.is_some());
        if let (Some(taken), Some(model)) = (taken, model) {
            match (&taken.payload, &model.value) {
                (OwnedPayload::Bytes(bytes), Value::Bytes(expected)) => {
                    assert_eq!(**bytes, **expected);
                }
                (OwnedPayload::Int(integer), Value::Int(expected)) => assert_eq!(integer, expected),
                (OwnedPayload::Object(object), Value::Object(number)) => {
                    assert_eq!(object.number, *number);
                }
                (payload, value) => panic!("{payload:?} {value:?}"),
            }
            self.table.restore(self.table.hash(&to), &to, taken);
            self.map.insert(to, model);
        }
    }

    fn sample(&mut self) {
        let random = self.random.next();
        let sampled = self.table.sample(random);
        assert_eq!(sampled.is_some(), !self.map.is_empty());
        assert!(sampled.is_none_or(|record| self.map.contains_key(record.key())));
        let sampled = self.table.sample_expiring(random);
        assert_eq!(sampled.is_some(), self.table.expiring_len() > 0);
        assert!(sampled.is_none_or(|record| record.expiry().is_some()));
    }

    fn walk(&mut self) {
        let Some(snapshot) = &self.snapshot else {
            let given = Rc::new(RefCell::new(Vec::new()));
            let sink = given.clone();
            let id = self.table.begin_walk(move |record| {
                sink.borrow_mut().push((record.key().to_vec(), model_of(record)));
            });
            if let Some(id) = id {
                self.snapshot = Some(Snapshot { id, expected: self.map.clone(), given });
            }
            return;
        };
        if self.random.below(40) == 0 {
            self.table.end_walk(snapshot.id);
            assert!(!self.table.is_walking(snapshot.id));
            self.snapshot = None;
        } else if !self.table.walk(snapshot.id, 1 + self.random.below(60) as usize) {
            self.check_snapshot();
        }
    }

    /// Each record of the beginning exactly once, as it was (access aside), and no other.
    fn check_snapshot(&mut self) {
        let Some(snapshot) = self.snapshot.take() else { return };
        let mut expected = snapshot.expected;
        for (key, model) in snapshot.given.take() {
            let was = expected.remove(&key).expect("given twice, or not there at the beginning");
            assert_eq!(Model { access: was.access, ..model }, was);
        }
        assert!(expected.is_empty(), "{} records were not given", expected.len());
        self.snapshots_finished += 1;
    }

    fn remove_most(&mut self) {
        let keys: Vec<_> = self.map.keys().cloned().collect();
        for key in keys {
            if self.random.below(12) != 0 {
                self.map.remove(&key);
                assert!(self.table.remove(self.table.hash(&key), &key).is_some());
            }
        }
        while self.table.maintain(100) {}
        self.check();
    }

    fn drain(&mut self) {
        let objects = self.map.values().filter(|model| matches!(model.value, Value::Object(_)));
        let (expected, mut dropped) = (objects.count(), 0);
        while self.table.drain(64, |_| dropped += 1).more {}
        assert_eq!(dropped, expected);
        self.map.clear();
        self.snapshot = None;
        self.check();
        assert_eq!((self.table.bytes_used(), self.table.bytes_reserved()), (0, 0));
    }

    /// Everything, by a scan.
    fn check(&self) {
        let (mut position, mut seen) = (0, Map::new());
        loop {
            position = self.table.scan(position, 7, |record| {
                assert!(seen.insert(record.key().to_vec(), model_of(record)).is_none());
            });
            if position == 0 {
                break;
            }
        }
        assert_eq!(seen, self.map);
        let objects = self.map.values().filter(|model| matches!(model.value, Value::Object(_)));
        assert_eq!(Rc::strong_count(&self.living) - 1, objects.count(), "objects lost or doubled");

        let expiring = self.map.values().filter(|model| model.expiry.is_some()).count();
        assert_eq!(self.table.expiring_len(), expiring);
        let (mut position, mut seen) = (0, 0);
        loop {
            position = self.table.scan_expiring(position, 3, |record| {
                assert!(record.expiry().is_some());
                seen += 1;
            });
            if position == 0 {
                break;
            }
        }
        assert_eq!(seen, expiring);
    }
}

fn run(seed: u64, keys: u64, steps: u64) -> usize {
    let mut run = Run::new(seed, keys);
    for step in 0..steps {
        run.step();
        if step % (steps / 8).max(1) == 0 {
            run.check();
        }
    }
    run.check();
    let (living, finished) = (run.living.clone(), run.snapshots_finished);
    drop(run.table);
    drop(run.snapshot);
    drop(run.living);
    assert_eq!(Rc::strong_count(&living), 1, "dropping the table dropped its objects");
    finished
}

#[test]
fn few_keys() {
    for seed in 1..=if cfg!(miri) { 1 } else { 40 } {
        run(seed, 20, if cfg!(miri) { 600 } else { 10_000 });
    }
}

#[test]
fn some_keys() {
    let mut finished = 0;
    for seed in 1..=if cfg!(miri) { 1 } else { 20 } {
        finished += run(seed, 400, if cfg!(miri) { 2_000 } else { 30_000 });
    }
    assert!(finished > 0, "no snapshot was ever completed");
}

#[test]
#[cfg_attr(miri, ignore = "too many steps for an interpreter; the others cover the code")]
fn many_keys() {
    for seed in 1..=3 {
        run(seed, 40_000, 400_000);
    }
}
