//! Replies of both dialects, whole, in pieces and broken.

use super::{ReplyReader, Value};

const RESP3: &[u8] = b"%2\r\n+a\r\n*2\r\n:1\r\n_\r\n$1\r\nb\r\n~1\r\n#t\r\n";

fn parse(text: &str) -> Value {
    let (value, length) = Value::parse(text.as_bytes()).unwrap().unwrap();
    assert_eq!(length, text.len());
    value
}

#[test]
fn every_type_is_read() {
    assert_eq!(parse("+OK\r\n"), Value::Simple("OK".into()));
    assert_eq!(parse("-ERR x\r\n"), Value::Error("ERR x".into()));
    assert_eq!(parse("!5\r\nERR x\r\n"), Value::Error("ERR x".into()));
    assert_eq!(parse(":-7\r\n"), Value::Integer(-7));
    assert_eq!(parse("$4\r\na\r\nb\r\n"), Value::Bulk(b"a\r\nb".to_vec()));
    assert_eq!(parse("$0\r\n\r\n"), Value::Bulk(Vec::new()));
    for null in ["$-1\r\n", "*-1\r\n", "_\r\n"] {
        assert!(parse(null).is_null());
    }
    assert_eq!(parse("*0\r\n"), Value::Array(Vec::new()));
    assert_eq!(parse(">1\r\n:1\r\n"), Value::Push(vec![Value::Integer(1)]));
    assert_eq!(parse(",1.5\r\n"), Value::Double(1.5));
    assert_eq!(parse(",-inf\r\n"), Value::Double(f64::NEG_INFINITY));
    assert!(matches!(parse(",nan\r\n"), Value::Double(value) if value.is_nan()));
    assert_eq!(parse("#f\r\n"), Value::Boolean(false));
    assert_eq!(parse("(-99\r\n"), Value::BigNumber("-99".into()));
    assert_eq!(parse("=6\r\ntxt:hi\r\n"), Value::Verbatim("txt".into(), b"hi".to_vec()));
    assert_eq!(parse("|1\r\n+k\r\n+v\r\n:3\r\n"), Value::Integer(3));
    let map = parse(std::str::from_utf8(RESP3).unwrap());
    let Value::Map(pairs) = map else { panic!("a map: {map:?}") };
    assert_eq!(pairs[0].1.as_array().unwrap().len(), 2);
    assert_eq!(pairs[1], (Value::Bulk(b"b".to_vec()), Value::Set(vec![Value::Boolean(true)])));
}

#[test]
fn the_reader_finds_the_end_however_the_bytes_come() {
    let replies: [&[u8]; 6] = [
        RESP3,
        b"+OK\r\n",
        b"*0\r\n",
        b"|1\r\n+a\r\n:1\r\n*1\r\n$-1\r\n",
        b"$3\r\nabc\r\n",
        b"%0\r\n",
    ];
    let stream = replies.concat();
    for step in [1, 2, 3, 7, stream.len()] {
        let (mut reader, mut start, mut found) = (ReplyReader::new(), 0, Vec::new());
        let mut arrived = 0;
        while arrived < stream.len() {
            arrived = (arrived + step).min(stream.len());
            while let Some(length) = reader.read(&stream[start..arrived]).unwrap() {
                found.push(&stream[start..start + length]);
                start += length;
            }
        }
        assert_eq!(found, replies, "in steps of {step}");
    }
}

#[test]
fn what_is_incomplete_is_no_value() {
    for end in 0..RESP3.len() {
        assert_eq!(Value::parse(&RESP3[..end]), Ok(None), "{end} bytes");
        assert_eq!(ReplyReader::new().read(&RESP3[..end]), Ok(None), "{end} bytes");
    }
}

#[test]
fn what_is_no_reply_is_refused() {
    for text in [
        "x\r\n",
        "+a\rb",
        ":1x\r\n",
        "$-2\r\n",
        "$1\r\nabc",
        "*x\r\n",
        "%-1\r\n",
        "#x\r\n",
        "_x\r\n",
        ",x\r\n",
        "=2\r\nab\r\n",
    ] {
        assert!(Value::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert_eq!(ReplyReader::new().read(b"*2\r\n:1\r\n$1\r\nabc").unwrap_err().at, 8);
    let deep = "*1\r\n".repeat(10_000);
    assert!(Value::parse(deep.as_bytes()).is_err());
    let (mut reader, endless) = (ReplyReader::new(), b"*9223372036854775807\r\n");
    assert_eq!(reader.read(endless), Ok(None));
}
