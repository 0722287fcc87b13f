//! `# Replication`: the server's part in replication.

use super::lines::Lines;
use super::part::Facts;

/// The second replication id, where there is none.
const NO_ID: &str = "0000000000000000000000000000000000000000";

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Replication");
    lines.field("role", "master");
    lines.field("connected_slaves", 0);
    lines.field("master_failover_state", "no-failover");
    lines.field("master_replid", facts.core.shared.replication_id());
    lines.field("master_replid2", NO_ID);
    lines.field("master_repl_offset", 0);
    lines.field("second_repl_offset", -1);
    lines.field("repl_backlog_active", 0);
    lines.field("repl_backlog_size", facts.config.replication.backlog_bytes);
    lines.field("repl_backlog_first_byte_offset", 0);
    lines.field("repl_backlog_histlen", 0);
}
