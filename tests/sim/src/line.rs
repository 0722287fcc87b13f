//! A client's connection while a simulation runs: what it has yet to send, what it is owed.

use std::collections::VecDeque;

use resp::Value as Reply;
use server::simulation::Client;
use testing::Random;

use crate::operation::Operation;
use crate::plan::{Leaves, Pieces, Session};

/// A connection.
pub(crate) struct Line {
    pub(crate) client: Client,
    /// Its number in the history.
    pub(crate) session: usize,
    pub(crate) script: Session,
    /// The next pipeline.
    next: usize,
    /// Pieces that were not sent yet.
    unsent: VecDeque<Piece>,
    /// What is under way, oldest first.
    owed: VecDeque<Owed>,
    /// The beginning of a reply.
    received: Vec<u8>,
    pub(crate) end: LineEnd,
}

/// How far a connection's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// It is open.
    No,
    /// It will send nothing more, and reads on.
    Finished,
    /// It is gone, but the server may not know.
    Broken,
    /// The server knows.
    Known,
}

/// Bytes that arrive together.
struct Piece {
    bytes: Vec<u8>,
    /// Operations whose first command ends, so that a reply may come.
    begun: Vec<Owed>,
    /// Events of the operations whose last byte is among them.
    whole: Vec<usize>,
}

impl Piece {
    fn empty() -> Self {
        Self { bytes: Vec::new(), begun: Vec::new(), whole: Vec::new() }
    }
}

/// An operation under way.
pub(crate) struct Owed {
    pub(crate) event: usize,
    replies: usize,
    came: Vec<Reply>,
}

/// What was received makes no sense.
#[derive(Debug)]
pub(crate) struct Nonsense(pub(crate) String);

impl Line {
    pub(crate) fn new(client: Client, session: usize, script: Session) -> Self {
        Self {
            client,
            session,
            script,
            next: 0,
            unsent: VecDeque::new(),
            owed: VecDeque::new(),
            received: Vec::new(),
            end: LineEnd::No,
        }
    }

    /// Whether it could send something now.
    pub(crate) fn may_send(&self) -> bool {
        let more = self.next < self.script.pipelines.len() && self.owed.len() <= self.script.window;
        self.end == LineEnd::No && (!self.unsent.is_empty() || more)
    }

    /// Whether it could go away now, as its script says.
    pub(crate) fn may_leave(&self) -> bool {
        let all = self.next == self.script.pipelines.len() && self.unsent.is_empty();
        self.end == LineEnd::No
            && match self.script.leaves {
                Leaves::Stays => false,
                Leaves::Finishes => all,
                Leaves::Breaks(after) => self.next >= after.min(self.script.pipelines.len()),
            }
    }

    /// Whether nothing more is to come of it.
    pub(crate) fn is_done(&self) -> bool {
        match self.end {
            LineEnd::No => !self.may_send() && self.owed.is_empty() && !self.may_leave(),
            LineEnd::Finished => self.owed.is_empty(),
            LineEnd::Broken => false,
            LineEnd::Known => true,
        }
    }

    /// The next pipeline, if the pieces of the last one are sent: its operations.
    pub(crate) fn begin_pipeline(&mut self) -> Option<Vec<Operation>> {
        if !self.unsent.is_empty() {
            return None;
        }
        let pipeline = self.script.pipelines.get(self.next)?.clone();
        self.next += 1;
        Some(pipeline)
    }

    /// Cuts a pipeline into pieces: `operations` with the numbers of their events.
    pub(crate) fn queue(
        &mut self,
        operations: &[(usize, Operation)],
        keys: &[String],
        random: &mut Random,
    ) {
        let mut piece = Piece::empty();
        for (event, operation) in operations {
            let commands = operation.commands(keys);
            let last = commands.len() - 1;
            for (at, words) in commands.iter().enumerate() {
                let begin = piece.bytes.len();
                testing::encode(words, &mut piece.bytes);
                if self.script.pieces == Pieces::Anywhere && random.one_in(2) {
                    let cut = random.between(begin + 1, piece.bytes.len() - 1);
                    let rest = piece.bytes.split_off(cut);
                    self.unsent.push_back(std::mem::replace(&mut piece, Piece::empty()));
                    piece.bytes = rest;
                }
                if at == 0 {
                    let replies = commands.len();
                    piece.begun.push(Owed { event: *event, replies, came: Vec::new() });
                }
                if at == last {
                    piece.whole.push(*event);
                }
                if self.script.pieces == Pieces::Commands {
                    self.unsent.push_back(std::mem::replace(&mut piece, Piece::empty()));
                }
            }
        }
        if !piece.bytes.is_empty() {
            self.unsent.push_back(piece);
        }
    }

    /// The next piece to be sent, with the events whose operations it completes.
    pub(crate) fn send(&mut self) -> Option<(Vec<u8>, Vec<usize>)> {
        let piece = self.unsent.pop_front()?;
        self.owed.extend(piece.begun);
        Some((piece.bytes, piece.whole))
    }

    /// Takes in what the server sent: the operations that it answers, with their replies.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Vec<(usize, Vec<Reply>)>, Nonsense> {
        self.received.extend_from_slice(bytes);
        let mut answered = Vec::new();
        loop {
            let parsed = Reply::parse(&self.received);
            let parsed = parsed.map_err(|error| Nonsense(format!("no reply: {error:?}")))?;
            let Some((reply, length)) = parsed else { return Ok(answered) };
            self.received.drain(..length);
            let Some(owed) = self.owed.front_mut() else {
                return Err(Nonsense(format!("a reply to nothing: {reply:?}")));
            };
            owed.came.push(reply);
            if owed.came.len() == owed.replies
                && let Some(owed) = self.owed.pop_front()
            {
                answered.push((owed.event, owed.came));
            }
        }
    }

    /// The events that were not answered.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = usize> {
        self.owed.iter().map(|owed| owed.event)
    }
}
