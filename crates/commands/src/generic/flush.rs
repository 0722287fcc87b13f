//! Whole databases: FLUSHDB, FLUSHALL, SWAPDB.
//!
//! Every shard does its part. A database is unhooked at once, and taken apart in slices if it is
//! large, with SYNC as well as with ASYNC: a core thread never stalls. SYNC frees small databases
//! before it replies.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Categories, Flags, Group, Reply, Spec};

use super::database::{database_number_or, existing};
use crate::{Across, Merge, ShardCommand, ShardContext};

const EVERYWHERE: Across = Across::Everywhere { merge: Merge::Ok };
const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const MODE: Argument = Argument::one_of(
    "flush-type",
    &[
        Argument::word("async", "ASYNC").since("4.0.0"),
        Argument::word("sync", "SYNC").since("6.2.0"),
    ],
)
.optional();
const HISTORY: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];

/// `FLUSHDB [ASYNC | SYNC]`: deletes all keys of the database.
pub(super) const FLUSHDB: ShardCommand = ShardCommand::new(
    Spec::new("flushdb", Arity::at_least(1), Group::Server, "1.0.0")
        .everything()
        .about("Deletes all keys of the database.", "O(1); the values are freed in slices.")
        .flags(Flags::WRITE)
        .categories(Categories::KEYSPACE.with(Categories::DANGEROUS))
        .arguments(&[MODE])
        .history(HISTORY)
        .reply(Reply::SIMPLE)
        .tips(TIPS),
    |shard, arguments, reply| {
        let db = shard.db;
        flush(shard, arguments, db..db + 1, reply)
    },
)
.across(EVERYWHERE);

/// `FLUSHALL [ASYNC | SYNC]`: deletes all keys of all databases.
pub(super) const FLUSHALL: ShardCommand = ShardCommand::new(
    Spec::new("flushall", Arity::at_least(1), Group::Server, "1.0.0")
        .everything()
        .about("Deletes all keys of all databases.", "O(1); the values are freed in slices.")
        .flags(Flags::WRITE)
        .categories(Categories::KEYSPACE.with(Categories::DANGEROUS))
        .arguments(&[MODE])
        .history(HISTORY)
        .reply(Reply::SIMPLE)
        .tips(TIPS),
    |shard, arguments, reply| {
        let count = shard.keyspace.database_count();
        flush(shard, arguments, 0..count, reply)
    },
)
.across(EVERYWHERE);

fn flush(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    databases: std::ops::Range<usize>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let waits = match (arguments.get(1), arguments.len()) {
        (None, _) if shard.keyspace.settings().lazy_free.user_flush => false,
        (None, _) => true,
        (Some(word), 2) if word.eq_ignore_ascii_case(b"SYNC") => true,
        (Some(word), 2) if word.eq_ignore_ascii_case(b"ASYNC") => false,
        _ => return Err(CommandError::Syntax),
    };
    // logged even where there is nothing to delete: another shard, or a replica, may have something
    shard.effects.add_dirty(1);
    for db in databases {
        let deleted = shard.keyspace.flush(db, shard.effects);
        shard.effects.add_dirty(deleted as u64);
    }
    if waits {
        shard.keyspace.free_flushed();
    }
    reply.ok();
    Ok(())
}

/// `SWAPDB index1 index2`: exchanges two databases, for all clients at once.
pub(super) const SWAPDB: ShardCommand = ShardCommand::new(
    Spec::new("swapdb", Arity::exactly(3), Group::Server, "4.0.0")
        .everything()
        .about("Exchanges two databases.", "O(N) where N is the number of clients that watch keys.")
        .flags(Flags::WRITE.with(Flags::FAST))
        .categories(Categories::KEYSPACE.with(Categories::DANGEROUS))
        .arguments(&[Argument::integer("index1"), Argument::integer("index2")])
        .reply(Reply::SIMPLE),
    swapdb,
)
.across(EVERYWHERE);

