//! The description of the machine that goes with a record.

use std::fmt::Write as _;
use std::process::Command;

/// Where and when numbers were taken.
pub(crate) struct Machine {
    /// A folder name: processor model and CPU count, as `intel-xeon-platinum-8488c-2cpu`.
    pub(crate) name: String,
    /// `YYYY-MM-DD`, UTC.
    pub(crate) date: String,
    /// lscpu, kernel, memory, versions of the contenders and the commit.
    pub(crate) text: String,
}

impl Machine {
    /// Asks the system; what cannot be asked is left out.
    pub(crate) fn read() -> Self {
        let lscpu = output("lscpu", &[]);
        let field = |label: &str| {
            lscpu
                .lines()
                .find_map(|line| line.strip_prefix(label))
                .map_or("unknown", str::trim)
                .to_owned()
        };
        let model = format!("{} {}cpu", field("Model name:"), field("CPU(s):"));
        let words = model
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        let versions = crate::server::oracle()
            .ok()
            .and_then(|folder| std::fs::read_to_string(folder.join("VERSIONS")).ok())
            .unwrap_or_default();
        let mut text = String::new();
        for (title, body) in [
            ("commit", output("git", &["describe", "--always", "--dirty"])),
            ("contenders", versions),
            ("kernel", output("uname", &["-srvm"])),
            ("memory", output("free", &["-m"])),
            ("processor", lscpu),
        ] {
            let _ = writeln!(text, "\n== {title}\n{}", body.trim_end());
        }
        Self { name, date: output("date", &["-u", "+%F"]).trim().to_owned(), text }
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}
