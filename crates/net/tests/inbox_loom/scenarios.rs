//! What loom explores: each function is one run of a small cast of core threads.
//!
//! Messages carry a loom cell, so that loom reports any message that is read without having been
//! published properly, even where its value would be right.

use crate::reached;

use super::{Batch, Envelope, Inbox, Inboxes, Markers, Queue, Wake};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

/// A message that loom watches.
struct Message(UnsafeCell<u32>);

// SAFETY: messages are owned, and move between threads only through the inbox, which is on trial
unsafe impl Send for Message {}

/// The transaction's marker in the scenarios with one transaction.
const T: u32 = 100;

fn message(number: u32) -> Envelope<Message> {
    let message = Envelope::new(Message(UnsafeCell::new(0)));
    // SAFETY: owned
    message.0.with_mut(|cell| unsafe { *cell = number });
    message
}

/// Appends the numbers of what is taken; the batch's look ahead must agree.
fn take_into(seen: &mut Vec<u32>, inbox: &mut Inbox<Message>) {
    let batch: Batch<Message> = inbox.take();
    // SAFETY: the batch owns its messages
    let ahead: Vec<u32> = batch.iter().map(|m| m.0.with(|cell| unsafe { *cell })).collect();
    assert_eq!(ahead.len(), batch.len());
    // SAFETY: the envelope owns its message
    let numbers: Vec<u32> = batch.map(|m| m.0.with(|cell| unsafe { *cell })).collect();
    assert_eq!(numbers, ahead);
    seen.extend(numbers);
}

fn push_markers(inboxes: &Inboxes<Message>, number: u32) -> Vec<usize> {
    let mut markers = Markers::new();
    markers.add(0, message(number));
    markers.add(1, message(number));
    let mut sleepers = Vec::new();
    inboxes.push_all(&mut markers, |shard| sleepers.push(shard));
    sleepers
}

fn position(seen: &[u32], number: u32) -> usize {
    seen.iter().position(|&one| one == number).expect("what was pushed comes out")
}

/// Two inboxes, with their ends apart.
fn two() -> (Arc<Inboxes<Message>>, Inbox<Message>, Inbox<Message>) {
    let (inboxes, ends) = Inboxes::new(2);
    let Ok([a, b]) = <[Inbox<Message>; 2]>::try_from(ends) else { unreachable!("two were asked") };
    (inboxes, a, b)
}

/// Two producers push two each, the consumer takes meanwhile.
pub(crate) fn singles() {
    let (inboxes, mut a, _b) = two();
    let producers: Vec<_> = [10, 20]
        .into_iter()
        .map(|base| {
            let inboxes = Arc::clone(&inboxes);
            thread::spawn(move || {
                let _ = inboxes.push(0, message(base));
                let _ = inboxes.push(0, message(base + 1));
            })
        })
        .collect();
    let mut seen = Vec::new();
    take_into(&mut seen, &mut a);
    reached(["taken none", "taken some", "taken some", "taken some", "taken all"][seen.len()]);
    for producer in producers {
        producer.join().expect("a producer does not panic");
    }
    take_into(&mut seen, &mut a);
    assert!(position(&seen, 10) < position(&seen, 11));
    assert!(position(&seen, 20) < position(&seen, 21));
    assert_eq!(seen.len(), 4);
}

/// Two transactions over the same two inboxes, and a consumer that looks into both meanwhile.
pub(crate) fn transactions() {
    let (inboxes, mut a, mut b) = two();
    let homes: Vec<_> = [1, 2]
        .into_iter()
        .map(|number| {
            let inboxes = Arc::clone(&inboxes);
            thread::spawn(move || drop(push_markers(&inboxes, number)))
        })
        .collect();
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    take_into(&mut at_a, &mut a);
    take_into(&mut at_b, &mut b);
    // Taken at A means armed: the marker at B was in before, so the later look at B found it.
    assert!(at_b.starts_with(&at_a), "seen at A {at_a:?}, then at B {at_b:?}");
    reached(["none before", "one before", "both before"][at_a.len()]);
    if at_a.len() < at_b.len() {
        reached("a second one between the looks");
    }
    for home in homes {
        home.join().expect("a home does not panic");
    }
    take_into(&mut at_a, &mut a);
    take_into(&mut at_b, &mut b);
    assert_eq!(at_a, at_b, "both shards see the same order");
    assert_eq!(at_a.len(), 2);
}

