//! `# Commandstats`: calls and time of each command that was called.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Commandstats");
    let Some(commands) = &facts.all.commands else { return };
    for entry in facts.core.registry.counted() {
        let totals = commands.totals(usize::from(entry.number));
        if totals.is_zero() {
            continue;
        }
        lines.field(
            &format!("cmdstat_{}", entry.spec.name),
            format_args!(
                "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                totals.calls,
                totals.total_us(),
                totals.mean_us(),
                totals.rejected,
                totals.failed
            ),
        );
    }
}
