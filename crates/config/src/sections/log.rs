//! The append-only log.

use crate::declare::{flag, integer, section, text, word, words};
use crate::number::Unit;
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;
use crate::text::Text;

section! {
    /// The log: whether, where, and how safe.
    pub struct Log {
        /// Whether writes are logged.
        pub enabled: bool,
        /// Directory of the segments and the manifest, below `dir`; one component, not empty.
        pub directory_name: Text,
        /// First part of the segments' names; one component, not empty.
        pub file_name: Text,
        /// When what was written is forced to the disk.
        pub fsync: Fsync,
        /// No fsync while a rewrite runs.
        pub no_fsync_on_rewrite: bool,
        /// Growth since the last rewrite at which the next one starts; 0: never by itself.
        pub rewrite_percentage: u32,
        /// A log below this is not rewritten by itself.
        pub rewrite_bytes_min: u64,
        /// A segment whose end is cut off loads up to there, instead of being refused.
        pub load_truncated: bool,
        /// The base segment of a rewrite is an RDB file.
        pub rdb_preamble: bool,
        /// Note the time in the log.
        pub timestamps: bool,
        /// Force a rewrite to disk piece by piece.
        pub rewrite_incremental_fsync: bool,
        /// Keep the files that a rewrite replaced.
        pub keep_history: bool,
    }
    in log
}

words! {
    /// `appendfsync`: when what was written is forced to the disk.
    pub enum Fsync {
        /// Each second.
        EverySecond = "everysec",
        /// Before the reply.
        Always = "always",
        /// When the system sees fit.
        No = "no",
    }
}

const NO_REWRITE: &str = "rewriting the log is not in this version";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "appendonly",
        flag!(log.enabled, true),
        "Log every write. Redis' default is no.",
    )
    .act(Act::Log),
    Parameter::new(
        "appenddirname",
        text!(log.directory_name, "appendonlydir", directory_name),
        "Directory of the log, below `dir`.",
    )
    .at_start(),
    Parameter::new(
        "appendfilename",
        text!(log.file_name, "appendonly.aof", file_name),
        "First part of the names of the log's files.",
    )
    .at_start(),
    Parameter::new(
        "appendfsync",
        word!(log.fsync: Fsync, "everysec"),
        "When what was written is forced to the disk.",
    ),
    Parameter::new(
        "no-appendfsync-on-rewrite",
        flag!(log.no_fsync_on_rewrite, false),
        "No fsync of the log while it is rewritten.",
    )
    .inert(NO_REWRITE),
    Parameter::new(
        "auto-aof-rewrite-percentage",
        integer!(log.rewrite_percentage, 100, 0, i32::MAX),
        "Growth in percent at which the log is rewritten; 0: never.",
    )
    .inert(NO_REWRITE),
    Parameter::new(
        "auto-aof-rewrite-min-size",
        integer!(log.rewrite_bytes_min, 64 << 20, 0, i64::MAX, Unit::Memory),
        "Size below which the log is not rewritten by itself.",
    )
    .inert(NO_REWRITE),
    Parameter::new(
        "aof-load-truncated",
        flag!(log.load_truncated, true),
        "Load a log whose end is cut off.",
    ),
    Parameter::new(
        "aof-use-rdb-preamble",
        flag!(log.rdb_preamble, true),
        "The base file of a rewritten log is an RDB file.",
    )
    .inert(NO_REWRITE),
    Parameter::new(
        "aof-timestamp-enabled",
        flag!(log.timestamps, false),
        "Note the time in the log.",
    )
    .inert("time annotations are not in this version"),
    Parameter::new(
        "aof-rewrite-incremental-fsync",
        flag!(log.rewrite_incremental_fsync, true),
        "Force a rewrite to disk piece by piece.",
    )
    .inert(NO_REWRITE),
    Parameter::new(
        "aof-disable-auto-gc",
        flag!(log.keep_history, false),
        "Keep the files that a rewrite replaced.",
    )
    .inert(NO_REWRITE),
];

fn directory_name(name: &[u8]) -> Result<(), Reason> {
    match name {
        b"" => Err("appenddirname can't be empty".into()),
        _ if name.contains(&b'/') => Err("appenddirname can't be a path, just a dirname".into()),
        _ => Ok(()),
    }
}

fn file_name(name: &[u8]) -> Result<(), Reason> {
    match name {
        b"" => Err("appendfilename can't be empty".into()),
        _ if name.contains(&b'/') => Err("appendfilename can't be a path, just a filename".into()),
        _ => Ok(()),
    }
}
