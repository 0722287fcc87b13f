//! Going through a set in slices: SSCAN.

use datatypes::{Case, glob_matches};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::value::{reply_member, set_of};
use crate::cursor::parse_cursor;
use crate::{ShardCommand, ShardContext};

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`: some members, and the cursor to go on with.
/// Begins with 0 and ends when 0 comes back. Members that are there all the while are replied. A
/// small set replies all at once. COUNT is how many are looked at, more or less, not how many are
/// replied.
///
/// The cursor is a position in the order of hashes, below 2^48: a double carries it.
pub(super) const SSCAN: ShardCommand = ShardCommand::new(
    Spec::new("sscan", Arity::at_least(3), Group::Set, "2.8.0")
        .about(
            "Goes through the members of a set, some at a time.",
            "O(1) for every call. O(N) for all calls of a walk, N being the number of members.",
        )
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::key("key"),
            Argument::integer("cursor"),
            Argument::pattern("pattern").token("MATCH").optional(),
            Argument::integer("count").token("COUNT").optional(),
        ])
        .reply(Reply::ARRAY)
        .tips(&["nondeterministic_output"]),
    sscan,
);

/// Members looked at by a call that does not say how many.
const COUNT_DEFAULT: usize = 10;

/// More members than any set has, and few enough to be counted with.
const COUNT_MAX: usize = 1 << 48;

/// The options of SSCAN.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    fn parse(words: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: COUNT_DEFAULT };
        let mut index = 0;
        while let Some(word) = words.get(index) {
            let value = words.get(index + 1).ok_or(CommandError::Syntax)?;
            if word.eq_ignore_ascii_case(b"COUNT") {
                let count = parse_i64(value).ok_or(CommandError::NotInteger)?;
                if count < 1 {
                    return Err(CommandError::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX).min(COUNT_MAX);
            } else if word.eq_ignore_ascii_case(b"MATCH") {
                options.pattern = Some(value).filter(|pattern| *pattern != b"*");
            } else {
                return Err(CommandError::Syntax);
            }
            index += 2;
        }
        Ok(options)
    }
}

fn sscan(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let position = parse_cursor(&arguments[2]).ok_or(CommandError::InvalidCursor)?;
    reply.array(2);
    let Some(record) = shard.read(&arguments[1]) else {
        // Options are not looked at where there is nothing to apply them to.
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let set = set_of(record)?;
    let options = Options::parse(arguments.from(3))?;

    // Members are counted before they are replied: they are gathered behind the place for the
    // cursor.
    let (mut members, mut found) = (Vec::new(), 0);
    let mut writer = Writer::new(&mut members, reply.protocol());
    let next = set.scan(position, options.count, |member| {
        let admits = |pattern| glob_matches(pattern, &member.text(), Case::Matters);
        if options.pattern.is_none_or(admits) {
            found += 1;
            reply_member(member, &mut writer);
        }
    });
    reply.bulk(next.to_string().as_bytes());
    reply.array(found);
    reply.raw(&members);
    Ok(())
}
