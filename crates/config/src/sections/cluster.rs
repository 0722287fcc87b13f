//! Cluster mode.

use crate::declare::{flag, integer, section, text, word, words};
use crate::number::Unit;
use crate::parameter::Parameter;
use crate::reason::Reason;
use crate::sections::why;
use crate::text::Text;

section! {
    /// The cluster as this node sees it.
    pub struct Cluster {
        /// Whether this is a node of a cluster.
        pub enabled: bool,
        /// File that the node keeps its view in.
        pub config_file: Text,
        /// Port of the bus; 0: `port` + 10000.
        pub port: u16,
        /// Silence after which a node counts as failing.
        pub node_timeout_ms: u64,
        /// For tests: time between two pings.
        pub ping_interval_ms: u32,
        /// Replicas that a primary keeps when one of them migrates.
        pub migration_barrier: u32,
        /// Refuse all keys while a slot is uncovered.
        pub require_full_coverage: bool,
        /// Answer reads while the cluster is down.
        pub allow_reads_when_down: bool,
        /// Answer sharded pub/sub while the cluster is down.
        pub allow_pubsubshard_when_down: bool,
        /// Unsent bytes of a bus link before it is closed; 0: no limit.
        pub link_send_bytes_max: u64,
        /// What replicas do.
        pub replicas: ClusterReplicas,
        /// What the node says about itself.
        pub announce: Announce,
    }
    in cluster
}

section! {
    /// Failover and migration.
    pub struct ClusterReplicas {
        /// Replicas move to primaries that have none.
        pub allow_migration: bool,
        /// Replicas never take over by themselves.
        pub no_failover: bool,
        /// Replicas out of touch longer than this factor of the timeout do not take over; 0: all
        /// do.
        pub validity_factor: u32,
    }
}

section! {
    /// Addresses that the node tells others; 0 or empty: its own.
    pub struct Announce {
        /// Bus port.
        pub bus_port: u16,
        /// Port.
        pub port: u16,
        /// TLS port.
        pub tls_port: u16,
        /// IP address.
        pub ip: Text,
        /// Host name: letters, digits, `-`, `.`, at most 255.
        pub hostname: Text,
        /// Name for logs: the same alphabet and `_`.
        pub human_nodename: Text,
        /// What redirections name.
        pub preferred_endpoint: Endpoint,
    }
}

words! {
    /// `cluster-preferred-endpoint-type`.
    pub enum Endpoint {
        /// The IP address.
        Ip = "ip",
        /// The host name.
        Hostname = "hostname",
        /// None: clients use the address they came by.
        Unknown = "unknown-endpoint",
    }
}

macro_rules! cluster {
    ($name:literal, $kind:expr, $doc:literal) => {
        Parameter::new($name, $kind, $doc).inert(why::CLUSTER)
    };
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    cluster!("cluster-enabled", flag!(cluster.enabled, false), "Be a node of a cluster.")
        .at_start()
        .guards(
            |config| config.cluster.enabled,
            "cluster mode is not in this version, and a node on its own would take keys that \
             belong to others: set it to no",
        ),
    cluster!(
        "cluster-config-file",
        text!(cluster.config_file, "nodes.conf"),
        "File of the node's view of the cluster."
    )
    .at_start(),
    cluster!(
        "cluster-port",
        integer!(cluster.port, 0, 0, 65535),
        "Port of the bus; 0: `port` + 10000."
    )
    .at_start(),
    cluster!(
        "cluster-node-timeout",
        integer!(cluster.node_timeout_ms, 15_000, 0, i64::MAX),
        "Milliseconds of silence after which a node counts as failing."
    ),
    cluster!(
        "cluster-ping-interval",
        integer!(cluster.ping_interval_ms, 1000, 0, i32::MAX),
        "For tests: milliseconds between two pings."
    )
    .hidden(),
    cluster!(
        "cluster-migration-barrier",
        integer!(cluster.migration_barrier, 1, 0, i32::MAX),
        "Replicas that a primary keeps when one migrates."
    ),
    cluster!(
        "cluster-require-full-coverage",
        flag!(cluster.require_full_coverage, true),
        "Refuse all keys while a slot is uncovered."
    ),
    cluster!(
        "cluster-allow-reads-when-down",
        flag!(cluster.allow_reads_when_down, false),
        "Answer reads while the cluster is down."
    ),
    cluster!(
        "cluster-allow-pubsubshard-when-down",
        flag!(cluster.allow_pubsubshard_when_down, true),
        "Answer sharded pub/sub while the cluster is down."
    ),
    cluster!(
        "cluster-link-sendbuf-limit",
        integer!(cluster.link_send_bytes_max, 0, 0, u64::MAX, Unit::Memory),
        "Unsent bytes of a bus link; 0: no limit."
    ),
    cluster!(
        "cluster-allow-replica-migration",
        flag!(cluster.replicas.allow_migration, true),
        "Replicas move to primaries that have none."
    ),
    cluster!(
        "cluster-replica-no-failover",
        flag!(cluster.replicas.no_failover, false),
        "Replicas never take over by themselves."
    )
    .alias("cluster-slave-no-failover"),
    cluster!(
        "cluster-replica-validity-factor",
        integer!(cluster.replicas.validity_factor, 10, 0, i32::MAX),
        "How long out of touch a replica may be and still take over."
    )
    .alias("cluster-slave-validity-factor"),
    cluster!(
        "cluster-announce-bus-port",
        integer!(cluster.announce.bus_port, 0, 0, 65535),
        "Bus port told to others."
    ),
    cluster!(
        "cluster-announce-port",
        integer!(cluster.announce.port, 0, 0, 65535),
        "Port told to others."
    ),
    cluster!(
        "cluster-announce-tls-port",
        integer!(cluster.announce.tls_port, 0, 0, 65535),
        "TLS port told to others."
    ),
    cluster!("cluster-announce-ip", text!(cluster.announce.ip, ""), "Address told to others."),
    cluster!(
        "cluster-announce-hostname",
        text!(cluster.announce.hostname, "", hostname),
        "Host name told to others."
    ),
    cluster!(
        "cluster-announce-human-nodename",
        text!(cluster.announce.human_nodename, "", human_nodename),
        "Name of the node in logs."
    ),
    cluster!(
        "cluster-preferred-endpoint-type",
        word!(cluster.announce.preferred_endpoint: Endpoint, "ip"),
        "What redirections name."
    ),
];

/// Longest host name, with the NUL that ends it there (Redis: NET_HOST_STR_LEN).
const NAME_BYTES_MAX: usize = 256;

fn hostname(name: &[u8]) -> Result<(), Reason> {
    if name.len() >= NAME_BYTES_MAX {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(())
}

fn human_nodename(name: &[u8]) -> Result<(), Reason> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !name.iter().all(allowed) {
        return Err("Announced human node name contained invalid character".into());
    }
    Ok(())
}
