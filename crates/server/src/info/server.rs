//! `# Server`: what runs, since when, where.

use super::lines::Lines;
use super::part::Facts;

/// The version of Redis whose commands and files this is.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// Our own version: that of the workspace (a test compares).
pub(crate) const BOBBIN_VERSION: &str = "0.1.0";

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// The bits that the LRU clock has.
const LRU_CLOCK_MASK: u64 = (1 << 24) - 1;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    let core = facts.core;
    let identity = &core.shared.identity;
    let now_us = core.time.unix_us();
    let uptime_s = now_us.saturating_sub(identity.started_us) / 1_000_000;
    lines.heading("Server");
    lines.field("redis_version", REDIS_VERSION);
    lines.field("bobbin_version", BOBBIN_VERSION);
    lines.field("redis_git_sha1", "00000000");
    lines.field("redis_git_dirty", 0);
    lines.field("redis_build_id", "0000000000000000");
    lines.field("redis_mode", "standalone");
    lines.field("os", format_args!("Linux {} {}", kernel_release(), std::env::consts::ARCH));
    lines.field("arch_bits", usize::BITS);
    lines.field("monotonic_clock", "POSIX clock_gettime");
    lines.field("multiplexing_api", "io_uring");
    lines.field("atomicvar_api", "rust-core");
    // What Redis says where it was built by another compiler.
    lines.field("gcc_version", "0.0.0");
    lines.field("process_id", std::process::id());
    lines.field("process_supervised", facts.config.server.process.supervised.as_str());
    lines.field("run_id", &identity.run_id);
    lines.field("tcp_port", facts.config.network.port);
    lines.field("server_time_usec", now_us);
    lines.field("uptime_in_seconds", uptime_s);
    lines.field("uptime_in_days", uptime_s / SECONDS_A_DAY);
    lines.field("hz", core.settings.limits.hz);
    lines.field("configured_hz", core.settings.limits.hz);
    lines.field("lru_clock", (now_us / 1_000_000) & LRU_CLOCK_MASK);
    lines.field("executable", &identity.executable);
    lines.field("config_file", identity.config_file.as_deref().unwrap_or_default());
    lines.field("io_threads_active", 0);
    lines.field("shards", core.mail.shards());
    write_listeners(facts, lines);
}

fn write_listeners(facts: &Facts<'_>, lines: &mut Lines) {
    let network = &facts.config.network;
    let mut number = 0;
    if network.port != 0 {
        let binds: String = network.bind.iter().map(|address| format!(",bind={address}")).collect();
        let value = format!("name=tcp{binds},port={}", network.port);
        lines.field(&format!("listener{number}"), value);
        number += 1;
    }
    if !network.unix_socket.is_empty() {
        let value = format!("name=unix,bind={}", network.unix_socket);
        lines.field(&format!("listener{number}"), value);
    }
}

fn kernel_release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_workspace_s() {
        let manifest = include_str!("../../../../Cargo.toml");
        let line = manifest.lines().find(|line| line.starts_with("version = "));
        assert_eq!(line, Some(format!("version = \"{}\"", super::BOBBIN_VERSION).as_str()));
    }
}
