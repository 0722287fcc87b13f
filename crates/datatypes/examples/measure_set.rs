//! Measures large collections: `cargo run --release -p datatypes --example measure_set [members]`.
//!
//! Prints, for members of 16 bytes and for integers of 30 bits: bytes a member, as counted and as
//! the allocator has them, in collections of 600, of 500,000, and of `members` (5 million if not
//! said); CPU time of adding, finding, not finding, drawing at random, taking out; how long
//! sharing takes, and how much longer the slowest writes take while a share is held. Times are of
//! the thread's CPU, so that neighbours do not show.

use std::hint::black_box;
use std::io;
use std::time::Duration;

use datatypes::members::Members;
use table::Hasher;
use tikv_jemalloc_ctl::{epoch, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A member of 16 bytes.
fn text(number: u64) -> Vec<u8> {
    format!("member:{number:09}").into_bytes()
}

/// A member that is an integer of up to 30 bits.
fn integer(number: u64) -> Vec<u8> {
    (mixed(number) >> 34).to_string().into_bytes()
}

fn mixed(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// CPU time of this thread: what a call cost, whoever else wanted the CPU meanwhile.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn allocated() -> usize {
    epoch::advance().and_then(|_| stats::allocated::read()).unwrap_or(0)
}

fn filled(members: u64, from: u64, form: fn(u64) -> Vec<u8>) -> Members<1> {
    let mut all = Members::new(Hasher::new(42));
    for number in from..from + members {
        all.insert([&form(number)]);
    }
    all
}

fn nanos(elapsed: Duration, count: u64) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

fn bytes(out: &mut impl io::Write, collections: u64, members: u64) -> io::Result<()> {
    for (name, form) in [("16 bytes", text as fn(u64) -> Vec<u8>), ("30 bits", integer)] {
        let before = allocated();
        let all: Vec<Members<1>> =
            (0..collections).map(|number| filled(members, number * members, form)).collect();
        let count = (collections * members) as f64;
        let counted: usize = all.iter().map(Members::heap_bytes).sum();
        let used = (allocated() - before) as f64 / count;
        writeln!(
            out,
            "{collections:5} x {members:8} of {name:8}  {used:6.2} bytes a member, counted {:.2}",
            counted as f64 / count
        )?;
    }
    Ok(())
}

/// The mean and the longest of single calls, in ns and us.
fn timed(numbers: impl Iterator<Item = u64>, mut call: impl FnMut(&[u8])) -> (f64, f64) {
    let (mut total, mut longest, mut count) = (Duration::ZERO, Duration::ZERO, 0);
    let pause = (0..1000).fold(Duration::MAX, |least, _| {
        let begin = cpu();
        least.min(cpu() - begin)
    });
    for number in numbers {
        let member = text(number);
        let begin = cpu();
        call(&member);
        let took = (cpu() - begin).saturating_sub(pause);
        (total, longest, count) = (total + took, longest.max(took), count + 1);
    }
    (nanos(total, count), longest.as_nanos() as f64 / 1000.0)
}

fn times(out: &mut impl io::Write, members: u64) -> io::Result<()> {
    let begin = cpu();
    let mut all = filled(members, 0, text);
    writeln!(out, "{members} members: filled {:.1} ns each", nanos(cpu() - begin, members))?;
    let lookups = 2_000_000;
    for (name, from) in [("found", 0), ("not found", members)] {
        let begin = cpu();
        let found = (0..lookups)
            .filter(|&number| all.find(&text(from + mixed(number) % members)).is_some());
        black_box(found.count());
        writeln!(out, "{name:10} {:8.1} ns", nanos(cpu() - begin, lookups))?;
    }
    let begin = cpu();
    (0..lookups).for_each(|number| _ = black_box(text(from_zero(number, members))));
    writeln!(out, "(of that   {:8.1} ns to print the member)", nanos(cpu() - begin, lookups))?;
    let mut state = 0;
    let begin = cpu();
    for _ in 0..lookups / 10 {
        black_box(all.random(&mut || {
            state += 1;
            mixed(state)
        }));
    }
    writeln!(out, "at random  {:8.1} ns", nanos(cpu() - begin, lookups / 10))?;

    let writes = 200_000;
    let part =
        |first: u64| (0..writes).map(move |number| first + number * (members / writes / 8).max(1));
    let (mean, longest) = timed(part(members), |member| _ = black_box(all.insert([member])));
    writeln!(out, "SADD alone        {mean:8.1} ns, longest {longest:.1} us")?;
    let (mean, longest) = timed(part(0), |member| _ = black_box(all.remove(member)));
    writeln!(out, "SREM alone        {mean:8.1} ns, longest {longest:.1} us")?;
    let begin = cpu();
    let share = all.share();
    let len = share.len();
    writeln!(out, "share             {:8.1} us", (cpu() - begin).as_nanos() as f64 / 1000.0)?;
    let (mean, longest) = timed(part(members * 2), |member| _ = black_box(all.insert([member])));
    writeln!(out, "SADD while shared {mean:8.1} ns, longest {longest:.1} us")?;
    let (mean, longest) = timed(part(members / 2), |member| _ = black_box(all.remove(member)));
    writeln!(out, "SREM while shared {mean:8.1} ns, longest {longest:.1} us")?;
    assert_eq!((share.iter().count(), share.len()), (len, len), "a share does not change");
    let mut longest = Duration::ZERO;
    let mut old = share;
    loop {
        let begin = cpu();
        let done = old.free_slice(256);
        longest = longest.max(cpu() - begin);
        if done {
            break;
        }
    }
    writeln!(
        out,
        "freed in slices of 256 chunks, longest {:.1} us",
        longest.as_nanos() as f64 / 1e3
    )?;
    let (mean, longest) = timed(0..members, |member| _ = black_box(all.remove(member)));
    writeln!(out, "SREM of all       {mean:8.1} ns, longest {longest:.1} us")
}

fn from_zero(number: u64, members: u64) -> u64 {
    mixed(number) % members
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let members = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(5_000_000);
    bytes(&mut out, 2000, 600)?;
    bytes(&mut out, 2, 500_000)?;
    bytes(&mut out, 1, members)?;
    times(&mut out, 500_000)?;
    times(&mut out, members)
}
