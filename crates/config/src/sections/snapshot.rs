//! Snapshots: when, where, how checked.

use crate::config::Config;
use crate::declare::{flag, integer, section, text, word, words};
use crate::kind::{self, Kind, List, Occasion};
use crate::number::{self, Unit};
use crate::parameter::Parameter;
use crate::reason::Reason;
use crate::sections::why;
use crate::text::Text;

section! {
    /// The RDB file.
    pub struct Snapshot {
        /// A snapshot is due when any of these is met; empty: never by itself.
        pub save: Vec<SavePoint>,
        /// Whether a line or CONFIG SET asked for them: the default ones are nobody's wish.
        pub save_is_asked: bool,
        /// File name below `dir`; one component.
        pub file_name: Text,
        /// Compress strings.
        pub compression: bool,
        /// Write and check a checksum.
        pub checksum: bool,
        /// Force it to disk piece by piece.
        pub incremental_fsync: bool,
        /// Refuse writes after a snapshot failed.
        pub stop_writes_on_error: bool,
        /// Delete files that only served replication.
        pub delete_sync_files: bool,
        /// How far payloads from outside are checked.
        pub sanitize_payload: Sanitize,
        /// For tests: microseconds to wait after each key written; negative: a key in so many.
        pub key_save_delay_us: i32,
        /// For tests: microseconds to wait after each key read; negative: a key in so many.
        pub key_load_delay_us: i32,
        /// Bytes loaded between two looks at the clients.
        pub loading_interval_bytes: u64,
    }
    in snapshot
}

/// `save <seconds> <changes>`: due when both have passed since the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: u64,
    /// Writes; 0 or more.
    pub changes: u32,
}

words! {
    /// `sanitize-dump-payload`: whose RDB and RESTORE payloads are checked in depth.
    pub enum Sanitize {
        /// Nobody's.
        No = "no",
        /// Everybody's.
        Yes = "yes",
        /// Those of clients, not of the primary or of files.
        Clients = "clients",
    }
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new("save", SAVE, "When a snapshot is due: seconds and changes, in pairs.")
        .inert(why::RDB),
    Parameter::new(
        "dbfilename",
        text!(snapshot.file_name, "dump.rdb", file_name),
        "File name of the snapshot, below `dir`.",
    )
    .protected()
    .inert(why::RDB),
    Parameter::new("rdbcompression", flag!(snapshot.compression, true), "Compress strings.")
        .inert(why::RDB),
    Parameter::new("rdbchecksum", flag!(snapshot.checksum, true), "Write and check a checksum.")
        .at_start()
        .inert(why::RDB),
    Parameter::new(
        "rdb-save-incremental-fsync",
        flag!(snapshot.incremental_fsync, true),
        "Force a snapshot to disk piece by piece.",
    )
    .inert(why::RDB),
    Parameter::new(
        "stop-writes-on-bgsave-error",
        flag!(snapshot.stop_writes_on_error, true),
        "Refuse writes after a snapshot failed.",
    )
    .inert(why::RDB),
    Parameter::new(
        "rdb-del-sync-files",
        flag!(snapshot.delete_sync_files, false),
        "Delete snapshots that only served replication.",
    )
    .inert(why::REPLICATION),
    Parameter::new(
        "sanitize-dump-payload",
        word!(snapshot.sanitize_payload: Sanitize, "no"),
        "Whose payloads are checked in depth.",
    )
    .inert(why::RDB),
    Parameter::new(
        "rdb-key-save-delay",
        integer!(snapshot.key_save_delay_us, 0, i32::MIN, i32::MAX),
        "For tests: microseconds to wait after each key written.",
    )
    .hidden()
    .inert(why::RDB),
    Parameter::new(
        "key-load-delay",
        integer!(snapshot.key_load_delay_us, 0, i32::MIN, i32::MAX),
        "For tests: microseconds to wait after each key read.",
    )
    .hidden()
    .inert("recovery runs on all cores and is not slowed down on demand"),
    Parameter::new(
        "loading-process-events-interval-bytes",
        integer!(snapshot.loading_interval_bytes, 2 << 20, 1024, i32::MAX, Unit::Memory),
        "Bytes loaded between two looks at the clients.",
    )
    .hidden()
    .inert("recovery is cut into slices by time"),
];

const SAVE: Kind = Kind::List(List {
    put: save,
    show: |config| {
        let points = config.snapshot.save.iter();
        let words: Vec<String> = points.map(|p| format!("{} {}", p.seconds, p.changes)).collect();
        words.join(" ").into_bytes()
    },
    lines: |config| {
        if config.snapshot.save.is_empty() {
            return vec![b"\"\"".to_vec()];
        }
        let points = config.snapshot.save.iter();
        points.map(|p| format!("{} {}", p.seconds, p.changes).into_bytes()).collect()
    },
    default: "3600 1 300 100 60 10000",
    grammar: "pairs `<seconds> <changes>`, or one empty string for never",
});

/// Nothing clears. In files the first line replaces the default and further lines add up.
fn save(config: &mut Config, arguments: &[&[u8]], occasion: Occasion) -> Result<(), Reason> {
    const REFUSED: &str = "Invalid save parameters";
    if kind::is_nothing(arguments) {
        config.snapshot.save.clear();
        return Ok(());
    }
    if !arguments.len().is_multiple_of(2) {
        return Err(REFUSED.into());
    }
    let mut points = Vec::new();
    for pair in arguments.chunks_exact(2) {
        let seconds = number::parse(pair[0], Unit::Plain, 1, i128::from(i64::MAX));
        let changes = number::parse(pair[1], Unit::Plain, 0, i128::from(i32::MAX));
        let (Ok(seconds), Ok(changes)) = (seconds, changes) else {
            return Err(REFUSED.into());
        };
        points.push(SavePoint {
            seconds: u64::try_from(seconds).expect("at most i64::MAX"),
            changes: u32::try_from(changes).expect("at most i32::MAX"),
        });
    }
    if occasion != Occasion::FurtherLine {
        config.snapshot.save.clear();
    }
    config.snapshot.save.extend(points);
    Ok(())
}

fn file_name(name: &[u8]) -> Result<(), Reason> {
    if name.contains(&b'/') {
        return Err("dbfilename can't be a path, just a filename".into());
    }
    Ok(())
}
