//! Replication, as primary and as replica.

use crate::declare::{flag, integer, section, text, word, words};
use crate::kind::{Kind, List};
use crate::number::{self, Unit};
use crate::parameter::Parameter;
use crate::sections::why;
use crate::split;
use crate::text::Text;

section! {
    /// Primary, replicas and the link between them.
    pub struct Replication {
        /// The primary; none: this server is one.
        pub primary: Option<Primary>,
        /// User with the primary; empty: the default user.
        pub primary_user: Text,
        /// Password with the primary; empty: none.
        pub primary_password: Text,
        /// What this server does as a replica.
        pub replica: Replica,
        /// Snapshots that go over the socket.
        pub diskless: Diskless,
        /// Bytes of the backlog for partial resynchronisation.
        pub backlog_bytes: u64,
        /// Seconds without replicas after which it is freed; 0: never.
        pub backlog_ttl_seconds: u64,
        /// Silence after which a link counts as dead.
        pub timeout_seconds: u32,
        /// Seconds between two pings of the primary.
        pub ping_seconds: u32,
        /// Fewer packets, more latency.
        pub disable_tcp_nodelay: bool,
        /// Refuse writes with fewer good replicas; 0: never.
        pub replicas_min: u32,
        /// Lag up to which a replica is good; 0: any.
        pub replicas_lag_seconds_max: u32,
    }
    in replication
}

/// Where the primary listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Host name or address.
    pub host: Text,
    /// As given; Redis checks no more than that it is at most 65535.
    pub port: u16,
}

section! {
    /// This server as a replica.
    pub struct Replica {
        /// Answer while out of touch with the primary.
        pub serve_stale: bool,
        /// Refuse writes of clients.
        pub read_only: bool,
        /// Leave eviction to the primary.
        pub ignore_memory_max: bool,
        /// Empty the databases in the background before a full synchronisation.
        pub lazy_flush: bool,
        /// Sentinel takes the lowest; 0: never.
        pub priority: u32,
        /// Show in the primary's list of replicas.
        pub announced: bool,
        /// Address told to the primary; empty: that of the connection.
        pub announce_ip: Text,
        /// Port told to the primary; 0: `port`.
        pub announce_port: u16,
        /// Go on when the disk does not take what the primary sends.
        pub ignore_disk_errors: bool,
    }
}

section! {
    /// Full synchronisation without a file.
    pub struct Diskless {
        /// The primary sends the snapshot without a file.
        pub sync: bool,
        /// Wait for more replicas to join.
        pub sync_delay_seconds: u32,
        /// Do not wait for more than these; 0: no limit.
        pub sync_replicas_max: u32,
        /// The replica loads it without a file.
        pub load: DisklessLoad,
    }
}

words! {
    /// `repl-diskless-load`.
    pub enum DisklessLoad {
        /// Through a file.
        Disabled = "disabled",
        /// Only into empty databases.
        OnEmpty = "on-empty-db",
        /// Beside the old data, which is dropped at the end.
        Swap = "swapdb",
    }
}

