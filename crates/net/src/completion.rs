//! What a ring reports, and how a request's kind and token travel through the kernel.
//!
//! ```text
//! user_data:  | kind: 8 bits | slot: 24 bits | token: 32 bits |
//! ```

use crate::ring::ReceivedBuffer;

/// An index of the caller's choosing that comes back with a completion.
pub type Token = u32;

/// Something that a ring did.
#[derive(Debug)]
pub enum Completion {
    /// A listener accepted a connection: `result` is its descriptor, or a negative errno. When
    /// `more` is false the accept has ended and is to be armed again.
    Accepted {
        /// The listener's token.
        token: Token,
        /// Descriptor, or negative errno.
        result: i32,
        /// Whether further completions of the same request will come.
        more: bool,
    },
    /// Bytes came. The buffer is the caller's until it is released. When `more` is false the
    /// receive is to be armed again.
    Received {
        /// The connection's token.
        token: Token,
        /// The filled buffer.
        buffer: ReceivedBuffer,
        /// Whether further completions of the same request will come.
        more: bool,
    },
    /// The receive found no free buffer and ended: to be armed again once buffers were released.
    Starved {
        /// The connection's token.
        token: Token,
    },
    /// The receive ended for good: the peer closed (0), or a negative errno.
    Ended {
        /// The connection's token.
        token: Token,
        /// 0, or negative errno.
        result: i32,
    },
    /// A queued send ended: bytes sent, or a negative errno; `bytes` is the buffer given to it.
    Sent {
        /// The connection's token.
        token: Token,
        /// Bytes sent, or negative errno.
        result: i32,
        /// The whole buffer, back in the caller's hands.
        bytes: Vec<u8>,
    },
    /// A sync ended: 0, or a negative errno.
    Synced {
        /// The token given with it.
        token: Token,
        /// 0, or negative errno.
        result: i32,
    },
    /// Another core thread woke this one.
    Woken,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Accept,
    Receive,
    Send,
    Sync,
    /// A message from another ring.
    Woken,
    /// A request whose end interests nobody.
    Wake,
}

const SLOT_BITS: u64 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

impl Kind {
    pub(crate) const fn with(self, token: Token) -> u64 {
        self.with_slot(token, 0)
    }

    pub(crate) const fn with_slot(self, token: Token, slot: u32) -> u64 {
        debug_assert!((slot as u64) <= SLOT_MASK, "at most 2^24 sends are under way");
        ((self as u64) << 56) | ((slot as u64) << 32) | token as u64
    }

    pub(crate) fn split(user_data: u64) -> (Self, Token, u32) {
        let kind = match user_data >> 56 {
            0 => Self::Accept,
            1 => Self::Receive,
            2 => Self::Send,
            3 => Self::Sync,
            4 => Self::Woken,
            _ => Self::Wake,
        };
        (kind, user_data as u32, ((user_data >> 32) & SLOT_MASK) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn user_data_round_trips() {
        for kind in [Kind::Accept, Kind::Receive, Kind::Send, Kind::Sync, Kind::Woken, Kind::Wake] {
            let data = kind.with_slot(u32::MAX - 3, 0x00AB_CDEF);
            assert_eq!(Kind::split(data), (kind, u32::MAX - 3, 0x00AB_CDEF));
        }
    }
}
