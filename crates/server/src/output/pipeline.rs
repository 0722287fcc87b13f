//! A connection's replies, put back in the order of its commands.
//!
//! Commands go to their shards at once; replies come back in any order. While nothing is under way
//! elsewhere, replies go straight to the output. Otherwise what is under way has *places*, one for
//! all commands in the bundles that leave together (`weave.rs` puts the replies of several shards
//! in order), and what is replied locally meanwhile lines up behind the youngest place:
//!
//! ```text
//! output | place 7: waiting | after: "+OK\r\n" | place 8: ready | after: ""
//!                ^ front
//! ```
//! When the front is ready, its bytes and those after it move to the output, and so on to the next
//! place that still waits. Replies that come before their turn, and those behind places, are kept
//! in two buffers of the pipeline, which serve again when it is empty: a place allocates nothing.

use std::collections::VecDeque;
use std::ops::Range;

use crate::canary::{self, Canary};
use crate::memory::kept::{KEPT_BYTES_MAX, empty};
use crate::output::flow::Flow;
use crate::output::weave::{RunReplies, Weave};
use crate::tick::time::Time;
use crate::transaction::{Gather, Part};

/// The places of one connection.
#[derive(Default)]
pub(crate) struct Pipeline {
    /// The number of the place at the front.
    front: u64,
    places: VecDeque<Place>,
    /// How many bytes its replies take.
    flow: Flow,
    /// What stands behind the places, in their order.
    after: Vec<u8>,
    /// So many bytes of `after` have moved to the output.
    moved: usize,
    /// Replies that came before their turn, in the order in which they came.
    early: Vec<u8>,
    /// When a command was last put into a bundle; see `message/bundle.rs`.
    pub(crate) bundled_in: u64,
    /// Which bundles the youngest place waits for, where it waits for such.
    opened_in: u64,
    /// What the last weaving place leaves for the next one.
    spare: Option<Box<Weave>>,
    /// The number of the input whose commands open places now.
    input: u64,
    /// The number of the input whose replies went to the output last.
    answered: u64,
}

struct Place {
    state: State,
    /// How many commands it stands for.
    commands: usize,
    /// The number of the input that its commands came in.
    input: u64,
    /// Whether its replies are not sent (CLIENT REPLY).
    silent: bool,
    /// The end in [`Pipeline::after`] of the replies of local commands that came after this place's
    /// commands. Set when the next place is opened: the youngest place's end where the buffer does.
    after_end: usize,
}

impl Place {
    /// Whether something that it waits for has not come.
    #[inline]
    fn is_waiting(&self) -> bool {
        match &self.state {
            State::Waiting | State::Gathering(_) => true,
            State::Weaving(weave) => !weave.is_complete(),
            State::Ready(_) | State::Early(_) => false,
        }
    }
}

enum State {
    /// A run, or a message, is under way.
    Waiting,
    /// Runs of several bundles are under way.
    Weaving(Box<Weave>),
    /// Parts of a transaction are under way.
    Gathering(Box<Gather>),
    /// The reply is here.
    Ready(Vec<u8>),
    /// The reply is here, in [`Pipeline::early`].
    Early(Range<usize>),
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

    /// What it takes from the allocator, but for what is gathered or woven just now.
    pub(crate) fn heap_bytes(&self) -> usize {
        let ready = |place: &Place| match &place.state {
            State::Ready(reply) => reply.capacity(),
            _ => 0,
        };
        self.after.capacity()
            + self.early.capacity()
            + self.places.capacity() * size_of::<Place>()
            + self.places.iter().map(ready).sum::<usize>()
    }

