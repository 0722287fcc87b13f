//! Sums as Redis prints them; the pairs of `redis.txt` were answered by Redis 7.0.15 on x86-64.

use super::{LongDouble, scale_large, scale_small};

/// `a + b` as INCRBYFLOAT would store it.
fn sum(a: &str, b: &str) -> String {
    let parse = |text: &str| LongDouble::parse(text.as_bytes()).expect(text);
    let sum = parse(a).checked_add(parse(b)).expect("no NaN");
    let mut out = Vec::new();
    sum.push_human(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn sums_of_people() {
    assert_eq!(sum("3.0e3", "200"), "3200");
    assert_eq!(sum("10.5", "0.1"), "10.6");
    assert_eq!(sum("10.6", "-5"), "5.6");
    assert_eq!(sum("0.1", "0.2"), "0.3");
    assert_eq!(sum("1", "-1"), "0");
    assert_eq!(sum("-1e-30", "0"), "0");
    assert_eq!(sum("1e-17", "0"), "0.00000000000000001");
    assert_eq!(sum("0.99999999999999999999", "0"), "1");
    assert_eq!(sum("17179869184", "1.5"), "17179869185.5");
    // a step at 1e20 is 8
    assert_eq!(sum("1e20", "1"), "100000000000000000000");
    assert_eq!(sum("1e19", "1"), "10000000000000000001");
    assert_eq!(sum("18446744073709551615", "1"), "18446744073709551616");
    assert_eq!(sum("0x10", "0x.8p0"), "16.5");
}

#[test]
fn infinities() {
    let parse = |text: &str| LongDouble::parse(text.as_bytes());
    let infinite = parse("-inf").unwrap();
    assert!(!infinite.is_finite());
    assert_eq!(infinite.checked_add(parse("+Infinity").unwrap()), None);
    assert_eq!(infinite.checked_add(parse("5").unwrap()), Some(infinite));
    assert_eq!(parse("5").unwrap().checked_add(infinite), Some(infinite));
    let largest = parse("1.18973149535723176502e4932").unwrap();
    assert!(!largest.checked_add(largest).unwrap().is_finite());
    let mut out = Vec::new();
    infinite.push_human(&mut out);
    assert_eq!(out, b"-inf");
}

#[test]
fn refused_texts() {
    for text in [
        "",
        " 1",
        "1 ",
        "nan",
        "abc",
        "1e5000",
        "-1e4933",
        "1e-5000",
        "1.2e4932",
        "1e-4952",
        "0x",
        "1e",
        "1.2.3",
        "0x1p16384",
        "0x1p-16446",
        "1\0",
        "--1",
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
    }
    let long = |count: usize| "1".repeat(count);
    assert_eq!(LongDouble::parse(long(5120).as_bytes()), None);
    // the tie between zero and the smallest value, and just above it
    assert_eq!(sum("0x1.0000000000000000000000001p-16446", "1"), "1");
    let zeros = "0".repeat(5119);
    assert_eq!(LongDouble::parse(zeros.as_bytes()), Some(LongDouble::ZERO));
}

#[test]
fn an_f64_is_taken_exactly() {
    for (value, text) in [
        (0.1, "0.10000000000000001"),
        (-2.5, "-2.5"),
        (4.9e-324, "0"),
        (1e22, "10000000000000000000000"),
        (0.0, "0"),
    ] {
        let mut out = Vec::new();
        LongDouble::from(value).push_human(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn both_ways_of_reading_agree() {
    let mut state = 1u64;
    for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = (state >> (state % 50)) + 1;
        let power = (state >> 3) as i64 % 55 - 27;
        let small = scale_small(value, power).to_magnitude();
        let large = scale_large(value.to_string().as_bytes(), power).to_magnitude();
        assert_eq!(small, large, "{value}e{power}");
    }
}

#[test]
fn pairs_that_redis_answered() {
    let mut count = 0;
    let lines = include_str!("redis.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines.step_by(if cfg!(miri) { 100 } else { 1 }) {
        let [a, b, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a, b and their sum: {line}");
        };
        assert_eq!(sum(a, b), expected, "{a} + {b}");
        count += 1;
    }
    assert!(count > if cfg!(miri) { 5 } else { 500 });
}
