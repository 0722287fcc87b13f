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
//!
//! `watch` is Redis 7.4's. What a client watches is known to the shards of the keys, and so is
//! whether one of them was touched (`watch` and the flag `d`): a line is finished once they have
//! been asked.

use std::io::Write;

use net::Peer;
use resp::{Arguments, Protocol};

use crate::clients::connection::{Connection, Held};
use crate::clients::session::Session;
use crate::input::registry::Registry;
use crate::transaction::watchers::Watcher;

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

/// A client's line, without a line end: for CLIENT LIST and CLIENT INFO.
#[derive(Debug)]
pub(crate) struct Line {
    /// The client's id.
    pub(crate) id: u64,
    /// Who watches for it, if it watches keys: [`Line::note_touched`] may have to follow.
    pub(crate) watcher: Option<Watcher>,
    pub(crate) text: Vec<u8>,
    /// Where the letters of `flags` that stand before `d` end in `text`.
    letters_end: usize,
}

impl Line {
    /// Says that a key which the client watches was touched: its EXEC will do nothing.
    pub(crate) fn note_touched(&mut self) {
        let at = self.letters_end;
        match self.text.get(at..at + 2) {
            Some(b"N ") => self.text[at] = b'd',
            _ => self.text.insert(at, b'd'),
        }
    }
}

/// The line of `connection`.
pub(crate) fn line(
    connection: &Connection,
    registry: &Registry,
    now_ms: i64,
    asking: Asking,
) -> Line {
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
    let letters_end = put_flags(&mut line, connection);
    put(&mut line, "db", session.client.db);
    line.extend_from_slice(b" sub=0 psub=0 ssub=0");
    let queued = session.multi.shown();
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
    Line { id: session.id, watcher: session.multi.watcher(), text: line, letters_end }
}

/// `qbuf` to `tot-mem`.
fn put_buffers(line: &mut Vec<u8>, connection: &Connection, asking: Option<Asking>) {
    let (pending, output) = (&connection.input.pending, &connection.output);
    let waiting = connection.input.waiting_bytes();
    let request = asking.map_or(0, |asking| asking.request_bytes);
    let arguments = asking.map_or(0, |asking| asking.argument_bytes);
    let sending = output.sending.map_or(0, |sending| sending.length - sending.sent);
    let session = &connection.session;
    put(line, "qbuf", waiting + request);
    put(line, "qbuf-free", pending.capacity() - waiting);
    put(line, "argv-mem", arguments);
    put(line, "multi-mem", session.multi.heap_bytes());
    put(line, "rbs", output.bytes.capacity());
    put(line, "rbp", output.bytes.len());
    put(line, "obl", if asking.is_some() { 0 } else { output.bytes.len() });
    put(line, "oll", u8::from(output.sending.is_some()));
    put(line, "omem", sending);
    put(line, "tot-mem", connection.memory_bytes() + request + arguments);
}

/// `flags`: letters, or `N` when there are none. Says where those end that stand before `d`, or
/// where the `N` stands.
fn put_flags(line: &mut Vec<u8>, connection: &Connection) -> usize {
    let session = &connection.session;
    let modes = session.modes;
    let letters = [
        (modes.monitor, b'O'),
        (session.multi.shown().is_some(), b'x'),
        (connection.input.held == Held::Paused || connection.is_blocked(), b'b'),
    ];
    let further = [
        (modes.close_after_reply, b'c'),
        (modes.close_now, b'A'),
        (matches!(session.peer, Peer::Unix(_)), b'U'),
        (modes.no_evict, b'e'),
        (session.client.no_touch, b'T'),
    ];
    put(line, "flags", "");
    let begin = line.len();
    line.extend(letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter));
    let letters_end = line.len();
    line.extend(further.iter().filter(|(set, _)| *set).map(|(_, letter)| letter));
    if line.len() == begin {
        line.push(b'N');
    }
    letters_end
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
