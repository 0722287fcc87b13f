//! What keeps a server from starting, or from ending well.

use std::fmt;
use std::io;

use durability::RecoveryError;

use crate::input::registry::RenameError;

/// Why the server did not start. `Display` says what to do about it.
#[derive(Debug)]
pub enum BootError {
    /// `io_uring` does not work here: by what it is refused, and what allows it.
    Ring(String),
    /// Neither a port nor a unix socket to listen on.
    Nowhere,
    /// An address could not be listened on.
    Bind(String, u16, io::Error),
    /// Sockets cannot bear the mark of `socket-mark-id`.
    Mark(u32, io::Error),
    /// The unix socket could not be made.
    UnixSocket(String, io::Error),
    /// Another server uses the data directory.
    DirectoryInUse(String),
    /// The data directory or a file in it cannot be used.
    Directory(String, String),
    /// `appendfilename` or `appenddirname` cannot be file names.
    LogNames(String),
    /// The log cannot be recovered.
    Recovery(RecoveryError),
    /// A command cannot be renamed as the configuration says.
    Rename(RenameError),
    /// Too few descriptors may be opened.
    Descriptors(String),
    /// A core thread could not be started, or ended.
    Thread(String),
    /// The log could not be finished at the end.
    End(String),
}

impl From<RecoveryError> for BootError {
    fn from(error: RecoveryError) -> Self {
        Self::Recovery(error)
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => write!(formatter, "{error}"),
            Self::Nowhere => formatter.write_str(
                "configured to listen nowhere: set a port, or a unix socket with --unixsocket",
            ),
            Self::Bind(address, port, error) => write!(
                formatter,
                "cannot listen on {address}, port {port}: {error}. {}",
                advice(error)
            ),
            Self::Mark(mark, error) => write!(
                formatter,
                "cannot mark sockets with {mark} (socket-mark-id): {error}. It takes \
                 CAP_NET_ADMIN; firewall rules may rest on it, so the server does not start \
                 without"
            ),
            Self::UnixSocket(path, error) => {
                write!(formatter, "cannot listen on the unix socket {path}: {error}")
            }
            Self::DirectoryInUse(directory) => write!(
                formatter,
                "another server uses the data directory {directory}: give each its own with --dir"
            ),
            Self::Directory(directory, error) => {
                write!(formatter, "cannot use the data directory {directory}: {error}")
            }
            Self::Rename(error) => write!(formatter, "{error}"),
            Self::LogNames(name) => write!(formatter, "'{name}' cannot name the log's files"),
            Self::Recovery(error) => write!(formatter, "cannot recover the log: {error}"),
            Self::Descriptors(error) => write!(formatter, "too few open files allowed: {error}"),
            Self::Thread(error) => write!(formatter, "a core thread failed: {error}"),
            Self::End(error) => write!(formatter, "the log could not be finished: {error}"),
        }
    }
}

/// What to do about an address that cannot be listened on.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "Is another server running there? Choose another port with --port."
        }
        io::ErrorKind::AddrNotAvailable => {
            "No interface of this machine has that address: write '-' before it where it may be \
             missing, as in 'bind 127.0.0.1 -::1'."
        }
        io::ErrorKind::PermissionDenied => {
            "Ports below 1024 need CAP_NET_BIND_SERVICE: choose another with --port."
        }
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            "This machine has no addresses of that kind: choose others with --bind."
        }
        _ => "Choose other addresses with --bind, or another port with --port.",
    }
}

impl std::error::Error for BootError {}
