//! Limits of the process that a server raises for itself as far as it may: how many descriptors it
//! may open (one for each client, and some for itself), and how much memory it may lock (rings).

use std::io;

/// Raises the limit of open descriptors to `wanted`, or as near to it as this process may, and says
/// what it is then. It is never lowered.
///
/// # Errors
/// What the system answered when asked for the limit in force.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    raise(libc::RLIMIT_NOFILE, wanted)
}

/// Raises the limit of locked memory to `wanted` bytes, as [`raise_descriptor_limit`] does.
///
/// # Errors
/// What the system answered when asked for the limit in force.
pub fn raise_locked_memory_limit(wanted: u64) -> io::Result<u64> {
    raise(libc::RLIMIT_MEMLOCK, wanted)
}

fn raise(resource: libc::__rlimit_resource_t, wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live `rlimit`, which the call fills.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= wanted {
        return Ok(limit.rlim_cur);
    }
    // With privileges also beyond the hard limit, otherwise up to it.
    let candidates = [
        libc::rlimit { rlim_cur: wanted, rlim_max: wanted.max(limit.rlim_max) },
        libc::rlimit { rlim_cur: wanted.min(limit.rlim_max), rlim_max: limit.rlim_max },
    ];
    for candidate in candidates {
        // SAFETY: the pointer is to a live `rlimit`, which the call only reads.
        if unsafe { libc::setrlimit(resource, &raw const candidate) } == 0 {
            return Ok(candidate.rlim_cur);
        }
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::raise_descriptor_limit;

    #[test]
    fn it_is_never_lowered() {
        let limit = raise_descriptor_limit(1).unwrap();
        assert!(limit > 1);
        assert_eq!(raise_descriptor_limit(limit).unwrap(), limit);
    }
}
