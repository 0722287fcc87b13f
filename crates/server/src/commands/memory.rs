//! MEMORY: how much memory is used for what. (MEMORY USAGE is about a key and runs on its shard.)

use resp::{Arguments, CommandError, Writer};
use spec::{Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then, help};
use crate::info::{Memory, gather_memory};
use crate::memory::gauge::{self, Reading};
use crate::message::gathering::Question;

pub(super) const COMMANDS: &[&SessionCommand] = &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS];

/// The container.
pub(super) const CONTAINER: Spec = Spec::new("memory", Arity::at_least(2), Group::Server, "4.0.0")
    .about("A container for memory diagnostics commands.", "Depends on subcommand.");

const TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// Asks all core threads how much they use; `write` is given the sums.
fn ask_memory(write: impl FnOnce(&Memory, &mut Writer<'_>) + 'static) -> Then {
    Then::Ask(Question::new(gather_memory, move |core, parts, reply| {
        write(&Memory::of(core, &parts), reply);
    }))
}

/// `MEMORY STATS`: numbers, by name.
const STATS: SessionCommand = SessionCommand {
    spec: Spec::new("memory|stats", Arity::exactly(2), Group::Server, "4.0.0")
        .about("Shows how much memory is used for what.", "O(1)")
        .tips(TIPS)
        .reply(Reply::MAP),
    run: stats,
};

fn stats(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(ask_memory(write_stats))
}

/// A value of MEMORY STATS.
enum Stat {
    Bytes(u64),
    /// More than it should be, or less.
    Difference(u64, u64),
    Ratio(f64),
}

fn write_stats(memory: &Memory, reply: &mut Writer<'_>) {
    let (usage, shares) = (usage(memory), shares(memory));
    reply.map(usage.len() + memory.databases.len() + shares.len());
    for (name, stat) in &usage {
        write_stat(name, stat, reply);
    }
    for (db, bytes) in &memory.databases {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(2);
        write_stat("overhead.hashtable.main", &Stat::Bytes(*bytes), reply);
        // Moments of expiry stand in the records themselves.
        write_stat("overhead.hashtable.expires", &Stat::Bytes(0), reply);
    }
    for (name, stat) in &shares {
        write_stat(name, stat, reply);
    }
}

fn write_stat(name: &str, stat: &Stat, reply: &mut Writer<'_>) {
    reply.bulk(name.as_bytes());
    match *stat {
        Stat::Bytes(bytes) => reply.integer(i64::try_from(bytes).unwrap_or(i64::MAX)),
        Stat::Difference(more, less) => reply.integer(more.wrapping_sub(less) as i64),
        Stat::Ratio(ratio) => reply.double(ratio),
    }
}

/// What stands before the databases.
fn usage(memory: &Memory) -> Vec<(&'static str, Stat)> {
    vec![
        ("peak.allocated", Stat::Bytes(memory.reading.peak)),
        ("total.allocated", Stat::Bytes(memory.used())),
        ("startup.allocated", Stat::Bytes(memory.startup)),
        ("replication.backlog", Stat::Bytes(0)),
        ("clients.slaves", Stat::Bytes(0)),
        ("clients.normal", Stat::Bytes(memory.clients)),
        ("cluster.links", Stat::Bytes(0)),
        ("aof.buffer", Stat::Bytes(memory.log_buffers)),
        ("lua.caches", Stat::Bytes(0)),
        ("functions.caches", Stat::Bytes(0)),
    ]
}

/// What stands after them.
fn shares(memory: &Memory) -> Vec<(&'static str, Stat)> {
    let quotient = |more: u64, less: u64| Stat::Ratio(gauge::quotient(more, less));
    let used = memory.used();
    let Reading { allocated, active, resident, process, .. } = memory.reading;
    vec![
        ("overhead.total", Stat::Bytes(memory.overhead())),
        ("keys.count", Stat::Bytes(memory.keys)),
        ("keys.bytes-per-key", Stat::Bytes(memory.bytes_per_key())),
        ("dataset.bytes", Stat::Bytes(memory.dataset())),
        ("dataset.percentage", Stat::Ratio(memory.dataset_percent())),
        ("peak.percentage", Stat::Ratio(memory.peak_percent())),
        ("allocator.allocated", Stat::Bytes(allocated)),
        ("allocator.active", Stat::Bytes(active)),
        ("allocator.resident", Stat::Bytes(resident)),
        ("allocator-fragmentation.ratio", quotient(active, allocated)),
        ("allocator-fragmentation.bytes", Stat::Difference(active, allocated)),
        ("allocator-rss.ratio", quotient(resident, active)),
        ("allocator-rss.bytes", Stat::Difference(resident, active)),
        ("rss-overhead.ratio", quotient(process, resident)),
        ("rss-overhead.bytes", Stat::Difference(process, resident)),
        ("fragmentation", quotient(process, used)),
        ("fragmentation.bytes", Stat::Difference(process, used)),
    ]
}

/// `MEMORY DOCTOR`: what is remarkable about the memory used, in words.
const DOCTOR: SessionCommand = SessionCommand {
    spec: Spec::new("memory|doctor", Arity::exactly(2), Group::Server, "4.0.0")
        .about("Describes what is remarkable about the memory used.", "O(1)")
        .tips(TIPS)
        .reply(Reply::VERBATIM),
    run: doctor,
};

fn doctor(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(ask_memory(|memory, reply| reply.verbatim(*b"txt", diagnosis(memory).as_bytes())))
}

/// Below this nothing can be said: what the process itself needs outweighs the data (as Redis).
const DIAGNOSIS_BYTES_MIN: u64 = 5 << 20;

/// A peak this much above what is used now explains a low density (as Redis: 150 %).
const PEAK_RATIO_MAX: f64 = 1.5;

/// More than this, in shares and bytes, is worth a remark (as Redis: 1.4 or 1.1, and 10 MiB).
const FRAGMENTATION_RATIO_MAX: f64 = 1.4;
const OVERHEAD_RATIO_MAX: f64 = 1.1;
const REMARKABLE_BYTES_MIN: u64 = 10 << 20;

/// Output and input of a client beyond this on average is much (as Redis: 200 KiB).
const CLIENT_BYTES_MAX: u64 = 200 << 10;

fn diagnosis(memory: &Memory) -> String {
    let used = memory.used();
    if used < DIAGNOSIS_BYTES_MIN {
        return "Less than 5 MiB are used: too little for a diagnosis.\n".to_owned();
    }
    let reading = &memory.reading;
    let quotient = gauge::quotient;
    let exceeds = |more: u64, less: u64, ratio: f64| {
        quotient(more, less) > ratio && more.saturating_sub(less) > REMARKABLE_BYTES_MIN
    };
    let mut remarks: Vec<&str> = Vec::new();
    if quotient(reading.peak, used) > PEAK_RATIO_MAX {
        remarks.push(
            "Peak: more than 150 % of what is used now was used once. Memory that the system has \
             not taken back yet makes the ratios look worse than they are; MEMORY PURGE gives it \
             back.",
        );
    }
    if exceeds(reading.process, used, FRAGMENTATION_RATIO_MAX) {
        remarks.push(
            "Fragmentation: the process holds more than 1.4 times what is used. Values of changing \
             sizes leave holes; they close as values come and go.",
        );
    }
    if exceeds(reading.active, reading.allocated, OVERHEAD_RATIO_MAX) {
        remarks.push("Allocator: its pages are filled to less than 90 %.");
    }
    if exceeds(reading.resident, reading.active, OVERHEAD_RATIO_MAX) {
        remarks.push("Allocator: it keeps many free pages; MEMORY PURGE gives them back.");
    }
    if exceeds(reading.process, reading.resident, OVERHEAD_RATIO_MAX) {
        remarks.push("Process: much memory does not belong to the allocator.");
    }
    if memory.connections > 0 && memory.clients / memory.connections > CLIENT_BYTES_MAX {
        remarks.push(
            "Clients: more than 200 KiB are buffered for each on average. CLIENT LIST shows whose \
             omem or qbuf is large; client-output-buffer-limit bounds it.",
        );
    }
    if remarks.is_empty() {
        return "Nothing about the memory used is remarkable.\n".to_owned();
    }
    remarks.iter().map(|remark| format!("- {remark}\n")).collect()
}

/// `MEMORY MALLOC-STATS`: the allocator's own report.
const MALLOC_STATS: SessionCommand = SessionCommand {
    spec: Spec::new("memory|malloc-stats", Arity::exactly(2), Group::Server, "4.0.0")
        .about("Shows the allocator's statistics.", "Depends on how much memory is allocated.")
        .tips(TIPS)
        .reply(Reply::VERBATIM),
    run: malloc_stats,
};

fn malloc_stats(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.verbatim(*b"txt", gauge::report().as_bytes());
    Ok(Then::Done)
}

/// `MEMORY PURGE`: free memory goes back to the system: each shard gives back a slice of what its
/// tables do not need, and the allocator its free pages.
const PURGE: SessionCommand = SessionCommand {
    spec: Spec::new("memory|purge", Arity::exactly(2), Group::Server, "4.0.0")
        .about("Gives free memory back to the system.", "Depends on how much there is.")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .reply(Reply::SIMPLE),
    run: purge,
};

/// Records that a table may move for one PURGE: about a millisecond. What is left is background
/// work.
const PURGE_RECORDS_MAX: usize = 4096;

fn purge(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Ok(Then::Ask(Question::new(
        |core| {
            core.shard.keyspace.maintain(PURGE_RECORDS_MAX);
            core.background.pending = true;
        },
        |_, _: Vec<()>, reply| {
            gauge::release_free_pages();
            reply.ok();
        },
    )))
}

/// `MEMORY HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: Spec::new("memory|help", Arity::exactly(2), Group::Server, "4.0.0")
        .flags(Flags::LOADING.with(Flags::STALE))
        .about("Shows the subcommands of MEMORY.", "O(1)")
        .reply(Reply::ARRAY),
    run: show_help,
};

