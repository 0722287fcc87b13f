//! Integers of any width inside a string: BITFIELD, BITFIELD_RO.
//!
//! All operations are read and checked before the first is done. They are then done in order, each
//! with its own reply; the string is made long enough for all writes first.

use datatypes::bits::{FieldKind, Overflow, read_field, write_field};
use datatypes::string::StringBytes;
use keyspace::EventClass;
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, ArgumentAt, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::bits::bit_offset;
use crate::string::{edit_or_create, string_bytes};
use crate::{ShardCommand, ShardContext};

const GET_PARTS: &[Argument] = &[Argument::string("encoding"), Argument::integer("offset")];

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY
/// type offset increment] ...`: reads, writes and adds to integers inside the string. The reply is
/// an array: the value read, the old value, the sum; null where a value did not fit and OVERFLOW
/// FAIL was said.
///
/// `type` is `i1` to `i64` or `u1` to `u63`; an offset counts bits, or with `#` fields of the type.
/// OVERFLOW holds for what follows it.
pub(super) const BITFIELD: ShardCommand = ShardCommand::new(
    Spec::new("bitfield", Arity::at_least(2), Group::Bitmap, "3.2.0")
        .about(
            "Reads and changes integers of any width in a key's string.",
            "O(1) for each operation",
        )
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[KeySpec::one(1, READ_AND_UPDATE)
            .depending(key_flags)
            .notes("This command allows both access and modification of the key")])
        .arguments(&[
            Argument::key("key"),
            Argument::one_of(
                "operation",
                &[
                    Argument::block("get-block", GET_PARTS).token("GET"),
                    Argument::block("write", WRITE_PARTS),
                ],
            )
            .optional()
            .multiple(),
        ])
        .reply(Reply::ARRAY),
    bitfield,
);

const READ_AND_UPDATE: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE);

/// It writes unless all it does is GET.
fn key_flags(count: usize, argument: ArgumentAt<'_, '_>) -> KeyFlags {
    let mut at = 2;
    while at < count {
        let left = count - at - 1;
        if argument(at).eq_ignore_ascii_case(b"GET") && left >= 2 {
            at += 3;
        } else if argument(at).eq_ignore_ascii_case(b"OVERFLOW") && left >= 1 {
            at += 2;
        } else {
            return READ_AND_UPDATE;
        }
    }
    KeyFlags::RO.with(KeyFlags::ACCESS)
}

const WRITE_PARTS: &[Argument] = &[
    Argument::one_of(
        "overflow-block",
        &[
            Argument::word("wrap", "WRAP"),
            Argument::word("sat", "SAT"),
            Argument::word("fail", "FAIL"),
        ],
    )
    .token("OVERFLOW")
    .optional(),
    Argument::one_of(
        "write-operation",
        &[
            Argument::block(
                "set-block",
                &[
                    Argument::string("encoding"),
                    Argument::integer("offset"),
                    Argument::integer("value"),
                ],
            )
            .token("SET"),
            Argument::block(
                "incrby-block",
                &[
                    Argument::string("encoding"),
                    Argument::integer("offset"),
                    Argument::integer("increment"),
                ],
            )
            .token("INCRBY"),
        ],
    ),
];

/// `BITFIELD_RO key [GET type offset] ...`: BITFIELD without its writes, for replicas.
pub(super) const BITFIELD_RO: ShardCommand = ShardCommand::new(
    Spec::new("bitfield_ro", Arity::at_least(2), Group::Bitmap, "6.0.0")
        .about("Reads integers of any width in a key's string.", "O(1) for each operation")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS))])
        .arguments(&[
            Argument::key("key"),
            Argument::block("get-block", GET_PARTS).token("GET").optional().multiple_token(),
        ])
        .reply(Reply::ARRAY),
    bitfield_ro,
);

/// One operation.
#[derive(Clone, Copy, Debug)]
struct Operation {
    kind: FieldKind,
    /// Of its first bit.
    offset: usize,
    action: Action,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

impl Operation {
    /// Reads all operations.
    fn parse_all(words: Arguments<'_>, bytes_max: u64) -> Result<Vec<Self>, CommandError> {
        let mut operations = Vec::new();
        let mut overflow = Overflow::Wrap;
        let mut index = 0;
        while let Some(word) = words.get(index) {
            let parts = words.len() - index - 1;
            if word.eq_ignore_ascii_case(b"OVERFLOW") && parts >= 1 {
                overflow = overflow_named(&words[index + 1])?;
                index += 2;
                continue;
            }
            let is_get = word.eq_ignore_ascii_case(b"GET") && parts >= 2;
            let is_set = word.eq_ignore_ascii_case(b"SET") && parts >= 3;
            let is_increment = word.eq_ignore_ascii_case(b"INCRBY") && parts >= 3;
            if !is_get && !is_set && !is_increment {
                return Err(CommandError::Syntax);
            }
            let kind = FieldKind::parse(&words[index + 1]).ok_or(CommandError::BitfieldType)?;
            let offset = field_offset(&words[index + 2], kind, bytes_max)?;
            let action = if is_get {
                index += 3;
                Action::Get
            } else {
                let value = parse_i64(&words[index + 3]).ok_or(CommandError::NotInteger)?;
                index += 4;
                if is_set {
                    Action::Set(value, overflow)
                } else {
                    Action::Increment(value, overflow)
                }
            };
            operations.push(Self { kind, offset, action });
        }
        Ok(operations)
    }

