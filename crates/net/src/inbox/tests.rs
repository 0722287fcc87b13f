//! The inbox on one thread: order, ownership, the states of the word. What needs several threads is
//! in `tests/inbox_loom` (all interleavings, small) and `tests/inbox_stress.rs` (some, large).

use super::{Batch, Envelope, Inbox, Inboxes, Markers, Pool, Wake};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// A batch of the given messages, built as the inbox does: a stack, reversed.
fn batch_of<T>(messages: impl IntoIterator<Item = T>) -> Batch<T> {
    let mut head = 0;
    for message in messages {
        let envelope = Envelope::new(message);
        envelope.link(head);
        head = envelope.into_address();
    }
    // SAFETY: the stack was just built here and nobody else knows it
    unsafe { Batch::from_stack(head) }
}

/// Takes all and unwraps it.
fn taken<T>(inbox: &mut Inbox<T>) -> Vec<T> {
    inbox.take().map(Envelope::into_inner).collect()
}

/// Pushes the same marker to each of `shards`; the shards to wake.
fn push_markers(inboxes: &Inboxes<u32>, shards: &[usize], marker: u32) -> Vec<usize> {
    let mut markers = Markers::new();
    for &shard in shards {
        markers.add(shard, Envelope::new(marker));
    }
    let mut sleepers = Vec::new();
    inboxes.push_all(&mut markers, |shard| sleepers.push(shard));
    assert!(markers.is_empty(), "ready for the next use");
    sleepers
}

#[test]
fn an_envelope_owns_and_frees_its_message_once() {
    let token = Rc::new(());
    let mut envelope = Envelope::new((Rc::clone(&token), 1));
    envelope.1 = 2;
    assert_eq!(envelope.1, 2);
    assert_eq!(Rc::strong_count(&token), 2);
    drop(envelope);
    assert_eq!(Rc::strong_count(&token), 1);
    let (inside, _) = Envelope::new((Rc::clone(&token), 3)).into_inner();
    assert_eq!(Rc::strong_count(&token), 2);
    drop(inside);
    assert_eq!(Rc::strong_count(&token), 1);
}

#[test]
fn an_address_is_clear_of_flags_and_comes_back_as_the_same_box() {
    let envelope = Envelope::new(7_u8);
    let before = envelope.address();
    let address = envelope.into_address();
    assert_eq!(address, before);
    assert_ne!(address, 0);
    assert_eq!(address & 3, 0);
    // SAFETY: given up just above, turned back once, same type
    let envelope = unsafe { Envelope::<u8>::from_address(address) };
    assert_eq!(*envelope, 7);
}

