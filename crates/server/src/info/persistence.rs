//! `# Persistence`: loading, snapshots, the log.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    let log = &facts.all.log;
    let switch = facts.core.shared.log_switch.report();
    lines.heading("Persistence");
    for name in ["loading", "async_loading", "current_cow_peak", "current_cow_size"] {
        lines.field(name, 0);
    }
    lines.field("current_cow_size_age", 0);
    lines.field("current_fork_perc", "0.00");
    lines.field("current_save_keys_processed", 0);
    lines.field("current_save_keys_total", 0);
    lines.field("rdb_changes_since_last_save", facts.all.counters.keys.changes);
    lines.field("rdb_bgsave_in_progress", 0);
    lines.field("rdb_last_save_time", facts.core.shared.identity.started_us / 1_000_000);
    lines.field("rdb_last_bgsave_status", "ok");
    lines.field("rdb_last_bgsave_time_sec", -1);
    lines.field("rdb_current_bgsave_time_sec", -1);
    lines.field("rdb_saves", 0);
    lines.field("rdb_last_cow_size", 0);
    lines.field("rdb_last_load_keys_expired", 0);
    lines.field("rdb_last_load_keys_loaded", 0);
    lines.field("aof_enabled", u8::from(log.on));
    lines.field("aof_rewrite_in_progress", u8::from(switch.current_seconds().is_some()));
    lines.field("aof_rewrite_scheduled", 0);
    lines.field("aof_last_rewrite_time_sec", seconds(switch.last_seconds));
    lines.field("aof_current_rewrite_time_sec", seconds(switch.current_seconds()));
    lines.field("aof_last_bgrewrite_status", if switch.failures == 0 { "ok" } else { "err" });
    lines.field("aof_rewrites", switch.begun);
    lines.field("aof_rewrites_consecutive_failures", switch.failures);
    lines.field("aof_last_write_status", if log.refuses { "err" } else { "ok" });
    lines.field("aof_last_cow_size", 0);
    lines.field("module_fork_in_progress", 0);
    lines.field("module_fork_last_cow_size", 0);
    if log.on {
        lines.field("aof_current_size", log.written);
        lines.field("aof_base_size", 0);
        lines.field("aof_pending_rewrite", 0);
        lines.field("aof_buffer_length", log.buffered);
        lines.field("aof_pending_bio_fsync", log.syncing);
        lines.field("aof_delayed_fsync", log.delayed);
    }
}

/// As Redis shows a time that may not be known.
fn seconds(time: Option<u64>) -> i64 {
    time.map_or(-1, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
}
