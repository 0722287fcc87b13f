//! `# Keyspace`: a line for each database that has keys.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Keyspace");
    for (db, stats) in &facts.all.databases {
        lines.field(
            &format!("db{db}"),
            format_args!(
                "keys={},expires={},avg_ttl={}",
                stats.keys, stats.expires, stats.ttl_ms_average
            ),
        );
    }
}
