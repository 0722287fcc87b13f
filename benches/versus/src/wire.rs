//! A blocking RESP2 connection, just enough to fill a server, probe it, and read fields of INFO.

use crate::failure::Failure;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Commands in flight while filling: enough to hide the round trip, little enough for any output
/// buffer.
const FILL_BATCH: u64 = 500;

/// A reply, as far as a benchmark cares.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// Simple string or bulk.
    Text(Vec<u8>),
    /// Integer.
    Integer(i64),
    /// Error text without the dash.
    Error(String),
    /// Null bulk or null array.
    Null,
    /// Array.
    Array(Vec<Self>),
}

/// One connection.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Wire {
    /// Connects to a port of this machine. Reads give up after a minute.
    pub(crate) fn connect(port: u16) -> Result<Self, Failure> {
        let connect = || {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            let writer = stream.try_clone()?;
            Ok(Self { reader: BufReader::with_capacity(1 << 16, stream), writer })
        };
        connect().map_err(|why: std::io::Error| Failure::new(format_args!("port {port}"), why))
    }

    /// Sends bytes that are already RESP.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|why| Failure::new("send", why))
    }

    /// Sends one command and waits for its reply; an error reply is a failure.
    pub(crate) fn command(&mut self, words: &[&str]) -> Result<Reply, Failure> {
        self.send(&encode(words))?;
        match self.reply()? {
            Reply::Error(text) => Err(Failure::new(words.join(" "), text)),
            reply => Ok(reply),
        }
    }

    /// One reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Failure> {
        let mut line = Vec::with_capacity(32);
        let read =
            self.reader.read_until(b'\n', &mut line).map_err(|why| Failure::new("read", why))?;
        if read < 3 {
            return Err(Failure::new("read", "the server closed the connection"));
        }
        line.truncate(read - 2);
        let text = String::from_utf8_lossy(&line[1..]).into_owned();
        let number = || text.parse::<i64>().map_err(|why| Failure::new("reply", why));
        match line[0] {
            b'+' => Ok(Reply::Text(text.into_bytes())),
            b'-' => Ok(Reply::Error(text)),
            b':' => Ok(Reply::Integer(number()?)),
            b'$' => match usize::try_from(number()?) {
                Ok(bytes) => self.bulk(bytes),
                Err(_) => Ok(Reply::Null),
            },
            b'*' => match usize::try_from(number()?) {
                Ok(count) => {
                    (0..count).map(|_| self.reply()).collect::<Result<_, _>>().map(Reply::Array)
                }
                Err(_) => Ok(Reply::Null),
            },
            _ => Err(Failure::new("reply", format_args!("not RESP2: {text}"))),
        }
    }

    fn bulk(&mut self, bytes: usize) -> Result<Reply, Failure> {
        let mut value = vec![0; bytes + 2];
        self.reader.read_exact(&mut value).map_err(|why| Failure::new("read", why))?;
        value.truncate(bytes);
        Ok(Reply::Text(value))
    }

    /// Sets `key:<12 digits>` (16 bytes) for every index of `keys` to a value of `value_bytes` that
    /// differs by key.
    pub(crate) fn fill(
        &mut self,
        keys: std::ops::Range<u64>,
        value_bytes: usize,
    ) -> Result<(), Failure> {
        let mut next = keys.start;
        while next < keys.end {
            let end = keys.end.min(next + FILL_BATCH);
            let mut batch = String::new();
            for index in next..end {
                set_into(&mut batch, index, value_bytes);
            }
            self.send(batch.as_bytes())?;
            for _ in next..end {
                if let Reply::Error(text) = self.reply()? {
                    return Err(Failure::new("SET", text));
                }
            }
            next = end;
        }
        Ok(())
    }

    /// The number behind `name:` in INFO.
    pub(crate) fn info(&mut self, section: &str, name: &str) -> Result<u64, Failure> {
        let Reply::Text(text) = self.command(&["INFO", section])? else {
            return Err(Failure::new("INFO", "not a string"));
        };
        String::from_utf8_lossy(&text)
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
            .ok_or_else(|| Failure::new("INFO", format_args!("no number for {name}")))
    }
}

/// A command as a RESP array.
pub(crate) fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        let _ = write!(bytes, "${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// Appends `SET key:<index> <value>`; the value is text that starts with the index and repeats no
/// short pattern.
fn set_into(out: &mut String, index: u64, value_bytes: usize) {
    let _ = write!(out, "*3\r\n$3\r\nSET\r\n$16\r\nkey:{index:012}\r\n${value_bytes}\r\n");
    let end = out.len() + value_bytes;
    let mut state = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while out.len() < end {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let _ = write!(out, "{state:016x}");
    }
    out.truncate(end);
    out.push_str("\r\n");
}
