//! The door to the disk: everything the log needs from a file system, as one small trait.
//!
//! The crate does no I/O of its own. Recovery, the manifest and the creation of segments call a
//! [`Storage`]; the bytes of the running log do not even do that: a `Segment` says what to write
//! and the server writes it with the means of its core thread. So a test can put an image of a
//! disk behind the same code, freeze it at any operation, and look at what a crash would leave.
//!
//! Names are relative to the data directory (`dir`), with `/` between a directory and its file:
//! `appendonlydir/appendonly.aof.manifest`. There is one level of directories.
//!
//! What an implementation promises, and what recovery relies on:
//!
//! - after `sync` the bytes written to that file so far survive a power loss;
//! - after `sync_dir` creations, renames and removals in that directory do;
//! - `rename` replaces the target in one step: at any moment the name shows the old file or the
//!   new one, whole;
//! - without a power loss nothing that was written is lost, synced or not (the page cache
//!   outlives a killed process).

use std::{fmt, io};

/// How a file is opened by [`Storage::open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file must exist.
    Read,
    /// For appending at its end and for reading; the file must exist.
    Append,
    /// A new file for appending and reading. It is an error (`AlreadyExists`) if the name is
    /// taken: nothing in this crate overwrites a file, but for the manifest's temporary.
    CreateNew,
}

/// A directory of files. See the module text for the promises.
///
/// Methods take `&self` so that several readers can share one storage; an implementation that is
/// `Sync` can be shared by core threads.
pub trait Storage {
    /// An open file. Dropping it closes it.
    type File;
    /// A held lock. Dropping it gives the lock up.
    type Lock;

    /// Makes the directory `name` if it does not exist.
    fn create_dir(&self, name: &str) -> Result<(), StorageError>;

    /// Opens or creates a file.
    fn open(&self, name: &str, mode: OpenMode) -> Result<Self::File, StorageError>;

    /// Writes all of `bytes` at the end of the file. After an error any prefix of them may be
    /// there.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> Result<(), StorageError>;

    /// Reads into `into` from byte `offset` on; returns how many bytes there were: 0 at the end
    /// of the file, and fewer than asked for anywhere.
    fn read_at(
        &self,
        file: &Self::File,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, StorageError>;

    /// The file's length in bytes.
    fn file_bytes(&self, file: &Self::File) -> Result<u64, StorageError>;

    /// Cuts the file to `bytes`, which must not be more than it has.
    fn truncate(&self, file: &mut Self::File, bytes: u64) -> Result<(), StorageError>;

    /// Makes the file's content durable.
    fn sync(&self, file: &Self::File) -> Result<(), StorageError>;

    /// Makes the directory's entries durable; `""` is the data directory itself.
    fn sync_dir(&self, name: &str) -> Result<(), StorageError>;

    /// The names of the files in a directory, without the directory, in no particular order;
    /// empty if the directory does not exist.
    fn list(&self, directory: &str) -> Result<Vec<String>, StorageError>;

    /// Renames a file, replacing the target if it exists.
    fn rename(&self, from: &str, to: &str) -> Result<(), StorageError>;

    /// Removes a file.
    fn remove(&self, name: &str) -> Result<(), StorageError>;

    /// Takes the exclusive lock `name`, creating its file if need be. Does not wait: if another
    /// process (or another holder in this one) has it, the error's kind is `WouldBlock`.
    fn lock(&self, name: &str) -> Result<Self::Lock, StorageError>;
}

/// A failed operation: which one, on which file, and what the system said.
#[derive(Debug)]
pub struct StorageError {
    /// What was tried: `open`, `write`, `fsync`...
    pub operation: &'static str,
    /// The file or directory it was tried on, relative to the data directory.
    pub name: String,
    /// What the system answered.
    pub source: io::Error,
}

impl StorageError {
    /// An error of `operation` on `name`.
    pub fn new(operation: &'static str, name: &str, source: io::Error) -> Self {
        Self { operation, name: name.to_owned(), source }
    }

    /// The kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of '{}' failed: {}", self.operation, self.name, self.source)
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The whole content of a small file (the manifest), refused beyond `bytes_max`.
pub(crate) fn read_whole<S: Storage>(
    storage: &S,
    name: &str,
    bytes_max: u64,
) -> Result<Vec<u8>, StorageError> {
    let file = storage.open(name, OpenMode::Read)?;
    let bytes = storage.file_bytes(&file)?;
    if bytes > bytes_max {
        let source = io::Error::new(io::ErrorKind::FileTooLarge, "larger than such a file can be");
        return Err(StorageError::new("read", name, source));
    }
    let mut content = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < content.len() {
        let read = storage.read_at(&file, filled as u64, &mut content[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    content.truncate(filled);
    Ok(content)
}
