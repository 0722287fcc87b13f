//! Transactions over several shards whose parts are independent: `MSET`, `MGET`, `DEL` of many
//! keys, and the commands that every shard takes part in (`DBSIZE`, `FLUSHALL`, `KEYS` ...).
//!
//! The markers of the parts enter all inboxes as one step (`net::Inboxes::push_all`), so a part may
//! run as soon as it is seen: all the others are in, and nobody can see some of them without the
//! rest. The transaction takes effect, logically, when the last marker went in. There is no waiting
//! between shards: one hop. The replies of the parts are gathered at home and merged.
//!
//! ```text
//! home:  MGET a b c    split by shard:  0: MGET a c   1: MGET b
//!        push_all -> inbox 0, inbox 1   (home's own part goes through its own inbox as well)
//!        Gather   <- *2 a c, *1 b       merged: *3 a b c
//! ```

use commands::{Across, Merge, Replies, ShardCommand};
use durability::{Participants, TransactionId};
use net::Envelope;
use resp::{Arguments, CommandError, Protocol, Span, Writer};

use crate::core::Core;
use crate::dispatch::Request;
use crate::message::{Message, Origin};
use crate::shard::ShardRequest;

/// What makes a message a part of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Names the transaction in every participant's segment.
    pub(crate) id: TransactionId,
    /// The shards that take part.
    pub(crate) participants: Participants,
    /// Which of the parts this is.
    pub(crate) index: u16,
}

/// The replies of a transaction's parts, as they come in.
pub(crate) struct Gather {
    merge: Merge,
    protocol: Protocol,
    /// One for each participant, in the order of their shards.
    replies: Vec<Option<Envelope<Message>>>,
    missing: usize,
    /// For each key, in the command's order, the part that it went to.
    parts_of_keys: Vec<u16>,
    /// What a merge that chooses at random draws from.
    random: u64,
}

impl Gather {
    /// Takes the reply of one part in.
    pub(crate) fn add(&mut self, envelope: Envelope<Message>) {
        let index = envelope.work.part.as_ref().map_or(0, |part| usize::from(part.index));
        if let Some(place @ None) = self.replies.get_mut(index) {
            *place = Some(envelope);
            self.missing -= 1;
        }
    }

    /// Whether all parts have replied.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Writes the one reply.
    pub(crate) fn merge(&self, out: &mut Vec<u8>) {
        let replies: Vec<&[u8]> =
            self.replies.iter().flatten().map(|part| part.work.reply.as_slice()).collect();
        let replies = Replies {
            protocol: self.protocol,
            parts: &replies,
            order: &self.parts_of_keys,
            random: self.random,
        };
        self.merge.merge(&replies, out);
    }

    /// Gives the boxes back.
    pub(crate) fn take_envelopes(&mut self) -> impl Iterator<Item = Envelope<Message>> {
        std::mem::take(&mut self.replies).into_iter().flatten()
    }
}

/// A command cut up: which shard runs what, and how their replies become one.
struct Split {
    merge: Merge,
    /// The participants, ascending.
    shards: Vec<usize>,
    /// What each of them runs, in the same order.
    arguments: Vec<Rebuilt>,
    /// For each key, in the command's order, the part that it goes to; empty where all shards run
    /// the whole command.
    parts_of_keys: Vec<u16>,
}

impl Core {
    /// Sends a command to all the shards that have a part in it, as one step.
    pub(crate) fn begin_transaction(&mut self, request: &Request<'_>) {
        match request.command.across {
            Across::Everywhere { merge } => self.begin_everywhere(request, merge),
            Across::Split { merge } => self.begin_split(request, merge),
            Across::OneShard | Across::Cursor => {
                self.reply_error(request.key, None, &CommandError::CrossShard);
            }
        }
    }

    fn begin_everywhere(&mut self, request: &Request<'_>, merge: Merge) {
        let shards: Vec<usize> = (0..self.mail.shards()).collect();
        let arguments = vec![Rebuilt::copy(request.arguments); shards.len()];
        self.send_parts(request, Split { merge, shards, arguments, parts_of_keys: Vec::new() });
    }

    /// Splits a command by its keys: each part is the same command with its own keys only.
    fn begin_split(&mut self, request: &Request<'_>, merge: Merge) {
        let arguments = request.arguments;
        let shards = self.mail.shards();
        let Some((begin, step)) = key_range(request.command) else { return };
        if !(arguments.len() - begin).is_multiple_of(step) {
            // An incomplete last group: the command itself refuses it.
            return self.run_here(request);
        }
        let mut part_of_shard = vec![u16::MAX; shards];
        let shard_of = |at: usize| spec::shard_of_slot(spec::slot_of(&arguments[at]), shards);
        let keys: Vec<usize> = (begin..arguments.len()).step_by(step).collect();
        for at in &keys {
            part_of_shard[shard_of(*at)] = 0;
        }
        let taking: Vec<usize> = (0..shards).filter(|shard| part_of_shard[*shard] == 0).collect();
        for (index, shard) in taking.iter().enumerate() {
            part_of_shard[*shard] = index as u16;
        }
        let mut rebuilt: Vec<Rebuilt> =
            taking.iter().map(|_| Rebuilt::head(arguments, begin)).collect();
        let mut parts_of_keys = Vec::with_capacity(keys.len());
        for at in keys {
            let part = part_of_shard[shard_of(at)];
            parts_of_keys.push(part);
            (at..at + step).for_each(|at| rebuilt[usize::from(part)].push(&arguments[at]));
        }
        let split = Split { merge, shards: taking, arguments: rebuilt, parts_of_keys };
        self.send_parts(request, split);
    }

