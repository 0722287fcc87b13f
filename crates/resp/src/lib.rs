//! RESP2, RESP3 and inline commands: parse and write; no I/O.
//!
//! - [`Parser`] finds commands in a connection's bytes; [`Arguments`] is what a command sees.
//! - [`Writer`] appends replies in a connection's [`Protocol`].
//! - [`CommandError`] holds the text of every error reply.
//! - [`number`] and [`LongDouble`] read and print numbers as Redis does.
//! - [`reply`] reads replies: for clients in tests, and to merge the replies of several shards.
#![forbid(unsafe_code)]

mod arguments;
mod big_natural;
mod error;
mod inline;
mod limits;
mod long_double;
pub mod number;
mod parse;
pub mod reply;
mod shortest;
mod write;

pub use arguments::{Arguments, Iter, Span};
pub use error::{CommandError, NotEnabled, Quoting};
pub use limits::Limits;
pub use long_double::LongDouble;
pub use parse::{Parser, ProtocolError};
pub use reply::{ReplyReader, Value};
pub use write::{Deferred, Protocol, Writer};
