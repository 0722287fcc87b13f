//! Why `io_uring` does not work here, in one sentence: by what it is refused, and the very option
//! that allows it.
//!
//! The system says no more than an errno, and a seccomp filter may answer any of them; so this
//! looks at what surrounds the process, too.

use std::io;

use net::RingError;

/// What surrounds the process, as far as it decides about `io_uring`.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Whether a seccomp filter judges the process' calls.
    pub(crate) has_filter: bool,
    /// The sysctl `kernel.io_uring_disabled`: 0, 1 (for all but a group), 2 (for all).
    pub(crate) disabled: u32,
    /// The kernel's version, as `6.8.0-45-generic`.
    pub(crate) kernel: String,
    /// Bytes that the process may lock.
    pub(crate) lockable_bytes: u64,
    /// Bytes that so many shards may have to lock.
    pub(crate) needed_bytes: u64,
}

impl Surroundings {
    /// What is found on this machine.
    pub(crate) fn found(needed_bytes: u64) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        let disabled = read("/proc/sys/kernel/io_uring_disabled");
        Self {
            has_filter: mode.is_some_and(|mode| mode.trim() == "2"),
            disabled: disabled.trim().parse().unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            lockable_bytes: net::raise_locked_memory_limit(0).unwrap_or(u64::MAX),
            needed_bytes,
        }
    }

    /// Whether the kernel is one that has all that is used.
    fn is_recent(&self) -> bool {
        let major = self.kernel.split('.').next().and_then(|major| major.parse::<u32>().ok());
        major.is_none_or(|major| major >= 6)
    }
}

/// One sentence for whoever started the server.
pub(crate) fn explain(refused: &RingError, around: &Surroundings) -> String {
    let says = format!("({refused})");
    match refused.error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) if around.disabled != 0 => format!(
            "io_uring is refused here by the sysctl kernel.io_uring_disabled={} {says}: allow it \
             with `sysctl -w kernel.io_uring_disabled=0`",
            around.disabled
        ),
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) if around.has_filter => {
            format!("io_uring is refused here by a seccomp filter {says}: {FILTER_OPTIONS}")
        }
        Some(libc::ENOMEM) if around.has_filter && around.has_enough_memory() => format!(
            "io_uring is refused here by a seccomp filter, or there is no memory left for it \
             {says}: {FILTER_OPTIONS}"
        ),
        Some(libc::ENOMEM) if around.has_enough_memory() => format!(
            "there is no memory left for io_uring {says}: raise the memory limit of the container \
             or the unit, or run with fewer --shards"
        ),
        Some(libc::ENOMEM) => too_little_locked(around, &says),
        Some(libc::EPERM | libc::EACCES) => format!(
            "io_uring is refused here by a security module of the kernel {says}: allow it in the \
             policy of SELinux (class io_uring) or AppArmor (rule `io_uring,`) that confines the \
             server"
        ),
        Some(libc::ENOSYS | libc::EINVAL) if !around.is_recent() => format!(
            "io_uring is missing or too old in this kernel, {} {says}: Bobbin needs Linux 6.0 or \
             later",
            around.kernel
        ),
        Some(libc::ENOSYS) => format!(
            "io_uring is missing in this kernel, {} {says}: it needs one that is built with \
             CONFIG_IO_URING",
            around.kernel
        ),
        _ => format!("io_uring does not work here {says}"),
    }
}

/// How whoever installs such filters leaves `io_uring` out of them.
const FILTER_OPTIONS: &str = "allow it with `--security-opt seccomp=unconfined` (Docker, Podman, \
    nerdctl), `seccompProfile: {type: Unconfined}` in the securityContext (Kubernetes), a profile \
    of containerd that lists io_uring_setup, io_uring_enter and io_uring_register, or \
    `SystemCallFilter=io_uring_setup io_uring_enter io_uring_register` in the unit (systemd)";

impl Surroundings {
    fn has_enough_memory(&self) -> bool {
        self.lockable_bytes >= self.needed_bytes
    }
}

/// Too little memory may be locked.
pub(crate) fn too_little_locked(around: &Surroundings, says: &str) -> String {
    let (needed, kib) = (around.needed_bytes, around.needed_bytes.div_ceil(1024));
    format!(
        "too little memory may be locked for io_uring {says}: {kib} KiB are needed for so many \
         shards, and the limit is {} KiB; raise it with `ulimit -l {kib}`, `LimitMEMLOCK={needed}` \
         (systemd) or `--ulimit memlock={needed}` (Docker), or run with fewer --shards",
        around.lockable_bytes / 1024
    )
}

/// What every executor asks for before it makes its rings, whoever runs it.
const EXECUTOR_LOCKABLE_BYTES: u64 = 512 * 1024;

/// Raises the limit of locked memory as far as the process may. A privileged process locks what it
/// likes, whatever the limit, so what is missing beyond the executor's own check shows when the
/// rings are made.
///
/// # Errors
/// The sentence to say: the limit is below what every executor asks for.
pub(crate) fn make_room(needed_bytes: u64) -> Result<(), String> {
    let limit = net::raise_locked_memory_limit(needed_bytes.max(EXECUTOR_LOCKABLE_BYTES));
    match limit {
        Ok(limit) if limit < EXECUTOR_LOCKABLE_BYTES => {
            let needed_bytes = needed_bytes.max(EXECUTOR_LOCKABLE_BYTES);
            let around =
                Surroundings { lockable_bytes: limit, needed_bytes, ..Surroundings::default() };
            Err(too_little_locked(&around, "(RLIMIT_MEMLOCK)"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the limit of locked memory cannot be read: {error}")),
    }
}

/// The sentence for a core thread whose rings could not be made: `said` is what it ended with.
pub(crate) fn of_thread(said: io::Error, needed_bytes: u64) -> String {
    explain(&RingError { call: "io_uring_setup", error: said }, &Surroundings::found(needed_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: i32, around: &Surroundings) -> String {
        let error = io::Error::from_raw_os_error(errno);
        explain(&RingError { call: "io_uring_setup", error }, around)
    }

    fn around(kernel: &str) -> Surroundings {
        Surroundings {
            kernel: kernel.to_owned(),
            lockable_bytes: 8 << 20,
            needed_bytes: 1 << 20,
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_one_who_refuses_is_named_with_the_option_that_allows_it() {
        let open = around("6.8.0");
        let filtered = Surroundings { has_filter: true, ..around("6.8.0") };
        let disabled = Surroundings { disabled: 2, ..around("6.8.0") };
        let old = around("5.15.0-91");
        let poor = Surroundings { lockable_bytes: 65536, ..around("6.8.0") };
        for (errno, around, word) in [
            (libc::EPERM, &filtered, "--security-opt seccomp=unconfined"),
            (libc::EACCES, &filtered, "seccompProfile"),
            (libc::ENOSYS, &filtered, "SystemCallFilter=io_uring_setup"),
            (libc::ENOMEM, &filtered, "seccomp filter, or"),
            (libc::EPERM, &disabled, "sysctl -w kernel.io_uring_disabled=0"),
            (libc::EPERM, &open, "AppArmor"),
            (libc::ENOSYS, &open, "CONFIG_IO_URING"),
            (libc::ENOSYS, &Surroundings::default(), "CONFIG_IO_URING"),
            (libc::EINVAL, &old, "Linux 6.0"),
            (libc::ENOMEM, &poor, "ulimit -l 1024"),
            (libc::EMFILE, &open, "io_uring_setup: "),
        ] {
            let said = explained(errno, around);
            assert!(said.contains(word) && said.contains("io_uring"), "{errno}: {said}");
        }
    }
}
