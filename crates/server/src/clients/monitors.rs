//! MONITOR: connections that are shown every command of every client.
//!
//! A command is shown by its home, to the monitors there and, by a message, on every other core
//! thread while there is a monitor anywhere. A line is made once:
//!
//! ```text
//! +1700000000.123456 [0 127.0.0.1:50000] "set" "key" "a\x00b"\r\n
//!  unix time          db client          arguments, what is not printable escaped
//! ```
//!
//! Whether a connection still is a monitor is looked up when there is something to show; one that
//! left (closed, RESET) is taken off the lists then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use net::Peer;
use spec::{Flags, Spec};

use crate::clients::connections::ConnectionKey;
use crate::core::Core;

/// What is not shown: monitors see nothing of operators' commands.
const UNSEEN: [Flags; 2] = [Flags::SKIP_MONITOR, Flags::ADMIN];

impl Core {
    /// From now on a connection is shown every command.
    pub(crate) fn add_monitor(&mut self, key: ConnectionKey) {
        self.monitors.push(key);
        self.shared.clients.monitors.fetch_add(1, Ordering::AcqRel);
    }

    /// Shows a connection's command to all monitors; `words` are its arguments, secrets replaced.
    #[cold]
    pub(crate) fn show_to_monitors(&mut self, key: ConnectionKey, spec: &Spec, words: &[&[u8]]) {
        if UNSEEN.iter().any(|flag| spec.flags.has(*flag)) {
            return;
        }
        let unix_us = self.time.unix_us();
        let Some(connection) = self.connections.find(key) else { return };
        let session = &connection.session;
        let line = line(unix_us, session.client.db, &session.peer, words);
        let line: Arc<[u8]> = line.into();
        let home = self.mail.shard;
        for shard in (0..self.mail.shards()).filter(|shard| *shard != home) {
            let line = Arc::clone(&line);
            self.mail.call(shard, move |core| core.show_line(&line));
        }
        self.show_line(&line);
    }

    /// Gives a line to the monitors here.
    fn show_line(&mut self, line: &[u8]) {
        let before = self.monitors.len();
        for at in (0..before).rev() {
            let key = self.monitors[at];
            match self.connections.find(key).filter(|it| it.session.modes.monitor) {
                Some(connection) => {
                    connection.reply_buffer().extend_from_slice(line);
                    self.list_for_flush(key);
                }
                None => drop(self.monitors.swap_remove(at)),
            }
        }
        let gone = before - self.monitors.len();
        if gone > 0 {
            self.shared.clients.monitors.fetch_sub(gone, Ordering::AcqRel);
        }
    }
}

fn line(unix_us: u64, db: u32, peer: &Peer, words: &[&[u8]]) -> Vec<u8> {
    let client = match peer {
        Peer::Tcp { remote, .. } => remote.to_string(),
        Peer::Unix(path) => format!("unix:{path}"),
    };
    let (seconds, microseconds) = (unix_us / 1_000_000, unix_us % 1_000_000);
    let mut line = format!("+{seconds}.{microseconds:06} [{db} {client}]").into_bytes();
    for word in words {
        line.push(b' ');
        config::quote_always(&mut line, word);
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_who_where_when_and_what() {
        let (remote, local) = ("1.2.3.4:5".parse(), "1.2.3.4:6".parse());
        let (Ok(remote), Ok(local)) = (remote, local) else { panic!("these are addresses") };
        let line = line(12_000_345, 9, &Peer::Tcp { remote, local }, &[b"set", b"a\x00\"\\\n b"]);
        let expected = "+12.000345 [9 1.2.3.4:5] \"set\" \"a\\x00\\\"\\\\\\n b\"\r\n";
        assert_eq!(String::from_utf8(line).as_deref(), Ok(expected));
    }

    #[test]
    fn a_unix_client_is_its_socket() {
        let line = line(0, 0, &Peer::Unix("/tmp/s".to_owned()), &[b"ping"]);
        assert_eq!(line, b"+0.000000 [0 unix:/tmp/s] \"ping\"\r\n");
    }
}
