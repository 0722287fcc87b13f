//! Changing in the middle: LSET, LINSERT, LREM, LTRIM.

use std::ops::ControlFlow;

use datatypes::list::{Direction, End};
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::access::{PUSHED, list_mut, opposable, range_of};
use super::read::place_of;
use crate::{ShardCommand, ShardContext};

/// `LSET key index element`: puts an element in the place of another.
pub(super) const LSET: ShardCommand = ShardCommand::new(
    Spec::new("lset", Arity::exactly(4), Group::List, "1.0.0")
        .about(
            "Puts an element in the place of another.",
            "O(log N) where N is the length of the list.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::integer("index"), Argument::string("element")])
        .reply(Reply::SIMPLE),
    |shard, arguments, reply| {
        let (key, limits) = (&arguments[1], shard.limits.list);
        let mut record = shard.write(key).ok_or(CommandError::NoSuchKey)?;
        let list = list_mut(&mut record)?;
        let index = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
        let place = place_of(index, list.len()).ok_or(CommandError::IndexOutOfRange)?;
        list.set(place, &arguments[3], limits);
        shard.changed(EventClass::LIST, "lset", key);
        reply.ok();
        Ok(())
    },
);

/// `LINSERT key <BEFORE | AFTER> pivot element`: puts an element before or behind the first that
/// is `pivot`. Replies how many there are then, -1 where no element is `pivot`, 0 without the key.
pub(super) const LINSERT: ShardCommand = ShardCommand::new(
    Spec::new("linsert", Arity::exactly(5), Group::List, "2.2.0")
        .about(
            "Puts an element before or behind another.",
            "O(N) where N is the number of elements up to that other.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, PUSHED)])
        .arguments(&[
            Argument::key("key"),
            Argument::one_of(
                "where",
                &[Argument::word("before", "BEFORE"), Argument::word("after", "AFTER")],
            ),
            Argument::string("pivot"),
            Argument::string("element"),
        ])
        .reply(Reply::INTEGER),
    linsert,
);

fn linsert(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, side, limits) = (&arguments[1], &arguments[2], shard.limits.list);
    let side = if side.eq_ignore_ascii_case(b"BEFORE") {
        End::Front
    } else if side.eq_ignore_ascii_case(b"AFTER") {
        End::Back
    } else {
        return Err(CommandError::Syntax);
    };
    let Some(mut record) = shard.write(key) else {
        reply.integer(0);
        return Ok(());
    };
    let list = list_mut(&mut record)?;
    let mut pivot = None;
    list.search(&arguments[3], (0, usize::MAX), Direction::Forward, |place| {
        pivot = Some(place);
        ControlFlow::Break(())
    });
    let Some(pivot) = pivot else {
        reply.integer(-1);
        return Ok(());
    };
    list.insert(pivot, side, &arguments[4], limits);
    reply.count(list.len());
    shard.changed(EventClass::LIST, "linsert", key);
    Ok(())
}

/// `LREM key count element`: removes elements that are `element`: the first so many, the last where
/// `count` is negative, all where it is 0. Replies how many.
pub(super) const LREM: ShardCommand = ShardCommand::new(
    Spec::new("lrem", Arity::exactly(4), Group::List, "1.0.0")
        .about(
            "Removes the elements that are equal to one.",
            "O(N) where N is the length of the list.",
        )
        .flags(Flags::WRITE)
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::DELETE))])
        .arguments(&[Argument::key("key"), Argument::integer("count"), Argument::string("element")])
        .reply(Reply::INTEGER),
    |shard, arguments, reply| {
        let (key, limits) = (&arguments[1], shard.limits.list);
        let count = opposable(&arguments[2])?;
        let (direction, count) = match count {
            0 => (Direction::Forward, usize::MAX),
            1.. => (Direction::Forward, count as usize),
            _ => (Direction::Backward, count.unsigned_abs() as usize),
        };
        let Some(mut record) = shard.write(key) else {
            reply.integer(0);
            return Ok(());
        };
        let list = list_mut(&mut record)?;
        let removed = list.remove_matching(&arguments[3], count, direction, limits);
        let is_empty = list.is_empty();
        if removed > 0 {
            shard.list_lost(key, "lrem", (removed, is_empty));
        }
        reply.count(removed);
        Ok(())
    },
);

/// `LTRIM key start stop`: keeps the elements between two places, both included and counted from
/// the end where negative.
pub(super) const LTRIM: ShardCommand = ShardCommand::new(
    Spec::new("ltrim", Arity::exactly(4), Group::List, "1.0.0")
        .about(
            "Keeps the elements between two places of a list.",
            "O(log N); what goes is freed in slices.",
        )
        .flags(Flags::WRITE)
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::DELETE))])
        .arguments(&[Argument::key("key"), Argument::integer("start"), Argument::integer("stop")])
        .reply(Reply::SIMPLE),
    |shard, arguments, reply| {
        let (key, limits) = (&arguments[1], shard.limits.list);
        let start = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
        let stop = parse_i64(&arguments[3]).ok_or(CommandError::NotInteger)?;
        if let Some(mut record) = shard.write(key) {
            let list = list_mut(&mut record)?;
            let (len, range) = (list.len(), range_of((start, stop), list.len()));
            let rest = list.trim(range.start, range.len(), limits);
            shard.doom_list(rest);
            shard.list_lost(key, "ltrim", (len - range.len(), range.is_empty()));
        }
        reply.ok();
        Ok(())
    },
);
