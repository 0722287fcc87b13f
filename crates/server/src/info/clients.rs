//! `# Clients`: connections and what they wait for.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    let clients = &facts.all.clients;
    lines.heading("Clients");
    lines.field("connected_clients", clients.connected);
    lines.field("cluster_connections", 0);
    lines.field("maxclients", facts.config.clients.count_max);
    lines.field("client_recent_max_input_buffer", clients.input_bytes_max);
    lines.field("client_recent_max_output_buffer", clients.output_bytes_max);
    lines.field("blocked_clients", clients.blocked);
    lines.field("tracking_clients", 0);
    lines.field("clients_in_timeout_table", clients.timeouts);
    lines.field("total_blocking_keys", clients.blocking_keys);
    lines.field("total_blocking_keys_on_nokey", 0);
}
