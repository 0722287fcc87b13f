//! Whole values under another name or in another database: COPY, MOVE, RENAME, RENAMENX.
//!
//! The expiry goes with the value. A slot lives on the same shard in every database, so MOVE always
//! stays on its shard; the others may need values of two shards in one place. Where the two keys
//! have two slots, the log gets the value itself under its new key.

use keyspace::EventClass;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::database::database_number;
use crate::{Across, ShardCommand, ShardContext};

/// `COPY source destination [DB destination-db] [REPLACE]`: copies the value and its expiry.
/// Replies whether it did: 0 if there is no `source`, or there is a `destination` and no REPLACE.
pub(super) const COPY: ShardCommand = ShardCommand::new(
    Spec::new("copy", Arity::at_least(3), Group::Generic, "6.2.0")
        .about("Copies the value of a key to another key.", "O(N) where N is the value's size.")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(&[
            KeySpec::one(1, KeyFlags::RO.with(KeyFlags::ACCESS)),
            KeySpec::one(2, KeyFlags::OW.with(KeyFlags::UPDATE)),
        ])
        .arguments(&[
            Argument::key("source"),
            Argument::key_of("destination", 1),
            Argument::integer("destination-db").token("DB").optional(),
            Argument::word("replace", "REPLACE").optional(),
        ])
        .reply(Reply::INTEGER),
    copy,
)
.across(Across::Together { db_of: copied_db });

/// COPY's destination is in the database after DB, if that is there. What is refused is refused by
/// the command itself.
fn copied_db(arguments: Arguments<'_>, at: usize, db: u32) -> u32 {
    // The last one counts.
    let words = arguments.from(3);
    let named = (0..words.len()).rev().find(|at| words[*at].eq_ignore_ascii_case(b"DB"));
    let named = named.and_then(|at| words.get(at + 1));
    let number = named.and_then(resp::number::parse_u64).and_then(|it| u32::try_from(it).ok());
    if at == 2 { number.unwrap_or(db) } else { db }
}

fn copy(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let (source, target) = (&arguments[1], &arguments[2]);
    let (mut target_db, mut replace) = (shard.db, false);
    let mut index = 3;
    while let Some(word) = arguments.get(index) {
        if word.eq_ignore_ascii_case(b"REPLACE") {
            replace = true;
        } else if let Some(number) = arguments.get(index + 1)
            && word.eq_ignore_ascii_case(b"DB")
        {
            target_db = database_number(number, shard.keyspace.database_count())?;
            index += 1;
        } else {
            return Err(CommandError::Syntax);
        }
        index += 1;
    }
    if target_db == shard.db && source == target {
        return Err(CommandError::SameObject);
    }

    let found = shard.read(source).is_some();
    let taken = {
        let (keyspace, mut step) = shard.step_in(target_db);
        found && keyspace.find(&mut step, target).is_some()
    };
    if !found || (taken && !replace) {
        reply.integer(0);
        return Ok(());
    }
    let (keyspace, mut step) = shard.step_in(shard.db);
    let copy = keyspace.copy(&mut step, source);
    let (keyspace, mut step) = shard.step_in(target_db);
    if let Some(copy) = copy {
        keyspace.put(&mut step, target, copy);
    }
    shard.effects.add_dirty(1);
    shard.effects.modified(target_db, target);
    shard.effects.event(EventClass::GENERIC, "copy_to", target_db, target);
    if shard.logs_each([source, target]) {
        shard.log_value(target_db, target);
    }
    reply.integer(1);
    Ok(())
}

/// `MOVE key db`: moves the key to another database. Replies whether it did: 0 if there is no such
/// key here, or one there.
pub(super) const MOVE: ShardCommand = ShardCommand::new(
    Spec::new("move", Arity::exactly(3), Group::Generic, "1.0.0")
        .about("Moves a key to another database.", "O(1)")
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))])
        .arguments(&[Argument::key("key"), Argument::integer("db")])
        .reply(Reply::INTEGER),
    move_key,
);

fn move_key(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let key = &arguments[1];
    let source_db = shard.db;
    let target_db = database_number(&arguments[2], shard.keyspace.database_count())?;
    if source_db == target_db {
        return Err(CommandError::SameObject);
    }

    let found = shard.write(key).is_some();
    let (keyspace, mut step) = shard.step_in(target_db);
    if !found || keyspace.find(&mut step, key).is_some() {
        reply.integer(0);
        return Ok(());
    }
    let (keyspace, mut step) = shard.step_in(source_db);
    let taken = keyspace.take(&mut step, key);
    let (keyspace, mut step) = shard.step_in(target_db);
    if let Some(taken) = taken {
        keyspace.put(&mut step, key, taken);
    }
    shard.effects.add_dirty(1);
    shard.effects.modified(source_db, key);
    shard.effects.modified(target_db, key);
    shard.effects.event(EventClass::GENERIC, "move_from", source_db, key);
    shard.effects.event(EventClass::GENERIC, "move_to", target_db, key);
    reply.integer(1);
    Ok(())
}

