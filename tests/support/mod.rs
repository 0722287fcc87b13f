//! What the tests of the running server share: a server that starts on a free port and always ends,
//! and a client that says exactly what it is told.

// Each test binary uses its own part of this.
#![allow(dead_code, unused_imports)]

mod client;
mod server;
mod value;

pub(crate) use client::{Client, TIMEOUT, encode, encode_line};
pub(crate) use server::{Server, free_port, new_folder, run_to_end};
pub(crate) use value::{Value, read_value};

use std::time::{Duration, Instant};

/// Waits until `holds`, looking every few milliseconds. Panics with `what` after ten seconds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The shard of a key: what the server does with `shards` shards, by the definition of slots.
pub(crate) fn shard_of(key: &str, shards: usize) -> usize {
    let crc = key.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    usize::from(crc % 16384) * shards / 16384
}

/// A key `<prefix><number>` that lives on `shard`.
pub(crate) fn key_on(shard: usize, shards: usize, prefix: &str) -> String {
    (0..)
        .map(|number| format!("{prefix}{number}"))
        .find(|key| shard_of(key, shards) == shard)
        .expect("every shard has keys")
}