/// A client's command to A, and the one behind it to B.
const S_A: u32 = 1;
const S_B: u32 = 2;

/// What A and B were given must have one order.
fn check_order(at_a: &[u32], at_b: &[u32]) {
    let transaction_first = position(at_a, T) < position(at_a, S_A);
    let transaction_last = position(at_b, S_B) < position(at_b, T);
    match (transaction_first, transaction_last) {
        (true, true) => panic!("a cycle: T < S_a < S_b < T"),
        (true, false) => reached("T first"),
        (false, true) => reached("T last"),
        (false, false) => reached("T between"),
    }
}

/// One transaction, and one client whose pipeline is `S_a` to A, then `S_b` to B.
fn transaction_against_pipeline(push_transaction: fn(&Inboxes<Message>)) {
    let (inboxes, mut a, mut b) = two();
    let client = {
        let inboxes = Arc::clone(&inboxes);
        thread::spawn(move || {
            let _ = inboxes.push(0, message(S_A));
            let _ = inboxes.push(1, message(S_B));
        })
    };
    push_transaction(&inboxes);
    client.join().expect("the client does not panic");
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    take_into(&mut at_a, &mut a);
    take_into(&mut at_b, &mut b);
    check_order(&at_a, &at_b);
}

pub(crate) fn single_between_markers() {
    transaction_against_pipeline(|inboxes| drop(push_markers(inboxes, T)));
}

/// Canary: each marker a correct push, no bit.
pub(crate) fn markers_without_the_bit() {
    transaction_against_pipeline(|inboxes| {
        let _ = inboxes.push(0, message(T));
        let _ = inboxes.push(1, message(T));
    });
}

/// The same with a third inbox between A and B. With two it makes no difference whether bits are
/// released when all markers are in or each as soon as the next is held: the client that finds A's
/// released finds B's held. Here it may overtake the transaction on its way to B.
pub(crate) fn single_around_three_markers() {
    let (inboxes, mut ends) = Inboxes::new(3);
    let client = {
        let inboxes = Arc::clone(&inboxes);
        thread::spawn(move || {
            let _ = inboxes.push(0, message(S_A));
            let _ = inboxes.push(2, message(S_B));
        })
    };
    let mut markers = Markers::new();
    (0..3).for_each(|shard| markers.add(shard, message(T)));
    inboxes.push_all(&mut markers, |_| unreachable!("nobody sleeps"));
    client.join().expect("the client does not panic");
    let mut seen = [Vec::new(), Vec::new(), Vec::new()];
    seen.iter_mut().zip(&mut ends).for_each(|(seen, end)| take_into(seen, end));
    assert_eq!(seen[1], [T]);
    check_order(&seen[0], &seen[2]);
}

/// Canary: the bits of three inboxes released hand over hand.
pub(crate) fn bits_hand_over_hand() {
    let queues: Arc<[Queue<Message>; 3]> = Arc::new(std::array::from_fn(|_| Queue::new()));
    let client = {
        let queues = Arc::clone(&queues);
        thread::spawn(move || {
            let _ = queues[0].push(message(S_A));
            let _ = queues[2].push(message(S_B));
        })
    };
    let _ = queues[0].hold(message(T));
    let _ = queues[1].hold(message(T));
    queues[0].release();
    let _ = queues[2].hold(message(T));
    queues[1].release();
    queues[2].release();
    client.join().expect("the client does not panic");
    // SAFETY: the batch owns its messages
    let numbers = |m: Envelope<Message>| m.0.with(|cell| unsafe { *cell });
    let [at_a, at_b] = [0, 2].map(|shard| queues[shard].take().map(numbers).collect::<Vec<_>>());
    check_order(&at_a, &at_b);
}

