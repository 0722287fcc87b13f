//! Annotation lines: what a segment says beside its commands, in lines that stock tools skip.
//!
//! ```text
//! #BOBBIN 1 generation 2 shard 3 shards 8\r\n     first line of a segment (format 1)
//! #TXN 3-17 a\r\n                                 a part of transaction 3-17 begins; its
//!                                                 participants are shards 1 and 3 (0xa)
//! #END 3-17\r\n                                   that part is whole
//! #EPOCH 5\r\n                                    everything before belongs to epoch 5 or less
//! ```
//!
//! A line is at most [`LINE_BYTES_MAX`] long, because Redis reads annotations into a buffer of
//! that size and would take the rest of a longer one for a damaged record. Lines that begin with
//! another word (`#TS:` of Redis' `aof-timestamp-enabled`) carry nothing for us and are skipped.

use crate::record::Fault;
use crate::transaction::{Participants, TransactionId};

/// What Redis' `AOF_ANNOTATION_LINE_MAX_LEN` leaves for a line with its end.
pub(crate) const LINE_BYTES_MAX: usize = 1023;

/// The version of the segment format.
const FORMAT: u64 = 1;

/// What the first line of a segment says: where it belongs, whatever the file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) generation: u64,
    pub(crate) shard: u16,
    pub(crate) shards: u16,
}

impl Header {
    /// Appends the line.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let Self { generation, shard, shards } = self;
        let line =
            format!("#BOBBIN {FORMAT} generation {generation} shard {shard} shards {shards}\r\n");
        out.extend_from_slice(line.as_bytes());
    }
}

/// Whether a file of these bytes says nothing yet: it is empty, or has (a beginning of) a header
/// and nothing behind it.
pub(crate) fn is_bare(bytes: &[u8]) -> bool {
    let word = b"#BOBBIN ";
    let known = bytes.len().min(word.len());
    let line_end = bytes.iter().position(|&byte| byte == b'\n');
    bytes[..known] == word[..known] && line_end.is_none_or(|end| end + 1 == bytes.len())
}

/// One annotation, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Annotation {
    Header(Header),
    Begin(TransactionId, Participants),
    End(TransactionId),
    Epoch(u64),
    Other,
}

impl Annotation {
    /// Reads a line, without its end. A known word in an unknown form is a fault.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Fault> {
        let mut words = line.split(|&byte| byte == b' ');
        let word = words.next().unwrap_or_default();
        let parsed = match word {
            b"#BOBBIN" => return parse_header(line),
            b"#TXN" => words.next().and_then(parse_id).and_then(|id| {
                let set = words.next().and_then(Participants::from_hex)?;
                Some(Self::Begin(id, set))
            }),
            b"#END" => words.next().and_then(parse_id).map(Self::End),
            b"#EPOCH" => words.next().and_then(parse_number).map(Self::Epoch),
            _ => return Ok(Self::Other),
        };
        parsed.filter(|_| words.next().is_none()).ok_or(Fault::Annotation)
    }
}

fn parse_header(line: &[u8]) -> Result<Annotation, Fault> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let &[_, format, b"generation", generation, b"shard", shard, b"shards", shards] = &words[..]
    else {
        // A later format may say more; an unknown version is told apart from a damaged line.
        let format = words.get(1).copied().and_then(parse_number);
        let later = format.is_some_and(|format| format > FORMAT);
        return Err(if later { Fault::Format } else { Fault::Annotation });
    };
    if parse_number(format).ok_or(Fault::Annotation)? != FORMAT {
        return Err(Fault::Format);
    }
    let small = |text| parse_number(text).and_then(|number| u16::try_from(number).ok());
    let header = || {
        let generation = parse_number(generation)?;
        Some(Header { generation, shard: small(shard)?, shards: small(shards)? })
    };
    header().map(Annotation::Header).ok_or(Fault::Annotation)
}

fn parse_id(text: &[u8]) -> Option<TransactionId> {
    let dash = text.iter().position(|&byte| byte == b'-')?;
    let home = u16::try_from(parse_number(&text[..dash])?).ok()?;
    let counter = parse_number(&text[dash + 1..])?;
    (counter <= TransactionId::COUNTER_MAX).then(|| TransactionId::new(home, counter))
}

