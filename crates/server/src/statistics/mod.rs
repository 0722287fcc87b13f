//! What a core thread counts.
//!
//! - `core_statistics`: its counters and histories; `ticks`: its turns
//! - `notable`: commands that took long, for the slow log, the latency monitor, the watchdog

mod core_statistics;
pub(crate) mod notable;
pub(crate) mod ticks;

pub(crate) use core_statistics::Statistics;
