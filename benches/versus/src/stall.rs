//! The longest stall: a probe asks GET without pause while something large happens to the server.
//!
//! The probe and the load share CPUs, and so does whatever else the machine runs: a thread that
//! waits in a run queue looks like a slow server. So the probe reads the scheduler's account before
//! and after each request, and what its own thread and the serving thread waited for a CPU is
//! taken off. Both numbers are reported; the bar is on the net one.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::report::Report;
use crate::server::{Cpu, Kind, Server, Setting};
use crate::wire::{Reply, encode};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const KEYS: u64 = 3_000_000;
const HUGE_BYTES: usize = 100 << 20;
/// What may still be under way in the background after a command was answered.
const AFTERMATH: Duration = Duration::from_millis(500);

/// A table that grows under load, FLUSHALL ASYNC, DEL of a 100 MB value: <= 2 ms each.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let keys = arguments.amount(KEYS);
    for kind in Kind::ALL {
        let server = Server::start(&Setting::plain(kind, &arguments.server_cpus))?;
        server.wire()?.fill(0..keys / 100, 32)?; // so that the serving thread is the busiest one
        let grow = || server.wire()?.fill(0..keys, 32);
        let flush = || one(&server, &["FLUSHALL", "ASYNC"]);
        let huge = "x".repeat(HUGE_BYTES);
        let events: [(&str, Event<'_>); 3] = [
            ("growing table", &grow),
            ("FLUSHALL ASYNC", &flush),
            ("DEL of 100 MB", &|| one(&server, &["DEL", "huge"])),
        ];
        for (name, event) in events {
            if name.starts_with("DEL") {
                one(&server, &["SET", "huge", &huge])?;
            }
            let stall = probe(&server, event)?;
            let scenario = format!("stall: {name}");
            report.row(&scenario, &server.label(), "longest_ms_raw", stall.raw.as_secs_f64() * 1e3);
            report.row(&scenario, &server.label(), "longest_ms", stall.net.as_secs_f64() * 1e3);
            if kind == Kind::Bobbin {
                report.at_most(format!("3: {scenario}, ms"), stall.net.as_secs_f64() * 1e3, 2.0);
            }
        }
    }
    Ok(())
}

type Event<'a> = &'a (dyn Fn() -> Result<(), Failure> + Sync);

fn one(server: &Server, words: &[&str]) -> Result<(), Failure> {
    server.wire()?.command(words).map(drop)
}

/// The longest request, as it was and without the time that threads waited for a CPU.
#[derive(Default)]
struct Stall {
    raw: Duration,
    net: Duration,
}

/// Probes until `event` is over and its aftermath too.
fn probe(server: &Server, event: Event<'_>) -> Result<Stall, Failure> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let probing = scope.spawn(|| ask_until(server, &over));
        // the probe runs a little before the event, so that its connection is warm
        std::thread::sleep(Duration::from_millis(50));
        let done = event();
        std::thread::sleep(AFTERMATH);
        over.store(true, Ordering::Relaxed);
        let stall = probing.join().map_err(|_| Failure::new("probe", "panicked"))?;
        done.and(stall)
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
