//! The cursor of SCAN: a shard, and a position in the order of its table.
//!
//! ```text
//!  63  62                                      14 13          0
//! | 0 |        position (48 bits)               |    shard    |
//! ```
//!
//! A walk begins with 0 and ends with 0. It goes through the shards in order: when one is done, the
//! cursor names the beginning of the next. The beginning of shard 0 is 0 itself, which a walk in
//! progress never comes back to. As in Redis the cursor holds all of the state: the server keeps
//! none, and a walk that is abandoned costs nothing.

use keyspace::SCAN_POSITION_BITS;

use crate::ShardPlace;

/// Bits of a cursor that name the shard: there are 16,384 slots, so no more shards than that.
const SHARD_BITS: u32 = 14;

// A cursor stays below 2^63: clients may read it as a signed integer.
const _: () = assert!(SCAN_POSITION_BITS + SHARD_BITS < 63);

/// The shard that `cursor` names, which may be one that the server does not have.
#[must_use]
pub const fn cursor_shard(cursor: u64) -> usize {
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

#[cfg(test)]
mod tests {
    use super::{cursor_after, cursor_position, cursor_shard};
    use crate::ShardPlace;

    #[test]
    fn a_walk_goes_through_all_shards_and_ends() {
        let (mut cursor, mut visited) = (0, Vec::new());
        loop {
            let place = ShardPlace { index: cursor_shard(cursor), count: 3 };
            let position = cursor_position(cursor).expect("a cursor of this server");
            visited.push((place.index, position));
            let next = [7, (1 << 48) - 1];
            let at = next.iter().position(|it| *it == position).map_or(0, |at| at + 1);
            cursor = cursor_after(place, next.get(at).copied().unwrap_or(0));
            if cursor == 0 {
                break;
            }
        }
        let last = (1 << 48) - 1;
        let whole = (0..3).flat_map(|shard| [(shard, 0), (shard, 7), (shard, last)]);
        assert_eq!(visited, whole.collect::<Vec<_>>());
    }

    #[test]
    fn wild_cursors_are_told() {
        assert_eq!(cursor_position(u64::MAX), None);
        assert_eq!(cursor_shard(u64::MAX), 16383);
    }
}
