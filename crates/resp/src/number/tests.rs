//! Numbers at their edges.

use super::{parse_f64, parse_i64, parse_u64, push_f64, push_i64, push_u64};

#[test]
fn integers_have_one_spelling() {
    for value in [0, 1, -1, 9, 10, 99, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
        let text = value.to_string();
        assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
        let mut out = Vec::new();
        push_i64(&mut out, value);
        assert_eq!(out, text.as_bytes());
    }
    for text in [
        "",
        "-",
        "+1",
        "01",
        "-0",
        "-01",
        " 1",
        "1 ",
        "1a",
        "a",
        "1.0",
        "0x1",
        "--1",
        "00",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "12345678901234567890123",
    ] {
        assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn unsigned_integers_reach_their_end() {
    for value in [0, 9, 10, u64::MAX] {
        assert_eq!(parse_u64(value.to_string().as_bytes()), Some(value));
        let mut out = Vec::new();
        push_u64(&mut out, value);
        assert_eq!(out, value.to_string().as_bytes());
    }
    for text in ["", "-1", "01", "18446744073709551616", "99999999999999999999", "1x"] {
        assert_eq!(parse_u64(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn floats_are_read_as_strtod_does() {
    for (text, value) in [
        ("0", 0.0),
        ("-0", -0.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("+1e3", 1000.0),
        ("1E-2", 0.01),
        ("inf", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
        ("0e-999", 0.0),
        ("4.9e-324", 4.9e-324),
        ("1.7976931348623157e308", f64::MAX),
        ("0x10", 16.0),
        ("0x1.8p1", 3.0),
        ("-0X.8", -0.5),
        ("0x1p-1074", 4.9e-324),
        ("0x1.8p-1074", 1e-323),
        ("0x0.8000000000000000000000000000000000001p-1074", 4.9e-324),
        ("0x1.fffffffffffff7p1023", f64::MAX),
        ("0x1.00000000000008000000000000000000000000000000001p0", 1.0 + f64::EPSILON),
        ("0x1.00000000000008p0", 1.0),
        ("0x0p99999", 0.0),
    ] {
        assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{text}");
    }
    for text in [
        "",
        "nan",
        "-NaN",
        "nan(1)",
        " 1",
        "1 ",
        "1e",
        "e1",
        ".",
        "-",
        "1e400",
        "-1e400",
        "1e-400",
        "0x",
        "0xg",
        "0x1p",
        "0x1p1024",
        "0x1p-1076",
        "0x1p-1075",
        "1_0",
        "1,5",
        "infi",
        "in",
        "0x1.fffffffffffff8p1023",
        "1\0",
        "0x.p1",
        "+-1",
        "\u{661}",
    ] {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse_f64(b"\xff"), None);
}

#[test]
fn floats_are_printed_as_redis_does() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (-3.0, "-3"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-1.5, "-1.5"),
        (123_456.789, "123456.789"),
        (1e15, "1000000000000000"),
        (4_503_599_627_370_496.0, "4503599627370496"),
        (1e17, "100000000000000000"),
        (4e18, "4000000000000000000"),
        (1e20, "1e+20"),
        (4e23, "399999999999999970000000"),
        (123_456_789_012_345_680.0, "123456789012345680"),
        (12_345_678_901_234_567_000.0, "12345678901234567000"),
        (1.5e300, "1.5e+300"),
        (1e-5, "0.00001"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (-1.25e-10, "-1.25e-10"),
        (0.000_123, "0.000123"),
        (std::f64::consts::PI, "3.141592653589793"),
        (f64::MAX, "1.7976931348623157e+308"),
        (4.9e-324, "5e-324"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        let mut out = Vec::new();
        push_f64(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn floats_that_servers_printed() {
    let mut count = 0;
    let lines = include_str!("redis.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines.step_by(if cfg!(miri) { 100 } else { 1 }) {
        let (value, text) = line.split_once(' ').unwrap();
        let mut out = Vec::new();
        push_f64(&mut out, parse_f64(value.as_bytes()).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), text, "{value}");
        count += 1;
    }
    assert!(count > if cfg!(miri) { 5 } else { 500 });
}
