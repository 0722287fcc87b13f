//! From a piece of input to commands under way.
//!
//! The commands in a piece are found first, up to [`COMMANDS_MAX`] at a time, so that the keys of
//! all can be brought near the processor together; then they run one after another, in order. A
//! command that changes how the rest is to be read or held back (any session command, for
//! simplicity) ends the round.

use commands::ShardCommand;
use resp::{Arguments, CommandError, ProtocolError, Writer};
use spec::{shard_of_slot, slot_of};

use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::parsed::{COMMANDS_MAX, KnownShard, Parsed, ParsedCommand};
use crate::input::registry::Action;

/// How a round of parsing ended.
enum Round {
    /// There may be more.
    More,
    /// The rest is not a whole command.
    Partial,
    /// The peer broke the protocol.
    Broken(ProtocolError),
}

impl Core {
    /// Runs the whole commands at the start of `bytes`, and says how many bytes they were. Stops
    /// early when the connection is to be closed or holds its commands back.
    pub(crate) fn consume(&mut self, key: ConnectionKey, bytes: &[u8]) -> usize {
        let mut parsed = std::mem::take(&mut self.parsed);
        let mut consumed = 0;
        self.inputs += 1;
        if let Some(connection) = self.connections.find(key) {
            connection.pipeline.begin_input(self.inputs);
        }
        loop {
            parsed.clear();
            let rest = &bytes[consumed..];
            let round = self.parse_round(key, rest, &mut parsed);
            self.prefetch(key, &parsed, rest);
            let (ran, stopped) = self.run_round(key, rest, &parsed);
            consumed += ran;
            if stopped {
                if let Some(connection) = self.connections.find(key) {
                    connection.input.parser.reset();
                }
                break;
            }
            match round {
                Round::More if consumed < bytes.len() => {}
                Round::More | Round::Partial => break,
                Round::Broken(error) => {
                    self.refuse_protocol(key, error);
                    consumed = bytes.len();
                    break;
                }
            }
        }
        self.list_for_flush(key);
        self.parsed = parsed;
        consumed
    }

    fn parse_round(&mut self, key: ConnectionKey, bytes: &[u8], parsed: &mut Parsed) -> Round {
        let registry = self.registry;
        let Some(connection) = self.connections.find(key) else { return Round::Partial };
        let limits = self.settings.limits.parse.authenticated(connection.session.authenticated);
        let parser = &mut connection.input.parser;
        let shards = self.mail.shards();
        let mut at = 0;
        while at < bytes.len() {
            let spans = parsed.spans.len();
            let length = match parser.parse(&bytes[at..], &limits, &mut parsed.spans) {
                Ok(Some(length)) => length,
                Ok(None) => return Round::Partial,
                Err(error) => return Round::Broken(error),
            };
            let rewritten = parser.is_rewritten();
            if rewritten {
                parsed.rewritten.clear();
                parsed.rewritten.extend_from_slice(parser.command(&bytes[at..], length));
            }
            let mut command = ParsedCommand {
                bytes: at..at + length,
                spans: spans..parsed.spans.len(),
                rewritten,
                entry: None,
                shard: KnownShard::NONE,
            };
            at += length;
            let arguments = parsed.arguments(&command, bytes);
            command.entry =
                arguments.get(0).and_then(|name| registry.resolve(name, arguments.get(1)).ok());
            if shards > 1
                && let Some(at) = command.entry.and_then(|entry| entry.sole_key)
                && let Some(name) = arguments.get(usize::from(at.get()))
            {
                command.shard = KnownShard::new(shard_of_slot(slot_of(name), shards));
            }
            let ends = rewritten
                || !matches!(command.entry.map(|entry| entry.action), Some(Action::Shard(_)));
            parsed.commands.push(command);
            if ends || parsed.commands.len() >= COMMANDS_MAX {
                return Round::More;
            }
        }
        Round::Partial
    }

