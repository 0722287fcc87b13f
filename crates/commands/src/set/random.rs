//! Members drawn by chance: SPOP, SRANDMEMBER.

use datatypes::set::Set;
use keyspace::Random;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::value::{Gathered, members_went, reply_member, reply_members, set_in, set_of};
use crate::{ShardCommand, ShardContext};

/// `SPOP key [count]`: takes a member out, each as likely as the next, and replies it; null if
/// there is no set. With a count so many different ones, as a set; all if there are not so many.
///
/// Logged as SREM of what was drawn, or as the removal of the key.
pub(super) const SPOP: ShardCommand = ShardCommand::new(
    Spec::new("spop", Arity::at_least(2), Group::Set, "1.0.0")
        .about(
            "Takes random members out of a set, which goes with the last one.",
            "Without the count argument O(1), otherwise O(N) where N is the value of the passed \
             count.",
        )
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE))])
        .arguments(&[Argument::key("key"), Argument::integer("count").optional().since("3.2.0")])
        .history(&[("3.2.0", "Added the `count` argument.")])
        .reply(Reply::BULK.or(Reply::NULL).or(Reply::SET).or(Reply::ARRAY))
        .tips(&["nondeterministic_output"]),
    spop,
);

fn spop(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    match arguments.len() {
        2 => pop_one(shard, &arguments[1], reply),
        3 => {
            let count = parse_i64(&arguments[2]).and_then(|count| usize::try_from(count).ok());
            pop_many(shard, &arguments[1], count.ok_or(CommandError::NotPositive)?, reply)
        }
        _ => Err(CommandError::Syntax),
    }
}

fn pop_one(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut random = chance(shard);
    let Some(mut record) = shard.write(key) else {
        reply.null();
        return Ok(());
    };
    let set = set_in(&mut record)?;
    let Some(member) = set.pop(&mut || random.next()) else {
        debug_assert!(false, "a set without members is no value");
        reply.null();
        return Ok(());
    };
    let is_empty = set.is_empty();
    members_went(shard, (key, "spop"), 1, is_empty);
    shard.effects.log(shard.db, key, &[b"SREM", key, &member]);
    reply.bulk(&member);
    Ok(())
}

fn pop_many(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    count: usize,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut random = chance(shard);
    let Some(mut record) = shard.write(key) else {
        reply.set(0);
        return Ok(());
    };
    let set = set_in(&mut record)?;
    let members = set.len();
    if count >= members {
        reply_members(set, reply);
        members_went(shard, (key, "spop"), members, true);
        let lazy = shard.keyspace.settings().lazy_free.server_del;
        let verb: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        shard.effects.log(shard.db, key, &[verb, key]);
        return Ok(());
    }
    let mut drawn = Gathered::default();
    set.random_distinct(count, &mut || random.next(), |member| drawn.push(&member.text()));
    reply.set(drawn.len());
    for member in drawn.iter() {
        set.remove(member);
        reply.bulk(member);
    }
    if drawn.len() > 0 {
        members_went(shard, (key, "spop"), drawn.len(), false);
        drawn.log_removal(shard, key);
    }
    Ok(())
}

/// `SRANDMEMBER key [count]`: a member, each as likely as the next; null if there is no set. With a
/// count an array: of so many different ones at most, or, if it is negative, of just so many, which
/// may repeat.
pub(super) const SRANDMEMBER: ShardCommand = ShardCommand::new(
    Spec::new("srandmember", Arity::at_least(2), Group::Set, "1.0.0")
        .about(
            "Random members of a set.",
            "Without the count argument O(1), otherwise O(N) where N is the absolute value of the \
             passed count.",
        )
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key"), Argument::integer("count").optional().since("2.6.0")])
        .history(&[("2.6.0", "Added the optional `count` argument.")])
        .reply(Reply::BULK.or(Reply::NULL).or(Reply::ARRAY))
        .tips(&["nondeterministic_output"]),
    srandmember,
);

/// Members that one SRANDMEMBER with a negative count replies at most: what it repeats is bounded
/// by nothing else, and a reply that no memory holds would end the server.
const REPEATED_MAX: u64 = 1 << 24;

fn srandmember(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut random = chance(shard);
    let key = &arguments[1];
    match arguments.len() {
        2 => {
            let set = shard.read(key).map(set_of).transpose()?;
            match set.and_then(|set| set.random(&mut || random.next())) {
                Some(member) => reply_member(member, reply),
                None => reply.null(),
            }
            Ok(())
        }
        3 => {
            let count = parse_i64(&arguments[2]).ok_or(CommandError::NotInteger)?;
            if count == i64::MIN {
                return Err(CommandError::OutsideRange { least: -i64::MAX, most: i64::MAX });
            }
            match shard.read(key).map(set_of).transpose()? {
                None => reply.array(0),
                Some(set) => draw(set, count, &mut random, reply)?,
            }
            Ok(())
        }
        _ => Err(CommandError::Syntax),
    }
}

/// Replies what SRANDMEMBER with a count replies.
fn draw(
    set: &Set,
    count: i64,
    random: &mut Random,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut next = || random.next();
    if count < 0 {
        let repeated = count.unsigned_abs();
        if repeated > REPEATED_MAX {
            return Err(CommandError::ValueOutOfRange);
        }
        reply.array(repeated as usize);
        for _ in 0..repeated {
            match set.random(&mut next) {
                Some(member) => reply_member(member, reply),
                None => reply.null(),
            }
        }
        return Ok(());
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
    reply.array(count);
    set.random_distinct(count, &mut next, |member| reply_member(member, reply));
    Ok(())
}

/// A source of random numbers of its own, so that the keyspace is free for the record.
fn chance(shard: &mut ShardContext<'_>) -> Random {
    Random::new(shard.keyspace.random())
}
