use super::recorded::{check_effects, replay};
use super::{COMMANDS, range_within};
use crate::fixture::Fixture;

/// 355 commands, as redis 7.0.15 replied to them.
#[test]
fn replies_are_those_of_redis() {
    replay(include_str!("tests/recorded.txt"));
}

/// A shard in the year 1970, whose moments are easy to read.
fn early_fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.advance(1_000_000 - fixture.now_ms);
    fixture
}

#[test]
fn effects_of_set_and_its_kin() {
    check_effects(
        &mut early_fixture(),
        &[
            ("SET k v", "1; 0 *; new set"),
            ("SET k v EX 100", "1; 0 SET k v PXAT 1100000; set expire"),
            ("SET k v PX 100", "1; 0 SET k v PXAT 1000100; set expire"),
            ("SET k v EXAT 5000", "1; 0 SET k v PXAT 5000000; set expire"),
            ("SET k v PXAT 5000000 NX GET", "0; ; "),
            ("SET k w XX KEEPTTL", "1; 0 *; set"),
            ("SET k w XX GET KEEPTTL", "1; 0 SET k w KEEPTTL; set"),
            ("SET k w GET", "1; 0 SET k w; set"),
            ("SET k w NX", "0; ; "),
            ("SET k w FOO", "0; ; "),
            ("SETNX k w", "0; ; "),
            ("SETNX n w", "1; 0 *; new set"),
            ("SETEX k 100 v", "1; 0 SET k v PXAT 1100000; set expire"),
            ("PSETEX k 100 v", "1; 0 SET k v PXAT 1000100; set expire"),
            ("GETSET k 5", "1; 0 SET k 5; set"),
            ("MSET a 1 b 2", "2; 0 SET a 1, 0 SET b 2; new set new set"),
            ("MSETNX a 1 c 2", "0; ; "),
            ("MSETNX e 1 f 2", "2; 0 SET e 1, 0 SET f 2; new set new set"),
            ("GET none", "0; ; keymiss"),
        ],
    );
}

#[test]
fn effects_of_changes() {
    check_effects(
        &mut early_fixture(),
        &[
            ("SET k 5", "1; 0 *; new set"),
            ("INCR k", "1; 0 *; incrby"),
            ("DECRBY k 3", "1; 0 *; incrby"),
            ("INCRBY new 3", "1; 0 *; new incrby"),
            ("INCRBY k 9223372036854775807", "0; ; "),
            ("INCRBYFLOAT k 1.5", "1; 0 SET k 4.5 KEEPTTL; incrbyfloat"),
            ("APPEND k x", "1; 0 *; append"),
            ("INCR k", "0; ; "),
            ("SETRANGE k 0 \"\"", "0; ; "),
            ("SETRANGE k 0 y", "1; 0 *; setrange"),
            ("SETRANGE z 5 y", "1; 0 *; new setrange"),
            ("GETDEL k", "1; 0 DEL k; del"),
            ("GETDEL k", "0; ; keymiss"),
        ],
    );
}

#[test]
fn effects_of_getex() {
    check_effects(
        &mut early_fixture(),
        &[
            ("SET k v", "1; 0 *; new set"),
            ("GETEX k", "0; ; "),
            ("GETEX k PERSIST", "0; ; "),
            ("GETEX k EX 100", "1; 0 PEXPIREAT k 1100000; expire"),
            ("GETEX k PERSIST", "1; 0 PERSIST k; persist"),
            ("GETEX k PXAT 1000001", "1; 0 PEXPIREAT k 1000001; expire"),
            ("GETEX k PXAT 1000000", "1; 0 DEL k; del"),
            ("GETEX k PXAT 1", "0; ; keymiss"),
        ],
    );
}

#[test]
fn a_key_that_expired_is_gone() {
    let mut fixture = early_fixture();
    fixture.run("SET k v PX 100");
    fixture.advance(101);
    assert_eq!(fixture.run("INCR k"), ":1\r\n");
    assert_eq!(fixture.logged(), ["0 DEL k", "0 *"]);
    assert_eq!(fixture.run("PEXPIRETIME k"), ":-1\r\n");
}

/// Strings around the limits of the forms in which they are stored, grown and cut in place.
#[test]
fn every_form_and_the_way_between_them() {
    let mut fixture = Fixture::new();
    for len in [0, 1, 19, 20, 44, 45, 1023, 1024, 1025, 5000] {
        for more in [0, 1, 1024, 3000] {
            let (head, tail) = ("7".repeat(len), "x".repeat(more));
            let word = |text: &str| if text.is_empty() { "\"\"".into() } else { text.to_owned() };
            let bulk = |text: String| format!("${}\r\n{text}\r\n", text.len());
            fixture.run(&format!("SET k {}", word(&head)));
            assert_eq!(fixture.run("GET k"), bulk(head.clone()));
            fixture.run(&format!("APPEND k {}", word(&tail)));
            assert_eq!(fixture.run("GET k"), bulk(format!("{head}{tail}")));
            fixture.run(&format!("SET k {}", word(&head)));
            fixture.run(&format!("SETRANGE k {} z", len + more));
            assert_eq!(fixture.run("GET k"), bulk(format!("{head}{}z", "\0".repeat(more))));
            assert_eq!(fixture.run("STRLEN k"), format!(":{}\r\n", len + more + 1));
        }
    }
}

#[test]
fn ranges_are_cut_to_what_is_there() {
    assert_eq!(range_within(0, -1, 5), Some((0, 4)));
    assert_eq!(range_within(-3, -2, 5), Some((2, 3)));
    assert_eq!(range_within(-100, 100, 5), Some((0, 4)));
    assert_eq!(range_within(i64::MIN, i64::MAX, 5), Some((0, 4)));
    assert_eq!(range_within(3, 2, 5), None);
    assert_eq!(range_within(5, 6, 5), None);
    assert_eq!(range_within(-1, -5, 5), None);
    assert_eq!(range_within(0, -1, 0), None);
    // As in Redis: an end before the beginning is cut to the first element, and not to nothing.
    assert_eq!(range_within(0, -100, 5), Some((0, 0)));
    assert_eq!(range_within(-100, -90, 5), Some((0, 0)));
    assert_eq!(range_within(-90, -100, 5), None);
}

#[test]
fn names_are_in_order() {
    let names: Vec<_> = COMMANDS.iter().map(|it| it.spec.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.len(), 22);
}
