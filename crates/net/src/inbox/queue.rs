//! The word of one inbox and its four changes: push, hold and release, take, sleep.
//!
//! The module's essay (`inbox`) has the picture and the proof. Here, why each ordering suffices:
//!
//! - Changes of `head` by compare-and-swap acquire and release. Release publishes the node (its
//!   link and message) to the consumer; acquire carries "happens before" from one push to the next
//!   of the same inbox, which the proof needs for pushes to *other* inboxes.
//! - `release` is a plain store: while the bit is held nobody else changes the word. It releases
//!   all of the transaction's pushes, since the holder made them before; whoever gets past the bit
//!   has acquired this store, directly or through a chain of read-modify-writes.
//! - The look of `is_empty` needs no more than coherence: what happened before the look is
//!   seen by it. It acquires all the same, which is free on x86 and nearly so elsewhere.
//! - The first look of a push or take is a guess that the compare-and-swap checks: relaxed.

use std::marker::PhantomData;

use super::batch::Batch;
use super::envelope::Envelope;
use super::sync::{AtomicUsize, Ordering, Patience};

/// Set in `head` while a transaction's markers are being enqueued: nobody but its holder may
/// change the word.
const HELD: usize = 1;

/// The word of an empty inbox whose consumer sleeps. No address: nodes are aligned to 4 at least.
const ASLEEP: usize = 2;

/// Whether the push found the consumer asleep, so that this pusher must wake it.
///
/// Exactly one push gets `Needed` for each time that the consumer went to sleep. The wake-up may
/// find the consumer awake already (it looked by itself): it must be harmless then.
#[must_use = "a consumer that nobody wakes sleeps on with work in its inbox"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The consumer had announced its sleep: wake it.
    Needed,
    /// The consumer is awake, or somebody else is waking it.
    NotNeeded,
}

/// One inbox, as its producers and its consumer share it.
///
/// Aligned to 128 bytes, two cache lines: adjacent lines are prefetched in pairs on x86, and some
/// ARM cores have lines of 128.
#[repr(align(128))]
pub(super) struct Queue<T> {
    /// See the picture in the module's essay. Owns the nodes that it leads to.
    head: AtomicUsize,
    owns: PhantomData<Envelope<T>>,
}

// SAFETY:
// - the queue owns `T`s and moves them between threads, hence `T: Send`
// - it never gives out a `&T`, so sharing it needs nothing more of `T`
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: see above; all changes go through one atomic word
unsafe impl<T: Send> Sync for Queue<T> {}

impl<T> Queue<T> {
    /// An empty inbox whose consumer is awake.
    pub(super) fn new() -> Self {
        Self { head: AtomicUsize::new(0), owns: PhantomData }
    }

    /// Puts a single message on top.
    pub(super) fn push(&self, envelope: Envelope<T>) -> Wake {
        self.put(envelope, 0)
    }

    /// Puts a marker on top and holds the bit. [`release`](Self::release) must follow, by the same
    /// thread, soon, and with no panic in between.
    pub(super) fn hold(&self, envelope: Envelope<T>) -> Wake {
        self.put(envelope, HELD)
    }

    /// Clears the bit that the caller holds.
    pub(super) fn release(&self) {
        let head = self.head.load(Ordering::Relaxed);
        debug_assert!(head & HELD != 0, "released by its holder, once");
        self.head.store(head & !HELD, Ordering::Release);
    }

    fn put(&self, envelope: Envelope<T>, flag: usize) -> Wake {
        let mut head = self.wait_released(self.head.load(Ordering::Relaxed));
        loop {
            envelope.link(if head == ASLEEP { 0 } else { head });
            let top = envelope.address() | flag;
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, top, success, failure) {
                Ok(_) => break,
                Err(now) => head = self.wait_released(now),
            }
        }
        // The word owns the node now. The consumer may have taken it already, and freed it: from
        // here on this thread must not touch it.
        std::mem::forget(envelope);
        if head == ASLEEP { Wake::Needed } else { Wake::NotNeeded }
    }

    /// Takes everything, oldest first. For the consumer only.
    pub(super) fn take(&self) -> Batch<T> {
        let mut head = self.wait_released(self.head.load(Ordering::Relaxed));
        loop {
            if is_vacant(head) {
                return Batch::empty();
            }
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, 0, success, failure) {
                Ok(_) => break,
                Err(now) => head = self.wait_released(now),
            }
        }
        // SAFETY:
        // - the word owned the list, and led to it no more after the swap: it is ours
        // - the swap acquired the pushes of all nodes: the newest by its own release, older ones
        //   because every push acquires the one before
        unsafe { Batch::from_stack(head) }
    }

    /// Whether there is nothing to take. One load. A held bit counts as something.
    pub(super) fn is_empty(&self) -> bool {
        is_vacant(self.head.load(Ordering::Acquire))
    }

    /// Announces that the consumer sleeps, unless there is work: then false.
    pub(super) fn prepare_sleep(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.head.compare_exchange(0, ASLEEP, success, failure) {
            Ok(_) => true,
            Err(now) => now == ASLEEP,
        }
    }

    /// Takes the announcement back. Whoever pushed since then has done so already.
    pub(super) fn awake(&self) {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        // Failing means that a push replaced the announcement: nothing is left to take back.
        let _ = self.head.compare_exchange(ASLEEP, 0, success, failure);
    }

    /// Waits until the bit is clear, beginning with a look already made; the last look.
    fn wait_released(&self, mut head: usize) -> usize {
        let mut patience = Patience::new();
        while head & HELD != 0 {
            patience.wait();
            head = self.head.load(Ordering::Relaxed);
        }
        head
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        // Nobody else can reach the queue, so no bit is held: a holder borrows it.
        drop(self.take());
    }
}

/// Whether this word of an inbox leads to no node.
const fn is_vacant(head: usize) -> bool {
    head & !ASLEEP == 0
}
