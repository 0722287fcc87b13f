//! Reading by place: LLEN, LINDEX, LRANGE.

use std::ops::ControlFlow;

use datatypes::list::Direction;
use resp::CommandError;
use resp::number::parse_i64;
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::access::{READ, list_of, range_of, reply_entry};
use crate::ShardCommand;

/// `LLEN key`: how many elements the list has; 0 without one.
pub(super) const LLEN: ShardCommand = ShardCommand::new(
    Spec::new("llen", Arity::exactly(2), Group::List, "1.0.0")
        .about("The number of elements of a list.", "O(1)")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    |shard, arguments, reply| {
        match shard.read(&arguments[1]) {
            Some(record) => reply.count(list_of(record)?.len()),
            None => reply.integer(0),
        }
        Ok(())
    },
);

/// `LINDEX key index`: the element at a place, counted from the end where negative; null without.
pub(super) const LINDEX: ShardCommand = ShardCommand::new(
    Spec::new("lindex", Arity::exactly(3), Group::List, "1.0.0")
        .about("The element at a place of a list.", "O(log N) where N is the length of the list.")
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, READ)])
        .arguments(&[Argument::key("key"), Argument::integer("index")])
        .reply(Reply::NULL.or(Reply::BULK)),
    |shard, arguments, reply| {
        let Some(record) = shard.read(&arguments[1]) else {
            reply.null();
            return Ok(());
        };
        let list = list_of(record)?;
        let index = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
        let place = place_of(index, list.len());
        if place.and_then(|place| list.get(place, |entry| reply_entry(entry, reply))).is_none() {
            reply.null();
        }
        Ok(())
    },
);

/// The place that `index` names in a list of `len`, if there is one.
pub(super) fn place_of(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

/// `LRANGE key start stop`: the elements between two places, both included and counted from the end
/// where negative.
pub(super) const LRANGE: ShardCommand = ShardCommand::new(
    Spec::new("lrange", Arity::exactly(4), Group::List, "1.0.0")
        .about(
            "The elements between two places of a list.",
            "O(log N + M) where N is the length of the list and M the number of elements replied.",
        )
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, READ)])
        .arguments(&[Argument::key("key"), Argument::integer("start"), Argument::integer("stop")])
        .reply(Reply::ARRAY),
    |shard, arguments, reply| {
        let start = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
        let stop = parse_i64(&arguments[3]).ok_or(CommandError::NotInteger)?;
        let Some(record) = shard.read(&arguments[1]) else {
            reply.array(0);
            return Ok(());
        };
        let list = list_of(record)?;
        let range = range_of((start, stop), list.len());
        reply.array(range.len());
        let _ = list.visit(range.start, range.len(), Direction::Forward, |entry| {
            reply_entry(entry, reply);
            ControlFlow::Continue(())
        });
        Ok(())
    },
);
