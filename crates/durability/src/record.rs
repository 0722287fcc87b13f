//! One record of a segment: a command as a RESP array of bulk strings, walked without copying.
//!
//! ```text
//! *3\r\n  $3\r\nSET\r\n  $1\r\na\r\n  $5\r\nhello\r\n
//! ^ count ^ length       payload skipped by its length, then its \r\n checked
//! ```
//!
//! This is not `resp::Parser`: that one faces clients, resumes in the middle of a command and has
//! their limits and error texts. Here the whole record is in memory or more of the file is read,
//! inline commands do not exist, every deviation is damage, and the caller wants to know what is
//! wrong rather than what to answer. It walks about 60 bytes in 15 ns.
//!
//! Deliberately strict: no empty commands, no null bulks, no leading zeros or signs. Redis writes
//! none of these, and the stricter the reader, the more damage it sees.

use std::fmt;

use resp::Span;

/// A record longer than this is taken for damage: spans have 32 bits.
pub(crate) const RECORD_BYTES_MAX: usize = u32::MAX as usize;

/// Arguments in one record, at most: what Redis accepts from a client (`INT_MAX`).
const ARGUMENTS_MAX: usize = i32::MAX as usize;

/// What a walk found at the beginning of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// A record of so many bytes.
    Whole(usize),
    /// The beginning of a record, which has at least so many bytes.
    Partial(usize),
}

/// What is wrong at a place in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A byte other than `*` or `#` where a record should begin.
    Start(u8),
    /// Zero bytes where a record should begin: a hole that a crash of the machine left.
    Zeros,
    /// The number behind `*` is none.
    Count,
    /// A byte other than `$` where an argument should begin.
    Argument(u8),
    /// The number behind `$` is none.
    Length,
    /// An argument is not followed by its line end.
    ArgumentEnd,
    /// The record would be larger than records can be.
    TooLarge,
    /// A mark of ours in a form that we do not write.
    Annotation,
    /// An annotation line without an end.
    AnnotationLong,
    /// The segment has a format of a later version.
    Format,
    /// `SELECT` without a database's number.
    Select,
    /// `MULTI` within `MULTI`, or around a mark.
    Nested,
    /// `EXEC` without `MULTI`.
    Exec,
    /// A part of a transaction ends that did not begin, or begins within another.
    Part,
    /// A part that does not name its own shard, or one that does not exist.
    Participants,
    /// A second part of the same transaction.
    PartTwice,
    /// The record breaks off, and whole records follow it: not a torn end.
    BrokenOff,
    /// The file breaks off where it must be whole: it is not the last of its shard.
    Unfinished,
    /// A transaction lacks parts, in a generation that was closed whole.
    Incomplete,
    /// The first line says that the file belongs elsewhere.
    Elsewhere,
    /// The first line is missing.
    NoHeader,
    /// An RDB file, or a segment that begins with one.
    Rdb,
    /// The shards disagree about the commands that concern all of them.
    Disagree,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Start(byte) => return write!(f, "expected a record, found byte {byte:#04x}"),
            Self::Argument(byte) => return write!(f, "expected '$', found byte {byte:#04x}"),
            Self::Zeros => "expected a record, found zero bytes",
            Self::Count => "the number of arguments is not a number",
            Self::Length => "the length of an argument is not a number",
            Self::ArgumentEnd => "an argument is not followed by CR LF",
            Self::TooLarge => "the record is larger than 4 GiB",
            Self::Annotation => "a transaction or epoch mark is malformed",
            Self::AnnotationLong => "an annotation line does not end",
            Self::Format => "the segment was written by a later version",
            Self::Select => "SELECT without a database number",
            Self::Nested => "MULTI within MULTI, or a mark within it",
            Self::Exec => "EXEC without MULTI",
            Self::Part => "the marks of a transaction do not pair up",
            Self::Participants => "a transaction's participants do not include this shard",
            Self::PartTwice => "a transaction has a second part in this segment",
            Self::BrokenOff => "a record breaks off, but whole records follow",
            Self::Unfinished => "the file breaks off, and is not the last of its shard",
            Self::Incomplete => "a transaction is incomplete in a closed generation",
            Self::Elsewhere => "the first line says that this file belongs elsewhere",
            Self::NoHeader => "the first line is not that of a segment",
            Self::Rdb => "the file is in RDB form, which this version does not read as a base",
            Self::Disagree => "the shards disagree about FLUSHALL, FLUSHDB or SWAPDB",
        };
        f.write_str(text)
    }
}

