//! A line cut into arguments, and arguments quoted back into a line.
//!
//! The grammar is that of Redis' configuration lines and of its inline commands: blanks separate;
//! `"..."` understands `\xHH`, `\n \r \t \b \a` and `\c` for any other `c`; `'...'` understands
//! `\'` only; a closing quote must be followed by a blank or the end. A NUL byte ends the line, as
//! it ends a C string there.
//!
//! [`quote`] is the inverse: `split(&quote(x)) == [x]` for all bytes, which a property test checks.

/// The arguments of `line`, or `None` when a quote is not closed, or is followed by neither a blank
/// nor the end. An empty or blank line has no arguments.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut arguments = Vec::new();
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let (argument, after) = one(rest)?;
        arguments.push(argument);
        rest = skip_blanks(after);
    }
    Some(arguments)
}

/// `argument` as one argument of a line: as it is where it is plain, else within double quotes.
pub fn quote(argument: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !argument.is_empty() && argument[0] != b'#' && argument.iter().all(plain) {
        return argument.to_vec();
    }
    let mut line = Vec::new();
    quote_always(&mut line, argument);
    line
}

/// Appends an argument between double quotes, as Redis prints it.
pub fn quote_always(line: &mut Vec<u8>, argument: &[u8]) {
    line.push(b'"');
    for byte in argument {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(*byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}

/// The arguments, each quoted where it must be, with a space between.
pub(crate) fn join<T: AsRef<[u8]>>(arguments: &[T]) -> Vec<u8> {
    let quoted: Vec<Vec<u8>> = arguments.iter().map(|one| quote(one.as_ref())).collect();
    quoted.join(&b' ')
}

/// As [`join`], for a list: the loader cuts a list's only argument once more, so one that would not
/// survive that is quoted twice.
pub(crate) fn join_list<T: AsRef<[u8]>>(arguments: &[T]) -> Vec<u8> {
    match arguments {
        [one] if split(one.as_ref()).is_none_or(|cut| cut != [one.as_ref()]) => {
            quote(&quote(one.as_ref()))
        }
        _ => join(arguments),
    }
}

/// Blank in C's `isspace`: space, tab, newline, vertical tab, form feed, carriage return.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| is_blank(**byte)).count();
    &line[blanks..]
}

/// The first argument of `line`, which starts with no blank, and what follows it.
fn one(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut argument = Vec::new();
    let mut rest = line;
    while let [first, after @ ..] = rest {
        match first {
            byte if is_blank(*byte) => break,
            b'"' => return double_quoted(after, argument),
            b'\'' => return single_quoted(after, argument),
            byte => argument.push(*byte),
        }
        rest = after;
    }
    Some((argument, rest))
}

fn double_quoted(mut rest: &[u8], mut argument: Vec<u8>) -> Option<(Vec<u8>, &[u8])> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                argument.push(hex(*high) << 4 | hex(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [b'"', after @ ..] => return closed(after).then_some((argument, after)),
            [byte, after @ ..] => {
                argument.push(*byte);
                after
            }
        };
    }
}

fn single_quoted(mut rest: &[u8], mut argument: Vec<u8>) -> Option<(Vec<u8>, &[u8])> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\\', b'\'', after @ ..] => {
                argument.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return closed(after).then_some((argument, after)),
            [byte, after @ ..] => {
                argument.push(*byte);
                after
            }
        };
    }
}

fn closed(after: &[u8]) -> bool {
    after.first().is_none_or(|byte| is_blank(*byte))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(line: &str) -> Option<Vec<String>> {
        let arguments = split(line.as_bytes())?;
        Some(arguments.iter().map(|one| one.escape_ascii().to_string()).collect())
    }

    #[test]
    fn blanks_separate_and_quotes_hold_together() {
        assert_eq!(strings("  port\t6380 \r\n").unwrap(), ["port", "6380"]);
        assert_eq!(strings(r#"a "b c" 'd e' """#).unwrap(), ["a", "b c", "d e", ""]);
        assert_eq!(strings(r#""\x41\n\q\"" '\'\n'"#).unwrap(), ["A\\nq\\\"", "\\'\\\\n"]);
        assert_eq!(strings(r#""\xzz""#).unwrap(), ["xzz"]);
        assert_eq!(strings(r#"foo"bar""#).unwrap(), ["foobar"]);
        assert_eq!(strings("").unwrap(), Vec::<String>::new());
        assert_eq!(strings("a\0b").unwrap(), ["a"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#"""#, r#""a"#, "'a", r#""a"b"#, "'a'b", r#""a\"#, r#""a\""#] {
            assert_eq!(strings(line), None, "{line}");
        }
    }

    #[test]
    fn every_byte_survives_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&all)).unwrap(), [all.as_slice()]);
        for byte in 0..=255_u8 {
            assert_eq!(split(&quote(&[byte])).unwrap(), [[byte]], "{byte}");
        }
        assert_eq!(split(&quote(b"")).unwrap(), [b""]);
        assert_eq!(quote(b"plain-1"), b"plain-1");
    }
}
