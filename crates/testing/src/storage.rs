//! A disk in memory that crashes when told to. The fault model:
//!
//! ```text
//!   append, truncate, create, rename, remove        sync(file), sync_dir(dir)
//!                 |                                          |
//!                 v                                          v
//!            live image  -------------------------->   durable image
//!   what the system's page cache shows           what survives a power loss for sure
//! ```
//!
//! - [`MemoryStorage::freeze_at`]: the process dies at the n-th changing operation. An append
//!   that dies leaves a random part of its bytes, any other operation is done or not by chance.
//!   Every later operation fails.
//! - [`MemoryStorage::after_kill`]: what the next process finds after kill -9: the live image.
//! - [`MemoryStorage::after_power_loss`]: what it finds after a power loss. Of each file the
//!   durable bytes, and by chance some of what was appended since; of each name the durable
//!   entry or, by chance, the live one. Bytes that were synced are never torn.
//! - [`MemoryStorage::set_capacity`]: a full disk. An append that does not fit leaves what fits
//!   and fails with ENOSPC.
//! - [`MemoryStorage::fail_syncs`]: every fsync fails with EIO, and nothing becomes durable.
//! - Locks exclude each other within the storage and die with the process.
//!
//! Not modelled: bit rot, reordered sectors within one append, a sync that lies.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use durability::{OpenMode, Storage, StorageError};

use crate::random::Random;

/// Linux' numbers, so that tests see the system's own words.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A disk in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    disk: Arc<Mutex<Disk>>,
}

/// An open file: it follows its content through renames, as a descriptor does.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    number: u64,
    name: String,
}

/// A held lock.
#[derive(Debug)]
pub struct MemoryLock {
    disk: Arc<Mutex<Disk>>,
    name: String,
}

#[derive(Debug, Default, Clone)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct Disk {
    /// In order, so that the same chances meet the same files.
    contents: BTreeMap<u64, Content>,
    entries: BTreeMap<String, u64>,
    durable_entries: BTreeMap<String, u64>,
    directories: BTreeSet<String>,
    locks: BTreeSet<String>,
    last_number: u64,
    operations: u64,
    freeze_at: Option<u64>,
    frozen: bool,
    faults: Faults,
}

#[derive(Debug, Default, Clone, Copy)]
struct Faults {
    capacity: Option<u64>,
    syncs: bool,
    seed: u64,
}

impl MemoryStorage {
    /// An empty disk whose chances follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let storage = Self::default();
        storage.disk().faults.seed = seed;
        storage
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no test panics while it holds the disk")
    }

    /// The process dies at changing operation number `operation`, counted from 1 since the disk
    /// was made.
    pub fn freeze_at(&self, operation: u64) {
        self.disk().freeze_at = Some(operation);
    }

    /// Bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.disk().used()
    }

    /// How many changing operations there were.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Whether the process has died.
    pub fn is_frozen(&self) -> bool {
        self.disk().frozen
    }

    /// Lets all files together hold `bytes` at most; `None`: no bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().faults.capacity = bytes;
    }

    /// Makes every fsync fail from now on, or no more.
    pub fn fail_syncs(&self, fail: bool) {
        self.disk().faults.syncs = fail;
    }

    /// The disk as the next process finds it after this one was killed.
    pub fn after_kill(&self) -> Self {
        let disk = self.disk();
        let mut next = disk.successor();
        next.contents.clone_from(&disk.contents);
        next.entries.clone_from(&disk.entries);
        next.durable_entries.clone_from(&disk.durable_entries);
        Self { disk: Arc::new(Mutex::new(next)) }
    }

    /// The disk as the next process finds it after a loss of power; chances follow from `seed`.
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let disk = self.disk();
        let mut chance = Random::new(seed);
        let mut next = disk.successor();
        let names: BTreeSet<&String> =
            disk.entries.keys().chain(disk.durable_entries.keys()).collect();
        for name in names {
            let (live, durable) = (disk.entries.get(name), disk.durable_entries.get(name));
            if let Some(&number) = if chance.below(2) == 0 { live } else { durable } {
                next.entries.insert(name.clone(), number);
            }
        }
        for (&number, content) in &disk.contents {
            let survived = content.survive(&mut chance);
            next.contents.insert(number, Content { live: survived.clone(), durable: survived });
        }
        next.durable_entries.clone_from(&next.entries);
        Self { disk: Arc::new(Mutex::new(next)) }
    }

    /// The bytes of a file, as they are now.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        let number = disk.entries.get(name)?;
        Some(disk.contents[number].live.clone())
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut disk = self.disk();
        let number = disk.create(name);
        disk.durable_entries.insert(name.to_owned(), number);
        if let Some((directory, _)) = name.rsplit_once('/') {
            disk.directories.insert(directory.to_owned());
        }
        disk.contents.insert(number, Content { live: bytes.to_vec(), durable: bytes.to_vec() });
    }

    /// All files and their bytes.
    pub fn image(&self) -> BTreeMap<String, Vec<u8>> {
        let disk = self.disk();
        let file =
            |(name, number): (&String, &u64)| (name.clone(), disk.contents[number].live.clone());
        disk.entries.iter().map(file).collect()
    }
}

