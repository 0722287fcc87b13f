//! Strings combined into another: BITOP.

use datatypes::Object;
use datatypes::bits::{Combination, Operation};
use datatypes::string::EMBEDDED_BYTES_MAX;
use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};
use table::{Expiry, Payload};

use crate::string::string_bytes;
use crate::{ShardCommand, ShardContext};

/// `BITOP AND | OR | XOR | NOT destkey key [key ...]`: sets `destkey` to the combination of the
/// strings and replies its length, that of the longest. A key that is not there is an empty string;
/// where all are empty, `destkey` is deleted.
pub(super) const BITOP: ShardCommand = ShardCommand::new(
    Spec::new("bitop", Arity::at_least(4), Group::Bitmap, "2.6.0")
        .about("Sets a key to a bitwise combination of other keys' strings.", "O(N)")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[
            KeySpec::one(2, KeyFlags::OW.with(KeyFlags::UPDATE)),
            KeySpec::rest(3, KeyFlags::RO.with(KeyFlags::ACCESS)),
        ])
        .arguments(&[
            Argument::one_of(
                "operation",
                &[
                    Argument::word("and", "AND"),
                    Argument::word("or", "OR"),
                    Argument::word("xor", "XOR"),
                    Argument::word("not", "NOT"),
                ],
            ),
            Argument::key("destkey"),
            Argument::key_of("key", 1).multiple(),
        ])
        .reply(Reply::INTEGER),
    bitop,
);

fn bitop(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let operation = operation_named(&arguments[1])?;
    let (target, sources) = (&arguments[2], arguments.from(3));
    if operation == Operation::Not && sources.len() != 1 {
        return Err(CommandError::BitopNotOneSource);
    }
    let mut combination = Combination::new(operation);
    for source in sources {
        if let Some(record) = shard.read(source) {
            combination.add(&string_bytes(record.payload())?);
        } else {
            combination.add(&[]);
        }
    }
    let result = combination.finish();
    let len = result.len();
    if len > 0 {
        let payload = if len <= EMBEDDED_BYTES_MAX {
            Payload::Bytes(&result)
        } else {
            Payload::Object(Object::string(result))
        };
        shard.set(target, payload, Expiry::Never).set_raw(true);
        shard.changed(EventClass::STRING, "set", target);
        if shard.logs_each(arguments.from(2)) {
            shard.log_value(shard.db, target);
        }
    } else if shard.remove(target) {
        shard.changed(EventClass::GENERIC, "del", target);
        if shard.logs_each(arguments.from(2)) {
            shard.log_gone(shard.db, target);
        }
    }
    reply.count(len);
    Ok(())
}

fn operation_named(word: &[u8]) -> Result<Operation, CommandError> {
    let operations = [
        ("AND", Operation::And),
        ("OR", Operation::Or),
        ("XOR", Operation::Xor),
        ("NOT", Operation::Not),
    ];
    let named = operations.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, operation)| *operation).ok_or(CommandError::Syntax)
}
