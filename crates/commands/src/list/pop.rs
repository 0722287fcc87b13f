//! Taking out at an end: LPOP, RPOP, LMPOP.

use datatypes::list::End;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeySpec, Reply, Spec};

use super::access::{ENDS, POPPED, end_named, list_mut, pop_name, reply_entry, reply_from};
use crate::{ShardCommand, ShardContext};

const FLAGS: Flags = Flags::WRITE.with(Flags::FAST);
const KEYS: &[KeySpec] = &[KeySpec::one(1, POPPED)];
const ARGUMENTS: &[Argument] =
    &[Argument::key("key"), Argument::integer("count").optional().since("6.2.0")];
const COST: &str = "O(N) where N is the number of elements replied.";
const SINCE_COUNT: &[(&str, &str)] = &[("6.2.0", "Added the `count` argument.")];

/// `LPOP key [count]`: takes the first element out and replies it, or an array of up to `count`.
pub(super) const LPOP: ShardCommand = ShardCommand::new(
    Spec::new("lpop", Arity::at_least(2), Group::List, "1.0.0")
        .about("Takes elements out at the front of a list.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_COUNT)
        .reply(Reply::NULL.or(Reply::BULK).or(Reply::ARRAY)),
    |shard, arguments, reply| pop(shard, arguments, ("lpop", End::Front), reply),
);

/// `RPOP key [count]`: takes the last element out and replies it, or an array of up to `count`.
pub(super) const RPOP: ShardCommand = ShardCommand::new(
    Spec::new("rpop", Arity::at_least(2), Group::List, "1.0.0")
        .about("Takes elements out at the back of a list.", COST)
        .flags(FLAGS)
        .keys(KEYS)
        .arguments(ARGUMENTS)
        .history(SINCE_COUNT)
        .reply(Reply::NULL.or(Reply::BULK).or(Reply::ARRAY)),
    |shard, arguments, reply| pop(shard, arguments, ("rpop", End::Back), reply),
);

/// `LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`: takes up to `count` elements out of
/// the first of these lists that is there. Replies its key and the elements, a null array without.
/// Logged as LPOP or RPOP.
pub(super) const LMPOP: ShardCommand = ShardCommand::new(
    Spec::new("lmpop", Arity::at_least(4), Group::List, "7.0.0")
        .about(
            "Takes elements out of the first of several lists that is there.",
            "O(N+M) where N is the number of keys and M is the number of elements replied.",
        )
        .flags(Flags::WRITE)
        .keys(&[KeySpec::counted(1, POPPED)])
        .arguments(&[
            Argument::integer("numkeys"),
            Argument::key("key").multiple(),
            Argument::one_of("where", ENDS),
            Argument::integer("count").token("COUNT").optional(),
        ])
        .reply(Reply::NULL.or(Reply::ARRAY)),
    |shard, arguments, reply| {
        let asked = ManyPop::parse(arguments.from(1))?;
        if !asked.run(shard, reply)? {
            reply.null_array();
        }
        Ok(())
    },
);

fn pop(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    (command, end): (&'static str, End),
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (key, limits) = (&arguments[1], shard.limits.list);
    if arguments.len() > 3 {
        return Err(CommandError::WrongArity(command));
    }
    let count = match arguments.get(2) {
        None => None,
        Some(text) => {
            let count = parse_i64(text).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::NotPositive)?)
        }
    };
    let Some(mut record) = shard.write(key) else {
        match count {
            None => reply.null(),
            Some(_) => reply.null_array(),
        }
        return Ok(());
    };
    let list = list_mut(&mut record)?;
    match count {
        None => {
            let popped = list.pop(end, limits, |entry| reply_entry(entry, reply));
            debug_assert!(popped.is_some(), "no key holds an empty list");
            let is_empty = list.is_empty();
            shard.list_lost(key, pop_name(end).1, (1, is_empty));
        }
        Some(0) => reply.array(0),
        Some(count) => {
            pop_many(shard, key, (end, count), reply)?;
        }
    }
    Ok(())
}

/// Takes up to `count` elements, one or more, out of the list at `key` and replies them as an
/// array. Returns how many; `None` where there is no key.
pub(super) fn pop_many(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    (end, count): (End, usize),
    reply: &mut Writer<'_>,
) -> Result<Option<usize>, CommandError> {
    let limits = shard.limits.list;
    let Some(mut record) = shard.write(key) else { return Ok(None) };
    let list = list_mut(&mut record)?;
    let (len, count) = (list.len(), count.min(list.len()));
    reply_from(list, end, count, reply);
    let kept = if end == End::Front { count } else { 0 };
    let rest = list.trim(kept, len - count, limits);
    shard.doom_list(rest);
    shard.list_lost(key, pop_name(end).1, (count, count == len));
    Ok(Some(count))
}

/// What LMPOP and BLMPOP are asked for.
pub(super) struct ManyPop<'a> {
    keys: Arguments<'a>,
    end: End,
    count: usize,
}

impl<'a> ManyPop<'a> {
    /// Reads the arguments from `numkeys` on.
    ///
    /// # Errors
    /// A count that is none, or what is no such command.
    pub(super) fn parse(words: Arguments<'a>) -> Result<Self, CommandError> {
        let positive = |text: &[u8]| {
            let number = parse_i64(text).filter(|number| *number > 0);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let keys = positive(&words[0]).ok_or(CommandError::NumkeysNotPositive)?;
        let behind = keys.checked_add(1).ok_or(CommandError::Syntax)?;
        let end = end_named(words.get(behind).ok_or(CommandError::Syntax)?)?;
        let mut count = None;
        let mut options = words.from(behind + 1).iter();
        while let Some(option) = options.next() {
            if count.is_some() || !option.eq_ignore_ascii_case(b"COUNT") {
                return Err(CommandError::Syntax);
            }
            let number = options.next().ok_or(CommandError::Syntax)?;
            count = Some(positive(number).ok_or(CommandError::CountNotPositive)?);
        }
        Ok(Self { keys: words.first(behind).from(1), end, count: count.unwrap_or(1) })
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Pops from the first key that is there, and says whether there was one.
    ///
    /// # Errors
    /// What the first key holds is no list.
    pub(super) fn run(
        &self,
        shard: &mut ShardContext<'_>,
        reply: &mut Writer<'_>,
    ) -> Result<bool, CommandError> {
        let Some(key) = first_list(shard, self.keys)? else { return Ok(false) };
        reply.array(2);
        reply.bulk(key);
        let popped = pop_many(shard, key, (self.end, self.count), reply)?.unwrap_or(0);
        let (command, popped) = (pop_name(self.end).0, popped.to_string());
        shard.effects.log(shard.db, key, &[command, key, popped.as_bytes()]);
        Ok(true)
    }
}

/// The first of `keys` that is there.
///
/// # Errors
/// It holds no list.
pub(super) fn first_list<'a>(
    shard: &mut ShardContext<'_>,
    keys: Arguments<'a>,
) -> Result<Option<&'a [u8]>, CommandError> {
    for key in keys {
        if let Some(mut record) = shard.write(key) {
            list_mut(&mut record)?;
            return Ok(Some(key));
        }
    }
    Ok(None)
}
