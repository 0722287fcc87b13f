//! DEBUG POPULATE: keys in bulk, for tests.

use keyspace::Step;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Reply, shard_of_slot, slot_of};
use table::{Expiry, Payload};

use super::spec;
use crate::commands::{Context, SessionCommand, Then};
use crate::core::Core;
use crate::message::gathering::Question;

/// `DEBUG POPULATE count [prefix] [size]`: keys `prefix:0`, `prefix:1` ... (`key:0` without a
/// prefix) with the values `value:0` ..., filled up or cut to `size` bytes. Keys that are there
/// stay as they are. As in Redis, none of it is logged.
pub(super) const POPULATE: SessionCommand = SessionCommand {
    spec: spec("debug|populate", Arity::at_least(3), "Makes keys in bulk.")
        .arguments(&[
            Argument::integer("count"),
            Argument::string("prefix").optional(),
            Argument::integer("size").optional(),
        ])
        .reply(Reply::SIMPLE),
    run: populate,
};

/// What is to be made.
#[derive(Clone)]
struct Order {
    db: usize,
    count: u64,
    prefix: Vec<u8>,
    /// `None`: values as long as they come.
    size: Option<usize>,
}

fn populate(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if arguments.len() > 5 {
        return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
    }
    let positive = |text: &[u8]| {
        let number = resp::number::parse_i64(text).ok_or(CommandError::NotPositive)?;
        u64::try_from(number).map_err(|_| CommandError::NotPositive)
    };
    let order = Order {
        db: context.session().client.db as usize,
        count: positive(&arguments[2])?,
        prefix: arguments.get(3).unwrap_or(b"key").to_vec(),
        size: match arguments.get(4) {
            None => None,
            Some(text) => match positive(text)? {
                // As in Redis: no size.
                0 => None,
                size => usize::try_from(size).ok(),
            },
        },
    };
    let question = Question::new(move |core| make(core, &order), |_, _: Vec<()>, reply| reply.ok());
    Ok(Then::Ask(question.barrier()))
}

/// Makes the keys that are this shard's.
fn make(core: &mut Core, order: &Order) {
    let (shard, shards, now_ms) = (core.mail.shard, core.mail.shards(), core.time.unix_ms());
    for number in 0..order.count {
        let mut key = order.prefix.clone();
        key.extend_from_slice(format!(":{number}").as_bytes());
        if shard_of_slot(slot_of(&key), shards) != shard {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = order.size {
            value.resize(size, 0);
        }
        let (keyspace, effects) = (&mut core.shard.keyspace, &mut core.shard.effects);
        let mut step = Step { db: order.db, now_ms, effects };
        if keyspace.find(&mut step, &key).is_none() {
            keyspace.set(&mut step, &key, Payload::Bytes(&value), Expiry::Never);
        }
        core.shard.effects.clear();
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::debug::tests::debuggable;

    #[test]
    fn keys_are_made_where_there_are_none() {
        let mut server = debuggable(3);
        let client = server.connect(2);
        server.ask(client, "SET some:1 mine");
        assert_eq!(server.ask(client, "DEBUG POPULATE 100 some 10"), "+OK\r\n");
        assert_eq!(server.ask(client, "DBSIZE"), ":100\r\n");
        assert_eq!(server.ask(client, "GET some:1"), "$4\r\nmine\r\n");
        assert_eq!(server.ask(client, "GET some:42"), "$10\r\nvalue:42\0\0\r\n");
        assert_eq!(server.ask(client, "DEBUG POPULATE 3"), "+OK\r\n");
        assert_eq!(server.ask(client, "GET key:2"), "$7\r\nvalue:2\r\n");
        let error = "-ERR value is out of range, must be positive\r\n";
        assert_eq!(server.ask(client, "DEBUG POPULATE many"), error);
        assert_eq!(server.ask(client, "DEBUG POPULATE -1"), error);
    }
}
