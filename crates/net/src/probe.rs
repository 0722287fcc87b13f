//! Why `io_uring` does not work on a machine, and what to do about it.

use std::fmt;
use std::io;

/// Why a ring could not be made.
#[derive(Debug)]
pub enum RingError {
    /// The kernel does not have `io_uring`, or not the features used.
    KernelTooOld(io::Error),
    /// Something forbids it: seccomp (containers), or `kernel.io_uring_disabled`.
    Forbidden(io::Error),
    /// Not enough lockable memory.
    LockedMemory(io::Error),
    /// Anything else.
    Other(io::Error),
}

impl RingError {
    pub(crate) fn from_setup(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => Self::KernelTooOld(error),
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden(error),
            Some(libc::ENOMEM) => Self::LockedMemory(error),
            _ => Self::Other(error),
        }
    }

    pub(crate) fn from_buffers(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOSYS) => Self::KernelTooOld(error),
            Some(libc::ENOMEM) => Self::LockedMemory(error),
            _ => Self::Other(error),
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KernelTooOld(error) => write!(
                formatter,
                "io_uring is missing or too old in this kernel ({error}). \
                 Bobbin needs Linux 6.0 or later: upgrade the kernel."
            ),
            Self::Forbidden(error) => write!(
                formatter,
                "io_uring is forbidden here ({error}). In a container: run it with a seccomp \
                 profile that allows io_uring (docker run --security-opt seccomp=unconfined). \
                 On a host: sysctl -w kernel.io_uring_disabled=0."
            ),
            Self::LockedMemory(error) => write!(
                formatter,
                "not enough lockable memory for io_uring ({error}). Raise the limit: \
                 ulimit -l unlimited, LimitMEMLOCK=infinity in a systemd unit, or \
                 docker run --ulimit memlock=-1."
            ),
            Self::Other(error) => write!(formatter, "io_uring could not be set up: {error}"),
        }
    }
}

impl std::error::Error for RingError {}
