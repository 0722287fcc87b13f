//! What keeps a server from starting, or from ending well.

use std::fmt;
use std::io;

use durability::RecoveryError;
use net::RingError;

use crate::input::registry::RenameError;

/// Why the server did not start. `Display` says what to do about it.
#[derive(Debug)]
pub enum BootError {
    /// No socket ring.
    Ring(RingError),
    /// An address could not be listened on.
    Bind(String, u16, io::Error),
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
            Self::Bind(address, port, error) => write!(
                formatter,
                "cannot listen on {address}, port {port}: {error}. Is another server running \
                 there? Choose another port with --port."
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

impl std::error::Error for BootError {}
