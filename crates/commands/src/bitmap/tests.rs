use super::COMMANDS;
use crate::fixture::Fixture;
use crate::string::recorded::{check_effects, replay};

/// 210 commands, as Redis replied to them.
#[test]
fn replies_are_those_of_redis() {
    replay(include_str!("tests/recorded.txt"));
}

#[test]
fn effects() {
    check_effects(
        &mut Fixture::new(),
        &[
            ("SETBIT s 0 0", "1; 0 *; new setbit"),
            ("SETBIT s 0 0", "0; ; "),
            ("SETBIT s 0 1", "1; 0 *; setbit"),
            ("SETBIT s 4294967296 1", "0; ; "),
            ("BITFIELD s SET u8 0 128", "0; ; "),
            ("BITFIELD s SET u8 0 129 SET u8 8 0 INCRBY u8 0 1 GET u8 0", "3; 0 *; setbit"),
            ("BITFIELD s SET u8 0 1 GET u8 0", "1; 0 *; setbit"),
            ("BITFIELD s GET u8 0", "0; ; "),
            ("BITFIELD g OVERFLOW FAIL SET u8 8 256", "1; 0 *; new"),
            ("BITOP NOT {s}d s", "1; 0 *; new set"),
            ("BITOP NOT d g", "1; 0 SET d \u{fffd}\u{fffd}; new set"),
            ("BITOP NOT d none", "1; 0 DEL d; keymiss del"),
            ("BITOP NOT d none", "0; ; keymiss"),
        ],
    );
}

/// A bitmap that outgrows its record, set bit by bit and read back.
#[test]
fn a_bitmap_grows_out_of_its_record() {
    let mut fixture = Fixture::new();
    let offsets: Vec<u32> = (0..40).map(|index| index * index * 13).collect();
    for offset in &offsets {
        assert_eq!(fixture.run(&format!("SETBIT b {offset} 1")), ":0\r\n");
    }
    assert_eq!(fixture.run("BITCOUNT b"), ":40\r\n");
    for offset in 0..*offsets.last().expect("there are some") {
        let bit = u8::from(offsets.contains(&offset));
        assert_eq!(fixture.run(&format!("GETBIT b {offset}")), format!(":{bit}\r\n"));
    }
}

#[test]
fn names_are_in_order() {
    let names: Vec<_> = COMMANDS.iter().map(|it| it.spec.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.len(), 7);
}
