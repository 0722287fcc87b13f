//! Rates, who is asked, and the bars.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::median;
use crate::open::generator::{OpenLoad, Outcome, Pause};
use crate::report::Report;
use crate::server::{Kind, Server, Setting, pin_this_thread};

/// Connections and requests a second.
type Rate = (usize, u32);

/// One shard on one CPU, the load on the other.
const RATES_ALONE: [Rate; 4] = [(20, 2_000), (100, 10_000), (100, 30_000), (100, 60_000)];
/// Two shards on both CPUs, and the load on both as well.
const RATES_SHARED: [Rate; 3] = [(20, 2_000), (100, 10_000), (100, 30_000)];

/// Fits the caches, so that sockets and wake-ups are what is measured.
const KEYS: u64 = 100_000;
const VALUE_BYTES: usize = 64;

/// Of a turn that is counted, and of the one before it that is not.
const TURN_MS: u64 = 2_000;
const WARM_UP_MS: u64 = 500;

/// One shard: latency 1.10 and CPU 1.15 of Redis 8.
pub(crate) fn one_shard(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let run =
        Run { shards: 1, server_cpus: &arguments.server_cpus, load_cpus: &arguments.load_cpus };
    run.rates(arguments, report, &RATES_ALONE, Limits { latency: 1.10, cpu: 1.15 })
}

/// Two shards that share their CPUs with the load: latency 1.5 and CPU 2.0 of Redis 8.
pub(crate) fn two_shards(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let run = Run { shards: 2, server_cpus: &arguments.both_cpus, load_cpus: &arguments.both_cpus };
    run.rates(arguments, report, &RATES_SHARED, Limits { latency: 1.5, cpu: 2.0 })
}

/// What Bobbin's figures may be, over Redis 8's.
#[derive(Clone, Copy)]
struct Limits {
    latency: f64,
    cpu: f64,
}

/// Who runs where.
struct Run<'a> {
    shards: usize,
    server_cpus: &'a str,
    load_cpus: &'a str,
}

impl Run<'_> {
    fn rates(
        &self,
        arguments: &Arguments,
        report: &mut Report,
        rates: &[Rate],
        limits: Limits,
    ) -> Result<(), Failure> {
        let setting = |kind| Setting::plain(kind, self.server_cpus);
        let bobbin = Setting { shards: self.shards, ..setting(Kind::Bobbin) };
        let others = [Kind::Redis8, Kind::Valkey9].map(setting);
        let servers = Server::start_all(&[bobbin, others[0].clone(), others[1].clone()])?;
        servers.iter().try_for_each(|server| server.wire()?.fill(0..KEYS, VALUE_BYTES))?;
        for &(connections, per_second) in rates {
            let shards = if self.shards == 1 { "1 shard" } else { "2 shards" };
            let scenario = format!("open c{connections} {per_second}/s {shards}");
            let medians = self.rounds(arguments, &servers, (connections, per_second))?;
            for (server, outcome) in servers.iter().zip(&medians) {
                report.columns(&scenario, &server.label(), &outcome.columns());
            }
            let [bobbin, redis, ..] = &medians[..] else { continue };
            for (name, ratio, limit) in [
                ("p50", bobbin.p50_us / redis.p50_us, limits.latency),
                ("p90", bobbin.p90_us / redis.p90_us, limits.latency),
                ("CPU per request", bobbin.cpu_us / redis.cpu_us, limits.cpu),
            ] {
                report.at_most(format!("9: {scenario}, {name} / redis-8"), ratio, limit);
            }
        }
        Ok(())
    }

    /// Each server's turns at one rate, round by round; the median of each column. In a round all
    /// servers are sent the same requests at the same moments.
    fn rounds(
        &self,
        arguments: &Arguments,
        servers: &[Server],
        (connections, per_second): Rate,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes = vec![Vec::new(); servers.len()];
        for round in 0..=arguments.rounds {
            let full_ms = if round == 0 { WARM_UP_MS } else { TURN_MS };
            let load = OpenLoad {
                connections,
                per_second,
                duration_ms: if arguments.quick { full_ms / 4 } else { full_ms },
                keys: KEYS,
                value_bytes: VALUE_BYTES,
                seed: round as u64,
                // Alone on its CPU it watches the clock; where it shares it, that would take from
                // the server what the server needs.
                pause: if self.load_cpus == self.server_cpus { Pause::Sleep } else { Pause::Watch },
            };
            for (server, outcomes) in servers.iter().zip(&mut outcomes) {
                let outcome = on_cpus(self.load_cpus, || load.turn(server))?;
                if round > 0 {
                    outcomes.push(outcome);
                }
            }
        }
        Ok(outcomes.iter().map(|outcomes| median_outcome(outcomes)).collect())
    }
}

/// Runs `work` on a thread that keeps to `cpus`.
fn on_cpus<T: Send>(
    cpus: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| pin_this_thread(cpus).and_then(|()| work()));
        thread.join().map_err(|_| Failure::new("load", "panicked"))?
    })
}

/// The median of each column on its own.
fn median_outcome(outcomes: &[Outcome]) -> Outcome {
    let column = |field: fn(&Outcome) -> f64| median(outcomes.iter().map(field).collect());
    Outcome {
        p50_us: column(|it| it.p50_us),
        p90_us: column(|it| it.p90_us),
        p99_us: column(|it| it.p99_us),
        p999_us: column(|it| it.p999_us),
        late_p50_us: column(|it| it.late_p50_us),
        late_p99_us: column(|it| it.late_p99_us),
        cpu_us: column(|it| it.cpu_us),
    }
}
