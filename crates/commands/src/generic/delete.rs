//! Deleting keys, and asking whether they are there: DEL, UNLINK, EXISTS, TOUCH.
//!
//! All four take any number of keys and reply how many of them were there; over several shards each
//! counts its own and the counts are added. A key that is named twice counts twice in EXISTS and
//! TOUCH, and once in DEL.

use keyspace::{EventClass, Step};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use crate::{Across, Merge, ShardCommand, ShardContext};

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const KEYS: &[Argument] = &[Argument::key("key").multiple()];
const SUM: Across = Across::Split { merge: Merge::Sum };

/// `DEL key [key ...]`: deletes the keys and replies how many there were. Large values are freed in
/// slices, so that it takes as long as UNLINK.
pub(super) const DEL: ShardCommand = ShardCommand::new(
    Spec::new("del", Arity::at_least(2), Group::Generic, "1.0.0")
        .about("Deletes keys.", "O(N) where N is the number of keys; values are freed in slices.")
        .flags(Flags::WRITE)
        .keys(&[KeySpec::rest(1, KeyFlags::RM.with(KeyFlags::DELETE))])
        .arguments(KEYS)
        .reply(Reply::INTEGER)
        .tips(TIPS),
    delete,
)
.across(SUM);

/// `UNLINK key [key ...]`: deletes the keys and replies how many there were.
pub(super) const UNLINK: ShardCommand = ShardCommand::new(
    Spec::new("unlink", Arity::at_least(2), Group::Generic, "4.0.0")
        .about(
            "Deletes keys and frees their values later.",
            "O(1) for each key; its value is freed in slices.",
        )
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::rest(1, KeyFlags::RM.with(KeyFlags::DELETE))])
        .arguments(KEYS)
        .reply(Reply::INTEGER)
        .tips(TIPS),
    delete,
)
.across(SUM);

fn delete(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut deleted = 0;
    let logs_each = shard.logs_each(arguments.from(1));
    for key in arguments.from(1) {
        if shard.remove(key) {
            shard.changed(EventClass::GENERIC, "del", key);
            deleted += 1;
            if logs_each {
                shard.effects.log(shard.db, key, &[&arguments[0], key]);
            }
        }
    }
    reply.integer(deleted);
    Ok(())
}

/// `EXISTS key [key ...]`: how many of the keys are there.
pub(super) const EXISTS: ShardCommand = ShardCommand::new(
    Spec::new("exists", Arity::at_least(2), Group::Generic, "1.0.0")
        .about("Tells how many of the keys exist.", "O(N) where N is the number of keys.")
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::rest(1, KeyFlags::RO)])
        .arguments(KEYS)
        .history(&[("3.0.3", "Accepts multiple `key` arguments.")])
        .reply(Reply::INTEGER)
        .tips(TIPS),
    exists,
)
.across(SUM);

fn exists(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let found = arguments.from(1).iter().filter(|key| shard.peek(key).is_some()).count();
    reply.count(found);
    Ok(())
}

/// `TOUCH key [key ...]`: counts as an access of the keys, also for a client that said NO-TOUCH,
/// and replies how many of them are there.
pub(super) const TOUCH: ShardCommand = ShardCommand::new(
    Spec::new("touch", Arity::at_least(2), Group::Generic, "3.2.1")
        .about(
            "Marks keys as used and tells how many of them exist.",
            "O(N) where N is the number of keys.",
        )
        .flags(Flags::READONLY.with(Flags::FAST))
        .keys(&[KeySpec::rest(1, KeyFlags::RO)])
        .arguments(KEYS)
        .reply(Reply::INTEGER)
        .tips(TIPS),
    touch,
)
.across(SUM);

fn touch(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let mut found = 0;
    for key in arguments.from(1) {
        let (db, now_ms) = (shard.db, shard.now_ms);
        let mut step = Step { db, now_ms, effects: shard.effects };
        if shard.keyspace.read(&mut step, key, true).is_some() {
            found += 1;
        } else {
            step.effects.event(EventClass::KEY_MISS, "keymiss", db, key);
        }
    }
    reply.integer(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn deletes_each_key_once() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("SET a 1", "+OK\r\n"),
            ("SET b 2", "+OK\r\n"),
            ("DEL a a c b", ":2\r\n"),
            ("EXISTS a b", ":0\r\n"),
        ]);
        shard.expect(&[("SET a 1", "+OK\r\n"), ("UNLINK a a", ":1\r\n")]);
        assert_eq!(shard.events(), ["del a"]);
        assert_eq!(shard.logged(), ["0 *"]);
        shard.expect(&[("DEL a", ":0\r\n")]);
        assert_eq!(shard.logged(), [""; 0]);
    }

    #[test]
    fn each_key_of_several_slots_is_logged_by_itself() {
        let mut shard = Fixture::new();
        shard.run("MSET a 1 b 2 {a}c 3 {a}d 4");
        assert_eq!(shard.logged(), ["0 SET a 1", "0 SET b 2", "0 SET {a}c 3", "0 SET {a}d 4"]);
        shard.run("UNLINK a none b a");
        assert_eq!(shard.logged(), ["0 UNLINK a", "0 UNLINK b"]);
        shard.run("DEL {a}c none a {a}d");
        assert_eq!(shard.logged(), ["0 DEL {a}c", "0 DEL {a}d"]);
        shard.expect(&[("DEL x y", ":0\r\n")]);
        assert_eq!(shard.logged(), [""; 0]);
        shard.run("MSET {a}c 3 {a}d 4");
        assert_eq!(shard.logged(), ["0 *"]);
        shard.run("DEL {a}c none{a} {a}d");
        assert_eq!(shard.logged(), ["0 *"]);
    }

    #[test]
    fn a_key_past_its_moment_was_not_there_to_be_deleted() {
        let mut shard = Fixture::new();
        shard.expect(&[("SET a 1 PX 100", "+OK\r\n")]);
        shard.advance(100);
        shard.expect(&[("EXISTS a", ":1\r\n")]);
        shard.advance(1);
        shard.expect(&[("DEL a", ":0\r\n")]);
        assert_eq!(shard.logged(), ["0 DEL a"]);
        assert_eq!(shard.events(), ["expired a"]);
        assert_eq!(shard.effects.modified_keys().count(), 1);
        assert_eq!(shard.keyspace.stats().expired, 1);
    }

    #[test]
    fn exists_and_touch_count_repetitions() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("SET a 1", "+OK\r\n"),
            ("EXISTS a b a", ":2\r\n"),
            ("TOUCH a b a", ":2\r\n"),
            ("TOUCH", "-ERR wrong number of arguments for 'touch' command\r\n"),
        ]);
        let stats = *shard.keyspace.stats();
        assert_eq!((stats.hits, stats.misses), (4, 2));
    }

    #[test]
    fn touch_is_the_only_access_of_a_client_that_leaves_no_trace() {
        let mut shard = Fixture::new();
        shard.no_touch = true;
        shard.run("SET a 1");
        shard.advance(10_000);
        shard.expect(&[("GET a", "$1\r\n1\r\n"), ("OBJECT IDLETIME a", ":10\r\n")]);
        shard.expect(&[("TOUCH a", ":1\r\n"), ("OBJECT IDLETIME a", ":0\r\n")]);
    }
}
