//! What the table promises beyond being a map: fair samples, scans that survive resizing, memory
//! that goes back, and few bytes a key.

use std::collections::HashMap;

use table::{Expiry, Hasher, POSITION_BITS, Payload, Table};

type Plain = Table<Box<u8>>;

fn key(number: u32) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let digits = number.to_string();
    key[16 - digits.len()..].copy_from_slice(digits.as_bytes());
    key
}

fn insert(table: &mut Plain, number: u32, expiry: Expiry) {
    let key = key(number);
    table.set(table.hash(&key), &key, Payload::Bytes(&[b'v'; 32]), expiry);
}

fn remove(table: &mut Plain, number: u32) -> bool {
    let key = key(number);
    table.remove(table.hash(&key), &key).is_some()
}

fn filled(numbers: std::ops::Range<u32>) -> Plain {
    let mut table = Table::new(Hasher::new(5));
    numbers.for_each(|number| insert(&mut table, number, Expiry::Never));
    table
}

/// Chi-square of counts that should be equal, reduced to standard deviations from its mean.
fn chi_square_deviations(counts: &HashMap<Vec<u8>, u32>, cells: usize, draws: u32) -> f64 {
    let expected = f64::from(draws) / cells as f64;
    let seen: f64 = counts.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    let unseen = (cells - counts.len()) as f64 * expected;
    let degrees = cells as f64 - 1.0;
    (seen + unseen - degrees) / (2.0 * degrees).sqrt()
}

#[test]
#[cfg_attr(miri, ignore = "statistics need more draws than an interpreter makes")]
fn samples_are_uniform() {
    // One segment, a few of one depth, and a few of different depths and sizes.
    for keys in [1_u32, 10, 100, 1_000, 5_000, 12_000] {
        let mut table = filled(0..keys);
        for number in (0..keys).filter(|number| number % 3 == 0) {
            insert(&mut table, number, Expiry::At(1));
        }
        let draws = keys * 100;
        let (mut all, mut expiring) = (HashMap::new(), HashMap::new());
        for draw in 0..draws {
            let random = u64::from(draw).wrapping_mul(0x2545_f491_4f6c_dd1d);
            let sampled = table.sample(random).unwrap();
            *all.entry(sampled.key().to_vec()).or_insert(0) += 1;
            let sampled = table.sample_expiring(random).unwrap();
            *expiring.entry(sampled.key().to_vec()).or_insert(0) += 1;
        }
        let third = keys.div_ceil(3) as usize;
        if keys > 1 {
            let deviations = chi_square_deviations(&all, keys as usize, draws);
            assert!(deviations.abs() < 5.0, "{keys} keys: {deviations} standard deviations");
            let deviations = chi_square_deviations(&expiring, third, draws);
            assert!(deviations.abs() < 5.0, "{keys} keys, expiring: {deviations}");
        }
    }
}

#[test]
fn a_scan_sees_what_stays_exactly_once_while_the_table_grows_and_shrinks() {
    let (stay, come) = if cfg!(miri) { (100, 400) } else { (3_000, 60_000) };
    for shrinking in [false, true] {
        let mut table = filled(0..stay);
        if shrinking {
            (stay..come).for_each(|number| insert(&mut table, number, Expiry::Never));
        }
        let (mut seen, mut position, mut next, mut calls) = (HashMap::new(), 0, stay, 0);
        loop {
            position = table.scan(position, 10, |record| {
                *seen.entry(record.key().to_vec()).or_insert(0) += 1;
            });
            assert!(position >> POSITION_BITS == 0);
            for _ in 0..come / 60 {
                if next < come {
                    if shrinking {
                        assert!(remove(&mut table, next));
                    } else {
                        insert(&mut table, next, Expiry::Never);
                    }
                    next += 1;
                }
            }
            table.maintain(2_000);
            calls += 1;
            if position == 0 {
                break;
            }
        }
        assert!(calls > 3);
        assert!(seen.values().all(|&count| count == 1));
        assert!((0..stay).all(|number| seen.contains_key(key(number).as_slice())));
    }
}

#[test]
fn a_scan_from_any_number_ends() {
    let table = filled(0..500);
    for position in [1 << POSITION_BITS, u64::MAX, (1 << POSITION_BITS) - 1] {
        assert_eq!(table.scan(position, 10, |_| {}), 0);
    }
    assert_eq!(Plain::new(Hasher::new(1)).scan(77, 10, |_| panic!("nothing to see")), 0);
}