const RENAME_KEYS: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);
const RENAME_ARGUMENTS: &[Argument] = &[Argument::key("key"), Argument::key_of("newkey", 1)];

/// `RENAME key newkey`: moves the value; what `newkey` held is deleted. An error if there is no
/// `key`.
pub(super) const RENAME: ShardCommand = ShardCommand::new(
    Spec::new("rename", Arity::exactly(3), Group::Generic, "1.0.0")
        .about("Gives a key another name.", "O(1)")
        .flags(Flags::WRITE)
        .keys(&[KeySpec::one(1, RENAME_KEYS), KeySpec::one(2, KeyFlags::OW.with(KeyFlags::UPDATE))])
        .arguments(RENAME_ARGUMENTS)
        .reply(Reply::SIMPLE),
    |shard, arguments, reply| {
        rename(shard, arguments, true)?;
        reply.ok();
        Ok(())
    },
);

/// `RENAMENX key newkey`: as RENAME, but only if there is no `newkey`. Replies whether it did.
pub(super) const RENAMENX: ShardCommand = ShardCommand::new(
    Spec::new("renamenx", Arity::exactly(3), Group::Generic, "1.0.0")
        .about("Gives a key another name that no key has.", "O(1)")
        .flags(Flags::WRITE.with(Flags::FAST))
        .keys(&[KeySpec::one(1, RENAME_KEYS), KeySpec::one(2, KeyFlags::OW.with(KeyFlags::INSERT))])
        .arguments(RENAME_ARGUMENTS)
        .history(&[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the \
             same.",
        )])
        .reply(Reply::INTEGER),
    |shard, arguments, reply| {
        let renamed = rename(shard, arguments, false)?;
        reply.integer(i64::from(renamed));
        Ok(())
    },
);

