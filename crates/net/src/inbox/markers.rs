//! The markers of one transaction, gathered before they are enqueued as one step.
//!
//! Holding bits must be short and must not fail half-way. So all envelopes are made and all shards
//! are checked before the first bit is held, in a buffer that is used again and again.

use super::envelope::Envelope;
use super::queue::Wake;

/// A reusable buffer of markers, at most one for each shard. Keeps its capacity when emptied.
pub struct Markers<T> {
    entries: Vec<Marker<T>>,
}

/// One participant's marker on its way.
pub(super) struct Marker<T> {
    /// Index of the shard into whose inbox it goes.
    shard: usize,
    /// None once it is in.
    envelope: Option<Envelope<T>>,
    /// Whether putting it in found the consumer asleep.
    wake: Wake,
}

impl<T> Markers<T> {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds the marker for `shard`. Any order will do; ascending order saves a sort.
    pub fn add(&mut self, shard: usize, envelope: Envelope<T>) {
        self.entries.push(Marker { shard, envelope: Some(envelope), wake: Wake::NotNeeded });
    }

    /// Number of participants so far.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no participant yet.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Brings the markers into ascending order of shards, which is what keeps holders from waiting
    /// for each other in a circle. Panics if a shard is named twice (its holder would wait for
    /// itself, for ever) or is not below `shards`.
    pub(super) fn settle(&mut self, shards: usize) {
        if !self.entries.is_sorted_by_key(|marker| marker.shard) {
            self.entries.sort_unstable_by_key(|marker| marker.shard);
        }
        let ascends = self.entries.windows(2).all(|pair| pair[0].shard < pair[1].shard);
        assert!(ascends, "a transaction has one marker for a shard");
        let exist = self.entries.last().is_none_or(|last| last.shard < shards);
        assert!(exist, "a marker is for a shard that exists");
    }

    pub(super) fn entries_mut(&mut self) -> &mut [Marker<T>] {
        &mut self.entries
    }

    /// Empties the buffer; gives the shards whose consumers must be woken.
    pub(super) fn drain_sleepers(&mut self) -> impl Iterator<Item = usize> {
        self.entries.drain(..).filter(|marker| marker.wake == Wake::Needed).map(|m| m.shard)
    }
}

impl<T> Default for Markers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Marker<T> {
    /// Puts the envelope in, if it is not in yet.
    pub(super) fn put_by(&mut self, put: impl FnOnce(usize, Envelope<T>) -> Wake) {
        if let Some(envelope) = self.envelope.take() {
            self.wake = put(self.shard, envelope);
        }
    }

    pub(super) const fn shard(&self) -> usize {
        self.shard
    }
}
