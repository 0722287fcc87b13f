//! Requests: from the bytes of a connection to the places of a command's arguments.
//!
//! A request is a RESP array of bulk strings, or an inline line. The parser is incremental and
//! copies nothing: the caller keeps the bytes that have arrived and not yet been consumed, and asks
//! after each arrival. What has been understood is remembered as an offset, so no byte is looked at
//! twice (but for the few of a cut-off length line), however small the pieces are.
//!
//! ```text
//! *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $5\r\nhel|            the rest has not arrived
//!                                  ^at      ^input.len()   needed() = 4: "lo" and CR LF
//! ```
//!
//! Two forms of a command. The *arguments* are what runs; the *canonical form*, a RESP array with
//! exact line ends, is what the log copies. For a command that came as such an array both live in
//! the input. For an inline command, and for an array with a sloppy line end (Redis skips the two
//! bytes after a bulk without reading them, and the one after a CR), the parser writes the
//! canonical form into a buffer of its own. [`Parser::command`] answers the right one of the two
//! and the spans are always relative to it:
//!
//! ```text
//! while let Some(consumed) = parser.parse(input, &limits, &mut spans)? {
//!     let bytes = parser.command(input, consumed);      // canonical form, valid until next parse
//!     let arguments = Arguments::new(bytes, &spans);
//!     ...
//!     input = &input[consumed..]; spans.clear();
//! }
//! ```
//!
//! Invariants: spans are handed out only for a complete command; nothing is reserved on the word of
//! a length that a peer sent; the outcome does not depend on how the bytes were split (for that a
//! line over its limit is refused even if it arrives whole, where Redis looks at what its last read
//! brought).

mod error;

use memchr::memchr;

pub use self::error::ProtocolError;
use crate::arguments::Span;
use crate::inline;
use crate::limits::Limits;
use crate::number::parse_i64;

/// Finds the commands in the bytes of one connection. One a connection, 96 bytes when idle.
#[derive(Debug, Default)]
pub struct Parser {
    /// How far the current command was understood.
    cursor: Cursor,
    /// Places of the arguments of a command that has not arrived whole; empty otherwise.
    pending: Vec<Span>,
    /// Canonical form of the last command, when it is not the input's own bytes; empty otherwise.
    rewritten: Vec<u8>,
}

impl Parser {
    /// A parser at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for one complete command at the start of `input`.
    ///
    /// `input` starts at the first byte of the command that is under way and may only have grown
    /// since the last call that answered `None`. `Some(consumed)`: the command is the first
    /// `consumed` bytes (at least 1); the places of its arguments in [`Parser::command`] were
    /// appended to `spans`. A blank line and an array of no or negative length are commands without
    /// arguments: Redis ignores them without a reply. `None`: more bytes are needed; `spans` is as
    /// it was.
    ///
    /// Cost: linear in the bytes that are new since the last call.
    ///
    /// # Errors
    /// The peer broke the protocol: answer the error and close. The parser is of no further use
    /// until [`Parser::reset`].
    pub fn parse(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        if !self.rewritten.is_empty() {
            self.forget_rewritten();
        }
        if input.first() != Some(&b'*') {
            return self.parse_inline(input, limits, spans);
        }
        if !self.cursor.is_fresh() {
            return self.resume(input, limits, spans);
        }
        if let Some(consumed) = read_whole(input, limits, spans) {
            return Ok(Some(consumed));
        }
        self.begin(input, limits, spans)
    }

    /// Forgets a command that is under way, and every state an error has left.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The canonical form of the command that the last call of [`Parser::parse`] found in `input`
    /// (the same bytes, and the `consumed` it answered): what its spans point into and what a log
    /// may copy. Nothing meaningful for a command without arguments. Valid until the next parse.
    #[must_use]
    pub fn command<'a>(&'a self, input: &'a [u8], consumed: usize) -> &'a [u8] {
        if self.rewritten.is_empty() { &input[..consumed] } else { &self.rewritten }
    }

    /// Whether [`Parser::command`] is a buffer of the parser, not the input. Who holds commands
    /// while parsing further ones must copy such a one.
    #[must_use]
    pub fn is_rewritten(&self) -> bool {
        !self.rewritten.is_empty()
    }

    /// How many bytes at least must follow `input` of the last call that answered `None` for the
    /// argument under way to be complete, its line end included; 0 when its length is not known
    /// yet. So many can be reserved, or read straight behind the input.
    #[must_use]
    pub fn needed(&self) -> usize {
        self.cursor.needed
    }