/// Renames, and tells whether anything was renamed. A key that is renamed to itself is not.
fn rename(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    replace: bool,
) -> Result<bool, CommandError> {
    let (source, target) = (&arguments[1], &arguments[2]);
    shard.write(source).ok_or(CommandError::NoSuchKey)?;
    if source == target || (!replace && shard.write(target).is_some()) {
        return Ok(false);
    }
    let db = shard.db;
    let (keyspace, mut step) = shard.step_in(db);
    let taken = keyspace.take(&mut step, source).ok_or(CommandError::NoSuchKey)?;
    keyspace.put(&mut step, target, taken);
    shard.effects.add_dirty(1);
    shard.effects.modified(db, source);
    shard.effects.modified(db, target);
    shard.effects.event(EventClass::GENERIC, "rename_from", db, source);
    shard.effects.event(EventClass::GENERIC, "rename_to", db, target);
    if shard.logs_each([source, target]) {
        shard.log_value(db, target);
        shard.log_gone(db, source);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn copy_leaves_the_source_and_takes_the_expiry_along() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("COPY a b", ":0\r\n"),
            ("SET a 12 EX 100", "+OK\r\n"),
            ("COPY a b", ":1\r\n"),
        ]);
        assert_eq!(shard.events(), ["new b", "copy_to b"]);
        assert_eq!(shard.logged(), ["0 SET b 12 PXAT 1600000100000"]);
        shard.expect(&[
            ("GET b", "$2\r\n12\r\n"),
            ("TTL b", ":100\r\n"),
            ("INCR b", ":13\r\n"),
            ("GET a", "$2\r\n12\r\n"),
            ("COPY a b", ":0\r\n"),
            ("COPY a b REPLACE", ":1\r\n"),
            ("GET b", "$2\r\n12\r\n"),
            ("COPY a a DB 3", ":1\r\n"),
            ("COPY a b DB 3 REPLACE REPLACE", ":1\r\n"),
        ]);
        assert_eq!(shard.logged(), ["3 SET b 12 PXAT 1600000100000"]);
        shard.expect(&[("COPY a {a}b", ":1\r\n")]);
        assert_eq!(shard.logged(), ["0 *"]);
        shard.db = 3;
        shard.expect(&[("DBSIZE", ":2\r\n"), ("TTL a", ":100\r\n")]);
    }

    #[test]
    fn a_target_past_its_moment_expires_first() {
        let renamed = ["0 SET past 2", "0 DEL a"].as_slice();
        let (from, to) = ("rename_from a", "rename_to past");
        for (line, reply, db, logged, told) in [
            ("RENAME a past", "+OK\r\n", 0, renamed, [from, to].as_slice()),
            ("RENAMENX a past", ":1\r\n", 0, renamed, &[from, to]),
            ("COPY a past", ":1\r\n", 0, &["0 SET past 2"], &["copy_to past"]),
            ("COPY a past REPLACE", ":1\r\n", 0, &["0 SET past 2"], &["copy_to past"]),
            ("COPY a past DB 2 REPLACE", ":1\r\n", 2, &["2 SET past 2"], &["copy_to past"]),
            ("MOVE past 2", ":1\r\n", 2, &["0 *"], &["move_from past", "move_to past"]),
        ] {
            let mut shard = Fixture::new();
            shard.db = db;
            shard.run("SET past 1 PX 10");
            shard.advance(11);
            shard.db = 0;
            shard.run(if db == 2 { "SET past 2" } else { "SET a 2" });
            shard.run("SET a 2");
            shard.effects.clear();
            let expired = shard.keyspace.stats().expired;
            assert_eq!(shard.run(line), reply, "{line}");
            assert_eq!(shard.keyspace.stats().expired, expired + 1, "{line} counts it");
            let all = shard.logged();
            assert_eq!(all[0], format!("{db} DEL past"), "{line}");
            assert_eq!(all[1..], *logged, "{line}");
            let events = shard.events();
            assert_eq!(events[..2], ["expired past", "new past"], "{line}");
            assert_eq!(events[2..], *told, "{line}");
        }
    }

    #[test]
    fn copies_of_long_values_are_their_own() {
        let mut shard = Fixture::new();
        let long = "x".repeat(100_000);
        shard.run(&format!("SET a {long}"));
        shard.run("COPY a b");
        shard.run("APPEND b y");
        shard.expect(&[("STRLEN a", ":100000\r\n"), ("STRLEN b", ":100001\r\n")]);
    }

    #[test]
    fn copy_refuses() {
        let mut shard = Fixture::new();
        let same = "-ERR source and destination objects are the same\r\n";
        shard.expect(&[
            ("COPY a a", same),
            ("COPY a a DB 0", same),
            ("COPY a b DB", "-ERR syntax error\r\n"),
            ("COPY a b DB 16", "-ERR DB index is out of range\r\n"),
            ("COPY a b DB x", "-ERR value is not an integer or out of range\r\n"),
            ("COPY a b WHAT", "-ERR syntax error\r\n"),
        ]);
    }

    #[test]
    fn move_goes_to_another_database() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("MOVE a 1", ":0\r\n"),
            ("SET a 1 PX 500", "+OK\r\n"),
            ("MOVE a 0", "-ERR source and destination objects are the same\r\n"),
            ("MOVE a 99", "-ERR DB index is out of range\r\n"),
            ("MOVE a x", "-ERR value is not an integer or out of range\r\n"),
            ("MOVE a 1", ":1\r\n"),
        ]);
        assert_eq!(shard.events(), ["new a", "move_from a", "move_to a"]);
        let modified: Vec<_> = shard.effects.modified_keys().map(|it| it.db).collect();
        assert_eq!(modified, [0, 1]);
        shard.expect(&[("EXISTS a", ":0\r\n"), ("SET a 2", "+OK\r\n"), ("MOVE a 1", ":0\r\n")]);
        shard.db = 1;
        shard.expect(&[("GET a", "$1\r\n1\r\n"), ("PTTL a", ":500\r\n")]);
        shard.advance(501);
        shard.db = 0;
        shard.expect(&[("MOVE a 1", ":1\r\n")]);
        assert_eq!(shard.logged(), ["1 DEL a", "0 *"]);
    }

    #[test]
    fn rename_replaces_and_keeps_the_expiry() {
        let mut shard = Fixture::new();
        shard.expect(&[
            ("RENAME a b", "-ERR no such key\r\n"),
            ("RENAME a a", "-ERR no such key\r\n"),
            ("SET a 1 PX 500", "+OK\r\n"),
            ("SET b 2", "+OK\r\n"),
            ("RENAMENX a b", ":0\r\n"),
            ("RENAMENX a a", ":0\r\n"),
            ("RENAME a a", "+OK\r\n"),
            ("RENAME a b", "+OK\r\n"),
        ]);
        assert_eq!(shard.events(), ["rename_from a", "rename_to b"]);
        assert_eq!(shard.logged(), ["0 SET b 1 PXAT 1600000000500", "0 DEL a"]);
        shard.expect(&[
            ("GET b", "$1\r\n1\r\n"),
            ("PTTL b", ":500\r\n"),
            ("EXISTS a", ":0\r\n"),
            ("RENAMENX b {b}c", ":1\r\n"),
        ]);
        assert_eq!(shard.logged(), ["0 *"]);
        shard.expect(&[("RENAME {b}c c", "+OK\r\n")]);
        shard.advance(501);
        shard.expect(&[("RENAME c d", "-ERR no such key\r\n")]);
        assert_eq!(shard.logged(), ["0 DEL c"]);
    }

    #[test]
    fn a_renamed_string_keeps_its_encoding() {
        let mut shard = Fixture::new();
        shard.run("SET a abc");
        shard.run("APPEND a d");
        shard.run("RENAME a b");
        shard.run("COPY b c");
        shard.expect(&[("OBJECT ENCODING b", "$3\r\nraw\r\n")]);
    }
}
