//! The commands that one piece of input held: found first, so that their keys can be prefetched
//! together, then run one after another.

use std::ops::Range;

use commands::ShardCommand;
use resp::Span;

use crate::input::registry::{Action, Entry};

/// Commands looked at together. Enough to cover the latency of memory several times over; few
/// enough that what was prefetched is still in the nearest cache when its turn comes.
pub(crate) const COMMANDS_MAX: usize = 32;

/// Scratch: emptied for each piece, keeps its capacity.
#[derive(Default)]
pub(crate) struct Parsed {
    pub(crate) commands: Vec<ParsedCommand>,
    pub(crate) spans: Vec<Span>,
    /// The canonical form of the round's last command, where that is not the input's own bytes.
    pub(crate) rewritten: Vec<u8>,
}

/// A whole command in the input.
#[derive(Clone)]
pub(crate) struct ParsedCommand {
    /// Its bytes in the input.
    pub(crate) bytes: Range<usize>,
    /// Its spans in [`Parsed::spans`].
    pub(crate) spans: Range<usize>,
    /// Whether its canonical form is [`Parsed::rewritten`].
    pub(crate) rewritten: bool,
    /// What it names; `None`: nothing, and it is answered with an error.
    pub(crate) entry: Option<&'static Entry>,
    /// Where it runs.
    pub(crate) shard: KnownShard,
}

/// The shard of a command's one key, where it was looked for when the command was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownShard(u16);

impl KnownShard {
    /// It is looked for when the command runs.
    pub(crate) const NONE: Self = Self(u16::MAX);

    /// It is this one.
    #[inline]
    pub(crate) fn new(shard: usize) -> Self {
        Self(shard as u16)
    }

    /// Which it is, if that is known.
    #[inline]
    pub(crate) fn get(self) -> Option<usize> {
        (self.0 != u16::MAX).then_some(usize::from(self.0))
    }
}

impl ParsedCommand {
    /// What it names, if that runs on shards.
    pub(crate) fn shard_command(&self) -> Option<&'static ShardCommand> {
        match self.entry?.action {
            Action::Shard(command) => Some(command),
            _ => None,
        }
    }
}

impl Parsed {
    pub(crate) fn clear(&mut self) {
        self.commands.clear();
        self.spans.clear();
    }
}
