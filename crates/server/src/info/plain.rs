//! Sections that say that there is nothing: `# Modules`, `# Cluster`.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write_modules(_: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Modules");
}

pub(super) fn write_cluster(_: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Cluster");
    lines.field("cluster_enabled", 0);
}
