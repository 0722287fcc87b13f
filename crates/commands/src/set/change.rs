//! Members that come and go: SADD, SREM, SMOVE.

use datatypes::Object;
use datatypes::set::Set;
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::{Expiry, Payload};

use super::value::{limits, members_went, set_in, set_of};
use crate::{ShardCommand, ShardContext};

const MEMBERS: &[Argument] = &[Argument::key("key"), Argument::string("member").multiple()];

/// `SADD key member [member ...]`: adds members and replies how many are new. Where there is no
/// set, one is made.
pub(super) const SADD: ShardCommand = ShardCommand::new(
    Spec::new("sadd", Arity::at_least(3), Group::Set, "1.0.0")
        .about(
            "Adds members to a set, empty if there is none.",
            "O(1) for each member added, so O(N) for N members.",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::INSERT))])
        .arguments(MEMBERS)
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .reply(Reply::INTEGER),
    sadd,
);

fn sadd(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, members, limits) = (&arguments[1], arguments.from(2), limits(shard));
    let insert_into = |set: &mut Set| {
        members.iter().map(|member| usize::from(set.insert(member, &limits))).sum::<usize>()
    };
    let added = match shard.write(key) {
        Some(mut record) => {
            let set = set_in(&mut record)?;
            set.expect(members.len(), &limits);
            insert_into(set)
        }
        None => {
            let mut set = Set::new(&members[0], members.len(), &limits);
            let added = insert_into(&mut set);
            shard.set(key, Payload::Object(Object::Set(set)), Expiry::Never);
            added
        }
    };
    if added > 0 {
        shard.effects.add_dirty(added as u64);
        shard.effects.modified(shard.db, key);
        shard.effects.event(EventClass::SET, "sadd", shard.db, key);
    }
    reply.count(added);
    Ok(())
}

/// `SREM key member [member ...]`: takes members out and replies how many were there. The key goes
/// with the last one.
pub(super) const SREM: ShardCommand = ShardCommand::new(
    Spec::new("srem", Arity::at_least(3), Group::Set, "1.0.0")
        .about(
            "Takes members out of a set, which goes with the last one.",
            "O(N) where N is the number of members to be removed.",
        )
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::DELETE))])
        .arguments(MEMBERS)
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .reply(Reply::INTEGER),
    srem,
);

fn srem(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let Some(mut record) = shard.write(key) else {
        reply.integer(0);
        return Ok(());
    };
    let set = set_in(&mut record)?;
    let removed = arguments.from(2).iter().filter(|member| set.remove(member)).count();
    let is_empty = set.is_empty();
    if removed > 0 {
        members_went(shard, (key, "srem"), removed, is_empty);
    }
    reply.count(removed);
    Ok(())
}

/// `SMOVE source destination member`: takes the member out of one set and adds it to the other.
/// Replies whether it was there.
///
/// Logged as what happened to each of the two keys: they may have two slots.
pub(super) const SMOVE: ShardCommand = ShardCommand::new(
    Spec::new("smove", Arity::exactly(4), Group::Set, "1.0.0")
        .about("Moves a member from one set to another.", "O(1)")
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[
            KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.with(KeyFlags::INSERT)),
        ])
        .arguments(&[
            Argument::key("source"),
            Argument::key_of("destination", 1),
            Argument::string("member"),
        ])
        .reply(Reply::INTEGER),
    smove,
);

fn smove(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (source, target, member) = (&arguments[1], &arguments[2], &arguments[3]);
    let limits = limits(shard);
    // Whether it is there is asked before anything changes: the destination may be no set.
    let has = match shard.write(source) {
        None => None,
        Some(record) => Some(set_of(record.into_record())?.contains(member)),
    };
    let target_is_there = match shard.write(target) {
        None => false,
        Some(record) if has.is_some() => set_of(record.into_record()).map(|_| true)?,
        Some(_) => true,
    };
    let has = has.unwrap_or(false);
    reply.integer(i64::from(has));
    if !has || source == target {
        return Ok(());
    }

    let db = shard.db;
    if let Some(mut record) = shard.write(source) {
        let set = set_in(&mut record)?;
        set.remove(member);
        let is_empty = set.is_empty();
        members_went(shard, (source, "srem"), 1, is_empty);
    }
    shard.effects.log(db, source, &[b"SREM", source, member]);
    let added = if target_is_there {
        let mut record = shard.write(target);
        let set = record.as_mut().map(set_in).transpose()?;
        set.is_some_and(|set| set.insert(member, &limits))
    } else {
        let mut set = Set::new(member, 1, &limits);
        set.insert(member, &limits);
        shard.set(target, Payload::Object(Object::Set(set)), Expiry::Never);
        true
    };
    if added {
        shard.changed(EventClass::SET, "sadd", target);
        shard.effects.log(db, target, &[b"SADD", target, member]);
    }
    Ok(())
}
