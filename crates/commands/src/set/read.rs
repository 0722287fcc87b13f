//! Asking one set: SISMEMBER, SMISMEMBER, SCARD, SMEMBERS.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::value::{reply_members, set_of};
use crate::{ShardCommand, ShardContext};

const FAST: Flags = Flags::READONLY.with(Flags::FAST);

/// `SISMEMBER key member`: whether the set has the member.
pub(super) const SISMEMBER: ShardCommand = ShardCommand::new(
    Spec::new("sismember", Arity::exactly(3), Group::Set, "1.0.0")
        .about("Tells whether a set has a member.", "O(1)")
        .flags(FAST)
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key"), Argument::string("member")])
        .reply(Reply::INTEGER),
    sismember,
);

fn sismember(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let is_member = match shard.read(&arguments[1]) {
        None => false,
        Some(record) => set_of(record)?.contains(&arguments[2]),
    };
    reply.integer(i64::from(is_member));
    Ok(())
}

/// `SMISMEMBER key member [member ...]`: the same of each member, as an array.
pub(super) const SMISMEMBER: ShardCommand = ShardCommand::new(
    Spec::new("smismember", Arity::at_least(3), Group::Set, "6.2.0")
        .about(
            "Tells of each of several members whether a set has it.",
            "O(N) where N is the number of members asked for.",
        )
        .flags(FAST)
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key"), Argument::string("member").multiple()])
        .reply(Reply::ARRAY),
    smismember,
);

fn smismember(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let set = shard.read(&arguments[1]).map(set_of).transpose()?;
    let members = arguments.from(2);
    reply.array(members.len());
    for member in members {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// `SCARD key`: how many members the set has.
pub(super) const SCARD: ShardCommand = ShardCommand::new(
    Spec::new("scard", Arity::exactly(2), Group::Set, "1.0.0")
        .about("The number of members of a set.", "O(1)")
        .flags(FAST)
        .keys(&[KeySpec::one(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key")])
        .reply(Reply::INTEGER),
    scard,
);

fn scard(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let set = shard.read(&arguments[1]).map(set_of).transpose()?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

/// `SMEMBERS key`: all members.
pub(super) const SMEMBERS: ShardCommand = ShardCommand::new(
    Spec::new("smembers", Arity::exactly(2), Group::Set, "1.0.0")
        .about("All members of a set.", "O(N) where N is the set cardinality.")
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[Argument::key("key")])
        .reply(Reply::SET.or(Reply::ARRAY))
        .tips(&["nondeterministic_output_order"]),
    smembers,
);

fn smembers(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    match shard.read(&arguments[1]) {
        None => reply.set(0),
        Some(record) => reply_members(set_of(record)?, reply),
    }
    Ok(())
}
