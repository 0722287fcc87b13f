//! `# Stats`: totals since the start or CONFIG RESETSTAT, and what happens just now.

use super::lines::Lines;
use super::part::Facts;

/// Parts per million in a percent.
const PPM_A_PERCENT: f64 = 10_000.0;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Stats");
    write_traffic(facts, lines);
    write_keys(facts, lines);
    for name in ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"] {
        lines.field(name, 0);
    }
    for name in ["latest_fork_usec", "total_forks", "migrate_cached_sockets"] {
        lines.field(name, 0);
    }
    lines.field("slave_expires_tracked_keys", 0);
    for name in ["hits", "misses", "key_hits", "key_misses"] {
        lines.field(&format!("active_defrag_{name}"), 0);
    }
    lines.field("total_active_defrag_time", 0);
    lines.field("current_active_defrag_time", 0);
    for name in ["keys", "items", "prefixes"] {
        lines.field(&format!("tracking_total_{name}"), 0);
    }
    write_replies(facts, lines);
    write_ticks(facts, lines);
    let clients = &facts.all.counters.clients;
    lines.field("acl_access_denied_auth", clients.denied_auth);
    lines.field("acl_access_denied_cmd", clients.denied_command);
    lines.field("acl_access_denied_key", clients.denied_key);
    lines.field("acl_access_denied_channel", clients.denied_channel);
}

fn write_traffic(facts: &Facts<'_>, lines: &mut Lines) {
    let (traffic, clients) = (&facts.all.counters.traffic, &facts.all.counters.clients);
    let speeds = &facts.all.speeds;
    lines.field("total_connections_received", clients.received);
    lines.field("total_commands_processed", traffic.commands);
    lines.field("instantaneous_ops_per_sec", speeds.commands);
    lines.field("total_net_input_bytes", traffic.input_bytes);
    lines.field("total_net_output_bytes", traffic.output_bytes);
    lines.field("total_net_repl_input_bytes", traffic.replication_input_bytes);
    lines.field("total_net_repl_output_bytes", traffic.replication_output_bytes);
    lines.ratio("instantaneous_input_kbps", speeds.input_kilobytes);
    lines.ratio("instantaneous_output_kbps", speeds.output_kilobytes);
    lines.ratio("instantaneous_input_repl_kbps", 0.0);
    lines.ratio("instantaneous_output_repl_kbps", 0.0);
    lines.field("rejected_connections", clients.rejected);
    lines.field("sync_full", 0);
    lines.field("sync_partial_ok", 0);
    lines.field("sync_partial_err", 0);
}

fn write_keys(facts: &Facts<'_>, lines: &mut Lines) {
    let (keys, counted) = (&facts.all.keys, &facts.all.counters.keys);
    lines.field("expired_keys", keys.expired);
    lines.ratio("expired_stale_perc", keys.stale_ppm as f64 / PPM_A_PERCENT);
    lines.field("expired_time_cap_reached_count", keys.expire_slices_unfinished);
    lines.field("expire_cycle_cpu_milliseconds", counted.expiry_us / 1000);
    lines.field("evicted_keys", keys.evicted);
    lines.field("evicted_clients", facts.all.counters.clients.evicted);
    lines.field("total_eviction_exceeded_time", counted.eviction_exceeded_us / 1000);
    lines.field("current_eviction_exceeded_time", 0);
    lines.field("keyspace_hits", keys.hits);
    lines.field("keyspace_misses", keys.misses);
}

fn write_replies(facts: &Facts<'_>, lines: &mut Lines) {
    let (traffic, clients) = (&facts.all.counters.traffic, &facts.all.counters.clients);
    lines.field("unexpected_error_replies", traffic.unexpected_error_replies);
    lines.field("total_error_replies", facts.all.counters.errors.total());
    lines.field("dump_payload_sanitizations", 0);
    lines.field("total_reads_processed", traffic.reads);
    lines.field("total_writes_processed", traffic.writes);
    lines.field("io_threaded_reads_processed", 0);
    lines.field("io_threaded_writes_processed", 0);
    lines.field("client_query_buffer_limit_disconnections", clients.query_buffer_limit);
    lines.field("client_output_buffer_limit_disconnections", clients.output_buffer_limit);
    lines.field("reply_buffer_shrinks", 0);
    lines.field("reply_buffer_expands", 0);
}

fn write_ticks(facts: &Facts<'_>, lines: &mut Lines) {
    let (traffic, speeds) = (&facts.all.counters.traffic, &facts.all.speeds);
    let tick_us = speeds.busy_us.checked_div(speeds.ticks).unwrap_or(0);
    lines.field("eventloop_cycles", traffic.ticks);
    lines.field("eventloop_duration_sum", traffic.tick_us);
    lines.field("instantaneous_eventloop_cycles_per_sec", speeds.ticks);
    lines.field("instantaneous_eventloop_duration_usec", tick_us);
}
