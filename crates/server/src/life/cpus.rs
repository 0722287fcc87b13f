//! Which CPUs the process may use, and how many shards that makes.

/// The CPUs that the process may use, ascending: what `taskset` and cpusets left it.
pub(crate) fn allowed() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cpus = list.map(|list| parse_list(list.trim())).unwrap_or_default();
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// How many shards to run: as asked, or (0) one for each CPU that the process may use and is
/// granted by its cgroup.
pub(crate) fn shards(asked: usize, cpus: &[usize]) -> usize {
    if asked != 0 {
        return asked;
    }
    let granted = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cpus.len().min(granted).max(1)
}

/// Reads a list like `0-3,8`.
fn parse_list(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_list, shards};

    #[test]
    fn lists() {
        assert_eq!(parse_list("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(parse_list(""), Vec::<usize>::new());
    }

    #[test]
    fn asked_wins() {
        assert_eq!(shards(5, &[0]), 5);
        assert_eq!(shards(0, &[3]), 1);
    }
}
