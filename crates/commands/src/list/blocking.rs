//! Waiting for elements: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! Each does what its kind without `B` does where there is a list, and logs the same; without one
//! it waits for a list (`crate::wait`).

use datatypes::ObjectType;
use datatypes::list::End;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeySpec, Reply, Spec};

use super::access::{ENDS, POPPED, list_mut, pop_name, reply_entry};
use super::pop::{ManyPop, first_list};
use super::shift::{KEYS, Shift};
use crate::{Awaited, Otherwise, Outcome, ShardCommand, ShardContext, Wait, parse_timeout};

const FLAGS: Flags = Flags::WRITE.with(Flags::BLOCKING);
const POP_ARGUMENTS: &[Argument] = &[Argument::key("key").multiple(), Argument::double("timeout")];
const POP_COST: &str = "O(N) where N is the number of keys.";
const SINCE_DOUBLE: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

/// `BLPOP key [key ...] timeout`: takes the first element out of the first of these lists that is
/// there, or waits so many seconds for one. Replies the key and the element, a null array in vain.
pub(super) const BLPOP: ShardCommand = ShardCommand::waiting(
    Spec::new("blpop", Arity::at_least(3), Group::List, "2.0.0")
        .about("Takes an element out at the front of a list, or waits for one.", POP_COST)
        .flags(FLAGS)
        .keys(&[KeySpec::range(1, -2, 1, POPPED)])
        .arguments(POP_ARGUMENTS)
        .history(SINCE_DOUBLE)
        .reply(Reply::NULL.or(Reply::ARRAY)),
    |shard, arguments, reply| pop(shard, arguments, End::Front, reply),
);

/// `BRPOP key [key ...] timeout`: BLPOP with the last element.
pub(super) const BRPOP: ShardCommand = ShardCommand::waiting(
    Spec::new("brpop", Arity::at_least(3), Group::List, "2.0.0")
        .about("Takes an element out at the back of a list, or waits for one.", POP_COST)
        .flags(FLAGS)
        .keys(&[KeySpec::range(1, -2, 1, POPPED)])
        .arguments(POP_ARGUMENTS)
        .history(SINCE_DOUBLE)
        .reply(Reply::NULL.or(Reply::ARRAY)),
    |shard, arguments, reply| pop(shard, arguments, End::Back, reply),
);

fn pop(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    end: End,
    reply: &mut Writer<'_>,
) -> Result<Outcome, CommandError> {
    let last = arguments.len() - 1;
    let timeout_ms = parse_timeout(&arguments[last], shard.now_ms)?;
    let Some(key) = first_list(shard, arguments.first(last).from(1))? else {
        return Ok(wait_for_lists(1..last, timeout_ms, Otherwise::NullArray));
    };
    let (db, limits) = (shard.db, shard.limits.list);
    let mut is_empty = false;
    if let Some(mut record) = shard.write(key) {
        let list = list_mut(&mut record)?;
        reply.array(2);
        reply.bulk(key);
        list.pop(end, limits, |entry| reply_entry(entry, reply));
        is_empty = list.is_empty();
    }
    let (command, event) = pop_name(end);
    shard.list_lost(key, event, (1, is_empty));
    shard.effects.log(db, key, &[command, key]);
    Ok(Outcome::Done)
}

/// `BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`: LMPOP, or waits so many
/// seconds for a list.
pub(super) const BLMPOP: ShardCommand = ShardCommand::waiting(
    Spec::new("blmpop", Arity::at_least(5), Group::List, "7.0.0")
        .about(
            "Takes elements out of the first of several lists that is there, or waits for one.",
            "O(N+M) where N is the number of keys and M is the number of elements replied.",
        )
        .flags(FLAGS)
        .keys(&[KeySpec::counted(2, POPPED)])
        .arguments(&[
            Argument::double("timeout"),
            Argument::integer("numkeys"),
            Argument::key("key").multiple(),
            Argument::one_of("where", ENDS),
            Argument::integer("count").token("COUNT").optional(),
        ])
        .reply(Reply::NULL.or(Reply::ARRAY)),
    |shard, arguments, reply| {
        let asked = ManyPop::parse(arguments.from(2))?;
        let timeout_ms = parse_timeout(&arguments[1], shard.now_ms)?;
        if asked.run(shard, reply)? {
            return Ok(Outcome::Done);
        }
        Ok(wait_for_lists(3..3 + asked.keys(), timeout_ms, Otherwise::NullArray))
    },
);

/// `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout`: LMOVE, or waits so many
/// seconds for `source`.
pub(super) const BLMOVE: ShardCommand = ShardCommand::waiting(
    Spec::new("blmove", Arity::exactly(6), Group::List, "6.2.0")
        .about("Moves an element from one list to another, or waits for one.", "O(1)")
        .flags(FLAGS.with(Flags::DENYOOM))
        .keys(KEYS)
        .arguments(&[
            Argument::key("source"),
            Argument::key_of("destination", 1),
            Argument::one_of("wherefrom", ENDS),
            Argument::one_of("whereto", ENDS),
            Argument::double("timeout"),
        ])
        .reply(Reply::BULK.or(Reply::NULL)),
    |shard, arguments, reply| {
        let shift = Shift::parse(arguments, &arguments[3], &arguments[4])?;
        run_shift(shard, &shift, &arguments[5], reply)
    },
);

/// `BRPOPLPUSH source destination timeout`: BLMOVE from the right to the left.
pub(super) const BRPOPLPUSH: ShardCommand = ShardCommand::waiting(
    Spec::new("brpoplpush", Arity::exactly(4), Group::List, "2.2.0")
        .about("Moves the last element of a list to the front of another, or waits.", "O(1)")
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .flags(FLAGS.with(Flags::DENYOOM))
        .keys(KEYS)
        .arguments(&[
            Argument::key("source"),
            Argument::key_of("destination", 1),
            Argument::double("timeout"),
        ])
        .history(SINCE_DOUBLE)
        .reply(Reply::BULK.or(Reply::NULL)),
    |shard, arguments, reply| {
        run_shift(shard, &Shift::right_to_left(arguments), &arguments[3], reply)
    },
);

fn run_shift(
    shard: &mut ShardContext<'_>,
    shift: &Shift<'_>,
    timeout: &[u8],
    reply: &mut Writer<'_>,
) -> Result<Outcome, CommandError> {
    let timeout_ms = parse_timeout(timeout, shard.now_ms)?;
    if shift.run(shard, reply)? {
        return Ok(Outcome::Done);
    }
    Ok(wait_for_lists(1..2, timeout_ms, Otherwise::Null))
}

/// Waits for a list at one of these keys. In vain all of them answer a null array, as Redis does,
/// whatever else they answer; `at_once` is the answer where nothing may wait.
fn wait_for_lists(keys: std::ops::Range<usize>, timeout_ms: u64, at_once: Otherwise) -> Outcome {
    let wait = Wait::new(keys, timeout_ms, Otherwise::NullArray);
    Outcome::Wait(Box::new(wait.at_once(at_once).until(Awaited::value(ObjectType::List))))
}
