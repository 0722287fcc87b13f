//! Measures the table: `cargo run --release -p table --example measure [keys [value bytes]]`.
//!
//! Prints, for keys of 16 bytes: CPU time of an insert while growing;
//! bytes a key used, reserved and resident; time of a hit and of a miss, one by one and in batches
//! of 32 with both stages of prefetch; the longest slices of upkeep and draining after deletes; the
//! longest inserts of a second filling. Times are of the thread's CPU, so that neighbours do not
//! show.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::time::Duration;

use table::{Expiry, Hash, Hasher, Payload, Table};

const BATCH: usize = 32;
const LOOKUPS: usize = 4_000_000;

type Key = [u8; 16];

fn key(number: u64) -> Key {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A permutation-like spread of lookups over the keys.
fn pick(index: usize, keys: u64) -> u64 {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(mixed ^ (mixed >> 29)) * u128::from(keys)) >> 64) as u64
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// CPU time of this thread: what a call cost, whoever else wanted the CPU meanwhile.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn fill(table: &mut Table<Box<u8>>, number: u64, value: &[u8]) {
    let key = key(number);
    table.set(table.hash(&key), &key, Payload::Bytes(value), Expiry::Never);
}

fn nanos(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

fn lookups(table: &Table<Box<u8>>, first: u64, keys: u64) -> (f64, f64) {
    let hasher = table.hasher();
    let start = cpu();
    let mut found = 0;
    for index in 0..LOOKUPS {
        let key = key(first + pick(index, keys));
        found += usize::from(black_box(table.find(hasher.hash(&key), &key)).is_some());
    }
    let single = nanos(cpu() - start, LOOKUPS);
    let start = cpu();
    for batch in 0..LOOKUPS / BATCH {
        let keys: [Key; BATCH] =
            std::array::from_fn(|index| key(first + pick(batch * BATCH + index, keys)));
        let hashes: [Hash; BATCH] = std::array::from_fn(|index| hasher.hash(&keys[index]));
        hashes.iter().for_each(|&hash| table.prefetch(hash));
        hashes.iter().for_each(|&hash| table.prefetch_record(hash));
        for (key, &hash) in keys.iter().zip(&hashes) {
            found += usize::from(black_box(table.find(hash, key)).is_some());
        }
    }
    black_box(found);
    (single, nanos(cpu() - start, LOOKUPS))
}

fn slices(mut slice: impl FnMut() -> bool) -> (Duration, Duration) {
    let (mut longest, start) = (Duration::ZERO, cpu());
    loop {
        let begin = cpu();
        let more = slice();
        longest = longest.max(cpu() - begin);
        if !more {
            return (longest, cpu() - start);
        }
    }
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let keys = arguments.next().unwrap_or(1_000_000_u64);
    let value = vec![b'v'; arguments.next().unwrap_or(32) as usize];
    let before = resident_bytes();
    let mut table: Table<Box<u8>> = Table::new(Hasher::new(42));

    let start = cpu();
    (0..keys).for_each(|number| fill(&mut table, number, &value));
    let elapsed = cpu() - start;
    let per_key = |bytes: usize| bytes as f64 / keys as f64;
    writeln!(out, "insert        {:8.1} ns", nanos(elapsed, keys as usize))?;
    writeln!(out, "used          {:8.2} bytes a key", per_key(table.bytes_used()))?;
    writeln!(out, "reserved      {:8.2} bytes a key", per_key(table.bytes_reserved()))?;
    writeln!(out, "resident      {:8.2} bytes a key", per_key(resident_bytes() - before))?;

    let (single, batch) = lookups(&table, 0, keys);
    writeln!(out, "hit           {single:8.1} ns, batch of {BATCH} {batch:.1} ns")?;
    let (single, batch) = lookups(&table, keys, keys);
    writeln!(out, "miss          {single:8.1} ns, batch of {BATCH} {batch:.1} ns")?;

    for number in (0..keys).filter(|number| number.wrapping_mul(0x9e37_79b9) >> 7 & 15 != 0) {
        let key = key(number);
        table.remove(table.hash(&key), &key);
    }
    let fallen = resident_bytes() - before;
    let (longest, total) = slices(|| table.maintain(200));
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    writeln!(out, "after deletes {} keys, resident {:.1} MB", table.len(), megabytes(fallen))?;
    writeln!(
        out,
        "after upkeep  resident {:.1} MB, used {:.1} MB, reserved {:.1} MB; \
         slice max {longest:?}, all {total:?}",
        megabytes(resident_bytes() - before),
        megabytes(table.bytes_used()),
        megabytes(table.bytes_reserved())
    )?;
    (0..keys).for_each(|number| fill(&mut table, number, &value));
    let (longest, total) = slices(|| table.drain(64, drop).more);
    writeln!(out, "drain         slice max {longest:?}, all {total:?}")?;
    writeln!(out, "after drain   resident {:.1} MB", megabytes(resident_bytes() - before))?;

    let mut latencies = Vec::with_capacity(keys as usize);
    for number in 0..keys {
        let begin = cpu();
        fill(&mut table, number, &value);
        latencies.push((cpu() - begin).as_nanos() as u32);
    }
    latencies.sort_unstable();
    let at = |share: f64| f64::from(latencies[((keys - 1) as f64 * share) as usize]) / 1000.0;
    let (p999, p99999, max) = (at(0.999), at(0.99999), at(1.0));
    writeln!(out, "insert        p99.9 {p999:.1} us, p99.999 {p99999:.1} us, max {max:.1} us")
}
