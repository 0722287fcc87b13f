//! Measures lists: `cargo run --release -p datatypes --example measure_list [KEYS ELEMENTS]`.
//!
//! With arguments it prints bytes an element, used and resident, of that many lists of elements of
//! 16 bytes in a table, keys counted in: one filling a process, so that none inherits free memory.
//! Without, it prints nanoseconds an operation on one large list and on 10,000 small ones, and the
//! longest single operations on a list of 10 M elements, a share and a trim of it among them. Times
//! are of the thread's CPU, so that neighbours do not show.

use std::hint::black_box;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use datatypes::list::{Direction, End, List, ListLimits};
use table::{Expiry, Hasher, Payload, Table};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn used_bytes() -> usize {
    let refreshed = tikv_jemalloc_ctl::epoch::advance();
    refreshed.and_then(|_| tikv_jemalloc_ctl::stats::allocated::read()).unwrap_or(0)
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn limits() -> ListLimits {
    ListLimits::of(-2)
}

/// An element of 16 bytes that is no integer.
fn element(number: usize) -> [u8; 16] {
    let mut element = *b"element:00000000";
    let mut rest = number;
    for digit in element[8..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    element
}

fn push(list: &mut List, end: End, number: usize) {
    list.push(end, std::iter::once(element(number).as_slice()), limits());
}

fn filled(elements: usize) -> List {
    let mut list = List::new();
    (0..elements).for_each(|number| push(&mut list, End::Back, number));
    list
}

/// As large as an `Object` in a record.
struct Value {
    _tag: u64,
    list: List,
}

fn memory(out: &mut impl io::Write, keys: usize, elements: usize) -> io::Result<()> {
    let (used, resident) = (used_bytes(), resident_bytes());
    let mut table: Table<Value> = Table::new(Hasher::new(1));
    // round after round, as clients fill many lists
    for number in 0..elements {
        for key in 0..keys {
            let name = format!("list:{key:07}");
            let hash = table.hash(name.as_bytes());
            if number == 0 {
                let value = Payload::Object(Value { _tag: 0, list: List::new() });
                table.set(hash, name.as_bytes(), value, Expiry::Never);
            }
            let mut record = table.find_mut(hash, name.as_bytes()).expect("it was set");
            push(&mut record.object_mut().expect("a list").list, End::Back, number);
        }
    }
    std::thread::sleep(Duration::from_secs(12)); // what is free goes back within 10 s
    let count = (keys * elements) as f64;
    writeln!(
        out,
        "{keys:>6} x {elements:<7} used {:.2}  resident {:.2} bytes an element",
        (used_bytes() - used) as f64 / count,
        resident_bytes().saturating_sub(resident) as f64 / count,
    )
}

/// Prints nanoseconds a call.
fn time(
    out: &mut impl io::Write,
    name: &str,
    calls: usize,
    mut call: impl FnMut(usize),
) -> io::Result<()> {
    let start = cpu();
    (0..calls).for_each(&mut call);
    writeln!(out, "{name:<44} {:8.1} ns", (cpu() - start).as_nanos() as f64 / calls as f64)
}

fn spread(index: usize, bound: usize) -> usize {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(mixed ^ (mixed >> 29)) * bound as u128) >> 64) as usize
}

fn times(out: &mut impl io::Write) -> io::Result<()> {
    let mut lists: Vec<_> = (0..10_000).map(|_| filled(20)).collect();
    let count = lists.len();
    time(out, "LPUSH, 10,000 lists of 20", 200_000, |index| {
        push(&mut lists[spread(index, count)], End::Front, index);
    })?;
    time(out, "RPOP, 10,000 lists of 40", 200_000, |index| {
        black_box(lists[spread(index, count)].pop(End::Back, limits(), |entry| entry.text().len()));
    })?;
    let mut list = filled(1_000_000);
    time(out, "LPUSH, one list of 1 M", 1_000_000, |index| push(&mut list, End::Front, index))?;
    time(out, "RPOP, one list of 2 M", 1_000_000, |_| {
        black_box(list.pop(End::Back, limits(), |entry| entry.text().len()));
    })?;
    time(out, "LINDEX anywhere, one list of 1 M", 200_000, |index| {
        black_box(list.get(spread(index, 1_000_000), |entry| entry.text().len()));
    })?;
    time(out, "LRANGE of 100 anywhere, one list of 1 M", 50_000, |index| {
        let _ = list.visit(spread(index, 1_000_000), 100, Direction::Forward, |entry| {
            black_box(entry);
            ControlFlow::Continue(())
        });
    })?;
    time(out, "LINSERT anywhere, one list of 1 M", 200_000, |index| {
        black_box(list.insert(spread(index, 1_000_000), End::Back, &element(index), limits()));
    })
}

fn longest(out: &mut impl io::Write) -> io::Result<()> {
    const ELEMENTS: usize = 10_000_000;
    let mut worst = [Duration::ZERO; 5];
    let mut note = |slot: usize, start: Duration| worst[slot] = worst[slot].max(cpu() - start);
    let mut list = List::new();
    for number in 0..ELEMENTS {
        let start = cpu();
        push(&mut list, End::Back, number);
        note(0, start);
    }
    let start = cpu();
    let mut share = list.share();
    note(1, start);
    for index in 0..10_000 {
        let start = cpu();
        list.set(spread(index, ELEMENTS), &element(index), limits());
        note(2, start);
    }
    let start = cpu();
    let mut remains = list.trim(ELEMENTS / 3, ELEMENTS / 3, limits()).unwrap_or_default();
    note(3, start);
    for doomed in [&mut remains, &mut share, &mut list] {
        let mut done = false;
        while !done {
            let start = cpu();
            done = doomed.free_slice();
            note(4, start);
        }
    }
    let names = ["push", "share", "set while shared", "trim to a third", "slice of a free"];
    for (name, longest) in names.iter().zip(worst) {
        writeln!(out, "longest {name:<36} {:8.1} us", longest.as_nanos() as f64 / 1000.0)?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    // as the server does: free memory goes back by a thread of its own
    let _ = tikv_jemalloc_ctl::background_thread::write(true);
    let arguments: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    if let [keys, elements] = arguments[..] {
        return memory(&mut out, keys, elements);
    }
    times(&mut out)?;
    longest(&mut out)
}
