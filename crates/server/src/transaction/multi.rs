//! MULTI: commands that are queued until EXEC, and WATCH.
//!
//! The queue is kept at home. EXEC lays its commands out over the shards of their keys
//! (`transaction/`): for one shard that is one message. What is watched is checked on
//! the shards of the watched keys (`watchers.rs`), before anything runs.

use std::ops::Range;

use resp::{Arguments, CommandError, Span};
use spec::Flags;

use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::clients::session::Session;
use crate::commands::{is_exec, runs_in_multi};
use crate::core::Core;
use crate::input::registry::{Action, Entry};
use crate::transaction::watchers::Watcher;
use crate::transaction::{
    Claimed, HeldCommand, HeldPlan, Owned, OwnedArguments, Plan, Planned, Sender,
};

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
}

/// Commands that wait for EXEC.
#[derive(Default)]
pub(crate) struct Queue {
    commands: Vec<QueuedCommand>,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// All flags of the commands.
    flags: Flags,
    /// A command was refused: EXEC will be, too.
    refused: bool,
}

struct QueuedCommand {
    entry: &'static Entry,
    bytes: Range<usize>,
    spans: Range<usize>,
}

/// What is watched.
pub(crate) struct Watching {
    watcher: Watcher,
    /// The shards of the keys.
    shards: Vec<u16>,
}

/// An EXEC that may run.
pub(crate) struct Exec {
    queue: Box<Queue>,
    watching: Option<Watching>,
}

impl Multi {
    /// How many commands are queued; `None` outside of MULTI.
    pub(crate) fn queued(&self) -> Option<usize> {
        self.queue.as_ref().map(|queue| queue.commands.len())
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

    /// MULTI.
    pub(crate) fn begin(&mut self) -> Result<(), CommandError> {
        if self.queue.is_some() {
            return Err(CommandError::MultiNested);
        }
        self.queue = Some(Box::default());
        Ok(())
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
    fn push(&mut self, entry: &'static Entry, arguments: Arguments<'_>) {
        let (bytes, spans) = (self.bytes.len(), self.spans.len());
        self.bytes.extend_from_slice(arguments.bytes());
        self.spans.extend_from_slice(arguments.spans());
        let (bytes, spans) = (bytes..self.bytes.len(), spans..self.spans.len());
        self.commands.push(QueuedCommand { entry, bytes, spans });
        self.flags = self.flags.with(entry.spec.flags);
    }

    fn arguments(&self, queued: &QueuedCommand) -> Arguments<'_> {
        Arguments::new(&self.bytes[queued.bytes.clone()], &self.spans[queued.spans.clone()])
    }

    /// Whether a command runs at home.
    fn has_session_commands(&self) -> bool {
        self.commands.iter().any(|queued| !matches!(queued.entry.action, Action::Shard(_)))
    }

    /// The commands, in order.
    fn iter(&self) -> impl Iterator<Item = (&'static Entry, Arguments<'_>)> {
        self.commands.iter().map(|queued| (queued.entry, self.arguments(queued)))
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
        if connection.session.multi.queue.is_none() || runs_in_multi(entry) {
            return false;
        }
        // Queueing takes memory, whatever the command.
        if self.is_out_of_memory() {
            let error = self.refuse_in_multi(key, Some(entry), CommandError::OutOfMemory);
            self.reply_error(key, Some(entry.number), &error);
            return true;
        }
        let Some(connection) = self.connections.find(key) else { return true };
        let session = &mut connection.session;
        if let Some(queue) = &mut session.multi.queue {
            queue.push(entry, arguments);
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
        if !entry.is_some_and(is_exec) {
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

    /// Runs the queue of a connection.
    pub(crate) fn begin_exec(&mut self, key: ConnectionKey, exec: Exec) {
        let Some(connection) = self.connections.find(key) else { return };
        let Session { client, replies, .. } = &connection.session;
        let sender = Sender { key, client: *client, silent: replies.is_silent() };
        let Exec { queue, watching } = exec;
        if queue.has_session_commands() {
            // They read and change the session, which must stay as it is, and stay, until then.
            connection.session.multi.executing = true;
            connection.input.held = Held::Barrier;
        }
        if self.needs_hold(&queue, watching.as_ref()) {
            self.hold_exec(sender, &queue, watching);
        } else {
            self.send_exec(sender, &queue, watching);
        }
    }

    /// Whether an EXEC has to hold its keys: it has commands that run at home, in their order among
    /// the others; a command needs keys of several shards together; or what is watched has to be
    /// checked before commands elsewhere run.
    fn needs_hold(&self, queue: &Queue, watching: Option<&Watching>) -> bool {
        if queue.has_session_commands() {
            return true;
        }
        let Some(watching) = watching else {
            return queue.iter().any(|(entry, arguments)| match entry.action {
                Action::Shard(command) => self.is_dependent(command, arguments),
                _ => false,
            });
        };
        let [only] = watching.shards[..] else { return true };
        !queue.iter().all(|(entry, arguments)| match entry.action {
            Action::Shard(command) => self.is_on(command, arguments, usize::from(only)),
            _ => false,
        })
    }

    /// Sends an EXEC whose parts do not depend on each other.
    fn send_exec(&mut self, sender: Sender, queue: &Queue, watching: Option<Watching>) {
        let mut plan = Plan::new(self.mail.shards());
        for (entry, arguments) in queue.iter() {
            let Action::Shard(command) = entry.action else { continue };
            let (number, client) = (entry.number, sender.client);
            self.plan(&mut plan, &Planned { command, number, arguments, client });
            self.show_queued(sender.key, entry, arguments);
        }
        let watcher = watching.map(|Watching { watcher, shards }| {
            // Also where nothing is to run.
            shards.iter().for_each(|shard| {
                self.part_on(&mut plan, usize::from(*shard), sender.client);
            });
            watcher
        });
        self.send_plan(sender, plan, true, watcher);
    }

    fn hold_exec(&mut self, sender: Sender, queue: &Queue, watching: Option<Watching>) {
        let mut held = HeldPlan::new(sender, true);
        held.watcher = watching.map(|Watching { watcher, shards }| (watcher, shards));
        for (entry, arguments) in queue.iter() {
            match entry.action {
                Action::Shard(command) => {
                    let (number, client) = (entry.number, sender.client);
                    let owned = Owned::of(&Planned { command, number, arguments, client });
                    held.commands.push(HeldCommand::Shard(owned));
                    self.show_queued(sender.key, entry, arguments);
                }
                _ => {
                    let arguments = OwnedArguments::of(arguments);
                    held.commands.push(HeldCommand::Session(entry, arguments));
                }
            }
        }
        self.begin_held(held);
    }

    /// Shows a command that EXEC runs to monitors.
    fn show_queued(&mut self, key: ConnectionKey, entry: &Entry, arguments: Arguments<'_>) {
        if self.shared.has_monitors() {
            let words: Vec<&[u8]> = arguments.iter().collect();
            self.show_to_monitors(key, entry.spec, &words);
        }
    }
}
