//! The forms of a string in a record of the table: how one is chosen, read, and changed in place.
//!
//! ```text
//! value set                         payload               changed in place (the raw flag is set)
//! the text of an i64                Int(i64)              becomes Bytes or Object
//! up to EMBEDDED_BYTES_MAX bytes    Bytes                 grows in the record, then becomes Object
//! longer                            Object::String        grows; never goes back
//! ```
//!
//! The text of an integer is recognized only in the one spelling in which it is printed again, so
//! that a reader cannot tell the forms apart.

use resp::number::parse_i64;
use table::{Payload, PayloadRef, RecordMut};

use super::{LongString, StringEncoding};
use crate::Object;

/// The longest string that is embedded in its key's record: one allocation and one pointer to
/// follow instead of three, for as long as the record fits the table's own fine size classes. With
/// 16 KiB instead, a key with a value of 2 KiB took 2,568 bytes instead of about 2,120, and neither
/// GET nor SET became measurably faster (measured 2026-11-21).
pub const EMBEDDED_BYTES_MAX: usize = 1024;

/// The longest text of an `i64`: a sign and 19 digits.
const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// The form in which the string `bytes` is stored when it is set.
#[inline]
#[must_use]
pub fn stored_string(bytes: &[u8]) -> Payload<'_, Object> {
    if bytes.len() <= INTEGER_TEXT_BYTES_MAX
        && let Some(integer) = parse_i64(bytes)
    {
        return Payload::Int(integer);
    }
    stored_bytes(bytes)
}

/// The form in which `bytes` is stored without asking whether it is an integer: what INCRBYFLOAT
/// and BITOP do, whose results `OBJECT ENCODING` must not call `int`.
#[inline]
#[must_use]
pub fn stored_bytes(bytes: &[u8]) -> Payload<'_, Object> {
    if bytes.len() <= EMBEDDED_BYTES_MAX {
        Payload::Bytes(bytes)
    } else {
        Payload::Object(Object::String(Box::new(LongString::from(bytes))))
    }
}

/// The bytes of a stored string: borrowed where they exist, printed where it is an integer.
#[derive(Debug)]
pub enum StringBytes<'a> {
    /// The bytes where they are stored.
    Borrowed(&'a [u8]),
    /// The text of an integer, with its length.
    Integer([u8; INTEGER_TEXT_BYTES_MAX], u8),
}

impl std::ops::Deref for StringBytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Integer(text, len) => &text[..usize::from(*len)],
        }
    }
}

impl<'a> StringBytes<'a> {
    /// The bytes of what a record holds; `None` unless it is a string. No allocation.
    #[inline]
    #[must_use]
    pub fn of(payload: PayloadRef<'a, Object>) -> Option<Self> {
        match payload {
            PayloadRef::Bytes(bytes) => Some(Self::Borrowed(bytes)),
            PayloadRef::Int(integer) => Some(Self::of_integer(integer)),
            PayloadRef::Object(object) => {
                object.as_string().map(|string| Self::Borrowed(string.as_slice()))
            }
        }
    }

    /// The text of `integer`.
    #[must_use]
    pub fn of_integer(integer: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let printed = buffer.format(integer).as_bytes();
        let mut text = [0; INTEGER_TEXT_BYTES_MAX];
        text[..printed.len()].copy_from_slice(printed);
        Self::Integer(text, printed.len() as u8)
    }
}

/// The integer that a stored string is: `Ok(None)` where its text is none, `Err` unless it is a
/// string.
///
/// # Errors
/// [`NotString`] where the record holds another type.
#[inline]
pub fn stored_integer(payload: PayloadRef<'_, Object>) -> Result<Option<i64>, NotString> {
    match payload {
        PayloadRef::Int(integer) => Ok(Some(integer)),
        PayloadRef::Bytes(bytes) => Ok(parse_i64(bytes)),
        PayloadRef::Object(object) => match object.as_string() {
            Some(_) => Ok(None),
            None => Err(NotString),
        },
    }
}

/// The value is of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotString;

/// How `OBJECT ENCODING` names a stored string; `None` unless it is one.
#[must_use]
pub fn stored_encoding(payload: PayloadRef<'_, Object>, raw: bool) -> Option<StringEncoding> {
    match payload {
        PayloadRef::Int(_) => Some(StringEncoding::Int),
        PayloadRef::Bytes(bytes) => Some(StringEncoding::of_bytes(bytes.len(), raw)),
        PayloadRef::Object(object) => object.as_string().map(|_| StringEncoding::Raw),
    }
}

/// Adds `tail` to the string in `record` and returns its new length. Amortized O(length of `tail`)
/// below 1 MiB.
///
/// # Errors
/// [`NotString`] where the record holds another type; nothing is changed.
pub fn append(record: &mut RecordMut<'_, Object>, tail: &[u8]) -> Result<usize, NotString> {
    if let PayloadRef::Object(_) = record.payload() {
        let string = record.object_mut().and_then(Object::as_string_mut).ok_or(NotString)?;
        string.append(tail);
        return Ok(string.len());
    }
    let head = StringBytes::of(record.payload()).ok_or(NotString)?;
    let len = head.len() + tail.len();
    if len > EMBEDDED_BYTES_MAX {
        let string = LongString::concatenated(&head, tail);
        record.set_payload(Payload::Object(Object::String(Box::new(string))));
        record.set_raw(true);
    } else {
        let start = head.len();
        edit(record, len)?[start..].copy_from_slice(tail);
    }
    Ok(len)
}

/// Makes the string in `record` at least `len_min` bytes long, with zeros at the end, and returns
/// its bytes to be changed in place. The record is raw from now on.
///
/// # Errors
/// [`NotString`] where the record holds another type; nothing is changed.
pub fn edit<'r>(
    record: &'r mut RecordMut<'_, Object>,
    len_min: usize,
) -> Result<&'r mut [u8], NotString> {
    let old_len = StringBytes::of(record.payload()).ok_or(NotString)?.len();
    record.set_raw(true);
    let embedded = !matches!(record.payload(), PayloadRef::Object(_));
    if embedded && len_min.max(old_len) > EMBEDDED_BYTES_MAX {
        let head = StringBytes::of(record.payload()).ok_or(NotString)?;
        let string = LongString::zeroed_after(&head, len_min.max(old_len));
        record.set_payload(Payload::Object(Object::String(Box::new(string))));
    } else if let PayloadRef::Int(integer) = record.payload() {
        record.set_payload(Payload::Bytes(&StringBytes::of_integer(integer)));
    }
    if let PayloadRef::Object(_) = record.payload() {
        let string = record.object_mut().and_then(Object::as_string_mut).ok_or(NotString)?;
        string.extend_zeroed(len_min);
        return Ok(string.as_mut_slice());
    }
    let bytes = if len_min > old_len { record.resize_bytes(len_min) } else { record.bytes_mut() };
    bytes.ok_or(NotString)
}

/// The form in which a new string of `len` zeros is stored, which the caller goes on to change in
/// place. A long one is memory that the kernel zeroes when it is first used.
#[must_use]
pub fn stored_zeros(len: usize) -> Payload<'static, Object> {
    static ZEROS: [u8; EMBEDDED_BYTES_MAX] = [0; EMBEDDED_BYTES_MAX];
    match ZEROS.get(..len) {
        Some(zeros) => Payload::Bytes(zeros),
        None => Payload::Object(Object::String(Box::new(LongString::zeroed_after(&[], len)))),
    }
}

#[cfg(test)]
mod tests;
