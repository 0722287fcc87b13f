//! Members against a `BTreeMap`, shares included.

use std::collections::{BTreeMap, BTreeSet};

use table::{Hasher, POSITION_BITS};

use super::Members;
use crate::seeded::random;

type Twin<const CARRIED: usize> = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// Texts of every form, from a pool of `pool` different ones.
fn text(number: u64) -> Vec<u8> {
    let number_text = number.to_string().into_bytes();
    match number % 7 {
        0 => number_text,
        1 => format!("-{number}").into_bytes(),
        2 => format!("member:{number}").into_bytes(),
        3 => [&number_text[..], &[b'x'; 63][..63 - number_text.len()]].concat(),
        4 => [&number_text[..], &[b'y'; 64][..64 - number_text.len()]].concat(),
        5 => (number as i64).wrapping_mul(0x0123_4567_89ab_cdef).to_string().into_bytes(),
        _ => [&number_text[..], &[0xff; 700]].concat(),
    }
}

fn contents<const PIECES: usize>(members: &Members<PIECES>) -> Twin<PIECES> {
    let pairs = members.iter().map(|entry| {
        let carried = (1..PIECES).map(|number| entry.piece(number).text().to_vec()).collect();
        (entry.name().text().to_vec(), carried)
    });
    pairs.collect()
}

fn scanned<const PIECES: usize>(members: &Members<PIECES>, budget: usize) -> BTreeSet<Vec<u8>> {
    let (mut all, mut position) = (BTreeSet::new(), 0);
    loop {
        position = members.scan(position, budget, |entry| {
            assert!(all.insert(entry.name().text().to_vec()), "handed over twice");
        });
        assert!(position < 1 << POSITION_BITS);
        if position == 0 {
            return all;
        }
    }
}

/// The heap bytes that are counted along are those that are there.
fn assert_counted<const PIECES: usize>(members: &Members<PIECES>) {
    let mut slots = 0;
    let chunks: usize = members.chunks().map(|chunk| chunk.heap_bytes()).sum();
    for page in members.root().iter() {
        slots += page.heap_bytes() + size_of_val(&**page) + 8;
    }
    assert_eq!(members.heap_bytes(), chunks + slots + members.root().heap_bytes());
    let entries: usize = members.chunks().map(|chunk| chunk.len()).sum();
    assert_eq!(entries, members.len());
}

/// Random operations on members that grow to some `pool / 2` and shrink again.
fn against_the_twin<const PIECES: usize>(seed: u64, pool: u64, steps: usize) {
    let mut state = seed;
    let mut members = Members::<PIECES>::new(Hasher::new(seed));
    let mut twin = Twin::<PIECES>::new();
    let mut shares: Vec<(Members<PIECES>, Twin<PIECES>)> = Vec::new();
    for step in 0..steps {
        let member = text(random(&mut state) % pool);
        // Mostly added in the first half, mostly taken out in the second.
        let added = if step < steps / 2 { 7 } else { 2 };
        if random(&mut state) % 10 < added {
            let carried: Vec<Vec<u8>> =
                (1..PIECES).map(|_| text(random(&mut state) % 1000)).collect();
            let pieces: [&[u8]; PIECES] = std::array::from_fn(|number| match number {
                0 => &member[..],
                _ => &carried[number - 1][..],
            });
            assert_eq!(members.insert(pieces), twin.insert(member, carried).is_none());
        } else {
            assert_eq!(members.remove(&member), twin.remove(&member).is_some());
        }
        let probe = text(random(&mut state) % pool);
        let found = members.find(&probe).map(|entry| entry.name().text().to_vec());
        assert_eq!(found.is_some(), twin.contains_key(&probe));
        assert!(found.is_none_or(|found| found == probe));
        assert_eq!(members.len(), twin.len());
        if step % (steps / 24) == 0 {
            assert_counted(&members);
            let share = members.share();
            assert_eq!(share.heap_bytes(), members.heap_bytes());
            // Written on too: neither sees what is done to the other.
            if let Some((share, of_share)) = shares.last_mut() {
                let carried = vec![b"s".to_vec(); PIECES - 1];
                let pieces = std::array::from_fn(|number| [&b"only here"[..], b"s"][number.min(1)]);
                share.insert(pieces);
                of_share.insert(b"only here".to_vec(), carried);
            }
            shares.push((share, twin.clone()));
        }
        if shares.len() > 5 {
            let (mut share, of_then) = shares.swap_remove((random(&mut state) % 5) as usize);
            assert_eq!(contents(&share), of_then);
            assert_eq!(scanned(&share, 10), of_then.keys().cloned().collect());
            assert_counted(&share);
            while !share.free_slice(3) {}
        }
    }
    for (share, of_then) in shares {
        assert_eq!(contents(&share), of_then);
    }
    assert_eq!(contents(&members), twin);
    for member in twin.keys() {
        assert!(members.remove(member));
    }
    assert_counted(&members);
    assert_eq!((members.len(), members.chunks().count()), (0, 1), "all has been joined again");
}

const STEPS: usize = if cfg!(miri) { 600 } else { 60_000 };

#[test]
fn sets_do_what_a_map_does() {
    against_the_twin::<1>(1, 300, STEPS / 3);
    against_the_twin::<1>(2, 3000, STEPS);
    against_the_twin::<1>(3, 40_000, 2 * STEPS);
}

#[test]
fn maps_do_what_a_map_does() {
    against_the_twin::<2>(4, 300, STEPS / 3);
    against_the_twin::<2>(5, 5000, STEPS);
    against_the_twin::<3>(6, 500, STEPS / 3);
}

