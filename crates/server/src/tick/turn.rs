//! The tick: one turn of a core thread. The whole server in five calls.
//!
//! # The way of one `SET key value`
//!
//! 1. **reap** ([`CoreThread::reap`], crate `net`): the ring reports that bytes came on a
//!    connection, in a buffer that the kernel filled. Nothing is copied.
//! 2. **drain** ([`Core::drain_inbox`](crate::core::Core::drain_inbox), `net::Inbox`): what other
//!    core threads handed over is run first, since it took effect when it entered the inbox.
//!    Replies of our own messages come the same way and find their places in `output/pipeline.rs`.
//! 3. **run** (`input/consume.rs`): crate `resp` finds the command's arguments in the buffer,
//!    `input/registry.rs` the command, `input/admission.rs` whether it may run. `input/dispatch.rs`
//!    asks `spec` for the key's slot and so for its shard. If that is this one, `shard.rs` calls
//!    the function beside the declaration of SET (crate `commands`), which finds or makes the
//!    record (crates `keyspace`, `table`) and says what it did (`keyspace::Effects`); the request's
//!    own bytes are copied to the segment's buffer (crate `durability`), and `+OK` to the
//!    connection's output. If it is another shard, the command joins the tick's bundle for it
//!    (`message/bundle.rs`), and step 2 of *that* core thread runs it.
//! 4. **write** (`log/shard_log.rs`): one write for all that this tick logged.
//! 5. **send** (`output/release.rs`, `output/outgoing.rs`): what was replied leaves, if the log has
//!    it: to the socket, in one call of the kernel with all others of the tick, or as a message
//!    back to the home it came from. Who sleeps is woken.
//!
//! Then the thread rests (`rest.rs`) until the ring or the inbox has something, or a deadline
//! comes.

use crate::tick::core_thread::CoreThread;

impl CoreThread {
    /// One turn.
    pub(crate) fn tick(&mut self) {
        self.core.begin_tick();
        self.reap();
        self.core.drain_inbox();
        self.run();
        self.write();
        self.send();
        self.core.end_tick();
    }
}
