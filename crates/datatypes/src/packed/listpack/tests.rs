use super::{Entry, LISTPACK_BYTES_MIN, Listpack, Malformed, UNKNOWN};
use crate::packed::samples::{bytes_of_hex, random_value};
use crate::seeded::random;

/// That `listpack` holds the values of `twin`, read in every way.
fn assert_same(listpack: &Listpack, twin: &[Vec<u8>]) {
    assert_eq!(listpack.len(), twin.len());
    assert!(listpack.iter().map(|entry| entry.text().to_vec()).eq(twin.iter().cloned()));
    assert!(
        listpack.iter().rev().map(|entry| entry.text().to_vec()).eq(twin.iter().rev().cloned())
    );
    let (mut at, mut forward) = (listpack.first(), 0);
    while let Some(position) = at {
        assert_eq!(listpack.seek(forward), at);
        assert_eq!(
            listpack.next(position).and_then(|next| listpack.previous(next)),
            listpack.next(position).map(|_| position)
        );
        (at, forward) = (listpack.next(position), forward + 1);
    }
    assert_eq!((forward, listpack.seek(forward)), (twin.len(), None));
    // what was written passes the check of what comes from outside
    assert_eq!(Listpack::from_bytes(listpack.as_bytes()).as_ref(), Ok(listpack));
}

#[test]
fn agrees_with_a_vector() {
    let mut state = 7;
    for _ in 0..if cfg!(miri) { 3 } else { 150 } {
        let mut listpack = Listpack::new();
        let mut twin: Vec<Vec<u8>> = Vec::new();
        for _ in 0..60 {
            let value = random_value(&mut state);
            let index = random(&mut state) as usize % (twin.len() + 1);
            let at = listpack.seek(index);
            match (random(&mut state) % 9, at) {
                (0, _) => (listpack.push_front(&value), twin.insert(0, value)).1,
                (1, _) => (listpack.push_back(&value), twin.push(value)).1,
                (2..=4, _) => {
                    let position = listpack.insert(at, Entry::of(&value));
                    assert_eq!(listpack.get(position), *value.as_slice());
                    twin.insert(index, value);
                }
                (5, Some(position)) => {
                    listpack.replace(position, Entry::of(&value));
                    twin[index] = value;
                }
                (6, Some(position)) => {
                    let next = listpack.remove(position);
                    twin.remove(index);
                    assert_eq!(next, listpack.seek(index));
                }
                (7, Some(position)) => {
                    let count = random(&mut state) as usize % 6;
                    let next = listpack.remove_range(position, count);
                    twin.drain(index..(index + count).min(twin.len()));
                    assert_eq!(next, listpack.seek(index));
                }
                _ => {
                    let mut tail = listpack.split_off(index);
                    let twin_tail = twin.split_off(index);
                    assert_same(&tail, &twin_tail);
                    tail.append(&listpack);
                    listpack = tail;
                    twin.splice(0..0, twin_tail);
                }
            }
            assert_same(&listpack, &twin);
        }
    }
}

#[test]
fn finds_what_is_there() {
    let mut state = 3;
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let twin: Vec<_> = (0..30).map(|_| random_value(&mut state)).collect();
        let mut listpack = Listpack::new();
        twin.iter().for_each(|value| listpack.push_back(value));
        let others: Vec<_> = (0..5).map(|_| random_value(&mut state)).collect();
        for value in twin.iter().chain(&others) {
            for skip in 0..3 {
                let start = random(&mut state) as usize % twin.len();
                let position = listpack.seek(start).expect("it is there");
                let found =
                    (start..twin.len()).step_by(skip + 1).find(|index| twin[*index] == *value);
                assert_eq!(
                    listpack.find(position, value, skip),
                    found.and_then(|index| listpack.seek(index)),
                );
            }
        }
    }
}

/// DUMP of redis 7.0.15 after RPUSH of these, without what is around the listpack.
#[test]
fn bytes_are_those_of_redis() {
    let integers = [
        "0",
        "1",
        "127",
        "128",
        "-1",
        "-4096",
        "4095",
        "-4097",
        "4096",
        "32767",
        "-32768",
        "32768",
        "8388607",
        "-8388608",
        "8388608",
        "2147483647",
        "-2147483648",
        "2147483648",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "01",
        "-0",
        "",
        " 1",
        "+1",
    ];
    let mut listpack = Listpack::new();
    integers.iter().for_each(|text| listpack.push_back(text.as_bytes()));
    assert_eq!(
        listpack.as_bytes(),
        bytes_of_hex(
            "8f0000001a00000101017f01c08002dfff02d00002cfff02f1ffef03f1001003f1ff7f03f1008003\
         f200800004f2ffff7f04f200008004f30000800005f3ffffff7f05f30000008005f4000000800000000009\
         f4ffffffffffffff7f09f4000000000000008009933932323333373230333638353437373538303814\
         8230310382\
         2d3003800182203103822b3103ff",
        )
    );

    // HSET h f1 v1 f2 12 f3 ""
    let mut listpack = Listpack::new();
    ["f1", "v1", "f2", "12", "f3", ""].iter().for_each(|text| listpack.push_back(text.as_bytes()));
    let hash = "1b00000006008266310382763103826632030c01826633038001ff";
    assert_eq!(listpack.as_bytes(), bytes_of_hex(hash));

    // RPUSH strs a hello xxx(63) yyy(64) zzz(130)
    let mut listpack = Listpack::new();
    let (x, y, z) = ("x".repeat(63), "y".repeat(64), "z".repeat(130));
    ["a", "hello", &x, &y, &z].iter().for_each(|text| listpack.push_back(text.as_bytes()));
    let mut expected = bytes_of_hex("1b01000005008161028568656c6c6f06bf");
    expected.extend_from_slice(x.as_bytes());
    expected.extend_from_slice(&bytes_of_hex("40e040"));
    expected.extend_from_slice(y.as_bytes());
    expected.extend_from_slice(&bytes_of_hex("42e082"));
    expected.extend_from_slice(z.as_bytes());
    expected.extend_from_slice(&bytes_of_hex("0184ff"));
    assert_eq!(listpack.as_bytes(), expected);
}

