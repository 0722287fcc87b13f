//! Every type in both dialects.

use super::{Protocol, Writer};
use crate::error::CommandError;

/// What `write` writes in RESP2 and in RESP3.
fn both(write: impl Fn(&mut Writer<'_>)) -> (String, String) {
    let text = |protocol| {
        let mut out = b"+before\r\n".to_vec();
        write(&mut Writer::new(&mut out, protocol));
        String::from_utf8(out).unwrap().strip_prefix("+before\r\n").unwrap().to_owned()
    };
    (text(Protocol::Resp2), text(Protocol::Resp3))
}

fn check(write: impl Fn(&mut Writer<'_>), resp2: &str, resp3: &str) {
    assert_eq!(both(write), (resp2.to_owned(), resp3.to_owned()));
}

fn same(write: impl Fn(&mut Writer<'_>), text: &str) {
    check(write, text, text);
}

#[test]
fn types_of_both_dialects() {
    same(|w| w.ok(), "+OK\r\n");
    same(|w| w.simple("PONG"), "+PONG\r\n");
    same(|w| w.error(&CommandError::Syntax), "-ERR syntax error\r\n");
    same(|w| w.integer(i64::MIN), ":-9223372036854775808\r\n");
    same(|w| w.integer(7), ":7\r\n");
    same(|w| w.count(10), ":10\r\n");
    same(|w| w.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
    same(|w| w.bulk(b""), "$0\r\n\r\n");
    same(|w| w.bulk_integer(-12), "$3\r\n-12\r\n");
    same(|w| w.bulk_with(3, |out| out.extend_from_slice(b"abc")), "$3\r\nabc\r\n");
    same(|w| w.array(12), "*12\r\n");
}

#[test]
fn types_that_only_resp3_has() {
    check(|w| w.null(), "$-1\r\n", "_\r\n");
    check(|w| w.null_array(), "*-1\r\n", "_\r\n");
    check(|w| w.map(3), "*6\r\n", "%3\r\n");
    check(|w| w.set(3), "*3\r\n", "~3\r\n");
    check(|w| w.push(3), "*3\r\n", ">3\r\n");
    check(|w| w.boolean(true), ":1\r\n", "#t\r\n");
    check(|w| w.boolean(false), ":0\r\n", "#f\r\n");
    check(|w| w.double(0.1), "$3\r\n0.1\r\n", ",0.1\r\n");
    check(|w| w.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    check(|w| w.big_number("-123"), "$4\r\n-123\r\n", "(-123\r\n");
    check(|w| w.verbatim(*b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    check(|w| assert_eq!(w.attribute(1), w.protocol() == Protocol::Resp3), "", "|1\r\n");
}

#[test]
fn lengths_can_be_told_late() {
    for len in [0, 1, 9, 10, 100, 12_345] {
        let body = ":5\r\n".repeat(len);
        let (resp2, resp3) = both(|w| {
            let deferred = w.deferred();
            (0..len).for_each(|_| w.integer(5));
            w.end_array(deferred, len);
        });
        assert_eq!(resp2, format!("*{len}\r\n{body}"));
        assert_eq!(resp2, resp3);
    }
    let nested = |w: &mut Writer<'_>| {
        let outer = w.deferred();
        let inner = w.deferred();
        (0..20).for_each(|_| w.integer(1));
        w.end_set(inner, 20);
        w.null();
        w.end_map(outer, 1);
    };
    let body = ":1\r\n".repeat(20);
    check(nested, &format!("*2\r\n*20\r\n{body}$-1\r\n"), &format!("%1\r\n~20\r\n{body}_\r\n"));
}

#[test]
fn a_reply_can_be_taken_back() {
    same(
        |w| {
            let start = w.position();
            w.array(3);
            w.reborrow().bulk(b"x");
            w.truncate(start);
            w.raw(b":1\r\n");
        },
        ":1\r\n",
    );
}
