//! Tests of the log as a whole, over a disk in memory: crashes at every operation, files as they
//! may be found, and the cut against its definition.

#![allow(clippy::unwrap_used)]

mod crash;
mod cut;
mod mutation;
mod recovery;
mod rig;
