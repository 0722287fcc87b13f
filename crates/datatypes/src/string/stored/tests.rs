use table::{Expiry, Hasher, PayloadRef, RecordMut, Table};

use super::{
    EMBEDDED_BYTES_MAX, StringBytes, append, edit, stored_bytes, stored_encoding, stored_integer,
    stored_string, stored_zeros,
};
use crate::Object;
use crate::seeded::random;

/// Sets `bytes` in a table of its own and hands the record to `check`.
fn with_record<R>(bytes: &[u8], check: impl FnOnce(RecordMut<'_, Object>) -> R) -> R {
    let mut table = Table::new(Hasher::new(1));
    let hash = table.hash(b"key");
    check(table.set(hash, b"key", stored_string(bytes), Expiry::Never).record)
}

fn bytes_of(record: &RecordMut<'_, Object>) -> Vec<u8> {
    StringBytes::of(record.payload()).expect("a string").to_vec()
}

fn encoding_of(record: &RecordMut<'_, Object>) -> &'static str {
    stored_encoding(record.payload(), record.is_raw()).expect("a string").name()
}

#[test]
fn only_the_text_of_an_integer_is_one() {
    for text in ["0", "-1", "12345", "9223372036854775807", "-9223372036854775808"] {
        with_record(text.as_bytes(), |record| {
            assert!(matches!(record.payload(), PayloadRef::Int(_)), "{text}");
            assert_eq!(stored_integer(record.payload()).map(|it| it.map(|it| it.to_string())), {
                Ok(Some(text.to_owned()))
            });
            assert_eq!(bytes_of(&record), text.as_bytes());
            assert_eq!(encoding_of(&record), "int");
        });
    }
    for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808"] {
        with_record(text.as_bytes(), |record| {
            assert_eq!(stored_integer(record.payload()), Ok(None), "{text}");
            assert_eq!(bytes_of(&record), text.as_bytes());
            assert_eq!(encoding_of(&record), "embstr");
        });
    }
}

#[test]
fn bytes_that_look_like_an_integer_count_as_one() {
    let mut table = Table::new(Hasher::new(1));
    let hash = table.hash(b"key");
    let record = table.set(hash, b"key", stored_bytes(b"17"), Expiry::Never).record;
    assert_eq!(encoding_of(&record), "embstr");
    assert_eq!(stored_integer(record.payload()), Ok(Some(17)));
}

#[test]
fn long_strings_leave_the_record() {
    for (len, embedded) in [(EMBEDDED_BYTES_MAX, true), (EMBEDDED_BYTES_MAX + 1, false)] {
        with_record(&vec![b'x'; len], |record| {
            assert_eq!(matches!(record.payload(), PayloadRef::Bytes(_)), embedded);
            assert_eq!(encoding_of(&record), "raw");
            assert_eq!(bytes_of(&record), vec![b'x'; len]);
        });
    }
}

#[test]
fn zeros_are_there_to_be_changed() {
    for len in [0, 1, EMBEDDED_BYTES_MAX, EMBEDDED_BYTES_MAX + 1, 5000] {
        let mut table = Table::new(Hasher::new(1));
        let hash = table.hash(b"key");
        let mut record = table.set(hash, b"key", stored_zeros(len), Expiry::Never).record;
        assert_eq!(edit(&mut record, len).map(|bytes| bytes.to_vec()), Ok(vec![0; len]));
        assert_eq!(encoding_of(&record), "raw");
    }
}

/// Random series of changes in place, beside a plain vector.
#[test]
fn changes_agree_with_a_plain_vector() {
    let mut state = 3;
    let rounds = if cfg!(miri) { 4 } else { 200 };
    for _ in 0..rounds {
        let mut model = match random(&mut state) % 3 {
            0 => (random(&mut state) as i64 >> (random(&mut state) % 64)).to_string().into_bytes(),
            1 => vec![b'a'; (random(&mut state) % 60) as usize],
            _ => vec![b'b'; (random(&mut state) % 2000) as usize],
        };
        with_record(&model.clone(), |mut record| {
            for _ in 0..12 {
                let part = vec![b'c'; (random(&mut state) % 400) as usize];
                if random(&mut state).is_multiple_of(2) {
                    model.extend_from_slice(&part);
                    assert_eq!(append(&mut record, &part), Ok(model.len()));
                } else {
                    let offset = (random(&mut state) % 1500) as usize;
                    let end = offset + part.len();
                    model.resize(model.len().max(end), 0);
                    model[offset..end].copy_from_slice(&part);
                    let bytes = edit(&mut record, end).expect("a string");
                    bytes[offset..end].copy_from_slice(&part);
                }
                assert_eq!(bytes_of(&record), model);
                assert_eq!(encoding_of(&record), "raw");
            }
        });
    }
}
