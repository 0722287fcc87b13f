//! Looking through a range of bits: BITCOUNT, BITPOS.
//!
//! Both take a range of bytes or, with BIT, of bits; negative ends count from the end of the
//! string. The arguments are looked at before the key, as Redis does since 7.2.

use datatypes::bits::{count_range, position_range};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec, Version};

use crate::string::{range_cut, range_within, string_bytes};
use crate::{ShardCommand, ShardContext};

const UNIT_ARGUMENT: Argument =
    Argument::one_of("unit", &[Argument::word("byte", "BYTE"), Argument::word("bit", "BIT")])
        .optional()
        .since("7.0.0");

const UNIT_HISTORY: &[(Version, &str)] = &[("7.0.0", "Added the `BYTE|BIT` option.")];

/// What the numbers of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Bits,
}

impl Unit {
    fn parse(word: Option<&[u8]>) -> Result<Self, CommandError> {
        match word {
            None => Ok(Self::Bytes),
            Some(word) if word.eq_ignore_ascii_case(b"BYTE") => Ok(Self::Bytes),
            Some(word) if word.eq_ignore_ascii_case(b"BIT") => Ok(Self::Bits),
            Some(_) => Err(CommandError::Syntax),
        }
    }
}

/// A range as the arguments give it.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: i64,
    end: i64,
    unit: Unit,
}

impl Range {
    /// All of a string.
    const ALL: Self = Self { start: 0, end: -1, unit: Unit::Bytes };

    /// The first and the last bit, both included, in a string of `len` bytes; `None` where there
    /// is none. In `cut` the two commands differ: what they make of negative ends.
    fn bits_within(
        self,
        len: usize,
        cut: fn(i64, i64, usize) -> Option<(usize, usize)>,
    ) -> Option<(usize, usize)> {
        match self.unit {
            Unit::Bits => cut(self.start, self.end, len * 8),
            Unit::Bytes => {
                let (first, last) = cut(self.start, self.end, len)?;
                Some((first * 8, last * 8 + 7))
            }
        }
    }
}

fn integer(text: &[u8]) -> Result<i64, CommandError> {
    parse_i64(text).ok_or(CommandError::NotInteger)
}

/// `BITCOUNT key [start end [BYTE | BIT]]`: the number of set bits, in the range if one is given.
pub(super) const BITCOUNT: ShardCommand = ShardCommand::new(
    Spec::new("bitcount", Arity::at_least(2), Group::Bitmap, "2.6.0")
        .about("The number of set bits in a key's string.", "O(N)")
        .history(UNIT_HISTORY)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::key("key"),
            Argument::block(
                "range",
                &[Argument::integer("start"), Argument::integer("end"), UNIT_ARGUMENT],
            )
            .optional(),
        ])
        .reply(Reply::INTEGER),
    bitcount,
);

fn bitcount(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let range = match arguments.len() {
        2 => Range::ALL,
        4 | 5 => Range {
            start: integer(&arguments[2])?,
            end: integer(&arguments[3])?,
            unit: Unit::parse(arguments.get(4))?,
        },
        _ => return Err(CommandError::Syntax),
    };
    let count = match shard.read(&arguments[1]) {
        Some(record) => {
            let bytes = string_bytes(record.payload())?;
            range
                .bits_within(bytes.len(), range_within)
                .map_or(0, |(first, last)| count_range(&bytes, first, last))
        }
        None => 0,
    };
    reply.integer(count.cast_signed());
    Ok(())
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`: the position of the first set (1) or clear (0) bit,
/// in the range if one is given, counted from the beginning of the string; -1 where there is none.
///
/// A string goes on with zeros for ever: without an `end`, looking for a clear bit finds the one
/// after the last byte, but not where the range itself is empty.
pub(super) const BITPOS: ShardCommand = ShardCommand::new(
    Spec::new("bitpos", Arity::at_least(3), Group::Bitmap, "2.8.7")
        .about("The first set or clear bit in a key's string.", "O(N)")
        .history(UNIT_HISTORY)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::key("key"),
            Argument::integer("bit"),
            Argument::block(
                "range",
                &[
                    Argument::integer("start"),
                    Argument::block("end-unit-block", &[Argument::integer("end"), UNIT_ARGUMENT])
                        .optional(),
                ],
            )
            .optional(),
        ])
        .reply(Reply::INTEGER),
    bitpos,
);

fn bitpos(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let bit = match integer(&arguments[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BitArgument),
    };
    if arguments.len() > 6 {
        return Err(CommandError::Syntax);
    }
    let mut range = Range::ALL;
    if let Some(start) = arguments.get(3) {
        range.start = integer(start)?;
    }
    range.unit = Unit::parse(arguments.get(5))?;
    let end = arguments.get(4);
    if let Some(end) = end {
        range.end = integer(end)?;
    }

    let position = match shard.read(&arguments[1]) {
        Some(record) => {
            let bytes = string_bytes(record.payload())?;
            match range.bits_within(bytes.len(), range_cut) {
                Some((first, last)) => match position_range(&bytes, bit, first, last) {
                    Some(position) => position.cast_signed(),
                    None if !bit && end.is_none() => bytes.len() as i64 * 8,
                    None => -1,
                },
                None => -1,
            }
        }
        None if bit => -1,
        None => 0,
    };
    reply.integer(position);
    Ok(())
}
