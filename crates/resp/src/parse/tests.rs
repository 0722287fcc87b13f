//! The parser against streams written by hand, and against a naive one over random streams cut at
//! random places.

use super::{Parser, ProtocolError};
use crate::arguments::{Arguments, Span};
use crate::limits::Limits;

type Command = Vec<Vec<u8>>;

/// Commands with their canonical forms, how much was consumed, and the error that ended it.
type Fed = (Vec<(Command, Vec<u8>)>, usize, Option<ProtocolError>);

/// A small random source: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Feeds `stream` so that it arrives up to each of `cuts`.
fn feed(stream: &[u8], cuts: &[usize], limits: &Limits) -> Fed {
    let mut parser = Parser::new();
    let (mut commands, mut start, mut spans) = (Vec::new(), 0, vec![Span { start: 9, end: 9 }]);
    for &cut in cuts {
        loop {
            let input = &stream[start..cut];
            let consumed = match parser.parse(input, limits, &mut spans) {
                Ok(Some(consumed)) => consumed,
                Ok(None) => {
                    assert_eq!(spans.len(), 1, "an unfinished command leaves no spans");
                    break;
                }
                Err(error) => {
                    assert_eq!(spans.len(), 1, "an error leaves no spans");
                    return (commands, start, Some(error));
                }
            };
            assert!(!parser.is_partial() && parser.needed() == 0);
            let bytes = parser.command(input, consumed);
            let arguments = Arguments::new(bytes, &spans[1..]);
            let command = arguments.iter().map(<[u8]>::to_vec).collect();
            let canonical = if arguments.is_empty() { Vec::new() } else { bytes.to_vec() };
            commands.push((command, canonical));
            spans.truncate(1);
            start += consumed;
        }
    }
    (commands, start, None)
}

fn whole(stream: &[u8]) -> (Vec<Command>, usize, Option<ProtocolError>) {
    let (commands, consumed, error) = feed(stream, &[stream.len()], &Limits::default());
    (commands.into_iter().map(|(command, _)| command).collect(), consumed, error)
}

fn error_of(stream: &[u8]) -> Option<ProtocolError> {
    whole(stream).2
}

