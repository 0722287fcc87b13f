//! Sound logs with random damage: bytes flipped, removed, put in, repeated. Whatever the damage, a
//! start panics at nothing, and either refuses without changing a file, or gives the same state
//! again the next time, to any number of shards.

use durability::{FsyncPolicy, Storage};
use testing::MemoryStorage;

use crate::rig::{Random, Rig, start};

/// A log of some shards with a past.
fn sound_log(seed: u64, shards: u16) -> MemoryStorage {
    let mut random = Random::new(seed);
    let storage = MemoryStorage::new(seed);
    let started = start(&storage, shards).unwrap();
    let mut rig = Rig::new(&storage, &started, FsyncPolicy::No);
    for write in 0..60 {
        rig.request(&mut random, write);
        rig.tick(random.below(u64::from(shards)) as u16, &mut random).unwrap();
    }
    storage.after_kill()
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let end = bytes.len().min(at + random.below(40) as usize);
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.insert(at, b"*$#0123456789\r\n\0"[random.below(16) as usize]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

#[test]
fn damage_is_refused_or_cut_and_never_panics() {
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..40 {
        let shards = 1 + (seed % 4) as u16;
        let log = sound_log(seed, shards);
        for round in 0..100 {
            let mut random = Random::new(seed << 32 | round);
            let storage = log.after_kill();
            let names = storage.list("appendonlydir").unwrap();
            let name = &names[random.below(names.len() as u64) as usize];
            let path = format!("appendonlydir/{name}");
            let mut bytes = storage.content(&path).unwrap();
            damage(&mut bytes, &mut random);
            storage.put(&path, &bytes);
            let before = storage.image();
            match start(&storage, shards) {
                Ok(started) => {
                    accepted += 1;
                    let again = start(&storage, shards).unwrap();
                    assert_eq!(again.state, started.state);
                    assert!(again.cuts.is_empty());
                }
                // Found when it runs: the cuts of a torn end have been made by then.
                Err(durability::RecoveryError::Rejected { .. }) => refused += 1,
                Err(_) => {
                    refused += 1;
                    assert_eq!(storage.image(), before, "a refused start changed the files");
                }
            }
        }
    }
    assert!(refused > 200 && accepted > 200, "{refused} refused, {accepted} accepted");
}
