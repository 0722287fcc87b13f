//! A blocking RESP client that needs nothing but the standard library.
//!
//! Every read ends with an error after [`TIMEOUT`], so that a test of a server that does not answer
//! fails and does not hang. It keeps what arrived until it is asked for, so the end of a connection
//! can be judged byte for byte ([`Client::receive_to_end`]).

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::value::{Value, read_value};

/// Far longer than any answer takes on a busy machine, short enough for a test run.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// One connection to a server.
pub(crate) struct Client {
    stream: Stream,
    /// What has arrived; the first `consumed` bytes were read as replies.
    input: Vec<u8>,
    consumed: usize,
}

/// A connected socket.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    /// Connects over TCP.
    pub(crate) fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: Stream::Tcp(stream), input: Vec::new(), consumed: 0 })
    }

    /// Connects over a unix socket.
    pub(crate) fn connect_unix(path: impl AsRef<Path>) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: Stream::Unix(stream), input: Vec::new(), consumed: 0 })
    }

    /// Sends a command and reads its reply. An error that the server replied is a [`Value::Error`].
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Value> {
        let mut bytes = Vec::new();
        encode(arguments, &mut bytes);
        self.send_raw(&bytes)?;
        self.receive()
    }

    /// The reply to a line of words separated by single spaces. Panics when there is none.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').collect();
        self.call(&words).unwrap_or_else(|error| panic!("no reply to `{line}`: {error}"))
    }

    /// Sends `bytes` and reads `replies` replies at the same time, so that neither side waits for
    /// the other however long both are.
    pub(crate) fn pipeline(&mut self, bytes: &[u8], replies: usize) -> io::Result<Vec<Value>> {
        let mut writer = self.stream.try_clone()?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || writer.write_all(bytes));
            let values = (0..replies).map(|_| self.receive()).collect::<io::Result<Vec<_>>>();
            if values.is_err() {
                // Frees a writer that nobody reads from any more.
                let _ = self.stream.shutdown(Shutdown::Both);
            }
            let written = writing.join().expect("writing to a socket does not panic");
            values.and_then(|values| written.map(|()| values))
        })
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one reply.
    pub(crate) fn receive(&mut self) -> io::Result<Value> {
        loop {
            if let Some((value, length)) = read_value(&self.input[self.consumed..])? {
                self.consumed += length;
                return Ok(value);
            }
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed"));
            }
        }
    }

    /// Everything that still arrives until the server closes, unread replies included. A reset
    /// counts as an end.
    pub(crate) fn receive_to_end(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.input.split_off(self.consumed))
    }

    /// Tells the server that no more commands follow; replies can still be read.
    pub(crate) fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads what has arrived, at least a byte; answers how much, 0 when the server closed.
    fn fill(&mut self) -> io::Result<usize> {
        if self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.consumed = 0;
        }
        let mut chunk = [0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time"));
                }
                read => break read?,
            }
        };
        self.input.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

impl Stream {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}

/// Appends a command as a RESP array of bulk strings.
pub(crate) fn encode<A: AsRef<[u8]>>(arguments: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a line of words separated by single spaces, as [`encode`] does.
pub(crate) fn encode_line(line: &str, out: &mut Vec<u8>) {
    let words: Vec<&str> = line.split(' ').collect();
    encode(&words, out);
}
