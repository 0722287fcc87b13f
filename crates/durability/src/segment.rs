//! The writing end of a shard's log: bytes gathered during a tick, one write per tick, and the
//! positions that replies wait for.
//!
//! ```text
//!  0            synced          written        writing          appended
//!  |--------------|---------------|---------------|----------------|
//!   on disk        in the page     handed out by   gathered since
//!                  cache           poll_write      then
//! ```
//!
//! Positions are byte offsets in the segment's file. Each only rises, and
//! `synced <= written <= appended` always.
//!
//! How the server drives it, once per tick: the commands of the tick call [`Segment::record`];
//! then [`Segment::poll_truncate`] and [`Segment::poll_write`] say what to do with the file and
//! `handle_*` takes the outcome; [`Segment::poll_sync`] says when to fsync;
//! [`Segment::next_wake_ms`] when to come back though nothing happens. A reply that depends on
//! position `p` may leave once [`Segment::acknowledged`] has reached `p`.
//!
//! A write that fails (a full disk) leaves the batch where it is: what arrived of it is cut off
//! the file again, so that the file ends with a whole record, and the same batch is tried again
//! each second. Meanwhile [`Segment::refusal`] says why no more writes should be taken.
//!
//! A failed fsync is final. After it nobody knows which pages reached the disk, and a second
//! fsync would answer success for pages that the kernel dropped (Rebello et al., "Can
//! applications recover from fsync failures?", 2020). The segment is poisoned: nothing more is
//! written, until a restart or a new generation written from the live keyspace.
//!
//! What it does not do: it does not look into the records, and it has no clock and no file.

use std::io;

use crate::annotation::{self, Header, write_number};
use crate::policy::{FsyncPolicy, SyncSchedule};
use crate::transaction::{Participants, TransactionId};

/// How long a failed write rests before it is tried again. Redis tries once a second too
/// (`AOF_WRITE_LOG_ERROR_RATE` in aof.c is its rate of complaining).
const RETRY_MS: u64 = 1000;

/// A buffer that grew beyond this in a burst is given back when it is empty: 1 MiB is some
/// fifteen thousand small records, far more than a tick makes.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Why the log takes no writes at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What failed.
    pub failure: Failure,
    /// The system's own words, as `strerror` has them: `No space left on device`.
    pub reason: String,
}

/// What failed in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A write. It is tried again each second; when it succeeds, writes are taken again.
    Write,
    /// An fsync. Final for this segment.
    Sync,
}

#[derive(Debug)]
enum Health {
    Good,
    /// The batch in `writing` failed; it is due again at `retry_at_ms`.
    Retrying {
        refusal: Refusal,
        retry_at_ms: u64,
    },
    Poisoned {
        refusal: Refusal,
    },
}

/// The records of one shard on their way to its segment. See the module text.
#[derive(Debug)]
pub struct Segment {
    /// The database of the last record; `NO_DB` before the first one since the file was opened.
    db: u32,
    /// Records not handed out yet; they begin at position `written + writing.len()`.
    pending: Vec<u8>,
    /// The batch being written; it begins at position `written`.
    writing: Vec<u8>,
    /// How much of `writing` the file has beyond `written`.
    arrived: usize,
    /// Whether part of a failed batch is to be cut off the file.
    truncate: bool,
    written: u64,
    /// Bytes that were appended after the log was poisoned, and thrown away.
    dropped: u64,
    /// What is open in `pending`; while anything is, nothing is handed out.
    open: Open,
    health: Health,
    schedule: SyncSchedule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Open {
    part: Option<TransactionId>,
    unit: bool,
}

const NO_DB: u32 = u32::MAX;

impl Segment {
    /// A segment whose file has `position` whole bytes, all of them synced.
    pub fn resume(position: u64, policy: FsyncPolicy, now_ms: u64) -> Self {
        Self {
            db: NO_DB,
            pending: Vec::with_capacity(BUFFER_BYTES_KEPT / 16),
            writing: Vec::with_capacity(BUFFER_BYTES_KEPT / 16),
            arrived: 0,
            truncate: false,
            written: position,
            dropped: 0,
            open: Open::default(),
            health: Health::Good,
            schedule: SyncSchedule::new(policy, position, now_ms),
        }
    }

    /// The first line of a new segment file; its length is the position to resume from.
    pub fn header(generation: u64, shard: u16, shards: u16) -> Vec<u8> {
        let mut line = Vec::new();
        Header { generation, shard, shards }.write(&mut line);
        line
    }

    /// Appends one command, a RESP array of bulk strings, that ran in database `db`.
    ///
    /// Inserts `SELECT` if the last record was of another database, as Redis does. One comparison
    /// and a copy; no allocation once the buffer has its size.
    #[inline]
    pub fn record(&mut self, db: u32, command: &[u8]) {
        debug_assert!(command.starts_with(b"*"), "a record is a RESP array");
        if self.db != db {
            self.select(db);
        }
        self.pending.extend_from_slice(command);
    }

    /// Appends one command given as its arguments.
    pub fn record_arguments(&mut self, db: u32, arguments: &[&[u8]]) {
        if self.db != db {
            self.select(db);
        }
        write_command(&mut self.pending, arguments);
    }

