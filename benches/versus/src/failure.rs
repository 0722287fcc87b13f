//! Why a measurement could not be made: a sentence for the report.

use std::fmt;

/// A sentence that names what was tried and what went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Failure(String);

impl Failure {
    /// `what` was tried, `why` it did not work.
    pub(crate) fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