#[test]
fn pages_split_and_join() {
    let numbers = if cfg!(miri) { 2000 } else { 300_000 };
    let mut members = Members::<1>::new(Hasher::new(7));
    for number in 0..numbers {
        assert!(members.insert([number.to_string().as_bytes()]));
    }
    assert_counted(&members);
    if !cfg!(miri) {
        assert!(members.root().iter().count() > 8);
    }
    assert_eq!(members.iter().count(), numbers);
    let share = members.share();
    for number in 0..numbers {
        assert!(members.remove(number.to_string().as_bytes()), "{number}");
    }
    assert_counted(&members);
    assert_eq!((members.chunks().count(), members.root().bits()), (1, 0));
    assert_eq!(share.iter().count(), numbers);
    assert_counted(&share);
}

#[test]
fn a_scan_gives_what_is_there_throughout() {
    let mut state = 11;
    for budget in [1, 10, 100, 1000] {
        let mut members = Members::<1>::new(Hasher::new(budget as u64));
        let kept: BTreeSet<Vec<u8>> = (0..2000).map(text).collect();
        kept.iter().for_each(|member| assert!(members.insert([member])));
        let (mut seen, mut position, mut most) = (BTreeSet::new(), 0, 0);
        loop {
            let mut given = 0;
            position = members.scan(position, budget, |entry| {
                given += 1;
                seen.insert(entry.name().text().to_vec());
            });
            most = most.max(given);
            if position == 0 {
                break;
            }
            // It grows to ten times its size meanwhile, and shrinks again.
            for _ in 0..budget * 20 {
                let number = 2000 + random(&mut state) % 20_000;
                let other = text(number);
                if position < 1 << (POSITION_BITS - 1) {
                    members.insert([&other]);
                } else {
                    members.remove(&other);
                }
            }
        }
        assert!(seen.is_superset(&kept));
        assert!(most <= 3 * budget + 12, "{most} for {budget}");
    }
}

/// The statistic of a chi-square test against equal chances, in standard deviations off its mean.
fn unfairness(counts: &[u32]) -> f64 {
    let draws: u32 = counts.iter().sum();
    let expected = f64::from(draws) / counts.len() as f64;
    let chi_square: f64 =
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let degrees = (counts.len() - 1) as f64;
    (chi_square - degrees) / (2.0 * degrees).sqrt()
}

#[test]
fn draws_are_fair() {
    let mut state = 5;
    // One chunk, some, one page about to split, several pages; and after most were taken out.
    for (filled, left) in [(1, 1), (100, 100), (300, 300), (30_000, 30_000), (40_000, 500)] {
        let mut members = Members::<1>::new(Hasher::new(filled));
        (0..filled).for_each(|number| assert!(members.insert([number.to_string().as_bytes()])));
        (left..filled).for_each(|number| assert!(members.remove(number.to_string().as_bytes())));
        let mut counts = vec![0_u32; left as usize];
        let number_of = |text: &[u8]| -> usize {
            std::str::from_utf8(text).expect("it is a number").parse().expect("it is a number")
        };
        for _ in 0..if cfg!(miri) { 100 } else { left * 20 } {
            let entry = members.random(&mut || random(&mut state)).expect("there are some");
            counts[number_of(&entry.name().text())] += 1;
        }
        if left > 1 && !cfg!(miri) {
            let off = unfairness(&counts);
            assert!(off.abs() < 4.5, "{left} of {filled}: {off}");
        }
        for count in [left / 10, left / 2, left, 2 * left] {
            let mut distinct = BTreeSet::new();
            members.random_distinct(count as usize, &mut || random(&mut state), |entry| {
                assert!(distinct.insert(entry.name().text().to_vec()));
            });
            assert_eq!(distinct.len() as u64, count.min(left));
        }
    }
}

#[test]
fn distinct_draws_are_fair() {
    let mut state = 9;
    let mut members = Members::<1>::new(Hasher::new(4));
    (0..400).for_each(|number| assert!(members.insert([number.to_string().as_bytes()])));
    for count in [20, 300] {
        let mut counts = [0_u32; 400];
        for _ in 0..if cfg!(miri) { 1 } else { 500 } {
            members.random_distinct(count, &mut || random(&mut state), |entry| {
                let text = entry.name().text();
                let number: usize =
                    std::str::from_utf8(&text).expect("a number").parse().expect("a number");
                counts[number] += 1;
            });
        }
        // Without repetition counts differ less than the test expects: only too much is a fault.
        assert!(unfairness(&counts) < 4.5);
    }
}

#[test]
fn an_empty_one_has_nothing() {
    let mut members = Members::<1>::new(Hasher::new(1));
    assert!(members.random(&mut || 7).is_none());
    assert!(!members.remove(b""));
    assert!(members.insert([b""]));
    assert!(members.find(b"").is_some());
    assert_eq!(scanned(&members, 1).len(), 1);
}

#[test]
fn it_is_freed_in_slices_and_may_travel() {
    fn travels<T: Send + Sync>(_: &T) {}
    let mut members = Members::<1>::new(Hasher::new(1));
    for number in 0..20_000 {
        members.insert([&text(number)]);
    }
    travels(&members);
    let share = members.share();
    let of_share = contents(&share);
    let chunks = members.chunks().count();
    let mut calls = 1;
    while !members.free_slice(10) {
        calls += 1;
    }
    assert!(calls <= chunks / 10 + 2, "shared pages go as one");
    let thread = std::thread::spawn(move || contents(&share) == of_share);
    assert!(thread.join().expect("it does not panic"));
}