#[test]
fn a_batch_shows_and_gives_out_oldest_first() {
    let mut batch = batch_of(0..4);
    assert_eq!(batch.len(), 4);
    assert_eq!(batch.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(batch.next().map(Envelope::into_inner), Some(0));
    assert_eq!(batch.iter().len(), 3);
    assert_eq!(batch.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(batch.by_ref().map(Envelope::into_inner).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(batch.is_empty() && batch.next().is_none() && batch.iter().next().is_none());
    assert!(Batch::<u8>::empty().next().is_none());
}

#[test]
fn a_batch_dropped_midway_drops_the_rest_once() {
    let token = Rc::new(());
    let mut batch = batch_of((0..5).map(|_| Rc::clone(&token)));
    assert_eq!(Rc::strong_count(&token), 6);
    let kept = batch.next();
    drop(batch);
    assert_eq!(Rc::strong_count(&token), 2);
    drop(kept);
    assert_eq!(Rc::strong_count(&token), 1);
}

#[test]
fn a_pool_keeps_the_box_up_to_its_bound() {
    let mut pool = Pool::new(1);
    let (first, second) = (pool.wrap(1), pool.wrap(2));
    let address = first.address();
    pool.put(first);
    pool.put(second);
    assert_eq!(pool.len(), 1);
    let again = pool.wrap(3);
    assert_eq!((again.address(), *again), (address, 3));
    pool.put(again);
    assert_eq!(pool.reuse().map(Envelope::into_inner), Some(3));
    assert!(pool.reuse().is_none());
    pool.put(Envelope::new(4));
    pool.clear();
    assert!(pool.is_empty());
}

#[test]
fn messages_come_out_in_order_in_the_boxes_that_went_in() {
    let (inboxes, mut ends) = Inboxes::new(2);
    assert!(ends[0].is_empty() && ends[0].take().is_empty());
    let envelope = Envelope::new(1);
    let address = envelope.address();
    assert_eq!(inboxes.push(0, envelope), Wake::NotNeeded);
    let _ = inboxes.push(0, Envelope::new(2));
    let _ = inboxes.push(1, Envelope::new(9));
    assert!(!ends[0].is_empty());
    let mut batch = ends[0].take();
    assert!(ends[0].is_empty(), "what is taken is out");
    let _ = inboxes.push(0, Envelope::new(3));
    let first = batch.next().expect("two were pushed");
    assert_eq!((first.address(), *first), (address, 1));
    assert_eq!(batch.next().as_deref(), Some(&2));
    assert!(batch.next().is_none(), "a batch does not grow");
    assert_eq!(taken(&mut ends[0]), [3]);
    assert_eq!(taken(&mut ends[1]), [9]);
}

#[test]
fn markers_go_to_their_shards_whatever_order_they_are_added_in() {
    let (inboxes, mut ends) = Inboxes::new(4);
    let _ = inboxes.push(2, Envelope::new(1));
    assert!(push_markers(&inboxes, &[3, 0, 2], 50).is_empty());
    let _ = inboxes.push(2, Envelope::new(2));
    assert!(push_markers(&inboxes, &[2], 51).is_empty());
    assert!(push_markers(&inboxes, &[], 52).is_empty());
    let contents: Vec<_> = ends.iter_mut().map(taken).collect();
    assert_eq!(contents, [vec![50], vec![], vec![1, 50, 2, 51], vec![50]]);
}

#[test]
fn a_transaction_with_a_wrong_shard_enqueues_nothing() {
    for shards in [&[1, 0, 1][..], &[0, 1, 2], &[2]] {
        let (inboxes, mut ends) = Inboxes::new(2);
        let outcome = catch_unwind(AssertUnwindSafe(|| push_markers(&inboxes, shards, 1)));
        assert!(outcome.is_err(), "{shards:?}");
        assert!(ends.iter().all(Inbox::is_empty), "{shards:?}");
        let _ = inboxes.push(1, Envelope::new(2));
        assert_eq!(taken(&mut ends[1]), [2], "no bit is held");
    }
}

#[test]
fn exactly_one_push_wakes_a_sleeper() {
    let (inboxes, mut ends) = Inboxes::new(3);
    assert!(ends[0].prepare_sleep());
    assert!(ends[0].prepare_sleep(), "announcing twice is the same as once");
    assert!(ends[0].is_empty() && ends[0].take().is_empty(), "looking does not end the sleep");
    assert_eq!(inboxes.push(0, Envelope::new(1)), Wake::Needed);
    assert_eq!(inboxes.push(0, Envelope::new(2)), Wake::NotNeeded);
    assert!(!ends[0].prepare_sleep(), "work came");
    ends[0].awake();
    assert_eq!(taken(&mut ends[0]), [1, 2]);

    // Taken back: nobody owes anything, and the word is as before.
    assert!(ends[0].prepare_sleep());
    ends[0].awake();
    assert_eq!(inboxes.push(0, Envelope::new(3)), Wake::NotNeeded);
    assert_eq!(taken(&mut ends[0]), [3]);

    // A transaction tells which of its participants sleep.
    assert!(ends[0].prepare_sleep() && ends[2].prepare_sleep());
    assert_eq!(push_markers(&inboxes, &[0, 1, 2], 4), [0, 2]);
    assert!(!ends[1].prepare_sleep() && taken(&mut ends[1]) == [4]);
    assert!(ends[1].prepare_sleep());
    assert_eq!(push_markers(&inboxes, &[1], 5), [1]);
}

#[test]
fn what_is_never_taken_is_freed() {
    let token = Arc::new(());
    let (inboxes, mut ends) = Inboxes::new(2);
    for _ in 0..3 {
        let _ = inboxes.push(0, Envelope::new(Arc::clone(&token)));
    }
    assert!(ends[1].prepare_sleep());
    drop(inboxes);
    assert_eq!(Arc::strong_count(&token), 4);
    drop(ends);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn the_ends_may_move_between_threads() {
    fn assert_send<T: Send>() {}
    fn assert_sync<T: Sync>() {}
    assert_send::<Inbox<std::cell::Cell<u8>>>();
    assert_sync::<Inboxes<std::cell::Cell<u8>>>();
    assert_send::<Batch<std::cell::Cell<u8>>>();
}
