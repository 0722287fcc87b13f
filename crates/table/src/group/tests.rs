//! Every implementation against the obvious loop.

use super::{GROUP_BYTES, Matches, matches, portable};
use crate::hash::next_random;

fn naive(group: &[u8; GROUP_BYTES], byte: u8) -> Vec<usize> {
    (0..GROUP_BYTES).filter(|&position| group[position] == byte).collect()
}

#[test]
fn both_find_what_the_loop_finds() {
    let rounds = if cfg!(miri) { 200 } else { 100_000 };
    let mut state = 3;
    for _ in 0..rounds {
        // Few different values, among them neighbours and the high bit: what SWAR gets wrong.
        let palette = [0_u8, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff];
        let group: [u8; GROUP_BYTES] =
            std::array::from_fn(|_| palette[next_random(&mut state) as usize % 8]);
        for byte in palette {
            let expected = naive(&group, byte);
            assert_eq!(matches(&group, byte).collect::<Vec<_>>(), expected);
            assert_eq!(portable::matches(&group, byte).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn first_cuts_off() {
    assert_eq!(Matches(0xffff).first(9).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    assert_eq!(Matches(0xfe00).first(9).next(), None);
}