macro_rules! replication {
    ($name:literal, $kind:expr, $doc:literal) => {
        Parameter::new($name, $kind, $doc).inert(why::REPLICATION)
    };
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    replication!("replicaof", REPLICA_OF, "The primary: host and port.")
        .alias("slaveof")
        .at_start()
        .guards(
            |config| config.replication.primary.is_some(),
            "replication is not in this version, and a server without its primary's data must not \
             answer in its place: remove the line to run on its own",
        ),
    replication!("masteruser", text!(replication.primary_user, ""), "User with the primary.")
        .sensitive(),
    replication!(
        "masterauth",
        text!(replication.primary_password, ""),
        "Password with the primary."
    )
    .sensitive(),
    replication!(
        "replica-serve-stale-data",
        flag!(replication.replica.serve_stale, true),
        "Answer while out of touch with the primary."
    )
    .alias("slave-serve-stale-data"),
    replication!(
        "replica-read-only",
        flag!(replication.replica.read_only, true),
        "A replica refuses writes of clients."
    )
    .alias("slave-read-only"),
    replication!(
        "replica-ignore-maxmemory",
        flag!(replication.replica.ignore_memory_max, true),
        "A replica leaves eviction to its primary."
    )
    .alias("slave-ignore-maxmemory"),
    replication!(
        "replica-lazy-flush",
        flag!(replication.replica.lazy_flush, false),
        "Empty the databases in the background before a full synchronisation."
    )
    .alias("slave-lazy-flush"),
    replication!(
        "replica-priority",
        integer!(replication.replica.priority, 100, 0, i32::MAX),
        "Sentinel promotes the lowest; 0: never."
    )
    .alias("slave-priority"),
    replication!(
        "replica-announced",
        flag!(replication.replica.announced, true),
        "Show in the primary's list of replicas."
    ),
    replication!(
        "replica-announce-ip",
        text!(replication.replica.announce_ip, ""),
        "Address told to the primary."
    )
    .alias("slave-announce-ip"),
    replication!(
        "replica-announce-port",
        integer!(replication.replica.announce_port, 0, 0, 65535),
        "Port told to the primary."
    )
    .alias("slave-announce-port"),
    replication!(
        "replica-ignore-disk-write-errors",
        flag!(replication.replica.ignore_disk_errors, false),
        "A replica goes on when its disk fails."
    ),
    replication!(
        "repl-diskless-sync",
        flag!(replication.diskless.sync, true),
        "Send snapshots to replicas without a file."
    ),
    replication!(
        "repl-diskless-sync-delay",
        integer!(replication.diskless.sync_delay_seconds, 5, 0, i32::MAX),
        "Seconds to wait for more replicas."
    ),
    replication!(
        "repl-diskless-sync-max-replicas",
        integer!(replication.diskless.sync_replicas_max, 0, 0, i32::MAX),
        "Do not wait for more replicas than these; 0: no limit."
    ),
    replication!(
        "repl-diskless-load",
        word!(replication.diskless.load: DisklessLoad, "disabled"),
        "Load the primary's snapshot without a file."
    ),
    replication!(
        "repl-backlog-size",
        integer!(replication.backlog_bytes, 1 << 20, 1, i64::MAX, Unit::Memory),
        "Bytes kept for partial resynchronisation."
    ),
    replication!(
        "repl-backlog-ttl",
        integer!(replication.backlog_ttl_seconds, 3600, 0, i64::MAX),
        "Seconds without replicas after which the backlog is freed; 0: never."
    ),
    replication!(
        "repl-timeout",
        integer!(replication.timeout_seconds, 60, 1, i32::MAX),
        "Seconds of silence after which a link is dead."
    ),
    replication!(
        "repl-ping-replica-period",
        integer!(replication.ping_seconds, 10, 1, i32::MAX),
        "Seconds between two pings of the primary."
    )
    .alias("repl-ping-slave-period"),
    replication!(
        "repl-disable-tcp-nodelay",
        flag!(replication.disable_tcp_nodelay, false),
        "Fewer packets, more latency."
    ),
    replication!(
        "min-replicas-to-write",
        integer!(replication.replicas_min, 0, 0, i32::MAX),
        "Refuse writes with fewer good replicas; 0: never."
    )
    .alias("min-slaves-to-write")
    .guards(
        |config| config.replication.replicas_min != 0,
        "replication is not in this version, so there would never be a replica to write to: set it \
         to 0 to take writes that are on this server alone",
    ),
    replication!(
        "min-replicas-max-lag",
        integer!(replication.replicas_lag_seconds_max, 10, 0, i32::MAX),
        "Seconds of lag up to which a replica is good."
    )
    .alias("min-slaves-max-lag"),
];

const REPLICA_OF: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        let [host, port] = arguments else {
            return Err("wrong number of arguments".into());
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            config.replication.primary = None;
            return Ok(());
        }
        let port = number::parse(port, Unit::Plain, 0, 65535).ok();
        let port = port.and_then(|port| u16::try_from(port).ok()).ok_or("Invalid master port")?;
        config.replication.primary = Some(Primary { host: Text::from(*host), port });
        Ok(())
    },
    show: |config| match &config.replication.primary {
        Some(Primary { host, port }) => [host, format!(" {port}").as_bytes()].concat(),
        None => Vec::new(),
    },
    lines: |config| match &config.replication.primary {
        Some(Primary { host, port }) => {
            vec![[&split::quote(host)[..], format!(" {port}").as_bytes()].concat()]
        }
        None => Vec::new(),
    },
    default: "no one",
    grammar: "`<host> <port>`, or `no one`",
});
