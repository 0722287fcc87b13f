//! What two strings have in common: LCS. The comparison itself is `datatypes::lcs`.

use datatypes::lcs::{Common, compare, table_bytes};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::get::string_bytes;
use crate::{ShardCommand, ShardContext};

/// `LCS key1 key2 [LEN | IDX [MINMATCHLEN n] [WITHMATCHLEN]]`: the longest common subsequence of
/// two strings, or its length, or where its runs are in both strings, last run first. A key that is
/// not there is an empty string.
pub(super) const LCS: ShardCommand = ShardCommand::new(
    Spec::new("lcs", Arity::at_least(3), Group::String, "7.0.0")
        .about(
            "The longest common subsequence of two strings.",
            "O(N*M) where N and M are the lengths of the strings.",
        )
        .flags(Flags::READONLY)
        .keys(&[KeySpec::range(1, 1, 1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::key("key1"),
            Argument::key("key2"),
            Argument::word("len", "LEN").optional(),
            Argument::word("idx", "IDX").optional(),
            Argument::integer("min-match-len").token("MINMATCHLEN").optional(),
            Argument::word("withmatchlen", "WITHMATCHLEN").optional(),
        ])
        .reply(Reply::BULK.or(Reply::INTEGER).or(Reply::MAP)),
    lcs,
);

/// The options of LCS.
#[derive(Clone, Copy, Debug, Default)]
struct LcsOptions {
    len: bool,
    indexes: bool,
    /// Shorter runs are left out of the indexes.
    run_len_min: i64,
    with_run_len: bool,
}

impl LcsOptions {
    fn parse(words: Arguments<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut index = 0;
        while let Some(word) = words.get(index) {
            index += 1;
            if word.eq_ignore_ascii_case(b"IDX") {
                options.indexes = true;
            } else if word.eq_ignore_ascii_case(b"LEN") {
                options.len = true;
            } else if word.eq_ignore_ascii_case(b"WITHMATCHLEN") {
                options.with_run_len = true;
            } else if word.eq_ignore_ascii_case(b"MINMATCHLEN") && index < words.len() {
                options.run_len_min = parse_i64(&words[index]).ok_or(CommandError::NotInteger)?;
                index += 1;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.len && options.indexes {
            return Err(CommandError::LcsLengthAndIndexes);
        }
        Ok(options)
    }
}

fn lcs(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let bytes_max = u128::from(shard.limits.bulk_bytes_max);
    let (a, a_len) = string_copied(shard, &arguments[1])?;
    let (b, b_len) = string_copied(shard, &arguments[2])?;
    let options = LcsOptions::parse(arguments.from(3))?;
    if a_len.max(b_len) >= STRING_BYTES_MAX {
        return Err(CommandError::LcsStringTooLong);
    }
    if table_bytes(a_len, b_len) > bytes_max {
        return Err(CommandError::LcsTooMuchMemory);
    }
    let common = compare(&a, &b);
    if options.indexes {
        reply_indexes(&common, options, reply);
    } else if options.len {
        reply.count(common.len());
    } else {
        reply.bulk(&common.subsequence());
    }
    Ok(())
}

/// The string under `key` and its length; empty where there is none. It is copied, because another
/// key is to be looked up while it is in use: nothing beside the work of comparing them. One that
/// is too long to be compared with anything is not copied, and stays empty.
fn string_copied(
    shard: &mut ShardContext<'_>,
    key: &[u8],
) -> Result<(Vec<u8>, usize), CommandError> {
    let bytes_max = u128::from(shard.limits.bulk_bytes_max);
    let Some(record) = shard.read(key) else {
        return Ok((Vec::new(), 0));
    };
    let bytes = string_bytes(record.payload()).map_err(|_| CommandError::LcsNotStrings)?;
    let copied = if table_bytes(bytes.len(), 0) > bytes_max { &[] } else { &bytes[..] };
    Ok((copied.to_vec(), bytes.len()))
}

fn reply_indexes(common: &Common<'_>, options: LcsOptions, reply: &mut Writer<'_>) {
    let long_enough = |len: usize| i64::try_from(len).is_ok_and(|len| len >= options.run_len_min);
    let runs: Vec<_> = common.matches().filter(|run| long_enough(run.len)).collect();
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(runs.len());
    for run in runs {
        reply.array(if options.with_run_len { 3 } else { 2 });
        for start in [run.a_start, run.b_start] {
            reply.array(2);
            reply.count(start);
            reply.count(start + run.len - 1);
        }
        if options.with_run_len {
            reply.count(run.len);
        }
    }
    reply.bulk(b"len");
    reply.count(common.len());
}

/// Redis counts columns and rows in 32 bits, one more than there are bytes.
const STRING_BYTES_MAX: usize = u32::MAX as usize - 1;