#[test]
#[cfg_attr(miri, ignore = "a number of bytes, not a question of validity")]
fn a_key_takes_the_bytes_promised() {
    for keys in [100_000, 137_000, 190_000, 260_000] {
        let table = filled(0..keys);
        let bytes = table.bytes_used() as f64 / f64::from(keys);
        assert!(bytes < 67.0, "{bytes} bytes a key of 16 + 32 bytes");
        let reserved = table.bytes_reserved() as f64 / f64::from(keys);
        assert!(reserved < bytes + 2.0, "{reserved} reserved, {bytes} used");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many records for an interpreter; the model test runs upkeep")]
fn memory_goes_back_after_deletes() {
    let keys = 300_000;
    let mut table = filled(0..keys);
    let before = table.bytes_reserved();
    // Nine of ten, spread over all slabs.
    for number in (0..keys).filter(|number| number.wrapping_mul(0x9e37_79b1) >> 16 >= 6554) {
        assert!(remove(&mut table, number));
    }
    let mut slices = 0;
    while table.maintain(200) {
        slices += 1;
    }
    assert!(slices > 100, "upkeep is done in slices");
    let (share, reserved) = (table.len() as f64 / f64::from(keys), table.bytes_reserved());
    let limit = before as f64 * share * 1.5;
    assert!((reserved as f64) < limit, "{before} bytes fell to {reserved}, {share} of records");
    for number in 0..keys {
        let key = key(number);
        let kept = number.wrapping_mul(0x9e37_79b1) >> 16 < 6554;
        assert_eq!(table.contains(table.hash(&key), &key), kept);
    }
    assert!(!table.maintain(200), "nothing more to do");

    let rest: Vec<_> = (0..keys).filter(|&number| remove(&mut table, number)).collect();
    assert_eq!(rest.len() as f64 / f64::from(keys), share);
    while table.maintain(200) {}
    assert!(table.bytes_used() == 0 && table.bytes_reserved() <= 1 << 16);
}

#[test]
fn a_table_under_drain_refuses_records_and_is_new_afterwards() {
    let mut table = filled(0..if cfg!(miri) { 300 } else { 30_000 });
    assert!(table.drain(10, drop).more);
    for number in 0..300 {
        // One that is still there and one that never was.
        let key = key(number);
        if table.contains(table.hash(&key), &key) {
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                insert(&mut table, number, Expiry::Never);
            }));
            assert!(refused.is_err());
            break;
        }
    }
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        insert(&mut table, 1_000_000, Expiry::Never);
    }));
    assert!(refused.is_err());
    while table.drain(10, drop).more {}
    insert(&mut table, 1, Expiry::Never);
    assert_eq!(table.len(), 1);
}

#[test]
#[cfg_attr(miri, ignore = "too many records for an interpreter; the model test drains")]
fn a_drain_goes_in_slices_to_its_end() {
    const CHUNK_BYTES: usize = 1 << 20;
    let mut table = filled(0..200_000);
    let (mut spent, mut chunks) = (0, 0);
    loop {
        let (len, reserved) = (table.len(), table.bytes_reserved());
        let drained = table.drain(10, drop);
        // A bucket has nine slots, so the second one is begun within a budget of ten.
        assert!(len - table.len() <= 18, "{} records at once", len - table.len());
        let given_back = reserved.saturating_sub(table.bytes_reserved());
        assert!(given_back <= CHUNK_BYTES, "{given_back} bytes at once");
        assert!(drained.spent < 10 + 64, "{drained:?}");
        // Less than this are a segment's buckets, or the directory.
        if given_back > 64 << 10 {
            chunks += 1;
            assert!(drained.spent >= 64, "{drained:?} for {given_back} bytes");
        }
        spent += drained.spent;
        if !drained.more {
            break;
        }
    }
    assert!(chunks > 10 && table.bytes_reserved() == 0, "{chunks} chunks");
    assert!(spent > 200_000, "{spent}");
}

#[test]
fn false_hashes_lose_records_but_nothing_else() {
    let mut table: Plain = Table::new(Hasher::new(9));
    let hash = table.hash(b"the only hash");
    let keys = if cfg!(miri) { 150 } else { 3_000_u32 };
    for number in 0..keys {
        table.set(hash, &key(number), Payload::Int(i64::from(number)), Expiry::Never);
    }
    let mut seen = 0;
    let mut position = 0;
    loop {
        position = table.scan(position, 100, |_| seen += 1);
        if position == 0 {
            break;
        }
    }
    assert!(seen <= keys);
}