fn canonical(command: &[Vec<u8>]) -> Vec<u8> {
    if command.is_empty() {
        return Vec::new();
    }
    let mut out = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// What the parser should do, without any thought of speed or pieces.
fn naive(stream: &[u8], limits: &Limits) -> (Vec<Command>, usize, Option<ProtocolError>) {
    let (mut commands, mut at) = (Vec::new(), 0);
    loop {
        match naive_command(&stream[at..], limits) {
            Ok(Some((command, length))) => {
                commands.push(command);
                at += length;
            }
            Ok(None) => return (commands, at, None),
            Err(error) => return (commands, at, Some(error)),
        }
    }
}

fn naive_command(s: &[u8], limits: &Limits) -> Result<Option<(Command, usize)>, ProtocolError> {
    if s.first() != Some(&b'*') {
        let end = s.iter().position(|&b| b == b'\n');
        let line = &s[..end.unwrap_or(s.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > limits.inline_bytes_max {
            return Err(ProtocolError::InlineTooBig);
        }
        let Some(end) = end else { return Ok(None) };
        let (mut out, mut spans) = (Vec::new(), Vec::new());
        crate::inline::rewrite(line, &mut out, &mut spans)?;
        let command = Arguments::new(&out, &spans).iter().map(<[u8]>::to_vec).collect();
        return Ok(Some((command, end + 1)));
    }
    let line = |at: usize, error| {
        let end = s[at..].iter().position(|&b| b == b'\r').map_or(s.len(), |end| at + end);
        if end - at > limits.inline_bytes_max {
            return Err(error);
        }
        Ok((end + 1 < s.len()).then(|| (&s[at..end], end + 2)))
    };
    let number = |text: &[u8]| {
        let value: i128 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (value.to_string().as_bytes() == text && i64::try_from(value).is_ok()).then_some(value)
    };
    let Some((head, mut at)) = line(0, ProtocolError::MultibulkCountTooBig)? else {
        return Ok(None);
    };
    let count = number(&head[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?;
    if count > i128::from(limits.arguments_max) {
        return Err(ProtocolError::InvalidMultibulkLength);
    }
    if count > 10 && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    let mut command = Vec::new();
    for _ in 0..count {
        let Some((head, next)) = line(at, ProtocolError::BulkCountTooBig)? else {
            return Ok(None);
        };
        let marker = head.first().copied().unwrap_or(b'\r');
        if marker != b'$' {
            return Err(ProtocolError::ExpectedBulk(marker));
        }
        let bytes = number(&head[1..]).ok_or(ProtocolError::InvalidBulkLength)?;
        if bytes < 0 || bytes > i128::from(limits.bulk_bytes_max) {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if bytes > 16_384 && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        let end = next + bytes as usize;
        if end + 2 > s.len() {
            return Ok(None);
        }
        command.push(s[next..end].to_vec());
        at = end + 2;
    }
    Ok(Some((command, at)))
}

/// A stream of some commands, now and then broken.
fn random_stream(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(10) {
            0..=5 => {
                let bulk = |random: &mut Random| -> Vec<u8> {
                    let length = random.pick(&[0, 1, 3, 9, 10, 11, 50, 100, 300]);
                    (0..length).map(|_| random.pick(b"ab\r\n$*0 \0\xff")).collect()
                };
                let count = random.pick(&[1, 2, 3, 9, 10, 12]);
                let command: Command = (0..count).map(|_| bulk(random)).collect();
                stream.extend_from_slice(&canonical(&command));
            }
            6..=7 => {
                for _ in 0..random.below(50) {
                    stream.push(random.pick(b"abcxyz019 \"'\\nx\t"));
                }
                stream.extend_from_slice(random.pick(&[&b"\r\n"[..], b"\n"]));
            }
            8 => stream.extend_from_slice(random.pick(&[
                &b"*0\r\n"[..],
                b"*-1\r\n",
                b"\r\n",
                b"*1\rX$1\r-aZZ",
                b"*2\r\n$1\r\na\r\n$-1\r\n",
                b"*01\r\n",
                b"*99999999999999999999\r\n",
                b"*1\r\n$00000003\r\n",
            ])),
            _ => {
                for _ in 0..random.below(60) {
                    stream.push(random.pick(b"*$\r\n0123456789-+ '\"\\x\0a"));
                }
            }
        }
    }
    for _ in 0..random.pick(&[0, 0, 0, 1, 2]) {
        if !stream.is_empty() {
            let at = random.below(stream.len());
            stream[at] = random.pick(b"*$\r\n0123456789-+ '\"\\x\0a");
        }
    }
    stream
}

#[test]
fn any_split_of_any_stream_reads_as_the_naive_parser_does() {
    let rounds = if cfg!(miri) { 25 } else { 40_000 };
    for seed in 0..rounds {
        let mut random = Random(seed);
        let stream = random_stream(&mut random);
        let limits = Limits {
            bulk_bytes_max: random.pick(&[99, 100, 1 << 29]),
            arguments_max: random.pick(&[10, 11, 1 << 20]),
            inline_bytes_max: random.pick(&[12, 40, 65_536]),
            authenticated: random.below(4) > 0,
        };
        let (commands, consumed, error) = naive(&stream, &limits);
        let expected: Vec<_> = commands
            .into_iter()
            .map(|c| {
                let bytes = canonical(&c);
                (c, bytes)
            })
            .collect();
        let every = random.pick(&[1, 3, 20, 1000]);
        let mut cuts = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            at = (at + 1 + random.below(every)).min(stream.len());
            cuts.push(at);
        }
        let text = stream.escape_ascii().to_string();
        for cuts in [&[stream.len()][..], &cuts] {
            let read = feed(&stream, cuts, &limits);
            assert_eq!(read, (expected.clone(), consumed, error), "seed {seed}: {text}");
        }
    }
}

#[test]
fn pipelined_commands_follow_each_other() {
    let stream = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n*1\r\n";
    let (commands, consumed, error) = whole(stream);
    assert_eq!(
        commands,
        [vec![b"GET".to_vec(), b"k".to_vec()], vec![b"PING".to_vec()], vec![b"QUIT".to_vec()]]
    );
    assert_eq!((consumed, error), (stream.len() - 4, None));
}

#[test]
fn empty_commands_are_consumed() {
    let (commands, consumed, error) = whole(b"*0\r\n*-1\r\n\r\n  \n*-7\r\n");
    assert_eq!(commands, vec![Command::new(); 5]);
    assert_eq!((consumed, error), (19, None));
}

#[test]
fn errors_have_the_texts_of_redis() {
    let long = |start: &str| [start.as_bytes(), &[b'1'; 65_537]].concat();
    for (stream, text) in [
        (&b"*2147483648\r\n"[..], "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1x\n$4\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$04\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*1\r\n\r\n", "expected '$', got '\r'"),
        (b"*1\r\n\0\r\n", "expected '$', got '\0'"),
        (&long(""), "too big inline request"),
        (&long("*"), "too big mbulk count string"),
        (&long("*1\r\n$"), "too big bulk count string"),
        (b"set 'a \"b\r\n", "unbalanced quotes in request"),
    ] {
        let mut read = Vec::new();
        whole(stream).2.expect(text).write_text(&mut read);
        assert_eq!(String::from_utf8(read).unwrap(), text);
    }
}

#[test]
fn bounds_themselves_are_allowed() {
    assert_eq!(error_of(b"*2147483647\r\n"), None);
    assert_eq!(error_of(b"*1\r\n$536870912\r\n"), None);
    assert_eq!(error_of(&[b'a'; 65_536]), None);
}

#[test]
fn strangers_may_send_little() {
    let limits = Limits::default().authenticated(false);
    let error = |stream: &[u8]| feed(stream, &[stream.len()], &limits).2;
    assert_eq!(error(b"*10\r\n"), None);
    assert_eq!(error(b"*11\r\n"), Some(ProtocolError::UnauthenticatedMultibulkLength));
    assert_eq!(error(b"*1\r\n$16384\r\n"), None);
    assert_eq!(error(b"*1\r\n$16385\r\n"), Some(ProtocolError::UnauthenticatedBulkLength));
}

#[test]
fn a_command_beyond_the_reach_of_a_span_is_refused() {
    let limits = Limits { bulk_bytes_max: u64::MAX, ..Limits::default() };
    let error = |stream: &[u8]| feed(stream, &[stream.len()], &limits).2;
    assert_eq!(error(b"*1\r\n$4294967270\r\n"), None);
    assert_eq!(error(b"*1\r\n$4294967293\r\n"), Some(ProtocolError::InvalidBulkLength));
    assert_eq!(error(b"*1\r\n$9223372036854775807\r\n"), Some(ProtocolError::InvalidBulkLength));
}

#[test]
fn canonical_forms_have_exact_line_ends() {
    let sloppy = b"*2\rX$3\r\nGET--$1\r\nkab";
    let (commands, consumed, _) = feed(sloppy, &[sloppy.len()], &Limits::default());
    assert_eq!(
        commands,
        [(vec![b"GET".to_vec(), b"k".to_vec()], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".to_vec())]
    );
    assert_eq!(consumed, sloppy.len());
}

#[test]
fn needed_counts_what_is_missing_of_a_bulk() {
    let (mut parser, mut spans, limits) = (Parser::new(), Vec::new(), Limits::default());
    let mut parse = |input: &[u8]| {
        assert_eq!(parser.parse(input, &limits, &mut spans), Ok(None));
        parser.needed()
    };
    assert_eq!(parse(b"*2\r\n$3"), 0);
    assert_eq!(parse(b"*2\r\n$3\r\n"), 5);
    assert_eq!(parse(b"*2\r\n$3\r\nGET\r"), 1);
    assert_eq!(parse(b"*2\r\n$3\r\nGET\r\n"), 0);
    assert_eq!(parse(b"*2\r\n$3\r\nGET\r\n$1000\r\nabc"), 999);
}

#[test]
fn a_reset_parser_starts_anew() {
    let (mut parser, mut spans, limits) = (Parser::new(), Vec::new(), Limits::default());
    assert_eq!(parser.parse(b"*3\r\n$1\r\na\r\n$", &limits, &mut spans), Ok(None));
    assert!(parser.is_partial());
    parser.reset();
    assert!(!parser.is_partial());
    assert_eq!(parser.parse(b"*1\r\n$1\r\nb\r\n", &limits, &mut spans), Ok(Some(11)));
    assert_eq!(spans, [Span { start: 8, end: 9 }]);
}

/// Quadratic work would take hours here: 1,048,576 arguments in pieces of 7 bytes, and a bulk of
/// 4 MiB byte by byte.
#[test]
#[cfg_attr(miri, ignore)]
fn many_small_pieces_cost_as_much_as_one() {
    let mut stream = b"*1048576\r\n".to_vec();
    (0..1_048_576).for_each(|_| stream.extend_from_slice(b"$1\r\nx\r\n"));
    let cuts: Vec<usize> = (7..stream.len()).step_by(7).chain([stream.len()]).collect();
    let (commands, consumed, error) = feed(&stream, &cuts, &Limits::default());
    assert_eq!((commands[0].0.len(), consumed, error), (1_048_576, stream.len(), None));

    let stream = canonical(&[vec![b'x'; 4 << 20]]);
    let cuts: Vec<usize> = (1..=stream.len()).collect();
    let (commands, consumed, error) = feed(&stream, &cuts, &Limits::default());
    assert_eq!((commands[0].0[0].len(), consumed, error), (4 << 20, stream.len(), None));
}
