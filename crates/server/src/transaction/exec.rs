//! EXEC: how a queue of commands runs as one step.
//!
//! - All its keys live at home: it runs from where it is queued, a call.
//! - It lives on one other shard: it is one run in the tick's bundle for that shard, which replies
//!   the whole array.
//! - It lives on several, in parts that do not depend on each other: each part is a run of that
//!   shard's bundle (`plan.rs`, `send.rs`), and the replies are gathered here.
//! - Else it holds its keys (`held.rs`): it has commands that run at home, in their order among the
//!   others; or a command needs keys of several shards together; or what is watched has to be
//!   checked before commands elsewhere run.

use resp::{Arguments, Writer};

use super::held_plan::{HeldCommand, HeldPlan, Owned, OwnedArguments};
use super::multi::{Exec, Queue, Reach, Watching};
use super::plan::Planned;
use super::send::{Planner, Sender};
use crate::canary::{self, Canary};
use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::clients::session::Session;
use crate::core::Core;
use crate::input::registry::{Action, Entry};
use crate::message::work::Marks;
use crate::shard::ShardRequest;
use crate::statistics::notable::Ran;

impl Core {
    /// Runs the queue of a connection.
    pub(crate) fn begin_exec(&mut self, key: ConnectionKey, exec: Exec) {
        let Some(connection) = self.connections.find(key) else { return };
        let Session { client, replies, .. } = &connection.session;
        let sender = Sender { key, client: *client, silent: replies.is_silent() };
        let Exec { queue, watching } = exec;
        if queue.has_session_commands() {
            // They read and change the session, which must stay as it is, and stay, until then.
            connection.session.multi.executing = true;
            connection.session.multi.executing_commands = queue.commands.len();
            connection.input.held = Held::Barrier;
        }
        let bundled = self.bundles.takes_commands_of(&connection.pipeline);
        let reach = reach_of(&queue, watching.as_ref());
        if reach != Reach::Held && self.shared.has_monitors() {
            queue.iter().for_each(|(entry, words, _)| self.show_queued(key, entry, words));
        }
        match reach {
            Reach::Held => self.hold_exec(sender, &queue, watching),
            Reach::Shard(shard) if shard == self.mail.shard && self.may_run_here(bundled) => {
                self.run_exec(sender, &queue, watching);
            }
            Reach::Shard(_) | Reach::Several => self.send_exec(sender, &queue, watching),
            Reach::Nowhere if sender.silent => {}
            Reach::Nowhere => {
                let Some(connection) = self.connections.find(key) else { return };
                Writer::new(connection.reply_buffer(), sender.client.protocol).array(0);
            }
        }
        self.spare.keep_queue(queue);
    }

    /// Whether an EXEC whose keys live here may run at once; what came before it has run then.
    fn may_run_here(&mut self, bundled: bool) -> bool {
        if bundled && !canary::is_out(Canary::LocalOvertakesRun) {
            return false;
        }
        if !self.mail.inbox.is_empty() && !canary::is_out(Canary::LocalOvertakesInbox) {
            self.drain_inbox();
        }
        self.shard.holds.is_idle()
    }

    /// Runs an EXEC from its queue: all its keys live here, and so does what is watched.
    fn run_exec(&mut self, sender: Sender, queue: &Queue, watching: Option<Watching>) {
        let now_ms = self.time.unix_ms();
        let dirty = watching.is_some_and(|it| self.shard.end_watcher(it.watcher, now_ms));
        let Some(connection) = self.connections.find(sender.key) else { return };
        connection.output.wrote |= !dirty && queue.writes > 0;
        let mut out = std::mem::take(connection.reply_buffer());
        let before = out.len();
        let mut writer = Writer::new(&mut out, sender.client.protocol);
        if dirty {
            writer.null_array();
        } else {
            writer.array(queue.commands.len());
            self.run_queue(sender, queue, now_ms, &mut out);
        }
        if sender.silent {
            out.truncate(before);
        }
        if let Some(connection) = self.connections.find(sender.key) {
            *connection.reply_buffer() = out;
        }
        self.end_unit();
    }

    /// Runs the commands of a queue here, as one step.
    fn run_queue(&mut self, sender: Sender, queue: &Queue, now_ms: i64, out: &mut Vec<u8>) {
        let client = sender.client;
        let marks = Marks::of(None, queue.writes);
        self.begin_marks(&marks);
        for (entry, arguments, _) in queue.iter() {
            let Action::Shard(command) = entry.action else { continue };
            let number = entry.number;
            let (counted, may_wait) = (true, false);
            let request =
                ShardRequest { command, number, arguments, client, now_ms, counted, may_wait };
            let took_ns = self.shard.run(&request, &mut self.statistics, &self.time, out);
            if self.statistics.is_notable(took_ns) {
                let (home, connection) = (self.mail.shard, sender.key);
                self.note_long(Ran { home, connection, spec: entry.spec, arguments, took_ns });
            }
        }
        self.end_marks(&marks);
    }

    /// Sends an EXEC whose parts do not depend on each other.
    fn send_exec(&mut self, sender: Sender, queue: &Queue, watching: Option<Watching>) {
        let mut plan = self.spare.take_plan();
        plan.begin(self.mail.shards());
        for (entry, arguments, place) in queue.iter() {
            let Action::Shard(command) = entry.action else { continue };
            let (number, client) = (entry.number, sender.client);
            self.plan(&mut plan, &Planned { command, number, arguments, client }, place);
        }
        let watcher = watching.map(|Watching { watcher, shards }| {
            // Also where nothing is to run.
            shards.iter().for_each(|shard| {
                self.part_on(&mut plan, usize::from(*shard), sender.client);
            });
            watcher
        });
        self.send_plan(sender, plan, Planner::Exec(watcher));
    }

    fn hold_exec(&mut self, sender: Sender, queue: &Queue, watching: Option<Watching>) {
        let mut held = HeldPlan::new(sender, true);
        held.watcher = watching.map(|Watching { watcher, shards }| (watcher, shards));
        for (entry, arguments, place) in queue.iter() {
            match entry.action {
                Action::Shard(command) => {
                    let (number, client) = (entry.number, sender.client);
                    let owned = Owned::of(&Planned { command, number, arguments, client }, place);
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

/// Where an EXEC has to run: what is watched has to be checked before anything runs elsewhere.
fn reach_of(queue: &Queue, watching: Option<&Watching>) -> Reach {
    let Some(watching) = watching else { return queue.reach };
    match (queue.reach, &watching.shards[..]) {
        (Reach::Nowhere, [only]) => Reach::Shard(usize::from(*only)),
        (Reach::Shard(shard), [only]) if shard == usize::from(*only) => queue.reach,
        _ => Reach::Held,
    }
}
