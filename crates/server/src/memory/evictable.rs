//! What the shards tell each other about the keys that they can evict, and whose turn it is.
//!
//! A few words a shard, written where it makes room and once a period. They are hints: whoever acts
//! on an old one asks a shard that has nothing any more, and learns that a tick later. No memory is
//! published by them: all are relaxed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What one shard says, and is asked for.
#[derive(Debug, Default)]
pub(crate) struct Evictable {
    /// Keys that the policy allows to go.
    keys: AtomicUsize,
    /// The standing of the best of them, and 1; 0: none can go at present.
    standing: AtomicU64,
    /// Bytes that others wish this shard to evict. Others add, the shard takes away.
    asked_bytes: AtomicU64,
    /// Bytes of values that it has evicted and not freed yet.
    freeing_bytes: AtomicU64,
}

impl Evictable {
    /// The shard has so many keys that may go.
    pub(crate) fn publish_keys(&self, keys: usize) {
        self.keys.store(keys, Ordering::Relaxed);
    }

    /// The best of them has this standing; `None`: none can go at present.
    pub(crate) fn publish_standing(&self, standing: Option<u64>) {
        let word = standing.map_or(0, |it| it.saturating_add(1));
        self.standing.store(word, Ordering::Relaxed);
    }

    /// Asks the shard to evict so much. True: it has to be told, as nothing was asked of it before.
    pub(crate) fn ask(&self, bytes: u64) -> bool {
        self.asked_bytes.fetch_add(bytes, Ordering::Relaxed) == 0
    }

    /// Whether others wait for this shard to evict.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked_bytes.load(Ordering::Relaxed) != 0
    }

    /// The shard has evicted so much; `is_freeing`: its memory is given back later.
    pub(crate) fn note_evicted(&self, bytes: u64, is_freeing: bool) {
        let left = |asked: u64| Some(asked.saturating_sub(bytes));
        // the closure always answers
        let _ = self.asked_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        if is_freeing {
            self.freeing_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// All that was evicted is given back.
    pub(crate) fn note_freed(&self) {
        if self.freeing_bytes.load(Ordering::Relaxed) != 0 {
            self.freeing_bytes.store(0, Ordering::Relaxed);
        }
    }

    /// Nothing is asked of the shard any more: there is room, or it has nothing.
    pub(crate) fn forget_asked(&self) {
        if self.is_asked() {
            self.asked_bytes.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes that this shard will give back without being asked again.
    fn awaited_bytes(&self) -> u64 {
        let [asked, freeing] = [&self.asked_bytes, &self.freeing_bytes];
        asked.load(Ordering::Relaxed).saturating_add(freeing.load(Ordering::Relaxed))
    }

    /// Its standing and its keys, if a key of it can go.
    fn offer(&self) -> Option<(u64, u64)> {
        let keys = self.keys.load(Ordering::Relaxed) as u64;
        let standing = self.standing.load(Ordering::Relaxed);
        (keys > 0 && standing > 0).then_some((standing, keys))
    }
}

/// Whether some shard has a key that may go.
pub(crate) fn some_has_keys<'a>(mut shards: impl Iterator<Item = &'a Evictable>) -> bool {
    shards.any(|it| it.keys.load(Ordering::Relaxed) > 0)
}

/// Bytes that shards are to give back already.
pub(crate) fn awaited_bytes<'a>(shards: impl Iterator<Item = &'a Evictable>) -> u64 {
    shards.map(Evictable::awaited_bytes).fold(0, u64::saturating_add)
}

/// The shard whose turn it is to evict: one of those with the best standing, each as likely as it
/// has keys that may go; `draw` says which. `None`: no shard has one.
pub(crate) fn choose<'a>(shards: impl Iterator<Item = &'a Evictable>, draw: u64) -> Option<usize> {
    let (mut best, mut keys_before, mut chosen) = (0, 0_u64, None);
    let mut state = draw;
    for (shard, evictable) in shards.enumerate() {
        let Some((standing, keys)) = evictable.offer() else { continue };
        if standing < best {
            continue;
        }
        if standing > best {
            (best, keys_before) = (standing, 0);
        }
        // In one pass: each of those so far is the chosen one as likely as it has keys of theirs.
        keys_before = keys_before.saturating_add(keys);
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ draw;
        if ((u128::from(state) * u128::from(keys_before)) >> 64) < u128::from(keys) {
            chosen = Some(shard);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use keyspace::Random;

    use super::{Evictable, awaited_bytes, choose, some_has_keys};

    fn shard(keys: usize, standing: Option<u64>) -> Evictable {
        let shard = Evictable::default();
        shard.publish_keys(keys);
        shard.publish_standing(standing);
        shard
    }

    /// How often each shard's turn comes, in 10,000 draws.
    fn turns(shards: &[Evictable]) -> Vec<usize> {
        let (mut random, mut turns) = (Random::new(7), vec![0; shards.len()]);
        for _ in 0..10_000 {
            turns[choose(shards.iter(), random.next()).expect("some shard has keys")] += 1;
        }
        turns
    }

    #[test]
    fn the_best_go_and_among_them_each_as_it_has_keys() {
        let best = [shard(9, Some(3)), shard(5, Some(4)), shard(0, Some(9)), shard(7, None)];
        assert_eq!(turns(&best), [0, 10_000, 0, 0]);
        let alike = [100, 300, 0, 500, 100].map(|keys| shard(keys, Some(0)));
        for (count, expected) in turns(&alike).into_iter().zip([1000, 3000, 0, 5000, 1000]) {
            assert!(count.abs_diff(expected) < 250, "{count} for {expected}");
        }
        assert_eq!(choose([shard(0, None)].iter(), 5), None);
        assert_eq!(choose([shard(3, None)].iter(), 5), None, "it has some, but not now");
        assert!(some_has_keys([shard(0, None), shard(3, None)].iter()));
        assert!(!some_has_keys([shard(0, Some(5))].iter()));
    }

    #[test]
    fn what_is_asked_for_is_awaited_until_it_is_free() {
        let shards = [shard(1, Some(0)), shard(1, Some(0))];
        assert!(shards[0].ask(100) && !shards[0].ask(50));
        assert_eq!((awaited_bytes(shards.iter()), shards[1].is_asked()), (150, false));
        shards[0].note_evicted(90, false);
        assert_eq!(awaited_bytes(shards.iter()), 60);
        shards[0].note_evicted(1000, true);
        assert!(!shards[0].is_asked());
        assert_eq!(awaited_bytes(shards.iter()), 1000, "a large value is freed in slices");
        shards[0].note_freed();
        assert_eq!(awaited_bytes(shards.iter()), 0);
        shards[1].ask(5);
        shards[1].forget_asked();
        assert_eq!(awaited_bytes(shards.iter()), 0);
    }
}