    /// Bytes of replies that wait for their turn.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.flow.waiting_bytes() + self.last_bytes()
    }

    /// Bytes of local replies behind the youngest place: they still grow.
    #[inline]
    fn last_bytes(&self) -> usize {
        let begin = match self.places.len() {
            0 | 1 => self.moved,
            count => self.places[count - 2].after_end,
        };
        self.after.len() - begin
    }

    /// Where the next local reply is written: the output, or behind the youngest place.
    #[inline]
    pub(crate) fn tail<'a>(&'a mut self, output: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        if self.places.is_empty() || canary::is_out(Canary::ReplyOutOfOrder) {
            self.answered = self.input;
            return output;
        }
        &mut self.after
    }

    /// A new place for a message.
    pub(crate) fn open(&mut self, silent: bool) -> u64 {
        self.open_with(State::Waiting, silent)
    }

    /// Another command shares the run `strand` of `place`, if that is the youngest, nothing stands
    /// behind it, and it is as silent as said. Whether it does.
    #[inline]
    pub(crate) fn join(&mut self, (place, strand): (u64, u16), silent: bool) -> bool {
        if place + 1 != self.next_place() || self.last_bytes() > 0 {
            return false;
        }
        let Some(youngest) = self.places.back_mut().filter(|it| it.silent == silent) else {
            return false;
        };
        if let State::Weaving(weave) = &mut youngest.state {
            weave.add(strand);
        }
        youngest.commands += 1;
        self.flow.send(1);
        true
    }

    /// A place for a run of the bundles `epoch`, and which of its strands that is: the youngest
    /// place, if that waits for others of these bundles and is as silent as said.
    pub(crate) fn open_run(&mut self, epoch: u64, silent: bool) -> (u64, u16) {
        if self.opened_in == epoch
            && self.last_bytes() == 0
            && let Some(youngest) = self.places.back_mut().filter(|it| it.silent == silent)
        {
            if matches!(youngest.state, State::Waiting) {
                let mut weave = self.spare.take().unwrap_or_default();
                weave.begin(youngest.commands);
                youngest.state = State::Weaving(weave);
            }
            if let State::Weaving(weave) = &mut youngest.state {
                let strand = weave.add_strand();
                weave.add(strand);
                youngest.commands += 1;
                self.flow.send(1);
                return (self.next_place() - 1, strand);
            }
        }
        let place = self.open(silent);
        self.opened_in = epoch;
        (place, 0)
    }

    /// A new place for a transaction.
    pub(crate) fn open_gather(&mut self, gather: Box<Gather>, silent: bool) -> u64 {
        self.open_with(State::Gathering(gather), silent)
    }

    fn open_with(&mut self, state: State, silent: bool) -> u64 {
        self.flow.wait(self.last_bytes());
        self.flow.send(1);
        self.opened_in = NO_BUNDLES;
        if let Some(youngest) = self.places.back_mut() {
            youngest.after_end = self.after.len();
        }
        let input = self.input;
        self.places.push_back(Place { state, commands: 1, input, silent, after_end: 0 });
        self.front + self.places.len() as u64 - 1
    }

    /// Further places belong to another input. Numbers ascend.
    pub(crate) fn begin_input(&mut self, number: u64) {
        self.input = number;
    }

    /// Whether the input to which the last replies belong is not answered to its end.
    #[inline]
    pub(crate) fn owes(&self) -> bool {
        self.places.front().is_some_and(|place| place.input == self.answered)
    }

    /// The reply of a part of the transaction at `place` came back. What gathered them, once all
    /// have: it may serve again.
    pub(crate) fn settle_part(
        &mut self,
        place: u64,
        (part, reply): (&Part, &[u8]),
        time: &Time,
        output: &mut Vec<u8>,
    ) -> Option<Box<Gather>> {
        let index = self.find(place)?;
        let State::Gathering(gather) = &mut self.places[index].state else { return None };
        gather.add_bytes(part.index, reply, &part.shares);
        self.complete(index, time, output)
    }

    /// If all parts of the transaction at a place have replied: the one reply is ready.
    fn complete(&mut self, index: usize, time: &Time, output: &mut Vec<u8>) -> Option<Box<Gather>> {
        let found = &mut self.places[index];
        if !matches!(&found.state, State::Gathering(gather) if gather.is_complete()) {
            return None;
        }
        let early = self.early.len();
        let state = std::mem::replace(&mut found.state, State::Early(early..early));
        let State::Gathering(mut gather) = state else { return None };
        if index == 0 {
            let before = output.len();
            gather.merge(time, output);
            self.flow.settle(found.commands, output.len() - before);
            self.flow.leave(output.len() - before);
            if found.silent {
                output.truncate(before);
            }
        } else {
            gather.merge(time, &mut self.early);
            let end = self.early.len();
            self.flow.settle(found.commands, end - early);
            found.state = if end > KEPT_BYTES_MAX {
                // See `settle_run`.
                State::Ready(self.early.split_off(early))
            } else {
                State::Early(early..end)
            };
        }
        if index == 0 {
            self.advance(output);
        }
        Some(gather)
    }

    /// The replies of a run came back to `place`, as its strand `strand`.
    pub(crate) fn settle_run(
        &mut self,
        (place, strand): (u64, u16),
        replies: RunReplies<'_>,
        output: &mut Vec<u8>,
    ) {
        let Some(index) = self.find(place) else { return };
        let found = &mut self.places[index];
        let reply = replies.bytes;
        if let State::Weaving(weave) = &mut found.state {
            self.flow.settle(replies.commands, reply.len());
            weave.take(strand, replies);
            if index == 0 && weave.is_complete() {
                self.advance(output);
            }
            return;
        }
        self.flow.settle(found.commands, reply.len());
        let early = self.early.len();
        if index == 0 {
            self.flow.leave(reply.len());
            if !found.silent {
                output.extend_from_slice(reply);
            }
            found.state = State::Early(early..early);
            self.advance(output);
        } else if early + reply.len() > KEPT_BYTES_MAX {
            // It may be long until the buffer is empty, so it is not to grow beyond all bounds.
            found.state = State::Ready(reply.to_vec());
        } else {
            self.early.extend_from_slice(reply);
            found.state = State::Early(early..early + reply.len());
        }
    }

    /// Something other than a run settles `place`.
    pub(crate) fn settle_bytes(&mut self, place: u64, reply: &[u8], output: &mut Vec<u8>) {
        let replies = RunReplies { commands: 1, bytes: reply, ends: &[], begin: 0 };
        self.settle_run((place, 0), replies, output);
    }

    /// Where a place is, if it is still waiting.
    #[inline]
    fn find(&self, place: u64) -> Option<usize> {
        let index = place.wrapping_sub(self.front) as usize;
        debug_assert!(index < self.places.len(), "a reply comes back to a place that waits for it");
        (index < self.places.len()).then_some(index)
    }

    /// The number of the place that is opened next.
    #[inline]
    fn next_place(&self) -> u64 {
        self.front + self.places.len() as u64
    }

    /// Moves what is ready at the front to the output.
    fn advance(&mut self, output: &mut Vec<u8>) {
        while let Some(place) = self.places.front() {
            if place.is_waiting() {
                return self.compact();
            }
            let Some(place) = self.places.pop_front() else { return };
            self.front += 1;
            self.answered = place.input;
            let end = if self.places.is_empty() {
                self.after.len()
            } else {
                self.flow.leave(place.after_end - self.moved);
                place.after_end
            };
            match place.state {
                State::Ready(reply) => {
                    self.flow.leave(reply.len());
                    if !place.silent {
                        output.extend_from_slice(&reply);
                    }
                }
                State::Early(range) => {
                    self.flow.leave(range.len());
                    if !place.silent {
                        output.extend_from_slice(&self.early[range]);
                    }
                }
                State::Weaving(mut weave) => {
                    self.flow.leave(weave.bytes());
                    if !place.silent {
                        weave.write(output);
                    }
                    self.spare = Some(weave).filter(|it| it.is_worth_keeping());
                }
                State::Waiting | State::Gathering(_) => {}
            }
            output.extend_from_slice(&self.after[self.moved..end]);
            self.moved = end;
        }
        // What comes next begins where this did: its lines are near.
        self.places.clear();
        empty(&mut self.after);
        empty(&mut self.early);
        self.moved = 0;
    }

    /// Takes what has moved out of `after`, where that is much and most of it: the pipeline of a
    /// client that never waits is never empty.
    fn compact(&mut self) {
        let moved = self.moved;
        if moved < KEPT_BYTES_MAX || moved < self.after.len() / 2 {
            return;
        }
        self.after.drain(..moved);
        self.moved = 0;
        for place in &mut self.places {
            place.after_end = place.after_end.saturating_sub(moved);
        }
    }
}

/// Places of a connection's pipeline: with more under way, its further commands wait. All that it
/// has in the bundles that leave together takes one. What the replies may take is said in
/// `output/flow.rs`.
const PIPELINE_PLACES_MAX: usize = 256;

/// The epoch of no bundles.
const NO_BUNDLES: u64 = 0;

#[cfg(test)]
mod tests;
