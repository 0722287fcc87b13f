//! What the configuration says about keys and their memory. The server sets it at start and on
//! `CONFIG SET`; the names are those of the directives.

/// `maxmemory-policy`: which key goes when memory is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// None: writes that need memory are refused.
    #[default]
    NoEviction,
    /// The one not used for longest, of all.
    AllkeysLru,
    /// The one used least often, of all.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// The one not used for longest, of those that expire.
    VolatileLru,
    /// The one used least often, of those that expire.
    VolatileLfu,
    /// Any of those that expire.
    VolatileRandom,
    /// The one that expires next.
    VolatileTtl,
}

impl EvictionPolicy {
    /// Every policy with the word that `maxmemory-policy` takes.
    pub const NAMED: [(Self, &'static str); 8] = [
        (Self::VolatileLru, "volatile-lru"),
        (Self::VolatileLfu, "volatile-lfu"),
        (Self::VolatileRandom, "volatile-random"),
        (Self::VolatileTtl, "volatile-ttl"),
        (Self::AllkeysLru, "allkeys-lru"),
        (Self::AllkeysLfu, "allkeys-lfu"),
        (Self::AllkeysRandom, "allkeys-random"),
        (Self::NoEviction, "noeviction"),
    ];

    /// The policy called `name`, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|it| it.0)
    }

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }

    /// Whether the access bits of a record count how often, rather than say when.
    #[inline]
    #[must_use]
    pub const fn is_lfu(self) -> bool {
        matches!(self, Self::AllkeysLfu | Self::VolatileLfu)
    }

    /// Whether it asks when or how often a key was used.
    #[must_use]
    pub const fn needs_access_bits(self) -> bool {
        matches!(self, Self::AllkeysLru | Self::VolatileLru) || self.is_lfu()
    }

    /// Whether only keys that expire may go.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl
        )
    }
}

/// What happens to a key that is past its moment when it is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpiryMode {
    /// It is deleted, and that is logged: the usual mode.
    #[default]
    Delete,
    /// It is not seen, and stays: while writes are paused, and on a replica, whose primary deletes.
    Hide,
    /// It is seen: while a log is replayed, which deletes by its own records.
    Ignore,
}

/// The `lazyfree-lazy-*` directives. Values of any size are freed in slices in either case; these
/// say whether the log says UNLINK or DEL, and what FLUSHALL without an argument does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LazyFree {
    /// `lazyfree-lazy-expire`.
    pub expire: bool,
    /// `lazyfree-lazy-eviction`.
    pub eviction: bool,
    /// `lazyfree-lazy-server-del`.
    pub server_del: bool,
    /// `lazyfree-lazy-user-del`.
    pub user_del: bool,
    /// `lazyfree-lazy-user-flush`.
    pub user_flush: bool,
}

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `maxmemory-policy`.
    pub eviction: EvictionPolicy,
    /// Whether small integers pass for shared values, as in Redis unless each needs an access time
    /// of its own for eviction: what OBJECT REFCOUNT says.
    pub integers_shared: bool,
    /// `maxmemory-samples`: records looked at to find one to evict, 1 or more.
    pub eviction_samples: u32,
    /// `lfu-log-factor`: how slowly the LFU counter grows.
    pub lfu_log_factor: u32,
    /// `lfu-decay-time`: minutes after which it falls by one, 0 for never.
    pub lfu_decay_minutes: u32,
    /// `active-expire-effort`, 1 to 10.
    pub expire_effort: u32,
    /// `DEBUG SET-ACTIVE-EXPIRE`.
    pub active_expire: bool,
    /// What happens to keys that are past their moment.
    pub expiry: ExpiryMode,
    /// The `lazyfree-lazy-*` directives.
    pub lazy_free: LazyFree,
}

impl Default for Settings {
    /// Redis' defaults (redis.conf).
    fn default() -> Self {
        Self {
            eviction: EvictionPolicy::NoEviction,
            integers_shared: true,
            eviction_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            expire_effort: 1,
            active_expire: true,
            expiry: ExpiryMode::Delete,
            lazy_free: LazyFree::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EvictionPolicy;

    #[test]
    fn policies_have_their_names() {
        for (policy, name) in EvictionPolicy::NAMED {
            assert_eq!(policy.name(), name);
            assert_eq!(EvictionPolicy::named(&name.to_ascii_uppercase()), Some(policy));
            assert_eq!(policy.is_volatile(), name.starts_with("volatile"));
            assert_eq!(policy.is_lfu(), name.ends_with("lfu"));
        }
        assert_eq!(EvictionPolicy::named("lru"), None);
    }
}
