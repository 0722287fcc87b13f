//! Messages that came home with their replies.

use net::Envelope;

use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::message::runs::{Kind, Run};
use crate::message::{Message, Origin, Purpose};
use crate::output::weave::RunReplies;

impl Core {
    /// A command of ours that might wait for keys came back.
    pub(crate) fn settle_waited(&mut self, envelope: Envelope<Message>) {
        self.mail.under_way -= 1;
        let Origin { connection: key, place, .. } = envelope.work.origin;
        if let Some(connection) = self.connections.find(key) {
            let (pipeline, output) = (&mut connection.pipeline, &mut connection.output.bytes);
            pipeline.settle_bytes(place, &envelope.work.reply, output);
            self.end_settling(key);
        }
        self.mail.recycle(envelope);
    }

    /// Replies have joined those of a connection: if they are more than the client may leave
    /// unread it is closed at once, so that nothing of it is done any more.
    fn end_settling(&mut self, key: ConnectionKey) {
        let limit = self.settings.limits.output_normal.hard_bytes;
        if let Some(connection) = self.connections.find(key)
            && limit != 0
            && connection.unsent_bytes() as u64 >= limit
        {
            return self.disconnect_slow(key);
        }
        self.note_settled(key);
    }

    /// A bundle of ours came back: hands the replies of each run to whom they are for.
    pub(crate) fn handle_replies(&mut self, mut envelope: Envelope<Message>) {
        let mut runs = std::mem::take(&mut envelope.work.runs);
        let reply = &envelope.work.reply;
        let (mut from, mut at) = (0, 0);
        for index in 0..runs.each.len() {
            let run = runs.each[index];
            let (begin, until) = (from, run.commands_end as usize);
            let (bytes, commands) = (&reply[begin..run.reply_end], at..until);
            (from, at) = (run.reply_end, until);
            if run.kind == Kind::Gone {
                continue;
            }
            self.mail.under_way -= 1;
            if let Some(stage) = runs.take_stage(run.kind) {
                self.handle_stage(stage, bytes);
                continue;
            }
            let Some(connection) = self.connections.find(run.connection) else {
                if let Some(part) = runs.part_of(run.kind) {
                    self.count_shares(part, &envelope.work.commands[commands]);
                }
                continue;
            };
            if run.overflown {
                self.disconnect_slow(run.connection);
                continue;
            }
            let replies = RunReplies {
                commands: commands.len(),
                bytes,
                ends: runs.reply_ends.get(commands).unwrap_or_default(),
                begin,
            };
            let (pipeline, output) = (&mut connection.pipeline, &mut connection.output.bytes);
            match runs.part_of(run.kind) {
                Some(part) => {
                    let over = pipeline.settle_part(run.place, (part, bytes), &self.time, output);
                    if let Some(gather) = &over {
                        self.note_shared(run.connection, gather);
                    }
                    self.spare.keep_gather(over);
                }
                None => pipeline.settle_run((run.place, run.strand), replies, output),
            }
            if !runs.each.get(index + 1).is_some_and(|next| next.also_settles(&run)) {
                self.end_settling(run.connection);
            }
        }
        envelope.work.runs = runs;
        self.mail.recycle(envelope);
    }

    /// Messages that were run, with a bundle of its own for each run.
    pub(crate) fn split_bundles(
        &mut self,
        messages: Vec<Envelope<Message>>,
    ) -> Vec<Envelope<Message>> {
        let mut all = Vec::with_capacity(messages.len());
        for mut envelope in messages {
            if envelope.work.runs.is_empty() {
                all.push(envelope);
                continue;
            }
            let mut runs = std::mem::take(&mut envelope.work.runs);
            let work = &envelope.work;
            let (mut begin, mut from) = (0, 0);
            for index in 0..runs.each.len() {
                let run = runs.each[index];
                let (end, reply_end) = (run.commands_end as usize, run.reply_end);
                if run.kind != Kind::Gone {
                    let own = &work.commands[begin..end];
                    let mut single = self.single(work, &run, own);
                    single.purpose = Purpose::Replies;
                    let sole = &mut single.work;
                    sole.reply.extend_from_slice(&work.reply[from..reply_end]);
                    let ends = runs.reply_ends[begin..end].iter().map(|end| end - from);
                    sole.runs.refit(ends.collect(), reply_end - from);
                    match runs.take_stage(run.kind) {
                        Some(stage) => sole.runs.make_sole_stage(stage),
                        None => sole.runs.make_sole_part(runs.part_of(run.kind)),
                    }
                    all.push(single);
                }
                (begin, from) = (end, reply_end);
            }
            self.mail.recycle(envelope);
        }
        all
    }
}

impl Run {
    /// Whether its replies are, like those of the run before, for their connection's pipeline.
    fn also_settles(&self, before: &Self) -> bool {
        let is_elsewhere = matches!(self.kind, Kind::Gone | Kind::Stage(_));
        self.connection == before.connection && !self.overflown && !is_elsewhere
    }
}
