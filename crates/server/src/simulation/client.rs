//! A client's end of its connection.

use crate::clients::connections::ConnectionKey;

/// Names a client of a [`Server`](super::Server): counted from 0 in the order of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub(super) usize);

/// What a client sees.
pub(super) struct Ends {
    pub(super) home: usize,
    pub(super) key: ConnectionKey,
    /// What it was sent and has not taken.
    pub(super) received: Vec<u8>,
    /// Whether the server has not closed the connection.
    pub(super) open: bool,
}
