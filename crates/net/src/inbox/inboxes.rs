//! All inboxes of a server, as producers see them, and each one's consuming end.
//!
//! [`Inboxes`] is shared by all core threads and only pushes. [`Inbox`] belongs to one core thread
//! and only takes; there is one for each shard, it cannot be cloned, and taking needs `&mut`: so
//! "one consumer" is checked by the compiler.

use std::fmt;

use super::batch::Batch;
use super::envelope::Envelope;
use super::markers::Markers;
use super::queue::{Queue, Wake};
use super::sync::Arc;

/// The pushing side of every shard's inbox, by the shard's index.
pub struct Inboxes<T> {
    /// One for each shard. Each lies in an allocation of its own, aligned against false sharing.
    queues: Box<[Arc<Queue<T>>]>,
}

/// The taking end of one shard's inbox: owned by the shard's core thread.
///
/// Life of the consumer: look ([`is_empty`](Self::is_empty)) before each local command and each
/// tick, [`take`](Self::take) what is there and run it before going on; with nothing to do,
/// [`prepare_sleep`](Self::prepare_sleep), sleep, [`awake`](Self::awake).
pub struct Inbox<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Inboxes<T> {
    /// The inboxes of `shards` shards, and the taking ends in the order of the shards.
    pub fn new(shards: usize) -> (Arc<Self>, Vec<Inbox<T>>) {
        let queues: Box<[_]> = (0..shards).map(|_| Arc::new(Queue::new())).collect();
        let ends = queues.iter().map(|queue| Inbox { queue: Arc::clone(queue) }).collect();
        (Arc::new(Self { queues }), ends)
    }

    /// Number of shards.
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether there are no shards at all.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Enqueues one message for `shard`, which logically takes effect now.
    ///
    /// Constant, wait-free but for contention, except while a transaction is being enqueued there.
    /// A core thread may push into its own shard's inbox. Panics if there is no such shard.
    pub fn push(&self, shard: usize, envelope: Envelope<T>) -> Wake {
        self.queues[shard].push(envelope)
    }

    /// Enqueues the markers of one transaction as one step, and empties `markers` for the next use.
    ///
    /// Whoever takes a marker may act on it at once: all the others are in. `wake` is called for
    /// each shard that must be woken, after the last marker is in and all bits are cleared.
    /// Panics, with nothing enqueued, if a shard is named twice or does not exist.
    pub fn push_all(&self, markers: &mut Markers<T>, mut wake: impl FnMut(usize)) {
        markers.settle(self.queues.len());
        if let [only] = markers.entries_mut() {
            // One participant needs no bit: a single is a step by itself.
            only.put_by(|shard, envelope| self.queues[shard].push(envelope));
        } else {
            // Nothing between the first hold and the last release can panic: shards are checked.
            for marker in markers.entries_mut() {
                marker.put_by(|shard, envelope| self.queues[shard].hold(envelope));
            }
            for marker in markers.entries_mut() {
                self.queues[marker.shard()].release();
            }
        }
        for shard in markers.drain_sleepers() {
            wake(shard);
        }
    }
}

impl<T> Inbox<T> {
    /// Whether there is nothing to take. One load of a line that is in this core's cache unless
    /// somebody pushed: cheap enough to ask before each local command.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes all that is in the inbox, in its order.
    ///
    /// Linear in what is there, with no allocation. Waits while a transaction is being enqueued.
    pub fn take(&mut self) -> Batch<T> {
        self.queue.take()
    }

    /// Announces that this core thread is about to sleep. False: work came, do not sleep.
    ///
    /// After true, exactly one push will be told to wake the consumer (or none, if none comes
    /// before [`awake`](Self::awake)). Announcing twice is the same as once.
    pub fn prepare_sleep(&mut self) -> bool {
        self.queue.prepare_sleep()
    }

    /// To be called after sleeping, whatever the sleep was ended by; harmless without one.
    ///
    /// A wake-up that a push already owes may still arrive later.
    pub fn awake(&mut self) {
        self.queue.awake();
    }
}

impl<T> fmt::Debug for Inboxes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inboxes").field("shards", &self.len()).finish()
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("is_empty", &self.is_empty()).finish()
    }
}
