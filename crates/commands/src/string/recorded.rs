//! Texts of commands with the replies that a real Redis gave to them, replayed on a shard.
//!
//! ```text
//! # RESP2: a comment; this one and `# RESP3` choose the dialect of what follows
//! SET k a\x20b
//!     +OK\r\n
//! ```

use std::fmt::Write as _;

use resp::Protocol;

use crate::fixture::Fixture;

/// Replays a text and compares every reply.
pub(crate) fn replay(text: &str) {
    let mut fixture = Fixture::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("# RESP2") {
            fixture.protocol = Protocol::Resp2;
        } else if line.starts_with("# RESP3") {
            fixture.protocol = Protocol::Resp3;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let expected = lines.next().expect("a reply below each command").trim_start();
        assert_eq!(escaped(&run(&mut fixture, line)), expected, "{line}");
    }
}

/// Runs the lines; each must have the effects that stand beside it: the number of changes, what is
/// logged (`*`: the command as it came), and the events.
pub(crate) fn check_effects(fixture: &mut Fixture, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        run(fixture, line);
        assert_eq!(effects(fixture), *expected, "{line}");
    }
}

/// Runs a line; the reply's bytes.
pub(crate) fn run(fixture: &mut Fixture, line: &str) -> Vec<u8> {
    let words: Vec<Vec<u8>> = line.split(' ').map(unescaped).collect();
    fixture.run_words(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// What the last command did besides replying.
fn effects(fixture: &Fixture) -> String {
    let effects = &fixture.effects;
    let events: Vec<_> = effects.events().map(|event| event.name).collect();
    assert_eq!(effects.dirty() > 0, effects.modified_keys().next().is_some(), "{events:?}");
    let (dirty, logged) = (effects.dirty(), fixture.logged().join(", "));
    format!("{dirty}; {logged}; {}", events.join(" "))
}

/// The bytes of a word.
fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = if word == "\"\"" { &[] } else { word.as_bytes() };
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, rest) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).expect("a digit") as u8;
                bytes.push(digit(high) * 16 + digit(low));
                rest = after;
            }
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                rest = after;
            }
            _ => bytes.push(*byte),
        }
    }
    bytes
}

/// A reply as the texts write it.
fn escaped(reply: &[u8]) -> String {
    let mut text = String::new();
    for byte in reply {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string grows"),
        }
    }
    text
}