/// Walks the record at the beginning of `input` and adds its arguments' places to `spans`, which
/// the caller has cleared. After anything but [`Walk::Whole`] the spans mean nothing.
pub(crate) fn walk(input: &[u8], spans: &mut Vec<Span>) -> Result<Walk, Fault> {
    let Some((&first, _)) = input.split_first() else { return Ok(Walk::Partial(1)) };
    if first != b'*' {
        return Err(if first == 0 { Fault::Zeros } else { Fault::Start(first) });
    }
    let (count, mut at) = match number_line(input, 1, Fault::Count)? {
        Some((0, _)) => return Err(Fault::Count),
        Some((count, _)) if count > ARGUMENTS_MAX => return Err(Fault::Count),
        Some(found) => found,
        None => return Ok(Walk::Partial(input.len() + 1)),
    };
    for done in 0..count {
        match input.get(at) {
            Some(b'$') => {}
            Some(&other) => return Err(Fault::Argument(other)),
            // Each argument still to come has at least the six bytes of "$0\r\n\r\n".
            None => return partial(at, (count - done).saturating_mul(6)),
        }
        let Some((length, start)) = number_line(input, at + 1, Fault::Length)? else {
            return Ok(Walk::Partial(input.len() + 1));
        };
        let end = start.saturating_add(length);
        if end > RECORD_BYTES_MAX - 2 {
            return Err(Fault::TooLarge);
        }
        match input.get(end..) {
            Some([b'\r', b'\n', ..]) => {}
            Some([] | [b'\r']) | None => return partial(end, 2),
            Some(_) => return Err(Fault::ArgumentEnd),
        }
        // Both fit: checked against RECORD_BYTES_MAX above.
        spans.push(Span { start: start as u32, end: end as u32 });
        at = end + 2;
    }
    Ok(Walk::Whole(at))
}

fn partial(at: usize, more: usize) -> Result<Walk, Fault> {
    match at.checked_add(more) {
        Some(needed) if needed <= RECORD_BYTES_MAX => Ok(Walk::Partial(needed)),
        _ => Err(Fault::TooLarge),
    }
}

/// Reads `digits\r\n` from `at` on: the number, and where the line after it begins. `None` if the
/// input ends first, `fault` if it is anything else.
#[inline]
fn number_line(input: &[u8], at: usize, fault: Fault) -> Result<Option<(usize, usize)>, Fault> {
    // Almost all counts and lengths have one or two digits.
    if let Some(&[first, second, third, fourth]) = input.get(at..).and_then(<[u8]>::first_chunk) {
        let (tens, units) = (first.wrapping_sub(b'0'), second.wrapping_sub(b'0'));
        if tens <= 9 && (second, third) == (b'\r', b'\n') {
            return Ok(Some((usize::from(tens), at + 3)));
        }
        if matches!(tens, 1..=9) && units <= 9 && (third, fourth) == (b'\r', b'\n') {
            return Ok(Some((usize::from(tens) * 10 + usize::from(units), at + 4)));
        }
    }
    long_number_line(input, at, fault)
}

/// The rest of [`number_line`]: numbers of any length, and whatever is none.
fn long_number_line(
    input: &[u8],
    at: usize,
    fault: Fault,
) -> Result<Option<(usize, usize)>, Fault> {
    let mut number = 0_usize;
    let mut cursor = at;
    loop {
        match input.get(cursor) {
            Some(&digit @ b'0'..=b'9') => {
                // 11 digits are beyond RECORD_BYTES_MAX, and a leading zero is nobody's form.
                if cursor - at == 11 || (cursor > at && number == 0) {
                    return Err(fault);
                }
                number = number * 10 + usize::from(digit - b'0');
                cursor += 1;
            }
            Some(b'\r') if cursor > at => break,
            Some(_) => return Err(fault),
            None => return Ok(None),
        }
    }
    match input.get(cursor + 1) {
        Some(b'\n') => Ok(Some((number, cursor + 2))),
        Some(_) => Err(fault),
        None => Ok(None),
    }
}

