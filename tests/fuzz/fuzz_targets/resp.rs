//! Bytes of a peer, through everything in `resp` that reads them. The first bytes choose how the
//! rest is cut into pieces.
//!
//! Checked: no panic; pieces read as the whole does; the canonical form of a command reads as the
//! command itself; numbers and replies survive a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Arguments, Limits, LongDouble, Parser, ProtocolError, ReplyReader, Value, number};

type Command = Vec<Vec<u8>>;

fuzz_target!(|input: &[u8]| {
    let Some((choice, stream)) = input.split_first_chunk::<3>() else { return };
    let limits = Limits {
        bulk_bytes_max: [10, 1 << 29][usize::from(choice[0] & 1)],
        inline_bytes_max: [20, 1 << 16][usize::from(choice[0] >> 1 & 1)],
        authenticated: choice[0] & 4 == 0,
        ..Limits::default()
    };
    let pieces = [usize::from(choice[1]) + 1, usize::from(choice[2]) + 1];
    let whole = read(stream, &[usize::MAX, 1], &limits);
    assert_eq!(read(stream, &pieces, &limits), whole);
    replies(stream, pieces[0]);
    numbers(stream);
});

/// The commands in `stream` when it arrives in pieces of the given sizes by turns.
fn read(
    stream: &[u8],
    pieces: &[usize; 2],
    limits: &Limits,
) -> (Vec<Command>, usize, Option<ProtocolError>) {
    let (mut parser, mut spans, mut commands) = (Parser::new(), Vec::new(), Vec::new());
    let (mut start, mut arrived) = (0, 0);
    for piece in pieces.iter().cycle() {
        arrived = stream.len().min(piece.saturating_add(arrived));
        loop {
            let input = &stream[start..arrived];
            let consumed = match parser.parse(input, limits, &mut spans) {
                Ok(Some(consumed)) => consumed,
                Ok(None) => break,
                Err(error) => return (commands, start, Some(error)),
            };
            let bytes = parser.command(input, consumed);
            let arguments = Arguments::new(bytes, &spans);
            let command: Command = arguments.iter().map(<[u8]>::to_vec).collect();
            if !command.is_empty() {
                check_canonical(bytes, &command);
            }
            commands.push(command);
            spans.clear();
            start += consumed;
        }
        if arrived == stream.len() {
            return (commands, start, None);
        }
    }
    unreachable!("the pieces are cycled until all has arrived")
}

/// The canonical form is one command, this one, and nothing else.
fn check_canonical(bytes: &[u8], command: &Command) {
    let (mut parser, mut spans) = (Parser::new(), Vec::new());
    assert_eq!(parser.parse(bytes, &Limits::default(), &mut spans), Ok(Some(bytes.len())));
    assert!(!parser.is_rewritten());
    assert!(Arguments::new(bytes, &spans).iter().eq(command.iter().map(Vec::as_slice)));
}

/// The reader and the tree agree about where replies end, in pieces too.
fn replies(stream: &[u8], piece: usize) {
    let (mut reader, mut start, mut arrived) = (ReplyReader::new(), 0, 0);
    while arrived < stream.len() {
        arrived = stream.len().min(arrived + piece);
        loop {
            match reader.read(&stream[start..arrived]) {
                Ok(None) => break,
                Err(_) => return,
                Ok(Some(length)) => {
                    // the tree refuses what the reader need not look at: deep nesting, a bad number
                    match Value::parse(&stream[start..]) {
                        Ok(Some((_, end))) => assert_eq!(end, length),
                        Ok(None) => panic!("the reader saw a whole reply"),
                        Err(_) => {}
                    }
                    start += length;
                }
            }
        }
    }
}

/// What reads as a number prints as one that reads the same.
fn numbers(text: &[u8]) {
    let mut out = Vec::new();
    if let Some(value) = number::parse_i64(text) {
        number::push_i64(&mut out, value);
        assert_eq!(out, text);
        out.clear();
    }
    if let Some(value) = number::parse_f64(text) {
        number::push_f64(&mut out, value);
        assert_eq!(number::parse_f64(&out).map(f64::to_bits), Some(value.to_bits()));
        out.clear();
    }
    if let Some(value) = LongDouble::parse(text) {
        value.push_human(&mut out);
        assert!(LongDouble::parse(&out).is_some());
        if let Some(double) = value.checked_add(value) {
            out.clear();
            double.push_human(&mut out);
        }
    }
}
