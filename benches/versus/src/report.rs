//! What was measured, as rows for a CSV file, and the bars: met or not.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::Turn;
use crate::machine;
use std::fmt::Write as _;
use std::fs;

/// A number that must be reached.
pub(crate) struct Bar {
    /// The line of the table.
    pub(crate) name: String,
    /// What was measured.
    pub(crate) value: f64,
    /// The limit.
    pub(crate) limit: f64,
    /// Is more better?
    pub(crate) at_least: bool,
}

impl Bar {
    fn is_met(&self) -> bool {
        if self.at_least { self.value >= self.limit } else { self.value <= self.limit }
    }
}

struct Row {
    scenario: String,
    contender: String,
    metric: &'static str,
    value: f64,
}

/// Collects rows and bars of all scenarios.
pub(crate) struct Report {
    rows: Vec<Row>,
    bars: Vec<Bar>,
    broken: Vec<String>,
    how: String,
}

impl Report {
    /// An empty report that remembers how the run was asked for.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let how = format!(
            "rounds {} (medians), server on CPU {}, load on CPU {}, two shards on CPU {}{}",
            arguments.rounds,
            arguments.server_cpus,
            arguments.load_cpus,
            arguments.both_cpus,
            if arguments.quick { ", quick: not for the record" } else { "" }
        );
        Self { rows: Vec::new(), bars: Vec::new(), broken: Vec::new(), how }
    }

    /// One number.
    pub(crate) fn row(
        &mut self,
        scenario: &str,
        contender: &str,
        metric: &'static str,
        value: f64,
    ) {
        println!("   {scenario:<28} {contender:<18} {metric:<20} {value:>14.3}");
        self.rows.push(Row {
            scenario: scenario.to_owned(),
            contender: contender.to_owned(),
            metric,
            value,
        });
    }

    /// The columns of a turn.
    pub(crate) fn turn(&mut self, scenario: &str, contender: &str, turn: &Turn) {
        println!(
            "   {scenario:<28} {contender:<18} {:>7.3} us/request {:>10.0} /s  \
             p50 {:.3} p99 {:.3} p99.9 {:.3} ms",
            turn.cpu_us, turn.requests_per_second, turn.p50_ms, turn.p99_ms, turn.p999_ms
        );
        let columns: [(&'static str, f64); 5] = [
            ("cpu_us_per_request", turn.cpu_us),
            ("requests_per_second", turn.requests_per_second),
            ("p50_ms", turn.p50_ms),
            ("p99_ms", turn.p99_ms),
            ("p99.9_ms", turn.p999_ms),
        ];
        self.keep(scenario, contender, &columns);
    }

    /// Several numbers on one line.
    pub(crate) fn columns(
        &mut self,
        scenario: &str,
        contender: &str,
        columns: &[(&'static str, f64)],
    ) {
        print!("   {scenario:<28} {contender:<18}");
        for (metric, value) in columns {
            print!(" {metric} {value:.1}");
        }
        println!();
        self.keep(scenario, contender, columns);
    }

    fn keep(&mut self, scenario: &str, contender: &str, columns: &[(&'static str, f64)]) {
        self.rows.extend(columns.iter().map(|&(metric, value)| Row {
            scenario: scenario.to_owned(),
            contender: contender.to_owned(),
            metric,
            value,
        }));
    }

    /// A bar that must not be exceeded.
    pub(crate) fn at_most(&mut self, name: impl Into<String>, value: f64, limit: f64) {
        self.bars.push(Bar { name: name.into(), value, limit, at_least: false });
    }

    /// A bar that must be reached.
    pub(crate) fn at_least(&mut self, name: impl Into<String>, value: f64, limit: f64) {
        self.bars.push(Bar { name: name.into(), value, limit, at_least: true });
    }

    /// A scenario that could not be measured, or only in part.
    pub(crate) fn broken(&mut self, scenario: &str, failure: &Failure) {
        self.broken.push(format!("{scenario}: {failure}"));
    }

    /// Was everything measured?
    pub(crate) fn is_complete(&self) -> bool {
        self.broken.is_empty()
    }

    /// The bars as a table.
    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("\n{}\n\n{:<64} {:>12} {:>12}\n", self.how, "bar", "measured", "limit");
        for bar in &self.bars {
            let sign = if bar.at_least { ">=" } else { "<=" };
            let verdict = if bar.is_met() { "met" } else { "NOT MET" };
            let _ = writeln!(
                text,
                "{:<64} {:>12.3} {sign} {:>9.3}  {verdict}",
                bar.name, bar.value, bar.limit
            );
        }
        for line in &self.broken {
            let _ = writeln!(text, "not measured: {line}");
        }
        text
    }

    /// Writes `benches/record/<machine>/<date>.csv` and `.txt`; answers their path without the
    /// ending.
    pub(crate) fn write(&self) -> Result<String, Failure> {
        let machine = machine::Machine::read();
        let folder = format!("benches/record/{}", machine.name);
        fs::create_dir_all(&folder).map_err(|why| Failure::new(&folder, why))?;
        let path = format!("{folder}/{}", machine.date);
        let mut csv = "scenario,contender,metric,value\n".to_owned();
        for row in &self.rows {
            let _ =
                writeln!(csv, "{},{},{},{:.4}", row.scenario, row.contender, row.metric, row.value);
        }
        for (ending, content) in
            [("csv", csv), ("txt", format!("{}\n{}", self.text().trim(), machine.text))]
        {
            let file = format!("{path}.{ending}");
            fs::write(&file, content).map_err(|why| Failure::new(&file, why))?;
        }
        Ok(path)
    }
}
