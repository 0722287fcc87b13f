//! Where a command runs: the way of a request from admission to a shard.
//!
//! - One shard, and it is this one: a function call.
//! - One shard, another one: the command joins the *bundle* for that shard (`message/bundle.rs`).
//!   So do the next ones of this connection for any shard, until the bundles are sent: before
//!   anything else of this connection happens, so the order of effects is that of the commands.
//! - Several shards: a transaction (`transaction/`), whose parts, or stages if it holds keys, join
//!   the bundles as well.
//! - The keys are held by a transaction: the command waits as a message does
//!   (`transaction/holds.rs`).
//! - It may wait for keys: `waiting/`.
//! - Between MULTI and EXEC: it is queued (`transaction/multi.rs`).
//!
//! Before a local command runs the inbox is looked into: whoever entered it took effect earlier.
//! The same before a session command: what the connection sent before may have gone through it.

use commands::{Across, ShardCommand};
use net::Envelope;
use resp::{Arguments, CommandError, Writer};
use spec::{Flags, shard_of_slot, slot_of};

use crate::canary::{self, Canary};
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::parsed::ParsedCommand;
use crate::input::registry::{Action, Entry};
use crate::message::{Client, Message, Origin, Purpose};
use crate::shard::ShardRequest;
use crate::statistics::notable::Ran;

/// A shard command on its way.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) key: ConnectionKey,
    pub(crate) command: &'static ShardCommand,
    pub(crate) number: u16,
    /// By reference: a copy that is made right after they were put together waits for every write
    /// before it, those to lines of other core threads included.
    pub(crate) arguments: &'a Arguments<'a>,
    pub(crate) client: Client,
    /// Whether the reply is not sent (CLIENT REPLY).
    pub(crate) silent: bool,
}

/// Where the keys of a command live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this shard.
    One(usize),
    /// On several.
    Several,
}

impl Core {
    /// Runs one command of a connection. False: it cannot run now, and is to be offered again.
    pub(crate) fn run_command(
        &mut self,
        key: ConnectionKey,
        parsed: &ParsedCommand,
        arguments: &Arguments<'_>,
    ) -> bool {
        let entry = parsed.entry;
        match crate::input::admission::admit(self, key, entry, arguments) {
            Ok(entry) => match entry.action {
                Action::Shard(command) => {
                    let shard = parsed.shard.get();
                    let ran = self.run_shard_command(key, entry, (command, shard), arguments);
                    if ran && self.shared.has_monitors() {
                        let words: Vec<&[u8]> = arguments.iter().collect();
                        self.show_to_monitors(key, entry.spec, &words);
                    }
                }
                Action::Session(command) => {
                    if self.queue_in_multi(key, entry, *arguments) {
                        return true;
                    }
                    if !entry.spec.flags.has(Flags::OVERTAKES_NOTHING) {
                        self.send_bundles();
                        if !self.mail.inbox.is_empty() {
                            self.drain_inbox();
                        }
                    }
                    crate::commands::run(self, key, entry, command, *arguments);
                }
                Action::Container => {}
            },
            Err(crate::input::admission::Refusal::Error(error)) => {
                self.send_bundles();
                self.note_last_command(key, entry);
                let error = self.refuse_in_multi(key, entry, error);
                self.reply_error(key, entry.map(|entry| entry.number), &error);
            }
            Err(crate::input::admission::Refusal::Later) => {
                self.note_last_command(key, entry);
                return false;
            }
            Err(crate::input::admission::Refusal::Close) => {
                self.close(key);
                return false;
            }
        }
        true
    }

    /// Remembers what a connection sent last, whatever becomes of it; nothing of that name: none.
    pub(crate) fn note_last_command(&mut self, key: ConnectionKey, entry: Option<&Entry>) {
        if let Some(connection) = self.connections.find(key) {
            connection.session.activity.last_command = entry.map_or(0, |entry| entry.number + 1);
        }
    }

