//! The inbox under real threads: what loom's small casts cannot show (many messages, real caches,
//! threads that lose their CPU). Every check is on what the consumers took, after the fact.

use std::sync::Arc;
use std::thread;

use net::{Envelope, Inbox, Inboxes, Markers, Wake};

/// Miri interprets: a hundred times fewer messages do there.
const ROUNDS: u32 = if cfg!(miri) { 60 } else { 20_000 };
const SHARDS: usize = 3;
const PRODUCERS: u32 = 4;

/// One message: who sent it, and its place among all that this producer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Single { producer: u32, sequence: u32 },
    Marker { producer: u32, sequence: u32 },
}

impl Message {
    fn origin(self) -> (u32, u32) {
        match self {
            Self::Single { producer, sequence } | Self::Marker { producer, sequence } => {
                (producer, sequence)
            }
        }
    }
}

/// Sends singles round the shards, and a transaction over all shards every fourth time; one
/// sequence of numbers for both. `threads` are the consumers, by shard.
fn produce(inboxes: &Inboxes<Message>, producer: u32, threads: &[thread::Thread]) {
    let mut markers = Markers::new();
    for sequence in 0..ROUNDS {
        if sequence % 4 == 3 {
            // Descending on purpose: it is the inboxes' business to bring them in order.
            for shard in (0..SHARDS).rev() {
                markers.add(shard, Envelope::new(Message::Marker { producer, sequence }));
            }
            inboxes.push_all(&mut markers, |shard| threads[shard].unpark());
        } else {
            let shard = (sequence + producer) as usize % SHARDS;
            let single = Envelope::new(Message::Single { producer, sequence });
            if inboxes.push(shard, single) == Wake::Needed {
                threads[shard].unpark();
            }
        }
    }
}

/// Takes until all markers and the singles that are due were seen, sleeping whenever there is none.
fn consume(mut inbox: Inbox<Message>, due: usize) -> Vec<Message> {
    let mut seen = Vec::with_capacity(due);
    while seen.len() < due {
        let batch = inbox.take();
        if batch.is_empty() {
            if inbox.prepare_sleep() {
                thread::park();
                inbox.awake();
            }
            continue;
        }
        // Every third batch is looked at before it is taken apart.
        if seen.len() % 3 == 0 {
            let ahead: Vec<_> = batch.iter().copied().collect();
            seen.extend(batch.map(Envelope::into_inner));
            assert!(seen.ends_with(&ahead));
        } else {
            seen.extend(batch.map(Envelope::into_inner));
        }
    }
    seen
}

/// How many messages come to `shard` altogether.
fn due(shard: usize) -> usize {
    let singles = (0..PRODUCERS)
        .flat_map(|producer| (0..ROUNDS).map(move |sequence| (producer, sequence)))
        .filter(|(producer, sequence)| {
            sequence % 4 != 3 && (sequence + producer) as usize % SHARDS == shard
        })
        .count();
    singles + (PRODUCERS * (ROUNDS / 4)) as usize
}

/// Runs the whole cast; what each shard saw, in order.
fn histories() -> Vec<Vec<Message>> {
    let (inboxes, ends) = Inboxes::new(SHARDS);
    let consumers: Vec<_> = ends
        .into_iter()
        .enumerate()
        .map(|(shard, end)| thread::spawn(move || consume(end, due(shard))))
        .collect();
    let threads: Vec<_> = consumers.iter().map(|one| one.thread().clone()).collect();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (inboxes, threads) = (Arc::clone(&inboxes), threads.clone());
            thread::spawn(move || produce(&inboxes, producer, &threads))
        })
        .collect();
    for producer in producers {
        producer.join().expect("a producer does not panic");
    }
    consumers.into_iter().map(|one| one.join().expect("a consumer does not panic")).collect()
}

#[test]
fn all_arrives_in_one_order_under_real_threads() {
    let histories = histories();
    let marks = |history: &[Message]| -> Vec<Message> {
        history.iter().copied().filter(|m| matches!(m, Message::Marker { .. })).collect()
    };
    let order = marks(&histories[0]);
    for (shard, history) in histories.iter().enumerate() {
        assert_eq!(history.len(), due(shard), "nothing lost, nothing twice");
        assert_eq!(marks(history), order, "all shards see the transactions in one order");
        let mut last = [None; PRODUCERS as usize];
        for message in history {
            let (producer, sequence) = message.origin();
            let before = &mut last[producer as usize];
            assert!(*before < Some(sequence), "each producer's messages keep their order");
            *before = Some(sequence);
        }
    }
    assert_no_cycle(&histories, &order);
}

/// Cuts each history at the markers into eras. A producer sends one thing after another, so the
/// eras of its messages, over all shards, must not go backwards: that is the counter-example of the
/// inbox's essay (T before `S_a`, `S_a` before `S_b`, `S_b` before T).
fn assert_no_cycle(histories: &[Vec<Message>], order: &[Message]) {
    let mut eras = vec![vec![0; ROUNDS as usize]; PRODUCERS as usize];
    for history in histories {
        let mut era = 0;
        for message in history {
            if order.get(era) == Some(message) {
                era += 1;
            }
            let (producer, sequence) = message.origin();
            eras[producer as usize][sequence as usize] = era;
        }
    }
    for (producer, eras) in eras.iter().enumerate() {
        assert!(eras.is_sorted(), "producer {producer} would need a message to precede itself");
    }
}

#[test]
fn boxes_travel_there_and_back() {
    let (inboxes, ends) = Inboxes::new(2);
    let Ok([mut home, mut remote]) = <[Inbox<u32>; 2]>::try_from(ends) else { unreachable!() };
    let rounds = ROUNDS;
    let server = {
        let inboxes = Arc::clone(&inboxes);
        thread::spawn(move || {
            let mut left = rounds;
            while left > 0 {
                for mut envelope in remote.take() {
                    *envelope += 1;
                    let _ = inboxes.push(0, envelope);
                    left -= 1;
                }
                thread::yield_now();
            }
        })
    };
    let mut pool = net::Pool::new(8);
    for number in 0..rounds {
        let envelope = pool.wrap(number);
        let _ = inboxes.push(1, envelope);
        let reply = loop {
            if let Some(reply) = home.take().next() {
                break reply;
            }
            thread::yield_now();
        };
        assert_eq!(*reply, number + 1);
        pool.put(reply);
        assert_eq!(pool.len(), 1, "one box serves for all");
    }
    server.join().expect("the remote shard does not panic");
}
