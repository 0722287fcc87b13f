//! The inbox as it is, over loom's atomics.
#![allow(dead_code, unreachable_pub)]

#[path = "../../src/inbox/batch.rs"]
mod batch;
#[path = "../../src/inbox/envelope.rs"]
mod envelope;
#[path = "../../src/inbox/inboxes.rs"]
mod inboxes;
#[path = "../../src/inbox/markers.rs"]
mod markers;
#[path = "../../src/inbox/queue.rs"]
mod queue;
#[path = "scenarios.rs"]
pub(crate) mod scenarios;
#[path = "sync_real.rs"]
mod sync;

use batch::Batch;
use envelope::Envelope;
use inboxes::{Inbox, Inboxes};
use markers::Markers;
use queue::{Queue, Wake};
