//! INFO: what the server tells about itself, in sections of `name:value` lines.
//!
//! One file a section. A section is a function from [`Facts`], what all core threads contributed
//! and what the one that answers knows, to lines; it looks at nothing else, so a test can make up
//! facts. Names, order and forms are Redis 7.2's: exporters and client libraries read them. A field
//! that can mean nothing here is left out; one that stands for something not in use says so by its
//! 0.
//!
//! ```text
//! # Server\r\n
//! redis_version:7.2.4\r\n
//! ...
//! \r\n
//! # Clients\r\n
//! ```

mod clients;
mod commandstats;
mod cpu;
mod errorstats;
mod keyspace;
mod latencystats;
mod lines;
mod memory;
mod part;
mod persistence;
mod plain;
mod replication;
mod sections;
mod server;
mod stats;

pub(crate) use memory::{Memory, gather_memory};
pub(crate) use part::{Facts, Part};
pub(crate) use sections::Sections;
pub(crate) use server::{BOBBIN_VERSION, REDIS_VERSION};
