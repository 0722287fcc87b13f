//! The keys and values of the scenarios: always the same ones.

use crate::counted::OPERATIONS;

/// Bytes of the value that is set, sent and stored.
pub(crate) const VALUE_BYTES: usize = 64;

/// As many keys as there are operations, of 16 bytes, in an order that is not that of the table.
pub(crate) fn keys(prefix: &str) -> Vec<[u8; 16]> {
    let key = |number| {
        let text = format!("{prefix}:{number:012}");
        text.into_bytes().try_into().expect("three letters, a colon and twelve digits")
    };
    (0..OPERATIONS).map(key).collect()
}

/// A command as a client sends it.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// `GET` of a key.
pub(crate) fn command_get() -> Vec<u8> {
    command(&[b"GET", b"key:000000000042"])
}

/// `SET` of a key to a value of [`VALUE_BYTES`].
pub(crate) fn command_set() -> Vec<u8> {
    command(&[b"SET", b"key:000000000042", &[b'v'; VALUE_BYTES]])
}
