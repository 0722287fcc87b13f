//! The socket ring of one core thread.
//!
//! One `io_uring` per core thread, used by that thread alone, carries everything that touches
//! sockets: multishot accepts, multishot receives into a ring of provided buffers, sends, wake-ups
//! from other core threads (`MSG_RING`), and `fdatasync` of the thread's segment. The caller hands
//! a *token* (an index of its own choosing) with each request and gets it back in the
//! [`Completion`].
//!
//! # Set-up flags (measured)
//! `SINGLE_ISSUER | DEFER_TASKRUN | TASKRUN_FLAG`: without COOP_TASKRUN or DEFER_TASKRUN the kernel
//! interrupts the thread for each completion, and a request costs twice the CPU. With them,
//! completions that are due are announced by a flag in shared memory, and the next
//! `io_uring_enter` posts them. The two cost the same; but only with DEFER_TASKRUN does a thread
//! that waits for several completions ([`Ring::wait`]) sleep until there are so many. With
//! COOP_TASKRUN it is woken for each, and goes back to sleep in the kernel.
//!
//! # Who owns what
//! - A received buffer belongs to the caller from its completion until [`Ring::release`]; while all
//!   are out, receives end with `ENOBUFS` ([`Completion::Starved`]) and are armed again by the
//!   caller.
//! - The bytes of a queued send belong to the ring until [`Completion::Sent`] gives them back.
//! - A socket's descriptor stays open until its receive has ended ([`Completion::Ended`]): the
//!   caller shuts the socket down, and closes it when the end comes.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::buffers::Buffers;
use crate::completion::{Completion, Kind, Token};
use crate::probe::RingError;

/// How large a ring is made.
#[derive(Clone, Copy, Debug)]
pub struct RingOptions {
    /// Requests that can be queued between two turns; a power of two.
    pub entries: u32,
    /// Provided receive buffers; a power of two, at most 32,768.
    pub buffers: u16,
    /// Bytes of each receive buffer.
    pub buffer_bytes: usize,
}

impl Default for RingOptions {
    /// 256 requests; 256 buffers of 16 KiB are 4 MiB of address space a core, touched as they are
    /// used.
    fn default() -> Self {
        Self { entries: 256, buffers: 256, buffer_bytes: 16 * 1024 }
    }
}

/// The socket ring of one core thread. Made on the thread that uses it, and not `Send`.
pub struct Ring {
    // Declared before `buffers`: the kernel stops using the buffers when the ring is dropped.
    ring: IoUring,
    buffers: Buffers,
    /// Sends under way: their bytes must not move until the completion.
    sends: Vec<Option<Vec<u8>>>,
    sends_free: Vec<u32>,
    /// Requests that did not fit into the submission queue, in order.
    waiting: std::collections::VecDeque<squeue::Entry>,
}

const BUFFER_GROUP: u16 = 0;

