//! `maxmemory`: room is made before a command that may need memory runs.
//!
//! What counts is the whole server's memory: each core thread says what its records, its objects
//! and its buffers take, and all add these up. A shard that finds the sum too high evicts its own
//! keys, by the policy, until there is room or the time that `maxmemory-eviction-tenacity` gives
//! has passed (half a millisecond by default); what is left is done in the background, by all
//! shards, so that memory falls also where nobody writes.
//!
//! Nothing is ever refused in the middle of a transaction over several shards: its home asks before
//! the parts are sent.

use commands::ShardCommand;
use keyspace::{Eviction, EvictionPolicy};
use resp::CommandError;
use spec::Flags;

use crate::core::Core;

impl Core {
    /// Makes room for a command that is about to run here.
    ///
    /// # Errors
    /// There is none, and no key may go.
    #[inline]
    pub(crate) fn make_room_for(&mut self, command: &ShardCommand) -> Result<(), CommandError> {
        if self.settings.limits.memory_bytes_max == 0 || !command.spec.flags.has(Flags::DENYOOM) {
            return Ok(());
        }
        if self.make_room() { Ok(()) } else { Err(CommandError::OutOfMemory) }
    }

    /// Evicts keys of this shard while the server's memory is above `maxmemory`, for a bounded
    /// time. False: it still is, and no key may go.
    pub(crate) fn make_room(&mut self) -> bool {
        self.make_room_until(u64::MAX)
    }

    /// The same, but not beyond `until_ns` either: one key at least.
    pub(crate) fn make_room_until(&mut self, until_ns: u64) -> bool {
        let max = self.settings.limits.memory_bytes_max;
        if max == 0 || self.pause.is_active(self.time.unix_ms()) {
            return true;
        }
        self.publish_memory();
        if self.shared.memory_bytes() <= max {
            return true;
        }
        let tenacity_ns = self.settings.limits.evict_ns_max;
        let until_ns = until_ns.min(self.time.now_ns().saturating_add(tenacity_ns));
        loop {
            // What is deleted already goes first: no further key has to for it.
            if self.shard.keyspace.doomed().is_empty() && !self.evict_one() {
                return self.others_may_evict();
            }
            self.shard.keyspace.doomed_mut().free_slice(1);
            self.publish_memory();
            if self.shared.memory_bytes() <= max || self.time.now_ns() >= until_ns {
                return true;
            }
        }
    }

    /// Evicts a key of this shard and logs that. False: none may go.
    fn evict_one(&mut self) -> bool {
        let shard = &mut self.shard;
        shard.spare_claimed();
        let eviction = shard.keyspace.evict_one(&mut shard.effects);
        shard.record_background(self.time.unix_ms());
        eviction != Eviction::Nothing
    }

    /// Whether memory is above `maxmemory` and keys may go: then the background goes on evicting.
    pub(crate) fn has_to_evict(&self) -> bool {
        let max = self.settings.limits.memory_bytes_max;
        max != 0
            && self.settings.keyspace.eviction != EvictionPolicy::NoEviction
            && self.shared.memory_bytes() > max
            && self.shard.keys() > 0
            && !self.pause.is_active(self.time.unix_ms())
    }

    /// Whether memory is above `maxmemory` and only the command itself can be refused.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let max = self.settings.limits.memory_bytes_max;
        max != 0
            && self.settings.keyspace.eviction == EvictionPolicy::NoEviction
            && self.shared.memory_bytes() > max
    }

    /// This shard has nothing to evict: whether another one can have, and will in the background.
    fn others_may_evict(&self) -> bool {
        let policy = self.settings.keyspace.eviction;
        self.mail.shards() > 1
            && policy != EvictionPolicy::NoEviction
            && !policy.is_volatile()
            && self.shard.keys() == 0
    }

    /// At the end of a tick: where memory is bounded, what this tick freed must not keep others
    /// evicting.
    #[inline]
    pub(crate) fn publish_bounded_memory(&mut self) {
        if self.settings.limits.memory_bytes_max != 0 {
            self.publish_memory();
        }
    }

    /// Tells the others how much memory this shard and its connections use: the records' slabs, and
    /// what this thread has from the allocator (objects, buffers, tables of connections). A thread
    /// that frees what another allocated counts less than nothing; the sum is right.
    pub(crate) fn publish_memory(&mut self) {
        let records = self.shard.keyspace.bytes_mapped() as i64;
        self.shared.publish_memory(self.mail.shard, records, self.heap.bytes());
    }
}
