//! A client as a line: CLIENT LIST, CLIENT INFO and log messages.
//!
//! The fields and their order are Redis 7.2's. Where Bobbin has no such thing, a field says what is
//! closest to what its readers want of it:
//!
//! | field | here |
//! | --- | --- |
//! | `qbuf`, `qbuf-free` | bytes received, not consumed (the asking request counts); room for it |
//! | `rbs`, `rbp` | capacity and filling of the output buffer |
//! | `obl` | replies not yet handed to the socket (0 for the client that asks) |
//! | `oll`, `omem` | whether a send is under way on the ring, and how much of it is left |
//! | `tot-mem` | the connection and all its buffers |

use std::io::Write;

use net::Peer;
use resp::{Arguments, Protocol};

use crate::clients::connection::{Connection, Held};
use crate::clients::session::Session;
use crate::input::registry::Registry;

/// The user that every client is until there are others.
pub(crate) const DEFAULT_USER: &[u8] = b"default";

/// The request that asks for the line: its own bytes count as its client's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// The client that asks.
    pub(crate) client: u64,
    /// Bytes of the request.
    request_bytes: usize,
    /// Bytes of its arguments alone.
    argument_bytes: usize,
}

impl Asking {
    /// The request `arguments` of `client`.
    pub(crate) fn new(client: u64, arguments: Arguments<'_>) -> Self {
        let argument_bytes = arguments.iter().map(<[u8]>::len).sum();
        Self { client, request_bytes: arguments.bytes().len(), argument_bytes }
    }
}

/// The address of a client's end, as `addr` shows it.
pub(crate) fn address(peer: &Peer) -> String {
    match peer {
        Peer::Tcp { remote, .. } => remote.to_string(),
        Peer::Unix(path) => format!("{path}:0"),
    }
}

/// The address of our end, as `laddr` shows it.
pub(crate) fn local_address(peer: &Peer) -> String {
    match peer {
        Peer::Tcp { local, .. } => local.to_string(),
        Peer::Unix(path) => format!("{path}:0"),
    }
}

/// A client in a few words, for log messages.
pub(crate) fn client(session: &Session) -> String {
    format!(
        "id={} addr={} name={} db={}",
        session.id,
        address(&session.peer),
        String::from_utf8_lossy(&session.identity.name),
        session.client.db
    )
}

/// The client's line, without a line end: for CLIENT LIST and CLIENT INFO.
pub(crate) fn line(
    connection: &Connection,
    registry: &Registry,
    now_ms: i64,
    asking: Asking,
) -> Vec<u8> {
    let session = &connection.session;
    let activity = &session.activity;
    let asks = session.id == asking.client;
    let seconds_since = |since_ms: i64| (now_ms - since_ms).max(0) / 1000;
    let mut line = Vec::with_capacity(LINE_BYTES_TYPICAL);
    put(&mut line, "id", session.id);
    put(&mut line, "addr", address(&session.peer));
    put(&mut line, "laddr", local_address(&session.peer));
    put(&mut line, "fd", connection.stream.as_ref().map_or(-1, net::Stream::descriptor));
    put_bytes(&mut line, "name", &session.identity.name);
    put(&mut line, "age", seconds_since(activity.connected_ms));
    put(&mut line, "idle", seconds_since(activity.last_ms));
    put(&mut line, "flags", flags(connection));
    put(&mut line, "db", session.client.db);
    line.extend_from_slice(b" sub=0 psub=0 ssub=0");
    let queued = session.multi.queued();
    put(&mut line, "multi", queued.map_or(-1, |commands| commands as i64));
    put_buffers(&mut line, connection, asks.then_some(asking));
    let sending = connection.output.sending.is_some();
    put(&mut line, "events", if sending { "rw" } else { "r" });
    let command = activity.last_command.checked_sub(1).and_then(|it| registry.name(it));
    put(&mut line, "cmd", command.unwrap_or("NULL"));
    put_bytes(&mut line, "user", DEFAULT_USER);
    put(&mut line, "redir", -1);
    put(&mut line, "resp", if session.client.protocol == Protocol::Resp3 { 3 } else { 2 });
    put_bytes(&mut line, "lib-name", &session.identity.library);
    put_bytes(&mut line, "lib-ver", &session.identity.library_version);
    line
}

/// `qbuf` to `tot-mem`.
fn put_buffers(line: &mut Vec<u8>, connection: &Connection, asking: Option<Asking>) {
    let (pending, output) = (&connection.input.pending, &connection.output);
    let waiting = connection.input.waiting_bytes();
    let request = asking.map_or(0, |asking| asking.request_bytes);
    let sending = output.sending.map_or(0, |sending| sending.length - sending.sent);
    let total = size_of::<Connection>()
        + pending.capacity()
        + output.bytes.capacity()
        + sending
        + connection.session.identity.name.capacity();
    put(line, "qbuf", waiting + request);
    put(line, "qbuf-free", pending.capacity() - waiting);
    put(line, "argv-mem", asking.map_or(0, |asking| asking.argument_bytes));
    put(line, "multi-mem", connection.session.multi.heap_bytes());
    put(line, "rbs", output.bytes.capacity());
    put(line, "rbp", output.bytes.len());
    put(line, "obl", if asking.is_some() { 0 } else { output.bytes.len() });
    put(line, "oll", u8::from(output.sending.is_some()));
    put(line, "omem", sending);
    put(line, "tot-mem", total + request);
}

/// The letters of `flags`; `N` when there are none.
fn flags(connection: &Connection) -> String {
    let session = &connection.session;
    let modes = session.modes;
    let letters = [
        (modes.monitor, 'O'),
        (connection.input.held == Held::Paused || connection.is_blocked(), 'b'),
        (session.multi.queued().is_some(), 'x'),
        (modes.close_after_reply, 'c'),
        (modes.close_now, 'A'),
        (matches!(session.peer, Peer::Unix(_)), 'U'),
        (modes.no_evict, 'e'),
        (session.client.no_touch, 'T'),
    ];
    let flags: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
    if flags.is_empty() { String::from("N") } else { flags }
}

/// Appends a field, after a space unless it is the first.
fn put(line: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    let space = if line.is_empty() { "" } else { " " };
    write!(line, "{space}{name}={value}").expect("writing to memory does not fail");
}

/// Appends a field whose value need not be UTF-8.
fn put_bytes(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    put(line, name, "");
    line.extend_from_slice(value);
}

/// A client of a library on a machine with short addresses takes about 330 bytes.
const LINE_BYTES_TYPICAL: usize = 384;