impl Ring {
    /// Makes the ring of the calling thread.
    ///
    /// # Errors
    /// [`RingError`] says which call was refused.
    pub fn new(options: RingOptions) -> Result<Self, RingError> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_clamp()
            .setup_cqsize(options.entries * 16)
            .build(options.entries)
            .map_err(|error| RingError::new("io_uring_setup", error))?;
        let buffers = Buffers::new(options.buffers, options.buffer_bytes)
            .map_err(|error| RingError::new("mmap", error))?;
        // SAFETY:
        // - the address is that of a mapping of `buffers` entries, which `self` owns;
        // - `self.ring` is dropped before `self.buffers` (field order), so the mapping outlives its
        //   registration.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                buffers.ring_address(),
                options.buffers,
                BUFFER_GROUP,
                0,
            )
        }
        .map_err(|error| RingError::new("io_uring_register", error))?;
        let waiting = std::collections::VecDeque::new();
        let mut ring = Self { ring, buffers, sends: Vec::new(), sends_free: Vec::new(), waiting };
        ring.buffers.offer_all();
        Ok(ring)
    }

    /// Sends a request that does nothing, and waits for its completion.
    pub(crate) fn round_trip(&mut self) -> Result<(), RingError> {
        self.push(opcode::Nop::new().build().user_data(Kind::Wake.with(Token::default())));
        let sent = self.ring.submit_and_wait(1);
        sent.map(|_| ()).map_err(|error| RingError::new("io_uring_enter", error))
    }

    /// The ring's descriptor, by which other core threads wake this one and the executor polls it.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        use std::os::fd::AsRawFd;
        self.ring.as_raw_fd()
    }

    /// Accepts connections on `listener` until it is cancelled: [`Completion::Accepted`] for each.
    pub fn accept(&mut self, listener: RawFd, token: Token) {
        let entry = opcode::AcceptMulti::new(types::Fd(listener))
            .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
            .build();
        self.push(entry.user_data(Kind::Accept.with(token)));
    }

    /// Receives from `socket` until it ends: [`Completion::Received`] for each piece.
    pub fn receive(&mut self, socket: RawFd, token: Token) {
        let entry = opcode::RecvMulti::new(types::Fd(socket), BUFFER_GROUP).build();
        self.push(entry.user_data(Kind::Receive.with(token)));
    }

    /// Sends `bytes[from..]`: when the queue is submitted if the socket takes them, in the
    /// background if not. One send per socket at a time keeps their order.
    pub fn send(&mut self, socket: RawFd, bytes: Vec<u8>, from: usize, token: Token) {
        debug_assert!(from < bytes.len(), "an empty send would look like a closed peer");
        let rest = &bytes[from..];
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(socket), rest.as_ptr(), length)
            .flags(libc::MSG_NOSIGNAL)
            .build();
        let slot = if let Some(slot) = self.sends_free.pop() {
            self.sends[slot as usize] = Some(bytes);
            slot
        } else {
            self.sends.push(Some(bytes));
            (self.sends.len() - 1) as u32
        };
        self.push(entry.user_data(Kind::Send.with_slot(token, slot)));
    }

    /// Makes what was written to `file` durable: [`Completion::Synced`].
    pub fn sync_data(&mut self, file: RawFd, token: Token) {
        let entry = opcode::Fsync::new(types::Fd(file)).flags(types::FsyncFlags::DATASYNC).build();
        self.push(entry.user_data(Kind::Sync.with(token)));
    }

    /// Wakes the core thread whose ring has the descriptor `peer`: it sees [`Completion::Woken`].
    /// This ring sees nothing of it unless it fails: a completion would end the very wait that
    /// submits it, and the thread would go through a whole tick to find that nothing came.
    pub fn wake(&mut self, peer: RawFd) {
        let entry =
            opcode::MsgRingData::new(types::Fd(peer), 0, Kind::Woken.with(Token::default()), None)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS);
        self.push(entry.user_data(Kind::Wake.with(Token::default())));
    }

    /// Cancels the accept that was armed with `token`.
    pub fn cancel_accept(&mut self, token: Token) {
        let entry = opcode::AsyncCancel::new(Kind::Accept.with(token)).build();
        self.push(entry.user_data(Kind::Wake.with(Token::default())));
    }

    /// Submits what is queued without waiting.
    ///
    /// # Errors
    /// What `io_uring_enter` answered, busy and interrupted excepted.
    pub fn submit(&mut self) -> io::Result<()> {
        self.flush_waiting();
        let submission = self.ring.submission();
        if submission.is_empty() && !submission.taskrun() && !submission.cq_overflow() {
            return Ok(());
        }
        drop(submission);
        tolerate(self.ring.submit())
    }

    /// Submits what is queued and waits until there are `count` completions, or `timeout` has
    /// passed.
    ///
    /// # Errors
    /// What `io_uring_enter` answered, timed out, busy and interrupted excepted.
    pub fn wait(&mut self, count: usize, timeout: Duration) -> io::Result<()> {
        self.flush_waiting();
        let time = types::Timespec::from(timeout);
        let arguments = types::SubmitArgs::new().timespec(&time);
        tolerate(self.ring.submitter().submit_with_args(count, &arguments))
    }

    /// Takes every completion that has been posted into `into`.
    pub fn reap(&mut self, into: &mut Vec<Completion>) {
        let Self { ring, buffers, sends, sends_free, .. } = self;
        for entry in ring.completion() {
            let (kind, token, slot) = Kind::split(entry.user_data());
            let result = entry.result();
            let more = cqueue::more(entry.flags());
            match kind {
                Kind::Receive => {
                    let buffer = cqueue::buffer_select(entry.flags());
                    into.push(received(token, result, more, buffer, buffers));
                }
                Kind::Accept => into.push(Completion::Accepted { token, result, more }),
                Kind::Send => {
                    let bytes = sends[slot as usize].take().unwrap_or_default();
                    sends_free.push(slot);
                    into.push(Completion::Sent { token, result, bytes });
                }
                Kind::Sync => into.push(Completion::Synced { token, result }),
                Kind::Woken => into.push(Completion::Woken),
                Kind::Wake => {}
            }
        }
    }

    /// Whether completions are waiting to be reaped, perhaps after a [`Ring::submit`].
    pub fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty() || self.ring.submission().taskrun()
    }

    /// The bytes of a received buffer.
    #[must_use]
    pub fn bytes(&self, buffer: ReceivedBuffer) -> &[u8] {
        self.buffers.bytes(buffer)
    }

    /// Gives a received buffer back to the kernel.
    pub fn release(&mut self, buffer: ReceivedBuffer) {
        self.buffers.offer(buffer);
    }

    fn push(&mut self, entry: squeue::Entry) {
        if self.waiting.is_empty() && self.try_push(&entry) {
            return;
        }
        self.waiting.push_back(entry);
        self.flush_waiting();
    }

    fn flush_waiting(&mut self) {
        while let Some(entry) = self.waiting.pop_front() {
            if self.try_push(&entry) {
                continue;
            }
            // The queue is full: hand it to the kernel and go on. What cannot be handed over now
            // (CQ overflow) waits for the next turn, after completions were reaped.
            if self.ring.submit().is_err() || !self.try_push(&entry) {
                self.waiting.push_front(entry);
                return;
            }
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: every pointer in an entry made above stays valid until its completion:
        // - a send's bytes are owned by `sends` (a Vec's heap block does not move with the Vec);
        // - all other requests carry no pointer, or one into `buffers`, which outlives the ring.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }
}

/// A buffer that the kernel filled: its number and how many bytes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedBuffer {
    pub(crate) number: u16,
    pub(crate) length: u32,
}

fn received(
    token: Token,
    result: i32,
    more: bool,
    buffer: Option<u16>,
    buffers: &mut Buffers,
) -> Completion {
    match (result, buffer) {
        (length, Some(number)) if length > 0 => {
            let buffer = ReceivedBuffer { number, length: length.unsigned_abs() };
            Completion::Received { token, buffer, more }
        }
        (error, buffer) => {
            if let Some(number) = buffer {
                buffers.offer(ReceivedBuffer { number, length: 0 });
            }
            if error == -libc::ENOBUFS {
                Completion::Starved { token }
            } else {
                Completion::Ended { token, result: error }
            }
        }
    }
}

/// What is no failure of a ring: nothing came in time, a signal, or completions to be reaped first.
fn tolerate(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
    }
}
