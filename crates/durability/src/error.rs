//! What can go wrong between the files and a recovered keyspace: one enum, each variant with the
//! file, the place and the reason, because the person who reads it has a server that refuses to
//! start.

use std::fmt;

use crate::manifest::ManifestError;
use crate::record::Fault;
use crate::storage::StorageError;

/// Why the log could not be opened or recovered. Nothing was changed on disk by the attempt,
/// unless the variant says so.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecoveryError {
    /// An operation on the disk failed. Files may have been created or cut; starting again is safe.
    Storage(StorageError),
    /// The manifest is damaged.
    Manifest {
        /// The manifest's name.
        name: String,
        /// What is wrong with it, and in which line.
        error: ManifestError,
    },
    /// The manifest is gone, but there is a segment with commands in it.
    ManifestMissing {
        /// The manifest's name.
        name: String,
        /// One such segment.
        segment: String,
    },
    /// The manifest lists a file that does not exist.
    SegmentMissing {
        /// The file.
        name: String,
    },
    /// A segment is damaged.
    Damaged {
        /// The file.
        name: String,
        /// The byte at which the faulty record begins.
        offset: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A segment has a torn end, and `aof-load-truncated no` forbids to cut it.
    Torn {
        /// The file.
        name: String,
        /// Where the last whole record ends.
        offset: u64,
        /// How long the file is.
        bytes: u64,
    },
    /// A command of the log could not be run.
    Rejected {
        /// The file.
        name: String,
        /// The byte at which the command begins.
        offset: u64,
        /// What was wrong with it.
        reason: String,
    },
}

impl RecoveryError {
    pub(crate) fn damaged(name: &str, offset: u64, fault: Fault) -> Self {
        Self::Damaged { name: name.to_owned(), offset, fault }
    }
}

impl From<StorageError> for RecoveryError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Manifest { name, error } => {
                write!(f, "the manifest '{name}' is damaged: {error}")
            }
            Self::ManifestMissing { name, segment } => write!(
                f,
                "the manifest '{name}' is missing, but '{segment}' has commands in it; restore \
                 the manifest, or move the segments away to start empty"
            ),
            Self::SegmentMissing { name } => {
                write!(f, "the manifest lists '{name}', which does not exist")
            }
            Self::Damaged { name, offset, fault } => write!(
                f,
                "bad file format reading the append only file '{name}' at byte {offset}: {fault}; \
                 make a backup, then use redis-check-aof --fix <filename>"
            ),
            Self::Torn { name, offset, bytes } => write!(
                f,
                "unexpected end of the append only file '{name}': its last whole record ends at \
                 byte {offset} of {bytes}; aof-load-truncated yes would cut the rest off"
            ),
            Self::Rejected { name, offset, reason } => {
                write!(f, "a command of '{name}' at byte {offset} could not be run: {reason}")
            }
        }
    }
}

impl std::error::Error for RecoveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Manifest { error, .. } => Some(error),
            _ => None,
        }
    }
}
