//! Eviction as clients see it, played on simulated servers of one to eight shards: what goes, what
//! stays, who is refused, and that the server comes to rest. Seeds are fixed.

use std::time::Duration;

use config::Config;
use keyspace::EvictionPolicy;
use net::{Clock, VirtualTime};
use spec::{shard_of_slot, slot_of};

use super::eviction::excess_bytes_max;
use super::gauge::MAPPINGS_OF_OTHERS;
use super::heap::Heap;
use crate::simulation::{Client, Options, Server};

/// What the records may take, unless a play says otherwise.
const ROOM_BYTES: u64 = 2 << 20;

/// Turns of all core threads within which a server comes to rest.
const TURNS_MAX: usize = 20_000;

/// A server whose records alone count as memory.
struct Play {
    server: Server,
    client: Client,
    time: &'static VirtualTime,
    max_bytes: u64,
}

impl Play {
    fn new(shards: usize, policy: EvictionPolicy) -> Self {
        MAPPINGS_OF_OTHERS.set(true);
        let time: &'static VirtualTime =
            Box::leak(Box::new(VirtualTime::new(1_700_000_000_000_000)));
        let clock = Clock::simulated(time);
        let options = Options { shards, seed: 5, short_writes: 0, clock };
        let mut server = Server::empty(Config::default(), options);
        let client = server.connect(0);
        let mut play = Self { server, client, time, max_bytes: 0 };
        play.bound(play.memory_bytes() + ROOM_BYTES, policy);
        play
    }

    /// As CONFIG SET of `maxmemory` and its policy, without making room at once.
    fn bound(&mut self, max_bytes: u64, policy: EvictionPolicy) {
        self.max_bytes = max_bytes;
        for it in &mut self.server.cores {
            it.core.heap = Heap::uncounted();
            it.core.publish_memory();
            it.core.settings.limits.memory_bytes_max = max_bytes;
            it.core.settings.keyspace.eviction = policy;
            it.core.shard.keyspace.configure(it.core.settings.keyspace);
        }
    }

    /// Sends commands at once, lets the server come to rest, and returns the replies.
    fn send(&mut self, commands: &[Vec<String>]) -> String {
        let mut bytes = String::new();
        for words in commands {
            bytes.push_str(&format!("*{}\r\n", words.len()));
            words.iter().for_each(|it| bytes.push_str(&format!("${}\r\n{it}\r\n", it.len())));
        }
        self.server.give(self.client, bytes.as_bytes());
        self.rest();
        String::from_utf8(self.server.take(self.client)).expect("replies are text")
    }

    /// Lets all core threads run until they sleep.
    fn rest(&mut self) {
        for _ in 0..TURNS_MAX {
            let awake: Vec<usize> =
                (0..self.server.shards()).filter(|it| !self.server.is_asleep(*it)).collect();
            if awake.is_empty() {
                return;
            }
            awake.into_iter().for_each(|shard| self.server.tick(shard));
            self.time.pass(Duration::from_micros(20));
        }
        panic!("the server does not come to rest");
    }

    /// Time passes in which nobody sends anything.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.time.pass(Duration::from_millis(20));
            self.rest();
        }
    }

    fn memory_bytes(&self) -> u64 {
        self.server.cores[0].core.shared.memory_bytes()
    }

    /// How many keys each shard has.
    fn keys(&self) -> Vec<usize> {
        self.server.cores.iter().map(|it| it.core.shard.keys()).collect()
    }

    fn evictable_keys(&self) -> usize {
        self.server.cores.iter().map(|it| it.core.shard.keyspace.evictable_keys()).sum()
    }

    fn evicted(&self) -> u64 {
        self.server.cores.iter().map(|it| it.core.shard.keyspace.stats().evicted).sum()
    }

    /// How many of these keys are there.
    fn present(&mut self, keys: &[String]) -> usize {
        let exists: Vec<_> = keys.iter().map(|key| words(&["EXISTS", key])).collect();
        exists.chunks(100).map(|it| self.send(it).matches(":1\r\n").count()).sum()
    }

    /// The bound holds while others evict, but for what one more piece of input writes.
    fn assert_bounded(&self) {
        let most = self.max_bytes + excess_bytes_max(self.max_bytes) + (64 << 10);
        assert!(self.memory_bytes() <= most, "{} of {most}", self.memory_bytes());
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|it| (*it).to_owned()).collect()
}

fn set(key: &str, bytes: usize) -> Vec<String> {
    words(&["SET", key, &"v".repeat(bytes)])
}

/// `count` keys that begin so.
fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

