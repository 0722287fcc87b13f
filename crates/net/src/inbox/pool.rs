//! Spent envelopes, kept for the next message: in steady state nothing is allocated.
//!
//! A pool belongs to one core thread. Each core thread's messages come back to it as replies, so
//! a pool gets back the boxes that it gave out.

use super::envelope::Envelope;

/// A bounded free list of envelopes.
pub struct Pool<T> {
    /// Spent envelopes, the last used on top: it is the one most likely still in the cache.
    spent: Vec<Envelope<T>>,
    /// Most envelopes to keep.
    kept_max: usize,
}

impl<T> Pool<T> {
    /// An empty pool that will keep up to `kept_max` spent envelopes.
    pub const fn new(kept_max: usize) -> Self {
        Self { spent: Vec::new(), kept_max }
    }

    /// An envelope around `value`: a spent one if there is, else a new one.
    /// What the spent one still held is dropped.
    pub fn wrap(&mut self, value: T) -> Envelope<T> {
        match self.spent.pop() {
            Some(mut envelope) => {
                *envelope = value;
                envelope
            }
            None => Envelope::new(value),
        }
    }

    /// A spent envelope with what it last held, whose buffers may serve again; None if there is
    /// none.
    pub fn reuse(&mut self) -> Option<Envelope<T>> {
        self.spent.pop()
    }

    /// Keeps a spent envelope, or frees it if the pool is full.
    ///
    /// What it holds stays alive until its next use: take out what is large before.
    pub fn put(&mut self, envelope: Envelope<T>) {
        if self.spent.len() < self.kept_max {
            self.spent.push(envelope);
        }
    }

    /// Number of envelopes kept.
    pub const fn len(&self) -> usize {
        self.spent.len()
    }

    /// Whether none is kept.
    pub const fn is_empty(&self) -> bool {
        self.spent.is_empty()
    }

    /// Frees what is kept, as when the server is short of memory.
    pub fn clear(&mut self) {
        self.spent = Vec::new();
    }
}
