//! The listening sockets that a configuration asks for.
//!
//! An address with `-` before it may be missing on this machine, and so may a whole family of
//! addresses that the kernel does not have, as in Redis. A unix socket that a killed server left is
//! taken over; one that somebody listens on, or a file that is no socket, is not.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use config::Config;

use crate::life::error::BootError;
use crate::tick::core_thread::Listener;

/// How long to try again when the port is still bound: a server that was killed gives it back only
/// when the kernel has torn its sockets and rings down.
const BIND_RETRY_MAX: Duration = Duration::from_secs(2);

/// The file of a unix socket, which goes when the server ends.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: what somebody else has put there since stays.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path).ok();
        if found.is_some_and(|it| (it.dev(), it.ino()) == self.identity) {
            // A file that is gone already is what was wanted.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens every listening socket that the configuration asks for.
pub(crate) fn open(config: &Config) -> Result<(Vec<Listener>, Option<SocketFile>), BootError> {
    let mut listeners = Vec::new();
    let backlog = i32::try_from(config.network.backlog).unwrap_or(i32::MAX);
    if config.network.port != 0 {
        let sockets = open_tcp(config, backlog)?;
        listeners.extend(sockets.into_iter().map(|socket| Listener { socket, unix: false }));
    }
    let mut file = None;
    if !config.network.unix_socket.is_empty() {
        let path = config.network.unix_socket.as_path();
        let opened = listen_unix(path, config.network.unix_socket_mode, backlog);
        let (socket, made) =
            opened.map_err(|error| BootError::UnixSocket(path.display().to_string(), error))?;
        listeners.push(Listener { socket, unix: true });
        file = Some(made);
    }
    if listeners.is_empty() {
        return Err(BootError::Nowhere);
    }
    Ok((listeners, file))
}

fn open_tcp(config: &Config, backlog: i32) -> Result<Vec<OwnedFd>, BootError> {
    let (mut sockets, port, mark) = (Vec::new(), config.network.port, config.network.mark_id);
    if mark != 0 {
        net::try_mark(mark).map_err(|error| BootError::Mark(mark, error))?;
    }
    let mut missing = None;
    for address in &config.network.bind {
        let address = address.to_string_lossy();
        // A leading dash: fine if this machine has no such address.
        let optional = address.starts_with('-');
        let address = address.trim_start_matches('-').to_owned();
        match bind(&address, port, backlog, mark) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_family_missing(&error) || (optional && is_unavailable(&error)) => {
                tracing::info!("Not listening on {address}: {error}");
                missing.get_or_insert((address, error));
            }
            Err(error) => return Err(BootError::Bind(address, port, error)),
        }
    }
    match missing {
        Some((address, error)) if sockets.is_empty() => Err(BootError::Bind(address, port, error)),
        _ => Ok(sockets),
    }
}

/// `*` and `::*` stand for all addresses of a family.
fn bind(address: &str, port: u16, backlog: i32, mark: u32) -> io::Result<OwnedFd> {
    let address = match address {
        "*" => SocketAddr::from(([0, 0, 0, 0], port)),
        "::*" => SocketAddr::new(IpAddr::from([0u16; 8]), port),
        name => (name, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?,
    };
    let began = Instant::now();
    loop {
        match net::listen_tcp(address, backlog, mark) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < BIND_RETRY_MAX =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

fn listen_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<(OwnedFd, SocketFile)> {
    clear_place(path)?;
    let socket = net::listen_unix(path, backlog)?;
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let made = std::fs::symlink_metadata(path)?;
    let file = SocketFile { path: std::path::absolute(path)?, identity: (made.dev(), made.ino()) };
    Ok((socket, file))
}

/// Removes a socket that nobody listens on any more.
fn clear_place(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let reason = "there is a file that is no socket, which is left as it is";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    }
    if UnixStream::connect(path).is_ok() {
        let reason = "another server listens on it";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, reason));
    }
    std::fs::remove_file(path)
}

/// Whether an address does not exist on this machine: fine where it was marked with `-`.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported | io::ErrorKind::NotFound
    ) || is_family_missing(error)
}

/// Whether the kernel has no such addresses at all (no IPv6).
fn is_family_missing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EAFNOSUPPORT
                | libc::EPFNOSUPPORT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::ENOPROTOOPT
        )
    )
}
