//! Replies read back: where one ends, and what it says.
//!
//! [`ReplyReader`] finds the end of one reply in bytes that arrive in pieces, without building
//! anything: a proxy or a merger of sub-replies needs no more. [`Value`] is a reply as a tree, for
//! tests and tools. Both take RESP2 and RESP3, streamed strings and aggregates of RESP3 excepted
//! (no Redis sends them).
//!
//! An attribute (`|`) belongs to the reply behind it; the reader counts it to that reply, the tree
//! drops it.

use memchr::memchr;

use crate::number::{parse_f64, parse_i64};

/// Finds the end of one reply after the other. Remembers how far it looked, so a reply in many
/// pieces costs as much as in one.
#[derive(Clone, Debug)]
pub struct ReplyReader {
    /// First byte of the current reply that was not understood yet.
    at: usize,
    /// Values that must still end for the reply to end; 0 between replies.
    missing: u64,
}

/// The bytes are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError {
    /// Offset in the input of the value that cannot be read.
    pub at: usize,
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status line: `+OK`.
    Simple(String),
    /// An error without its leading `-`, or a bulk error.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// `$-1`, `*-1` or `_`.
    Null,
    /// An array.
    Array(Vec<Self>),
    /// A map, in the order sent.
    Map(Vec<(Self, Self)>),
    /// A set, in the order sent.
    Set(Vec<Self>),
    /// A message that is no reply.
    Push(Vec<Self>),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A big number's digits.
    BigNumber(String),
    /// A text with its three-letter format.
    Verbatim(String, Vec<u8>),
}

impl ReplyReader {
    /// A reader at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self { at: 0, missing: 0 }
    }

    /// The length of the reply at the start of `input`, once it has arrived whole; the reader is
    /// then ready for the next one. `input` may only have grown since a call that answered `None`.
    ///
    /// # Errors
    /// The bytes are no reply. The reader stays where it is.
    pub fn read(&mut self, input: &[u8]) -> Result<Option<usize>, ReplyError> {
        if self.at == 0 {
            self.missing = 1;
        }
        while self.missing > 0 {
            let Some(head) = Head::read(input, self.at)? else { return Ok(None) };
            let end = match head.body {
                Body::Line => head.end,
                Body::Bytes(bytes) => {
                    let Some(end) = bytes_end(input, head.end, bytes, self.at)? else {
                        return Ok(None);
                    };
                    end
                }
                Body::Values(count) => {
                    self.missing += count;
                    head.end
                }
            };
            self.at = end;
            // an attribute's own value is the reply that follows it
            if head.kind != b'|' {
                self.missing -= 1;
            }
        }
        Ok(Some(std::mem::take(&mut self.at)))
    }
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for ReplyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "no reply at byte {}", self.at)
    }
}

impl std::error::Error for ReplyError {}

impl Value {
    /// The reply at the start of `input` and its length; nothing when it has not arrived whole.
    /// For replies in many pieces find the end with a [`ReplyReader`] first.
    ///
    /// # Errors
    /// The bytes are no reply, or values are nested more than 128 deep.
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, ReplyError> {
        parse_value(input, 0, DEPTH_MAX)
    }

    /// A bulk string, or a status, as text; nothing when it is another type or not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Simple(text) => Some(text),
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The bytes of a bulk string or a status.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) => Some(text.as_bytes()),
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The integer that this is.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The values of an array, set or push.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) | Self::Set(values) | Self::Push(values) => Some(values),
            _ => None,
        }
    }

    /// The text of an error.
    #[must_use]
    pub fn as_error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a null of any protocol.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

/// The first line of a value.
struct Head<'a> {
    kind: u8,
    /// What stands between the kind and the line end.
    text: &'a [u8],
    /// The byte behind the line end.
    end: usize,
    body: Body,
}

/// What follows the first line of a value.
enum Body {
    /// Nothing.
    Line,
    /// So many bytes and a line end.
    Bytes(usize),
    /// So many values.
    Values(u64),
}

impl<'a> Head<'a> {
    /// Reads the line at `at`; nothing when it has not arrived whole.
    fn read(input: &'a [u8], at: usize) -> Result<Option<Self>, ReplyError> {
        let Some(line) = input[at..].split_first() else { return Ok(None) };
        let (&kind, rest) = line;
        let error = ReplyError { at };
        if !b"+-:$*_%~>|,#(=!".contains(&kind) {
            return Err(error);
        }
        let Some(length) = memchr(b'\r', rest) else { return Ok(None) };
        let text = &rest[..length];
        match rest.get(length + 1) {
            None => return Ok(None),
            Some(b'\n') => {}
            Some(_) => return Err(error),
        }
        let count = || parse_i64(text).filter(|&count| count >= -1).ok_or(error);
        let body = match kind {
            b'$' | b'=' | b'!' => usize::try_from(count()?).map_or(Body::Line, Body::Bytes),
            b'*' | b'~' | b'>' => Body::Values(u64::try_from(count()?).unwrap_or(0)),
            b'%' | b'|' => {
                let pairs = u64::try_from(count()?).map_err(|_| error)?;
                Body::Values(pairs.checked_mul(2).ok_or(error)?)
            }
            _ => Body::Line,
        };
        Ok(Some(Self { kind, text, end: at + length + 3, body }))
    }
}

