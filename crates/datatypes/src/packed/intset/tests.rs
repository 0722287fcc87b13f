use std::collections::BTreeSet;

use super::{Intset, Malformed};
use crate::packed::samples::bytes_of_hex;
use crate::seeded::random;

#[test]
fn agrees_with_a_tree_set() {
    let mut state = 1;
    for round in 0..if cfg!(miri) { 6 } else { 300 } {
        let mut set = Intset::new();
        let mut twin = BTreeSet::new();
        for _ in 0..100 {
            // narrow ones first, so that all widths are met in turn
            let bits =
                [14, 15, 16, 30, 31, 32, 62, 63][(random(&mut state) % (round % 8 + 1)) as usize];
            let integer = random(&mut state).cast_signed() >> (63 - bits);
            if random(&mut state).is_multiple_of(3) {
                let member = set.get(random(&mut state) as usize % set.len().max(1));
                let integer = member.unwrap_or(integer);
                assert_eq!(set.remove(integer), twin.remove(&integer));
            } else {
                assert_eq!(set.insert(integer), twin.insert(integer));
            }
            assert_eq!(set.contains(integer), twin.contains(&integer));
            assert!(set.iter().eq(twin.iter().copied()));
            assert_eq!(set.len(), twin.len());
            assert_eq!(set.get(twin.len()), None);
            if !set.is_empty() {
                assert_eq!(Intset::from_bytes(set.as_bytes()), Ok(set.clone()));
            }
        }
    }
}

#[test]
fn extremes_fit() {
    let mut set = Intset::new();
    for integer in [0, i64::MAX, i64::MIN, -1, 1] {
        assert!(set.insert(integer));
        assert!(!set.insert(integer));
    }
    assert!(set.iter().eq([i64::MIN, -1, 0, 1, i64::MAX]));
}

/// DUMP of redis 7.0.15 after SADD, without type, length and footer.
#[test]
fn bytes_are_those_of_redis() {
    let samples: [(&[i64], &str); 3] = [
        (&[5, -3, 7], "0200000003000000fdff05000700"),
        (&[70_000, 1, -70_000], "040000000300000090eefeff0100000070110100"),
        (&[5_000_000_000, -1], "0800000002000000ffffffffffffffff00f2052a01000000"),
    ];
    for (integers, hex) in samples {
        let mut set = Intset::new();
        assert!(integers.iter().all(|integer| set.insert(*integer)));
        assert_eq!(set.as_bytes(), bytes_of_hex(hex));
    }
}

#[test]
fn what_is_malformed_is_refused() {
    for hex in [
        "",
        "0200000001000000",             // shorter than it says
        "02000000010000000500ff",       // longer
        "0200000000000000",             // empty
        "03000000010000000500ff",       // no such width
        "02000000020000000500fdff",     // not ascending
        "020000000200000005000500",     // twice
        "08000000ffffffff05000500",     // a length that overflows
        "0200000001000080050005000500", // and a huge one
        "0200000001",
    ] {
        assert_eq!(Intset::from_bytes(&bytes_of_hex(hex)), Err(Malformed), "{hex}");
    }
    let mut state = 5;
    for _ in 0..if cfg!(miri) { 50 } else { 20_000 } {
        let mut bytes = bytes_of_hex("040000000300000090eefeff0100000070110100");
        let at = random(&mut state) as usize % bytes.len();
        bytes[at] = random(&mut state) as u8;
        bytes.truncate(random(&mut state) as usize % 100);
        if let Ok(set) = Intset::from_bytes(&bytes) {
            assert_eq!(set.iter().collect::<BTreeSet<_>>().len(), set.len());
        }
    }
}