/// Whether whole records follow somewhere in `tail`, the rest of a file after the place where its
/// last record breaks off. Then the break is damage in the middle, such as a length with a
/// flipped digit, and cutting there would throw good records away.
///
/// Three records in a row behind a line end are taken as proof: a value that holds as much RESP
/// text by chance, torn in just that place, would be refused too, which loses nothing.
pub(crate) fn resumes(tail: &[u8]) -> bool {
    let mut spans = Vec::new();
    let mut from = 1;
    while let Some(found) = find(tail, from, b"\r\n*") {
        let mut at = found + 2;
        let mut whole = 0;
        while whole < 3 {
            spans.clear();
            match walk(&tail[at..], &mut spans) {
                Ok(Walk::Whole(bytes)) => at += bytes,
                _ => break,
            }
            whole += 1;
        }
        if whole == 3 {
            return true;
        }
        from = found + 1;
    }
    false
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let found = bytes.get(from..)?.windows(needle.len()).position(|window| window == needle);
    found.map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(input: &[u8]) -> Result<(Walk, Vec<Vec<u8>>), Fault> {
        let mut spans = Vec::new();
        let walk = walk(input, &mut spans)?;
        let piece = |span: &Span| input[span.start as usize..span.end as usize].to_vec();
        Ok((walk, spans.iter().map(piece).collect()))
    }

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n";

    #[test]
    fn a_record_gives_its_arguments() {
        let mut input = SET.to_vec();
        input.extend_from_slice(b"*1\r\n");
        let (walk, arguments) = walked(&input).unwrap();
        assert_eq!(walk, Walk::Whole(SET.len()));
        assert_eq!(arguments, [b"SET".to_vec(), b"a".to_vec(), b"hello".to_vec()]);
    }

    #[test]
    fn every_beginning_asks_for_more_and_never_too_much() {
        for length in 0..SET.len() {
            let walk = walk(&SET[..length], &mut Vec::new()).unwrap();
            let Walk::Partial(needed) = walk else { panic!("{walk:?} at {length}") };
            assert!(needed > length && needed <= SET.len(), "{needed} at {length}");
        }
    }

    #[test]
    fn every_flipped_byte_of_the_frame_is_a_fault_or_another_length() {
        for at in 0..SET.len() {
            let mut bent = SET.to_vec();
            bent[at] ^= 0x80;
            let payload = [8, 9, 10, 17, 24, 25, 26, 27, 28].contains(&at);
            assert_eq!(walked(&bent).is_ok(), payload, "byte {at}");
        }
    }

    #[test]
    fn faults_are_named() {
        let cases: &[(&[u8], Fault)] = &[
            (b"SET a b\r\n", Fault::Start(b'S')),
            (b"\0\0", Fault::Zeros),
            (b"*0\r\n", Fault::Count),
            (b"*-1\r\n", Fault::Count),
            (b"*01\r\n", Fault::Count),
            (b"*\r\n", Fault::Count),
            (b"*1\rx", Fault::Count),
            (b"*999999999999", Fault::Count),
            (b"*1\r\n:5\r\n", Fault::Argument(b':')),
            (b"*1\r\n$-1\r\n", Fault::Length),
            (b"*1\r\n$03\r\nabc\r\n", Fault::Length),
            (b"*1\r\n$3\r\nabcd\r\n", Fault::ArgumentEnd),
            (b"*1\r\n$99999999999\r\n", Fault::TooLarge),
            (b"*1\r\n$4294967295\r\n", Fault::TooLarge),
        ];
        for (input, fault) in cases {
            assert_eq!(walked(input), Err(*fault), "{}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_flipped_length_is_told_from_a_torn_end() {
        let mut damaged = b"*2\r\n$3\r\nGET\r\n$900\r\nabc\r\n".to_vec();
        assert!(!resumes(&damaged));
        for _ in 0..2 {
            damaged.extend_from_slice(SET);
        }
        assert!(!resumes(&damaged), "two records may be a value");
        damaged.extend_from_slice(SET);
        damaged.extend_from_slice(&SET[..7]);
        assert!(resumes(&damaged));
    }
}