    /// Whether a command has begun and not ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.cursor.is_fresh()
    }

    /// Bytes of memory that the parser holds besides itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pending.capacity() * size_of::<Span>() + self.rewritten.capacity()
    }

    /// Takes up an array of which nothing was understood yet.
    fn begin(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let spans_before = spans.len();
        let mut cursor = Cursor::default();
        let complete = cursor.advance(input, limits, spans).inspect_err(|_| {
            spans.truncate(spans_before);
        })?;
        if complete {
            if !cursor.exact {
                self.rewrite(input, spans, spans_before);
            }
            return Ok(Some(cursor.at));
        }
        self.cursor = cursor;
        self.pending.extend(spans.drain(spans_before..));
        Ok(None)
    }

    /// Goes on with an array that did not arrive whole.
    #[cold]
    fn resume(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        if !self.cursor.advance(input, limits, &mut self.pending)? {
            return Ok(None);
        }
        let cursor = std::mem::take(&mut self.cursor);
        let spans_before = spans.len();
        spans.append(&mut self.pending);
        if self.pending.capacity() > PENDING_KEPT_MAX {
            self.pending = Vec::new();
        }
        if !cursor.exact {
            self.rewrite(input, spans, spans_before);
        }
        Ok(Some(cursor.at))
    }

    /// Looks for a line and takes it apart.
    #[cold]
    fn parse_inline(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        let seen = self.cursor.scanned;
        let end = memchr(b'\n', &input[seen..]).map(|offset| seen + offset);
        let line = &input[..end.unwrap_or(input.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > limits.inline_bytes_max {
            return Err(ProtocolError::InlineTooBig);
        }
        let Some(end) = end else {
            self.cursor.scanned = input.len();
            return Ok(None);
        };
        self.cursor = Cursor::default();
        inline::rewrite(line, &mut self.rewritten, spans)?;
        Ok(Some(end + 1))
    }

    /// Writes the canonical form of the array in `input`, whose places are `spans[from..]`, and
    /// points the places there.
    #[cold]
    fn rewrite(&mut self, input: &[u8], spans: &mut Vec<Span>, from: usize) {
        let places = spans.split_off(from);
        let arguments = places.iter().map(|span| &input[span.start as usize..span.end as usize]);
        inline::encode(places.len(), arguments, &mut self.rewritten, spans);
    }

    /// Empties the buffer of the last canonical form; keeps a small one for the next inline line.
    #[cold]
    fn forget_rewritten(&mut self) {
        if self.rewritten.capacity() > REWRITTEN_KEPT_MAX {
            self.rewritten = Vec::new();
        }
        self.rewritten.clear();
    }
}

/// Longest list of places kept for the next partial command: 1,024 * 8 bytes = 8 KiB.
const PENDING_KEPT_MAX: usize = 1024;

/// Largest buffer kept for the next rewritten command: a usual inline line fits many times.
const REWRITTEN_KEPT_MAX: usize = 4096;

/// Last place where an argument may end: a span reaches 4 GiB (see arguments.rs), its line end too.
const SPAN_END_MAX: usize = u32::MAX as usize - 2;

/// A bulk's length is not known yet.
const UNKNOWN: u64 = u64::MAX;

/// How far the current command was understood.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// First byte not understood yet: a `*` or `$` line, or a bulk whose length is known.
    at: usize,
    /// No line end lies before this offset; only meaningful above `at`.
    scanned: usize,
    /// Bytes missing of a bulk of known length, line end included; 0 otherwise.
    needed: usize,
    /// Arguments still to come; meaningful once `counted`.
    missing: u64,
    /// Length of the bulk at `at`, or [`UNKNOWN`] while its `$` line has not been read.
    bulk_bytes: u64,
    /// Whether the `*` line was read.
    counted: bool,
    /// Whether all line ends so far were CR LF.
    exact: bool,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            at: 0,
            scanned: 0,
            needed: 0,
            missing: 0,
            bulk_bytes: UNKNOWN,
            counted: false,
            exact: true,
        }
    }
}

impl Cursor {
    /// Whether nothing of a command was seen.
    fn is_fresh(&self) -> bool {
        self.at == 0 && self.scanned == 0
    }

    /// Goes on from `at`, appending places to `spans`; answers whether the command is complete.
    #[inline]
    fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<bool, ProtocolError> {
        if !self.counted && !self.read_count(input, limits)? {
            return Ok(false);
        }
        while self.missing > 0 {
            if self.bulk_bytes == UNKNOWN && !self.read_bulk_length(input, limits)? {
                return Ok(false);
            }
            // fits: read_bulk_length refuses what would end beyond the reach of a span
            let end = self.at + self.bulk_bytes as usize;
            let Some(line_end) = input.get(end..end + 2) else {
                self.needed = end + 2 - input.len();
                return Ok(false);
            };
            self.exact &= line_end == b"\r\n";
            spans.push(Span { start: self.at as u32, end: end as u32 });
            self.at = end + 2;
            self.bulk_bytes = UNKNOWN;
            self.needed = 0;
            self.missing -= 1;
        }
        Ok(true)
    }

