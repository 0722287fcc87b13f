//! Inline commands: a line as a human types it into telnet, made into the canonical RESP form.
//!
//! Arguments are separated by blanks. In double quotes `\n \r \t \b \a`, `\xHH` and any other
//! backslashed byte are unescaped; in single quotes only `\'` is. A closing quote must be followed
//! by a blank or the end of the line. A quote may open in the middle of an argument: `a"b c"` is
//! one argument, `ab c`. A NUL byte outside quotes ends the line's arguments, inside quotes it
//! leaves them unbalanced (Redis reads the line as a C string).

use crate::arguments::Span;
use crate::number::push_u64;
use crate::parse::ProtocolError;

/// Writes the command of `line` (without its line end) to `out` as a RESP array and appends the
/// places of its arguments in `out` to `spans`. A blank line writes nothing. On an error `out` and
/// `spans` are as they were.
pub(crate) fn rewrite(
    line: &[u8],
    out: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<(), ProtocolError> {
    let mut text = Vec::with_capacity(line.len());
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(next) = argument(line, at, &mut text)? {
        at = next;
        ends.push(text.len());
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let parts = starts.zip(&ends).map(|(start, &end)| &text[start..end]);
    encode(ends.len(), parts, out, spans);
    Ok(())
}

/// Writes `count` arguments to `out` as a RESP array, with their places there; nothing for none.
pub(crate) fn encode<'a>(
    count: usize,
    arguments: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) {
    if count == 0 {
        return;
    }
    out.push(b'*');
    push_u64(out, count as u64);
    out.extend_from_slice(b"\r\n");
    for argument in arguments {
        out.push(b'$');
        push_u64(out, argument.len() as u64);
        out.extend_from_slice(b"\r\n");
        let start = out.len();
        out.extend_from_slice(argument);
        let place = |at: usize| u32::try_from(at).expect("the parser keeps a command under 4 GiB");
        spans.push(Span { start: place(start), end: place(out.len()) });
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the next argument at or after `line[at]` to `text`; answers where to go on, or nothing
/// at the end of the line.
fn argument(
    line: &[u8],
    mut at: usize,
    text: &mut Vec<u8>,
) -> Result<Option<usize>, ProtocolError> {
    while line.get(at).is_some_and(|&byte| is_space(byte)) {
        at += 1;
    }
    if byte_at(line, at) == 0 {
        return Ok(None);
    }
    loop {
        match byte_at(line, at) {
            0 | b' ' | b'\n' | b'\r' | b'\t' => return Ok(Some(at)),
            b'"' => return double_quoted(line, at + 1, text).map(Some),
            b'\'' => return single_quoted(line, at + 1, text).map(Some),
            byte => text.push(byte),
        }
        at += 1;
    }
}

/// Reads on after an opening `"`; answers the place after the closing one.
fn double_quoted(line: &[u8], mut at: usize, text: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        match byte_at(line, at) {
            0 => return Err(ProtocolError::UnbalancedQuotes),
            b'"' => return closed(line, at + 1),
            b'\\' if byte_at(line, at + 1) != 0 => {
                let hex = |offset| char::from(byte_at(line, at + offset)).to_digit(16);
                if let (b'x', Some(high), Some(low)) = (byte_at(line, at + 1), hex(2), hex(3)) {
                    text.push((high * 16 + low) as u8);
                    at += 4;
                } else {
                    text.push(unescape(byte_at(line, at + 1)));
                    at += 2;
                }
            }
            byte => {
                text.push(byte);
                at += 1;
            }
        }
    }
}

/// Reads on after an opening `'`; answers the place after the closing one.
fn single_quoted(line: &[u8], mut at: usize, text: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        match byte_at(line, at) {
            0 => return Err(ProtocolError::UnbalancedQuotes),
            b'\'' => return closed(line, at + 1),
            b'\\' if byte_at(line, at + 1) == b'\'' => {
                text.push(b'\'');
                at += 2;
            }
            byte => {
                text.push(byte);
                at += 1;
            }
        }
    }
}

/// Checks that the byte after a closing quote separates arguments.
fn closed(line: &[u8], at: usize) -> Result<usize, ProtocolError> {
    let next = byte_at(line, at);
    if next == 0 || is_space(next) { Ok(at) } else { Err(ProtocolError::UnbalancedQuotes) }
}

/// The byte that `\letter` stands for in double quotes.
fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// The byte at `at`, or NUL after the end: a line is read as a C string.
fn byte_at(line: &[u8], at: usize) -> u8 {
    line.get(at).copied().unwrap_or(0)
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::{ProtocolError, rewrite};

    fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let (mut out, mut spans) = (Vec::new(), Vec::new());
        rewrite(line, &mut out, &mut spans)?;
        Ok(spans.iter().map(|s| out[s.start as usize..s.end as usize].to_vec()).collect())
    }

    fn good(line: &[u8], expected: &[&[u8]]) {
        assert_eq!(
            split(line).as_deref(),
            Ok(&expected.iter().map(|e| e.to_vec()).collect::<Vec<_>>()[..])
        );
    }

    #[test]
    fn blanks_separate_and_nothing_is_nothing() {
        good(b"", &[]);
        good(b" \t\x0b\x0c ", &[]);
        good(b"  SET  k\tv ", &[b"SET", b"k", b"v"]);
        // a vertical tab separates only in front of an argument
        good(b"\x0bfoo\x0bbar", &[b"foo\x0bbar"]);
    }

    #[test]
    fn quotes_unescape() {
        good(br#"a "b c" 'd e'"#, &[b"a", b"b c", b"d e"]);
        good(br#""\x41\x4g\n\r\t\b\a\\\"\q""#, &[b"Ax4g\n\r\t\x08\x07\\\"q"]);
        good(br"'\n \' \\ '", &[br"\n ' \\ "]);
        good(br#""" '' a"#, &[b"", b"", b"a"]);
        good(br#"a"b c" d"#, &[b"ab c", b"d"]);
        good(br#""\x00\xff""#, &[b"\0\xff"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [&br#"""#[..], b"'", br#""a"b"#, br"'a'b", br#""a\"#, br#"a "b"#, b"'a\0'"] {
            assert_eq!(split(line), Err(ProtocolError::UnbalancedQuotes), "{line:?}");
        }
    }

    #[test]
    fn a_nul_ends_the_line() {
        good(b"a b\0c d", &[b"a", b"b"]);
        good(b"\0a", &[]);
    }

    #[test]
    fn the_canonical_form_is_a_resp_array() {
        let (mut out, mut spans) = (Vec::new(), Vec::new());
        rewrite(b"get ''", &mut out, &mut spans).unwrap();
        assert_eq!(out, b"*2\r\n$3\r\nget\r\n$0\r\n\r\n");
    }
}
