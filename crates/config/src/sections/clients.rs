//! How many clients, how long, and how much memory each may hold.

use crate::config::Config;
use crate::declare::{integer, section};
use crate::kind::{Kind, List, Occasion};
use crate::number::{self, Size, Unit};
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;

section! {
    /// Limits of connections and of their buffers.
    pub struct Clients {
        /// Connections at a time, over all core threads.
        pub count_max: u32,
        /// Idle seconds before a normal client is closed; 0: never.
        pub timeout_seconds: u32,
        /// Memory of all clients together before the largest are closed; 0: no limit. A percentage
        /// is one of `maxmemory`.
        pub memory_max: Size,
        /// Unparsed and queued bytes of one client before it is closed.
        pub query_buffer_bytes_max: u64,
        /// Longest argument of a request.
        pub bulk_bytes_max: u64,
        /// Unsent reply bytes, by class of client.
        pub output: OutputLimits,
        /// Keys remembered for client-side caching; 0: no limit.
        pub tracking_keys_max: u64,
        /// A script that runs longer answers other clients with BUSY; 0: never.
        pub busy_reply_ms: i64,
        /// RESP version of a new connection: 2 or 3.
        pub default_resp: u8,
    }
    in clients
}

section! {
    /// `client-output-buffer-limit`: one limit a class of client.
    pub struct OutputLimits {
        /// Clients that are neither of the others.
        pub normal: OutputLimit,
        /// Replicas.
        pub replica: OutputLimit,
        /// Clients that are subscribed to something.
        pub pubsub: OutputLimit,
    }
}

section! {
    /// When a client that does not read its replies is closed.
    pub struct OutputLimit {
        /// At once beyond so many bytes; 0: never.
        pub hard_bytes: u64,
        /// After `soft_seconds` on end beyond so many bytes; 0: never.
        pub soft_bytes: u64,
        /// See `soft_bytes`.
        pub soft_seconds: u64,
    }
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "maxclients",
        integer!(clients.count_max, 10_000, 1, u32::MAX),
        "Connections at a time.",
    )
    .act(Act::ClientsMax),
    Parameter::new(
        "timeout",
        integer!(clients.timeout_seconds, 0, 0, i32::MAX),
        "Idle seconds before a client is closed; 0: never.",
    ),
    Parameter::new(
        "maxmemory-clients",
        integer!(clients.memory_max, 0, -100, i64::MAX, Unit::MemoryOrPercent),
        "Memory of all clients together before the largest are closed; 0: no limit.",
    )
    .act(Act::Memory)
    .inert("no client is closed for what all take together; see `client-output-buffer-limit`"),
    Parameter::new(
        "client-query-buffer-limit",
        integer!(clients.query_buffer_bytes_max, 1 << 30, 1 << 20, i64::MAX, Unit::Memory),
        "Bytes of a client's requests that may wait before it is closed.",
    ),
    Parameter::new(
        "proto-max-bulk-len",
        integer!(clients.bulk_bytes_max, 512 << 20, 1 << 20, i64::MAX, Unit::Memory),
        "Longest argument of a request, and longest string value.",
    ),
    Parameter::new(
        "client-output-buffer-limit",
        OUTPUT,
        "Unsent reply bytes before a client is closed: hard, soft, soft seconds, by class. All \
         clients are of class normal: there are no replicas and no subscribers yet.",
    ),
    Parameter::new(
        "tracking-table-max-keys",
        integer!(clients.tracking_keys_max, 1_000_000, 0, i64::MAX),
        "Keys remembered for client-side caching; 0: no limit.",
    )
    .inert("client-side caching is not in this version"),
    Parameter::new(
        "busy-reply-threshold",
        integer!(clients.busy_reply_ms, 5000, 0, i64::MAX),
        "Milliseconds after which a running script answers others with BUSY.",
    )
    .alias("lua-time-limit")
    .inert("scripts are not in this version"),
    Parameter::new(
        "client-default-resp",
        integer!(clients.default_resp, 2, 2, 3),
        "For tests: the protocol version of a new connection.",
    )
    .hidden()
    .inert("connections start with RESP2, as in a regular build of Redis"),
];

const OUTPUT: Kind = Kind::List(List {
    put: |config, arguments, _occasion: Occasion| {
        config.clients.output = limits(&config.clients.output, arguments)?;
        Ok(())
    },
    show: |config| {
        let classes = classes(config).map(|(name, limit)| {
            let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
            format!("{name} {hard_bytes} {soft_bytes} {soft_seconds}")
        });
        classes.join(" ").into_bytes()
    },
    lines: |config| {
        let line = |(name, limit): (&str, &OutputLimit)| {
            let bytes = |bytes: u64| number::show_in_file(i128::from(bytes), Unit::Memory);
            let (hard, soft) = (bytes(limit.hard_bytes), bytes(limit.soft_bytes));
            let name = if name == "slave" { "replica" } else { name };
            format!("{name} {hard} {soft} {}", limit.soft_seconds).into_bytes()
        };
        classes(config).map(line).to_vec()
    },
    default: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    grammar: "`<class> <hard> <soft> <seconds>`, class normal, replica or pubsub; may repeat",
});

/// The classes under the names that CONFIG GET shows.
fn classes(config: &Config) -> [(&'static str, &OutputLimit); 3] {
    let output = &config.clients.output;
    [("normal", &output.normal), ("slave", &output.replica), ("pubsub", &output.pubsub)]
}

/// `before` with the classes replaced that `arguments` name, in groups of four.
fn limits(before: &OutputLimits, arguments: &[&[u8]]) -> Result<OutputLimits, Reason> {
    if !arguments.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = before.clone();
    for group in arguments.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => &mut limits.normal,
            b"slave" | b"replica" => &mut limits.replica,
            b"pubsub" => &mut limits.pubsub,
            _ => {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            }
        };
        *class = limit(group[1], group[2], group[3])
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(limits)
}

fn limit(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<OutputLimit> {
    let bytes = |text| number::parse(text, Unit::Memory, 0, i128::from(u64::MAX)).ok();
    Some(OutputLimit {
        hard_bytes: u64::try_from(bytes(hard)?).ok()?,
        soft_bytes: u64::try_from(bytes(soft)?).ok()?,
        soft_seconds: u64::try_from(number::decimal(seconds)?).ok()?,
    })
}
