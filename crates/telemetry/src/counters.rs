//! Totals that only grow: plain numbers of one core thread, added up over all of them when asked
//! for.
//!
//! Each field is what the INFO field named in its comment shows, unless it says otherwise. CONFIG
//! RESETSTAT sets all of them to zero (`Counters::default()`).

use super::error_counts::ErrorCounts;

/// All counters of one core thread, or the sum over several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes and commands in and out.
    pub traffic: TrafficCounters,
    /// Connections and what befell them.
    pub clients: ClientCounters,
    /// What happened to keys.
    pub keys: KeyCounters,
    /// Error replies by prefix, which are also counted in all (`total_error_replies`).
    pub errors: ErrorCounts,
}

/// Bytes and commands in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounters {
    /// `total_commands_processed`: commands that were executed, also those that failed.
    pub commands: u64,
    /// `total_net_input_bytes`
    pub input_bytes: u64,
    /// `total_net_output_bytes`
    pub output_bytes: u64,
    /// `total_net_repl_input_bytes`; not part of `input_bytes`.
    pub replication_input_bytes: u64,
    /// `total_net_repl_output_bytes`; not part of `output_bytes`.
    pub replication_output_bytes: u64,
    /// `total_reads_processed`: receives that brought bytes.
    pub reads: u64,
    /// `total_writes_processed`: sends that took bytes.
    pub writes: u64,
    /// `unexpected_error_replies`: errors sent where the peer expects none (to or from a primary).
    pub unexpected_error_replies: u64,
    /// `eventloop_cycles`: ticks.
    pub ticks: u64,
    /// `eventloop_duration_sum`, in microseconds: time spent in ticks, without sleep.
    pub tick_us: u64,
}

/// Connections and what befell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// `total_connections_received`
    pub received: u64,
    /// `rejected_connections`: over `maxclients`.
    pub rejected: u64,
    /// `evicted_clients`: closed to keep within `maxmemory-clients`.
    pub evicted: u64,
    /// `client_query_buffer_limit_disconnections`: sent more than may be buffered.
    pub query_buffer_limit: u64,
    /// `client_output_buffer_limit_disconnections`: read less than was to be sent.
    pub output_buffer_limit: u64,
    /// Closed for being idle longer than `timeout`. (No INFO field of its own.)
    pub timed_out: u64,
    /// `acl_access_denied_auth`: wrong password or user.
    pub denied_auth: u64,
    /// `acl_access_denied_cmd`
    pub denied_command: u64,
    /// `acl_access_denied_key`
    pub denied_key: u64,
    /// `acl_access_denied_channel`
    pub denied_channel: u64,
}

/// What happened to keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounters {
    /// `keyspace_hits`: reading look-ups that found the key.
    pub hits: u64,
    /// `keyspace_misses`
    pub misses: u64,
    /// `expired_keys`
    pub expired: u64,
    /// `expired_time_cap_reached_count`: active expiry stopped for want of time.
    pub expiry_time_cap_reached: u64,
    /// Microseconds in active expiry (`expire_cycle_cpu_milliseconds` shows milliseconds).
    pub expiry_us: u64,
    /// `evicted_keys`
    pub evicted: u64,
    /// Microseconds over `maxmemory` (`total_eviction_exceeded_time` shows milliseconds).
    pub eviction_exceeded_us: u64,
    /// `lazyfreed_objects`: values freed in slices, in the background.
    pub lazy_freed: u64,
    /// Changes since start (`rdb_changes_since_last_save` shows those since the last save).
    pub changes: u64,
}

impl Counters {
    /// Adds another core thread's counters to these.
    pub fn merge(&mut self, other: &Self) {
        self.traffic.merge(&other.traffic);
        self.clients.merge(&other.clients);
        self.keys.merge(&other.keys);
        self.errors.merge(&other.errors);
    }
}

/// `merge` for a struct of numbers: names each field once, and fails to compile if one is left out.
macro_rules! merge_by_adding {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $type {
            /// Adds another core thread's counters to these. Wraps rather than panics.
            pub fn merge(&mut self, other: &Self) {
                let Self { $($field),* } = *other;
                $(self.$field = self.$field.wrapping_add($field);)*
            }
        }
    };
}

merge_by_adding!(TrafficCounters {
    commands,
    input_bytes,
    output_bytes,
    replication_input_bytes,
    replication_output_bytes,
    reads,
    writes,
    unexpected_error_replies,
    ticks,
    tick_us,
});

merge_by_adding!(ClientCounters {
    received,
    rejected,
    evicted,
    query_buffer_limit,
    output_buffer_limit,
    timed_out,
    denied_auth,
    denied_command,
    denied_key,
    denied_channel,
});

merge_by_adding!(KeyCounters {
    hits,
    misses,
    expired,
    expiry_time_cap_reached,
    expiry_us,
    evicted,
    eviction_exceeded_us,
    lazy_freed,
    changes,
});

#[cfg(test)]
mod tests {
    use super::Counters;

    #[test]
    fn merging_adds_every_group() {
        let mut one = Counters::default();
        one.traffic.commands = 5;
        one.keys.hits = u64::MAX;
        one.errors.record(b"ERR one");
        let mut other = Counters::default();
        other.traffic.commands = 7;
        other.traffic.tick_us = 3;
        other.clients.rejected = 2;
        other.keys.hits = 2;
        other.errors.record(b"ERR another");
        one.merge(&other);
        assert_eq!((one.traffic.commands, one.traffic.tick_us), (12, 3));
        assert_eq!((one.clients.rejected, one.keys.hits), (2, 1));
        assert_eq!(one.errors.total(), 2);
        assert_eq!(one.errors.iter().collect::<Vec<_>>(), [(&b"ERR"[..], 2)]);
    }
}
