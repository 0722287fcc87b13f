//! The configuration as a core thread uses it: plain numbers, read on the way of every command,
//! made from [`Config`] at start and after each CONFIG SET. The only file that knows where in
//! `Config` they stand, but for `life/boot.rs` and the commands of CONFIG.

use std::time::Duration;

use commands::{CommandLimits, SetLimits};
use config::{Config, Gate, Policy};
use datatypes::list::ListLimits;
use durability::FsyncPolicy;
use resp::Limits;
use telemetry::SlowLogSettings;

/// A core thread's copy of what it needs.
pub(crate) struct Settings {
    pub(crate) limits: ServerLimits,
    /// Bounds of commands.
    pub(crate) commands: CommandLimits,
    /// `requirepass`; empty: none.
    pub(crate) password: Vec<u8>,
    /// `protected-mode`, and no address bound explicitly.
    pub(crate) protected: bool,
    pub(crate) keyspace: keyspace::Settings,
    pub(crate) telemetry: TelemetrySettings,
    /// Who may use DEBUG.
    pub(crate) debug_command: Gate,
    /// Who may use MODULE LOAD, LOADEX and UNLOAD.
    pub(crate) module_command: Gate,
    unix_path: String,
}

/// What is watched, and how closely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TelemetrySettings {
    pub(crate) slow_log: SlowLogSettings,
    pub(crate) latency_threshold_ms: u64,
    pub(crate) latency_tracking: bool,
}

/// Bounds of connections and of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerLimits {
    pub(crate) parse: Limits,
    pub(crate) query_buffer_bytes_max: u64,
    pub(crate) output_normal: OutputLimit,
    pub(crate) clients_max: usize,
    pub(crate) databases: u32,
    pub(crate) keep_alive: Duration,
    pub(crate) idle_timeout_s: u64,
    pub(crate) hz: u32,
    /// `maxmemory`; 0: no bound.
    pub(crate) memory_bytes_max: u64,
    /// How long one command may be kept by evictions (`maxmemory-eviction-tenacity`).
    pub(crate) evict_ns_max: u64,
}

/// `client-output-buffer-limit` of one class; 0: no bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputLimit {
    pub(crate) hard_bytes: u64,
    pub(crate) soft_bytes: u64,
    pub(crate) soft_seconds: u64,
}

/// What the log needs at start.
pub(crate) struct LogSettings {
    pub(crate) enabled: bool,
    pub(crate) directory: String,
    pub(crate) append_directory: String,
    pub(crate) append_file: String,
    pub(crate) policy: FsyncPolicy,
    pub(crate) load_truncated: bool,
}

impl Settings {
    /// What `config` says.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            limits: ServerLimits::of(config),
            commands: command_limits(config),
            password: config.security.password.to_vec(),
            protected: config.security.protected_mode,
            keyspace: keyspace_settings(config),
            telemetry: TelemetrySettings::of(config),
            debug_command: config.security.debug_command,
            module_command: config.security.module_command,
            unix_path: config.network.unix_socket.to_string_lossy(),
        }
    }

    /// Whether a client has to pass AUTH.
    pub(crate) fn password_required(&self) -> bool {
        !self.password.is_empty()
    }

    /// Whether clients from other machines are turned away.
    pub(crate) fn is_protected(&self) -> bool {
        self.protected && !self.password_required()
    }

    /// The unix socket's path, for CLIENT LIST.
    pub(crate) fn unix_path(&self) -> String {
        self.unix_path.clone()
    }
}

impl ServerLimits {
    fn of(config: &Config) -> Self {
        let normal = &config.clients.output.normal;
        let parse = Limits { bulk_bytes_max: config.clients.bulk_bytes_max, ..Limits::default() };
        Self {
            parse,
            query_buffer_bytes_max: config.clients.query_buffer_bytes_max,
            output_normal: OutputLimit {
                hard_bytes: normal.hard_bytes,
                soft_bytes: normal.soft_bytes,
                soft_seconds: normal.soft_seconds,
            },
            clients_max: config.clients.count_max as usize,
            databases: config.keyspace.databases,
            keep_alive: Duration::from_secs(u64::from(config.network.keepalive_seconds)),
            idle_timeout_s: u64::from(config.clients.timeout_seconds),
            hz: config.keyspace.hz,
            memory_bytes_max: config.memory.bytes_max,
            evict_ns_max: evict_ns_max(config.memory.eviction_tenacity),
        }
    }
}

