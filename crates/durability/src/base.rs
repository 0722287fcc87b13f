//! Writes a base: the whole content of a shard as commands, from the live keyspace.
//!
//! The keyspace is walked in slices of time while commands go on, so this is a buffer with a
//! form: the walk adds keys until [`BaseWriter::buffered_bytes`] says enough, the server writes
//! them out, and so on.
//!
//! A base is the shard *as it was at the cut* at which its generation begins: the increment holds
//! everything from there on, and is applied to the base as it is (an INCR that the base already
//! had would count twice). So a key that is about to change before the walk has reached it is
//! added first, and a key that was not there at the cut is not added.

use crate::segment::{Segment, write_command, write_select};

/// One shard's base of a new generation, on its way to its file.
#[derive(Debug)]
pub struct BaseWriter {
    db: Option<u32>,
    buffer: Vec<u8>,
    position: u64,
    keys: u64,
}

impl BaseWriter {
    /// The base of `shard` of `shards`, in generation `generation`.
    pub fn new(generation: u64, shard: u16, shards: u16) -> Self {
        let buffer = Segment::header(generation, shard, shards);
        Self { db: None, buffer, position: 0, keys: 0 }
    }

    /// Adds a string: `SET key value`, with `PXAT expire_at_ms` if it expires.
    pub fn string(&mut self, db: u32, key: &[u8], value: &[u8], expire_at_ms: Option<u64>) {
        self.select(db);
        self.keys += 1;
        match expire_at_ms {
            None => write_command(&mut self.buffer, &[b"SET", key, value]),
            Some(at_ms) => {
                let at_ms = at_ms.to_string();
                let arguments: &[&[u8]] = &[b"SET", key, value, b"PXAT", at_ms.as_bytes()];
                write_command(&mut self.buffer, arguments);
            }
        }
    }

    /// Adds a command that makes (a piece of) a key of another type: `RPUSH key a b c`.
    pub fn command(&mut self, db: u32, arguments: &[&[u8]]) {
        self.select(db);
        write_command(&mut self.buffer, arguments);
    }

    /// Adds `PEXPIREAT key expire_at_ms`, after the commands that made the key.
    pub fn expire(&mut self, db: u32, key: &[u8], expire_at_ms: u64) {
        let at_ms = expire_at_ms.to_string();
        self.command(db, &[b"PEXPIREAT", key, at_ms.as_bytes()]);
    }

    fn select(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            write_select(&mut self.buffer, db);
        }
    }

    /// The bytes to append to the base's file now; empty when there is nothing to write.
    pub fn poll_write(&self) -> &[u8] {
        &self.buffer
    }

    /// The first `bytes` of [`Self::poll_write`] are in the file.
    ///
    /// # Panics
    /// If there were fewer.
    pub fn handle_written(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.position += bytes as u64;
    }

    /// How much waits to be written: the sign for the walk to pause.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How long the file is, once what waits is written.
    pub fn bytes(&self) -> u64 {
        self.position + self.buffer.len() as u64
    }

    /// How many strings were added.
    pub fn strings(&self) -> u64 {
        self.keys
    }
}
