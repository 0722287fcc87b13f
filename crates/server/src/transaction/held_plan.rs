//! What a transaction that holds its keys is to do.

use commands::{Across, ShardCommand};
use resp::{Arguments, Span};
use smallvec::SmallVec;

use super::Sender;
use super::plan::Planned;
use crate::input::dispatch::Place;
use crate::input::registry::Entry;
use crate::message::Client;
use crate::transaction::watchers::Watcher;

/// What a held transaction is to do.
pub(crate) struct HeldPlan {
    pub(crate) sender: Sender,
    /// Whether the replies become an array: EXEC.
    pub(crate) framed: bool,
    /// In order: almost always one.
    pub(crate) commands: SmallVec<[HeldCommand; 1]>,
    /// Whose watches are to be checked first, and on which shards.
    pub(crate) watcher: Option<(Watcher, Vec<u16>)>,
    /// The place in its connection's pipeline of a command that may wait for keys: its only one.
    pub(crate) waits: Option<u64>,
}

/// A command of a held transaction.
pub(crate) enum HeldCommand {
    /// Runs on shards.
    Shard(Owned),
    /// Runs at home.
    Session(&'static Entry, OwnedArguments),
}

/// A command's arguments, kept.
#[derive(Clone)]
pub(crate) struct OwnedArguments {
    bytes: Box<[u8]>,
    spans: SmallVec<[Span; SPANS_INLINE]>,
}

/// A shard command, kept.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) command: &'static ShardCommand,
    pub(crate) number: u16,
    /// Where its keys live.
    pub(crate) place: Place,
    pub(crate) arguments: OwnedArguments,
}

/// Arguments whose places need no allocation: a command of two keys with an option.
const SPANS_INLINE: usize = 4;

impl HeldCommand {
    /// Whether it needs keys of several shards in one place.
    pub(crate) fn is_dependent(&self) -> bool {
        match self {
            Self::Shard(Owned { command, place, .. }) => {
                matches!((command.across, *place), (Across::Together { .. }, Place::Several))
            }
            Self::Session(..) => false,
        }
    }
}

impl OwnedArguments {
    pub(crate) fn of(arguments: Arguments<'_>) -> Self {
        Self { bytes: arguments.bytes().into(), spans: SmallVec::from_slice(arguments.spans()) }
    }

    pub(crate) fn get(&self) -> Arguments<'_> {
        Arguments::new(&self.bytes, &self.spans)
    }
}

impl Owned {
    pub(crate) fn of(planned: &Planned<'_>, place: Place) -> Self {
        let Planned { command, number, arguments, .. } = *planned;
        Self { command, number, place, arguments: OwnedArguments::of(arguments) }
    }

    pub(crate) fn arguments(&self) -> Arguments<'_> {
        self.arguments.get()
    }

    pub(crate) fn planned(&self, client: Client) -> Planned<'_> {
        let arguments = self.arguments();
        Planned { command: self.command, number: self.number, arguments, client }
    }
}

impl HeldPlan {
    pub(crate) fn new(sender: Sender, framed: bool) -> Self {
        Self { sender, framed, commands: SmallVec::new(), watcher: None, waits: None }
    }

    pub(crate) fn has_session_commands(&self) -> bool {
        self.commands.iter().any(|command| matches!(command, HeldCommand::Session(..)))
    }

    pub(crate) fn shard_commands(&self) -> impl Iterator<Item = &Owned> {
        self.commands.iter().filter_map(|command| match command {
            HeldCommand::Shard(owned) => Some(owned),
            HeldCommand::Session(..) => None,
        })
    }
}