fn swapdb(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let first = database_number_or(&arguments[1], CommandError::InvalidFirstDb)?;
    let second = database_number_or(&arguments[2], CommandError::InvalidSecondDb)?;
    let count = shard.keyspace.database_count();
    let (first, second) = (existing(first, count)?, existing(second, count)?);
    shard.keyspace.swap(first, second, shard.effects);
    shard.effects.add_dirty(1);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;
    use keyspace::DatabaseChange;

    fn filled() -> Fixture {
        let mut shard = Fixture::new();
        for db in [0, 5] {
            shard.db = db;
            shard.run("MSET a 1 b 2 c 3");
        }
        shard.db = 0;
        shard
    }

    #[test]
    fn flushdb_empties_one_database() {
        for line in ["FLUSHDB", "FLUSHDB SYNC", "flushdb async"] {
            let mut shard = filled();
            shard.expect(&[(line, "+OK\r\n")]);
            assert_eq!(shard.effects.database_changes(), [DatabaseChange::Flushed(0)]);
            assert_eq!(shard.effects.dirty(), 4);
            assert_eq!(shard.logged(), ["0 *"]);
            shard.expect(&[("DBSIZE", ":0\r\n"), ("GET a", "$-1\r\n")]);
            shard.db = 5;
            shard.expect(&[("DBSIZE", ":3\r\n")]);
        }
    }

    #[test]
    fn flushall_empties_all_and_is_logged_in_any_case() {
        let mut shard = filled();
        shard.expect(&[("FLUSHALL", "+OK\r\n")]);
        let flushed = [DatabaseChange::Flushed(0), DatabaseChange::Flushed(5)];
        assert_eq!(shard.effects.database_changes(), flushed);
        shard.expect(&[("FLUSHALL ASYNC", "+OK\r\n")]);
        assert_eq!(shard.logged(), ["0 *"]);
        shard.expect(&[
            ("FLUSHALL WHAT", "-ERR syntax error\r\n"),
            ("FLUSHALL SYNC ASYNC", "-ERR syntax error\r\n"),
        ]);
        assert_eq!(shard.keyspace.database_stats().count(), 0);
    }

    #[test]
    fn a_large_database_is_freed_in_slices() {
        let mut shard = Fixture::new();
        for number in 0..5000 {
            shard.run(&format!("SET key:{number} 1"));
        }
        shard.expect(&[("FLUSHALL ASYNC", "+OK\r\n"), ("DBSIZE", ":0\r\n")]);
        assert_eq!(shard.keyspace.doomed().pending(), 5000);
        while shard.keyspace.doomed_mut().free_slice(1) {}
        let doomed = shard.keyspace.doomed();
        assert_eq!((doomed.pending(), doomed.freed()), (0, 5000));
    }

    #[test]
    fn swapdb_exchanges() {
        let mut shard = filled();
        shard.expect(&[
            ("SET only 1", "+OK\r\n"),
            ("SWAPDB x 1", "-ERR invalid first DB index\r\n"),
            ("SWAPDB 0 99999999999", "-ERR invalid second DB index\r\n"),
            ("SWAPDB 0 16", "-ERR DB index is out of range\r\n"),
            ("SWAPDB -1 0", "-ERR DB index is out of range\r\n"),
            ("SWAPDB 0 0", "+OK\r\n"),
            ("DBSIZE", ":4\r\n"),
            ("SWAPDB 0 5", "+OK\r\n"),
        ]);
        assert_eq!(shard.effects.database_changes(), [DatabaseChange::Swapped(0, 5)]);
        shard.expect(&[("DBSIZE", ":3\r\n"), ("SWAPDB 0 9", "+OK\r\n"), ("DBSIZE", ":0\r\n")]);
        shard.db = 5;
        shard.expect(&[("GET only", "$1\r\n1\r\n")]);
    }
}