    fn send_parts(&mut self, request: &Request<'_>, split: Split) {
        let Split { merge, shards, arguments, parts_of_keys } = split;
        if self.is_out_of_memory() && request.command.spec.flags.has(spec::Flags::DENYOOM) {
            let error = CommandError::OutOfMemory;
            return self.reply_error(request.key, Some(request.number), &error);
        }
        let Some(connection) = self.connections.find(request.key) else { return };
        let random = self.shared.random();
        let replies = shards.iter().map(|_| None).collect();
        let gather = Gather {
            merge,
            protocol: request.client.protocol,
            replies,
            missing: shards.len(),
            parts_of_keys,
            random,
        };
        let place = connection.pipeline.open_gather(Box::new(gather), request.silent);
        let id = self.shard.log.next_transaction(self.mail.shard as u16);
        let mut participants = Participants::new();
        shards.iter().for_each(|shard| participants.insert(*shard as u16));
        for (index, (shard, arguments)) in shards.iter().zip(arguments).enumerate() {
            let mut envelope = self.mail.envelope();
            let work = &mut envelope.work;
            let home = self.mail.shard as u16;
            work.origin = Origin { home, connection: request.key, place };
            work.client = request.client;
            work.silent = request.silent;
            work.part = Some(Box::new(Part { id, participants, index: index as u16 }));
            arguments.finish(|arguments| work.add(request.command, request.number, arguments));
            self.mail.add_marker(*shard, envelope);
        }
        self.mail.under_way += shards.len();
        self.mail.push_markers();
    }

    /// Runs a command on this shard, whatever its keys: it is going to be refused.
    fn run_here(&mut self, request: &Request<'_>) {
        let request_here = ShardRequest {
            command: request.command,
            number: request.number,
            arguments: request.arguments,
            client: request.client,
        };
        let Some(connection) = self.connections.find(request.key) else { return };
        let out = connection.reply_buffer();
        let before = out.len();
        self.shard.run(&request_here, &mut self.statistics, &self.time, out);
        if request.silent {
            out.truncate(before);
        }
    }
}

/// The part of a logged command that concerns the keys at `own`, run by `replay`.
pub(crate) fn own_part<R>(
    request: &ShardRequest<'_>,
    own: &[usize],
    replay: impl FnOnce(&ShardRequest<'_>) -> R,
) -> R {
    let arguments = request.arguments;
    let (begin, step) = key_range(request.command).unwrap_or((arguments.len(), 1));
    let mut rebuilt = Rebuilt::head(arguments, begin);
    for at in own {
        (*at..at + step).for_each(|at| rebuilt.push(&arguments[at]));
    }
    rebuilt.finish(|arguments| replay(&ShardRequest { arguments, ..*request }))
}

/// Where the keys of a command that splits begin, and how many arguments belong to each.
fn key_range(command: &ShardCommand) -> Option<(usize, usize)> {
    let first = command.spec.keys.first()?;
    let spec::BeginSearch::Index(begin) = first.begin else { return None };
    let spec::FindKeys::Range { step, .. } = first.find else { return None };
    Some((usize::from(begin), usize::from(step).max(1)))
}

/// A command put together from arguments of another one.
#[derive(Clone)]
struct Rebuilt {
    arguments: Vec<u8>,
    lengths: Vec<usize>,
}

impl Rebuilt {
    /// All of `arguments`.
    fn copy(arguments: Arguments<'_>) -> Self {
        Self::head(arguments, arguments.len())
    }

    /// The first `count` of `arguments`.
    fn head(arguments: Arguments<'_>, count: usize) -> Self {
        let mut rebuilt = Self { arguments: Vec::new(), lengths: Vec::new() };
        (0..count).for_each(|at| rebuilt.push(&arguments[at]));
        rebuilt
    }

    fn push(&mut self, argument: &[u8]) {
        self.arguments.extend_from_slice(argument);
        self.lengths.push(argument.len());
    }

    /// Encodes the command and hands its canonical form to `take`.
    fn finish<R>(&self, take: impl FnOnce(Arguments<'_>) -> R) -> R {
        let mut bytes = Vec::with_capacity(self.arguments.len() + self.lengths.len() * 8 + 8);
        let mut spans = Vec::with_capacity(self.lengths.len());
        let mut at = 0;
        let mut writer = Writer::new(&mut bytes, Protocol::Resp2);
        writer.array(self.lengths.len());
        for length in &self.lengths {
            let argument = &self.arguments[at..at + length];
            at += length;
            writer.bulk(argument);
            // The argument is followed by CR and LF.
            let end = (writer.position() - 2) as u32;
            spans.push(Span { start: end - *length as u32, end });
        }
        take(Arguments::new(&bytes, &spans))
    }
}
