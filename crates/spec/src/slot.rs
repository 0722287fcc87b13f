//! Slots: where a key lives.
//!
//! A slot is CRC16 (XMODEM: polynomial 0x1021, start 0) of the key modulo 16,384, as in Redis
//! Cluster. If the key contains `{...}` with something between the first `{` and the next `}`, only
//! that part counts: keys that share a tag share a slot, and so a shard.
//!
//! The CRC is computed eight bytes at a step from eight tables (4 KiB in all): a byte at a time
//! costs a dependent load per byte, 16 of them for a typical key.

use memchr::memchr;

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

/// The slot of `key`, below [`SLOTS`].
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
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
    let mut crc = 0u16;
    let mut pieces = bytes.chunks_exact(8);
    for piece in &mut pieces {
        crc = TABLES[7][usize::from(piece[0] ^ (crc >> 8) as u8)]
            ^ TABLES[6][usize::from(piece[1] ^ crc as u8)]
            ^ TABLES[5][usize::from(piece[2])]
            ^ TABLES[4][usize::from(piece[3])]
            ^ TABLES[3][usize::from(piece[4])]
            ^ TABLES[2][usize::from(piece[5])]
            ^ TABLES[1][usize::from(piece[6])]
            ^ TABLES[0][usize::from(piece[7])];
    }
    for byte in pieces.remainder() {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
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
