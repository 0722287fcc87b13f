//! How much memory, what goes when it is full, and who frees it.

use crate::declare::{flag, integer, section, word, words};
use crate::number::Unit;
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;

section! {
    /// The limit, eviction, lazy freeing.
    pub struct Memory {
        /// 0: no limit.
        pub bytes_max: u64,
        /// What goes when the limit is reached.
        pub policy: Policy,
        /// Keys looked at for each one evicted; at least 1.
        pub samples: u32,
        /// How hard to try before a command goes on over the limit, 0 to 100.
        pub eviction_tenacity: u32,
        /// The larger, the more hits a key needs for its LFU counter to grow.
        pub lfu_log_factor: u32,
        /// Minutes after which the LFU counter of an unused key is decremented; 0: at every look.
        pub lfu_decay_minutes: u32,
        /// Who frees values in slices rather than at once.
        pub lazy_free: LazyFree,
        /// Active defragmentation.
        pub defrag: Defrag,
        /// Whether jemalloc purges in a thread of its own.
        pub jemalloc_background_thread: bool,
    }
    in memory
}

section! {
    /// The `lazyfree-lazy-*` switches.
    pub struct LazyFree {
        /// Values evicted.
        pub eviction: bool,
        /// Values expired.
        pub expire: bool,
        /// Values that a command replaces (RENAME, SET over a list ...).
        pub server_del: bool,
        /// DEL behaves as UNLINK.
        pub user_del: bool,
        /// FLUSHALL, FLUSHDB, SCRIPT FLUSH without SYNC or ASYNC are ASYNC.
        pub user_flush: bool,
    }
}

section! {
    /// The `active-defrag-*` parameters.
    pub struct Defrag {
        /// Whether it runs.
        pub enabled: bool,
        /// Waste below which it does not start.
        pub ignore_bytes: u64,
        /// Fragmentation at which it starts.
        pub threshold_lower_percent: u32,
        /// Fragmentation at which it works hardest.
        pub threshold_upper_percent: u32,
        /// CPU share at the lower threshold.
        pub cycle_min_percent: u32,
        /// CPU share at the upper threshold.
        pub cycle_max_percent: u32,
        /// Elements of a collection that are handled in one go.
        pub scan_fields_max: u64,
    }
}

words! {
    /// `maxmemory-policy`: what goes when `maxmemory` is reached.
    pub enum Policy {
        /// The key with a time to live that was unused longest.
        VolatileLru = "volatile-lru",
        /// The key with a time to live that is used least.
        VolatileLfu = "volatile-lfu",
        /// Any key with a time to live.
        VolatileRandom = "volatile-random",
        /// The key that would expire first.
        VolatileTtl = "volatile-ttl",
        /// The key that was unused longest.
        AllKeysLru = "allkeys-lru",
        /// The key that is used least.
        AllKeysLfu = "allkeys-lfu",
        /// Any key.
        AllKeysRandom = "allkeys-random",
        /// None: commands that need memory are refused.
        NoEviction = "noeviction",
    }
}

impl Policy {
    /// Whether keys without a time to live are safe from eviction (also under `noeviction`).
    pub fn spares_persistent(self) -> bool {
        !matches!(self, Self::AllKeysLru | Self::AllKeysLfu | Self::AllKeysRandom)
    }

    /// Whether keys keep a frequency counter instead of their last access time.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllKeysLfu)
    }
}

const ALWAYS_SLICED: &str = "values too large to free at once are always freed in slices";
const NO_DEFRAG: &str = "Bobbin does not move live values; freed memory goes back to the system";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "maxmemory",
        integer!(memory.bytes_max, 0, 0, u64::MAX, Unit::Memory),
        "Memory that keys, values and buffers may take; 0: no limit.",
    )
    .act(Act::Memory),
    Parameter::new(
        "maxmemory-policy",
        word!(memory.policy: Policy, "noeviction"),
        "What is evicted when `maxmemory` is reached.",
    ),
    Parameter::new(
        "maxmemory-samples",
        integer!(memory.samples, 5, 1, i32::MAX),
        "Keys looked at for each one evicted.",
    ),
    Parameter::new(
        "maxmemory-eviction-tenacity",
        integer!(memory.eviction_tenacity, 10, 0, 100),
        "How long one command may be kept by evictions: 50 us a point up to 10, 15 % more for each \
         further one; 100: until there is room.",
    ),
    Parameter::new(
        "lfu-log-factor",
        integer!(memory.lfu_log_factor, 10, 0, i32::MAX),
        "How slowly the LFU counter grows.",
    ),
    Parameter::new(
        "lfu-decay-time",
        integer!(memory.lfu_decay_minutes, 1, 0, i32::MAX),
        "Minutes after which an unused key's LFU counter decays.",
    ),
    Parameter::new(
        "lazyfree-lazy-eviction",
        flag!(memory.lazy_free.eviction, false),
        "Free evicted values in the background.",
    )
    .inert(ALWAYS_SLICED),
    Parameter::new(
        "lazyfree-lazy-expire",
        flag!(memory.lazy_free.expire, false),
        "Free expired values in the background.",
    )
    .inert(ALWAYS_SLICED),
    Parameter::new(
        "lazyfree-lazy-server-del",
        flag!(memory.lazy_free.server_del, false),
        "Free values that a command replaces in the background.",
    )
    .inert(ALWAYS_SLICED),
    Parameter::new(
        "lazyfree-lazy-user-del",
        flag!(memory.lazy_free.user_del, false),
        "DEL behaves as UNLINK.",
    )
    .inert(ALWAYS_SLICED),
    Parameter::new(
        "lazyfree-lazy-user-flush",
        flag!(memory.lazy_free.user_flush, false),
        "FLUSHALL and FLUSHDB are ASYNC unless they say SYNC.",
    ),
    Parameter::new(
        "jemalloc-bg-thread",
        flag!(memory.jemalloc_background_thread, true),
        "Purge freed memory in a thread of its own.",
    )
    .inert("each core thread purges its own arena; there are no background threads"),
    Parameter::new(
        "activedefrag",
        flag!(memory.defrag.enabled, false, no_defrag),
        "Move values together to give memory back.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-ignore-bytes",
        integer!(memory.defrag.ignore_bytes, 100 << 20, 1, i64::MAX, Unit::Memory),
        "Waste below which defragmentation does not start.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-threshold-lower",
        integer!(memory.defrag.threshold_lower_percent, 10, 0, 1000),
        "Fragmentation in percent at which defragmentation starts.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-threshold-upper",
        integer!(memory.defrag.threshold_upper_percent, 100, 0, 1000),
        "Fragmentation in percent at which defragmentation works hardest.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-cycle-min",
        integer!(memory.defrag.cycle_min_percent, 1, 1, 99),
        "CPU percent at the lower threshold.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-cycle-max",
        integer!(memory.defrag.cycle_max_percent, 25, 1, 99),
        "CPU percent at the upper threshold.",
    )
    .inert(NO_DEFRAG),
    Parameter::new(
        "active-defrag-max-scan-fields",
        integer!(memory.defrag.scan_fields_max, 1000, 1, i64::MAX),
        "Elements of a collection handled in one go.",
    )
    .inert(NO_DEFRAG),
];

/// Redis built against an allocator without defragmentation support says this; so does Bobbin.
fn no_defrag(yes: bool) -> Result<(), Reason> {
    if yes {
        return Err(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled \
             with a modified Jemalloc like the one shipped by default with the Redis source \
             distribution"
                .into(),
        );
    }
    Ok(())
}
