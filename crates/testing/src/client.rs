//! A blocking RESP client for integration tests: sends what it is told, byte for byte if need be,
//! and reads replies as [`Value`]s.
//!
//! It is deliberately plain: no reconnecting, no pooling, no thread of its own (but while a
//! pipeline is written). Every read ends with an error after the timeout, so that a test of a
//! server that does not answer fails and does not hang.
//!
//! In RESP3 a server may send messages that are no replies (invalidations, Pub/Sub). Where a reply
//! is expected they are put aside and kept for [`Client::message`].

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use resp::{ReplyReader, Value};

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    /// What has arrived; the first `consumed` bytes were read as replies.
    input: Vec<u8>,
    consumed: usize,
    reader: ReplyReader,
    /// Messages that arrived where a reply was expected, oldest first.
    messages: VecDeque<Value>,
}

impl Client {
    /// Connects over TCP. Reads and writes give up after [`TIMEOUT`].
    ///
    /// # Errors
    /// Nobody listens, or the address cannot be resolved.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Self::over(Stream::Tcp(stream))
    }

    /// Connects over a unix socket.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect_unix(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::over(Stream::Unix(UnixStream::connect(path)?))
    }

    /// Connects to a server that may still be starting: tries every 10 ms, for `patience` at most,
    /// until it answers PING with anything but LOADING.
    ///
    /// # Errors
    /// The error of the last try.
    pub fn connect_patiently(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let pause = Duration::from_millis(10);
        let mut tries = patience.as_millis() / pause.as_millis();
        loop {
            let ready = Self::connect(address).and_then(|mut client| {
                match client.call(&["PING"])?.as_error() {
                    Some(error) if error.starts_with("LOADING") => {
                        Err(io::Error::new(io::ErrorKind::WouldBlock, error.to_owned()))
                    }
                    _ => Ok(client),
                }
            });
            if ready.is_ok() || tries == 0 {
                return ready;
            }
            tries -= 1;
            std::thread::sleep(pause);
        }
    }

    /// Gives up reads and writes after `timeout` from now on.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.set_timeout(timeout)
    }

    /// Sends a command and reads its reply.
    ///
    /// # Errors
    /// The connection failed or closed, or no reply came in time; kind `InvalidData`: what came is
    /// no reply. An error that the server replied is a [`Value::Error`].
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Value> {
        self.send(arguments)?;
        self.receive()
    }

    /// Sends commands at once, each a line of words separated by single spaces, and reads all their
    /// replies: `pipeline(&["SET k v", "GET k"])`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn pipeline<L: AsRef<str>>(&mut self, lines: &[L]) -> io::Result<Vec<Value>> {
        let mut bytes = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.as_ref().split(' ').collect();
            encode(&words, &mut bytes);
        }
        self.pipeline_raw(&bytes, lines.len())
    }

    /// Sends `bytes` and reads `replies` replies at the same time, so that neither side waits for
    /// the other however long both are.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn pipeline_raw(&mut self, bytes: &[u8], replies: usize) -> io::Result<Vec<Value>> {
        let mut writer = self.stream.try_clone()?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || writer.write_all(bytes));
            let values = (0..replies).map(|_| self.receive()).collect::<io::Result<Vec<_>>>();
            if values.is_err() {
                // frees a writer that nobody reads from any more
                let _ = self.stream.shutdown(Shutdown::Both);
            }
            let written = writing.join().expect("writing to a socket does not panic");
            values.and_then(|values| written.map(|()| values))
        })
    }

    /// Sends a command without waiting for its reply.
    ///
    /// # Errors
    /// The connection failed.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<()> {
        let mut bytes = Vec::new();
        encode(arguments, &mut bytes);
        self.send_raw(&bytes)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection failed.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one reply; messages in front of it are put aside.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn receive(&mut self) -> io::Result<Value> {
        loop {
            match self.receive_any()? {
                message @ Value::Push(_) => self.messages.push_back(message),
                reply => return Ok(reply),
            }
        }
    }

    /// The oldest message put aside, or the next that arrives.
    ///
    /// # Errors
    /// As [`Client::call`]; kind `InvalidData` also when a reply comes.
    pub fn message(&mut self) -> io::Result<Value> {
        if let Some(message) = self.messages.pop_front() {
            return Ok(message);
        }
        match self.receive_any()? {
            message @ Value::Push(_) => Ok(message),
            reply => Err(invalid(format!("a message was expected, not {reply:?}"))),
        }
    }

    /// Reads one reply or message, whichever is next. (What SUBSCRIBE answers is a message in
    /// RESP3 and a reply in RESP2.)
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn receive_any(&mut self) -> io::Result<Value> {
        let bytes = self.receive_raw()?;
        let value = Value::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
        value.map(|(value, _)| value).ok_or_else(|| invalid("a reply without an end".to_owned()))
    }

    /// The bytes of the next reply or message.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn receive_raw(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let arrived = &self.input[self.consumed..];
            let read = self.reader.read(arrived).map_err(|error| {
                invalid(format!("{error}: {}", arrived[..arrived.len().min(80)].escape_ascii()))
            })?;
            if let Some(length) = read {
                let reply = arrived[..length].to_vec();
                self.consumed += length;
                return Ok(reply);
            }
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed"));
            }
        }
    }

    /// Everything that still arrives until the server closes, unread replies included.
    ///
    /// # Errors
    /// The server did not close in time, or the connection failed otherwise than by a reset.
    pub fn receive_to_end(&mut self) -> io::Result<Vec<u8>> {
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
    ///
    /// # Errors
    /// The connection failed.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// A client over a connected stream.
    fn over(stream: Stream) -> io::Result<Self> {
        stream.set_timeout(TIMEOUT)?;
        Ok(Self {
            stream,
            input: Vec::new(),
            consumed: 0,
            reader: ReplyReader::new(),
            messages: VecDeque::new(),
        })
    }

    /// Reads what has arrived, at least a byte; answers how much, 0 when the server closed.
    fn fill(&mut self) -> io::Result<usize> {
        self.input.drain(..self.consumed);
        self.consumed = 0;
        let mut chunk = [0; 16 * 1024];
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

/// A connected socket.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
        }
    }

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
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a command as a RESP array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A], out: &mut Vec<u8>) {
    let mut writer = resp::Writer::new(out, resp::Protocol::Resp2);
    writer.array(arguments.len());
    for argument in arguments {
        writer.bulk(argument.as_ref());
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// How long a client waits before it gives up: far longer than any answer takes, also on a busy
/// machine, and short enough for a test run.
pub const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use resp::Value;

    use super::Client;

    /// A server for one connection that expects `request` and then sends `reply` in pieces.
    fn serve(request: &'static [u8], reply: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut received = vec![0; request.len()];
            stream.read_exact(&mut received).unwrap();
            assert_eq!(received, request);
            for piece in reply.chunks(3) {
                stream.write_all(piece).unwrap();
            }
            // until the client goes
            let _ = stream.read(&mut [0]);
        });
        (address, server)
    }

    #[test]
    fn calls_and_pipelines() {
        let (address, server) = serve(
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n",
            b"$5\r\nvalue\r\n+PONG\r\n-ERR no\r\n",
        );
        let mut client = Client::connect(address).unwrap();
        client.send(&["GET", "k"]).unwrap();
        let replies = client.pipeline(&["PING", "ECHO x"]).unwrap();
        assert_eq!(replies, [Value::Bulk(b"value".to_vec()), Value::Simple("PONG".into())]);
        assert_eq!(client.receive().unwrap().as_error(), Some("ERR no"));
        drop(client);
        server.join().unwrap();
    }

    #[test]
    fn messages_are_put_aside() {
        let (address, server) =
            serve(b"PING\r\n", b">1\r\n:1\r\n>1\r\n:2\r\n+PONG\r\n>1\r\n:3\r\n");
        let mut client = Client::connect(address).unwrap();
        client.send_raw(b"PING\r\n").unwrap();
        assert_eq!(client.receive().unwrap().as_str(), Some("PONG"));
        for number in 1..=3 {
            let message = client.message().unwrap();
            assert_eq!(message, Value::Push(vec![Value::Integer(number)]));
        }
        drop(client);
        server.join().unwrap();
    }

    #[test]
    fn a_silent_or_closing_or_babbling_server_is_an_error() {
        let (address, server) = serve(b"PING\r\n", b"+PON");
        let mut client = Client::connect(address).unwrap();
        client.set_timeout(Duration::from_millis(50)).unwrap();
        client.send_raw(b"PING\r\n").unwrap();
        assert_eq!(client.receive().unwrap_err().kind(), ErrorKind::TimedOut);
        client.finish_sending().unwrap();
        assert_eq!(client.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        server.join().unwrap();

        let (address, server) = serve(b"", b"hello\r\n");
        let mut client = Client::connect(address).unwrap();
        assert_eq!(client.receive().unwrap_err().kind(), ErrorKind::InvalidData);
        client.finish_sending().unwrap();
        assert_eq!(client.receive_to_end().unwrap(), b"hello\r\n");
        server.join().unwrap();
    }
}
