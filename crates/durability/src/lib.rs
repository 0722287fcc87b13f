//! Segments, manifest, recovery: the log, as state machines over a storage trait.
//!
//! Each shard appends what its commands did to a segment of its own; one manifest lists the
//! segments; recovery reads them back into one state that the whole server passed through. The
//! formats are in docs/formats/log.md and docs/formats/manifest.md.
//!
//! Writing, per shard and tick: [`Segment`] gathers records, says what to write and when to
//! fsync; [`Gate`] and [`Ledger`] say how far replies may leave.
//!
//! Starting, in this order:
//!
//! 1. [`Storage::lock`], so that no other server writes here;
//! 2. [`LogDirectory::open`] reads the manifest;
//! 3. [`scan()`] walks every segment (in parallel if you like) and notes torn ends and
//!    transactions;
//! 4. [`LogDirectory::plan`] finds the cut: where each segment ends so that no transaction is half
//!    there;
//! 5. [`LogDirectory::resume`] cuts the files, begins a new generation if the number of shards
//!    changed, and says where each shard goes on writing ([`Tail`]);
//! 6. [`Replay`], one per shard and in parallel, gives the commands. If Redis wrote some of
//!    the log ([`RecoveryPlan::is_of_redis`]), [`SlotTies`] are collected before.
//!
//! Turning the log on at run time: [`LogDirectory::begin_generation`], one [`BaseWriter`] per
//! shard, [`LogDirectory::commit_generation`].
//!
//! Nothing here does I/O but `file_storage.rs`, the real disk behind [`Storage`].

#![forbid(unsafe_code)]

mod annotation;
mod base;
mod directory;
mod error;
mod file_storage;
mod gate;
mod ledger;
mod manifest;
mod names;
mod plan;
mod policy;
mod reader;
mod record;
mod replay;
mod scan;
mod segment;
mod storage;
mod ties;
mod transaction;

pub use base::BaseWriter;
pub use directory::{LogDirectory, NewGeneration, Stray, Tail};
pub use error::RecoveryError;
pub use file_storage::{FileStorage, StoredFile};
pub use gate::{Gate, Part};
pub use ledger::Ledger;
pub use manifest::{
    Generation, Manifest, ManifestError, ManifestFault, Role, SHARDS_MAX, SegmentFile,
};
pub use names::LogNames;
pub use plan::{Cut, RecoveryPlan, TornTail};
pub use policy::FsyncPolicy;
pub use record::Fault;
pub use replay::{Apply, Progress, Record, Replay, Scope};
pub use scan::{SegmentIndex, SegmentSource, scan};
pub use segment::{Failure, Refusal, Segment};
pub use storage::{OpenMode, Storage, StorageError};
pub use ties::SlotTies;
pub use transaction::{Participants, TransactionId};
