//! Keys that are to be left alone for a while: nothing expires or evicts them of itself.

use std::collections::HashSet;

use table::Hash;

use crate::Keyspace;

/// The keys that are left alone, by hash, in all databases.
#[derive(Debug, Default)]
pub(crate) struct Spared {
    everything: bool,
    keys: HashSet<u64>,
}

impl Spared {
    #[inline]
    pub(crate) fn has(&self, hash: Hash) -> bool {
        self.everything || (!self.keys.is_empty() && self.keys.contains(&hash.to_bits()))
    }
}

impl Keyspace {
    /// Leaves the keys with these hashes alone from now on, and no others.
    pub fn spare(&mut self, keys: impl Iterator<Item = u64>) {
        self.spared.everything = false;
        self.spared.keys.clear();
        self.spared.keys.extend(keys);
    }

    /// Leaves all keys alone from now on.
    pub const fn spare_everything(&mut self) {
        self.spared.everything = true;
    }

    /// Leaves no key alone any more.
    #[inline]
    pub fn spare_nothing(&mut self) {
        self.spared.everything = false;
        self.spared.keys.clear();
    }
}
