//! The command line, and what follows from it: CPUs, rounds and amounts.

use crate::failure::Failure;

/// How to run. Amounts shrink with `quick`, which is for trying things out: its numbers are not for
/// the record.
pub(crate) struct Arguments {
    /// A short run with fewer requests, keys and rounds.
    pub(crate) quick: bool,
    /// Keep the report under benches/record.
    pub(crate) record: bool,
    /// Print the names of the scenarios and end.
    pub(crate) list: bool,
    /// Turns that each contender gets; the median of them is reported. Odd, so that the median is
    /// one of them.
    pub(crate) rounds: usize,
    /// CPU list of a server with one shard, as taskset takes it.
    pub(crate) server_cpus: String,
    /// CPU list of the load. Never overlaps `server_cpus` by default.
    pub(crate) load_cpus: String,
    /// CPU list of a server with two shards: both lists' first CPUs where there are only two.
    pub(crate) both_cpus: String,
    /// Scenarios to run; empty means all.
    only: Vec<String>,
}

impl Arguments {
    /// Reads the command line; an unknown word is an error.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mut arguments = Self {
            quick: false,
            record: false,
            list: false,
            rounds: 0,
            server_cpus: "0".to_owned(),
            load_cpus: if cpus > 2 { format!("2-{}", cpus - 1) } else { (cpus - 1).to_string() },
            both_cpus: if cpus > 1 { "0,1".to_owned() } else { "0".to_owned() },
            only: Vec::new(),
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| Failure::new(&word, "needs a value"));
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--record" => arguments.record = true,
                "--list" => arguments.list = true,
                "--rounds" => {
                    arguments.rounds =
                        value()?.parse().map_err(|why| Failure::new("--rounds", why))?;
                }
                "--server-cpus" => arguments.server_cpus = value()?,
                "--load-cpus" => arguments.load_cpus = value()?,
                "--both-cpus" => arguments.both_cpus = value()?,
                "--only" => arguments.only = value()?.split(',').map(str::to_owned).collect(),
                _ => return Err(Failure::new(&word, "unknown argument")),
            }
        }
        if arguments.rounds == 0 {
            arguments.rounds = if arguments.quick { 3 } else { 5 };
        }
        Ok(arguments)
    }

    /// Was the scenario asked for?
    pub(crate) fn chosen(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == name)
    }

    /// `full`, or a tenth of it in a quick run.
    pub(crate) fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}
