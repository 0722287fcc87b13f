//! Encodings where Redis changes them, and every operation against a `BTreeSet`.

use std::collections::BTreeSet;

use table::Hasher;

use super::{Limits, Set};
use crate::seeded::random;

fn limits() -> Limits {
    Limits {
        intset_entries_max: 512,
        listpack_entries_max: 128,
        listpack_value_bytes_max: 64,
        hasher: Hasher::new(3),
    }
}

fn of(members: &[&str], limits: &Limits) -> Set {
    let mut set = Set::new(members[0].as_bytes(), 1, limits);
    members.iter().for_each(|member| {
        set.insert(member.as_bytes(), limits);
    });
    set
}

#[test]
fn encodings_change_where_redis_changes_them() {
    let limits = limits();
    let long = "x".repeat(65);
    for (members, encoding) in [
        (&["1", "-7", "9223372036854775807"][..], "intset"),
        (&["1", "two"], "listpack"),
        (&["two", "1"], "listpack"),
        (&["01"], "listpack"),
        (&["1", &long], "hashtable"),
        (&[&long], "hashtable"),
        (&[&long[1..]], "listpack"),
    ] {
        assert_eq!(of(members, &limits).encoding(), encoding, "{members:?}");
    }
    // So many integers, and what comes then.
    for (integers, with_integer, with_text) in [
        (127, "intset", "listpack"),
        (128, "intset", "hashtable"),
        (511, "intset", "hashtable"),
        (512, "hashtable", "hashtable"),
    ] {
        let texts: Vec<String> = (0..integers).map(|number| number.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut set = of(&texts, &limits);
        set.insert(b"0", &limits);
        assert_eq!(set.encoding(), "intset", "what is there already changes nothing");
        let mut share = set.share();
        assert!(share.insert(b"99999", &limits) && set.insert(b"text", &limits));
        assert_eq!((share.encoding(), set.encoding()), (with_integer, with_text), "{integers}");
        assert!(set.len() == integers + 1 && set.contains(b"0") && !set.contains(b"99999"));
    }
    let texts: Vec<String> = (0..128).map(|number| format!("m{number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut set = of(&texts, &limits);
    assert!(!set.insert(b"m5", &limits));
    assert_eq!(set.encoding(), "listpack");
    assert!(set.insert(b"one more", &limits));
    assert_eq!((set.encoding(), set.len()), ("hashtable", 129));
    assert!(set.remove(b"one more"));
    assert_eq!(set.encoding(), "hashtable", "there is no way back");
}

#[test]
fn limits_are_those_of_the_moment() {
    let mut limits = limits();
    let mut set = of(&["a", "b"], &limits);
    limits.listpack_entries_max = 2;
    assert!(!set.insert(b"a", &limits));
    assert_eq!(set.encoding(), "listpack");
    assert!(set.insert(b"c", &limits));
    assert_eq!(set.encoding(), "hashtable");
    limits.intset_entries_max = 0;
    assert_eq!(Set::new(b"1", 1, &limits).encoding(), "listpack");
    // A set of the very members chooses by how many they are.
    let members = [&b"1"[..], b"2", b"3"];
    let encoding = |limits: &Limits| Set::of(members.iter().copied(), limits).encoding();
    assert_eq!(encoding(&limits), "hashtable");
    limits.listpack_entries_max = 3;
    assert_eq!(encoding(&limits), "listpack");
    limits.intset_entries_max = 3;
    assert_eq!(encoding(&limits), "intset");
}

#[test]
fn every_encoding_does_what_a_tree_set_does() {
    let limits = limits();
    let rounds = if cfg!(miri) { 2 } else { 60 };
    let mut state = 1;
    let mut seen = BTreeSet::new();
    for round in 0..rounds {
        let pool = [20, 200, 2000][round % 3];
        let texts = round % 2 == 0;
        let form = |number: u64| -> Vec<u8> {
            if texts && number.is_multiple_of(3) {
                return format!("text {number}").into_bytes();
            }
            number.to_string().into_bytes()
        };
        let mut set = Set::new(&form(1), 1, &limits);
        let mut twin = BTreeSet::new();
        let mut share = (set.share(), twin.clone());
        for _ in 0..if cfg!(miri) { 100 } else { 2000 } {
            let member = form(random(&mut state) % pool);
            match random(&mut state) % 5 {
                0 | 1 => assert_eq!(set.insert(&member, &limits), twin.insert(member)),
                2 => assert_eq!(set.remove(&member), twin.remove(&member)),
                3 => assert_eq!(set.contains(&member), twin.contains(&member)),
                _ => {
                    let random_member = set.random(&mut || random(&mut state));
                    let drawn = random_member.map(|member| member.text().to_vec());
                    assert_eq!(drawn.is_none(), twin.is_empty());
                    assert!(drawn.is_none_or(|drawn| twin.contains(&drawn)));
                }
            }
            assert_eq!(set.len(), twin.len());
            seen.insert(set.encoding());
            if random(&mut state).is_multiple_of(200) {
                let mut of_then = BTreeSet::new();
                share.0.for_each(|member| assert!(of_then.insert(member.text().to_vec())));
                assert_eq!(of_then, share.1);
                share = (set.share(), twin.clone());
                assert!(share.0 == set && (share.0 != of(&["other"], &limits) || twin.is_empty()));
            }
        }
        for count in [1, 5, twin.len() / 2, twin.len() + 1] {
            let mut drawn = BTreeSet::new();
            set.random_distinct(count, &mut || random(&mut state), |member| {
                assert!(drawn.insert(member.text().to_vec()));
            });
            assert!(drawn.is_subset(&twin) && drawn.len() == count.min(twin.len()));
        }
        while let Some(member) = set.pop(&mut || random(&mut state)) {
            assert!(twin.remove(&member));
        }
        assert!(twin.is_empty() && set.is_empty());
    }
    assert_eq!(seen.len(), if cfg!(miri) { 2 } else { 3 });
}
