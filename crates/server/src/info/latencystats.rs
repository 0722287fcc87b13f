//! `# Latencystats`: percentiles of each command's latency, those that
//! `latency-tracking-info-percentiles` names.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Latencystats");
    let Some(commands) = &facts.all.commands else { return };
    let monitoring = &facts.config.server.monitoring;
    if !monitoring.latency_tracking {
        return;
    }
    for entry in facts.core.registry.counted() {
        let Some(histogram) = commands.latency(usize::from(entry.number)) else { continue };
        let percentiles = monitoring.latency_percentiles.iter().map(|percent| {
            format!("p{percent}={:.3}", histogram.percentile_ns(*percent) as f64 / 1000.0)
        });
        lines.field(
            &format!("latency_percentiles_usec_{}", entry.spec.name),
            percentiles.collect::<Vec<String>>().join(","),
        );
    }
}
