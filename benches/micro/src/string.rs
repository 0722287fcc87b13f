//! How a value is stored: the choice of its form, and what APPEND does to a long one.

use std::hint::black_box;

use datatypes::LongString;
use datatypes::string::stored_string;
use table::Payload;

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::VALUE_BYTES;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "string/form", what: "the form of a value of 64 bytes", run: form },
    Scenario { name: "string/append", what: "64 bytes to a string of some KiB", run: append },
];

const VALUE: [u8; VALUE_BYTES] = [b'v'; VALUE_BYTES];

fn form() {
    let mut embedded = 0;
    counted(&mut || {
        for _ in 0..OPERATIONS {
            let payload = stored_string(black_box(&VALUE));
            embedded += usize::from(matches!(payload, Payload::Bytes(_)));
        }
    });
    assert_eq!(embedded, OPERATIONS);
}

fn append() {
    let mut string = LongString::from(vec![b'v'; 2000]);
    counted(&mut || {
        for _ in 0..OPERATIONS {
            string.append(black_box(&VALUE));
        }
    });
    assert_eq!(string.len(), 2000 + OPERATIONS * VALUE_BYTES);
}
