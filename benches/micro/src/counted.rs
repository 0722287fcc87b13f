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
    /// Prepares, calls [`counted`] once, and asserts that the operations did their work.
    pub(crate) run: fn(),
}

/// Runs a loop of [`OPERATIONS`] operations. Callgrind is told to count between entering and
/// leaving this function, by its name: so it is called once, and never inlined.
#[inline(never)]
pub(crate) fn counted(operations: &mut dyn FnMut()) {
    operations();
    // Something is left to do here, so that the call above is no jump: callgrind would not see when
    // this function is left.
    black_box(());
}
