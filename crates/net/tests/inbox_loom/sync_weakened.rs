//! `inbox::sync` over loom, with all orderings relaxed.

pub(super) use loom::sync::Arc;
pub(super) use loom::sync::atomic::Ordering;

pub(super) type AtomicUsize = crate::turnstile::Atomic<true>;
pub(super) use crate::turnstile::Patience;
