//! One connection at its home: bytes in, bytes out, and what is between them.

use net::Stream;
use resp::Parser;

use crate::clients::session::Session;
use crate::output::pipeline::Pipeline;
use crate::waiting::Blocked;

/// A connection.
pub(crate) struct Connection {
    /// The socket; `None` in tests and simulations, where bytes come and go otherwise.
    pub(crate) stream: Option<Stream>,
    pub(crate) session: Session,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) pipeline: Pipeline,
    /// Its last command may wait for keys, and is not answered yet.
    pub(crate) waiting: Option<Box<Blocked>>,
    /// The peer is gone; the rest goes when its EXEC is done.
    pub(crate) ended: bool,
    /// Bumped when the slot is used for another connection: late replies find nobody.
    pub(crate) generation: u32,
}

/// What came and was not yet consumed.
#[derive(Default)]
pub(crate) struct Input {
    pub(crate) parser: Parser,
    /// The beginning of a command whose rest has not arrived, or commands held back.
    pub(crate) pending: Vec<u8>,
    /// So many bytes of `pending` have been run already: they go when they are most of it, so that
    /// a long pipeline is not moved once for each part of it that runs.
    pub(crate) consumed: usize,
    /// Bytes of `pending` are whole commands that wait for room in the pipeline, for a pause to
    /// end, or for a reply that a command depends on.
    pub(crate) held: Held,
}

/// Why whole commands are held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    /// They are not.
    #[default]
    No,
    /// The pipeline is full.
    PipelineFull,
    /// A command waits for all earlier replies, or for its own, before the next may run.
    Barrier,
    /// CLIENT PAUSE.
    Paused,
    /// They may run again, and will in this tick or the next.
    Due,
}

/// What is to be sent.
#[derive(Default)]
pub(crate) struct Output {
    /// Replies in order, not yet handed to the socket.
    pub(crate) bytes: Vec<u8>,
    /// A send of the ring is under way: how many bytes, and how many of them are sent.
    pub(crate) sending: Option<Sending>,
    /// Whether the connection is in the core's list of those to be flushed.
    pub(crate) listed: bool,
    /// Since when the soft limit is exceeded: unix milliseconds, 0 when it is not.
    pub(crate) soft_limit_since_ms: i64,
    /// Position of `bytes[0]` in the stream of all bytes ever replied.
    pub(crate) base: u64,
    /// The receive has ended: the connection goes once what came before is answered.
    pub(crate) receive_ended: bool,
    /// Up to which position of that stream the log allows to send.
    pub(crate) allowed: u64,
    /// Whether a reply may be of a write on this shard that its log does not have yet.
    pub(crate) wrote: bool,
}

/// A send under way on the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    /// Bytes of the buffer that the ring has.
    pub(crate) length: usize,
    /// Bytes of it that the socket has taken.
    pub(crate) sent: usize,
}

impl Input {
    /// Bytes that came and were not run.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.pending.len() - self.consumed
    }
}

impl Output {
    /// What the replies take that are here and not sent.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.sending.map_or(0, |sending| sending.length)
    }

    /// Bytes that the client has not taken.
    #[inline]
    pub(crate) fn pending_bytes(&self) -> usize {
        self.bytes.len() + self.sending.map_or(0, |sending| sending.length - sending.sent)
    }

    /// The end of what was replied so far, in the stream of all replies.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// How many bytes of `bytes` may be sent now.
    #[inline]
    pub(crate) fn sendable(&self) -> usize {
        (self.allowed - self.base) as usize
    }
}

impl Connection {
    /// A connection for `session`.
    pub(crate) fn new(stream: Option<Stream>, session: Session) -> Self {
        let (input, output) = (Input::default(), Output::default());
        let pipeline = Pipeline::default();
        Self {
            stream,
            session,
            input,
            output,
            pipeline,
            waiting: None,
            ended: false,
            generation: 0,
        }
    }

    /// Whether something that the client sent is not yet done or answered.
    pub(crate) fn is_busy(&self) -> bool {
        let held = self.input.held != Held::No;
        held || !self.pipeline.is_empty() || self.output.pending_bytes() > 0
    }

    /// Whether it waits for keys, as far as is known here.
    pub(crate) fn is_blocked(&self) -> bool {
        self.waiting.as_ref().is_some_and(|blocked| blocked.tried_in_vain)
    }

    /// What it takes in all: itself, its buffers, its names, what it has queued.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.input.pending.capacity()
            + self.output.heap_bytes()
            + self.pipeline.heap_bytes()
            + self.session.multi.heap_bytes()
            + self.session.identity.heap_bytes()
    }

    /// Bytes of replies that are here: in the output, or waiting for their turn.
    #[inline]
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.output.pending_bytes() + self.pipeline.waiting_bytes()
    }

    /// Where the next reply is written.
    #[inline]
    pub(crate) fn reply_buffer(&mut self) -> &mut Vec<u8> {
        self.pipeline.tail(&mut self.output.bytes)
    }
}
