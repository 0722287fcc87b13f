//! What the tests of packed encodings and of what is made of them start from.

use crate::seeded::random;

/// The bytes that `hex` spells.
pub(crate) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// A value of any encoding: integers of all widths, strings of all lengths, what only looks like
/// an integer.
pub(crate) fn random_value(state: &mut u64) -> Vec<u8> {
    match random(state) % 8 {
        0..=3 => (random(state).cast_signed() >> (random(state) % 64)).to_string().into_bytes(),
        4 => [&b"-0"[..], b"007", b"", b"+1", b"9223372036854775808"][random(state) as usize % 5]
            .to_vec(),
        5 => vec![random(state) as u8; (random(state) % 300) as usize],
        6 if random(state).is_multiple_of(8) && !cfg!(miri) => {
            vec![random(state) as u8; (random(state) % 20_000) as usize]
        }
        _ => format!("element:{}", random(state) % 1000).into_bytes(),
    }
}