/// One connection pipelines 500 SET and an MGET of 400 hot keys again and again. How many of these
/// are lost, and the keys of each shard.
fn hot_and_new(shards: usize, round_ms: u64) -> (usize, Vec<usize>) {
    let mut play = Play::new(shards, EvictionPolicy::AllkeysLru);
    let hot = keys("hot:", 400);
    play.send(&hot.iter().map(|key| set(key, 100)).collect::<Vec<_>>());
    let mut mget = words(&["MGET"]);
    mget.extend(hot.iter().cloned());
    for round in 0..200 {
        let mut commands: Vec<_> =
            (0..500).map(|it| set(&format!("new:{}", round * 500 + it), 100)).collect();
        commands.push(mget.clone());
        assert!(!play.send(&commands).contains("-OOM"));
        play.assert_bounded();
        play.time.pass(Duration::from_millis(round_ms));
    }
    assert!(play.evicted() > 50_000, "{}", play.evicted());
    (hot.len() - play.present(&hot), play.keys())
}

#[test]
fn hot_keys_stay_and_shards_stay_even() {
    for shards in [1, 2, 4, 8] {
        let (lost, keys) = hot_and_new(shards, 60);
        assert_eq!(lost, 0, "{shards} shards: {keys:?}");
        let (least, most) = (keys.iter().min(), keys.iter().max());
        let (least, most) = least.zip(most).expect("there are shards");
        assert!(*most * 10 <= *least * 14, "{shards} shards: {keys:?}");
    }
}

#[test]
fn where_all_keys_are_replaced_within_a_second_the_shards_share_the_loss() {
    // Seconds do not tell hot keys from others then, in Redis neither.
    let (alone, _) = hot_and_new(1, 5);
    for shards in [2, 4, 8] {
        let (lost, keys) = hot_and_new(shards, 5);
        assert!(lost <= alone + 40, "{shards} shards lose {lost}, one {alone}: {keys:?}");
        let (least, most) = (keys.iter().min(), keys.iter().max());
        let (least, most) = least.zip(most).expect("there are shards");
        assert!(*most * 10 <= *least * 16, "{shards} shards: {keys:?}");
    }
}

#[test]
fn keys_that_expire_go_wherever_they_are_and_then_all_writes_are_refused() {
    for shards in [1, 2, 4, 5, 8] {
        let mut play = Play::new(shards, EvictionPolicy::VolatileLru);
        let expiring = keys("{tag}:", 2000);
        for some in expiring.chunks(100) {
            let set = |key: &String| words(&["SET", key, &"v".repeat(500), "EX", "100000"]);
            play.send(&some.iter().map(set).collect::<Vec<_>>());
        }
        play.pass(200);
        let (mut plain, mut refused) = (0, vec![false; shards]);
        while plain < 20_000 {
            let left: usize = play.evictable_keys();
            let names = keys(&format!("plain:{plain}:"), 50);
            let replies = play.send(&names.iter().map(|it| set(it, 500)).collect::<Vec<_>>());
            play.assert_bounded();
            plain += names.len();
            if left > 100 {
                assert!(!replies.contains("-OOM"), "{shards} shards, after {plain}: {replies}");
            }
            for (name, reply) in names.iter().zip(replies.split_terminator("\r\n")) {
                refused[shard_of_slot(slot_of(name.as_bytes()), shards)] |=
                    reply.starts_with("-OOM");
            }
        }
        assert_eq!(play.evicted(), 2000, "{shards} shards: all keys that may go are gone");
        assert!(refused.iter().all(|it| *it), "{shards} shards: {refused:?}");
        let again = play.send(&keys("more:", 50).iter().map(|it| set(it, 9)).collect::<Vec<_>>());
        assert_eq!(again.matches("-OOM").count(), 50, "{shards} shards");
        play.pass(1000);
    }
}

/// Fills a server with 6,000 keys of 250 bytes, two thirds of them under one tag, does `prepare`,
/// and writes 8,000 new keys, which `write` makes. The old keys, under the tag and not.
fn skewed(
    shards: usize,
    policy: EvictionPolicy,
    prepare: impl Fn(&mut Play, &[String]),
    write: impl Fn(&str) -> Vec<String>,
) -> (Play, [Vec<String>; 2]) {
    let mut play = Play::new(shards, policy);
    let old = [keys("{tag}:", 4000), keys("old:", 2000)];
    for some in old.iter().flat_map(|it| it.chunks(100)) {
        play.send(&some.iter().map(|key| set(key, 250)).collect::<Vec<_>>());
    }
    old.iter().for_each(|it| prepare(&mut play, it));
    play.pass(200);
    for some in keys("new:", 8000).chunks(50) {
        let replies = play.send(&some.iter().map(|key| write(key)).collect::<Vec<_>>());
        play.assert_bounded();
        assert!(!replies.contains("-OOM"), "{policy:?} {shards}");
        play.time.pass(Duration::from_millis(1));
    }
    play.pass(200);
    assert!(play.memory_bytes() <= play.max_bytes);
    let left: usize = play.keys().iter().sum();
    assert_eq!(play.evicted() as usize, 14_000 - left, "{policy:?} {shards}: each is counted once");
    assert!(play.evicted() > 1000, "{policy:?} {shards}: {}", play.evicted());
    (play, old)
}

