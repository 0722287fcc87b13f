//! Handing work to another core thread: both ends, in one thread.

use std::hint::black_box;

use net::{Envelope, Inbox, Inboxes, Pool, Wake};

use crate::counted::{OPERATIONS, Scenario, counted};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "inbox/empty", what: "a look at an empty inbox", run: empty },
    Scenario { name: "inbox/single", what: "push and take of one message", run: single },
    Scenario { name: "inbox/batch", what: "push and take, 100 messages at a time", run: batch },
];

/// A message as large as a remote command's.
type Message = [u64; 16];

fn empty() {
    let (_inboxes, ends) = Inboxes::<Message>::new(1);
    let mut found = 0;
    counted(&mut || {
        for _ in 0..OPERATIONS {
            found += usize::from(!black_box(&ends[0]).is_empty());
        }
    });
    assert_eq!(found, 0);
}

fn single() {
    turns(1);
}

fn batch() {
    turns(100);
}

/// Sends [`OPERATIONS`] messages, so many before each look, in boxes from a pool.
fn turns(messages: usize) {
    let (inboxes, mut ends) = Inboxes::<Message>::new(1);
    let mut pool = Pool::new(messages);
    (0..messages).for_each(|_| pool.put(Envelope::new([0; 16])));
    let mut sum = 0;
    counted(&mut || {
        for _ in 0..OPERATIONS / messages {
            for _ in 0..messages {
                let envelope = pool.wrap([1; 16]);
                let wake = inboxes.push(0, envelope);
                assert_eq!(black_box(wake), Wake::NotNeeded);
            }
            sum += take(&mut ends[0], &mut pool);
        }
    });
    assert_eq!(sum, OPERATIONS as u64);
}

/// Takes what is there, gives the boxes back, and adds the messages' first words up.
fn take(inbox: &mut Inbox<Message>, pool: &mut Pool<Message>) -> u64 {
    let mut sum = 0;
    for envelope in inbox.take() {
        sum += black_box(&envelope)[0];
        pool.put(envelope);
    }
    sum
}
