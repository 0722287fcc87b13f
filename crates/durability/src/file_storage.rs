//! [`Storage`] over the real file system. The only file of this crate that does I/O.
//!
//! Plain blocking calls: they run at start (recovery, where the core threads have nothing else to
//! do), at a change of generation, and never on the way of a command. The running log's writes
//! are the server's; [`FileStorage::path`] tells it where.
//!
//! Invariants: files are opened without following what the names say upwards (`..` and absolute
//! names are refused by [`FileStorage::path`]), and with `O_APPEND`, so that two writers by
//! mistake would interleave rather than overwrite.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::storage::{OpenMode, Storage, StorageError};

/// The data directory (`dir`) of a server.
#[derive(Debug, Clone)]
pub struct FileStorage {
    root: PathBuf,
}

/// An open file of a [`FileStorage`], with its name for error texts.
#[derive(Debug)]
pub struct StoredFile {
    file: File,
    name: String,
}

impl StoredFile {
    /// The plain file, for a caller that does its own reading and writing.
    pub fn into_file(self) -> File {
        self.file
    }
}

impl FileStorage {
    /// A storage whose names are relative to `root`, which must exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the file `name` lives.
    ///
    /// # Panics
    /// If `name` is absolute or climbs with `..`: names are made by this crate from a directory
    /// and a file name that the configuration and the manifest have checked.
    pub fn path(&self, name: &str) -> PathBuf {
        let relative = Path::new(name);
        let plain = relative.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        assert!(plain, "a storage name stays inside the data directory: {name:?}");
        self.root.join(relative)
    }

    fn directory(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.path(name) }
    }
}

impl Storage for FileStorage {
    type File = StoredFile;
    type Lock = File;

    fn create_dir(&self, name: &str) -> Result<(), StorageError> {
        match std::fs::create_dir(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StorageError::new("mkdir", name, error))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, name: &str, mode: OpenMode) -> Result<StoredFile, StorageError> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Append => {
                options.append(true);
            }
            OpenMode::CreateNew => {
                options.append(true).create_new(true);
            }
        }
        let file = options
            .open(self.path(name))
            .map_err(|source| StorageError::new("open", name, source))?;
        Ok(StoredFile { file, name: name.to_owned() })
    }

    fn append(&self, file: &mut StoredFile, bytes: &[u8]) -> Result<(), StorageError> {
        let StoredFile { file, name } = file;
        file.write_all(bytes).map_err(|source| StorageError::new("write", name, source))
    }

    fn read_at(
        &self,
        file: &StoredFile,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, StorageError> {
        loop {
            match file.file.read_at(into, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    return result.map_err(|source| StorageError::new("read", &file.name, source));
                }
            }
        }
    }

    fn file_bytes(&self, file: &StoredFile) -> Result<u64, StorageError> {
        let metadata = file.file.metadata();
        Ok(metadata.map_err(|source| StorageError::new("stat", &file.name, source))?.len())
    }

    fn truncate(&self, file: &mut StoredFile, bytes: u64) -> Result<(), StorageError> {
        let result = file.file.set_len(bytes);
        result.map_err(|source| StorageError::new("truncate", &file.name, source))
    }

    fn sync(&self, file: &StoredFile) -> Result<(), StorageError> {
        // fdatasync: it also makes the new length durable, which is all of the metadata that
        // matters here.
        let result = file.file.sync_data();
        result.map_err(|source| StorageError::new("fsync", &file.name, source))
    }

    fn sync_dir(&self, name: &str) -> Result<(), StorageError> {
        let result = File::open(self.directory(name)).and_then(|directory| directory.sync_all());
        result.map_err(|source| StorageError::new("fsync", name, source))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, StorageError> {
        let failed = |source| StorageError::new("list", directory, source);
        let entries = match std::fs::read_dir(self.directory(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                continue;
            }
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let result = std::fs::rename(self.path(from), self.path(to));
        result.map_err(|source| StorageError::new("rename", from, source))
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        let result = std::fs::remove_file(self.path(name));
        result.map_err(|source| StorageError::new("remove", name, source))
    }

    fn lock(&self, name: &str) -> Result<File, StorageError> {
        let failed = |source| StorageError::new("lock", name, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(self.path(name)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(failed(io::ErrorKind::WouldBlock.into())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
