//! Reads a segment entry by entry through one buffer, whatever the size of the file.
//!
//! The buffer holds a window of the file. An entry is walked where it lies; if the window ends
//! within it, the rest is moved to the front and more is read. The buffer grows only for an entry
//! larger than itself, and never beyond what the file has: a damaged length costs no memory.
//!
//! Invariant: `offset` is the file offset of `buffer[from]`, always at the beginning of an entry.

use std::ops::Range;

use resp::{Arguments, Span};

use crate::annotation::{Annotation, LINE_BYTES_MAX};
use crate::error::RecoveryError;
use crate::record::{Fault, Walk, resumes, walk};
use crate::storage::{OpenMode, Storage, StorageError};

/// The window, unless the file is smaller. Large enough that a read call is nothing against the
/// walk over its bytes, small enough to stay in a core's second-level cache.
const WINDOW_BYTES: usize = 256 << 10;

/// How far behind a broken record [`SegmentReader::is_damage`] looks for whole ones.
const RESUME_BYTES: usize = 1 << 20;

/// What stands next in a segment.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Command(Arguments<'a>),
    Annotation(Annotation),
    /// The limit was reached at the end of an entry.
    End,
    /// The file, or the limit, ends within an entry.
    Torn,
}

pub(crate) struct SegmentReader<S: Storage> {
    file: S::File,
    path: String,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    offset: u64,
    /// Nothing is read from this offset on; at most the length of the file.
    limit: u64,
    spans: Vec<Span>,
    ahead: Ahead,
}

/// Commands walked ahead: whole in the window, which stands still until they are done with.
#[derive(Default)]
struct Ahead {
    commands: Vec<AheadCommand>,
    spans: Vec<Span>,
}

struct AheadCommand {
    /// Its offset in the file.
    start: u64,
    /// Its bytes in the window.
    bytes: Range<usize>,
    /// Its spans.
    spans: Range<usize>,
}

impl<S: Storage> SegmentReader<S> {
    /// A reader from the file's beginning to its present end.
    pub(crate) fn open(storage: &S, path: &str) -> Result<Self, StorageError> {
        let file = storage.open(path, OpenMode::Read)?;
        let limit = storage.file_bytes(&file)?;
        let window = usize::try_from(limit).unwrap_or(usize::MAX).min(WINDOW_BYTES);
        let (buffer, spans) = (vec![0; window], Vec::new());
        let (path, ahead) = (path.to_owned(), Ahead::default());
        Ok(Self { file, path, buffer, from: 0, to: 0, offset: 0, limit, spans, ahead })
    }

    /// Ends the reading at `limit`, the end of an entry.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Where the next entry begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the reading ends.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Walks the next commands, up to `commands_max`, as far as they are whole in the window and
    /// before the limit; says how many these are. What stands behind them, or instead of them (an
    /// annotation, a fault, the end), is what [`Self::next`] finds.
    pub(crate) fn walk_ahead(&mut self, commands_max: usize) -> usize {
        let Ahead { commands, spans } = &mut self.ahead;
        commands.clear();
        spans.clear();
        while commands.len() < commands_max {
            let window = &self.buffer[self.from..self.to];
            self.spans.clear();
            let Ok(Walk::Whole(bytes)) = walk(window, &mut self.spans) else { break };
            if window[0] != b'*' || self.offset + bytes as u64 > self.limit {
                break;
            }
            let first = spans.len();
            spans.extend_from_slice(&self.spans);
            commands.push(AheadCommand {
                start: self.offset,
                bytes: self.from..self.from + bytes,
                spans: first..spans.len(),
            });
            self.from += bytes;
            self.offset += bytes as u64;
        }
        commands.len()
    }

    /// One of the commands walked ahead: where it begins in the file, and its arguments.
    pub(crate) fn ahead(&self, index: usize) -> (u64, Arguments<'_>) {
        let AheadCommand { start, bytes, spans } = &self.ahead.commands[index];
        let spans = &self.ahead.spans[spans.clone()];
        (*start, Arguments::new(&self.buffer[bytes.clone()], spans))
    }

    /// Reads the next entry.
    pub(crate) fn next(&mut self, storage: &S) -> Result<Entry<'_>, RecoveryError> {
        let bytes = loop {
            if self.offset >= self.limit {
                return Ok(Entry::End);
            }
            let window = &self.buffer[self.from..self.to];
            self.spans.clear();
            let walked = match window.first() {
                Some(b'#') => walk_line(window),
                _ => walk(window, &mut self.spans),
            };
            match walked {
                Ok(Walk::Whole(bytes)) => break bytes,
                Ok(Walk::Partial(needed)) => {
                    if self.offset.saturating_add(needed as u64) > self.limit {
                        return Ok(Entry::Torn);
                    }
                    if !self.fill(storage, needed)? {
                        return Ok(Entry::Torn);
                    }
                }
                Err(fault) => return Err(self.damaged(fault)),
            }
        };
        let entry = &self.buffer[self.from..self.from + bytes];
        if entry[0] == b'#' {
            let line = entry.strip_suffix(b"\n").unwrap_or(entry);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let annotation = Annotation::parse(line).map_err(|fault| self.damaged(fault))?;
            self.from += bytes;
            self.offset += bytes as u64;
            return Ok(Entry::Annotation(annotation));
        }
        self.from += bytes;
        self.offset += bytes as u64;
        Ok(Entry::Command(Arguments::new(entry, &self.spans)))
    }

    /// Whether the torn entry at the present offset is damage rather than a torn end: whole
    /// records follow it.
    pub(crate) fn is_damage(&mut self, storage: &S) -> Result<bool, StorageError> {
        let left = usize::try_from(self.limit - self.offset).unwrap_or(usize::MAX);
        let mut tail = vec![0; left.min(RESUME_BYTES)];
        let mut filled = 0;
        while filled < tail.len() {
            let at = self.offset + filled as u64;
            let read = storage.read_at(&self.file, at, &mut tail[filled..])?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        Ok(resumes(&tail[..filled]))
    }

    /// Makes the window larger, to `needed` bytes at least; `false` if the file ends before.
    fn fill(&mut self, storage: &S, needed: usize) -> Result<bool, StorageError> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        if needed > self.buffer.len() {
            // Twice, so that a record of very many arguments, each of which asks for a little
            // more, is not walked from its beginning each time.
            let left = usize::try_from(self.limit - self.offset).unwrap_or(usize::MAX);
            let larger = needed.max(self.buffer.len().saturating_mul(2)).min(left.max(needed));
            self.buffer.resize(larger, 0);
        }
        while self.to < needed {
            let at = self.offset + self.to as u64;
            let read = storage.read_at(&self.file, at, &mut self.buffer[self.to..])?;
            if read == 0 {
                return Ok(false);
            }
            self.to += read;
        }
        Ok(true)
    }

    /// Damage at the present offset.
    pub(crate) fn damaged(&self, fault: Fault) -> RecoveryError {
        let rdb = self.offset == 0 && self.buffer[self.from..self.to].starts_with(b"REDIS");
        let fault = if rdb { Fault::Rdb } else { fault };
        RecoveryError::damaged(&self.path, self.offset, fault)
    }
}

/// Walks an annotation line.
fn walk_line(window: &[u8]) -> Result<Walk, Fault> {
    let searched = &window[..window.len().min(LINE_BYTES_MAX)];
    match searched.iter().position(|&byte| byte == b'\n') {
        Some(end) => Ok(Walk::Whole(end + 1)),
        None if searched.len() == LINE_BYTES_MAX => Err(Fault::AnnotationLong),
        None => Ok(Walk::Partial(window.len() + 1)),
    }
}
