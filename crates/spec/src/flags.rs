//! What a command is allowed to do and needs, as a set of bits. The names are those that `COMMAND`
//! prints; some flags are for this server only and have none.

use std::ops::BitOr;

/// A set of command flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// May change the keyspace.
    pub const WRITE: Self = Self(1);
    /// Reads keys and changes none.
    pub const READONLY: Self = Self(1 << 1);
    /// May need memory: refused when `maxmemory` is reached and nothing can be evicted.
    pub const DENYOOM: Self = Self(1 << 2);
    /// For operators.
    pub const ADMIN: Self = Self(1 << 3);
    /// About channels.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not allowed in a script.
    pub const NOSCRIPT: Self = Self(1 << 5);
    /// May block the connection.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while the data set is loading.
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a replica whose data is stale.
    pub const STALE: Self = Self(1 << 8);
    /// Not shown to monitors.
    pub const SKIP_MONITOR: Self = Self(1 << 9);
    /// Not kept in the slow log.
    pub const SKIP_SLOWLOG: Self = Self(1 << 10);
    /// Served during a slot migration without `ASKING`.
    pub const ASKING: Self = Self(1 << 11);
    /// Constant or logarithmic time.
    pub const FAST: Self = Self(1 << 12);
    /// Needs no authentication.
    pub const NO_AUTH: Self = Self(1 << 13);
    /// Could replicate although it reads.
    pub const MAY_REPLICATE: Self = Self(1 << 14);
    /// Not allowed inside `MULTI`.
    pub const NO_MULTI: Self = Self(1 << 15);
    /// Its keys cannot all be found by the key specs: clients have to ask.
    pub const MOVABLE_KEYS: Self = Self(1 << 16);
    /// Allowed while a script is busy.
    pub const ALLOW_BUSY: Self = Self(1 << 17);
    /// Answered while another command of its kind runs; not asynchronous-loading safe.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 18);
    /// May be called without any of the keys that it can have.
    pub const NO_MANDATORY_KEYS: Self = Self(1 << 19);
    /// Runs between MULTI and EXEC, instead of being queued. Not public.
    pub const RUNS_IN_MULTI: Self = Self(1 << 20);
    /// Runs what was queued, and so has the flags of all that; refused, it gives it up. Not public.
    pub const RUNS_QUEUE: Self = Self(1 << 21);
    /// Sends nothing that could overtake what its connection sent before. Not public.
    pub const OVERTAKES_NOTHING: Self = Self(1 << 22);
    /// Has to be allowed by `enable-debug-command`. Its subcommands are one command to statistics,
    /// and what is wrong with their words is said in one way. Not public.
    pub const DEBUGS: Self = Self(1 << 23);
    /// Chooses whether replies are sent: without some of them the array that EXEC announces would
    /// not be whole. Not public.
    pub const SWITCHES_REPLIES: Self = Self(1 << 24);
    /// Has to be allowed by `enable-module-command`. Not public.
    pub const CHANGES_MODULES: Self = Self(1 << 25);

    /// All flags of `self` and of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the set flags, in the order in which `COMMAND` lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

/// Flags with the names that `COMMAND` gives them; flags without a public name are absent.
const NAMES: &[(Flags, &str)] = &[
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::ASKING, "asking"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::MAY_REPLICATE, "may_replicate"),
    (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (Flags::NO_ASYNC_LOADING, "no_async_loading"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLE_KEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn names_follow_the_set() {
        let flags = Flags::READONLY | Flags::FAST;
        assert_eq!(flags.names().collect::<Vec<_>>(), ["readonly", "fast"]);
        assert!(flags.has(Flags::FAST) && !flags.has(Flags::WRITE));
        let either = Flags::FAST | Flags::WRITE;
        assert!(flags.has_any(either) && !flags.has(either) && !flags.has_any(Flags::WRITE));
    }
}
