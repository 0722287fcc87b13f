//! The gate before everything that runs on a shard: what is about a key that a transaction holds
//! waits, all else goes on.

use commands::ShardCommand;
use net::Envelope;
use resp::Arguments;
use spec::Subject;

use super::holds::{Claimed, Hashes};
use super::stage::{Stage, transaction_of};
use crate::core::Core;
use crate::message::{Message, Purpose, Queued, Work};
use crate::transaction::watchers::Watcher;

impl Core {
    /// Has a stage hold what it claims, if it claims anything.
    ///
    /// # Errors
    /// Somebody older claims some of this: the stage has to wait.
    pub(crate) fn claim_for(&mut self, stage: &mut Stage) -> Result<(), Claimed> {
        let Some(mut claimed) = stage.claim.take() else { return Ok(()) };
        self.claim_watched(&mut claimed, stage.watcher);
        if self.shard.holds.is_claimed(&claimed) {
            return Err(claimed);
        }
        self.shard.holds.hold(stage.id, claimed);
        Ok(())
    }

    /// Whether somebody holds, or waits for, a key of these commands or one that `watcher` watches:
    /// an EXEC must see what an older transaction that holds one of these is about to change.
    #[inline]
    pub(crate) fn is_held(
        &self,
        work: &Work,
        commands: &[Queued],
        watcher: Option<Watcher>,
    ) -> bool {
        let holds = &self.shard.holds;
        // Almost always nothing is.
        !holds.is_idle()
            && (commands.iter().any(|it| self.is_command_held(it.command, work.arguments(it)))
                || watcher.is_some_and(|watcher| {
                    let mut hashes = self.watched_by(watcher);
                    hashes.any(|hash| holds.claims(hash))
                }))
    }

    /// The same of one command.
    pub(crate) fn is_command_held(&self, command: &ShardCommand, of: Arguments<'_>) -> bool {
        let holds = &self.shard.holds;
        if holds.is_idle() {
            return false;
        }
        match command.spec.subject {
            Subject::Nothing | Subject::Channels => false,
            Subject::Everything => true,
            Subject::Keys => {
                let mut is_held = false;
                let visited = command.spec.each_key(of.len(), &|at| &of[at], &mut |at, _| {
                    is_held |= holds.claims(self.shard.keyspace.hash(&of[at]).to_bits());
                });
                // Arguments that contradict the key specs are refused, whatever anybody holds.
                is_held && visited.is_ok()
            }
        }
    }

    /// Has a bundle of one run that is no stage, or a command that may wait, wait for its turn.
    pub(crate) fn wait_for_held(&mut self, envelope: Envelope<Message>) {
        let mut claimed = self.claimed_by(&envelope.work);
        self.claim_watched(&mut claimed, envelope.work.runs.sole_watcher());
        self.shard.holds.wait(envelope, claimed);
    }

    /// Adds what `watcher` watches to a claim.
    pub(crate) fn claim_watched(&self, claimed: &mut Claimed, watcher: Option<Watcher>) {
        if let (Some(watcher), Claimed::Keys(keys)) = (watcher, claimed) {
            keys.extend(self.watched_by(watcher));
        }
    }

    fn watched_by(&self, watcher: Watcher) -> impl Iterator<Item = u64> + '_ {
        let watched = self.shard.watchers.keys_of(watcher);
        watched.map(|key| self.shard.keyspace.hash(key).to_bits())
    }

    /// The keys of a message's commands.
    pub(crate) fn claimed_by(&self, work: &Work) -> Claimed {
        let mut keys = Hashes::new();
        for queued in &work.commands {
            let claimed = self.claimed_by_command(queued.command, work.arguments(queued));
            let Claimed::Keys(own) = claimed else { return Claimed::Everything };
            keys.extend(own);
        }
        Claimed::Keys(keys)
    }

    /// What a command is about.
    pub(crate) fn claimed_by_command(&self, command: &ShardCommand, of: Arguments<'_>) -> Claimed {
        let mut keys = Hashes::new();
        match command.spec.subject {
            Subject::Nothing | Subject::Channels => {}
            Subject::Everything => return Claimed::Everything,
            Subject::Keys => {
                // A visit that ends early is of a command that will be refused.
                let _ = command.spec.each_key(of.len(), &|at| &of[at], &mut |at, _| {
                    keys.push(self.shard.keyspace.hash(&of[at]).to_bits());
                });
            }
        }
        Claimed::Keys(keys)
    }

    /// Runs what waited for keys that are free now.
    pub(crate) fn run_released(&mut self) {
        while let Some(envelope) = self.shard.holds.take_ready(transaction_of) {
            match envelope.purpose {
                Purpose::Run => self.run_granted(envelope),
                Purpose::Wait => self.run_waiting_now(envelope),
                _ => self.handle_message(envelope),
            }
        }
    }

    /// Calls `call` on this core thread once no key is held here: it is about the whole shard.
    pub(crate) fn call_unheld(&mut self, call: impl FnOnce(&mut Self) + Send + 'static) {
        self.call_unclaimed(Claimed::Everything, call);
    }

    /// Calls `call` on this core thread once nobody older claims any of this.
    pub(crate) fn call_unclaimed(
        &mut self,
        claimed: Claimed,
        call: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        if !self.shard.holds.is_claimed(&claimed) {
            return call(self);
        }
        let mut envelope = self.mail.envelope();
        envelope.purpose = Purpose::Call(Box::new(call));
        self.shard.holds.wait(envelope, claimed);
    }
}

#[cfg(test)]
mod tests {
    use config::Config;
    use net::{Clock, VirtualTime};

    use crate::simulation::{Options, Server};

    #[test]
    fn what_is_about_nothing_waits_for_no_held_key() {
        let time: &'static VirtualTime = Box::leak(Box::new(VirtualTime::new(1_000_000)));
        let options =
            Options { shards: 2, seed: 1, short_writes: 0, clock: Clock::simulated(time) };
        let mut server = Server::empty(Config::default(), options);
        let (mover, other) = (server.connect(1), server.connect(0));
        let of = |shard| {
            move |key: &String| spec::shard_of_slot(spec::slot_of(key.as_bytes()), 2) == shard
        };
        let key = |shard| (0..).map(|at: u32| format!("k{at}")).find(of(shard)).unwrap_or_default();
        server.give(mover, format!("RENAME {} {}\r\n", key(0), key(1)).as_bytes());
        let is_held = |server: &Server| !server.cores[0].core.shard.holds.is_idle();
        let turns = (1..12).take_while(|turn| {
            server.tick(turn % 2);
            !is_held(&server)
        });
        assert!(turns.count() < 11, "RENAME holds its key here for some ticks");
        server.give(other, b"OBJECT HELP\r\n");
        server.tick(0);
        assert!(is_held(&server) && server.take(other).starts_with(b"*"));
        // What is about everything does wait.
        server.give(other, b"DBSIZE\r\n");
        server.tick(0);
        assert!(server.take(other).is_empty());
        (0..12).for_each(|turn| server.tick(turn % 2));
        assert_eq!(server.take(other), b":0\r\n");
        assert_eq!(server.take(mover), b"-ERR no such key\r\n");
    }
}
