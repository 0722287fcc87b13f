//! A connection that waits, as its home knows it.

use super::apart::Apart;

/// The wait of a connection, from when its command was sent until it is answered.
pub(crate) struct Blocked {
    /// The place in its pipeline that waits.
    pub(crate) place: u64,
    /// Who decides how it ends.
    pub(crate) decides: Decides,
    /// Whether the command was tried in vain, and so the client is seen to wait.
    pub(crate) tried_in_vain: bool,
}

/// Who decides how a wait ends.
pub(crate) enum Decides {
    /// The shard of all its keys.
    Shard(usize),
    /// The home, where the keys live on several shards.
    Home(Apart),
}

impl Blocked {
    /// A command was sent to its shard.
    pub(crate) fn on(shard: usize, place: u64) -> Self {
        Self { place, decides: Decides::Shard(shard), tried_in_vain: false }
    }

    /// A command with keys on several shards.
    pub(crate) fn apart(place: u64, apart: Apart) -> Self {
        Self { place, decides: Decides::Home(apart), tried_in_vain: false }
    }
}