    #[cold]
    fn select(&mut self, db: u32) {
        self.db = db;
        write_select(&mut self.pending, db);
    }

    /// Begins a unit: the records up to [`Self::end_unit`] are of one step of this shard (an
    /// EXEC, a script) and are wrapped in MULTI and EXEC, so that recovery and stock tools take
    /// all of them or none. Within a tick; units do not nest.
    ///
    /// # Panics
    /// If one is open.
    pub fn begin_unit(&mut self) {
        assert!(!self.open.unit, "units do not nest");
        self.open.unit = true;
        self.pending.extend_from_slice(MULTI);
    }

    /// Ends a unit.
    ///
    /// # Panics
    /// If none is open.
    pub fn end_unit(&mut self) {
        assert!(self.open.unit, "a unit was begun");
        self.open.unit = false;
        self.pending.extend_from_slice(EXEC);
    }

    /// Whether a unit is open: what is recorded belongs to it.
    pub fn in_unit(&self) -> bool {
        self.open.unit
    }

    /// Begins this shard's part of a transaction over several shards. Within a tick; the marks
    /// go around the unit if there is one. A participant that has nothing to record still writes
    /// its (empty) part, because the others name it.
    ///
    /// Returns where the part begins: the position for [`crate::Gate::begin`].
    ///
    /// # Panics
    /// If a part or a unit is open.
    pub fn begin_part(&mut self, id: TransactionId, participants: &Participants) -> u64 {
        assert!(self.open == Open::default(), "parts do not nest, and are outside of units");
        let position = self.appended();
        self.open.part = Some(id);
        annotation::write_begin(&mut self.pending, id, participants);
        position
    }

    /// Ends the part; returns where it ends.
    ///
    /// # Panics
    /// If no part is open, or a unit still is.
    pub fn end_part(&mut self) -> u64 {
        assert!(!self.open.unit, "the unit within a part ends before it");
        let id = self.open.part.take().expect("a part was begun");
        annotation::write_end(&mut self.pending, id);
        self.appended()
    }

    /// Seals everything so far as belonging to `epoch` or an earlier one. Returns the position
    /// behind the mark.
    ///
    /// # Panics
    /// If a part or a unit is open.
    pub fn mark_epoch(&mut self, epoch: u64) -> u64 {
        assert!(self.open == Open::default(), "an epoch ends between steps");
        annotation::write_epoch(&mut self.pending, epoch);
        self.appended()
    }

    /// The part of a failed batch that is to be cut off the file, as the length to cut it to. Ask
    /// before [`Self::poll_write`]; answer with [`Self::handle_truncated`].
    pub fn poll_truncate(&self) -> Option<u64> {
        self.truncate.then_some(self.written)
    }

    /// What came of the cut. Where it failed, the batch goes on behind what arrived of it.
    pub fn handle_truncated(&mut self, result: &io::Result<()>) {
        self.truncate = false;
        if result.is_ok() {
            self.arrived = 0;
        }
    }

    /// The bytes to append to the file now, or `None`: nothing is pending, or the log has failed
    /// and the time to try again has not come.
    ///
    /// They are to be written at [`Self::write_position`]. Asking again before
    /// [`Self::handle_written`] returns the same bytes.
    ///
    /// # Panics
    /// If a part or a unit is open: they are whole within a tick.
    pub fn poll_write(&mut self, now_ms: u64) -> Option<&[u8]> {
        assert!(self.open == Open::default(), "parts and units end within their tick");
        match self.health {
            Health::Good => {}
            Health::Retrying { retry_at_ms, .. } if now_ms >= retry_at_ms => {}
            Health::Retrying { .. } => return None,
            Health::Poisoned { .. } => {
                self.drop_unwritable();
                return None;
            }
        }
        if self.writing.is_empty() {
            if self.pending.is_empty() {
                return None;
            }
            std::mem::swap(&mut self.writing, &mut self.pending);
            self.schedule.count_write(now_ms);
        }
        Some(&self.writing[self.arrived..])
    }

    /// Throws away what a poisoned log will never write: keys go on expiring, and the memory that
    /// their records take must not grow until the restart.
    fn drop_unwritable(&mut self) {
        self.dropped += (self.writing.len() + self.pending.len()) as u64;
        self.arrived = 0;
        self.writing.clear();
        self.pending.clear();
    }

    /// Where in the file the bytes of [`Self::poll_write`] begin.
    pub fn write_position(&self) -> u64 {
        self.written + self.arrived as u64
    }

    /// `bytes` of what [`Self::poll_write`] returned are in the file. After fewer than all, poll
    /// again.
    ///
    /// Positions move only when the whole batch has arrived: of a batch that fails half way,
    /// nothing was acknowledged, and all of it can be cut off.
    ///
    /// # Panics
    /// If that is more than was handed out.
    pub fn handle_written(&mut self, bytes: usize) {
        self.arrived += bytes;
        assert!(self.arrived <= self.writing.len(), "no more arrives than was handed out");
        if self.arrived < self.writing.len() {
            return;
        }
        self.written += self.writing.len() as u64;
        self.arrived = 0;
        self.writing.clear();
        if self.writing.capacity() > BUFFER_BYTES_KEPT {
            self.writing = Vec::with_capacity(BUFFER_BYTES_KEPT / 16);
        }
        if let Health::Retrying { .. } = self.health {
            self.health = Health::Good;
        }
    }

