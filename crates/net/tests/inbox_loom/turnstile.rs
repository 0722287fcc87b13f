//! A loom atomic whose every access is a step that loom must try in every order.
//!
//! loom 0.7 compares an access with the one *last* access of the same object. A pusher looks at
//! `head` and then swaps it, so its swap is compared with its own look, and "the consumer looked
//! earlier" is forgotten: whole families of interleavings are never tried (a consumer that looks
//! meanwhile never saw anything). Here each access first passes a turnstile, a relaxed
//! read-modify-write of a word beside it, which conflicts with every other passage and
//! synchronizes nothing. Then the access itself, with the stale values that its ordering allows.

use loom::sync::atomic::{AtomicUsize, Ordering};

/// As an `AtomicUsize`; with `RELAXED`, it ignores what ordering it is asked for.
pub(crate) struct Atomic<const RELAXED: bool> {
    turnstile: AtomicUsize,
    word: AtomicUsize,
}

impl<const RELAXED: bool> Atomic<RELAXED> {
    pub(crate) fn new(value: usize) -> Self {
        Self { turnstile: AtomicUsize::new(0), word: AtomicUsize::new(value) }
    }

    pub(crate) fn load(&self, ordering: Ordering) -> usize {
        self.pass();
        self.word.load(Self::effective(ordering))
    }

    pub(crate) fn store(&self, value: usize, ordering: Ordering) {
        self.pass();
        self.word.store(value, Self::effective(ordering));
    }

    pub(crate) fn compare_exchange(
        &self,
        old: usize,
        new: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        self.pass();
        let (success, failure) = (Self::effective(success), Self::effective(failure));
        self.word.compare_exchange(old, new, success, failure)
    }

    /// As loom's own: it never fails spuriously.
    pub(crate) fn compare_exchange_weak(
        &self,
        old: usize,
        new: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        self.compare_exchange(old, new, success, failure)
    }

    fn pass(&self) {
        self.turnstile.fetch_add(1, Ordering::Relaxed);
    }

    fn effective(ordering: Ordering) -> Ordering {
        if RELAXED { Ordering::Relaxed } else { ordering }
    }
}

/// Waiting for loom means: somebody else must run first.
pub(crate) struct Patience {
    steps: u32,
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self { steps: 0 }
    }

    /// Two that wait for a third could give the CPU to each other for ever, and loom would try it.
    /// Having waited twice, this run goes on (fairly), but loom branches no more off it.
    pub(crate) fn wait(&mut self) {
        self.steps += 1;
        if self.steps > 1 {
            loom::skip_branch();
        }
        loom::thread::yield_now();
    }
}
