//! Whether `io_uring` works here: tried before anything else touches it.

use std::fmt;
use std::io;

use crate::ring::{Ring, RingOptions};

/// A call that `io_uring` needs, and what the system answered.
#[derive(Debug)]
pub struct RingError {
    /// `io_uring_setup`, `io_uring_register`, `io_uring_enter`, or `mmap`.
    pub call: &'static str,
    /// The answer.
    pub error: io::Error,
}

impl RingError {
    pub(crate) fn new(call: &'static str, error: io::Error) -> Self {
        Self { call, error }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.call, self.error)
    }
}

impl std::error::Error for RingError {}

/// Makes a small ring on the calling thread, with everything that a core thread's ring has, and
/// sends an empty request through it.
///
/// # Errors
/// The first call that was refused.
pub fn probe() -> Result<(), RingError> {
    let options = RingOptions { entries: 8, buffers: 1, buffer_bytes: 4096 };
    Ring::new(options)?.round_trip()
}

#[cfg(test)]
mod tests {
    use super::probe;

    #[test]
    fn it_works_where_the_tests_run() {
        probe().expect("the tests of this crate need io_uring");
    }
}