impl Content {
    /// What a power loss leaves: the synced bytes, and by chance a piece of what came after.
    fn survive(&self, chance: &mut Random) -> Vec<u8> {
        if chance.below(4) == 0 || !self.live.starts_with(&self.durable) {
            let live = chance.below(2) == 0;
            return if live { self.live.clone() } else { self.durable.clone() };
        }
        let more = chance.below(self.live.len() - self.durable.len() + 1);
        self.live[..self.durable.len() + more].to_vec()
    }
}

impl Disk {
    fn successor(&self) -> Self {
        Self {
            directories: self.directories.clone(),
            last_number: self.last_number,
            faults: Faults { seed: self.faults.seed, ..Faults::default() },
            ..Self::default()
        }
    }

    fn create(&mut self, name: &str) -> u64 {
        self.last_number += 1;
        self.contents.insert(self.last_number, Content::default());
        self.entries.insert(name.to_owned(), self.last_number);
        self.last_number
    }

    /// Counts a changing operation. `Ok(true)`: do it; `Ok(false)`: do it, and die doing it.
    fn change(&mut self, operation: &'static str, name: &str) -> Result<bool, StorageError> {
        self.alive(operation, name)?;
        self.operations += 1;
        if self.freeze_at.is_some_and(|at| self.operations >= at) {
            self.frozen = true;
            return Ok(false);
        }
        Ok(true)
    }

    fn alive(&self, operation: &'static str, name: &str) -> Result<(), StorageError> {
        if self.frozen { Err(died(operation, name)) } else { Ok(()) }
    }

    /// A change that is done whole or, when the process dies in it, by chance.
    fn whole_change(
        &mut self,
        operation: &'static str,
        name: &str,
        change: impl FnOnce(&mut Self) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        if self.change(operation, name)? {
            return change(self);
        }
        if self.chance().below(2) == 0 {
            change(self)?;
        }
        Err(died(operation, name))
    }

