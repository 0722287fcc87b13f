//! The clients of a core thread: connections, what the protocol knows of each, and what concerns
//! many of them at once.
//!
//! - `connection`: one, with its input, pipeline and output; `connections`: all whose home this is
//! - `session`: a client's name, database, modes, MULTI; `describe`: a client as a line
//! - `monitors` (MONITOR), `pause` (CLIENT PAUSE)

pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod describe;
pub(crate) mod monitors;
pub(crate) mod pause;
pub(crate) mod session;
