//! A connection's replies, put back in the order of its commands.
//!
//! Commands go to their shards at once; replies come back in any order. While nothing is under way
//! elsewhere, replies go straight to the output. Otherwise each message under way has a *place*,
//! and what is replied locally meanwhile lines up behind the youngest place:
//!
//! ```text
//! output | place 7: waiting | after: "+OK\r\n" | place 8: ready | after: ""
//!                ^ front
//! ```
//! When the front is ready, its bytes and those after it move to the output, and so on to the next
//! place that still waits.

use std::collections::VecDeque;

use net::Envelope;

use crate::canary::{self, Canary};
use crate::core::PIPELINE_PLACES_MAX;
use crate::flow::Flow;
use crate::message::Message;
use crate::transaction::Gather;

/// The places of one connection.
#[derive(Default)]
pub(crate) struct Pipeline {
    /// The number of the place at the front.
    front: u64,
    places: VecDeque<Place>,
    /// How many bytes its replies take.
    flow: Flow,
}

struct Place {
    state: State,
    /// How many commands it stands for.
    commands: usize,
    /// Whether its replies are not sent (CLIENT REPLY).
    silent: bool,
    /// Replies of local commands that came after this place's commands.
    after: Vec<u8>,
}

impl Place {
    /// If all parts of its transaction have replied: the one reply is ready.
    fn complete(&mut self, flow: &mut Flow, spent: &mut dyn FnMut(Envelope<Message>)) {
        if let State::Gathering(gather) = &mut self.state
            && gather.is_complete()
        {
            let mut reply = Vec::new();
            gather.merge(&mut reply);
            gather.take_envelopes().for_each(spent);
            flow.settle(self.commands, reply.len());
            self.state = State::Ready(reply);
        }
    }
}

enum State {
    /// A message is under way.
    Waiting,
    /// Parts of a transaction are under way.
    Gathering(Box<Gather>),
    /// A message came back with its replies.
    Returned(Envelope<Message>),
    /// The reply is here.
    Ready(Vec<u8>),
}

impl Pipeline {
    /// Whether nothing is under way.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether so much is under way that further commands have to wait.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.places.len() >= PIPELINE_PLACES_MAX || self.flow.is_full(self.last_bytes())
    }

    /// Whether so little is under way that commands which were held back may go on.
    pub(crate) fn has_room(&self) -> bool {
        self.places.len() <= PIPELINE_PLACES_MAX / 2 && self.flow.has_room(self.last_bytes())
    }

    /// Bytes of replies that wait for their turn.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.flow.waiting_bytes() + self.last_bytes()
    }

    /// Bytes of local replies behind the youngest place: they still grow.
    fn last_bytes(&self) -> usize {
        self.places.back().map_or(0, |place| place.after.len())
    }

    /// Where the next local reply is written: the output, or behind the youngest place.
    #[inline]
    pub(crate) fn tail<'a>(&'a mut self, output: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        match self.places.back_mut() {
            None => output,
            Some(_) if canary::is_out(Canary::ReplyOutOfOrder) => output,
            Some(place) => &mut place.after,
        }
    }

    /// A new place for a message.
    pub(crate) fn open(&mut self, silent: bool) -> u64 {
        self.open_with(State::Waiting, silent)
    }

    /// The message of the youngest place is sent, with so many commands (at least one).
    pub(crate) fn send_last(&mut self, commands: usize) {
        if let Some(place) = self.places.back_mut() {
            self.flow.send(commands - place.commands);
            place.commands = commands;
        }
    }

    /// A new place for a transaction.
    pub(crate) fn open_gather(&mut self, gather: Box<Gather>, silent: bool) -> u64 {
        self.open_with(State::Gathering(gather), silent)
    }

    fn open_with(&mut self, state: State, silent: bool) -> u64 {
        self.flow.wait(self.last_bytes());
        self.flow.send(1);
        self.places.push_back(Place { state, commands: 1, silent, after: Vec::new() });
        self.front + self.places.len() as u64 - 1
    }

    /// A message came back to `place`. Its replies move to the output when it is their turn; boxes
    /// that are spent are handed to `spent`.
    pub(crate) fn settle(
        &mut self,
        place: u64,
        envelope: Envelope<Message>,
        output: &mut Vec<u8>,
        spent: &mut dyn FnMut(Envelope<Message>),
    ) {
        let index = place.wrapping_sub(self.front) as usize;
        let Some(found) = self.places.get_mut(index) else {
            debug_assert!(false, "a message comes back to a place that waits for it");
            return spent(envelope);
        };
        if let State::Gathering(gather) = &mut found.state {
            gather.add(envelope);
            found.complete(&mut self.flow, spent);
        } else {
            self.flow.settle(found.commands, envelope.work.reply.len());
            found.state = State::Returned(envelope);
        }
        self.advance(output, spent);
    }

    /// Something other than a message settles `place`.
    pub(crate) fn settle_bytes(
        &mut self,
        place: u64,
        reply: Vec<u8>,
        output: &mut Vec<u8>,
        spent: &mut dyn FnMut(Envelope<Message>),
    ) {
        let index = place.wrapping_sub(self.front) as usize;
        if let Some(found) = self.places.get_mut(index) {
            self.flow.settle(found.commands, reply.len());
            found.state = State::Ready(reply);
            self.advance(output, spent);
        }
    }

    /// Moves what is ready at the front to the output.
    fn advance(&mut self, output: &mut Vec<u8>, spent: &mut dyn FnMut(Envelope<Message>)) {
        while let Some(place) = self.places.front() {
            if matches!(place.state, State::Waiting | State::Gathering(_)) {
                return;
            }
            let Some(place) = self.places.pop_front() else { return };
            self.front += 1;
            if !self.places.is_empty() {
                self.flow.leave(place.after.len());
            }
            match place.state {
                State::Returned(envelope) => {
                    self.flow.leave(envelope.work.reply.len());
                    if !place.silent {
                        output.extend_from_slice(&envelope.work.reply);
                    }
                    spent(envelope);
                }
                State::Ready(reply) => {
                    self.flow.leave(reply.len());
                    if !place.silent {
                        output.extend_from_slice(&reply);
                    }
                }
                State::Waiting | State::Gathering(_) => {}
            }
            output.extend_from_slice(&place.after);
        }
    }
}

#[cfg(test)]
mod tests;
