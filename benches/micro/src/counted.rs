//! The function whose instructions are counted, and what a scenario is.

use std::hint::black_box;

/// How often a scenario's loop runs its operation. Enough that entering the loop once (some 10
/// instructions) and the growth of a buffer vanish behind the decimal point; few enough that
/// callgrind, 50 times slower than the processor, takes a second.
pub(crate) const OPERATIONS: usize = 10_000;

/// One line of the table.
pub(crate) struct Scenario {
    /// `structure/operation`: the argument that selects it.
    pub(crate) name: &'static str,
    /// What one operation is.
    pub(crate) what: &'static str,
    /// Prepares, calls [`counted`], and asserts that the operations did their work.
    pub(crate) run: fn(),
}

/// Runs a loop of [`OPERATIONS`] operations, or a piece of it, where something has to be done in
/// between that is none of it: entering and leaving costs 10 instructions. Callgrind is told to
/// count between the two, by this function's name: so it is never inlined.
#[inline(never)]
pub(crate) fn counted(operations: &mut dyn FnMut()) {
    operations();
    // Something is left to do here, so that the call above is no jump: callgrind would not see when
    // this function is left.
    black_box(());
}
