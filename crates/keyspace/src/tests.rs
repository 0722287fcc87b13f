//! A keyspace against an obvious model, and its slow processes under a clock that the test moves.

use std::collections::{BTreeMap, BTreeSet};

use datatypes::Object;
use table::{Expiry, Hasher, OwnedPayload, Payload, PayloadRef, Record};

use crate::{
    Effects, EventClass, Eviction, EvictionPolicy, ExpiryMode, Keyspace, Random, Settings, Step,
    Wanted,
};

const START_MS: i64 = 1_600_000_000_000;

fn keyspace(settings: Settings) -> Keyspace {
    let mut keyspace = Keyspace::new(4, Hasher::new(9), settings);
    keyspace.tick(START_MS);
    keyspace
}

fn effects() -> Effects {
    let mut effects = Effects::new();
    let events = EventClass::ALL.with(EventClass::NEW);
    effects.want(Wanted { events, modified: true, ..Wanted::default() });
    effects
}

fn logged(effects: &Effects) -> usize {
    effects.before().len()
}

/// What a record holds, as the model says it.
fn text(record: Record<'_, Object>) -> Vec<u8> {
    match record.payload() {
        PayloadRef::Bytes(bytes) => bytes.to_vec(),
        PayloadRef::Int(integer) => integer.to_string().into_bytes(),
        PayloadRef::Object(object) => object.as_string().expect("a string").as_slice().to_vec(),
    }
}

/// The obvious keyspace: keys past their moment are dropped whenever anything is looked at.
#[derive(Default)]
struct Model {
    databases: [BTreeMap<Vec<u8>, Entry>; 4],
}

/// Value and expiry.
type Entry = (Vec<u8>, Option<i64>);

impl Model {
    fn settle(&mut self, now_ms: i64) {
        for database in &mut self.databases {
            database.retain(|_, (_, expiry)| expiry.is_none_or(|at_ms| now_ms <= at_ms));
        }
    }
}

/// A random key out of sixty.
fn random_key(random: &mut Random) -> Vec<u8> {
    format!("key:{}", random.below(60)).into_bytes()
}

/// A random string: short or long, so that both forms meet each other under one key.
fn random_value(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => random.below(1000).to_string().into_bytes(),
        1 => vec![b'a'; random.below(80) as usize],
        2 => vec![b'b'; random.below(900) as usize],
        _ => vec![b'c'; 2000 + random.below(100_000) as usize],
    }
}

/// A keyspace and its model.
struct Pair {
    keyspace: Keyspace,
    model: Model,
    random: Random,
}

impl Pair {
    /// One random operation on both. Returns the key that it was about.
    fn operate(&mut self, step: &mut Step<'_>) -> Vec<u8> {
        let key = random_key(&mut self.random);
        match self.random.below(9) {
            0..3 => self.set(step, &key),
            3 => {
                let removed = self.model.databases[step.db].remove(&key);
                assert_eq!(self.keyspace.remove(step, &key), removed.is_some());
            }
            4 => self.set_expiry(step, &key),
            5 => self.rename_or_move(step, &key),
            6 => self.copy(step, &key),
            7 => {
                let entries = &self.model.databases[step.db];
                let found = self.keyspace.random_key(step);
                assert_eq!(found.is_some(), !entries.is_empty());
                assert!(found.is_none_or(|key| entries.contains_key(&key)));
            }
            _ => self.operate_on_all(step),
        }
        key
    }

    fn random_moment(&mut self, now_ms: i64) -> Option<i64> {
        self.random.once_in(2).then(|| now_ms + self.random.below(200) as i64)
    }

    fn set(&mut self, step: &mut Step<'_>, key: &[u8]) {
        let value = random_value(&mut self.random);
        let moment = self.random_moment(step.now_ms);
        let payload = match value.as_slice() {
            short if short.len() < 1000 => Payload::Bytes(short),
            _ => Payload::Object(Object::string(value.clone())),
        };
        let entries = &mut self.model.databases[step.db];
        if self.random.once_in(3) {
            self.keyspace.set(step, key, payload, Expiry::Keep);
            let kept = entries.get(key).and_then(|it| it.1);
            entries.insert(key.to_vec(), (value, kept));
        } else {
            self.keyspace.set(step, key, payload, Expiry::from(moment));
            entries.insert(key.to_vec(), (value, moment));
        }
    }

