//! Replies of both protocol versions, read from bytes. On its own, not by crate `resp`: a mistake
//! there must not be read back as right.
//!
//! The reader starts over whenever more bytes have come: tests read replies of a few megabytes at
//! most in one piece, and large bulk strings (one header, one length) cost nothing to try again.

use std::io;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A status line.
    Simple(String),
    /// An error without its leading `-`.
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Self>),
    /// Keys and values in turn, as they were sent.
    Map(Vec<Self>),
    /// A set or an out-of-band message.
    Other(char, Vec<Self>),
    /// Any other single line: a double, a boolean, a big number.
    Line(char, String),
}

impl Value {
    /// `+OK`.
    pub(crate) fn ok() -> Self {
        Self::Simple("OK".into())
    }

    /// A bulk string.
    pub(crate) fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(bytes.as_ref().to_vec())
    }

    /// The text of an error, the empty string for anything else.
    pub(crate) fn error(&self) -> &str {
        if let Self::Error(text) = self { text } else { "" }
    }

    /// An integer, or a bulk string that spells one. Panics on anything else.
    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Integer(number) => *number,
            Self::Bulk(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
            }
            other => panic!("{other:?} is no number"),
        }
    }

    /// A bulk string or status as text. Panics on anything else.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Simple(text) => text.clone(),
            other => panic!("{other:?} is no text"),
        }
    }

    /// The elements of an array. Panics on anything else.
    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            other => panic!("{other:?} is no array"),
        }
    }
}

/// The reply at the start of `input` and its length, `None` while it has not arrived whole. An error
/// for bytes that are no reply.
pub(crate) fn read_value(input: &[u8]) -> io::Result<Option<(Value, usize)>> {
    let mut at = 0;
    Ok(read_at(input, &mut at)?.map(|value| (value, at)))
}

fn read_at(input: &[u8], at: &mut usize) -> io::Result<Option<Value>> {
    let rest = &input[*at..];
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (kind, line) = (rest[0], String::from_utf8_lossy(&rest[1..end]).into_owned());
    *at += end + 2;
    let length = || line.parse::<i64>().map_err(|_| no_reply(&rest[..end]));
    Ok(Some(match kind {
        b'+' => Value::Simple(line),
        b'-' => Value::Error(line),
        b':' => Value::Integer(length()?),
        b'_' => Value::Null,
        b',' | b'#' | b'(' => Value::Line(char::from(kind), line),
        b'$' | b'=' => {
            let Ok(length) = usize::try_from(length()?) else { return Ok(Some(Value::Null)) };
            if input.len() < *at + length + 2 {
                return Ok(None);
            }
            let bytes = input[*at..*at + length].to_vec();
            if &input[*at + length..*at + length + 2] != b"\r\n" {
                return Err(no_reply(b"a bulk string without its end"));
            }
            *at += length + 2;
            Value::Bulk(bytes)
        }
        b'*' | b'%' | b'~' | b'>' => {
            let Ok(count) = usize::try_from(length()?) else { return Ok(Some(Value::Null)) };
            let count = if kind == b'%' { count * 2 } else { count };
            let mut elements = Vec::new();
            for _ in 0..count {
                let Some(element) = read_at(input, at)? else { return Ok(None) };
                elements.push(element);
            }
            match kind {
                b'*' => Value::Array(elements),
                b'%' => Value::Map(elements),
                _ => Value::Other(char::from(kind), elements),
            }
        }
        _ => return Err(no_reply(&rest[..end])),
    }))
}

fn no_reply(bytes: &[u8]) -> io::Error {
    let shown = bytes[..bytes.len().min(80)].escape_ascii();
    io::Error::new(io::ErrorKind::InvalidData, format!("no reply: {shown}"))
}
