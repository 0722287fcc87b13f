//! The longest stall: a probe asks GET without pause while something large happens to the server.
//!
//! The probe and the load share CPUs, and so does whatever else the machine runs: a thread that
//! waits in a run queue looks like a slow server. So the probe reads the scheduler's account before
//! and after each request, and what its own thread and the serving thread waited for a CPU is
//! taken off. Probe and load keep to the load's CPUs. That leaves what no account shows (a
//! hypervisor that runs somebody else, an interrupt that takes its time), which hits one request in
//! some hundred thousand, whatever the server does; what a server does to itself comes again in
//! every round. So the figure is the median of the rounds' longest requests, each round on a fresh
//! server. The longest of all rounds is reported beside it, without anything taken off as well; the
//! bar is on the median.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::median;
use crate::report::Report;
use crate::server::{Cpu, Kind, Server, Setting, pin_this_thread};
use crate::wire::{Reply, encode};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const KEYS: u64 = 3_000_000;
const HUGE_BYTES: usize = 100 << 20;
/// What may still be under way in the background after a command was answered.
const AFTERMATH: Duration = Duration::from_millis(500);

/// What happens, in this order.
const EVENTS: [&str; 3] = ["growing table", "FLUSHALL ASYNC", "DEL of 100 MB"];

/// A table that grows under load, FLUSHALL ASYNC, DEL of a 100 MB value: <= 2 ms each.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let mut stalls = vec![Vec::new(); Kind::ALL.len() * EVENTS.len()];
    for _ in 0..arguments.rounds {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            let server = Server::start(&Setting::plain(kind, &arguments.server_cpus))?;
            for (event, stall) in round(&server, arguments)?.into_iter().enumerate() {
                stalls[place * EVENTS.len() + event].push(stall);
            }
        }
    }
    for (place, stalls) in stalls.iter().enumerate() {
        let (kind, event) = (Kind::ALL[place / EVENTS.len()], EVENTS[place % EVENTS.len()]);
        let scenario = format!("stall: {event}");
        let net = median(stalls.iter().map(|stall| stall.net.as_secs_f64() * 1e3).collect());
        let longest = |of: fn(&Stall) -> Duration| {
            stalls.iter().map(of).max().unwrap_or_default().as_secs_f64() * 1e3
        };
        report.row(&scenario, kind.name(), "longest_ms_raw", longest(|stall| stall.raw));
        report.row(&scenario, kind.name(), "longest_ms_all", longest(|stall| stall.net));
        report.row(&scenario, kind.name(), "longest_ms", net);
        if kind == Kind::Bobbin {
            report.at_most(format!("3: {scenario}, ms"), net, 2.0);
        }
    }
    Ok(())
}

/// All events on one server: the longest stall of each.
fn round(server: &Server, arguments: &Arguments) -> Result<[Stall; EVENTS.len()], Failure> {
    let (keys, cpus) = (arguments.amount(KEYS), arguments.load_cpus.as_str());
    server.wire()?.fill(0..keys / 100, 32)?; // so that the serving thread is the busiest one
    let growing = probe(server, cpus, &|| server.wire()?.fill(0..keys, 32))?;
    let flush = probe(server, cpus, &|| one(server, &["FLUSHALL", "ASYNC"]))?;
    one(server, &["SET", "huge", &"x".repeat(HUGE_BYTES)])?;
    let delete = probe(server, cpus, &|| one(server, &["DEL", "huge"]))?;
    Ok([growing, flush, delete])
}

type Event<'a> = &'a (dyn Fn() -> Result<(), Failure> + Sync);

fn one(server: &Server, words: &[&str]) -> Result<(), Failure> {
    server.wire()?.command(words).map(drop)
}

/// The longest request, as it was and without the time that threads waited for a CPU.
#[derive(Clone, Copy, Default)]
struct Stall {
    raw: Duration,
    net: Duration,
}

/// Probes until `event` is over and its aftermath too, both from `cpus`.
fn probe(server: &Server, cpus: &str, event: Event<'_>) -> Result<Stall, Failure> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let probing = scope.spawn(|| pin_this_thread(cpus).and_then(|()| ask_until(server, &over)));
        // the probe runs a little before the event, so that its connection is warm
        std::thread::sleep(Duration::from_millis(50));
        let happening = scope.spawn(|| pin_this_thread(cpus).and_then(|()| event()));
        let done = happening.join().map_err(|_| Failure::new("event", "panicked"));
        std::thread::sleep(AFTERMATH);
        over.store(true, Ordering::Relaxed);
        let stall = probing.join().map_err(|_| Failure::new("probe", "panicked"))?;
        done?.and(stall)
    })
}

fn ask_until(server: &Server, over: &AtomicBool) -> Result<Stall, Failure> {
    let own = Path::new("/proc/thread-self/schedstat");
    // of the server only the thread that serves: a background thread that waits while the serving
    // one runs too long is what a stall looks like
    let serving = server.busiest_thread()?;
    let waited = || {
        Cpu::read(own).unwrap_or_default().waited_ns
            + Cpu::read(&serving).unwrap_or_default().waited_ns
    };
    let mut wire = server.wire()?;
    let request = encode(&["GET", "probe"]);
    let mut longest = Stall::default();
    while !over.load(Ordering::Relaxed) {
        let waited_before = waited();
        let begin = Instant::now();
        wire.send(&request)?;
        if let Reply::Error(text) = wire.reply()? {
            return Err(Failure::new("GET", text));
        }
        let raw = begin.elapsed();
        let waiting = Duration::from_nanos(waited().saturating_sub(waited_before));
        longest.raw = longest.raw.max(raw);
        longest.net = longest.net.max(raw.saturating_sub(waiting));
    }
    Ok(longest)
}
