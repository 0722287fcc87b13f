//! Slots: where a key lives.
//!
//! A slot is CRC16 (XMODEM: polynomial 0x1021, start 0) of the key modulo 16,384, as in Redis
//! Cluster. If the key contains `{...}` with something between the first `{` and the next `}`, only
//! that part counts: keys that share a tag share a slot, and so a shard.
//!
//! The CRC is computed eight bytes at a step from eight tables (4 KiB in all): a byte at a time
//! costs a dependent load per byte, 16 of them for a typical key. Most keys have no tag, which the
//! same steps notice; who meets a `{` begins again with the part that counts.

use memchr::memchr;

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

/// The slot of `key`, below [`SLOTS`].
#[inline]
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    match crc16_unless(b'{', key) {
        Some(crc) => crc % SLOTS,
        None => slot_of_tagged(key),
    }
}

#[cold]
fn slot_of_tagged(key: &[u8]) -> u16 {
    crc16(hashed_part(key)) % SLOTS
}

/// The part of `key` that decides its slot: its hash tag, or all of it.
#[must_use]
pub fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = memchr(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match memchr(b'}', rest) {
        Some(0) | None => key,
        Some(length) => &rest[..length],
    }
}

/// The shard, of `shards`, on which `slot` lives: contiguous ranges of slots, equal but for one.
#[must_use]
#[inline]
pub const fn shard_of_slot(slot: u16, shards: usize) -> usize {
    (slot as usize * shards) / SLOTS as usize
}

fn crc16(bytes: &[u8]) -> u16 {
    let (pieces, rest) = bytes.as_chunks::<8>();
    let crc = pieces.iter().fold(0, |crc, piece| step(crc, *piece));
    rest.iter().fold(crc, |crc, byte| step_one(crc, *byte))
}

/// The CRC of bytes among which there is no `other`; nothing if there is.
#[inline]
fn crc16_unless(other: u8, bytes: &[u8]) -> Option<u16> {
    let (pieces, rest) = bytes.as_chunks::<8>();
    let mut crc = 0;
    for piece in pieces {
        if has_byte(u64::from_le_bytes(*piece), other) {
            return None;
        }
        crc = step(crc, *piece);
    }
    for byte in rest {
        if *byte == other {
            return None;
        }
        crc = step_one(crc, *byte);
    }
    Some(crc)
}

/// Whether one of the eight bytes of `word` is `byte`: a borrow runs into the highest bit of a byte
/// that is zero, once `byte` was subtracted from all without one.
#[inline]
const fn has_byte(word: u64, byte: u8) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zero_where = word ^ (ONES * byte as u64);
    zero_where.wrapping_sub(ONES) & !zero_where & (ONES << 7) != 0
}

#[inline]
fn step(crc: u16, piece: [u8; 8]) -> u16 {
    TABLES[7][usize::from(piece[0] ^ (crc >> 8) as u8)]
        ^ TABLES[6][usize::from(piece[1] ^ crc as u8)]
        ^ TABLES[5][usize::from(piece[2])]
        ^ TABLES[4][usize::from(piece[3])]
        ^ TABLES[3][usize::from(piece[4])]
        ^ TABLES[2][usize::from(piece[5])]
        ^ TABLES[1][usize::from(piece[6])]
        ^ TABLES[0][usize::from(piece[7])]
}

#[inline]
fn step_one(crc: u16, byte: u8) -> u16 {
    (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)]
}

/// `TABLES[k][b]`: the CRC of byte `b` followed by `k` zero bytes.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0u16; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = (crc << 8) ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, crc16, hashed_part, shard_of_slot, slot_of};

    fn naive(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc, byte| {
            (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
                if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 }
            })
        })
    }

    #[test]
    fn known_values() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(b"{foo}.bar"), 12182);
    }

    #[test]
    fn steps_of_eight_match_the_naive() {
        let bytes: Vec<u8> = (0..100u32).map(|n| (n * 37 + 11) as u8).collect();
        for start in 0..20 {
            for end in start..bytes.len() {
                assert_eq!(crc16(&bytes[start..end]), naive(&bytes[start..end]));
            }
        }
    }

    #[test]
    fn a_tag_is_found_wherever_it_is() {
        for length in 1..40 {
            let mut key = vec![b'z'; length];
            assert_eq!(slot_of(&key), naive(&key) % SLOTS, "none in {length}");
            for at in 0..length {
                // Its neighbours in the code, and the same bits with the highest one set.
                for byte in [b'z', b'|', b'{' | 0x80] {
                    key[at] = byte;
                    assert_eq!(slot_of(&key), naive(&key) % SLOTS, "{byte} at {at} of {length}");
                }
                key[at] = b'{';
                if at + 2 < length {
                    key[length - 1] = b'}';
                    assert_eq!(slot_of(&key), naive(&key[at + 1..length - 1]) % SLOTS);
                }
                key.fill(b'z');
            }
        }
    }

    #[test]
    fn tags() {
        assert_eq!(hashed_part(b"a{b}c"), b"b");
        assert_eq!(hashed_part(b"a{}c"), b"a{}c");
        assert_eq!(hashed_part(b"a{{b}}c"), b"{b");
        assert_eq!(hashed_part(b"a{b"), b"a{b");
    }

    #[test]
    fn shards_are_contiguous_and_even() {
        for shards in [1usize, 2, 3, 5, 8, 64] {
            let mut counts = vec![0; shards];
            let mut last = 0;
            for slot in 0..SLOTS {
                let shard = shard_of_slot(slot, shards);
                assert!(shard >= last && shard < shards);
                last = shard;
                counts[shard] += 1;
            }
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
        }
    }
}
