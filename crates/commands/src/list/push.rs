//! Adding at an end: LPUSH, RPUSH, LPUSHX, RPUSHX.

use datatypes::Object;
use datatypes::list::{End, List};
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeySpec, Reply, Spec};
use table::{Expiry, Payload};

use super::access::{PUSHED, list_mut, push_name};
use crate::{ShardCommand, ShardContext};

const FLAGS: Flags = Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST);
const KEYS: &[KeySpec] = &[KeySpec::one(1, PUSHED)];
const ARGUMENTS: &[Argument] = &[Argument::key("key"), Argument::string("element").multiple()];
const COST: &str = "O(1) for each element.";
const SINCE_MANY: &[(&str, &str)] = &[("2.4.0", "Accepts multiple `element` arguments.")];
const SINCE_MANY_X: &[(&str, &str)] = &[("4.0.0", "Accepts multiple `element` arguments.")];

/// `LPUSH key element [element ...]`: adds elements before the first, one after the other, so that
/// the last comes first. Replies how many there are then.
pub(super) const LPUSH: ShardCommand = ShardCommand::new(
    Spec::new("lpush", Arity::at_least(3), Group::List, "1.0.0")
        .about("Adds elements at the front of a list.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_MANY)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| push(shard, arguments, (End::Front, Missing::Made), reply),
);

/// `RPUSH key element [element ...]`: adds elements behind the last. Replies how many there are
/// then.
pub(super) const RPUSH: ShardCommand = ShardCommand::new(
    Spec::new("rpush", Arity::at_least(3), Group::List, "1.0.0")
        .about("Adds elements at the back of a list.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_MANY)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| push(shard, arguments, (End::Back, Missing::Made), reply),
);

/// `LPUSHX key element [element ...]`: LPUSH where the list is there; 0 where it is not.
pub(super) const LPUSHX: ShardCommand = ShardCommand::new(
    Spec::new("lpushx", Arity::at_least(3), Group::List, "2.2.0")
        .about("Adds elements at the front of a list if there is one.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_MANY_X)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| push(shard, arguments, (End::Front, Missing::Left), reply),
);

/// `RPUSHX key element [element ...]`: RPUSH where the list is there; 0 where it is not.
pub(super) const RPUSHX: ShardCommand = ShardCommand::new(
    Spec::new("rpushx", Arity::at_least(3), Group::List, "2.2.0")
        .about("Adds elements at the back of a list if there is one.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_MANY_X)
        .reply(Reply::INTEGER),
    |shard, arguments, reply| push(shard, arguments, (End::Back, Missing::Left), reply),
);

/// What happens where there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Made,
    Left,
}

fn push(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    (end, missing): (End, Missing),
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, values) = (&arguments[1], arguments.from(2));
    match push_all(shard, key, (end, values.iter()), missing)? {
        Some(len) => {
            let (db, (_, name)) = (shard.db, push_name(end));
            shard.effects.event(EventClass::LIST, name, db, key);
            shard.effects.modified(db, key);
            shard.effects.add_dirty(values.len() as u64);
            reply.count(len);
        }
        None => reply.integer(0),
    }
    Ok(())
}

/// Adds `values` to the list at `key` and returns how many elements it has then; `None` where there
/// is none, and none is to be made.
fn push_all<'v>(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    (end, values): (End, impl Iterator<Item = &'v [u8]> + Clone),
    missing: Missing,
) -> Result<Option<usize>, CommandError> {
    let limits = shard.limits.list;
    if let Some(mut record) = shard.write(key) {
        let list = list_mut(&mut record)?;
        list.push(end, values, limits);
        return Ok(Some(list.len()));
    }
    if missing == Missing::Left {
        return Ok(None);
    }
    let mut list = List::new();
    list.push(end, values, limits);
    let len = list.len();
    shard.set(key, Payload::Object(Object::List(list)), Expiry::Never);
    Ok(Some(len))
}

/// Adds `value` to the list at `key`, which is made if there is none, and says so by its event.
///
/// # Errors
/// The key holds something else.
pub(super) fn push_one(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    end: End,
    value: &[u8],
) -> Result<(), CommandError> {
    push_all(shard, key, (end, [value].into_iter()), Missing::Made)?;
    let (db, (_, name)) = (shard.db, push_name(end));
    shard.effects.modified(db, key);
    shard.effects.event(EventClass::LIST, name, db, key);
    Ok(())
}