#[test]
fn keys_used_often_stay_on_any_number_of_shards() {
    for shards in [1, 2, 5, 8] {
        let often = |play: &mut Play, keys: &[String]| {
            let get: Vec<_> = keys[..200].iter().map(|key| words(&["GET", key])).collect();
            (0..30).for_each(|_| drop(play.send(&get)));
        };
        let (mut play, old) =
            skewed(shards, EvictionPolicy::AllkeysLfu, often, |key| set(key, 250));
        for keys in &old {
            let there = play.present(&keys[..200]);
            assert!(there >= 196, "{shards} shards: {there} of 200 {}", keys[0]);
        }
    }
}

#[test]
fn keys_that_expire_first_go_first_on_any_number_of_shards() {
    for shards in [1, 2, 5, 8] {
        // The first half of the old expires soon, the second half late; what is new does not.
        let expire = |play: &mut Play, keys: &[String]| {
            let commands = keys.iter().enumerate().map(|(number, key)| {
                let soon = number < keys.len() / 2;
                words(&["EXPIRE", key, if soon { "5000" } else { "100000" }])
            });
            let commands: Vec<_> = commands.collect();
            commands.chunks(100).for_each(|it| drop(play.send(it)));
        };
        let write = |key: &str| words(&["SETEX", key, "50000", &"v".repeat(250)]);
        let (mut play, old) = skewed(shards, EvictionPolicy::VolatileTtl, expire, write);
        for keys in &old {
            let late = &keys[keys.len() / 2..];
            let there = play.present(late);
            assert!(there * 100 >= late.len() * 97, "{shards} shards: {there} {}", keys[0]);
        }
    }
}

#[test]
fn at_random_each_key_is_as_likely_to_go_as_any_other() {
    for shards in [1, 2, 5, 8] {
        let (mut play, old) =
            skewed(shards, EvictionPolicy::AllkeysRandom, |_, _| {}, |key| set(key, 250));
        let there = [play.present(&old[0]) as f64 / 4000.0, play.present(&old[1]) as f64 / 2000.0];
        assert!(there[0] < 0.9 && (there[0] - there[1]).abs() < 0.08, "{shards} shards: {there:?}");
    }
}

#[test]
fn without_eviction_nothing_goes_and_all_shards_refuse() {
    for shards in [1, 2, 5, 8] {
        let mut play = Play::new(shards, EvictionPolicy::NoEviction);
        let names = keys("k", 20_000);
        for some in names.chunks(50) {
            play.send(&some.iter().map(|key| set(key, 200)).collect::<Vec<_>>());
            play.assert_bounded();
        }
        let more = play.send(&names.iter().take(50).map(|key| set(key, 9)).collect::<Vec<_>>());
        assert_eq!((more.matches("-OOM").count(), play.evicted()), (50, 0), "{shards} shards");
        play.pass(1000);
    }
}

#[test]
fn memory_falls_where_nobody_asks_and_the_server_rests_where_nothing_may_go() {
    for shards in [1, 2, 5, 8] {
        let mut play = Play::new(shards, EvictionPolicy::AllkeysLru);
        let (max_bytes, empty_bytes) = (play.max_bytes, play.max_bytes - ROOM_BYTES);
        for some in keys("{tag}:", 4000).chunks(100) {
            play.send(&some.iter().map(|key| set(key, 250)).collect::<Vec<_>>());
        }
        assert_eq!(play.evicted(), 0);
        let used = play.memory_bytes() - empty_bytes;
        play.bound(empty_bytes + used / 2, EvictionPolicy::AllkeysLru);
        play.pass(500);
        assert!(play.memory_bytes() <= play.max_bytes, "{shards} shards");
        let left: usize = play.keys().iter().sum();
        assert!((1800..=2100).contains(&left), "{shards} shards: {left} are left");
        // No key expires: the limit stays exceeded, and nothing is done about it again and again.
        play.bound(empty_bytes + used / 4, EvictionPolicy::VolatileLru);
        play.pass(200);
        let ticks = |play: &Play| -> u64 {
            play.server.cores.iter().map(|it| it.core.statistics.counters.traffic.ticks).sum()
        };
        let before = ticks(&play);
        play.pass(1000);
        assert!(ticks(&play) - before <= 25 * shards as u64, "{shards} shards");
        assert!(play.memory_bytes() > play.max_bytes && play.max_bytes < max_bytes);
    }
}
