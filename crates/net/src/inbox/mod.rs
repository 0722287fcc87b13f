//! The inbox: the one queue through which other core threads hand work to a shard.
//!
//! Many producers, one consumer, *one total order*. The order is the whole point: a remote command
//! takes effect, logically, when it enters the inbox, so pipelines need no waiting between shards.
//!
//! # The word
//!
//! An inbox is one machine word, `head`, the top of a stack of nodes linked downwards:
//!
//! ```text
//!   head = 0                    empty, consumer awake
//!   head = 2  (ASLEEP)          empty, consumer announced that it sleeps
//!   head = address of a node    newest node; it links to the next older one, the oldest to 0
//!   head = address | 1          the same, and a transaction is being enqueued (the bit is *held*)
//!
//!   head --> [m3] --> [m2] --> [m1] --> 0        taken as m1, m2, m3
//! ```
//!
//! - *push*: wait while the bit is held, link the node to `head`, compare-and-swap it on top. A
//!   push that replaces `ASLEEP` owes the consumer a wake-up; it is the only one that can see the
//!   word, so exactly one pusher owes it.
//! - *take*: wait while the bit is held, swap the whole stack for 0, reverse it. The order is the
//!   order of the compare-and-swaps.
//! - *push all* (a transaction's markers): in ascending order of shards, compare-and-swap each
//!   marker on top *with the bit set*; when all are in, clear the bits.
//! - *prepare to sleep*: compare-and-swap 0 for `ASLEEP`. It fails if work came: announcement and
//!   re-check are one step on one word, so no fence and no second flag is needed, and the pusher
//!   touches no cache line but this one.
//!
//! # Why the bit
//!
//! Without it, each marker alone is a correct push, and yet the order breaks. T has markers for A
//! and B; two clients send singles `S_a` to A and then, having seen its effect or simply later in
//! the same pipeline, `S_b` to B:
//!
//! ```text
//!   A:  T's marker, S_a            so T comes before S_a
//!   client: S_a, then S_b          so S_a comes before S_b
//!   B:  S_b, T's marker            so S_b comes before T:  a cycle, no history explains it
//! ```
//!
//! `S_a` slipped in after T's marker at A, before the one at B. With the bit, nobody can push to,
//! take from, or find empty a participant's inbox between the first marker and the last.
//!
//! # Proof sketch
//!
//! Give each single the moment of its compare-and-swap, each local command the moment when its core
//! thread found its inbox empty, each transaction the moment when its last marker went in. Then
//!
//! 1. A shard executes in the order of these moments. For singles that is the stack's order. T's
//!    marker at A may be older than T's moment, but from the marker until after the moment the bit
//!    is held at A: whatever lies below the marker has an earlier moment, and whatever comes above
//!    it a later one. Two transactions that share a shard have their moments in that shard's order,
//!    since the second marker waits until the first one's bits are cleared, which is after its
//!    moment.
//! 2. The moments respect what anybody can know. All changes of `head` acquire and release, so
//!    "happens before" runs through the inboxes: who learnt of an effect at A (took it, or was
//!    told by who took it) pushes to B after every push to B that came before that effect's moment.
//!    What clients tell each other runs through the kernel, which orders at least as much.
//!
//! So the moments are a linearization, and *a marker that is taken is armed*: all its siblings are
//! in.
//!
//! No deadlock: bits are acquired in ascending order of shards and their holder waits for nothing
//! else, in particular for no consumer. A holder that lost its CPU delays the others, so who waits
//! spins a little, then yields the CPU.
//!
//! # The bound
//!
//! The queue itself has none, and counts nothing on the way in: another shared word on the hot path
//! would cost more than the push. The bound is kept where work enters: a connection has a bounded
//! number of commands under way, and the number of connections is bounded, hence also what all
//! inboxes hold together. [`Batch::len`] tells how much a tick found.
//!
//! # Boxes that travel
//!
//! A message moves in an [`Envelope`], a heap box with room for the link. The consumer gets the
//! same box out, writes the reply into it and pushes it back into the sender's inbox; the sender
//! keeps spent boxes in a [`Pool`]. In steady state nothing is allocated, and memory is freed by
//! the core thread that allocated it.
//!
//! # Judges
//!
//! - `cargo test -p net --test inbox_loom`: loom tries the interleavings of small casts, with
//!   canaries that must die (markers without the bit, relaxed orderings). It compiles these very
//!   files over loom's types: they name atomics and waiting through `super::sync` only, and the
//!   unit tests have a file of their own.
//! - `cargo test -p net --test inbox_stress`: real threads, many messages.
//! - `MIRIFLAGS=-Zmiri-permissive-provenance cargo +nightly miri test -p net --lib inbox::`, and
//!   the same with `--test inbox_stress` (addresses carry exposed provenance: see `envelope`).
//! - `cargo run --release -p net --example inbox_cost`: nanoseconds.

mod batch;
mod envelope;
mod inboxes;
mod markers;
mod pool;
mod queue;
mod sync;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Iter};
pub use envelope::Envelope;
pub use inboxes::{Inbox, Inboxes};
pub use markers::Markers;
pub use pool::Pool;
pub use queue::Wake;
