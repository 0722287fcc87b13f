//! Groups (one per command, for documentation) and ACL categories (many per command).

use crate::Flags;

/// The family that a command is documented under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Any key, whatever its type.
    Generic,
    /// Strings.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Hashes.
    Hash,
    /// Channels.
    PubSub,
    /// `MULTI` and its kin.
    Transactions,
    /// The connection itself.
    Connection,
    /// The server itself.
    Server,
    /// Scripts and functions.
    Scripting,
    /// HyperLogLog.
    HyperLogLog,
    /// Cluster.
    Cluster,
    /// Geo.
    Geo,
    /// Streams.
    Stream,
    /// Bits of strings.
    Bitmap,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::PubSub => "pubsub",
            Self::Transactions => "transactions",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Scripting => "scripting",
            Self::HyperLogLog => "hyperloglog",
            Self::Cluster => "cluster",
            Self::Geo => "geo",
            Self::Stream => "stream",
            Self::Bitmap => "bitmap",
        }
    }

    /// The ACL category that membership of the group implies.
    #[must_use]
    pub const fn category(self) -> Categories {
        match self {
            Self::Generic => Categories::KEYSPACE,
            Self::String => Categories::STRING,
            Self::List => Categories::LIST,
            Self::Set => Categories::SET,
            Self::SortedSet => Categories::SORTED_SET,
            Self::Hash => Categories::HASH,
            Self::PubSub => Categories::PUBSUB,
            Self::Transactions => Categories::TRANSACTION,
            Self::Connection => Categories::CONNECTION,
            Self::Scripting => Categories::SCRIPTING,
            Self::HyperLogLog => Categories::HYPERLOGLOG,
            Self::Geo => Categories::GEO,
            Self::Stream => Categories::STREAM,
            Self::Bitmap => Categories::BITMAP,
            Self::Server | Self::Cluster => Categories::NONE,
        }
    }
}

/// A set of ACL categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Categories(u32);

macro_rules! categories {
    ($($constant:ident = $bit:literal, $name:literal, $doc:literal;)*) => {
        impl Categories {
            /// No category.
            pub const NONE: Self = Self(0);
            $(#[doc = $doc] pub const $constant: Self = Self(1 << $bit);)*

            /// Every category with its name, in the order of `ACL CAT`.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$constant, $name),)*];
        }
    };
}

categories! {
    KEYSPACE = 0, "keyspace", "About keys of any type.";
    READ = 1, "read", "Reads keys.";
    WRITE = 2, "write", "Writes keys.";
    SET = 3, "set", "About sets.";
    SORTED_SET = 4, "sortedset", "About sorted sets.";
    LIST = 5, "list", "About lists.";
    HASH = 6, "hash", "About hashes.";
    STRING = 7, "string", "About strings.";
    BITMAP = 8, "bitmap", "About bits of strings.";
    HYPERLOGLOG = 9, "hyperloglog", "About HyperLogLogs.";
    GEO = 10, "geo", "About geo indexes.";
    STREAM = 11, "stream", "About streams.";
    PUBSUB = 12, "pubsub", "About channels.";
    ADMIN = 13, "admin", "For operators.";
    FAST = 14, "fast", "Constant or logarithmic time.";
    SLOW = 15, "slow", "Not fast.";
    BLOCKING = 16, "blocking", "May block the connection.";
    DANGEROUS = 17, "dangerous", "To be kept from ordinary users.";
    CONNECTION = 18, "connection", "About the connection.";
    TRANSACTION = 19, "transaction", "About transactions.";
    SCRIPTING = 20, "scripting", "About scripts.";
}

impl Categories {
    /// All categories of `self` and of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every category of `other` is in the set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The category called `name`, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(it, _)| *it)
    }

    /// The names of the set, in the order of `ACL CAT`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().filter(move |(it, _)| self.has(*it)).map(|(_, name)| *name)
    }

    /// What flags imply, as Redis derives it.
    #[must_use]
    pub const fn implied_by(flags: Flags, declared: Self) -> Self {
        let mut all = declared;
        if flags.has(Flags::WRITE) {
            all = all.with(Self::WRITE);
        }
        if flags.has(Flags::READONLY) && !declared.has(Self::SCRIPTING) {
            all = all.with(Self::READ);
        }
        if flags.has(Flags::ADMIN) {
            all = all.with(Self::ADMIN).with(Self::DANGEROUS);
        }
        if flags.has(Flags::PUBSUB) {
            all = all.with(Self::PUBSUB);
        }
        if flags.has(Flags::BLOCKING) {
            all = all.with(Self::BLOCKING);
        }
        all.with(if flags.has(Flags::FAST) { Self::FAST } else { Self::SLOW })
    }
}
