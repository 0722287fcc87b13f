//! Transactions: work for several shards that looks like one step.
//!
//! # Parts that do not depend on each other
//!
//! MSET, MGET, DEL of many keys, the commands that every shard takes part in (DBSIZE, FLUSHALL,
//! KEYS ...), SCAN at the beginning of a shard, and an EXEC of such commands. Each part is a run in
//! the tick's bundle for its shard (`message/bundle.rs`), and the open bundles enter all inboxes as
//! one step (`net::Inboxes::push_all`): they are the markers of all transactions in them. So a part
//! may run as soon as it is seen: all the others are in, and nobody can see some of them without
//! the rest. The transaction takes effect, logically, when the last bundle went in. There is no
//! waiting between shards: one hop. The replies are gathered at home and merged (`gather.rs`).
//!
//! ```text
//! home:  MGET a b c    laid out by shard:  0: MGET a c   1: MGET b     (plan.rs)
//!        the tick's bundles -> inbox 0, inbox 1   (home's own part goes through its own inbox too)
//!        Gather   <- *2 a c, *1 b       merged: *3 a b c
//! ```
//!
//! # Parts that do
//!
//! RENAME over shards, an EXEC with one or with a command that runs at home, an EXEC whose WATCH
//! has to be checked elsewhere than where all its commands run: these hold their own keys from the
//! marker until they are done (`held.rs` at home, `stage.rs` and `holds.rs` on the participants,
//! `lend.rs` for values that travel). What is about a held key waits at the gate in `claims.rs`.
//!
//! # One shard
//!
//! pays for none of this: an EXEC whose keys live on one shard is one run in the bundle for it, or
//! a call at home (`exec.rs`).
//!
//! # The files
//!
//! - `multi`, `watchers`: MULTI's queue, WATCH; `exec`: which way an EXEC goes
//! - `plan`, `rebuilt`: commands laid out over shards; `send`: their parts on the way; `gather`:
//!   their replies put together; `spare`: what the next ones use again
//! - `held_plan`, `held`, `stage`, `lend`, `held_logs`: transactions that hold keys; `holds`,
//!   `claims`: what they claim, and what waits for that; `numbers`: maps for them

mod claims;
#[cfg(test)]
mod cursor_tests;
mod exec;
mod gather;
mod held;
mod held_logs;
mod held_plan;
mod holds;
mod lend;
pub(crate) mod multi;
mod numbers;
mod plan;
mod rebuilt;
mod send;
mod spare;
mod stage;
pub(crate) mod watchers;

pub(crate) use gather::{Gather, Piece};
pub(crate) use held::HeldTransactions;
pub(crate) use held_logs::HeldLogs;
pub(crate) use held_plan::{HeldCommand, HeldPlan, Owned};
pub(crate) use holds::{Claimed, Holds};
pub(crate) use lend::Guests;
pub(crate) use plan::Planned;
pub(crate) use send::{Part, Sender, Shares, own_part};
pub(crate) use spare::Spare;
pub(crate) use stage::Stage;
