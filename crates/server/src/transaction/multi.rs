//! MULTI: commands that are queued until EXEC, and WATCH.
//!
//! The queue is kept at home; how it runs is in `exec.rs`. What is watched is checked on the shards
//! of the watched keys (`watchers.rs`), before anything runs.

use std::ops::Range;

use commands::{Across, ShardCommand};
use resp::{Arguments, CommandError, Span};
use spec::Flags;

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::dispatch::Place;
use crate::input::registry::{Action, Entry};
use crate::memory::kept::KEPT_BYTES_MAX;
use crate::transaction::Claimed;
use crate::transaction::watchers::Watcher;

/// MULTI and WATCH of a session.
#[derive(Default)]
pub(crate) struct Multi {
    /// Between MULTI and EXEC.
    queue: Option<Box<Queue>>,
    watching: Option<Watching>,
    /// Counts the session's watchers.
    rounds: u32,
    /// An EXEC with commands that run at home is under way: the connection has to stay.
    pub(crate) executing: bool,
    /// How many commands that EXEC has.
    pub(super) executing_commands: usize,
}

/// Commands that wait for EXEC.
#[derive(Default)]
pub(crate) struct Queue {
    pub(super) commands: Vec<QueuedCommand>,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// All flags of the commands.
    flags: Flags,
    /// How many of the commands may change something.
    pub(super) writes: usize,
    /// Where all the commands live.
    pub(super) reach: Reach,
    /// A command was refused: EXEC will be, too.
    refused: bool,
}

/// Where the commands of a queue live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// There are none yet.
    #[default]
    Nowhere,
    /// All of them live on this shard.
    Shard(usize),
    /// Several shards have parts that do not depend on each other.
    Several,
    /// A command needs keys of several shards together, or runs at home in its order among the
    /// others: the keys are to be held.
    Held,
}

impl Reach {
    /// The reach of this and a command at `place`.
    fn with(self, command: &'static ShardCommand, place: Place) -> Self {
        let needs_hold = matches!(command.across, Across::Together { .. });
        match (self, place) {
            (Self::Held, _) => Self::Held,
            (_, Place::Several) if needs_hold => Self::Held,
            (Self::Nowhere, Place::One(shard)) => Self::Shard(shard),
            (Self::Shard(only), Place::One(shard)) if only == shard => self,
            _ => Self::Several,
        }
    }
}

pub(super) struct QueuedCommand {
    entry: &'static Entry,
    /// Where it lives, if it runs on shards.
    place: Place,
    bytes: Range<usize>,
    spans: Range<usize>,
}

/// What is watched.
pub(crate) struct Watching {
    pub(super) watcher: Watcher,
    /// The shards of the keys.
    pub(super) shards: Vec<u16>,
}

/// An EXEC that may run.
pub(crate) struct Exec {
    pub(super) queue: Box<Queue>,
    pub(super) watching: Option<Watching>,
}

impl Multi {
    /// How many commands are queued; `None` outside of MULTI.
    pub(crate) fn queued(&self) -> Option<usize> {
        self.queue.as_ref().map(|queue| queue.commands.len())
    }

    /// How many commands are queued, or are being run by an EXEC that can be looked at meanwhile.
    pub(crate) fn shown(&self) -> Option<usize> {
        self.queued().or_else(|| self.executing.then_some(self.executing_commands))
    }

    /// Who watches for it, if it watches keys.
    pub(crate) fn watcher(&self) -> Option<Watcher> {
        self.watching.as_ref().map(|watching| watching.watcher)
    }