    /// Reads the `*` line; answers whether it was there.
    #[inline]
    fn read_count(&mut self, input: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        let count = if let Some((count, next)) = short_length(input, 1) {
            self.at = next;
            i64::from(count)
        } else {
            let too_long = ProtocolError::MultibulkCountTooBig;
            let Some(line) = self.read_line(input, limits, too_long)? else { return Ok(false) };
            parse_i64(&line[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?
        };
        self.counted = true;
        self.missing = u64::try_from(count).unwrap_or(0);
        if self.missing > limits.arguments_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if !limits.authenticated && self.missing > Limits::ARGUMENTS_MAX_UNAUTHENTICATED {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        Ok(true)
    }

    /// Reads the `$` line at `at`; answers whether it was there.
    #[inline]
    fn read_bulk_length(&mut self, input: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        let marked = input.get(self.at) == Some(&b'$');
        let bytes = if let (true, Some((bytes, next))) = (marked, short_length(input, self.at + 1))
        {
            self.at = next;
            u64::from(bytes)
        } else {
            let too_long = ProtocolError::BulkCountTooBig;
            let Some(line) = self.read_line(input, limits, too_long)? else { return Ok(false) };
            // a line of nothing but its CR: the byte found in place of `$` is that CR
            let (&marker, digits) = line.split_first().unwrap_or((&b'\r', b""));
            if marker != b'$' {
                return Err(ProtocolError::ExpectedBulk(marker));
            }
            let bytes = parse_i64(digits).and_then(|bytes| u64::try_from(bytes).ok());
            bytes.ok_or(ProtocolError::InvalidBulkLength)?
        };
        let reach = SPAN_END_MAX.saturating_sub(self.at) as u64;
        if bytes > limits.bulk_bytes_max || bytes > reach {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if !limits.authenticated && bytes > Limits::BULK_BYTES_MAX_UNAUTHENTICATED {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.bulk_bytes = bytes;
        Ok(true)
    }

    /// The line at `at`, marker included, without its line end (a CR and one byte), and moves past
    /// it; nothing when it has not arrived whole. The way for all that [`short_length`] leaves.
    #[cold]
    fn read_line<'a>(
        &mut self,
        input: &'a [u8],
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        let seen = self.scanned.max(self.at);
        let found = memchr(b'\r', &input[seen..]).map(|offset| seen + offset);
        let line = &input[self.at..found.unwrap_or(input.len())];
        if line.len() > limits.inline_bytes_max {
            return Err(too_long);
        }
        self.scanned = found.unwrap_or(input.len());
        let Some(&last) = found.and_then(|found| input.get(found + 1)) else { return Ok(None) };
        self.exact &= last == b'\n';
        self.at += line.len() + 2;
        Ok(Some(line))
    }
}

/// The common case of [`Cursor::advance`] without its bookkeeping: a command of at least one
/// argument that is there whole, in canonical form and within the limits. Answers its length; or
/// nothing, with `spans` as it was, in every other case, good or bad.
#[inline]
fn read_whole(input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Option<usize> {
    let spans_before = spans.len();
    let length = read_bulks(input, limits, spans);
    if length.is_none() {
        spans.truncate(spans_before);
    }
    length
}

/// Does [`read_whole`], and leaves the spans that it found when it gives up.
#[inline]
fn read_bulks(input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Option<usize> {
    let (count, mut at) = short_length(input, 1)?;
    if u64::from(count) > limits.arguments_max || !limits.authenticated || count == 0 {
        return None;
    }
    for _ in 0..count {
        if *input.get(at)? != b'$' {
            return None;
        }
        let (bytes, start) = short_length(input, at + 1)?;
        let end = start + bytes as usize;
        let line_end = input.get(end..end + 2)?;
        // seven digits keep an argument small, but many of them could pass 4 GiB
        if line_end != b"\r\n" || u64::from(bytes) > limits.bulk_bytes_max || end > SPAN_END_MAX {
            return None;
        }
        spans.push(Span { start: start as u32, end: end as u32 });
        at = end + 2;
    }
    Some(at)
}

/// The number of at most seven digits at `at`, when it is canonical and its line ends in CR LF, and
/// the place behind; nothing in every other case, good or bad. Wants two bytes behind the line of
/// a one-digit number, which a command that is there whole has.
#[inline]
fn short_length(input: &[u8], at: usize) -> Option<(u32, usize)> {
    let rest = input.get(at..)?;
    let &[first, second, third, fourth] = rest.first_chunk()?;
    let first = u32::from(first.wrapping_sub(b'0'));
    if first > 9 {
        return None;
    }
    if [second, third] == *b"\r\n" {
        return Some((first, at + 3));
    }
    let tens = u32::from(second.wrapping_sub(b'0'));
    if [third, fourth] == *b"\r\n" && tens <= 9 && first > 0 {
        return Some((first * 10 + tens, at + 4));
    }
    longer_length(rest, at)
}

/// Does [`short_length`] for three digits and more.
fn longer_length(rest: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut value = 0;
    for (count, pair) in rest.windows(2).take(8).enumerate() {
        let digit = pair[0].wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + u32::from(digit);
        } else {
            let canonical = count > 2 && rest[0] != b'0';
            return (canonical && pair == b"\r\n").then_some((value, at + count + 2));
        }
    }
    None
}

#[cfg(test)]
mod tests;
