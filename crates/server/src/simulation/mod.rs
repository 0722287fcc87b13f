//! A server of several core threads in one thread, without an operating system: what a simulator
//! drives, and what tests of session commands talk to.
//!
//! It is the real `Core` on every core thread, the real inboxes between them,
//! the real log and the real recovery. What `tick/core_thread.rs`, `output/outgoing.rs` and
//! `tick/rest.rs` do with rings and sockets is done here in their stead, in the same order of steps
//! ([`Step`]).
//!
//! # Who decides
//!
//! The caller, about everything that a kernel, a network or a disk would decide: which core thread
//! gets on and by how much ([`Server::step`]), when bytes arrive and in which pieces
//! ([`Server::give`]), when an fsync ends ([`Server::end_sync`]), when time passes
//! ([`net::VirtualTime`]). A crash is to drop the server; what its disk holds then is the storage's
//! to say.
//!
//! # What interleaves
//!
//! Steps are atomic, ticks are not: between any two steps of a core thread the others may take any
//! number of theirs. Each piece of input is a step of its own, so commands that come in pieces of
//! their own meet whatever the others do between them, as they do with real threads. What two
//! threads can do to one *word* at the same time is loom's to try (`net`'s tests).
//!
//! # Sleep
//!
//! A core thread that has nothing to do announces its sleep as the real one does, and then takes no
//! step until bytes come, an fsync ends, its deadline passes, or somebody who found it asleep wakes
//! it. So a wake-up that is forgotten shows: [`Server::is_asleep`] with answers owed.

#[cfg(test)]
mod alike;
mod client;
mod core;
mod file;
mod server;
#[cfg(test)]
mod tests;

pub use crate::canary::{Canary, let_out};
pub use client::Client;
pub use core::Step;
pub use server::{Options, Server};
