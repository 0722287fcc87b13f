//! Replies: appended to a connection's output in the dialect it speaks.
//!
//! RESP2 has five types; what RESP3 adds, a RESP2 client gets in the form Redis gives it: a map is
//! an array of twice the length, a set or push an array, a double or big number a bulk string, a
//! boolean `1` or `0`, a null `$-1` or `*-1`, a verbatim string a bulk string.
//!
//! A [`Writer`] is a reference and a byte: make one for each command. It checks nothing about
//! nesting: who announces an array of three writes three values.

use crate::error::CommandError;
use crate::number::{push_f64, push_i64, push_u64};

/// The dialect of a connection, chosen with HELLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What a connection starts with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// Writes the reply of one command at the end of `out`.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

/// The place of a length that was not known when its values were written.
#[derive(Debug)]
#[must_use = "the reply is broken until the length is set"]
pub struct Deferred {
    /// Offset in the output of the reserved header.
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The dialect that is written.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Bytes in the output so far, those of earlier replies included. With [`Writer::truncate`] a
    /// reply that turned out wrong half way can be taken back.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Takes back everything written after `position`.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// A writer for a part of the same reply.
    pub fn reborrow(&mut self) -> Writer<'_> {
        Writer { out: self.out, protocol: self.protocol }
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status line. `text` has no CR or LF.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "a status is one line");
        self.out.push(b'+');
        self.out.extend_from_slice(text.as_bytes());
        self.line_end();
    }

    /// An error.
    pub fn error(&mut self, error: &CommandError) {
        self.out.push(b'-');
        error.write_line(self.out);
        self.line_end();
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.out.push(b':');
        push_i64(self.out, value);
        self.line_end();
    }

    /// A count or a length as an integer; what exceeds `i64::MAX` is answered as that.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + HEADER_BYTES_MAX + 2);
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.line_end();
    }

    /// A bulk string from pieces: `bytes` in all, which `fill` appends to the output it is given.
    /// Saves gathering them first.
    pub fn bulk_with(&mut self, bytes: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        self.out.reserve(bytes + HEADER_BYTES_MAX + 2);
        self.header(b'$', bytes);
        let end = self.out.len() + bytes;
        fill(self.out);
        assert_eq!(self.out.len(), end, "a bulk string is as long as announced");
        self.line_end();
    }

    /// An integer as a bulk string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value, where a bulk string could be.
    #[inline]
    pub fn null(&mut self) {
        self.null_as(b"$-1\r\n");
    }

    /// No value, where an array could be.
    #[inline]
    pub fn null_array(&mut self) {
        self.null_as(b"*-1\r\n");
    }

    /// The header of an array; `len` values follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// The header of a map; `len` times a key and a value follow.
    #[inline]
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * len),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    /// The header of a set; `len` values follow.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.aggregate(b'~', len);
    }

    /// The header of a push: a message that is no reply. `len` values follow.
    pub fn push(&mut self, len: usize) {
        self.aggregate(b'>', len);
    }

    /// The header of an attribute of the reply that follows, if the client understands one: then
    /// `len` times a key and a value are to be written, else nothing.
    #[must_use]
    pub fn attribute(&mut self, len: usize) -> bool {
        let understood = self.protocol == Protocol::Resp3;
        if understood {
            self.header(b'|', len);
        }
        understood
    }

    /// A double, printed as [`push_f64`] does.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(DOUBLE_BYTES_MAX);
        push_f64(&mut text, value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// A big number. `digits` is an optional sign and decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A text for humans; `format` is three letters, `txt` or `mkd`.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(&format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.line_end();
            }
        }
    }

    /// Bytes that are a reply already, in this dialect.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Leaves room for the header of an array, a map or a set whose length will be known once its
    /// values are written; one of the `end_` methods must follow. Nested ones end inside out.
    pub fn deferred(&mut self) -> Deferred {
        let at = self.out.len();
        self.out.extend_from_slice(&[b' '; HEADER_RESERVED]);
        Deferred { at }
    }

    /// Writes the header that `deferred` left room for: an array of `len` values.
    ///
    /// Cost: moves what was written since then by a few bytes, once.
    pub fn end_array(&mut self, deferred: Deferred, len: usize) {
        self.end(deferred, b'*', len);
    }

    /// As [`Writer::end_array`], for a map of `len` pairs.
    pub fn end_map(&mut self, deferred: Deferred, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.end(deferred, b'*', 2 * len),
            Protocol::Resp3 => self.end(deferred, b'%', len),
        }
    }

    /// As [`Writer::end_array`], for a set of `len` values.
    pub fn end_set(&mut self, deferred: Deferred, len: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'~' } else { b'*' };
        self.end(deferred, kind, len);
    }

    /// Puts a header in its reserved place and closes the gap that is left.
    fn end(&mut self, deferred: Deferred, kind: u8, len: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(len).as_bytes();
        let header_bytes = digits.len() + 3;
        let reserved = deferred.at..deferred.at + HEADER_RESERVED;
        let header = [&[kind], digits, b"\r\n"].concat();
        if header_bytes == HEADER_RESERVED {
            self.out[reserved].copy_from_slice(&header);
        } else {
            self.out.splice(reserved, header);
        }
    }

    /// A header with the sign `kind` in RESP3, of an array in RESP2.
    fn aggregate(&mut self, kind: u8, len: usize) {
        self.header(if self.protocol == Protocol::Resp3 { kind } else { b'*' }, len);
    }

    /// A sign, a length, a line end.
    #[inline]
    fn header(&mut self, kind: u8, len: usize) {
        self.out.push(kind);
        push_u64(self.out, len as u64);
        self.line_end();
    }

    /// A sign, a text, a line end.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.line_end();
    }

    /// The null of RESP3, or this one.
    #[inline]
    fn null_as(&mut self, resp2: &[u8]) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => resp2,
            Protocol::Resp3 => b"_\r\n",
        });
    }

    #[inline]
    fn line_end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// A sign, the 20 digits of `u64::MAX`, CR LF.
const HEADER_BYTES_MAX: usize = 1 + 20 + 2;

/// Room left for a deferred header: a sign, one digit, CR LF. A reply of up to nine values is
/// patched in place; a longer one moves once by at most 19 bytes.
const HEADER_RESERVED: usize = 1 + 1 + 2;

/// The longest double: `-`, 17 digits, a point, `e-308`.
const DOUBLE_BYTES_MAX: usize = 1 + 17 + 1 + 5;

#[cfg(test)]
mod tests;
