//! Crashes by images: the process dies at the n-th operation on the disk, for every n, and what
//! the next start recovers is checked against what was promised.
//!
//! Two ways to die: kill -9, after which the disk has everything that was written; and a loss of
//! power, after which it has what was synced and by chance some more. The second is checked under
//! `appendfsync always` (for `everysec` it takes the epochs of a later version).

use crate::rig::{Random, Rig, start};
use durability::FsyncPolicy;
use testing::MemoryStorage;

const TICKS: u64 = 60;

/// Runs a server until the disk freezes, or for so many ticks.
fn serve(rig: &mut Rig, random: &mut Random, shards: u16, first_write: u64) {
    for turn in 0..TICKS {
        if random.below(3) > 0 {
            rig.request(random, first_write + turn);
        }
        let shard = random.below(u64::from(shards)) as u16;
        if rig.tick(shard, random).is_err() {
            return;
        }
    }
}

/// What the disk is like after the crash.
#[derive(Clone, Copy, Debug)]
enum Crash {
    Kill,
    PowerLoss,
}

fn crashed(storage: &MemoryStorage, crash: Crash, seed: u64) -> MemoryStorage {
    match crash {
        Crash::Kill => storage.after_kill(),
        Crash::PowerLoss => storage.after_power_loss(seed),
    }
}

/// One life of a server.
#[derive(Clone, Copy, Debug)]
struct Life {
    seed: u64,
    shards: u16,
    /// How many shards the next server has.
    next_shards: u16,
    crash: Crash,
}

impl Life {
    /// Starts the server, lets it die at operation `freeze_at` of its life (its start included),
    /// and checks what the next start finds. Returns the disk and how many operations there were.
    fn live(self, storage: &MemoryStorage, freeze_at: u64) -> (MemoryStorage, u64) {
        let Self { seed, shards, next_shards, crash } = self;
        let policy = match crash {
            Crash::Kill => FsyncPolicy::EverySecond,
            Crash::PowerLoss => FsyncPolicy::Always,
        };
        let before = start(&storage.after_kill(), next_shards).unwrap().state;
        storage.freeze_at(freeze_at);
        let mut random = Random::new(seed);
        let rig = start(storage, shards).ok().map(|started| {
            let mut rig = Rig::new(storage, &started, policy);
            serve(&mut rig, &mut random, shards, seed << 20);
            rig
        });
        let operations = storage.operations();
        let after = crashed(storage, crash, seed ^ freeze_at);
        let image = after.after_kill();
        let started = start(&after, next_shards)
            .unwrap_or_else(|error| panic!("{self:?}, {freeze_at} of {operations}: {error}"));
        match rig {
            Some(rig) => rig.check(&image, &started),
            // It died while it started: nothing is different from before.
            None => assert_eq!(started.state, before, "{self:?}, {freeze_at}"),
        }
        // Starting once more finds the same.
        let again = start(&after, next_shards).unwrap();
        assert_eq!(again.state, started.state);
        assert!(again.plan.cuts().is_empty(), "nothing is left to cut");
        (after, operations)
    }

    fn dies_at_every_operation(self) {
        let (_, operations) = self.live(&MemoryStorage::new(self.seed), u64::MAX);
        assert!(operations > 30, "{operations}");
        for freeze_at in 1..=operations {
            self.live(&MemoryStorage::new(self.seed), freeze_at);
        }
    }
}

#[test]
fn killed_at_every_operation() {
    for (seed, shards) in [(1, 1), (2, 2), (3, 3), (4, 5)] {
        Life { seed, shards, next_shards: shards, crash: Crash::Kill }.dies_at_every_operation();
    }
}

#[test]
fn killed_at_every_operation_and_started_with_other_shards() {
    for (seed, shards, next_shards) in [(11, 1, 3), (12, 2, 3), (13, 4, 2), (14, 3, 1)] {
        Life { seed, shards, next_shards, crash: Crash::Kill }.dies_at_every_operation();
    }
}

#[test]
fn without_power_at_every_operation() {
    for (seed, shards, next_shards) in [(21, 1, 1), (22, 2, 2), (23, 3, 3), (24, 2, 5), (25, 4, 2)]
    {
        Life { seed, shards, next_shards, crash: Crash::PowerLoss }.dies_at_every_operation();
    }
}

#[test]
fn killed_while_it_starts_and_then_without_power() {
    // What the killed start had done was in the page cache only, the manifest's name included. The
    // next life acknowledges records on top of it.
    for freeze_at in 1..40 {
        for seed in 0..6 {
            let (shards, next_shards) = (2, 2);
            let killed = Life { seed, shards, next_shards, crash: Crash::Kill };
            let (storage, _) = killed.live(&MemoryStorage::new(seed), freeze_at);
            Life { crash: Crash::PowerLoss, ..killed }.live(&storage, u64::MAX);
        }
    }
}

