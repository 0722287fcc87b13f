//! The box in which a message travels: an owned heap node with room for the link to the next older.
//!
//! An [`Envelope`] owns its node exclusively. Pushing turns it into the node's *address*, a plain
//! number that lives in `head` or in a newer node's link; taking turns the address back into the
//! one envelope. Addresses rather than pointers, because a push compares `head` by value: between
//! its look and its compare-and-swap, the node it saw may have been taken, freed, and its memory be
//! in use for a new node that was pushed. The link then is right as a number, while a pointer that
//! was kept would be one to the old allocation. Hence the provenance of every node is exposed on
//! its way in, and picked up on its way out.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use super::sync::{AtomicUsize, Ordering};

/// An owned message in a box that can be pushed into an inbox, and comes out of it as itself.
///
/// Dereferences to the message. Costs one allocation, which [`Pool`](super::Pool) saves.
pub struct Envelope<T> {
    /// Came from `Box::into_raw` and is owned by this envelope alone.
    node: NonNull<Node<T>>,
}

/// What an envelope owns. Aligned to at least 4, so that an address leaves its two low bits free.
struct Node<T> {
    /// Address of the next older node in the queue or batch, 0 for none. Meaningless while an
    /// envelope owns the node. Written by the node's owner before the releasing compare-and-swap
    /// that publishes the node, read by the consumer after the acquiring one: relaxed accesses
    /// suffice.
    next: AtomicUsize,
    value: T,
}

// SAFETY:
// - an envelope owns its node as a `Box` would, and nothing else points to it
// - so sending the envelope is sending the `T`, and sharing it is sharing the `T` (`next` is
//   atomic)
unsafe impl<T: Send> Send for Envelope<T> {}
// SAFETY: see above; `&Envelope<T>` gives out `&T` only
unsafe impl<T: Sync> Sync for Envelope<T> {}

impl<T> Envelope<T> {
    /// A new envelope around `value`. Allocates.
    pub fn new(value: T) -> Self {
        const { assert!(align_of::<Node<T>>() >= 4, "two low bits of an address are flags") };
        let node = Box::new(Node { next: AtomicUsize::new(0), value });
        Self { node: NonNull::from(Box::leak(node)) }
    }

    /// Takes the message out and frees the box.
    pub fn into_inner(self) -> T {
        let node = self.node;
        std::mem::forget(self);
        // SAFETY:
        // - `node` came from a leaked `Box` (invariant of the field)
        // - this envelope owned it and was forgotten, so nobody frees it again
        let node = unsafe { Box::from_raw(node.as_ptr()) };
        node.value
    }

    /// The number under which the node is known once it is pushed: never 0, two low bits clear.
    pub(super) fn address(&self) -> usize {
        self.node.as_ptr().expose_provenance()
    }

    /// Links this node to the next older one, by address (0: there is none).
    pub(super) fn link(&self, next: usize) {
        self.node().next.store(next, Ordering::Relaxed);
    }

    /// The address of the next older node, as last linked.
    pub(super) fn linked(&self) -> usize {
        self.node().next.load(Ordering::Relaxed)
    }

    /// Gives up ownership: from here on the node is owned by whoever owns its address.
    pub(super) fn into_address(self) -> usize {
        let address = self.address();
        std::mem::forget(self);
        address
    }

    /// The envelope whose address this is.
    ///
    /// # Safety
    /// - `address` came from [`into_address`](Self::into_address) of an `Envelope<T>` of this same
    ///   `T`
    /// - each such address is turned back at most once
    /// - the giving up happened before this call (acquire what it released)
    pub(super) unsafe fn from_address(address: usize) -> Self {
        let node = ptr::with_exposed_provenance_mut::<Node<T>>(address);
        // SAFETY: the address of a live box is not null
        Self { node: unsafe { NonNull::new_unchecked(node) } }
    }

    /// Looks at a node that is owned as an address: its message, and the address of the next older.
    ///
    /// # Safety
    /// - `address` came from `into_address` of an `Envelope<T>` of this same `T`, which happened
    ///   before
    /// - it is not turned back, nor is its message borrowed mutably, for as long as `'a`
    pub(super) unsafe fn peek<'a>(address: usize) -> (&'a T, usize) {
        let node = ptr::with_exposed_provenance::<Node<T>>(address);
        // SAFETY: the caller vouches that the node lives and is only read for `'a`
        let node = unsafe { &*node };
        (&node.value, node.next.load(Ordering::Relaxed))
    }

    fn node(&self) -> &Node<T> {
        // SAFETY: the node lives as long as the envelope, which is borrowed; the only `&mut` to it
        // is made from `&mut Envelope`
        unsafe { self.node.as_ref() }
    }
}

impl<T> Deref for Envelope<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.node().value
    }
}

impl<T> DerefMut for Envelope<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the envelope owns the node and is borrowed mutably
        let node = unsafe { self.node.as_mut() };
        &mut node.value
    }
}

impl<T> Drop for Envelope<T> {
    fn drop(&mut self) {
        // SAFETY:
        // - `node` came from a leaked `Box` (invariant of the field)
        // - whoever gives up ownership forgets the envelope, so this is the only free
        drop(unsafe { Box::from_raw(self.node.as_ptr()) });
    }
}

impl<T: fmt::Debug> fmt::Debug for Envelope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Envelope").field(&**self).finish()
    }
}
