//! The cursor of SCAN: a shard, and a position in the order of its table.
//!
//! ```text
//!  63     53 52                                10 9           0
//! |    0    |        position (43 bits)          |    shard    |
//! ```
//!
//! A cursor is below 2^53, so that clients that keep numbers as doubles, as JavaScript does, send
//! back what they got.
//!
//! A walk begins with 0 and ends with 0. It goes through the shards in order: when one is done, the
//! cursor names the beginning of the next. The beginning of shard 0 is 0 itself, which a walk in
//! progress never comes back to. As in Redis the cursor holds all of the state: the server keeps
//! none, and a walk that is abandoned costs nothing.
//!
//! A call at the beginning of a shard is run by that one and all that follow, so that its page goes
//! on over shards while it has room ([`Merge::Pages`](crate::Merge::Pages)): a walk over few keys
//! is one call. A call within a shard is run by that one alone. So shards look at keys for nothing
//! only where a shard begins, and at few if they have many.

use std::ops::Range;

use keyspace::SCAN_POSITION_BITS;

use crate::ShardPlace;

/// Bits of a cursor that name the shard: a server has 1,024 of them at most.
const SHARD_BITS: u32 = 10;

// A cursor is a whole number that a double holds.
const _: () = assert!(SCAN_POSITION_BITS + SHARD_BITS <= 53);

/// The shards that a call with the cursor `text` is run by, in order, of a server of `shards`; none
/// if no cursor of this server is like that, which any shard may answer.
#[must_use]
pub fn cursor_shards(text: &[u8], shards: usize) -> Range<usize> {
    parse_cursor(text).map_or(0..0, |cursor| shards_of(cursor, shards))
}

/// The shards that a call with `cursor` is run by.
pub(crate) fn shards_of(cursor: u64, shards: usize) -> Range<usize> {
    let shard = cursor_shard(cursor);
    match cursor_position(cursor) {
        Some(0) if shard < shards => shard..shards,
        Some(_) if shard < shards => shard..shard + 1,
        _ => 0..0,
    }
}

/// The shard that `cursor` names, which may be one that the server does not have.
#[must_use]
pub(crate) const fn cursor_shard(cursor: u64) -> usize {
    (cursor & ((1 << SHARD_BITS) - 1)) as usize
}

/// The position in the table that `cursor` names; `None` if no cursor of this server can be so.
#[must_use]
pub(crate) const fn cursor_position(cursor: u64) -> Option<u64> {
    let position = cursor >> SHARD_BITS;
    if position < 1 << SCAN_POSITION_BITS { Some(position) } else { None }
}

/// The cursor after `position` on the shard at `place`, where 0 says that the shard is done.
#[must_use]
pub(crate) const fn cursor_after(place: ShardPlace, position: u64) -> u64 {
    if position != 0 {
        position << SHARD_BITS | place.index as u64
    } else if place.index + 1 < place.count {
        place.index as u64 + 1
    } else {
        0
    }
}

/// Reads a cursor as Redis does, by `strtoul`: a sign and leading zeros are fine, and no digits at
/// all are 0. `None` for what is no number of 64 bits.
pub(crate) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::{cursor_after, cursor_position, cursor_shard, cursor_shards, parse_cursor};
    use crate::ShardPlace;

    #[test]
    fn a_walk_goes_through_all_shards_and_ends() {
        let (mut cursor, mut visited) = (0, Vec::new());
        loop {
            let place = ShardPlace { index: cursor_shard(cursor), count: 3 };
            let position = cursor_position(cursor).expect("a cursor of this server");
            visited.push((place.index, position));
            let next = [7, (1 << 43) - 1];
            let at = next.iter().position(|it| *it == position).map_or(0, |at| at + 1);
            cursor = cursor_after(place, next.get(at).copied().unwrap_or(0));
            assert_eq!(cursor as f64 as u64, cursor, "a double holds it");
            if cursor == 0 {
                break;
            }
        }
        let last = (1 << 43) - 1;
        let whole = (0..3).flat_map(|shard| [(shard, 0), (shard, 7), (shard, last)]);
        assert_eq!(visited, whole.collect::<Vec<_>>());
    }

    #[test]
    fn wild_cursors_are_told() {
        assert_eq!(cursor_position(u64::MAX), None);
        assert_eq!(cursor_position(1 << 53), None);
        assert_eq!(cursor_shard(u64::MAX), 1023);
    }

    #[test]
    fn the_largest_cursor_of_the_largest_server_fits_a_double() {
        let place = ShardPlace { index: 1023, count: 1024 };
        let cursor = cursor_after(place, (1 << 43) - 1);
        assert_eq!(cursor, (1 << 53) - 1);
        assert_eq!((cursor_shard(cursor), cursor_position(cursor)), (1023, Some((1 << 43) - 1)));
    }

    #[test]
    fn a_call_at_the_beginning_of_a_shard_concerns_all_that_follow() {
        let within = cursor_after(ShardPlace { index: 2, count: 4 }, 7).to_string();
        assert_eq!(cursor_shards(b"0", 4), 0..4);
        assert_eq!(cursor_shards(b"-00", 4), 0..4, "as the command itself reads it");
        assert_eq!(cursor_shards(b"", 4), 0..4);
        assert_eq!(cursor_shards(b"2", 4), 2..4);
        assert_eq!(cursor_shards(b"3", 4), 3..4);
        assert_eq!(cursor_shards(within.as_bytes(), 4), 2..3);
        for wild in ["4", "18446744073709551615", "x"] {
            assert!(cursor_shards(wild.as_bytes(), 4).is_empty(), "{wild}");
        }
    }

    #[test]
    fn cursors_are_read_as_redis_does() {
        assert_eq!(parse_cursor(b"+7"), Some(7));
        assert_eq!(parse_cursor(b""), Some(0));
        assert_eq!(parse_cursor(b"-"), None);
        assert_eq!(parse_cursor(b" 7"), None);
    }
}