/// As above: RPUSH of a long string and "end".
#[test]
fn long_strings_are_as_in_redis() {
    for (len, head, back) in [
        (4000, "b00f00000200efa0", "1fa2"),
        (4095, "0f1000000200efff", "2081"),
        (4096, "131000000200f000100000", "2085"),
        (16_377, "0c4000000200f0f93f0000", "7ffe"),
        (16_378, "0e4000000200f0fa3f0000", "00ffff"),
        (16_379, "0f4000000200f0fb3f0000", "018080"),
        (60_000, "74ea00000200f060ea0000", "03d4e5"),
    ] {
        let mut listpack = Listpack::new();
        listpack.push_back(&vec![b'q'; len]);
        listpack.push_back(b"end");
        let mut expected = bytes_of_hex(head);
        expected.resize(expected.len() + len, b'q');
        expected.extend_from_slice(&bytes_of_hex(back));
        expected.extend_from_slice(&bytes_of_hex("83656e6404ff"));
        assert!(listpack.as_bytes() == expected, "{len}");
        assert_eq!(listpack.last().and_then(|end| listpack.previous(end)), listpack.first());
    }
}

#[test]
fn a_count_beyond_the_header_is_found_again() {
    if cfg!(miri) {
        return; // no pointer in it that the others do not have
    }
    let count = usize::from(UNKNOWN);
    let mut listpack = Listpack::new();
    (0..count + 5).for_each(|number| listpack.push_back((number % 100).to_string().as_bytes()));
    assert_eq!((listpack.header_count(), listpack.len()), (UNKNOWN, count + 5));
    assert_eq!(Listpack::from_bytes(listpack.as_bytes()).map(|it| it.len()), Ok(count + 5));
    let first = listpack.first().expect("it is there");
    listpack.remove_range(first, 4);
    assert_eq!((listpack.header_count(), listpack.len()), (UNKNOWN, count + 1));
    let first = listpack.first().expect("it is there");
    listpack.remove_range(first, 2);
    assert_eq!((listpack.header_count(), listpack.len()), (UNKNOWN - 1, count - 1));
}

#[test]
fn an_empty_one_is_all_there() {
    let mut listpack = Listpack::new();
    assert_eq!(listpack.as_bytes(), bytes_of_hex("070000000000ff"));
    assert_eq!((listpack.first(), listpack.last(), listpack.seek(0)), (None, None, None));
    assert_eq!(listpack.iter().next_back(), None);
    assert_eq!(listpack.split_off(0), Listpack::new());
    listpack.append(&Listpack::new());
    assert_eq!(listpack.bytes(), LISTPACK_BYTES_MIN);
    assert!(listpack.is_empty());
}

#[test]
fn what_is_malformed_is_refused() {
    for hex in [
        "",
        "070000000000",             // no end
        "0700000000007f",           // another end
        "080000000000ff",           // a wrong length
        "070000000100ff",           // a wrong count
        "0a000000010001020100ff",   // a wrong back length
        "090000000100f001ff",       // an entry that ends too late
        "0b000000010081ff02ff00ff", // an end in the middle
        "0b0000000100f0ffffffff",   // a length far beyond
        "0a0000000100fa0102ff",     // no such encoding
        "0a0000000100c00183ff",     // a back length without a first byte
        "0a0000000100010081ff",     // one longer than need be
        "ffffffff0000ff",
    ] {
        let bytes = bytes_of_hex(hex);
        assert_eq!(Listpack::from_bytes(&bytes), Err(Malformed), "{hex}");
    }
    // longer encodings than need be are read, and found
    let wide = Listpack::from_bytes(&bytes_of_hex("0e0000000200f1050003813502ff"));
    let wide = wide.expect("well formed");
    assert_eq!(wide.len(), 2);
    for entry in &wide {
        assert_eq!(entry, *b"5".as_slice());
    }
    assert_eq!(wide.find(wide.first().expect("it is there"), b"5", 0), wide.first());
    assert_eq!(wide.find(wide.last().expect("it is there"), b"5", 0), wide.last());
}

/// Bytes damaged at random are refused, or are a listpack that can be read to its end.
#[test]
fn damage_is_found_or_harmless() {
    let mut state = 11;
    let (mut refused, mut read) = (0, 0);
    for _ in 0..if cfg!(miri) { 30 } else { 30_000 } {
        let mut listpack = Listpack::new();
        (0..random(&mut state) % 6).for_each(|_| listpack.push_back(&random_value(&mut state)));
        let mut bytes = listpack.as_bytes().to_vec();
        for _ in 0..=random(&mut state) % 2 {
            let at = random(&mut state) as usize % bytes.len();
            bytes[at] = random(&mut state) as u8;
        }
        if let Ok(damaged) = Listpack::from_bytes(&bytes) {
            read += 1;
            assert_eq!(damaged.iter().count(), damaged.iter().rev().count());
            assert_eq!(damaged.iter().count(), damaged.len());
        } else {
            refused += 1;
        }
    }
    assert!(cfg!(miri) || (refused > 1000 && read > 1000), "{refused} refused, {read} read");
}
