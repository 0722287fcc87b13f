//! A hash that is quick, and the same in every run: the judge hashes millions of places.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A map hashed by [`Fold`].
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fold>>;

/// A set of hashes, which need no hashing.
pub(crate) type HashesSeen = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// The hash of `value`.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = Fold::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Folds each word in by one wide multiplication.
#[derive(Default)]
pub(crate) struct Fold(u64);

/// The fractional part of the golden ratio, odd.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Fold {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ FACTOR.rotate_left(32)) * u128::from(FACTOR);
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.fold(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Takes a hash as it is.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only words are put into it");
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
