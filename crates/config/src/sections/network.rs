//! Where the server listens.

use crate::declare::{integer, section, text};
use crate::kind::{self, Kind, List};
use crate::number::Unit;
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;
use crate::split;
use crate::text::Text;

section! {
    /// Addresses, ports, socket options.
    pub struct Network {
        /// At most 16; `-` before one: not an error when it is not there. `*` and
        /// `-::*` are all IPv4 and all IPv6 addresses. Empty: no TCP at all.
        pub bind: Vec<Text>,
        /// Source address of connections that the server opens; empty: the system's choice.
        pub bind_source_addr: Text,
        /// 0: no TCP listener.
        pub port: u16,
        /// Path; empty: none.
        pub unix_socket: Text,
        /// File mode of the unix socket, 0: as umask leaves it.
        pub unix_socket_mode: u32,
        /// Length of the queue of connections not accepted yet.
        pub backlog: u32,
        /// Seconds of silence before TCP probes the peer; 0: never.
        pub keepalive_seconds: u32,
        /// SO_MARK of listening sockets; 0: none.
        pub mark_id: u32,
    }
    in network
}

/// More addresses than these are refused (Redis: CONFIG_BINDADDR_MAX).
pub(crate) const BIND_ADDRESSES_MAX: usize = 16;

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new("bind", BIND, "Addresses to listen on; `-` before one: may be missing.")
        .act(Act::Listeners),
    Parameter::new(
        "bind-source-addr",
        text!(network.bind_source_addr, ""),
        "Source address of connections that the server opens.",
    )
    .inert("Bobbin opens no connections before replication exists"),
    Parameter::new("port", integer!(network.port, 6379, 0, 65535), "TCP port; 0: no TCP.")
        .act(Act::Listeners),
    Parameter::new("unixsocket", text!(network.unix_socket, ""), "Path of the unix socket.")
        .at_start(),
    Parameter::new(
        "unixsocketperm",
        integer!(network.unix_socket_mode, 0, 0, 0o777, Unit::Octal),
        "File mode of the unix socket.",
    )
    .at_start(),
    Parameter::new(
        "tcp-backlog",
        integer!(network.backlog, 511, 0, i32::MAX),
        "Connections that may wait to be accepted.",
    )
    .at_start(),
    Parameter::new(
        "tcp-keepalive",
        integer!(network.keepalive_seconds, 300, 0, i32::MAX),
        "Seconds of silence before TCP probes a client; 0: never.",
    ),
    Parameter::new(
        "socket-mark-id",
        integer!(network.mark_id, 0, 0, u32::MAX),
        "SO_MARK of TCP sockets, by which firewalls and routes know them (needs CAP_NET_ADMIN); \
         0: none.",
    )
    .at_start(),
];

const BIND: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        config.network.bind = addresses(arguments)?;
        Ok(())
    },
    show: |config| config.network.bind.join(&b' '),
    lines: |config| {
        let addresses = &config.network.bind;
        vec![if addresses.is_empty() { b"\"\"".to_vec() } else { split::join_list(addresses) }]
    },
    default: "* -::*",
    grammar: "up to 16 addresses",
});

/// Nothing means no address at all, as in `bind ""`.
fn addresses(arguments: &[&[u8]]) -> Result<Vec<Text>, Reason> {
    if arguments.len() > BIND_ADDRESSES_MAX {
        return Err("Too many bind addresses specified.".into());
    }
    if kind::is_nothing(arguments) {
        return Ok(Vec::new());
    }
    Ok(arguments.iter().map(|one| Text::from(*one)).collect())
}
