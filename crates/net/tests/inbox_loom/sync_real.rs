//! `inbox::sync` over loom.

pub(super) use loom::sync::Arc;
pub(super) use loom::sync::atomic::Ordering;

pub(super) type AtomicUsize = crate::turnstile::Atomic<false>;
pub(super) use crate::turnstile::Patience;
