//! `maxmemory`: room is made before a command that may need memory runs.
//!
//! What counts is the whole server's memory: each core thread says what its records, its objects
//! and its buffers take, and all add these up. And what goes is decided over the whole server:
//!
//! - Each shard publishes how many keys may go and the standing of its best candidate
//!   ([`Evictable`](crate::memory::evictable::Evictable)). The turn is that of the best standing;
//!   among several, each shard's as likely as it has keys that may go.
//! - A shard that finds the sum too high evicts where the turn is its own, and otherwise asks the
//!   shard whose it is for so many bytes, and wakes it if nothing was asked of it yet. What others
//!   are to give back counts as given back, so nobody evicts for it again.
//! - Commands go on while others evict, until memory is [`excess_bytes_max`] above the limit: then
//!   a shard evicts its own keys, whatever they are.
//! - Only where no shard has a key that may go, commands are refused.
//!
//! All that takes no longer than `maxmemory-eviction-tenacity` allows (half a millisecond by
//! default); what is left is done in the background, by all shards, so that memory falls also where
//! nobody writes.
//!
//! Nothing is ever refused in the middle of a transaction over several shards: its home asks before
//! the parts are sent.

use commands::ShardCommand;
use keyspace::{Eviction, EvictionPolicy};
use resp::CommandError;
use spec::Flags;

use crate::core::Core;
use crate::memory::evictable;

/// How far memory may be above `max` while other shards evict: a 64th of it, 256 KiB at least and
/// 16 MiB at most. What other shards write meanwhile counts as well.
pub(super) fn excess_bytes_max(max: u64) -> u64 {
    (max / 64).clamp(256 << 10, 16 << 20)
}

/// The least that another shard is asked for, where more is missing: as much as some keys have.
const ASKED_BYTES_MIN: u64 = 1024;

