//! How much goes into one chunk of a list, as the configuration says it now.

/// Bytes of a chunk whose limit is a count: Redis' `SIZE_SAFETY_LIMIT`.
const COUNTED_CHUNK_BYTES_MAX: usize = 8 << 10;

/// What Redis allows for what an entry needs besides its bytes (`SIZE_ESTIMATE_OVERHEAD`).
const ENTRY_OVERHEAD_BYTES: usize = 8;

/// The limits of a chunk, which are those of a whole list that is one listpack too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    bytes_max: usize,
    elements_max: usize,
    /// Whether the bytes are the limit, and not the number of elements.
    by_bytes: bool,
}

impl ListLimits {
    /// The limits that a value of `list-max-listpack-size` means: a positive one is a number of
    /// elements (0 counts as 1), -1 to -5 are 4, 8, 16, 32 and 64 KiB.
    #[must_use]
    pub const fn of(list_max_listpack_size: i64) -> Self {
        if list_max_listpack_size >= 0 {
            let elements_max = if list_max_listpack_size == 0 { 1 } else { list_max_listpack_size };
            let elements_max = elements_max as usize;
            return Self { bytes_max: COUNTED_CHUNK_BYTES_MAX, elements_max, by_bytes: false };
        }
        let level = if list_max_listpack_size < -5 { 5 } else { -list_max_listpack_size };
        Self { bytes_max: (2 << 10) << level, elements_max: usize::MAX, by_bytes: true }
    }

    /// Whether a listpack of `bytes` and `elements` is more than a chunk may hold.
    #[inline]
    pub(super) const fn exceeded_by(self, bytes: usize, elements: usize) -> bool {
        bytes > self.bytes_max || elements > self.elements_max
    }

    /// Whether an entry of `added` bytes may come to a chunk of `bytes` and `elements`.
    #[inline]
    pub(super) const fn allow(self, bytes: usize, elements: usize, added: usize) -> bool {
        !self.exceeded_by(bytes + added + ENTRY_OVERHEAD_BYTES, elements + 1)
    }

    /// Whether an element of `bytes` is larger than a chunk, and hence one of its own.
    #[inline]
    pub(super) const fn is_plain(self, bytes: usize) -> bool {
        bytes > self.bytes_max
    }

    /// Whether a list that shrank to one chunk of `bytes` and `elements` becomes a listpack: at
    /// half of the limit, so that it does not go back and forth. The safety limit of counted chunks
    /// does not matter here, as in Redis.
    pub(super) const fn shrunk(self, bytes: usize, elements: usize) -> bool {
        if self.by_bytes { bytes <= self.bytes_max / 2 } else { elements <= self.elements_max / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::ListLimits;

    #[test]
    fn sizes_are_levels_or_counts() {
        for (size, bytes) in [(-1, 4096), (-2, 8192), (-3, 16_384), (-5, 65_536), (-9, 65_536)] {
            let limits = ListLimits::of(size);
            assert!(!limits.exceeded_by(bytes, usize::MAX));
            assert!(limits.exceeded_by(bytes + 1, 1));
            assert!(limits.is_plain(bytes + 1) && !limits.is_plain(bytes));
            assert!(limits.shrunk(bytes / 2, usize::MAX) && !limits.shrunk(bytes / 2 + 1, 1));
        }
        for (size, elements) in [(0, 1), (1, 1), (128, 128)] {
            let limits = ListLimits::of(size);
            assert!(!limits.exceeded_by(8192, elements) && limits.exceeded_by(7, elements + 1));
            assert!(limits.exceeded_by(8193, 1));
            assert!(limits.shrunk(9000, elements / 2) && !limits.shrunk(7, elements / 2 + 1));
        }
    }
}
