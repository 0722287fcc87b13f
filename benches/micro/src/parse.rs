//! Finding a command in a connection's bytes.

use std::hint::black_box;

use resp::{Limits, Parser};

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::{command_get, command_set};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "parse/get", what: "GET of a 16-byte key", run: || whole(&command_get(), 2) },
    Scenario {
        name: "parse/set",
        what: "SET of a 16-byte key to 64 bytes",
        run: || whole(&command_set(), 3),
    },
    Scenario { name: "parse/inline", what: "an inline PING", run: || whole(b"PING\r\n", 1) },
    Scenario {
        name: "parse/halves",
        what: "SET that arrives in two reads",
        run: || halves(&command_set()),
    },
];

/// Parses a command that is all there.
fn whole(command: &[u8], arguments: usize) {
    let (mut parser, limits, mut spans) = (Parser::new(), Limits::default(), Vec::new());
    counted(&mut || {
        for _ in 0..OPERATIONS {
            spans.clear();
            let parsed = parser.parse(black_box(command), &limits, &mut spans);
            assert_eq!(black_box(parsed), Ok(Some(command.len())));
        }
    });
    assert_eq!(spans.len(), arguments);
}

/// Parses a command of which the first read brought a half.
fn halves(command: &[u8]) {
    let (mut parser, limits, mut spans) = (Parser::new(), Limits::default(), Vec::new());
    let half = &command[..command.len() / 2];
    counted(&mut || {
        for _ in 0..OPERATIONS {
            spans.clear();
            assert_eq!(parser.parse(black_box(half), &limits, &mut spans), Ok(None));
            let parsed = parser.parse(black_box(command), &limits, &mut spans);
            assert_eq!(black_box(parsed), Ok(Some(command.len())));
        }
    });
    assert_eq!(spans.len(), 3);
}
