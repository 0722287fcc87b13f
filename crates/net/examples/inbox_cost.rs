//! What the inbox costs: nanoseconds for a push and its take, on one core and between two.
//!
//! ```text
//! cargo run --release -p net --example inbox_cost [messages]
//! ```
//!
//! - *alone*: one thread pushes and takes in turn; all lines stay in its cache. The floor.
//! - *batches*: the same, 16 pushes to a take.
//! - *stream*: one thread pushes, another takes what is there; boxes are allocated and freed. The
//!   cost of moving lines between cores, and of the allocator.
//! - *round trip*: a message to another thread and back in the same box, both spinning.
//! - *transaction*: markers for four inboxes, pushed and taken by one thread.
//! - *look*: the emptiness check before each local command.

use std::hint::{black_box, spin_loop};
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use net::{Envelope, Inbox, Inboxes, Markers, Pool};

/// Handles so many messages; how long it took.
type Measure = fn(u32) -> Duration;

/// A message of the size of a small command: five words.
type Message = [u64; 5];

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(5_000_000);
    let measures: [(&str, Measure); 6] = [
        ("look", look),
        ("alone", |count| alone(count, 1)),
        ("batches", |count| alone(count, 16)),
        ("stream", stream),
        ("round trip", round_trip),
        ("transaction", transaction),
    ];
    let mut out = io::stdout().lock();
    for (name, measure) in measures {
        // The best of three: what disturbs only ever adds.
        let best = (0..3).map(|_| measure(count)).min().unwrap_or_default();
        let ns = best.as_secs_f64() * 1e9 / f64::from(count);
        writeln!(out, "{name:12} {ns:8.1} ns")?;
    }
    Ok(())
}

/// Two inboxes, with their ends apart.
fn ends<const N: usize>() -> (std::sync::Arc<Inboxes<Message>>, [Inbox<Message>; N]) {
    let (inboxes, ends) = Inboxes::new(N);
    (inboxes, ends.try_into().expect("as many ends as shards were asked for"))
}

fn look(count: u32) -> Duration {
    let (_inboxes, [inbox]) = ends();
    let start = Instant::now();
    for _ in 0..count {
        black_box(black_box(&inbox).is_empty());
    }
    start.elapsed()
}

fn alone(count: u32, batch: u32) -> Duration {
    let (inboxes, [mut inbox]) = ends();
    let mut pool = Pool::new(64);
    let start = Instant::now();
    for _ in 0..count / batch {
        for number in 0..batch {
            let _ = inboxes.push(0, pool.wrap([u64::from(number); 5]));
        }
        for envelope in inbox.take() {
            pool.put(black_box(envelope));
        }
    }
    start.elapsed()
}

fn stream(count: u32) -> Duration {
    let (inboxes, [mut inbox]) = ends();
    let start = Instant::now();
    let producer = thread::spawn(move || {
        for number in 0..count {
            let _ = inboxes.push(0, Envelope::new([u64::from(number); 5]));
        }
    });
    let mut left = count as usize;
    while left > 0 {
        let batch = inbox.take();
        left -= batch.len();
        batch.for_each(|envelope| drop(black_box(envelope)));
    }
    let elapsed = start.elapsed();
    producer.join().expect("the producer does not panic");
    elapsed
}

fn round_trip(count: u32) -> Duration {
    let (inboxes, [mut home, mut remote]) = ends();
    let replies = inboxes.clone();
    let server = thread::spawn(move || {
        let mut left = count;
        while left > 0 {
            for envelope in remote.take() {
                let _ = replies.push(0, envelope);
                left -= 1;
            }
            spin_loop();
        }
    });
    let mut pool = Pool::new(1);
    let start = Instant::now();
    for number in 0..count {
        let _ = inboxes.push(1, pool.wrap([u64::from(number); 5]));
        loop {
            if let Some(reply) = home.take().next() {
                pool.put(reply);
                break;
            }
            spin_loop();
        }
    }
    let elapsed = start.elapsed();
    server.join().expect("the server does not panic");
    elapsed
}

fn transaction(count: u32) -> Duration {
    let (inboxes, mut inboxes_ends) = ends::<4>();
    let (mut pool, mut markers) = (Pool::new(4), Markers::new());
    let start = Instant::now();
    for number in 0..count {
        for shard in 0..4 {
            markers.add(shard, pool.wrap([u64::from(number); 5]));
        }
        inboxes.push_all(&mut markers, |_| {});
        for inbox in &mut inboxes_ends {
            inbox.take().for_each(|envelope| pool.put(envelope));
        }
    }
    start.elapsed()
}