#[test]
fn many_lives_of_one_log() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut storage = MemoryStorage::new(seed);
        let mut shards = 1 + random.below(5) as u16;
        for life in 0..5 {
            let next_shards =
                if random.below(2) == 0 { shards } else { 1 + random.below(5) as u16 };
            let freeze_at = 1 + random.below(120);
            // Kinds of crash mixed: what a kill left in the page cache alone is acknowledged by
            // the next life, and must outlast the loss of power that ends it.
            let crash = if random.below(2) == 0 { Crash::Kill } else { Crash::PowerLoss };
            let life = Life { seed: seed * 8 + life, shards, next_shards, crash };
            (storage, _) = life.live(&storage, freeze_at);
            shards = next_shards;
        }
    }
}

#[test]
fn transactions_that_chain_over_shards() {
    // Shards that are far behind the others: a transaction may be written on all its shards while
    // one that lies before it on one of them is not. Nothing behind either may be acknowledged.
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let storage = MemoryStorage::new(seed);
        let shards = 3 + random.below(3) as u16;
        let started = start(&storage, shards).unwrap();
        let mut rig = Rig::new(&storage, &started, FsyncPolicy::EverySecond);
        let slow = random.below(u64::from(shards)) as u16;
        for turn in 0..4 + random.below(20) {
            rig.request(&mut random, turn);
            let shard = random.below(u64::from(shards)) as u16;
            if shard != slow || random.below(8) == 0 {
                rig.tick(shard, &mut random).unwrap();
            }
        }
        let after = storage.after_kill();
        let image = after.after_kill();
        rig.check(&image, &start(&after, shards).unwrap());
    }
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let mut failures = 0;
    for seed in 0..60 {
        let storage = MemoryStorage::new(seed);
        let mut random = Random::new(seed);
        let started = start(&storage, 3).unwrap();
        let mut rig = Rig::new(&storage, &started, FsyncPolicy::EverySecond);
        storage.set_capacity(Some(600 + random.below(2000)));
        serve(&mut rig, &mut random, 3, 0);
        failures += rig.write_failures();
        if seed % 2 == 0 {
            storage.set_capacity(None);
            // A second passes (ticks take some 150 ms), and all queues run dry.
            for turn in 0..400 {
                rig.tick(turn % 3, &mut random).unwrap();
            }
            assert!(!rig.refusing(), "seed {seed}");
            assert_eq!(rig.unacknowledged(), 0, "seed {seed}");
        }
        let after = storage.after_kill();
        let image = after.after_kill();
        let started = start(&after, 3).unwrap();
        rig.check(&image, &started);
    }
    assert!(failures > 20, "the disk was full too rarely: {failures}");
}

#[test]
fn a_failed_sync_acknowledges_nothing_more() {
    for seed in 0..40 {
        let storage = MemoryStorage::new(seed);
        let mut random = Random::new(seed);
        let started = start(&storage, 2).unwrap();
        let mut rig = Rig::new(&storage, &started, FsyncPolicy::Always);
        serve(&mut rig, &mut random, 2, 0);
        storage.fail_syncs(true);
        serve(&mut rig, &mut random, 2, 1000);
        assert!(rig.refusing());
        // The disk heals, the log does not: what was dropped stays dropped.
        storage.fail_syncs(false);
        serve(&mut rig, &mut random, 2, 2000);
        assert!(rig.refusing());
        let after = storage.after_power_loss(seed);
        let image = after.after_kill();
        let started = start(&after, 2).unwrap();
        rig.check(&image, &started);
    }
}

#[test]
fn nothing_waits_for_a_shard_whose_log_has_failed() {
    for seed in 0..200 {
        let storage = MemoryStorage::new(seed);
        let mut random = Random::new(seed);
        let shards = 2 + (seed % 5) as u16;
        let started = start(&storage, shards).unwrap();
        let policy = [FsyncPolicy::Always, FsyncPolicy::EverySecond][seed as usize / 5 % 2];
        let mut rig = Rig::new(&storage, &started, policy);
        serve(&mut rig, &mut random, shards, 0);
        rig.fail_syncs_of(random.below(u64::from(shards)) as u16);
        serve(&mut rig, &mut random, shards, 1000);
        for turn in 0..u16::MAX / 20 {
            rig.tick(turn % shards, &mut random).unwrap();
        }
        assert!(rig.refusing(), "seed {seed}");
        assert!(rig.unacknowledged() > 0, "seed {seed}: the failure came too late");
        assert_eq!(rig.waiting(), 0, "seed {seed}");
        let after = storage.after_kill();
        let image = after.after_kill();
        rig.check(&image, &start(&after, shards).unwrap());
    }
}