    /// Runs a shard command, or queues it between MULTI and EXEC. Whether it is run. Its shard may
    /// be known already.
    fn run_shard_command(
        &mut self,
        key: ConnectionKey,
        entry: &'static Entry,
        (command, shard): (&'static ShardCommand, Option<usize>),
        arguments: &Arguments<'_>,
    ) -> bool {
        let Some(connection) = self.connections.find(key) else { return false };
        if connection.session.multi.queued().is_some() {
            return !self.queue_in_multi(key, entry, *arguments);
        }
        let session = &mut connection.session;
        session.activity.last_command = entry.number + 1;
        session.activity.commands += 1;
        let silent = session.replies.is_silent();
        if silent {
            session.replies = session.replies.after_command();
        }
        let client = session.client;
        let bundled = self.bundles.takes_commands_of(&connection.pipeline)
            && !canary::is_out(Canary::LocalOvertakesRun);
        let number = entry.number;
        let request = Request { key, command, number, arguments, client, silent };
        if command.spec.flags.has(Flags::BLOCKING) {
            self.begin_waiting(&request);
            return true;
        }
        match shard.map_or_else(|| self.place(command, *arguments), Place::One) {
            Place::One(shard) if shard == self.mail.shard && !bundled => self.run_local(&request),
            Place::One(shard) => self.run_bundled(shard, &request),
            Place::Several => self.begin_transaction(&request),
        }
        true
    }

    /// Where a command has to run.
    pub(crate) fn place(&self, command: &'static ShardCommand, arguments: Arguments<'_>) -> Place {
        let shards = self.mail.shards();
        if shards == 1 {
            return Place::One(self.mail.shard);
        }
        match command.across {
            Across::Together { .. } | Across::Split { .. } => {
                self.place_of_keys(command, arguments)
            }
            Across::Everywhere { .. } => Place::Several,
            Across::Cursor { .. } => {
                let concerned = self.shards_of_cursor(arguments);
                match concerned.len() {
                    0 => Place::One(self.mail.shard),
                    1 => Place::One(concerned.start),
                    _ => Place::Several,
                }
            }
        }
    }

    /// The shards that a command with a cursor over all shards is run by.
    pub(crate) fn shards_of_cursor(&self, arguments: Arguments<'_>) -> std::ops::Range<usize> {
        let shards = self.mail.shards();
        arguments.get(1).map_or(0..0, |cursor| commands::cursor_shards(cursor, shards))
    }

    fn place_of_keys(&self, command: &'static ShardCommand, arguments: Arguments<'_>) -> Place {
        let shards = self.mail.shards();
        let shard_of = |at: usize| shard_of_slot(slot_of(&arguments[at]), shards);
        if let Some(at) = command.sole_key() {
            return Place::One(shard_of(at));
        }
        let mut found: Option<usize> = None;
        let mut several = false;
        let argument = |at: usize| &arguments[at];
        let visited = command.spec.each_key(arguments.len(), &argument, &mut |at, _| {
            let shard = shard_of(at);
            several |= found.is_some_and(|other| other != shard);
            found = Some(shard);
        });
        // Arguments that contradict the key specs are refused by the command itself, anywhere.
        let refused = visited.is_err() || command.is_uneven(arguments);
        match (refused, several) {
            (true, _) => Place::One(self.mail.shard),
            (false, true) => Place::Several,
            (false, false) => Place::One(found.unwrap_or(self.mail.shard)),
        }
    }

    fn run_local(&mut self, request: &Request<'_>) {
        if !self.mail.inbox.is_empty() && !canary::is_out(Canary::LocalOvertakesInbox) {
            self.drain_inbox();
            if self.connections.find(request.key).is_none_or(|it| it.session.modes.close_now) {
                // What came before has closed it: nothing is done for it any more.
                return;
            }
        }
        if !self.shard.holds.is_idle() && self.waits_for_held(request) {
            return;
        }
        self.run_here(request, false);
        self.end_unit();
    }

    /// Runs a command of a connection on this very shard.
    #[inline]
    pub(crate) fn run_here(&mut self, request: &Request<'_>, may_wait: bool) {
        if let Err(error) = self.make_room_for(request.command) {
            return self.refuse(request, &error);
        }
        let Some(connection) = self.connections.find(request.key) else { return };
        connection.output.wrote |= request.command.spec.flags.has(Flags::WRITE);
        let out = connection.reply_buffer();
        let before = out.len();
        let request_here = ShardRequest {
            command: request.command,
            number: request.number,
            arguments: *request.arguments,
            client: request.client,
            now_ms: self.time.unix_ms(),
            counted: true,
            may_wait,
        };
        let took_ns = self.shard.run(&request_here, &mut self.statistics, &self.time, out);
        if request.silent {
            out.truncate(before);
        }
        if self.statistics.is_notable(took_ns) {
            let (home, connection) = (self.mail.shard, request.key);
            let (spec, arguments) = (&request.command.spec, *request.arguments);
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
    }

    /// Has a local command wait, as a message to this very core thread, if its keys are held.
    #[cold]
    fn waits_for_held(&mut self, request: &Request<'_>) -> bool {
        if !self.is_command_held(request.command, *request.arguments) {
            return false;
        }
        let mut envelope = self.message_for(request);
        envelope.work.become_bundle();
        self.mail.under_way += 1;
        self.wait_for_held(envelope);
        true
    }

    /// A message with one command, and a place for its replies.
    pub(crate) fn message_for(&mut self, request: &Request<'_>) -> Envelope<Message> {
        let mut envelope = self.mail.envelope();
        let place = match self.connections.find(request.key) {
            Some(connection) => connection.pipeline.open(request.silent),
            None => 0,
        };
        let home = self.mail.shard as u16;
        envelope.purpose = Purpose::Run;
        envelope.work.origin = Origin { home, connection: request.key, place };
        envelope.work.client = request.client;
        envelope.work.silent = request.silent;
        envelope.work.add(request.command, request.number, *request.arguments);
        envelope
    }

    /// Answers a shard command that was on its way with an error.
    pub(crate) fn refuse(&mut self, request: &Request<'_>, error: &CommandError) {
        self.statistics.count_rejected(Some(request.number), error);
        let Some(connection) = self.connections.find(request.key) else { return };
        if !request.silent {
            Writer::new(connection.reply_buffer(), request.client.protocol).error(error);
        }
    }

    /// Answers a command with an error, before it was on its way.
    pub(crate) fn reply_error(
        &mut self,
        key: ConnectionKey,
        number: Option<u16>,
        error: &CommandError,
    ) {
        self.statistics.count_rejected(number, error);
        let Some(connection) = self.connections.find(key) else { return };
        let protocol = connection.session.client.protocol;
        let silent = connection.session.replies.is_silent();
        connection.session.replies = connection.session.replies.after_command();
        if !silent {
            Writer::new(connection.reply_buffer(), protocol).error(error);
        }
    }
}