    /// Brings the local keys of a round near the processor: first all buckets, then all records.
    /// If there are others, what is for other shards should leave before this one begins with its
    /// own part, and so that joins the bundles as well.
    fn prefetch(&mut self, key: ConnectionKey, parsed: &Parsed, bytes: &[u8]) {
        let shards = self.mail.shards();
        let splits = |it: &ParsedCommand| it.shard_command().is_some_and(ShardCommand::splits);
        if parsed.commands.len() < 2
            && !(shards == 1 && parsed.commands.first().is_some_and(splits))
        {
            return;
        }
        let Some(connection) = self.connections.find(key) else { return };
        let (db, home) = (connection.session.client.db, self.mail.shard);
        let mut all_here = true;
        self.shard.prefetch_begin();
        for command in &parsed.commands {
            let Some(shard_command) = command.shard_command() else { continue };
            let arguments = parsed.arguments(command, bytes);
            if let Some(name) = arguments.get(1).filter(|_| !shard_command.spec.keys.is_empty()) {
                let shard = || shard_of_slot(slot_of(name), shards);
                if shards == 1 {
                    self.shard.prefetch_buckets(db, shard_command, arguments);
                } else if command.shard.get().unwrap_or_else(shard) == home {
                    self.shard.prefetch_bucket(db, name);
                } else {
                    all_here = false;
                }
            }
        }
        if !all_here {
            self.bundles.take_further_commands_of(&mut connection.pipeline);
        }
        self.shard.prefetch_records();
    }

    /// Runs the commands of a round. Says how many bytes were consumed, and whether the rest has to
    /// wait or is of no interest any more.
    fn run_round(&mut self, key: ConnectionKey, bytes: &[u8], parsed: &Parsed) -> (usize, bool) {
        let limit = self.settings.limits.output_normal.hard_bytes;
        let mut consumed = 0;
        for command in &parsed.commands {
            let Some(connection) = self.connections.find(key) else { return (consumed, true) };
            let modes = connection.session.modes;
            if modes.close_now || modes.close_after_reply || connection.input.held != Held::No {
                return (consumed, true);
            }
            if connection.pipeline.is_full() {
                connection.input.held = Held::PipelineFull;
                return (consumed, true);
            }
            // Before the next reply is made, not when all of this input's are: they may be huge.
            if limit != 0 && connection.unsent_bytes() as u64 >= limit {
                self.disconnect_slow(key);
                return (consumed, true);
            }
            let arguments = parsed.arguments(command, bytes);
            if !arguments.is_empty() && !self.run_command(key, command, &arguments) {
                return (consumed, true);
            }
            consumed = command.bytes.end;
        }
        let held = self.connections.find(key).is_none_or(|connection| {
            let modes = connection.session.modes;
            modes.close_now || modes.close_after_reply || connection.input.held != Held::No
        });
        (consumed, held)
    }

    /// The peer broke the protocol: say so, and close.
    fn refuse_protocol(&mut self, key: ConnectionKey, error: ProtocolError) {
        self.send_bundles();
        let Some(connection) = self.connections.find(key) else { return };
        let protocol = connection.session.client.protocol;
        Writer::new(connection.reply_buffer(), protocol).error(&CommandError::from(error));
        connection.session.modes.close_after_reply = true;
        connection.input.pending.clear();
        tracing::debug!(
            "Protocol error ({error:?}) from client: {}",
            crate::clients::describe::client(&connection.session)
        );
        self.statistics.count_error(&CommandError::from(error));
    }
}

impl Parsed {
    /// The arguments of a command found in `bytes`.
    #[inline]
    pub(crate) fn arguments<'a>(
        &'a self,
        command: &ParsedCommand,
        bytes: &'a [u8],
    ) -> Arguments<'a> {
        let bytes = if command.rewritten { &self.rewritten } else { &bytes[command.bytes.clone()] };
        Arguments::new(bytes, &self.spans[command.spans.clone()])
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{Fixture, FixtureClient};

    /// A client that has sent most of a command with a value of 3 MiB, and what is missing.
    fn begun(server: &mut Fixture) -> (FixtureClient, Vec<u8>) {
        let value = "v".repeat(3 << 20);
        let mut command = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len());
        command.push_str(&value);
        let client = server.connect(0);
        server.give(client, command.as_bytes());
        assert!(server.cores[0].shard.keyspace.doomed().is_empty());
        (client, b"\r\n".to_vec())
    }

    #[test]
    fn what_a_large_command_came_in_is_freed_in_slices() {
        for behind in ["", "PING\r\nPI"] {
            let mut server = Fixture::new(1);
            let (client, mut rest) = begun(&mut server);
            rest.extend_from_slice(behind.as_bytes());
            assert!(server.send(client, &rest).starts_with("+OK\r\n"));
            assert!(!server.cores[0].shard.keyspace.doomed().is_empty(), "{behind:?}");
            let connections = server.cores[0].connections.iter();
            assert!(connections.map(|it| it.input.pending.capacity()).sum::<usize>() < 1 << 20);
        }
    }

    #[test]
    fn what_a_client_left_unfinished_is_freed_in_slices() {
        let mut server = Fixture::new(1);
        let (client, _) = begun(&mut server);
        server.disconnect(client);
        assert!(!server.cores[0].shard.keyspace.doomed().is_empty());
    }
}
