//! All members of several sets, and those of one that others have not: SUNION, SDIFF, and their
//! STORE forms.

use datatypes::packed::Entry;
use datatypes::set::{Limits, Set};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::sources::{drop_set, look_up, sets_of};
use super::store::store;
use super::value::{limits, reply_member, reply_members};
use crate::{ShardCommand, ShardContext};

const COMPLEXITY: &str = "O(N) where N is the total number of elements in all given sets.";
const TIPS: &[&str] = &["nondeterministic_output_order"];
const KEYS: &[KeySpec] = &[KeySpec::rest(1, KeyFlags::RO.with(KeyFlags::ACCESS))];
const STORE_KEYS: &[KeySpec] = &[
    KeySpec::one(1, KeyFlags::OW.with(KeyFlags::UPDATE)),
    KeySpec::rest(2, KeyFlags::RO.with(KeyFlags::ACCESS)),
];
const STORE_ARGUMENTS: &[Argument] =
    &[Argument::key("destination"), Argument::key_of("key", 1).multiple()];

/// `SUNION key [key ...]`: the members that any of the sets has. A key that is not there is an
/// empty set.
pub(super) const SUNION: ShardCommand = ShardCommand::new(
    Spec::new("sunion", Arity::at_least(2), Group::Set, "1.0.0")
        .about("The members of several sets, each once.", COMPLEXITY)
        .flags(Flags::READONLY)
        .keys(KEYS)
        .arguments(&[Argument::key("key").multiple()])
        .reply(Reply::SET.or(Reply::ARRAY))
        .tips(TIPS),
    sunion,
);

fn sunion(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (keys, limits) = (arguments.from(1), limits(shard));
    let are_there = look_up(shard, keys)?;
    let sets = sets_of(shard.keyspace, shard.db, keys, &are_there);
    let sets: Vec<&Set> = sets.into_iter().flatten().collect();
    // The largest is replied as it is. Of the others, what it has not: each once, so these are
    // kept.
    let Some(largest) = sets.iter().copied().max_by_key(|set| set.len()) else {
        reply.set(0);
        return Ok(());
    };
    let (begun, mut found) = (reply.deferred(), largest.len());
    largest.for_each(|member| reply_member(member, reply));
    let mut more = Set::empty_large(&limits);
    for set in sets {
        if std::ptr::eq(set, largest) {
            continue;
        }
        set.for_each(|member| {
            let text = member.text();
            if !largest.contains(&text) && more.insert(&text, &limits) {
                found += 1;
                reply_member(member, reply);
            }
        });
    }
    reply.end_set(begun, found);
    drop_set(shard, more);
    Ok(())
}

/// `SUNIONSTORE destination key [key ...]`: sets `destination` to what SUNION replies, and replies
/// how many members that has; if none, `destination` is deleted.
pub(super) const SUNIONSTORE: ShardCommand = ShardCommand::new(
    Spec::new("sunionstore", Arity::at_least(3), Group::Set, "1.0.0")
        .about("Sets a key to the members of several sets.", COMPLEXITY)
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(STORE_KEYS)
        .arguments(STORE_ARGUMENTS)
        .reply(Reply::INTEGER),
    sunionstore,
);

fn sunionstore(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (keys, limits) = (arguments.from(2), limits(shard));
    let are_there = look_up(shard, keys)?;
    let mut result = Set::smallest();
    for set in sets_of(shard.keyspace, shard.db, keys, &are_there).into_iter().flatten() {
        insert_all(&mut result, set, &limits);
    }
    store(shard, arguments.from(1), result, "sunionstore", reply);
    Ok(())
}

/// `SDIFF key [key ...]`: the members of the first set that none of the others has.
pub(super) const SDIFF: ShardCommand = ShardCommand::new(
    Spec::new("sdiff", Arity::at_least(2), Group::Set, "1.0.0")
        .about("The members of a set that other sets do not have.", COMPLEXITY)
        .flags(Flags::READONLY)
        .keys(KEYS)
        .arguments(&[Argument::key("key").multiple()])
        .reply(Reply::SET.or(Reply::ARRAY))
        .tips(TIPS),
    sdiff,
);

