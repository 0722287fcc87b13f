//! The log copies a client's command as `resp::Parser` hands it out. So whatever the parser
//! accepts, however the client spelt it, the log must read back as the same arguments: a record
//! that is acknowledged and then refused at the next start would be lost.

#![allow(clippy::unwrap_used)]

use durability::{
    FsyncPolicy, LogDirectory, LogNames, OpenMode, Progress, Replay, Segment, Storage, TornTail,
    scan,
};
use resp::{Arguments, Limits, Parser};
use testing::MemoryStorage;

/// Pieces of requests, sound and sloppy, that are put together at random.
const PIECES: [&[u8]; 26] = [
    b"*1\r\n",
    b"*2\r\n",
    b"*3\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*02\r\n",
    b"*2\rx",
    b"$1\r\n",
    b"$3\r\n",
    b"$0\r\n",
    b"$03\r\n",
    b"$3\rx",
    b"SET\r\n",
    b"SETxx",
    b"a\r\n",
    b"\r\n",
    b"a",
    b"PING\r\n",
    b"PING a 'b c' \"\\x00\"\r\n",
    b"set k v\n",
    b"\n",
    b"#END 0-1\r\n",
    b"$10\r\n0123456789\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    b"*+1\r\n",
];

/// The commands that the parser finds in a stream: their canonical bytes and their arguments.
fn commands(stream: &[u8]) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
    let (mut parser, mut spans, mut found) = (Parser::new(), Vec::new(), Vec::new());
    let mut input = stream;
    while let Ok(Some(consumed)) = parser.parse(input, &Limits::default(), &mut spans) {
        if !spans.is_empty() {
            let bytes = parser.command(input, consumed);
            let arguments = Arguments::new(bytes, &spans);
            found.push((bytes.to_vec(), arguments.iter().map(<[u8]>::to_vec).collect()));
        }
        input = &input[consumed..];
        spans.clear();
        if input.is_empty() {
            break;
        }
    }
    found
}

#[test]
fn what_the_parser_accepts_the_log_reads_back() {
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    };
    let storage = MemoryStorage::new(0);
    let mut directory = LogDirectory::open(&storage, LogNames::default()).unwrap();
    let plan = directory.plan(Vec::new(), 1, TornTail::Refuse).unwrap();
    let tails = directory.resume(&storage, &plan, 1).unwrap();
    let mut segment = Segment::resume(tails[0].position, FsyncPolicy::No, 0);
    let mut expected = Vec::new();
    for _ in 0..200_000 {
        let stream: Vec<u8> =
            (0..1 + below(8)).flat_map(|_| PIECES[below(PIECES.len())]).copied().collect();
        for (bytes, arguments) in commands(&stream) {
            // The log's own words are never copied from a client.
            segment.record(0, &bytes);
            expected.push(arguments);
        }
    }
    assert!(expected.len() > 20_000, "{}", expected.len());
    let mut file = storage.open(&tails[0].path, OpenMode::Append).unwrap();
    storage.append(&mut file, segment.poll_write(0).unwrap()).unwrap();
    let mut directory = LogDirectory::open(&storage, LogNames::default()).unwrap();
    let sources = directory.segments();
    let indexes = sources.iter().map(|source| scan(&storage, source).unwrap()).collect();
    let plan = directory.plan(indexes, 1, TornTail::Refuse).unwrap();
    directory.resume(&storage, &plan, 1).unwrap();
    let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut replay = Replay::new(&plan, 0, 1);
    let mut step = || {
        replay.step(&storage, 1000, |record| {
            found.push(record.arguments.iter().map(<[u8]>::to_vec).collect());
            Ok(())
        })
    };
    while step().unwrap() == Progress::More {}
    assert_eq!(found.len(), expected.len());
    assert!(found == expected);
}
