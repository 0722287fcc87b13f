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

use crate::message::Message;
use crate::transaction::Gather;

/// The places of one connection.
#[derive(Default)]
pub(crate) struct Pipeline {
    /// The number of the place at the front.
    front: u64,
    places: VecDeque<Place>,
}

struct Place {
    state: State,
    /// Whether its replies are not sent (CLIENT REPLY).
    silent: bool,
    /// Replies of local commands that came after this place's commands.
    after: Vec<u8>,
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

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether a reply that was made at home, or in part, waits for its turn.
    pub(crate) fn has_local_replies(&self) -> bool {
        let is_remote = |place: &Place| {
            place.after.is_empty() && matches!(place.state, State::Waiting | State::Returned(_))
        };
        !self.places.iter().all(is_remote)
    }

    /// Where the next local reply is written: the output, or behind the youngest place.
    #[inline]
    pub(crate) fn tail<'a>(&'a mut self, output: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        match self.places.back_mut() {
            None => output,
            Some(place) => &mut place.after,
        }
    }

    /// A new place for a message.
    pub(crate) fn open(&mut self, silent: bool) -> u64 {
        self.open_with(State::Waiting, silent)
    }

    /// A new place for a transaction.
    pub(crate) fn open_gather(&mut self, gather: Box<Gather>, silent: bool) -> u64 {
        self.open_with(State::Gathering(gather), silent)
    }

    fn open_with(&mut self, state: State, silent: bool) -> u64 {
        self.places.push_back(Place { state, silent, after: Vec::new() });
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
            if gather.is_complete() {
                let mut reply = Vec::new();
                gather.merge(&mut reply);
                gather.take_envelopes().for_each(&mut *spent);
                found.state = State::Ready(reply);
            }
        } else {
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
            match place.state {
                State::Returned(envelope) => {
                    if !place.silent {
                        output.extend_from_slice(&envelope.work.reply);
                    }
                    spent(envelope);
                }
                State::Ready(reply) if !place.silent => output.extend_from_slice(&reply),
                State::Ready(_) => {}
                State::Waiting | State::Gathering(_) => {}
            }
            output.extend_from_slice(&place.after);
        }
    }
}