    fn set_expiry(&mut self, step: &mut Step<'_>, key: &[u8]) {
        let moment = self.random_moment(step.now_ms);
        let found = self.keyspace.write(step, key, true);
        let entry = self.model.databases[step.db].get_mut(key);
        assert_eq!(found.is_some(), entry.is_some());
        if let (Some(mut record), Some(entry)) = (found, entry) {
            record.set_expiry(moment);
            entry.1 = moment;
        }
    }

    fn rename_or_move(&mut self, step: &mut Step<'_>, key: &[u8]) {
        let (db, target) = (step.db, random_key(&mut self.random));
        let taken = self.keyspace.take(step, key);
        let entry = self.model.databases[db].remove(key);
        assert_eq!(taken.is_some(), entry.is_some());
        if let (Some(taken), Some(entry)) = (taken, entry) {
            step.db = (db + self.random.below(2) as usize) % 4;
            self.keyspace.put(step, &target, taken);
            self.model.databases[step.db].insert(target, entry);
            step.db = db;
        }
    }

    fn copy(&mut self, step: &mut Step<'_>, key: &[u8]) {
        let db = step.db;
        let copy = self.keyspace.copy(step, key);
        let entry = self.model.databases[db].get(key).cloned();
        assert_eq!(copy.is_some(), entry.is_some());
        if let (Some(copy), Some(entry)) = (copy, entry) {
            let long = matches!(copy.payload, OwnedPayload::Object(_));
            assert_eq!(long, entry.0.len() >= 1000);
            step.db = (db + 1) % 4;
            self.keyspace.put(step, key, copy);
            self.model.databases[step.db].insert(key.to_vec(), entry);
            step.db = db;
        }
    }

    fn operate_on_all(&mut self, step: &mut Step<'_>) {
        let db = step.db;
        match self.random.below(60) {
            0 => {
                self.keyspace.flush(db, step.effects);
                self.model.databases[db].clear();
            }
            1 => {
                self.keyspace.swap(db, 2, step.effects);
                self.model.databases.swap(db, 2);
            }
            _ => {
                self.keyspace.expire_slice(step.now_ms, step.effects);
                self.keyspace.doomed_mut().free_slice(2);
                self.keyspace.maintain(10);
            }
        }
    }