/// A decimal number without sign or leading zeros.
fn parse_number(text: &[u8]) -> Option<u64> {
    let canonical = text == b"0" || matches!(text.first(), Some(b'1'..=b'9'));
    if !canonical || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Appends `#TXN id participants`.
pub(crate) fn write_begin(out: &mut Vec<u8>, id: TransactionId, participants: &Participants) {
    out.extend_from_slice(b"#TXN ");
    write_id(out, id);
    out.push(b' ');
    participants.write_hex(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends `#END id`.
pub(crate) fn write_end(out: &mut Vec<u8>, id: TransactionId) {
    out.extend_from_slice(b"#END ");
    write_id(out, id);
    out.extend_from_slice(b"\r\n");
}

/// Appends `#EPOCH number`.
pub(crate) fn write_epoch(out: &mut Vec<u8>, epoch: u64) {
    out.extend_from_slice(b"#EPOCH ");
    write_number(out, epoch);
    out.extend_from_slice(b"\r\n");
}

fn write_id(out: &mut Vec<u8>, id: TransactionId) {
    write_number(out, u64::from(id.home()));
    out.push(b'-');
    write_number(out, id.counter());
}

/// Appends a number in decimal digits, without the allocation of `to_string`.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Annotation, Fault> {
        Annotation::parse(text.as_bytes())
    }

    #[test]
    fn lines_read_back() {
        let id = TransactionId::new(3, 17);
        let set: Participants = [1, 3].into_iter().collect();
        let header = Header { generation: 2, shard: 3, shards: 8 };
        let mut out = Vec::new();
        header.write(&mut out);
        write_begin(&mut out, id, &set);
        write_end(&mut out, id);
        write_epoch(&mut out, u64::MAX);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "#BOBBIN 1 generation 2 shard 3 shards 8\r\n#TXN 3-17 a\r\n#END 3-17\r\n\
             #EPOCH 18446744073709551615\r\n"
        );
        let read: Vec<_> = text.lines().map(|line| parse(line).unwrap()).collect();
        let expected = [
            Annotation::Header(header),
            Annotation::Begin(id, set),
            Annotation::End(id),
            Annotation::Epoch(u64::MAX),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn the_longest_line_fits() {
        let set: Participants = (0..crate::SHARDS_MAX).collect();
        let mut out = Vec::new();
        write_begin(&mut out, TransactionId::new(u16::MAX, TransactionId::COUNTER_MAX), &set);
        assert!(out.len() <= LINE_BYTES_MAX, "{}", out.len());
    }

    #[test]
    fn other_words_are_skipped_and_bent_ones_refused() {
        for text in ["#", "#TS:1700000000", "# free text", "#TXNS 1"] {
            assert_eq!(parse(text), Ok(Annotation::Other), "{text}");
        }
        let bent = [
            "#TXN",
            "#TXN 1",
            "#TXN 1-2",
            "#TXN 1-2 0x3",
            "#TXN 1-2 3 4",
            "#TXN -1 3",
            "#END",
            "#END 1-",
            "#END 01-2",
            "#EPOCH",
            "#EPOCH -1",
            "#EPOCH 1 2",
            "#BOBBIN",
            "#BOBBIN 1",
            "#BOBBIN 1 generation 1 shard 0 shards 99999",
            "#END 0-281474976710656",
        ];
        for text in bent {
            assert_eq!(parse(text), Err(Fault::Annotation), "{text}");
        }
        assert_eq!(parse("#BOBBIN 2 anything"), Err(Fault::Format));
        assert_eq!(parse("#BOBBIN 2 generation 1 shard 0 shards 1"), Err(Fault::Format));
    }

    #[test]
    fn bare_files_are_told_from_used_ones() {
        for bare in ["", "#BOB", "#BOBBIN 1 gen", "#BOBBIN 1 generation 1 shard 0 shards 1\r\n"] {
            assert!(is_bare(bare.as_bytes()), "{bare:?}");
        }
        for used in ["*1\r\n", "#BOBBIN 1\r\n*", "#TXN 0-1 3\r\n", "\0"] {
            assert!(!is_bare(used.as_bytes()), "{used:?}");
        }
    }
}