    const fn writes(self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// Bytes that the string must have for the field to be in it.
    fn end_bytes(self) -> usize {
        (self.offset + self.kind.bits() as usize).div_ceil(8)
    }

    /// Does it and replies.
    fn run(self, bytes: &mut [u8], reply: &mut Writer<'_>) -> Done {
        let old = read_field(bytes, self.offset as u64, self.kind);
        let (new, replied) = match self.action {
            Action::Get => {
                reply.integer(old);
                return Done::Nothing;
            }
            Action::Set(value, overflow) => (self.kind.fit(value, overflow), Some(old)),
            Action::Increment(increment, overflow) => {
                let sum = self.kind.add(old, increment, overflow);
                (sum, sum)
            }
        };
        match (new, replied) {
            (Some(new), Some(replied)) => {
                write_field(bytes, self.offset, self.kind, new);
                reply.integer(replied);
                if old == new { Done::Written } else { Done::Changed }
            }
            _ => {
                reply.null();
                Done::Nothing
            }
        }
    }
}

/// What an operation did to the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// It read, or its value did not fit.
    Nothing,
    /// It wrote what was there already.
    Written,
    /// It wrote another value.
    Changed,
}

fn overflow_named(word: &[u8]) -> Result<Overflow, CommandError> {
    let kinds = [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
    let named = kinds.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, kind)| *kind).ok_or(CommandError::BitfieldOverflow)
}

/// Reads an offset: of a bit, or with `#` of a field.
fn field_offset(text: &[u8], kind: FieldKind, bytes_max: u64) -> Result<usize, CommandError> {
    match text {
        [b'#', index @ ..] => parse_i64(index)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| index.checked_mul(kind.bits() as usize))
            .filter(|offset| (*offset as u64) / 8 < bytes_max)
            .ok_or(CommandError::BitOffset),
        _ => bit_offset(text, bytes_max),
    }
}

fn bitfield(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let operations = Operation::parse_all(arguments.from(2), shard.limits.bulk_bytes_max)?;
    let end = operations.iter().filter(|it| it.writes()).map(|it| it.end_bytes()).max();
    let Some(end) = end else {
        return read_fields(shard, key, &operations, reply);
    };
    let (written, changed, grew) = edit_or_create(shard, key, end, |edited| {
        reply.array(operations.len());
        let (mut written, mut changed) = (0, 0);
        for operation in &operations {
            let done = operation.run(edited.bytes, reply);
            written += u64::from(done != Done::Nothing);
            changed += u64::from(done == Done::Changed);
        }
        (written, changed, edited.grew)
    })?;
    // In a string that grew every write counts, as in Redis. One that grew and then kept its zeros
    // (OVERFLOW FAIL) is no event, but the log has to make it as long again.
    let changes = if grew { written } else { changed };
    if changes > 0 {
        shard.changed(EventClass::STRING, "setbit", key);
        shard.effects.add_dirty(changes - 1);
    } else if grew {
        shard.effects.modified(shard.db, key);
        shard.effects.add_dirty(1);
    }
    Ok(())
}

fn bitfield_ro(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let operations = Operation::parse_all(arguments.from(2), shard.limits.bulk_bytes_max)?;
    if operations.iter().any(|it| it.writes()) {
        return Err(CommandError::BitfieldReadOnly);
    }
    read_fields(shard, &arguments[1], &operations, reply)
}

/// Replies to operations that all read.
fn read_fields(
    shard: &mut ShardContext<'_>,
    key: &[u8],
    operations: &[Operation],
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let record = shard.read(key);
    let bytes = match record {
        Some(record) => string_bytes(record.payload())?,
        None => StringBytes::Borrowed(&[]),
    };
    reply.array(operations.len());
    for operation in operations {
        reply.integer(read_field(&bytes, operation.offset as u64, operation.kind));
    }
    Ok(())
}
