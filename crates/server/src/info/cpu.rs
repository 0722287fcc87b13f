//! `# CPU`: processor time that the process used.

use super::lines::Lines;
use super::part::Facts;

/// Units of processor time a second in the proc file system: `USER_HZ`, 100 on every architecture
/// that Linux still has.
const UNITS_A_SECOND: f64 = 100.0;

/// Processor time in units of `USER_HZ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTime {
    user: u64,
    system: u64,
    children_user: u64,
    children_system: u64,
}

impl CpuTime {
    /// Of the whole process.
    fn of_process() -> Self {
        Self::read("/proc/self/stat")
    }

    /// Of the thread that calls, if it is the first core thread.
    pub(super) fn of_main_thread(shard: usize) -> Self {
        if shard == 0 { Self::read("/proc/thread-self/stat") } else { Self::default() }
    }

    /// Both together.
    pub(super) fn add(&mut self, other: Self) {
        self.user += other.user;
        self.system += other.system;
        self.children_user += other.children_user;
        self.children_system += other.children_system;
    }

    fn read(path: &str) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default()
    }

    /// Reads a line of the proc file system's `stat`: behind the name in brackets, which may hold
    /// anything, the fields from the third on. Times are the 14th to the 17th.
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(14 - 3).map(str::parse);
        let mut next = || times.next()?.ok();
        Some(Self {
            user: next()?,
            system: next()?,
            children_user: next()?,
            children_system: next()?,
        })
    }
}

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    let (process, main) = (CpuTime::of_process(), facts.all.main_thread);
    lines.heading("CPU");
    let mut field = |name: &str, units: u64| {
        lines.field(name, format_args!("{:.6}", units as f64 / UNITS_A_SECOND));
    };
    field("used_cpu_sys", process.system);
    field("used_cpu_user", process.user);
    field("used_cpu_sys_children", process.children_system);
    field("used_cpu_user_children", process.children_user);
    field("used_cpu_sys_main_thread", main.system);
    field("used_cpu_user_main_thread", main.user);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "15450 (a) b ( c) R 15441 15441 29294 0 -1 4194304 103 0 0 0 7 8 9 10 20 0 1 0";
        let expected = CpuTime { user: 7, system: 8, children_user: 9, children_system: 10 };
        assert_eq!(CpuTime::parse(line), Some(expected));
        assert_eq!(CpuTime::parse("1 (x) R 1 2"), None);
        assert_eq!(CpuTime::parse(""), None);
    }

    #[test]
    fn the_process_has_used_some() {
        let began = std::time::Instant::now();
        while CpuTime::of_process() == CpuTime::default() {
            assert!(began.elapsed().as_secs() < 10, "a busy loop uses processor time");
        }
    }
}