fn sdiff(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let keys = arguments.from(1);
    let are_there = look_up(shard, keys)?;
    let Some(difference) = Difference::of(&sets_of(shard.keyspace, shard.db, keys, &are_there))
    else {
        reply.set(0);
        return Ok(());
    };
    if difference.asks_others() {
        let (begun, mut found) = (reply.deferred(), 0);
        difference.for_each(|member| {
            found += 1;
            reply_member(member, reply);
        });
        reply.end_set(begun, found);
        return Ok(());
    }
    // Members are taken out of a share: the set itself does not change.
    let mut rest = difference.first.share();
    difference.take_out_of(&mut rest);
    reply_members(&rest, reply);
    drop_set(shard, rest);
    Ok(())
}

/// `SDIFFSTORE destination key [key ...]`: sets `destination` to what SDIFF replies, and replies
/// how many members that has; if none, `destination` is deleted.
pub(super) const SDIFFSTORE: ShardCommand = ShardCommand::new(
    Spec::new("sdiffstore", Arity::at_least(3), Group::Set, "1.0.0")
        .about("Sets a key to the members of a set that other sets do not have.", COMPLEXITY)
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(STORE_KEYS)
        .arguments(STORE_ARGUMENTS)
        .reply(Reply::INTEGER),
    sdiffstore,
);

fn sdiffstore(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (keys, limits) = (arguments.from(2), limits(shard));
    let are_there = look_up(shard, keys)?;
    let mut result = Set::smallest();
    if let Some(difference) = Difference::of(&sets_of(shard.keyspace, shard.db, keys, &are_there)) {
        if difference.asks_others() {
            difference.for_each(|member| {
                result.insert(&member.text(), &limits);
            });
        } else {
            insert_all(&mut result, difference.first, &limits);
            difference.take_out_of(&mut result);
        }
    }
    store(shard, arguments.from(1), result, "sdiffstore", reply);
    Ok(())
}

fn insert_all(result: &mut Set, set: &Set, limits: &Limits) {
    set.for_each(|member| {
        result.insert(&member.text(), limits);
    });
}

/// A set, and those whose members do not count.
struct Difference<'k> {
    first: &'k Set,
    /// The largest first: they are the likeliest to have a member.
    others: Vec<&'k Set>,
}

impl<'k> Difference<'k> {
    /// `None` where nothing can be left: there is no first set, or it is among the others.
    fn of(sets: &[Option<&'k Set>]) -> Option<Self> {
        let (first, others) = sets.split_first()?;
        let first = (*first)?;
        let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
        if others.iter().any(|other| std::ptr::eq(*other, first)) {
            return None;
        }
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        Some(Self { first, others })
    }

    /// Whether to ask the others for each member of the first, rather than to take each of their
    /// members out of it: Redis' choice, which counts an asking as half of the work, because it
    /// often ends at the first set that has the member.
    fn asks_others(&self) -> bool {
        let (first, sets) = (self.first.len(), 1 + self.others.len());
        let all: usize = self.others.iter().map(|set| set.len()).sum();
        first.saturating_mul(sets) / 2 <= first.saturating_add(all)
    }

    /// Hands over what is left of the first set, in its order.
    fn for_each(&self, mut sink: impl FnMut(Entry<'_>)) {
        self.first.for_each(|member| {
            let text = member.text();
            if !self.others.iter().any(|other| other.contains(&text)) {
                sink(member);
            }
        });
    }

    /// Takes the members of the others out of `rest`, which has those of the first.
    fn take_out_of(&self, rest: &mut Set) {
        for other in &self.others {
            if rest.is_empty() {
                return;
            }
            other.for_each(|member| {
                rest.remove(&member.text());
            });
        }
    }
}
