//! What one look into an inbox took out: envelopes in their one order.
//!
//! A batch is the taken stack, reversed in place: a linked list of owned nodes, oldest first. The
//! reversal visits every node once, which also fetches the start of every message into the cache.
//! [`Batch::iter`] looks ahead without taking anything out, so that a tick can prefetch the keys of
//! the whole batch before it runs the first command.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use super::envelope::Envelope;

/// Owned envelopes in the order in which they were pushed; as an iterator it gives them out.
///
/// Dropping it drops what it still holds. Taking one out costs no allocation.
pub struct Batch<T> {
    /// Address of the oldest node, linked to the next newer one; 0 if there is none. All nodes of
    /// the list are owned by this batch.
    oldest: usize,
    /// Number of nodes in the list.
    len: usize,
    owns: PhantomData<Envelope<T>>,
}

impl<T> Batch<T> {
    /// A batch that holds nothing.
    pub const fn empty() -> Self {
        Self { oldest: 0, len: 0, owns: PhantomData }
    }

    /// Turns a stack (newest first) into a batch (oldest first). Linear in its length.
    ///
    /// # Safety
    /// `newest` is 0 or the address of a node that links down to 0, all of type `T`, all owned by
    /// the caller, who hands them over, and whose pushes happened before.
    pub(super) unsafe fn from_stack(newest: usize) -> Self {
        let (mut address, mut newer, mut len) = (newest, 0, 0);
        while address != 0 {
            // SAFETY: owned by the caller and handed over; given back to the list just below
            let envelope = unsafe { Envelope::<T>::from_address(address) };
            let older = envelope.linked();
            envelope.link(newer);
            newer = envelope.into_address();
            address = older;
            len += 1;
        }
        Self { oldest: newer, len, owns: PhantomData }
    }

    /// Looks at the messages, oldest first, leaving them where they are.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { next: self.oldest, len: self.len, batch: PhantomData }
    }

    /// Number of envelopes that it still holds.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing (any more).
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> Iterator for Batch<T> {
    type Item = Envelope<T>;

    fn next(&mut self) -> Option<Envelope<T>> {
        if self.oldest == 0 {
            return None;
        }
        // SAFETY: the batch owns the node, and forgets its address in the next lines
        let envelope = unsafe { Envelope::<T>::from_address(self.oldest) };
        self.oldest = envelope.linked();
        self.len -= 1;
        Some(envelope)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl<T> ExactSizeIterator for Batch<T> {}

impl<T> FusedIterator for Batch<T> {}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        for envelope in self {
            drop(envelope);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// Looks through a [`Batch`], oldest first.
pub struct Iter<'a, T> {
    /// Address of the node to show next, 0 after the last.
    next: usize,
    /// Number of nodes from `next` on.
    len: usize,
    batch: PhantomData<&'a T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.next == 0 {
            return None;
        }
        // SAFETY: the batch owns the node and is borrowed for `'a`, so it is neither taken nor
        // changed
        let (value, next) = unsafe { Envelope::<T>::peek(self.next) };
        self.next = next;
        self.len -= 1;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> FusedIterator for Iter<'_, T> {}