    /// What the queue takes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| {
            queue.bytes.capacity()
                + queue.spans.capacity() * size_of::<Span>()
                + queue.commands.capacity() * size_of::<QueuedCommand>()
        })
    }

    /// All flags of the queued commands.
    pub(crate) fn flags(&self) -> Flags {
        self.queue.as_ref().map_or(Flags::NONE, |queue| queue.flags)
    }

    /// MULTI, outside of another: commands are kept in `queue` from now on.
    pub(crate) fn begin(&mut self, queue: Box<Queue>) {
        self.queue = Some(queue);
    }

    /// DISCARD: forgets the queue; the watches are the caller's to end.
    pub(crate) fn discard(&mut self) -> Result<Option<Watching>, CommandError> {
        self.queue.take().ok_or(CommandError::DiscardWithoutMulti)?;
        Ok(self.watching.take())
    }

    /// Forgets everything; the watches are the caller's to end.
    pub(crate) fn take_watching(&mut self) -> Option<Watching> {
        self.queue = None;
        self.watching.take()
    }

    /// UNWATCH; the watches are the caller's to end.
    pub(crate) fn unwatch(&mut self) -> Option<Watching> {
        self.watching.take()
    }
}

impl Queue {
    fn push(&mut self, entry: &'static Entry, arguments: Arguments<'_>, place: Place) {
        let (bytes, spans) = (self.bytes.len(), self.spans.len());
        self.bytes.extend_from_slice(arguments.bytes());
        self.spans.extend_from_slice(arguments.spans());
        let (bytes, spans) = (bytes..self.bytes.len(), spans..self.spans.len());
        self.commands.push(QueuedCommand { entry, place, bytes, spans });
        self.flags = self.flags.with(entry.spec.flags);
        match entry.action {
            Action::Shard(command) => {
                self.writes += usize::from(command.spec.flags.has(Flags::WRITE));
                self.reach = self.reach.with(command, place);
            }
            _ => self.reach = Reach::Held,
        }
    }

    /// Empties it for the next use. Buffers that grew beyond [`KEPT_BYTES_MAX`] are given back.
    pub(crate) fn clear(&mut self) {
        let Self { mut commands, mut bytes, mut spans, .. } = std::mem::take(self);
        if bytes.capacity() <= KEPT_BYTES_MAX && commands.capacity() <= KEPT_COMMANDS_MAX {
            commands.clear();
            bytes.clear();
            spans.clear();
            *self = Self { commands, bytes, spans, ..Self::default() };
        }
    }

    fn arguments(&self, queued: &QueuedCommand) -> Arguments<'_> {
        Arguments::new(&self.bytes[queued.bytes.clone()], &self.spans[queued.spans.clone()])
    }

    /// Whether a command runs at home.
    pub(super) fn has_session_commands(&self) -> bool {
        self.commands.iter().any(|queued| !matches!(queued.entry.action, Action::Shard(_)))
    }

    /// The commands, in order, with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Entry, Arguments<'_>, Place)> {
        self.commands.iter().map(|queued| (queued.entry, self.arguments(queued), queued.place))
    }
}

impl Core {
    /// Queues a command of a connection that is between MULTI and EXEC. False: it is not, or the
    /// command is none that is queued.
    pub(crate) fn queue_in_multi(
        &mut self,
        key: ConnectionKey,
        entry: &'static Entry,
        arguments: Arguments<'_>,
    ) -> bool {
        let Some(connection) = self.connections.find(key) else { return false };
        if connection.session.multi.queue.is_none() || entry.spec.flags.has(Flags::RUNS_IN_MULTI) {
            return false;
        }
        connection.session.activity.last_command = entry.number + 1;
        if let Action::Shard(command) = entry.action
            && let Err(error) = self.make_room_for(command)
        {
            let error = self.refuse_in_multi(key, Some(entry), error);
            self.reply_error(key, Some(entry.number), &error);
            return true;
        }
        let place = match entry.action {
            Action::Shard(command) => self.place(command, arguments),
            _ => Place::Several,
        };
        let Some(connection) = self.connections.find(key) else { return true };
        let session = &mut connection.session;
        if let Some(queue) = &mut session.multi.queue {
            if !queue.refused {
                // Otherwise it is never run: no memory is taken for it.
                queue.push(entry, arguments, place);
            }
            if queue.bytes.len() as u64 > self.settings.limits.query_buffer_bytes_max {
                self.refuse_input(key);
                return true;
            }
        }
        let silent = session.replies.is_silent();
        session.replies = session.replies.after_command();
        if !silent {
            connection.reply_buffer().extend_from_slice(b"+QUEUED\r\n");
        }
        true
    }