/// The byte behind `bytes` bytes from `start` on and their line end.
fn bytes_end(
    input: &[u8],
    start: usize,
    bytes: usize,
    at: usize,
) -> Result<Option<usize>, ReplyError> {
    let error = ReplyError { at };
    let last = start.checked_add(bytes).ok_or(error)?;
    let Some(line_end) = last.checked_add(2).and_then(|end| input.get(last..end)) else {
        return Ok(None);
    };
    if line_end == b"\r\n" { Ok(Some(last + 2)) } else { Err(error) }
}

/// The value at `at` and the byte behind it.
fn parse_value(
    input: &[u8],
    at: usize,
    depth: usize,
) -> Result<Option<(Value, usize)>, ReplyError> {
    let error = ReplyError { at };
    let Some(head) = Head::read(input, at)? else { return Ok(None) };
    match head.body {
        Body::Line => Ok(Some((line_value(&head).ok_or(error)?, head.end))),
        Body::Bytes(bytes) => {
            let Some(end) = bytes_end(input, head.end, bytes, at)? else { return Ok(None) };
            let bytes = &input[head.end..head.end + bytes];
            Ok(Some((bytes_value(head.kind, bytes).ok_or(error)?, end)))
        }
        Body::Values(count) => {
            if depth == 0 {
                return Err(error);
            }
            let Some((values, end)) = parse_values(input, head.end, count, depth - 1)? else {
                return Ok(None);
            };
            if head.kind == b'|' {
                return parse_value(input, end, depth - 1);
            }
            if head.text == b"-1" {
                return Ok(Some((Value::Null, end)));
            }
            let value = match head.kind {
                b'%' => Value::Map(pairs(values)),
                b'~' => Value::Set(values),
                b'>' => Value::Push(values),
                _ => Value::Array(values),
            };
            Ok(Some((value, end)))
        }
    }
}

/// `count` values from `at` on, and the byte behind them.
fn parse_values(
    input: &[u8],
    mut at: usize,
    count: u64,
    depth: usize,
) -> Result<Option<(Vec<Value>, usize)>, ReplyError> {
    let mut values = Vec::new();
    for _ in 0..count {
        let Some((value, end)) = parse_value(input, at, depth)? else { return Ok(None) };
        values.push(value);
        at = end;
    }
    Ok(Some((values, at)))
}

/// The value of a line that nothing follows.
fn line_value(head: &Head<'_>) -> Option<Value> {
    let text = || String::from_utf8_lossy(head.text).into_owned();
    Some(match head.kind {
        b'+' => Value::Simple(text()),
        b'-' => Value::Error(text()),
        b':' => Value::Integer(parse_i64(head.text)?),
        b',' if head.text.eq_ignore_ascii_case(b"nan") => Value::Double(f64::NAN),
        b',' => Value::Double(parse_f64(head.text)?),
        b'#' => Value::Boolean(match head.text {
            b"t" => true,
            b"f" => false,
            _ => return None,
        }),
        b'(' => Value::BigNumber(text()),
        b'_' if !head.text.is_empty() => return None,
        // `_`, and a bulk string of length -1
        _ => Value::Null,
    })
}

/// The value of a header that bytes follow.
fn bytes_value(kind: u8, bytes: &[u8]) -> Option<Value> {
    Some(match kind {
        b'=' => {
            let (format, text) = bytes.split_at_checked(4)?;
            let format = format.strip_suffix(b":")?;
            Value::Verbatim(String::from_utf8_lossy(format).into_owned(), text.to_vec())
        }
        b'!' => Value::Error(String::from_utf8_lossy(bytes).into_owned()),
        _ => Value::Bulk(bytes.to_vec()),
    })
}

/// Keys and values two by two.
fn pairs(values: Vec<Value>) -> Vec<(Value, Value)> {
    let mut values = values.into_iter();
    std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect()
}

/// Deepest nesting of a [`Value`]; the deepest reply of Redis (CLUSTER SHARDS, COMMAND DOCS) has
/// fewer than 20 levels.
const DEPTH_MAX: usize = 128;

#[cfg(test)]
mod tests;
