//! From replies to bytes on a socket.
//!
//! - `pipeline`: puts replies in the order of the commands; `weave`: those of
//!   several shards to commands in a row; `flow`: how much may be under way
//! - `release`: holds them until the log has what they depend on; `outgoing`: sends them

pub(crate) mod flow;
pub(crate) mod outgoing;
pub(crate) mod pipeline;
pub(crate) mod release;
pub(crate) mod weave;