/// How an attempt to make room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is some.
    Enough,
    /// The time is up, and this shard has more to do.
    Unfinished,
    /// Others are to evict what is needed; or what may go is held for a moment.
    Awaited,
    /// There is none, and no key of any shard may go.
    Nowhere,
}

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

    /// Has keys evicted while the server's memory is above `maxmemory`, for a bounded time. False:
    /// it still is, and no key may go.
    pub(crate) fn make_room(&mut self) -> bool {
        self.make_room_until(u64::MAX) != Room::Nowhere
    }

    /// The same, but not beyond `until_ns` either: one key at least.
    pub(crate) fn make_room_until(&mut self, until_ns: u64) -> Room {
        let max = self.settings.limits.memory_bytes_max;
        if max == 0 || self.pause.is_active(self.time.unix_ms()) {
            return Room::Enough;
        }
        let mut excess = self.excess_bytes(max);
        if excess == 0 {
            return Room::Enough;
        }
        let tenacity_ns = self.settings.limits.evict_ns_max;
        let until_ns = until_ns.min(self.time.now_ns().saturating_add(tenacity_ns));
        loop {
            // What is deleted already goes first: no further key has to for it.
            if self.shard.keyspace.doomed().is_empty() {
                let room = match self.mail.shards() {
                    1 => self.evict_alone(),
                    _ => self.evict_or_ask(excess, excess > excess_bytes_max(max)),
                };
                if let Some(room) = room {
                    return room;
                }
            }
            self.shard.keyspace.doomed_mut().free_slice(1);
            excess = self.excess_bytes(max);
            if excess == 0 {
                return Room::Enough;
            }
            if self.time.now_ns() >= until_ns {
                return Room::Unfinished;
            }
        }
    }

    /// How far the server's memory is above `max`. Where it is not, nothing is asked of this shard
    /// any more.
    fn excess_bytes(&mut self, max: u64) -> u64 {
        self.publish_memory();
        let excess = self.shared.memory_bytes().saturating_sub(max);
        if excess == 0 {
            self.shared.evictable(self.mail.shard).forget_asked();
        }
        excess
    }

    /// Evicts a key of the only shard. How the attempt ends if none goes.
    fn evict_alone(&mut self) -> Option<Room> {
        (self.evict_one() == Eviction::Nothing).then(|| self.room_where_none_goes())
    }

    /// One of several shards: evicts a key here, or has another shard evict. How the attempt ends
    /// if there is no more to do here.
    fn evict_or_ask(&mut self, excess: u64, urgent: bool) -> Option<Room> {
        let here = self.mail.shard;
        self.shared.evictable(here).note_freed();
        if self.shared.evictable(here).is_asked() {
            return self.evict_here();
        }
        let missing = excess.saturating_sub(evictable::awaited_bytes(self.shared.evictables()));
        if missing == 0 && !urgent {
            return Some(Room::Awaited);
        }
        if self.publish_evictable(false) && urgent {
            return self.evict_here();
        }
        let draw = self.shard.keyspace.random();
        match evictable::choose(self.shared.evictables(), draw) {
            None => Some(self.room_where_none_goes()),
            Some(shard) if shard == here => self.evict_here(),
            Some(_) if missing == 0 => Some(Room::Awaited),
            Some(shard) => {
                // In pieces: whose turn it is changes.
                let bytes = missing.min((missing / 8).max(ASKED_BYTES_MIN));
                if self.shared.evictable(shard).ask(bytes) {
                    self.mail.call(shard, |core| core.background.pending = true);
                }
                None
            }
        }
    }

    /// Evicts a key of this shard, one of several, and tells the others. How the attempt ends if
    /// none goes.
    fn evict_here(&mut self) -> Option<Room> {
        let Eviction::Evicted { bytes } = self.evict_one() else {
            let own = self.shared.evictable(self.mail.shard);
            own.forget_asked();
            own.publish_standing(None);
            return Some(self.room_where_none_goes());
        };
        let is_freeing = !self.shard.keyspace.doomed().is_empty();
        self.shared.evictable(self.mail.shard).note_evicted(bytes as u64, is_freeing);
        self.publish_evictable(false);
        None
    }

    /// Evicts a key of this shard and logs that.
    fn evict_one(&mut self) -> Eviction {
        let shard = &mut self.shard;
        shard.spare_claimed();
        let eviction = shard.keyspace.evict_one(&mut shard.effects);
        shard.record_background(self.time.unix_ms());
        eviction
    }

    /// No key goes at present: whether one may, of any shard.
    fn room_where_none_goes(&self) -> Room {
        self.publish_evictable_keys();
        let some = evictable::some_has_keys(self.shared.evictables());
        if some { Room::Awaited } else { Room::Nowhere }
    }

    /// Whether memory is above `maxmemory` and keys of this shard may go: then the background goes
    /// on evicting.
    pub(crate) fn has_to_evict(&self) -> bool {
        let max = self.settings.limits.memory_bytes_max;
        max != 0
            && self.shared.memory_bytes() > max
            && self.shard.keyspace.evictable_keys() > 0
            && !self.pause.is_active(self.time.unix_ms())
    }

    /// Whether memory is above `maxmemory` and only the command itself can be refused.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let max = self.settings.limits.memory_bytes_max;
        max != 0
            && self.settings.keyspace.eviction == EvictionPolicy::NoEviction
            && self.shared.memory_bytes() > max
    }

    /// At the end of a tick: where memory is bounded, what this tick freed must not keep others
    /// evicting, nor what it deleted keep them waiting.
    #[inline]
    pub(crate) fn publish_bounded_memory(&mut self) {
        if self.settings.limits.memory_bytes_max != 0 {
            self.publish_memory();
            self.publish_evictable_keys();
            if self.shard.keyspace.doomed().is_empty() {
                self.shared.evictable(self.mail.shard).note_freed();
            }
        }
    }

    /// Once a period: where memory is bounded, tells the others what could go here, after a look at
    /// further keys.
    pub(crate) fn publish_bounded_evictable(&mut self) {
        if self.settings.limits.memory_bytes_max != 0 && self.mail.shards() > 1 {
            self.publish_evictable(true);
        }
    }

    /// Tells the others how many keys may go here, and how the best of them stands; `anew`: after a
    /// look at further keys. False: none can go at present.
    fn publish_evictable(&mut self, anew: bool) -> bool {
        self.publish_evictable_keys();
        self.shard.spare_claimed();
        let standing = self.shard.keyspace.standing(anew);
        self.shared.evictable(self.mail.shard).publish_standing(standing);
        standing.is_some()
    }

    fn publish_evictable_keys(&self) {
        let keys = self.shard.keyspace.evictable_keys();
        self.shared.evictable(self.mail.shard).publish_keys(keys);
    }

    /// Tells the others how much memory this shard and its connections use: the records' slabs, and
    /// what this thread has from the allocator (objects, buffers, tables of connections). A thread
    /// that frees what another allocated counts less than nothing; the sum is right.
    pub(crate) fn publish_memory(&mut self) {
        let records = self.shard.keyspace.bytes_mapped() as i64;
        self.shared.publish_memory(self.mail.shard, records, self.heap.bytes());
    }
}
