//! The inbox under loom: every interleaving, and every stale value that the orderings allow, of
//! small scenarios. Runs with the other tests: `cargo test -p net --test inbox_loom`.
//!
//! loom must see the inbox's atomics, and is told so without `--cfg loom` (which glommio's
//! dependencies would hear too): this test compiles the files of `src/inbox` once more, in modules
//! whose `sync` names loom's types. `real` is the inbox as it is; `weakened` is the same with all
//! orderings relaxed, a canary. A test that passes where a canary dies proves something.

#![expect(clippy::duplicate_mod, reason = "the same files over two kinds of atomics are the point")]

mod real;
mod turnstile;
mod weakened;

use std::cell::RefCell;
use std::collections::BTreeSet;

use loom::model::Builder;

/// Explores `scenario` with at most `preemptions` preemptions, beyond the switches at waits and
/// ends: two or three is where bugs of practice are, and without a bound the runs take hours.
fn explore(scenario: fn(), preemptions: usize) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(scenario);
}

/// Explores, then checks that each of `marks` was reached in some run: an exploration that never
/// tries the interesting orders passes too easily.
fn explore_reaching(scenario: fn(), preemptions: usize, marks: &[&'static str]) {
    REACHED.with_borrow_mut(BTreeSet::clear);
    explore(scenario, preemptions);
    for mark in marks {
        assert!(REACHED.with_borrow(|reached| reached.contains(mark)), "never reached: {mark}");
    }
}

thread_local! {
    /// What the runs of this test's exploration reached. loom runs all of a model's threads on one.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that a run got to a point that some run must get to.
pub(crate) fn reached(mark: &'static str) {
    REACHED.with_borrow_mut(|reached| reached.insert(mark));
}

#[test]
fn singles_keep_each_producers_order_and_none_is_lost() {
    let marks = ["taken none", "taken some", "taken all"];
    explore_reaching(real::scenarios::singles, 3, &marks);
}

#[test]
fn transactions_have_one_order_and_are_armed_when_seen() {
    let marks = ["both before", "one before", "none before", "a second one between the looks"];
    explore_reaching(real::scenarios::transactions, 2, &marks);
}

#[test]
fn no_single_slips_between_the_markers_of_a_transaction() {
    let marks = ["T first", "T last", "T between"];
    explore_reaching(real::scenarios::single_between_markers, 3, &marks);
}

#[test]
fn no_single_slips_around_the_marker_between_two_others() {
    let marks = ["T first", "T last", "T between"];
    explore_reaching(real::scenarios::single_around_three_markers, 2, &marks);
}

#[test]
fn a_local_command_sees_a_transaction_that_was_seen_elsewhere() {
    explore_reaching(real::scenarios::local_command_at_a, 3, &["told"]);
    explore_reaching(real::scenarios::local_command_at_b, 3, &["told"]);
}

#[test]
fn a_sleeping_consumer_misses_no_push() {
    explore_reaching(real::scenarios::sleep, 2, &["slept twice", "slept once", "never slept"]);
}

#[test]
fn a_sleeping_participant_misses_no_marker() {
    explore_reaching(real::scenarios::sleeping_participants, 3, &["A slept", "A was awake"]);
}

#[test]
#[should_panic(expected = "T < S_a < S_b < T")]
fn canary_markers_pushed_as_singles_are_caught() {
    explore(real::scenarios::markers_without_the_bit, 3);
}

#[test]
#[should_panic(expected = "T < S_a < S_b < T")]
fn canary_bits_released_hand_over_hand_are_caught() {
    explore(real::scenarios::bits_hand_over_hand, 2);
}

#[test]
#[should_panic(expected = "deadlock")]
fn canary_a_wake_that_is_not_given_is_caught() {
    explore(real::scenarios::wake_forgotten, 3);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn canary_relaxed_orderings_are_caught_in_singles() {
    explore(weakened::scenarios::singles, 3);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn canary_relaxed_orderings_are_caught_in_transactions() {
    explore(weakened::scenarios::local_command_at_a, 3);
}