impl TelemetrySettings {
    fn of(config: &Config) -> Self {
        let monitoring = &config.server.monitoring;
        Self {
            slow_log: SlowLogSettings {
                slower_than_us: monitoring.slow_log_us,
                entries_max: usize::try_from(monitoring.slow_log_entries_max).unwrap_or(usize::MAX),
            },
            latency_threshold_ms: monitoring.latency_threshold_ms.max(0).unsigned_abs(),
            latency_tracking: monitoring.latency_tracking,
        }
    }
}

fn command_limits(config: &Config) -> CommandLimits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let encodings = &config.encodings;
    CommandLimits {
        bulk_bytes_max: config.clients.bulk_bytes_max,
        list: ListLimits::of(encodings.list_listpack_size_max.into()),
        set: SetLimits {
            intset_entries_max: size(encodings.set_intset_entries_max),
            listpack_entries_max: size(encodings.set_listpack_entries_max),
            listpack_value_bytes_max: size(encodings.set_listpack_value_bytes_max),
        },
    }
}

fn keyspace_settings(config: &Config) -> keyspace::Settings {
    let lazy = &config.memory.lazy_free;
    let eviction = eviction_policy(config.memory.policy);
    keyspace::Settings {
        eviction,
        integers_shared: config.memory.bytes_max == 0 || !eviction.needs_access_bits(),
        eviction_samples: config.memory.samples,
        lfu_log_factor: config.memory.lfu_log_factor,
        lfu_decay_minutes: config.memory.lfu_decay_minutes,
        expire_effort: config.keyspace.expire_effort,
        lazy_free: keyspace::LazyFree {
            expire: lazy.expire,
            eviction: lazy.eviction,
            server_del: lazy.server_del,
            user_del: lazy.user_del,
            user_flush: lazy.user_flush,
        },
        ..keyspace::Settings::default()
    }
}

/// How long a command may be kept by evictions at this tenacity: 50 us a point up to the default of
/// 10, which is half of the millisecond that a tick may take; 15 % more for each point beyond; 100
/// is without bound (Redis: evict.c, redis.conf).
fn evict_ns_max(tenacity: u32) -> u64 {
    const POINT_NS: u64 = 50_000;
    match tenacity {
        0..=10 => POINT_NS * u64::from(tenacity),
        11..=99 => ((10 * POINT_NS) as f64 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

fn eviction_policy(policy: Policy) -> keyspace::EvictionPolicy {
    use keyspace::EvictionPolicy;
    match policy {
        Policy::VolatileLru => EvictionPolicy::VolatileLru,
        Policy::VolatileLfu => EvictionPolicy::VolatileLfu,
        Policy::VolatileRandom => EvictionPolicy::VolatileRandom,
        Policy::VolatileTtl => EvictionPolicy::VolatileTtl,
        Policy::AllKeysLru => EvictionPolicy::AllkeysLru,
        Policy::AllKeysLfu => EvictionPolicy::AllkeysLfu,
        Policy::AllKeysRandom => EvictionPolicy::AllkeysRandom,
        Policy::NoEviction => EvictionPolicy::NoEviction,
    }
}

/// `appendfsync`.
pub(crate) fn fsync_policy(config: &Config) -> FsyncPolicy {
    match config.log.fsync {
        config::Fsync::Always => FsyncPolicy::Always,
        config::Fsync::EverySecond => FsyncPolicy::EverySecond,
        config::Fsync::No => FsyncPolicy::No,
    }
}

/// What the log needs at start.
pub(crate) fn log(config: &Config) -> LogSettings {
    LogSettings {
        enabled: config.log.enabled,
        directory: config.server.directory.to_string_lossy(),
        append_directory: config.log.directory_name.to_string_lossy(),
        append_file: config.log.file_name.to_string_lossy(),
        policy: fsync_policy(config),
        load_truncated: config.log.load_truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_time() {
        assert_eq!(evict_ns_max(0), 0);
        assert_eq!(evict_ns_max(1), 50_000);
        assert_eq!(evict_ns_max(10), 500_000);
        assert_eq!(evict_ns_max(11), 575_000);
        assert_eq!(evict_ns_max(99) / 1_000_000_000, 126, "seconds");
        assert_eq!(evict_ns_max(100), u64::MAX);
        assert!((0..100).all(|it| evict_ns_max(it) < evict_ns_max(it + 1)));
    }
}
