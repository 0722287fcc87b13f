//! A turn of load from redis-benchmark or memtier_benchmark, and the account of it.

use crate::failure::Failure;
use crate::server::{Server, oracle};
use std::process::{Command, Output};
use std::time::Instant;

/// What one turn sends.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Connections.
    pub(crate) connections: u32,
    /// Commands that a connection has in flight.
    pub(crate) pipeline: u32,
    /// Requests of the turn, exactly.
    pub(crate) requests: u64,
    /// Keys are drawn from `key:000000000000` up to this many.
    pub(crate) keys: u64,
    /// The command with `__rand_int__` where a random key's digits go.
    pub(crate) command: Vec<String>,
}

impl Load {
    /// `GET` of random keys.
    pub(crate) fn get(connections: u32, pipeline: u32, requests: u64, keys: u64) -> Self {
        let command = vec!["GET".to_owned(), "key:__rand_int__".to_owned()];
        Self { connections, pipeline, requests, keys, command }
    }

    /// `SET` of random keys to values of `value_bytes`.
    pub(crate) fn set(
        connections: u32,
        pipeline: u32,
        requests: u64,
        keys: u64,
        value_bytes: usize,
    ) -> Self {
        let mut load = Self::get(connections, pipeline, requests, keys);
        load.command =
            vec!["SET".to_owned(), "key:__rand_int__".to_owned(), "v".repeat(value_bytes)];
        load
    }

    /// Sends it from `cpus` and accounts for it.
    pub(crate) fn turn(&self, server: &Server, cpus: &str) -> Result<Turn, Failure> {
        let program = oracle()?.join("bin/redis-benchmark");
        let mut command = Command::new("taskset");
        command.arg("-c").arg(cpus).arg(&program);
        command.args(["-p", &server.port().to_string(), "--precision", "3"]);
        command.args(["-c", &self.connections.to_string(), "-P", &self.pipeline.to_string()]);
        command.args(["-n", &self.requests.to_string(), "-r", &self.keys.to_string()]);
        command.args(&self.command);
        let (text, turn) = account(server, self.requests, command)?;
        if let Some(line) =
            text.lines().find(|line| line.contains("Error") || line.contains("ERR "))
        {
            return Err(Failure::new(server.label(), line));
        }
        Ok(Turn {
            requests_per_second: field_after(&text, "throughput summary:")
                .unwrap_or(turn.requests_per_second),
            p50_ms: percentile(&text, 50.0),
            p99_ms: percentile(&text, 99.0),
            p999_ms: percentile(&text, 99.9),
            ..turn
        })
    }
}

/// A turn of memtier_benchmark: one SET in eleven, 64-byte values, Gaussian-free random keys.
pub(crate) fn memtier_turn(
    server: &Server,
    cpus: &str,
    requests: u64,
    keys: u64,
) -> Result<Turn, Failure> {
    const CONNECTIONS: u64 = 50;
    let each = requests / CONNECTIONS;
    let mut command = Command::new("taskset");
    command.args(["-c", cpus, "memtier_benchmark", "--hide-histogram", "-s", "127.0.0.1"]);
    command.args([
        "-p",
        &server.port().to_string(),
        "-t",
        "1",
        "-c",
        "50",
        "-n",
        &each.to_string(),
    ]);
    command.args(["--ratio", "1:10", "-d", "64", "--key-prefix", "key:", "--key-pattern", "R:R"]);
    command.args(["--key-maximum", &keys.to_string(), "--print-percentiles", "50,99,99.9"]);
    let (text, turn) = account(server, each * CONNECTIONS, command)?;
    let totals = text.lines().find(|line| line.starts_with("Totals")).unwrap_or_default();
    let fields: Vec<f64> =
        totals.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    // Totals: ops/sec, hits/sec, misses/sec, average, then the percentiles asked for, KB/sec
    if fields.len() < 5 {
        return Err(Failure::new("memtier_benchmark", "no totals in its output"));
    }
    let last = fields.len() - 1;
    Ok(Turn {
        requests_per_second: fields[0],
        p50_ms: fields[last - 3],
        p99_ms: fields[last - 2],
        p999_ms: fields[last - 1],
        ..turn
    })
}

/// What one turn cost and gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// Microseconds of server CPU per request.
    pub(crate) cpu_us: f64,
    /// Throughput as the load generator saw it.
    pub(crate) requests_per_second: f64,
    /// Median latency.
    pub(crate) p50_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// 99.9th percentile.
    pub(crate) p999_ms: f64,
}

/// The median of each column on its own.
pub(crate) fn median_turn(turns: &[Turn]) -> Turn {
    let column = |field: fn(&Turn) -> f64| median(turns.iter().map(field).collect());
    Turn {
        cpu_us: column(|turn| turn.cpu_us),
        requests_per_second: column(|turn| turn.requests_per_second),
        p50_ms: column(|turn| turn.p50_ms),
        p99_ms: column(|turn| turn.p99_ms),
        p999_ms: column(|turn| turn.p999_ms),
    }
}

/// The middle one; the mean of the two middle ones of an even number; NaN of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// Runs a load generator to its end and charges the server's CPU time to the requests.
fn account(
    server: &Server,
    requests: u64,
    mut command: Command,
) -> Result<(String, Turn), Failure> {
    let before = server.cpu()?;
    let begin = Instant::now();
    let output: Output = command.output().map_err(|why| Failure::new("load", why))?;
    let seconds = begin.elapsed().as_secs_f64();
    let spent_ns = server.cpu()?.ran_ns - before.ran_ns;
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(server.label(), format_args!("load failed: {errors}{text}")));
    }
    let turn = Turn {
        cpu_us: spent_ns as f64 / 1e3 / requests as f64,
        requests_per_second: requests as f64 / seconds,
        ..Turn::default()
    };
    Ok((text, turn))
}

fn field_after(text: &str, label: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        line.trim().strip_prefix(label)?.split_ascii_whitespace().next()?.parse().ok()
    })
}

/// From the lines `99.902% <= 0.463 milliseconds (cumulative count 99950)`: the first at or above
/// `wanted`.
fn percentile(text: &str, wanted: f64) -> f64 {
    text.lines()
        .filter_map(|line| {
            let (percent, rest) = line.split_once("% <= ")?;
            let value = rest.split_ascii_whitespace().next()?.parse::<f64>().ok()?;
            Some((percent.trim().parse::<f64>().ok()?, value))
        })
        .find(|(percent, _)| *percent >= wanted)
        .map_or(f64::NAN, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::{field_after, median, percentile};

    const OUTPUT: &str = "Latency by percentile distribution:\n\
        50.000% <= 0.271 milliseconds (cumulative count 51)\n\
        98.438% <= 0.503 milliseconds (cumulative count 98)\n\
        99.219% <= 0.607 milliseconds (cumulative count 99)\n\
        100.000% <= 4.039 milliseconds (cumulative count 100)\n\
        Summary:\n  throughput summary: 89820.36 requests per second\n";

    #[test]
    fn a_percentile_is_the_first_step_at_or_above_it() {
        assert_eq!(percentile(OUTPUT, 50.0), 0.271);
        assert_eq!(percentile(OUTPUT, 99.0), 0.607);
        assert_eq!(percentile(OUTPUT, 99.9), 4.039);
        assert!(percentile("nothing", 50.0).is_nan());
    }

    #[test]
    fn throughput_is_read_from_the_summary() {
        assert_eq!(field_after(OUTPUT, "throughput summary:"), Some(89820.36));
        assert_eq!(field_after("nothing", "throughput summary:"), None);
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
