//! What a core thread needs of the operating system: sockets over `io_uring`, the inbox, time.
//!
//! - [`Inbox`]: the one queue through which other core threads hand work to a shard.
//! - [`Ring`]: the socket ring of a core thread; what it did comes back as [`Completion`]s.
//! - [`Stream`], [`listen_tcp`], [`listen_unix`]: sockets as descriptors.
//! - `probe`: whether `io_uring` works here at all.
//! - [`raise_descriptor_limit`], [`raise_locked_memory_limit`]: room for clients, and for rings.
//! - [`Clock`]: time, cheap enough to be read for every command; [`VirtualTime`] for simulators.
//!
//! A ring is asked (`accept`, `receive`, `send`, `sync_data`, `wake`), waited for (`submit`,
//! `wait`) and emptied (`reap`); no caller sees `io_uring` itself, so that another mechanism
//! (epoll, for containers that forbid it) can stand behind the same calls.

mod buffers;
mod clock;
mod completion;
mod descriptors;
mod inbox;
mod probe;
mod ring;
mod socket;

pub use clock::{Clock, VirtualTime};
pub use completion::{Completion, Token};
pub use descriptors::{raise_descriptor_limit, raise_locked_memory_limit};
pub use inbox::{Batch, Envelope, Inbox, Inboxes, Iter, Markers, Pool, Wake};
pub use probe::{RingError, probe};
pub use ring::{ReceivedBuffer, Ring, RingOptions};
pub use socket::{Peer, Stream, listen_tcp, listen_unix, try_mark};
