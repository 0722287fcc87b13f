//! What several sets have in common: SINTER, SINTERSTORE, SINTERCARD.
//!
//! The smallest set is gone through, and the others are asked, the smaller ones first.

use datatypes::packed::Entry;
use datatypes::set::Set;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::sources::{look_up, sets_of};
use super::store::store;
use super::value::{limits, reply_member};
use crate::{ShardCommand, ShardContext};

const COMPLEXITY: &str = "O(N*M) worst case where N is the cardinality of the smallest set and M \
                          is the number of sets.";

/// `SINTER key [key ...]`: the members that all of the sets have. A key that is not there is an
/// empty set.
pub(super) const SINTER: ShardCommand = ShardCommand::new(
    Spec::new("sinter", Arity::at_least(2), Group::Set, "1.0.0")
        .about("The members that several sets have in common.", COMPLEXITY)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::rest(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key").multiple()])
        .reply(Reply::SET.or(Reply::ARRAY))
        .tips(&["nondeterministic_output_order"]),
    sinter,
);

fn sinter(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let keys = arguments.from(1);
    let are_there = look_up(shard, keys)?;
    let Some(sets) = by_size(&sets_of(shard.keyspace, shard.db, keys, &are_there)) else {
        reply.set(0);
        return Ok(());
    };
    let (begun, mut found) = (reply.deferred(), 0);
    intersect(&sets, |member| {
        found += 1;
        reply_member(member, reply);
    });
    reply.end_set(begun, found);
    Ok(())
}

/// `SINTERSTORE destination key [key ...]`: sets `destination` to what SINTER replies, and replies
/// how many members that has; if none, `destination` is deleted.
pub(super) const SINTERSTORE: ShardCommand = ShardCommand::new(
    Spec::new("sinterstore", Arity::at_least(3), Group::Set, "1.0.0")
        .about("Sets a key to the members that several sets have in common.", COMPLEXITY)
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[
            KeySpec::one(1, KeyFlags::OW.with(KeyFlags::UPDATE)),
            KeySpec::rest(2, KeyFlags::RO.with(KeyFlags::ACCESS)),
        ])
        .arguments(&[Argument::key("destination"), Argument::key_of("key", 1).multiple()])
        .reply(Reply::INTEGER),
    sinterstore,
);

fn sinterstore(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (keys, limits) = (arguments.from(2), limits(shard));
    let are_there = look_up(shard, keys)?;
    let result = match by_size(&sets_of(shard.keyspace, shard.db, keys, &are_there)) {
        None => Set::smallest(),
        Some(sets) => {
            // In Redis the result has the encoding of the smallest set, if it is not integers all
            // of it.
            let mut result = sets[0].empty_like(&limits);
            intersect(&sets, |member| {
                result.insert(&member.text(), &limits);
            });
            result.become_integers(&limits);
            result
        }
    };
    store(shard, arguments.from(1), result, "sinterstore", reply);
    Ok(())
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`: how many members all of the sets have, counted
/// up to the limit, if that is not 0.
pub(super) const SINTERCARD: ShardCommand = ShardCommand::new(
    Spec::new("sintercard", Arity::at_least(3), Group::Set, "7.0.0")
        .about("The number of members that several sets have in common.", COMPLEXITY)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::counted(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::integer("numkeys"),
            Argument::key("key").multiple(),
            Argument::integer("limit").token("LIMIT").optional(),
        ])
        .reply(Reply::INTEGER),
    sintercard,
);

fn sintercard(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let count = parse_i64(&arguments[1]).filter(|count| *count > 0);
    let count = count.ok_or(CommandError::NumkeysNotPositive)?;
    let after = arguments.from(2);
    let count = usize::try_from(count).ok().filter(|count| *count <= after.len());
    let count = count.ok_or(CommandError::KeysExceedArguments)?;
    let most = limit_of(after.from(count))?;

    let keys = after.first(count);
    let are_there = look_up(shard, keys)?;
    let sets = by_size(&sets_of(shard.keyspace, shard.db, keys, &are_there));
    reply.count(sets.map_or(0, |sets| count_common(&sets, most)));
    Ok(())
}

/// What LIMIT says, the last one; `usize::MAX` where it says nothing.
fn limit_of(words: Arguments<'_>) -> Result<usize, CommandError> {
    let (mut most, mut index) = (0, 0);
    while let Some(word) = words.get(index) {
        let value = words.get(index + 1).filter(|_| word.eq_ignore_ascii_case(b"LIMIT"));
        let number = parse_i64(value.ok_or(CommandError::Syntax)?);
        let number = number.and_then(|number| usize::try_from(number).ok());
        most = number.ok_or(CommandError::LimitNegative)?;
        index += 2;
    }
    Ok(if most == 0 { usize::MAX } else { most })
}

/// The sets, the smallest first; `None` if one of them is empty.
fn by_size<'k>(sets: &[Option<&'k Set>]) -> Option<Vec<&'k Set>> {
    let mut sets = sets.iter().copied().collect::<Option<Vec<&Set>>>()?;
    sets.sort_by_key(|set| set.len());
    Some(sets)
}

/// Hands over the members that all sets have, of which there is one at least, in the order of the
/// first.
fn intersect(sets: &[&Set], mut sink: impl FnMut(Entry<'_>)) {
    let (first, others) = (sets[0], &sets[1..]);
    first.for_each(|member| {
        let text = member.text();
        if others.iter().all(|other| other.contains(&text)) {
            sink(member);
        }
    });
}

/// How many members all sets have, of which there is one at least; counts to `most` and no further.
fn count_common(sets: &[&Set], most: usize) -> usize {
    let (first, others) = (sets[0], &sets[1..]);
    if others.is_empty() {
        return first.len().min(most);
    }
    let (mut found, mut position) = (0, 0);
    loop {
        position = first.scan(position, COUNTED_AT_ONCE, |member| {
            let text = member.text();
            if found < most && others.iter().all(|other| other.contains(&text)) {
                found += 1;
            }
        });
        if position == 0 || found >= most {
            return found;
        }
    }
}

/// Members looked at before SINTERCARD looks whether it has counted enough.
const COUNTED_AT_ONCE: usize = 128;
