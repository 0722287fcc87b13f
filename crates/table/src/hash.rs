//! Hashes: how a key becomes a place in the table.
//!
//! One 64-bit hash serves everything. Its two ends are used for different things, so that what
//! they decide is independent:
//!
//! ```text
//!  63                                   16 15       8 7        0
//! +---------------------------------------+----------+----------+
//! |        position (48 bits)             |  unused  |  finger- |
//! |  segment, then bucket, then order     |          |  print   |
//! +---------------------------------------+----------+----------+
//! ```
//!
//! * The **position** alone decides where a record lives, and it is the order in which scans and
//!   walks see the records. It fits a SCAN cursor with 16 bits left for whoever spreads the
//!   keyspace over several tables.
//! * The **fingerprint** is the byte kept in the bucket, compared before any record is touched.
//!   Zero means "empty slot", so 0 is mapped to 1: 2 hashes of 256 share a fingerprint, no more.
//!
//! All tables of one server share one [`Hasher`], so a key that travels between core threads is
//! hashed once. The hash is keyed (by the seed given), because whoever chooses the keys must not
//! be able to choose the bucket. It is not stable between builds and never leaves the process.

use std::hash::{BuildHasher as _, Hasher as _};

use ahash::RandomState;

/// Bits of a hash that make up its position.
pub const POSITION_BITS: u32 = 48;

/// The end of the order: one more than the last position.
pub(crate) const POSITION_END: u64 = 1 << POSITION_BITS;

/// The keyed hash function of one server. Small and `Copy`: every core thread has its own.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    keys: [u64; 4],
}

impl Hasher {
    /// A hash function that depends on `seed` in all its bits. Equal seeds hash equally within one
    /// process.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { keys: std::array::from_fn(|_| next_random(&mut state)) }
    }

    /// The hash of `key`. A few nanoseconds for keys of usual length.
    #[inline]
    #[must_use]
    pub fn hash(self, key: &[u8]) -> Hash {
        let [first, second, third, fourth] = self.keys;
        let mut state = RandomState::with_seeds(first, second, third, fourth).build_hasher();
        state.write(key);
        Hash(state.finish())
    }
}

/// The hash of a key. Equal keys have equal hashes; the caller of a table hands in both, and a
/// hash that is not the key's own makes the record unfindable (but is not unsafe).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(u64);

impl Hash {
    /// The place in the order of scans and walks: the top 48 bits.
    #[inline]
    #[must_use]
    pub fn position(self) -> u64 {
        self.0 >> (u64::BITS - POSITION_BITS)
    }

    /// The byte kept in the bucket; never 0.
    #[inline]
    pub(crate) fn fingerprint(self) -> u8 {
        (self.0 as u8).max(1)
    }

    /// All 64 bits, for callers that need a number to send along.
    #[inline]
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The hash that [`Hash::to_bits`] was taken from.
    #[inline]
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The next number of a SplitMix64 sequence: every state leads to another, so any seed is good.
/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), figure 16.
#[inline]
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_hash_equally_and_others_do_not() {
        assert_eq!(Hasher::new(7).hash(b"key"), Hasher::new(7).hash(b"key"));
        assert_ne!(Hasher::new(7).hash(b"key"), Hasher::new(8).hash(b"key"));
        assert_ne!(Hasher::new(7).hash(b"key"), Hasher::new(7).hash(b"kez"));
    }

    #[test]
    fn position_is_the_top_and_fingerprint_never_zero() {
        assert_eq!(Hash::from_bits(u64::MAX).position(), POSITION_END - 1);
        assert_eq!(Hash::from_bits(0xffff).position(), 0);
        assert_eq!(Hash::from_bits(0xab00).fingerprint(), 1);
        assert_eq!(Hash::from_bits(0xabcd).fingerprint(), 0xcd);
    }

    #[test]
    fn short_keys_spread_over_positions_and_fingerprints() {
        let hasher = Hasher::new(1);
        let keys = if cfg!(miri) { 512 } else { 1 << 16 };
        let mut tops = [0_u32; 64];
        let mut lows = [0_u32; 64];
        for number in 0..keys {
            let hash = hasher.hash(format!("{number}").as_bytes());
            tops[(hash.position() >> 42) as usize] += 1;
            lows[(hash.fingerprint() >> 2) as usize] += 1;
        }
        let expected = keys / 64;
        for count in tops.into_iter().chain(lows) {
            // Six standard deviations of a Poisson count: sqrt(1024) = 32, sqrt(8) = 2.9.
            let slack = 6 * (f64::from(expected).sqrt() as u32 + 1);
            assert!(count.abs_diff(expected) < slack, "{count} of {expected}");
        }
    }
}
