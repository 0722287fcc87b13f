//! The sets under several keys.
//!
//! A lookup counts, touches and may remove a key that is past its moment, so it takes the whole
//! keyspace; several sets side by side only lend it. So each key is looked up once as any command
//! does, and once more to hold all of the sets at the same time, when nothing changes any more.

use datatypes::Object;
use datatypes::set::Set;
use keyspace::Keyspace;
use resp::{Arguments, CommandError};

use super::value::set_of;
use crate::ShardContext;

/// Looks all keys up, as commands that read do, and tells of each whether there is a set.
///
/// # Errors
/// WRONGTYPE at the first key that holds something else.
pub(super) fn look_up(
    shard: &mut ShardContext<'_>,
    keys: Arguments<'_>,
) -> Result<Vec<bool>, CommandError> {
    keys.iter()
        .map(|key| match shard.read(key) {
            None => Ok(false),
            Some(record) => set_of(record).map(|_| true),
        })
        .collect()
}

/// The sets under those of the keys that `are_there`, in their order.
pub(super) fn sets_of<'k>(
    keyspace: &'k Keyspace,
    db: usize,
    keys: Arguments<'_>,
    are_there: &[bool],
) -> Vec<Option<&'k Set>> {
    let find = |key: &[u8]| {
        let record = keyspace.database(db)?.table().find(keyspace.hash(key), key)?;
        set_of(record).ok()
    };
    let keys = keys.iter().zip(are_there);
    keys.map(|(key, is_there)| is_there.then(|| find(key)).flatten()).collect()
}

/// Drops a set that is no value of a key, in slices if it is large.
pub(super) fn drop_set(shard: &mut ShardContext<'_>, set: Set) {
    shard.keyspace.doomed_mut().push_uncounted(Object::Set(set));
}