fn show_help(
    _: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    help::write(
        reply,
        "MEMORY",
        &[
            ("DOCTOR", &["Describe what is remarkable about the memory used."]),
            ("MALLOC-STATS", &["Show the allocator's statistics."]),
            ("PURGE", &["Give free memory back to the system."]),
            ("STATS", &["Show how much memory is used for what."]),
            (
                "USAGE <key> [SAMPLES <count>]",
                &["Estimate the bytes of <key>, looking at <count> elements (5; 0: all)."],
            ),
        ],
    );
    Ok(Then::Done)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn stats_are_pairs_with_a_map_for_each_database() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        server.send(client, b"SET a 1\r\nSELECT 3\r\nSET b 2\r\nHELLO 3\r\n");
        let reply = server.ask(client, "MEMORY STATS");
        assert!(reply.starts_with("%29\r\n$14\r\npeak.allocated\r\n:"), "{reply}");
        assert!(
            reply.contains("$4\r\ndb.3\r\n%2\r\n$23\r\noverhead.hashtable.main\r\n:"),
            "{reply}"
        );
        assert!(reply.contains("$10\r\nkeys.count\r\n:2\r\n"), "{reply}");
        let read = resp::Value::parse(reply.as_bytes());
        let Ok(Some((_, length))) = read else { panic!("a whole reply: {reply}") };
        assert_eq!(length, reply.len(), "as many pairs as announced");
    }

    #[test]
    fn the_others_answer() {
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        assert_eq!(server.ask(client, "MEMORY PURGE"), "+OK\r\n");
        assert!(server.ask(client, "MEMORY MALLOC-STATS").contains("allocated: "));
        assert!(server.ask(client, "MEMORY DOCTOR").starts_with('$'));
        assert!(server.ask(client, "MEMORY HELP").contains("MEMORY <subcommand>"));
        server.ask(client, "SET a 1");
        assert!(server.ask(client, "MEMORY USAGE a").starts_with(':'));
    }
}
