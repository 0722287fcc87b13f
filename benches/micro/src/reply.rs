//! Writing replies into a connection's output.

use std::hint::black_box;

use resp::{Protocol, Writer};

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::VALUE_BYTES;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "reply/ok", what: "+OK", run: || write(|writer| writer.ok(), 5) },
    Scenario {
        name: "reply/bulk",
        what: "a bulk string of 64 bytes",
        run: || write(|writer| writer.bulk(black_box(&[b'v'; VALUE_BYTES])), 71),
    },
    Scenario { name: "reply/null", what: "null, RESP2", run: || write(|writer| writer.null(), 5) },
    Scenario {
        name: "reply/integer",
        what: ":1234567",
        run: || write(|writer| writer.integer(black_box(1_234_567)), 10),
    },
];

/// Replies of one operation's worth after the other, of `bytes` each, into a buffer that is large
/// enough: growth is the connection's matter.
fn write(reply: fn(&mut Writer<'_>), bytes: usize) {
    let mut out = Vec::with_capacity(OPERATIONS * bytes);
    counted(&mut || {
        for _ in 0..OPERATIONS {
            reply(&mut Writer::new(&mut out, Protocol::Resp2));
        }
    });
    assert_eq!(out.len(), OPERATIONS * bytes);
}
