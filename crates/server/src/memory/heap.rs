//! How much memory this thread has from the allocator: two counters that jemalloc keeps for each
//! thread, read without a lock.

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

/// The calling thread's counters. Made and read on the same thread.
pub(crate) struct Heap {
    counters: Option<(ThreadLocal<u64>, ThreadLocal<u64>)>,
}

impl Heap {
    /// The counters of the calling thread; without them (another allocator) nothing is counted.
    pub(crate) fn of_this_thread() -> Self {
        let allocated = allocatedp::read().ok();
        Self { counters: allocated.zip(deallocatedp::read().ok()) }
    }

    /// Counters of nothing: where one thread runs several core threads, each would count it.
    #[cfg(test)]
    pub(crate) const fn uncounted() -> Self {
        Self { counters: None }
    }

    /// Bytes allocated here less bytes freed here.
    pub(crate) fn bytes(&self) -> i64 {
        self.counters
            .as_ref()
            .map_or(0, |(allocated, freed)| allocated.get().wrapping_sub(freed.get()).cast_signed())
    }
}
