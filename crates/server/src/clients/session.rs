//! What a connection is, to its client: name, database, protocol, identity.

use net::Peer;
use resp::Protocol;

use crate::message::Client;
use crate::transaction::multi::Multi;

/// The state of one client's session.
pub(crate) struct Session {
    /// Unique over the life of the server, ascending.
    pub(crate) id: u64,
    /// Where the client is.
    pub(crate) peer: Peer,
    /// What every command needs.
    pub(crate) client: Client,
    /// Who the client is.
    pub(crate) identity: Identity,
    /// Whether it has passed AUTH, or needs not.
    pub(crate) authenticated: bool,
    /// MULTI and WATCH.
    pub(crate) multi: Multi,
    /// CLIENT REPLY.
    pub(crate) replies: Replies,
    /// CLIENT NO-EVICT, MONITOR and such.
    pub(crate) modes: Modes,
    /// Times and counts for CLIENT LIST.
    pub(crate) activity: Activity,
}

/// Names that a client gave itself.
#[derive(Default)]
pub(crate) struct Identity {
    /// CLIENT SETNAME.
    pub(crate) name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub(crate) library: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub(crate) library_version: Vec<u8>,
}

impl Identity {
    /// What the names take.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.name.capacity() + self.library.capacity() + self.library_version.capacity()
    }
}

/// Whether replies are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    /// As usual.
    #[default]
    On,
    /// None at all.
    Off,
    /// Not for the next command.
    SkipNext,
    /// Not for this command.
    Skip,
}

impl Replies {
    /// Whether the running command's reply is not sent.
    pub(crate) const fn is_silent(self) -> bool {
        matches!(self, Self::Off | Self::Skip)
    }

    /// What holds for the next command, once one has run.
    pub(crate) const fn after_command(self) -> Self {
        match self {
            Self::On | Self::Skip => Self::On,
            Self::Off => Self::Off,
            Self::SkipNext => Self::Skip,
        }
    }
}

/// Switches of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// CLIENT NO-EVICT.
    pub(crate) no_evict: bool,
    /// MONITOR.
    pub(crate) monitor: bool,
    /// To be closed once its output is sent.
    pub(crate) close_after_reply: bool,
    /// To be closed at once.
    pub(crate) close_now: bool,
}

/// Times and counts of a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// When it connected: unix milliseconds.
    pub(crate) connected_ms: i64,
    /// When its last bytes came: unix milliseconds.
    pub(crate) last_ms: i64,
    /// The registry's number of the last command, plus one; 0: none yet.
    pub(crate) last_command: u16,
    /// Bytes received.
    pub(crate) bytes_in: u64,
    /// Bytes sent.
    pub(crate) bytes_out: u64,
    /// Commands run.
    pub(crate) commands: u64,
}

impl Session {
    /// A new session.
    pub(crate) fn new(id: u64, peer: Peer, authenticated: bool, now_ms: i64) -> Self {
        let activity = Activity { connected_ms: now_ms, last_ms: now_ms, ..Activity::default() };
        Self {
            id,
            peer,
            client: Client::default(),
            identity: Identity::default(),
            authenticated,
            multi: Multi::default(),
            replies: Replies::On,
            modes: Modes::default(),
            activity,
        }
    }

    /// RESET: as after connecting, but for its id and its address. Its watches are the caller's to
    /// end.
    pub(crate) fn reset(&mut self, authenticated: bool) {
        self.client = Client { db: 0, protocol: Protocol::Resp2, no_touch: false };
        self.identity.name.clear();
        self.authenticated = authenticated;
        self.replies = Replies::On;
        self.modes = Modes::default();
    }
}