    /// Walks over a database, a few keys at a time, and compares all of it.
    fn compare(&mut self, step: &mut Step<'_>) {
        let mut seen = BTreeMap::new();
        let mut position = 0;
        loop {
            position = self.keyspace.scan(step, position, 3, |it| {
                let entry = (text(it), it.expiry());
                assert!(seen.insert(it.key().to_vec(), entry).is_none(), "seen twice");
            });
            if position == 0 {
                break;
            }
        }
        assert_eq!(seen, self.model.databases[step.db]);
        assert_eq!(self.keyspace.key_count(step.db), seen.len(), "the walk removed what was past");
        let expires = seen.values().filter(|it| it.1.is_some()).count() as u64;
        let stats = self.keyspace.database(step.db).map(|it| it.stats().expires);
        assert_eq!(stats.unwrap_or(0), expires);
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    for seed in 0..20 {
        let keyspace = keyspace(Settings::default());
        let mut pair = Pair { keyspace, model: Model::default(), random: Random::new(seed) };
        let mut effects = effects();
        let (mut now_ms, mut gone) = (START_MS, 0);
        for _ in 0..3000 {
            if pair.random.once_in(8) {
                now_ms += pair.random.below(60) as i64;
                pair.keyspace.tick(now_ms);
            }
            pair.model.settle(now_ms);
            effects.clear();
            let db = pair.random.below(4) as usize;
            let mut step = Step { db, now_ms, effects: &mut effects };
            let key = pair.operate(&mut step);

            let found = pair.keyspace.read(&mut step, &key, true);
            let found = found.map(|it| (text(it), it.expiry()));
            assert_eq!(found.as_ref(), pair.model.databases[db].get(&key), "seed {seed}");
            gone += logged(&effects) as u64;
            let expired = effects.events().filter(|event| event.name == "expired").count();
            assert_eq!(expired, logged(&effects), "each removal is logged and published");
        }
        assert_eq!(pair.keyspace.stats().expired, gone, "seed {seed}");
        pair.model.settle(now_ms);
        for db in 0..4 {
            pair.compare(&mut Step { db, now_ms, effects: &mut effects });
        }
    }
}

#[test]
fn a_record_put_over_a_key_past_its_moment_finds_it_expired() {
    let mut keyspace = keyspace(Settings::default());
    let mut effects = effects();
    let mut step = Step { db: 1, now_ms: START_MS, effects: &mut effects };
    keyspace.set(&mut step, b"past", Payload::Int(1), Expiry::At(START_MS));
    keyspace.set(&mut step, b"a", Payload::Int(2), Expiry::Never);
    step.now_ms += 1;
    let taken = keyspace.take(&mut step, b"a").expect("it is there");
    step.effects.clear();
    keyspace.put(&mut step, b"past", taken);
    assert_eq!(keyspace.stats().expired, 1);
    assert_eq!(logged(&effects), 1);
    let events: Vec<_> = effects.events().map(|it| (it.name, it.of.key)).collect();
    assert_eq!(events, [("expired", &b"past"[..]), ("new", b"past")]);
}

#[test]
fn active_expiry_finds_everything_and_gives_up_in_time() {
    let mut keyspace = keyspace(Settings::default());
    let mut effects = effects();
    for number in 0..20_000_i64 {
        let key = format!("key:{number}");
        let expiry = match number % 4 {
            0 => Expiry::At(START_MS + 100),
            1 => Expiry::At(START_MS + 1_000_000),
            _ => Expiry::Never,
        };
        let db = (number % 3) as usize;
        let mut step = Step { db, now_ms: START_MS, effects: &mut effects };
        keyspace.set(&mut step, key.as_bytes(), Payload::Int(number), expiry);
    }
    effects.clear();
    let early = keyspace.expire_slice(START_MS + 100, &mut effects);
    assert!(early.looked > 0 && early.expired == 0, "{early:?}");

    // half of the expiring keys are past their moment: a cycle goes on until few are
    let (mut slices, mut cycles, mut expired) = (0, 0, 0);
    while expired < 5000 {
        let slice = keyspace.expire_slice(START_MS + 101, &mut effects);
        assert!(slice.looked < 400, "a slice is short: {slice:?}");
        expired += slice.expired;
        slices += 1;
        cycles += usize::from(!slice.more);
        assert!(slices < 5000, "{expired} after {slices} slices");
    }
    assert!(cycles < 300, "{cycles}");
    assert_eq!(keyspace.stats().expired, 5000);
    assert_eq!(logged(&effects), 5000);
    let kept: u64 = keyspace.database_stats().map(|(_, it)| it.keys).sum();
    assert_eq!(kept, 15_000);
    // what is left goes in about 1000 s: the average follows, at 2 % a slice
    for _ in 0..1000 {
        keyspace.expire_slice(START_MS + 101, &mut effects);
    }
    for (_, stats) in keyspace.database_stats() {
        assert!((900_000..1_000_000).contains(&stats.ttl_ms_average), "{stats:?}");
    }
    let last = keyspace.expire_slice(START_MS + 102, &mut effects);
    assert_eq!(last.expired, 0);
    assert!(last.looked > 0);
}

#[test]
fn expiry_can_be_turned_off_or_hidden() {
    let mut keyspace = keyspace(Settings::default());
    let mut effects = effects();
    let mut step = Step { db: 0, now_ms: START_MS, effects: &mut effects };
    keyspace.set(&mut step, b"a", Payload::Int(1), Expiry::At(START_MS));
    step.now_ms += 1;

    keyspace.configure(Settings { active_expire: false, ..Settings::default() });
    assert_eq!(keyspace.expire_slice(step.now_ms, step.effects).looked, 0);
    keyspace.configure(Settings { expiry: ExpiryMode::Hide, ..Settings::default() });
    assert_eq!(keyspace.expire_slice(step.now_ms, step.effects).looked, 0);
    assert!(keyspace.find(&mut step, b"a").is_none());
    assert!(keyspace.write(&mut step, b"a", true).is_none());
    assert!(keyspace.random_key(&mut step).is_none());
    assert_eq!(keyspace.key_count(0), 1);
    keyspace.configure(Settings { expiry: ExpiryMode::Ignore, ..Settings::default() });
    assert!(keyspace.find(&mut step, b"a").is_some());
    assert!(keyspace.write(&mut step, b"a", true).is_some());
    keyspace.configure(Settings::default());
    assert!(keyspace.find(&mut step, b"a").is_none());
    assert_eq!(keyspace.key_count(0), 0);
}

/// 1000 keys `0` to `999`; every key with an odd number expires, the larger the sooner. Keys below
/// 500 were last used when they were made, the others 1000 s later, and ten times more often.
fn for_eviction(policy: EvictionPolicy) -> (Keyspace, Effects) {
    let mut keyspace = keyspace(Settings { eviction: policy, ..Settings::default() });
    let mut effects = effects();
    let mut step = Step { db: 0, now_ms: START_MS, effects: &mut effects };
    for number in 0..1000_i64 {
        step.db = (number % 2) as usize;
        let moment = (number % 2 == 1).then_some(START_MS + 10_000_000 - number);
        let key = number.to_string();
        keyspace.set(&mut step, key.as_bytes(), Payload::Int(number), Expiry::from(moment));
    }
    step.now_ms += 1_000_000;
    keyspace.tick(step.now_ms);
    for number in 500..1000 {
        step.db = number % 2;
        for _ in 0..100 {
            keyspace.read(&mut step, number.to_string().as_bytes(), true).expect("it is there");
        }
    }
    keyspace.tick(step.now_ms + 1000);
    effects.clear();
    (keyspace, effects)
}

/// Evicts 200 keys and returns them.
fn evicted(policy: EvictionPolicy) -> BTreeSet<usize> {
    let (mut keyspace, mut effects) = for_eviction(policy);
    for _ in 0..200 {
        let Eviction::Evicted { bytes } = keyspace.evict_one(&mut effects) else {
            panic!("{policy:?} found no key");
        };
        assert!(bytes > 0);
    }
    assert_eq!(keyspace.stats().evicted, 200);
    assert_eq!(logged(&effects), 200);
    let events = effects.events().filter(|event| event.name == "evicted");
    events
        .map(|event| std::str::from_utf8(event.of.key).expect("text").parse().expect("a number"))
        .collect()
}

#[test]
fn eviction_follows_the_policy() {
    use EvictionPolicy::{
        AllkeysLfu, AllkeysLru, AllkeysRandom, NoEviction, VolatileLfu, VolatileLru,
        VolatileRandom, VolatileTtl,
    };
    for (policy, name) in EvictionPolicy::NAMED {
        if policy == NoEviction {
            continue;
        }
        let keys = evicted(policy);
        assert_eq!(keys.len(), 200, "{name}: no key goes twice");
        let odd = keys.iter().filter(|key| *key % 2 == 1).count();
        let unused = keys.iter().filter(|key| **key < 500).count();
        match policy {
            AllkeysLru | AllkeysLfu => assert!(unused >= 195 && (20..180).contains(&odd), "{name}"),
            VolatileLru | VolatileLfu => assert!(unused >= 190 && odd == 200, "{name} {unused}"),
            AllkeysRandom => assert!((60..140).contains(&unused), "{name} {unused} {odd}"),
            VolatileRandom => assert!((60..140).contains(&unused) && odd == 200, "{name}"),
            VolatileTtl => {
                let soon = keys.iter().filter(|key| **key > 500).count();
                assert!(soon >= 190 && odd == 200, "{name} {soon}");
            }
            NoEviction => unreachable!("left out above"),
        }
    }
    let (mut keyspace, mut effects) = for_eviction(NoEviction);
    assert_eq!(keyspace.evict_one(&mut effects), Eviction::Nothing);
}

#[test]
fn a_candidate_that_was_used_since_stays() {
    for policy in [EvictionPolicy::AllkeysLru, EvictionPolicy::AllkeysLfu] {
        let mut keyspace = keyspace(Settings { eviction: policy, ..Settings::default() });
        let mut effects = effects();
        let mut step = Step { db: 0, now_ms: START_MS, effects: &mut effects };
        for number in 0..10_u8 {
            keyspace.set(&mut step, &[number], Payload::Int(1), Expiry::Never);
        }
        keyspace.tick(START_MS + 100_000);
        // All ten are in the pool.
        (0..50).for_each(|_| assert!(keyspace.standing(true).is_some()));
        for number in 0..5 {
            for _ in 0..50 {
                keyspace.read(&mut step, &[number], true).expect("it is there");
            }
        }
        for _ in 0..5 {
            assert_ne!(keyspace.evict_one(&mut effects), Eviction::Nothing);
        }
        let mut step = Step { db: 0, now_ms: START_MS, effects: &mut effects };
        let left: Vec<bool> =
            (0..10).map(|number| keyspace.find(&mut step, &[number]).is_some()).collect();
        assert_eq!(left, [[true; 5], [false; 5]].concat(), "{policy:?}");
    }
}

#[test]
fn eviction_ends_when_no_key_may_go() {
    for policy in [EvictionPolicy::VolatileLru, EvictionPolicy::VolatileRandom] {
        let (mut keyspace, mut effects) = for_eviction(policy);
        for _ in 0..500 {
            assert_ne!(keyspace.evict_one(&mut effects), Eviction::Nothing);
        }
        assert_eq!(keyspace.evict_one(&mut effects), Eviction::Nothing);
        assert_eq!(keyspace.key_count(0), 500);
    }
    let (mut keyspace, mut effects) = for_eviction(EvictionPolicy::AllkeysLfu);
    while keyspace.evict_one(&mut effects) != Eviction::Nothing {}
    assert_eq!((keyspace.key_count(0), keyspace.key_count(1)), (0, 0));
}

#[test]
fn huge_values_are_doomed_whatever_removes_them() {
    let mut keyspace =
        keyspace(Settings { eviction: EvictionPolicy::AllkeysLru, ..Settings::default() });
    let mut effects = effects();
    let mut step = Step { db: 0, now_ms: START_MS, effects: &mut effects };
    for key in [b"removed", b"expired", b"evicted", b"swapped"] {
        let huge = Payload::Object(Object::string(vec![1; 5 << 20]));
        keyspace.set(&mut step, key, huge, Expiry::At(START_MS));
    }
    assert!(keyspace.remove(&mut step, b"removed"));
    assert_eq!(keyspace.doomed().pending(), 1);
    keyspace.set(&mut step, b"swapped", Payload::Int(1), Expiry::Never);
    assert_eq!(keyspace.doomed().pending(), 2);
    step.now_ms += 1;
    assert!(keyspace.find(&mut step, b"expired").is_none());
    assert_eq!(keyspace.doomed().pending(), 3);
    while keyspace.evict_one(step.effects) != Eviction::Nothing {}
    assert_eq!(keyspace.doomed().pending(), 4);
    while keyspace.doomed_mut().free_slice(1) {}
    assert_eq!(keyspace.doomed().freed(), 4);
}

#[test]
fn empty_databases_cost_nothing() {
    let mut keyspace = keyspace(Settings::default());
    let mut effects = effects();
    let mut step = Step { db: 3, now_ms: START_MS, effects: &mut effects };
    assert!(keyspace.read(&mut step, b"a", true).is_none());
    assert!(!keyspace.remove(&mut step, b"a"));
    assert!(keyspace.random_key(&mut step).is_none());
    assert_eq!(keyspace.scan(&mut step, 0, 10, |_| panic!("no key")), 0);
    keyspace.expire_slice(START_MS, step.effects);
    assert!(keyspace.database(3).is_none());
    assert_eq!(keyspace.bytes_used(), 0);
    assert_eq!(keyspace.database_stats().count(), 0);
}