    /// Chances that depend on the seed and on how far things have gone.
    fn chance(&self) -> Random {
        Random::new(self.faults.seed ^ self.operations.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn used(&self) -> u64 {
        self.entries.values().map(|number| self.contents[number].live.len() as u64).sum()
    }

    fn content_mut(&mut self, number: u64) -> &mut Content {
        self.contents.get_mut(&number).expect("contents outlive their names")
    }
}

fn died(operation: &'static str, name: &str) -> StorageError {
    StorageError::new(operation, name, io::Error::other("the process has died"))
}

fn system(operation: &'static str, name: &str, number: i32) -> StorageError {
    StorageError::new(operation, name, io::Error::from_raw_os_error(number))
}

fn missing(operation: &'static str, name: &str) -> StorageError {
    StorageError::new(operation, name, io::ErrorKind::NotFound.into())
}

fn is_in(name: &str, directory: &str) -> bool {
    match name.rsplit_once('/') {
        Some((place, _)) => place == directory,
        None => directory.is_empty(),
    }
}

impl Storage for MemoryStorage {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn create_dir(&self, name: &str) -> Result<(), StorageError> {
        self.disk().whole_change("mkdir", name, |disk| {
            disk.directories.insert(name.to_owned());
            Ok(())
        })
    }

    fn open(&self, name: &str, mode: OpenMode) -> Result<MemoryFile, StorageError> {
        let mut disk = self.disk();
        let file = |number| MemoryFile { number, name: name.to_owned() };
        if mode != OpenMode::CreateNew {
            disk.alive("open", name)?;
            return disk.entries.get(name).copied().map(file).ok_or_else(|| missing("open", name));
        }
        disk.whole_change("open", name, |disk| {
            let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
            if !directory.is_empty() && !disk.directories.contains(directory) {
                return Err(missing("open", name));
            }
            if disk.entries.contains_key(name) {
                let taken = io::ErrorKind::AlreadyExists.into();
                return Err(StorageError::new("open", name, taken));
            }
            disk.create(name);
            Ok(())
        })?;
        Ok(file(disk.last_number))
    }

    fn append(&self, file: &mut MemoryFile, bytes: &[u8]) -> Result<(), StorageError> {
        let mut disk = self.disk();
        let lives = disk.change("write", &file.name)?;
        let mut fits = bytes.len();
        if !lives {
            fits = disk.chance().below(bytes.len() + 1);
        }
        if let Some(capacity) = disk.faults.capacity {
            let left = capacity.saturating_sub(disk.used());
            fits = fits.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        disk.content_mut(file.number).live.extend_from_slice(&bytes[..fits]);
        match fits {
            _ if !lives => Err(died("write", &file.name)),
            fits if fits < bytes.len() => Err(system("write", &file.name, ENOSPC)),
            _ => Ok(()),
        }
    }

    fn read_at(
        &self,
        file: &MemoryFile,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, StorageError> {
        let disk = self.disk();
        disk.alive("read", &file.name)?;
        let content = &disk.contents[&file.number].live;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let count = into.len().min(content.len() - start);
        into[..count].copy_from_slice(&content[start..start + count]);
        Ok(count)
    }

    fn file_bytes(&self, file: &MemoryFile) -> Result<u64, StorageError> {
        let disk = self.disk();
        disk.alive("stat", &file.name)?;
        Ok(disk.contents[&file.number].live.len() as u64)
    }

    fn truncate(&self, file: &mut MemoryFile, bytes: u64) -> Result<(), StorageError> {
        let number = file.number;
        self.disk().whole_change("truncate", &file.name, |disk| {
            let content = disk.content_mut(number);
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            assert!(bytes <= content.live.len(), "a cut makes a file shorter");
            content.live.truncate(bytes);
            Ok(())
        })
    }

    fn sync(&self, file: &MemoryFile) -> Result<(), StorageError> {
        let number = file.number;
        self.disk().whole_change("fsync", &file.name, |disk| {
            if disk.faults.syncs {
                return Err(system("fsync", &file.name, EIO));
            }
            let content = disk.content_mut(number);
            content.durable.clone_from(&content.live);
            Ok(())
        })
    }

    fn sync_dir(&self, name: &str) -> Result<(), StorageError> {
        self.disk().whole_change("fsync", name, |disk| {
            let Disk { entries, durable_entries, .. } = disk;
            durable_entries.retain(|entry, _| !is_in(entry, name));
            let here = entries.iter().filter(|(entry, _)| is_in(entry, name));
            durable_entries.extend(here.map(|(entry, &number)| (entry.clone(), number)));
            Ok(())
        })
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, StorageError> {
        let disk = self.disk();
        disk.alive("list", directory)?;
        let here = disk.entries.keys().filter(|name| is_in(name, directory));
        let last = |name: &String| name.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(here.map(last).collect())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.disk().whole_change("rename", from, |disk| {
            let number = disk.entries.remove(from).ok_or_else(|| missing("rename", from))?;
            disk.entries.insert(to.to_owned(), number);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.disk().whole_change("remove", name, |disk| {
            disk.entries.remove(name).map(drop).ok_or_else(|| missing("remove", name))
        })
    }

    fn lock(&self, name: &str) -> Result<MemoryLock, StorageError> {
        let mut disk = self.disk();
        disk.alive("lock", name)?;
        if !disk.locks.insert(name.to_owned()) {
            return Err(StorageError::new("lock", name, io::ErrorKind::WouldBlock.into()));
        }
        Ok(MemoryLock { disk: Arc::clone(&self.disk), name: name.to_owned() })
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        if let Ok(mut disk) = self.disk.lock() {
            disk.locks.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(storage: &MemoryStorage, name: &str, bytes: &[u8]) -> MemoryFile {
        let mut file = storage.open(name, OpenMode::CreateNew).unwrap();
        storage.append(&mut file, bytes).unwrap();
        file
    }

    #[test]
    fn a_kill_keeps_what_a_power_loss_may_lose() {
        let storage = MemoryStorage::new(1);
        let file = written(&storage, "a", b"synced");
        storage.sync(&file).unwrap();
        storage.sync_dir("").unwrap();
        let mut file = storage.open("a", OpenMode::Append).unwrap();
        storage.append(&mut file, b" and not").unwrap();
        written(&storage, "b", b"unlisted");
        assert_eq!(storage.after_kill().content("a").unwrap(), b"synced and not");
        let (mut torn, mut lost) = (false, false);
        for seed in 0..100 {
            let after = storage.after_power_loss(seed);
            let content = after.content("a").expect("a synced entry");
            assert!(content.starts_with(b"synced"));
            torn |= content.len() > 6 && content.len() < 14;
            lost |= after.content("b").is_none();
        }
        assert!(torn && lost);
    }

    #[test]
    fn a_frozen_storage_answers_nothing_more() {
        let storage = MemoryStorage::new(7);
        let mut file = written(&storage, "a", b"12345678");
        storage.freeze_at(storage.operations() + 1);
        storage.append(&mut file, b"abcdefgh").expect_err("dies");
        assert!(storage.is_frozen());
        storage.open("a", OpenMode::Read).expect_err("is dead");
        let content = storage.after_kill().content("a").unwrap();
        assert!(b"12345678abcdefgh".starts_with(&content[..]) && content.len() >= 8);
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let storage = MemoryStorage::new(0);
        let mut file = written(&storage, "a", b"1234");
        storage.set_capacity(Some(6));
        let error = storage.append(&mut file, b"5678").expect_err("does not fit");
        assert_eq!(error.source.raw_os_error(), Some(ENOSPC));
        assert_eq!(storage.content("a").unwrap(), b"123456");
    }

    #[test]
    fn locks_exclude_until_dropped() {
        let storage = MemoryStorage::new(0);
        let lock = storage.lock("l").unwrap();
        assert_eq!(storage.lock("l").expect_err("held").kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        storage.lock("l").unwrap();
    }
}
