//! The obvious twin of everything in this folder: a string as a `Vec<bool>`.

use crate::seeded::random;

/// Every bit of `bytes`, in Redis' order.
pub(super) fn bits(bytes: &[u8]) -> Vec<bool> {
    bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)).collect()
}

/// The bytes of an array of bits whose length is a multiple of 8.
pub(super) fn bytes(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
}

/// A number of bits, read as an unsigned integer; beyond the end all bits are clear.
pub(super) fn unsigned(bits: &[bool], offset: usize, width: usize) -> u64 {
    (offset..offset + width)
        .map(|at| bits.get(at).copied().unwrap_or(false))
        .fold(0, |sum, bit| sum << 1 | u64::from(bit))
}

/// Bytes of which about a third are 0, a third are 0xff, and the rest are anything: long runs and
/// edges both occur.
pub(super) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    (0..len)
        .map(|_| match random(&mut state) % 3 {
            0 => 0,
            1 => 0xff,
            _ => random(&mut state).to_le_bytes()[0],
        })
        .collect()
}
