//! LZF: the compression of RDB strings and of the inner chunks of lists, as Redis reads it.
//!
//! ```text
//! 000lllll                      l + 1 bytes follow as they are                    (1 to 32)
//! lllooooo oooooooo             l + 2 bytes (3 to 8), from o + 1 bytes back       (l from 1 to 6)
//! 111ooooo llllllll oooooooo    l + 9 bytes (9 to 264), from o + 1 bytes back
//! ```
//! A copy may overlap what it writes: a distance of 1 repeats one byte. What is compressed here
//! need not be what liblzf makes of the same bytes, only mean the same: a table of the last places
//! of three bytes finds copies, the first fit is taken.

/// Bytes of a copy at most.
const COPIED_MAX: usize = 264;

/// How far back a copy reaches.
const DISTANCE_MAX: usize = 1 << 13;

/// Literals of one run at most.
const LITERALS_MAX: usize = 32;

/// Places remembered: enough for a chunk of a list, and 16 KiB of stack.
const PLACES: usize = 1 << 12;

/// The compressed form of `bytes`, if it is at most `bytes_max` long.
#[must_use]
pub fn compress(bytes: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes_max.min(bytes.len()));
    // a place plus one; 0 is none
    let mut places = [0_u32; PLACES];
    let (mut at, mut literals) = (0, 0);
    while let Some(&three) = bytes.get(at..).and_then(<[u8]>::first_chunk::<3>) {
        let place = &mut places[slot_of(three)];
        let before = (*place as usize).checked_sub(1);
        *place = (at + 1) as u32;
        let copied = before
            .filter(|before| at - before <= DISTANCE_MAX)
            .map_or(0, |before| common(&bytes[before..], &bytes[at..]));
        match before {
            Some(before) if copied >= 3 => {
                push_literals(&mut out, &bytes[literals..at]);
                push_copy(&mut out, at - before, copied);
                at += copied;
                literals = at;
            }
            _ => at += 1,
        }
        if out.len() > bytes_max || at > u32::MAX as usize - COPIED_MAX {
            return None;
        }
    }
    push_literals(&mut out, &bytes[literals..]);
    (out.len() <= bytes_max).then_some(out)
}

/// The `len` bytes that `compressed` stands for; `None` unless it is exactly that many. Nothing is
/// believed: `len` is the most that is ever allocated.
#[must_use]
pub fn decompress(compressed: &[u8], len: usize) -> Option<Vec<u8>> {
    // one byte of input is at most 88 of output (264 in 3)
    if len > compressed.len().saturating_mul(COPIED_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = compressed;
    while let Some((&first, tail)) = rest.split_first() {
        if first < 0x20 {
            let (literals, tail) = tail.split_at_checked(usize::from(first) + 1)?;
            out.extend_from_slice(literals);
            rest = tail;
        } else {
            let (copied, tail) = match first >> 5 {
                7 => {
                    let (&more, tail) = tail.split_first()?;
                    (usize::from(more) + 9, tail)
                }
                few => (usize::from(few) + 2, tail),
            };
            let (&low, tail) = tail.split_first()?;
            let distance = ((usize::from(first & 0x1f) << 8) | usize::from(low)) + 1;
            copy_back(&mut out, distance, copied)?;
            rest = tail;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Repeats `copied` bytes from `distance` back.
fn copy_back(out: &mut Vec<u8>, distance: usize, copied: usize) -> Option<()> {
    let start = out.len().checked_sub(distance)?;
    if distance >= copied {
        out.extend_from_within(start..start + copied);
    } else {
        (start..start + copied).for_each(|at| out.push(out[at]));
    }
    Some(())
}

/// Writes literals, in runs.
fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

/// Writes a copy.
fn push_copy(out: &mut Vec<u8>, distance: usize, copied: usize) {
    let [high, low] = ((distance - 1) as u16).to_be_bytes();
    if copied <= 8 {
        out.push((((copied - 2) as u8) << 5) | high);
    } else {
        out.extend_from_slice(&[0xe0 | high, (copied - 9) as u8]);
    }
    out.push(low);
}

/// How many bytes are the same from the start on, as far as a copy goes.
fn common(before: &[u8], here: &[u8]) -> usize {
    before.iter().zip(here).take(COPIED_MAX).take_while(|(before, here)| before == here).count()
}

/// Where the last place of three bytes is remembered.
fn slot_of([a, b, c]: [u8; 3]) -> usize {
    let three = u32::from_le_bytes([a, b, c, 0]);
    (three.wrapping_mul(0x9e37_79b1) >> (32 - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::{compress, decompress};
    use crate::packed::samples::bytes_of_hex;
    use crate::seeded::random;

    fn sample(state: &mut u64) -> Vec<u8> {
        let letters = random(state) % 255 + 1;
        let len = random(state) % if cfg!(miri) { 300 } else { 20_000 };
        let mut bytes: Vec<u8> = (0..len).map(|_| (random(state) % letters) as u8).collect();
        for _ in 0..random(state) % 5 {
            let at = random(state) as usize % (bytes.len() + 1);
            let run = random(state) as usize % (bytes.len() - at + 1);
            let part = bytes[at..at + run].to_vec();
            bytes.extend_from_slice(&part);
        }
        bytes
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let mut state = 1;
        for _ in 0..if cfg!(miri) { 5 } else { 300 } {
            let bytes = sample(&mut state);
            let compressed = compress(&bytes, usize::MAX).expect("there is no limit");
            assert!(compressed.len() <= bytes.len() + bytes.len() / 32 + 1);
            assert!(decompress(&compressed, bytes.len()) == Some(bytes.clone()));
            assert_eq!(decompress(&compressed, bytes.len() + 1), None);
            assert!(bytes.is_empty() || decompress(&compressed, bytes.len() - 1).is_none());
            assert!(compressed.is_empty() || compress(&bytes, compressed.len() - 1).is_none());
        }
        let repeated = compress(&[b'a'; 8192], 8192).expect("it is short");
        assert!(repeated.len() < 110, "{}", repeated.len());
    }

    /// DUMP of redis 7.0.15 after SET, without what is around the compressed bytes.
    #[test]
    fn what_redis_compressed_is_read() {
        let compressed = bytes_of_hex("016161e0ff00e01700016161");
        assert_eq!(decompress(&compressed, 300), Some(vec![b'a'; 300]));
        let compressed =
            bytes_of_hex("0a656c656d656e743a313b65a009013232e0000a02333333e0000be0042003646f6e65");
        let text = b"element:1;element:22;element:333;element:1;element:22;done";
        assert_eq!(decompress(&compressed, text.len()), Some(text.to_vec()));
    }

    #[test]
    fn damage_is_found_or_harmless() {
        let mut state = 2;
        for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
            let mut bytes: Vec<u8> =
                (0..random(&mut state) % 40).map(|_| random(&mut state) as u8).collect();
            if let Some(first) = bytes.first_mut() {
                *first &= 7;
            }
            let len = random(&mut state) as usize % 400;
            assert!(decompress(&bytes, len).is_none_or(|out| out.len() == len));
        }
        assert_eq!(decompress(b"\x20\x00", 3), None, "nothing to copy from");
        assert_eq!(decompress(b"\x02ab", 3), None, "too few literals");
        assert_eq!(decompress(b"\x00a\xe0", 3), None, "no length");
        assert_eq!(decompress(b"", usize::MAX), None);
    }
}
