//! LATENCY GRAPH: a history drawn with characters, newest to the right.
//!
//! ```text
//!   command - high 500 ms, low 101 ms (all time high 500 ms)
//!   --------------------------------------------------------------------------------
//!      #_
//!     _||
//!    _|||
//!   _||||
//!
//!   11165
//!   542ss
//!   sss
//! ```
//!
//! A sample is a column of four rows with three heights each: `_`, `o`, `#`, and `|` where the
//! column goes on above. Below, read downwards, its age. Histories wider than 80 columns continue
//! below.

use super::latency_monitor::{LatencyHistory, LatencySample};

/// Most columns side by side, and the length of the rule (Redis latency.c, `LATENCY_GRAPH_COLS`).
const COLUMNS: usize = 80;

/// Rows of a graph.
const ROWS: u64 = 4;

/// The heights that a column's top can have within a row, lowest first.
const TOPS: [char; 3] = ['_', 'o', '#'];

/// Heights told apart.
const STEPS: u64 = ROWS * TOPS.len() as u64;

/// One sample as it is drawn.
struct Column {
    /// 0 to [`STEPS`] - 1.
    height: u64,
    /// The sample's age, as `5s`, `12m`, `3h`, `2d`.
    age: String,
}

/// The whole reply. `unix_s` is now.
pub(super) fn draw(event: &str, history: &LatencyHistory, unix_s: u64) -> String {
    let (mut low, mut high) = (u64::MAX, 0);
    for sample in history.samples() {
        (low, high) = (low.min(sample.latency_ms), high.max(sample.latency_ms));
    }
    low = low.min(high);
    let all_time = history.max_ms();
    let mut drawing =
        format!("{event} - high {high} ms, low {low} ms (all time high {all_time} ms)\n");
    drawing.push_str(&"-".repeat(COLUMNS));
    drawing.push('\n');
    let columns: Vec<_> =
        history.samples().map(|sample| Column::new(sample, (low, high), unix_s)).collect();
    for (number, columns) in columns.chunks(COLUMNS).enumerate() {
        if number > 0 {
            drawing.push('\n');
        }
        draw_columns(&mut drawing, columns);
    }
    drawing
}

impl Column {
    fn new(sample: LatencySample, (low, high): (u64, u64), unix_s: u64) -> Self {
        let range = (high - low).max(1);
        let height = ((sample.latency_ms - low).saturating_mul(STEPS) / range).min(STEPS - 1);
        Self { height, age: age(unix_s.saturating_sub(sample.unix_s)) }
    }

    /// What the column shows in a row; row 0 is the topmost.
    fn character(&self, row: u64) -> char {
        let below = (ROWS - 1 - row) * TOPS.len() as u64;
        match self.height.checked_sub(below) {
            None => ' ',
            Some(rest) => TOPS.get(rest as usize).copied().unwrap_or('|'),
        }
    }
}

fn draw_columns(drawing: &mut String, columns: &[Column]) {
    for row in 0..ROWS {
        drawing.extend(columns.iter().map(|column| column.character(row)));
        drawing.push('\n');
    }
    // An empty row, then the ages, as far down as the longest reaches.
    drawing.push_str(&" ".repeat(columns.len()));
    drawing.push('\n');
    let longest = columns.iter().map(|column| column.age.len()).max().unwrap_or(0);
    for letter in 0..longest {
        let bytes = columns.iter().map(|column| column.age.as_bytes().get(letter));
        drawing.extend(bytes.map(|byte| byte.map_or(' ', |&byte| char::from(byte))));
        drawing.push('\n');
    }
}

/// An age in its largest whole unit.
fn age(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::super::latency_monitor::LatencyMonitor;
    use super::{COLUMNS, age};

    /// The picture in Redis' documentation of LATENCY GRAPH, with other ages.
    #[test]
    fn draws_heights_and_ages() {
        let mut monitor = LatencyMonitor::new(1);
        for (unix_s, latency_ms) in [(85, 101), (86, 201), (88, 301), (94, 500), (95, 401)] {
            monitor.record("command", latency_ms, unix_s);
        }
        let rule = "-".repeat(80);
        let expected = [
            "command - high 500 ms, low 101 ms (all time high 500 ms)",
            &rule,
            "   #_",
            "  _||",
            " _|||",
            "_||||",
            "     ",
            "11165",
            "542ss",
            "sss  ",
            "",
        ];
        assert_eq!(monitor.graph("command", 100).as_deref(), Some(&*expected.join("\n")));
        assert_eq!(monitor.graph("fork", 100), None);
    }

    /// What redis 7.0.15 drew for these samples.
    #[test]
    fn draws_every_height_as_redis_does() {
        let mut monitor = LatencyMonitor::new(1);
        for (unix_s, latency_ms) in [(95, 700), (96, 100), (97, 200), (98, 300), (99, 500)] {
            monitor.record("command", latency_ms, unix_s);
        }
        let graph = monitor.graph("command", 100).expect("recorded");
        let rows: Vec<_> = graph.lines().skip(2).collect();
        assert_eq!(rows, ["#    ", "|   #", "|  o|", "|_#||", "     ", "54321", "sssss"]);
    }

    #[test]
    fn wide_histories_continue_below_and_flat_ones_are_low() {
        let mut monitor = LatencyMonitor::new(1);
        for unix_s in 0..100 {
            monitor.record("command", 7, unix_s);
        }
        let graph = monitor.graph("command", 99).expect("recorded");
        let widths: Vec<_> = graph.lines().skip(2).map(str::len).collect();
        assert_eq!(widths[..5], [COLUMNS; 5]);
        assert!(widths.contains(&20) && graph.contains(&"_".repeat(80)), "{graph}");
    }

    #[test]
    fn ages_take_their_largest_unit() {
        let ages = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 864_000].map(age);
        assert_eq!(ages, ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "10d"]);
    }
}
