//! The tick: one turn of a core thread. Start reading at `turn.rs`.
//!
//! - `turn`: the whole server in five calls; `core_thread`: what they are called on, with its ring
//! - `rest`, `crowd`, `pressure`: how the thread sleeps, when it looks a little longer first, and
//!   when it lets others wait
//! - `background`: periodic and left-over work, in slices; `time`: what a tick knows of the time

pub(crate) mod background;
pub(crate) mod core_thread;
pub(crate) mod crowd;
pub(crate) mod pressure;
pub(crate) mod rest;
#[cfg(test)]
mod ring_tests;
pub(crate) mod time;
mod turn;