/// One shard acts on a marker and tells a client, who sends a command to the other shard, where it
/// is local: that shard must not find its inbox empty. Its bit may still be held, though: bits are
/// cleared one by one.
fn local_command_after_marker(
    mut acts: Inbox<Message>,
    mut looks: Inbox<Message>,
    inboxes: Arc<Inboxes<Message>>,
) {
    let told = Arc::new(AtomicBool::new(false));
    let home = thread::spawn(move || drop(push_markers(&inboxes, T)));
    let actor = {
        let told = Arc::clone(&told);
        thread::spawn(move || {
            let mut seen = Vec::new();
            take_into(&mut seen, &mut acts);
            if seen == [T] {
                told.store(true, Ordering::Release);
            }
        })
    };
    if told.load(Ordering::Acquire) {
        reached("told");
        assert!(!looks.is_empty(), "the marker is armed");
        let mut seen = Vec::new();
        take_into(&mut seen, &mut looks);
        assert_eq!(seen, [T]);
    }
    home.join().expect("the home does not panic");
    actor.join().expect("the acting shard does not panic");
}

pub(crate) fn local_command_at_a() {
    let (inboxes, a, b) = two();
    local_command_after_marker(b, a, inboxes);
}

pub(crate) fn local_command_at_b() {
    let (inboxes, a, b) = two();
    local_command_after_marker(a, b, inboxes);
}

/// A consumer that sleeps whenever it finds nothing, until it has `count` messages; how often it
/// slept.
fn consume_sleeping(inbox: &mut Inbox<Message>, count: usize) -> usize {
    let (mut seen, mut sleeps) = (Vec::new(), 0);
    loop {
        take_into(&mut seen, inbox);
        if seen.len() == count {
            return sleeps;
        }
        if inbox.prepare_sleep() {
            sleeps += 1;
            thread::park();
            inbox.awake();
        }
    }
}

/// Two producers; each sleep is ended by exactly one wake-up, or loom reports a deadlock.
pub(crate) fn sleep() {
    let (inboxes, mut a, _b) = two();
    let consumer = thread::current();
    let producers: Vec<_> = [1, 2]
        .into_iter()
        .map(|number| {
            let (inboxes, consumer) = (Arc::clone(&inboxes), consumer.clone());
            thread::spawn(move || {
                let needed = inboxes.push(0, message(number)) == Wake::Needed;
                if needed {
                    consumer.unpark();
                }
                usize::from(needed)
            })
        })
        .collect();
    let sleeps = consume_sleeping(&mut a, 2);
    let wakes: usize = producers.into_iter().map(|p| p.join().expect("no panic")).sum();
    assert_eq!(sleeps, wakes, "one wake-up for each sleep");
    reached(["never slept", "slept once", "slept twice"][sleeps]);
}

/// A transaction for a shard that sleeps for long, and for one that goes to sleep meanwhile.
pub(crate) fn sleeping_participants() {
    let (inboxes, a, mut b) = two();
    assert!(b.prepare_sleep());
    let shard_a = thread::spawn(move || {
        let mut a = a;
        consume_sleeping(&mut a, 1)
    });
    let sleepers = push_markers(&inboxes, T);
    if sleepers.contains(&0) {
        shard_a.thread().unpark();
    }
    assert!(sleepers.contains(&1));
    let sleeps = shard_a.join().expect("shard A does not panic");
    reached(["A was awake", "A slept"][sleeps]);
    assert_eq!(sleeps, usize::from(sleepers.contains(&0)), "its one marker ends its one sleep");
    assert_eq!(consume_sleeping(&mut b, 1), 0);
}

/// Canary: a pusher that does not do what it owes.
pub(crate) fn wake_forgotten() {
    let (inboxes, mut a, _b) = two();
    let producer = thread::spawn(move || {
        let _ = inboxes.push(0, message(1));
    });
    consume_sleeping(&mut a, 1);
    producer.join().expect("the producer does not panic");
}
