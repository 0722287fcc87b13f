//! A segment's file on whatever storage the simulator has.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use durability::{Storage, StorageError};

use crate::log::file::LogFile;

/// A file of a [`Storage`], written to as the system would: sometimes only a piece is taken.
pub(super) struct SimulatedFile<S: Storage> {
    storage: S,
    file: S::File,
    /// What decides which writes are short; 0: none is.
    chance: u64,
    room: Room,
}

/// How many bytes more a shard's log may take; `None`: as many as the storage. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Room(Rc<Cell<Option<u64>>>);

impl Room {
    pub(super) fn set(&self, bytes: Option<u64>) {
        self.0.set(bytes);
    }

    /// How many of `bytes` have room.
    fn grant(&self, bytes: usize) -> usize {
        let left = self.0.get().and_then(|left| usize::try_from(left).ok());
        left.map_or(bytes, |left| bytes.min(left))
    }

    fn take(&self, bytes: usize) {
        self.0.set(self.0.get().map(|left| left.saturating_sub(bytes as u64)));
    }
}

impl<S: Storage> SimulatedFile<S> {
    pub(super) fn new(storage: S, file: S::File, (short_writes, room): (u64, Room)) -> Self {
        Self { storage, file, chance: short_writes, room }
    }

    /// How many of `bytes` the next write takes.
    fn taken(&mut self, bytes: usize) -> usize {
        if self.chance == 0 {
            return bytes;
        }
        // xorshift64
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        if self.chance.is_multiple_of(SHORT_ONE_IN) {
            1 + (self.chance >> 8) as usize % bytes
        } else {
            bytes
        }
    }
}

/// No space left on device.
const ENOSPC: i32 = 28;

/// One write in so many is short, where any is.
const SHORT_ONE_IN: u64 = 3;

impl<S: Storage> LogFile for SimulatedFile<S> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.taken(bytes.len());
        let taken = self.room.grant(taken);
        if taken == 0 {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.room.take(taken);
        let before = self.storage.file_bytes(&self.file).map_err(source)?;
        let Err(error) = self.storage.append(&mut self.file, &bytes[..taken]) else {
            return Ok(taken);
        };
        // A write that gets on at all says how far, as write(2) does; the next one fails.
        match self.storage.file_bytes(&self.file) {
            Ok(after) if after > before => Ok((after - before) as usize),
            _ => Err(error.source),
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.storage.truncate(&mut self.file, length).map_err(source)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.storage.sync(&self.file).map_err(source)
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

fn source(error: StorageError) -> io::Error {
    error.source
}