    /// The write failed. It is due again in a second; what arrived of the batch is to be cut off.
    pub fn handle_write_error(&mut self, error: &io::Error, now_ms: u64) {
        let refusal = Refusal { failure: Failure::Write, reason: system_words(error) };
        self.truncate = self.arrived > 0;
        if !matches!(self.health, Health::Poisoned { .. }) {
            self.health = Health::Retrying { refusal, retry_at_ms: now_ms + RETRY_MS };
        }
    }

    /// Whether to fsync the file now, and the position that is reached when it succeeds. From
    /// then on until [`Self::handle_synced`] or [`Self::handle_sync_error`] it is in flight and
    /// this answers `None`. Written bytes count, not pending ones; writes may go on meanwhile.
    pub fn poll_sync(&mut self, now_ms: u64) -> Option<u64> {
        if matches!(self.health, Health::Poisoned { .. }) {
            return None;
        }
        self.schedule.poll(self.written, now_ms)
    }

    /// Makes the next [`Self::poll_sync`] answer as soon as anything is unsynced, whatever the
    /// policy: for SHUTDOWN, and when the log is turned off.
    pub fn sync_soon(&mut self) {
        self.schedule.force();
    }

    /// The fsync that [`Self::poll_sync`] asked for reached `position`.
    pub fn handle_synced(&mut self, position: u64) {
        self.schedule.handle_synced(position);
    }

    /// The fsync failed: the segment is poisoned.
    pub fn handle_sync_error(&mut self, error: &io::Error) {
        self.schedule.handle_failed();
        let refusal = Refusal { failure: Failure::Sync, reason: system_words(error) };
        self.health = Health::Poisoned { refusal };
    }

    /// Changes `appendfsync`. Going to `always` holds replies until the next fsync.
    pub fn set_policy(&mut self, policy: FsyncPolicy) {
        self.schedule.set_policy(policy);
    }

    /// When to poll again though nothing happens; `None`: never. With nothing unsynced and no
    /// failure there is no such time, so that an idle server sleeps.
    pub fn next_wake_ms(&self) -> Option<u64> {
        let retry = match &self.health {
            Health::Good => None,
            Health::Retrying { retry_at_ms, .. } => Some(*retry_at_ms),
            Health::Poisoned { .. } => return None,
        };
        let sync = self.schedule.next_wake_ms(self.written);
        [retry, sync].into_iter().flatten().min()
    }

    /// Why no writes should be taken at present; `None` if all is well.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.health {
            Health::Good => None,
            Health::Retrying { refusal, .. } | Health::Poisoned { refusal } => Some(refusal),
        }
    }

    /// The position up to which replies may leave, as far as this shard's own records are
    /// concerned: `synced` under `always`, else `written`.
    #[inline]
    pub fn acknowledged(&self) -> u64 {
        if self.schedule.policy() == FsyncPolicy::Always { self.synced() } else { self.written }
    }

    /// The position behind the last record. A reply depends on what this was after its command.
    #[inline]
    pub fn appended(&self) -> u64 {
        self.written + self.dropped + (self.writing.len() + self.pending.len()) as u64
    }

    /// The position up to which the file has the records.
    #[inline]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The position up to which the disk has them.
    #[inline]
    pub fn synced(&self) -> u64 {
        self.schedule.synced()
    }

    /// Bytes that wait in memory (INFO `aof_buffer_length`).
    pub fn buffered_bytes(&self) -> usize {
        self.writing.len() - self.arrived + self.pending.len()
    }

    /// Whether an fsync is under way (INFO `aof_pending_bio_fsync`).
    pub fn is_syncing(&self) -> bool {
        self.schedule.is_syncing()
    }

    /// How often a write went out while an fsync had been under way for two seconds or more
    /// (INFO `aof_delayed_fsync`).
    pub fn delayed_syncs(&self) -> u64 {
        self.schedule.delayed_count()
    }

    /// Bytes of memory that the buffers hold.
    pub fn heap_bytes(&self) -> usize {
        self.pending.capacity() + self.writing.capacity()
    }
}

/// The error as `strerror` says it, without the number that Rust puts behind.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_owned(),
        _ => text,
    }
}

pub(crate) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
pub(crate) const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Appends `SELECT db`.
pub(crate) fn write_select(out: &mut Vec<u8>, db: u32) {
    let mut digits = Vec::with_capacity(10);
    write_number(&mut digits, u64::from(db));
    write_command(out, &[b"SELECT", &digits]);
}

/// Appends a command as a RESP array of bulk strings.
pub(crate) fn write_command(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    out.push(b'*');
    write_number(out, arguments.len() as u64);
    out.extend_from_slice(b"\r\n");
    for argument in arguments {
        out.push(b'$');
        write_number(out, argument.len() as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
