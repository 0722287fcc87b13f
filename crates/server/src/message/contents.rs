//! What travels through inboxes.
//!
//! A message is a box that goes from a connection's home to a shard and comes back as the reply:
//! the same allocation, with the same buffers, recycled by its home. It carries a *bundle*: runs
//! (`runs.rs`), or a single one, which had to wait for held keys or which a log refused; or one
//! command that may wait for keys. Besides: connections on their way to their home, and calls.

use std::ops::Range;

use commands::ShardCommand;
use resp::{Arguments, Protocol, Span, Writer};
use spec::Flags;

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::memory::kept::empty;
use crate::message::runs::Runs;

/// A message, and what is to be done with it.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) purpose: Purpose,
    pub(crate) work: Work,
}

/// What the receiver of a message does with it.
#[derive(Default)]
pub(crate) enum Purpose {
    /// Run the bundle, or what waited for held keys, and send it back as [`Purpose::Replies`].
    #[default]
    Run,
    /// The work was run: hand its replies to the connection.
    Replies,
    /// Run the work's one command, which may wait for keys, and send it back as
    /// [`Purpose::Waited`] once it does not any more.
    Wait,
    /// The command was run, or its wait has ended: hand its reply to the connection.
    Waited {
        /// Whether its home was told that it waits.
        parked: bool,
    },
    /// Serve this connection from now on: a descriptor that another core thread accepted.
    Adopt(Adopted),
    /// Run this on the receiving core thread.
    Call(Box<dyn FnOnce(&mut Core) + Send>),
    /// The ledger has something new for this shard.
    LedgerMoved,
}

/// An accepted connection on its way to its home.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adopted {
    /// The accepted descriptor; whoever holds this owns it.
    pub(crate) descriptor: i32,
    /// Whether it came over the unix socket.
    pub(crate) unix: bool,
}

/// Commands for one shard.
#[derive(Default)]
pub(crate) struct Work {
    /// Where the replies go.
    pub(crate) origin: Origin,
    /// As whom the commands run.
    pub(crate) client: Client,
    /// The commands, in order.
    pub(crate) commands: Vec<Queued>,
    /// Whose commands they are, in a bundle. Otherwise all of them are those of `origin`.
    pub(crate) runs: Runs,
    /// The commands' arguments.
    pub(crate) text: Text,
    /// The replies, one after another.
    pub(crate) reply: Vec<u8>,
    /// Whether the replies are not sent (CLIENT REPLY).
    pub(crate) silent: bool,
}

/// The arguments of a message's commands.
#[derive(Default)]
pub(crate) struct Text {
    /// The commands' canonical bytes, one after another.
    pub(crate) bytes: Vec<u8>,
    /// The arguments, relative to each command's first byte.
    spans: Vec<Span>,
}

/// The place in a connection's pipeline that waits for a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The home's shard.
    pub(crate) home: u16,
    /// The connection.
    pub(crate) connection: ConnectionKey,
    /// The place in its pipeline.
    pub(crate) place: u64,
}

/// What a shard needs to know of the client whose command it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The selected database.
    pub(crate) db: u32,
    /// How replies are written.
    pub(crate) protocol: Protocol,
    /// CLIENT NO-TOUCH: reads do not touch LRU and LFU.
    pub(crate) no_touch: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self { db: 0, protocol: Protocol::Resp2, no_touch: false }
    }
}

/// One command of a message.
#[derive(Clone)]
pub(crate) struct Queued {
    pub(crate) command: &'static ShardCommand,
    /// Its number in the registry, for statistics.
    pub(crate) number: u16,
    /// The database it is about.
    pub(crate) db: u32,
    /// Whether this is all of it, or other shards run it as well.
    pub(crate) share: Share,
    /// Its bytes in [`Text::bytes`].
    bytes: Range<usize>,
    /// Its arguments in [`Text::spans`].
    spans: Range<usize>,
}

/// What a shard runs of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it: it is counted where it runs.
    Whole,
    /// What concerns this shard, as the first of several. Their home counts the command, once.
    First,
    /// The same, as a further one.
    Further,
}

impl Queued {
    /// Whether other shards run the command as well.
    pub(crate) fn is_shared(&self) -> bool {
        self.share != Share::Whole
    }

    /// Whether it may change something, and so is logged.
    pub(crate) fn writes(&self) -> bool {
        self.command.spec.flags.has(Flags::WRITE)
    }
}

impl Work {
    /// Adds a command, for the client's database: a copy of its canonical bytes and its spans.
    #[inline]
    pub(crate) fn add(&mut self, command: &'static ShardCommand, number: u16, of: Arguments<'_>) {
        let db = self.client.db;
        self.add_for(db, command, number, of);
    }

    /// Adds a command for a database.
    #[inline]
    pub(crate) fn add_for(
        &mut self,
        db: u32,
        command: &'static ShardCommand,
        number: u16,
        of: Arguments<'_>,
    ) {
        let text = &mut self.text;
        let (bytes, spans) = (text.bytes.len(), text.spans.len());
        text.bytes.extend_from_slice(of.bytes());
        text.spans.extend_from_slice(of.spans());
        let (bytes, spans) = (bytes..text.bytes.len(), spans..text.spans.len());
        self.commands.push(Queued { command, number, db, share: Share::Whole, bytes, spans });
    }

    /// Begins a command of `count` arguments for a database, which [`Self::push_argument`] adds.
    pub(crate) fn begin_command(
        &mut self,
        db: u32,
        command: &'static ShardCommand,
        number: u16,
        count: usize,
    ) {
        let text = &mut self.text;
        let (bytes, spans) = (text.bytes.len(), text.spans.len());
        Writer::new(&mut text.bytes, Protocol::Resp2).array(count);
        let (bytes, spans) = (bytes..text.bytes.len(), spans..spans);
        self.commands.push(Queued { command, number, db, share: Share::Whole, bytes, spans });
    }

    /// Adds an argument to the last command.
    pub(crate) fn push_argument(&mut self, argument: &[u8]) {
        let text = &mut self.text;
        let Some(last) = self.commands.last_mut() else { return };
        Writer::new(&mut text.bytes, Protocol::Resp2).bulk(argument);
        last.bytes.end = text.bytes.len();
        // The argument is followed by CR and LF.
        let end = (last.bytes.len() - 2) as u32;
        text.spans.push(Span { start: end - argument.len() as u32, end });
        last.spans.end = text.spans.len();
    }

    /// What the last command is of the one that the client sent.
    pub(crate) fn share_last(&mut self, share: Share) {
        if let Some(last) = self.commands.last_mut() {
            last.share = share;
        }
    }

    /// The arguments of a queued command.
    #[inline]
    pub(crate) fn arguments(&self, queued: &Queued) -> Arguments<'_> {
        let Text { bytes, spans } = &self.text;
        Arguments::new(&bytes[queued.bytes.clone()], &spans[queued.spans.clone()])
    }

    /// Empties it for the next use; see [`empty`].
    pub(crate) fn clear(&mut self) {
        empty(&mut self.commands);
        self.runs.clear();
        empty(&mut self.text.spans);
        empty(&mut self.text.bytes);
        empty(&mut self.reply);
        self.silent = false;
    }
}

/// How many of these commands may change something.
pub(crate) fn writes(commands: &[Queued]) -> usize {
    commands.iter().filter(|queued| queued.writes()).count()
}
