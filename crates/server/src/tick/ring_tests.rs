//! Core threads on a real ring: who sleeps is woken for whatever a tick sent, and all that many
//! clients are sent in one tick arrives, in order.

use std::io::{Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use net::{Clock, Completion, Inboxes, Ring, RingOptions};

use crate::core::{Core, CoreParts};
use crate::input::registry::Registry;
use crate::message::Adopted;
use crate::shared::{Identity, Shared};
use crate::tick::core_thread::CoreThread;

/// The first of two core threads, on a ring, and the second one's core.
fn two() -> (CoreThread, Core) {
    let config = Config::default();
    let registry = Registry::for_trials().named(&config).expect("nothing is renamed");
    let registry: &'static Registry = Box::leak(Box::new(registry));
    let shared = Arc::new(Shared::new(2, config, Identity::new(None, 0), 1));
    let (inboxes, ends) = Inboxes::new(2);
    let clock = Clock::new();
    let mut cores = ends.into_iter().enumerate().map(|(shard, inbox)| {
        let (inboxes, shared) = (Arc::clone(&inboxes), Arc::clone(&shared));
        Core::new(CoreParts { shard, inbox, inboxes, shared, registry, clock })
    });
    let (first, second) = (cores.next().expect("two"), cores.next().expect("two"));
    let ring = Ring::new(RingOptions::default()).expect("io_uring is what a server needs");
    (CoreThread::new(ring, first, Vec::new()), second)
}

fn connect(thread: &mut CoreThread) -> UnixStream {
    let (client, server) = UnixStream::pair().expect("a pair of sockets");
    client.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    thread.core.shared.place_connection();
    thread.core.adopt(Adopted { descriptor: server.into_raw_fd(), unix: true });
    client
}

/// Ticks until `done`.
fn tick_until(thread: &mut CoreThread, mut done: impl FnMut(&mut CoreThread) -> bool) {
    for _ in 0..2000 {
        thread.tick();
        if done(thread) {
            return;
        }
        thread.poll();
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it does not come about");
}

#[test]
fn nobody_owes_a_wake_up_when_it_rests() {
    let (mut thread, mut other) = two();
    let mut client = connect(&mut thread);
    let shard = |key: &String| spec::shard_of_slot(spec::slot_of(key.as_bytes()), 2);
    let key = (0..).map(|n| format!("k{n}")).find(|key| shard(key) == 1).expect("some key");
    client.write_all(format!("WATCH {key}\r\n").as_bytes()).expect("it is read");
    tick_until(&mut thread, |thread| thread.core.statistics.counters.traffic.writes == 1);
    let mut reply = [0; 5];
    client.read_exact(&mut reply).expect("it is answered");
    assert_eq!(&reply, b"+OK\r\n");
    // The other one takes note of that, and sleeps.
    other.drain_inbox();
    assert!(other.shard.is_watched() && other.mail.inbox.prepare_sleep());
    // Both are there when the tick begins: it ends the connection when all is sent.
    client.write_all(b"PING\r\n").expect("it is read");
    drop(client);
    std::thread::sleep(Duration::from_millis(5));
    thread.poll();
    tick_until(&mut thread, |thread| {
        assert!(thread.core.mail.wakes().is_empty(), "it rests, and another sleeps on");
        thread.core.connections.iter().count() == 0
    });
    assert!(!other.mail.inbox.is_empty(), "it was told that the watch has ended");
}

/// More than the ring queues at once, and than it has buffers to receive into.
const CROWD: usize = 270;

#[test]
fn what_many_are_sent_at_once_arrives_in_order_however_slowly_they_read() {
    let (mut thread, _other) = two();
    let mut clients: Vec<_> = (0..CROWD).map(|_| connect(&mut thread)).collect();
    // More than a socket takes at once.
    let words: Vec<String> = (0..40).map(|at| format!("{at:02}{}", "x".repeat(10_000))).collect();
    let bulk = |word: &String| format!("${}\r\n{word}\r\n", word.len());
    let request: String =
        words.iter().map(|it| format!("*2\r\n$4\r\nECHO\r\n{}", bulk(it))).collect();
    let expected: String = words.iter().map(bulk).collect();
    for client in &clients {
        client.set_nonblocking(true).expect("a mode");
    }
    let (mut sent, mut got) = (vec![0; CROWD], vec![Vec::new(); CROWD]);
    let mut turn = 0;
    tick_until(&mut thread, |_| {
        turn += 1;
        let mut buffer = vec![0; 1 << 16];
        for (at, client) in clients.iter_mut().enumerate() {
            while let Ok(more) = client.write(&request.as_bytes()[sent[at]..])
                && more > 0
            {
                sent[at] += more;
            }
            // Each reads at every third turn only.
            if (turn + at) % 3 == 0
                && let Ok(more) = client.read(&mut buffer)
            {
                got[at].extend_from_slice(&buffer[..more]);
            }
        }
        got.iter().all(|it| it.len() >= expected.len())
    });
    assert!(got.iter().all(|it| it == expected.as_bytes()));
}

#[test]
fn who_wakes_another_is_not_woken_by_that() {
    let ring = || Ring::new(RingOptions::default()).expect("io_uring is what a server needs");
    let (mut waker, mut sleeper) = (ring(), ring());
    waker.wake(sleeper.descriptor());
    let clock = Clock::new();
    let begin_ns = clock.now_ns();
    waker.wait(1, Duration::from_millis(20)).expect("a wait");
    assert!(clock.now_ns() - begin_ns >= 20_000_000, "the wait that submits it lasts");
    let mut completions = Vec::new();
    waker.reap(&mut completions);
    assert!(completions.is_empty(), "{completions:?}");
    sleeper.wait(1, Duration::from_secs(2)).expect("a wait");
    sleeper.reap(&mut completions);
    assert!(matches!(completions[..], [Completion::Woken]), "{completions:?}");
}
