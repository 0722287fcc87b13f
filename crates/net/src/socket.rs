//! Sockets as plain descriptors: opening listeners, sending at once, shutting down.
//!
//! Receiving, accepting and sending happen on the [`crate::Ring`]; only who is turned away is
//! answered here, with one `send(2)` that does not block.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

/// Whether this process may mark sockets, which takes `CAP_NET_ADMIN`.
///
/// # Errors
/// What the system answered when a socket was to bear `mark`.
pub fn try_mark(mark: u32) -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::STREAM, None)?.set_mark(mark)
}

/// Opens a TCP listener on `address`, with address reuse; IPv6 listeners take IPv6 only. The
/// listener, and every connection that it accepts, bears `mark` (`SO_MARK`) unless it is 0.
///
/// # Errors
/// What the system answered: in use, not available, not permitted.
pub fn listen_tcp(address: SocketAddr, backlog: i32, mark: u32) -> io::Result<OwnedFd> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if mark != 0 {
        // Before it listens: what is accepted inherits it.
        socket.set_mark(mark)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Opens a unix socket listener at `path`, replacing a stale one.
///
/// # Errors
/// What the system answered.
pub fn listen_unix(path: &Path, backlog: i32) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A connection's socket. Owned by the connection that it serves; closed when dropped.
#[derive(Debug)]
pub struct Stream(OwnedFd);

/// Where a connection comes from and arrived at, as CLIENT LIST prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP connection's two ends.
    Tcp {
        /// The client's address.
        remote: SocketAddr,
        /// Ours.
        local: SocketAddr,
    },
    /// A unix socket's path.
    Unix(String),
}

impl Stream {
    /// Takes over a descriptor that the ring accepted.
    #[must_use]
    pub fn from_accepted(descriptor: i32) -> Self {
        debug_assert!(descriptor >= 0, "the caller checked for an errno");
        // SAFETY: the kernel made the descriptor for this accept and gave it to nobody else; the
        // completion that carried it is consumed exactly once.
        Self(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// The descriptor, for the ring.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sends what fits without blocking, and says how much that was.
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits; anything else ends the connection.
    pub fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and length are those of a live slice; the descriptor is open while
        // `self` lives.
        let sent = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Ends both directions: the receive under way on the ring then ends too.
    pub fn shut_down(&self) {
        // A peer that is gone already answers ENOTCONN, which is what was wanted.
        let _ = SockRef::from(&self.0).shutdown(std::net::Shutdown::Both);
    }

    /// Turns Nagle's algorithm off, and keep-alive on where `keep_alive` is not zero.
    ///
    /// # Errors
    /// What the system answered; a unix socket has neither.
    pub fn tune(&self, keep_alive: Duration) -> io::Result<()> {
        let socket = SockRef::from(&self.0);
        socket.set_tcp_nodelay(true)?;
        if !keep_alive.is_zero() {
            let interval = (keep_alive / 3).max(Duration::from_secs(1));
            let settings =
                TcpKeepalive::new().with_time(keep_alive).with_interval(interval).with_retries(3);
            socket.set_tcp_keepalive(&settings)?;
        }
        Ok(())
    }

    /// Both ends, as far as the system knows them; `unix_path` is the listener's own path.
    #[must_use]
    pub fn peer(&self, unix_path: &str) -> Peer {
        let socket = SockRef::from(&self.0);
        let remote = socket.peer_addr().ok().and_then(|address| address.as_socket());
        let local = socket.local_addr().ok().and_then(|address| address.as_socket());
        match (remote, local) {
            (Some(remote), Some(local)) => Peer::Tcp { remote, local },
            _ => Peer::Unix(unix_path.to_owned()),
        }
    }

    /// Gives the descriptor away, to another core thread.
    #[must_use]
    pub fn into_descriptor(self) -> i32 {
        self.0.into_raw_fd()
    }
}

impl Peer {
    /// Whether the client is on this machine (protected mode lets it in).
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp { remote, .. } => remote.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};

    use socket2::{SockAddr, Socket};

    use super::{SockRef, listen_tcp, try_mark};

    fn listen(mark: u32) -> std::io::Result<Socket> {
        listen_tcp(SocketAddr::from(([127, 0, 0, 1], 0)), 8, mark).map(Socket::from)
    }

    #[test]
    fn what_a_marked_listener_accepts_bears_its_mark() {
        assert_eq!(listen(0).unwrap().mark().unwrap(), 0);
        if let Err(refused) = try_mark(7) {
            let error = listen(7).expect_err("what may not be marked is not opened");
            assert_eq!(error.kind(), refused.kind());
            eprintln!("skipped: {refused}");
            return;
        }
        let listener = listen(7).unwrap();
        let address = listener.local_addr().as_ref().ok().and_then(SockAddr::as_socket).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(SockRef::from(&accepted).mark().unwrap(), 7);
    }
}