    /// A command of a connection was refused: between MULTI and EXEC that is the end of the
    /// transaction. What it is answered; EXEC always says that it was aborted, as in Redis.
    pub(crate) fn refuse_in_multi(
        &mut self,
        key: ConnectionKey,
        entry: Option<&'static Entry>,
        error: CommandError,
    ) -> CommandError {
        let Some(connection) = self.connections.find(key) else { return error };
        let multi = &mut connection.session.multi;
        if !entry.is_some_and(|entry| entry.spec.flags.has(Flags::RUNS_QUEUE)) {
            if let Some(queue) = &mut multi.queue {
                queue.refused = true;
            }
            return error;
        }
        let watching = multi.take_watching();
        self.end_watching(watching);
        CommandError::exec_aborted(&error)
    }

    /// WATCH: the connection watches keys of its database from now on.
    pub(crate) fn watch(&mut self, key: ConnectionKey, names: Arguments<'_>) {
        let (home, shards) = (self.mail.shard, self.mail.shards());
        let Some(connection) = self.connections.find(key) else { return };
        let session = &mut connection.session;
        let (db, multi) = (session.client.db, &mut session.multi);
        let rounds = &mut multi.rounds;
        let watching = multi.watching.get_or_insert_with(|| {
            *rounds = rounds.wrapping_add(1);
            let watcher = Watcher { home: home as u16, connection: key, round: *rounds };
            Watching { watcher, shards: Vec::new() }
        });
        let watcher = watching.watcher;
        let mut of_shard: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); shards];
        for name in names.iter() {
            of_shard[spec::shard_of_slot(spec::slot_of(name), shards)].push(name.into());
        }
        for (shard, names) in of_shard.into_iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            if !watching.shards.contains(&(shard as u16)) {
                watching.shards.push(shard as u16);
            }
            // Through the inbox also here: what lies in it came before.
            self.mail.call(shard, move |core| core.begin_watch(watcher, db, names));
        }
    }

    /// A connection watches keys of this shard, once nobody holds them.
    fn begin_watch(&mut self, watcher: Watcher, db: u32, names: Vec<Box<[u8]>>) {
        for name in &names {
            self.shard.watchers.announce(watcher, db, name);
        }
        let hashes = names.iter().map(|name| self.shard.keyspace.hash(name).to_bits());
        let claimed = Claimed::Keys(hashes.collect());
        self.call_unclaimed(claimed, move |core| {
            let now_ms = core.time.unix_ms();
            core.shard.watch(watcher, db, &names, now_ms);
        });
    }

    /// The watches of a connection end, unchecked.
    pub(crate) fn end_watching(&mut self, watching: Option<Watching>) {
        let Some(Watching { watcher, shards }) = watching else { return };
        self.send_bundles();
        for shard in shards {
            self.mail.call(usize::from(shard), move |core| {
                let now_ms = core.time.unix_ms();
                core.shard.end_watcher(watcher, now_ms);
            });
        }
    }

    /// EXEC: what may run, and what was watched.
    ///
    /// # Errors
    /// There was no MULTI, or a command was refused; the transaction is over.
    pub(crate) fn take_exec(&mut self, key: ConnectionKey) -> Result<Exec, CommandError> {
        let Some(connection) = self.connections.find(key) else {
            return Err(CommandError::ExecWithoutMulti);
        };
        let multi = &mut connection.session.multi;
        let queue = multi.queue.take().ok_or(CommandError::ExecWithoutMulti)?;
        let watching = multi.watching.take();
        let refusal = if queue.refused {
            Some(CommandError::ExecAborted)
        } else if queue.flags.has(Flags::DENYOOM) && !self.make_room() {
            Some(CommandError::exec_aborted(&CommandError::OutOfMemory))
        } else {
            None
        };
        match refusal {
            None => Ok(Exec { queue, watching }),
            Some(error) => {
                self.end_watching(watching);
                Err(error)
            }
        }
    }
}

/// Commands that a spent queue may keep room for.
const KEPT_COMMANDS_MAX: usize = 256;
