//! How many bytes of replies a connection may have between the shards.
//!
//! What the replies of a message take is known when it comes back. Until then each of its commands
//! is expected to bring as much as those that brought most of late: after one large reply few
//! commands are sent at a time, and after small ones many.
//!
//! ```text
//! waiting for their turn + commands under way * expected  <  BYTES_MAX, else nothing more is sent
//! ```
//!
//! A connection that begins is expected to ask for more than most do, and is trusted with more as
//! its replies come. One message may always be under way, however much it brings. This holds
//! commands back and refuses nothing; what a client leaves unread is bounded elsewhere
//! (`outgoing.rs`), by limits of the configuration.

/// Bytes of replies between the shards at which a connection's further commands wait: for each of a
/// hundred busy connections, what a small machine can spare.
const BYTES_MAX: usize = 16 << 20;

/// What a command is expected to bring at least: 4096 of them may be under way.
const EXPECTED_BYTES_MIN: usize = 4 << 10;

/// What the commands of a new connection are expected to bring: 64 of them may be under way.
const EXPECTED_BYTES_FIRST: usize = 256 << 10;

/// The replies of one connection that are between the shards.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Commands whose replies have not come.
    under_way: usize,
    /// Bytes of replies that came, or were made here, and wait for their turn.
    waiting_bytes: usize,
    /// What a command under way is expected to bring.
    expected_bytes: usize,
}

impl Default for Flow {
    fn default() -> Self {
        Self { under_way: 0, waiting_bytes: 0, expected_bytes: EXPECTED_BYTES_FIRST }
    }
}

impl Flow {
    /// So many commands are sent.
    #[inline]
    pub(crate) fn send(&mut self, commands: usize) {
        self.under_way += commands;
    }

    /// The replies of a message of so many commands have come, and wait for their turn.
    #[inline]
    pub(crate) fn settle(&mut self, commands: usize, bytes: usize) {
        self.under_way -= commands;
        self.waiting_bytes += bytes;
        let remembered = self.expected_bytes - self.expected_bytes / 4;
        let brought = bytes.div_ceil(commands.max(1));
        self.expected_bytes = remembered.max(brought).max(EXPECTED_BYTES_MIN);
    }

    /// Replies that were made here wait for their turn.
    #[inline]
    pub(crate) fn wait(&mut self, bytes: usize) {
        self.waiting_bytes += bytes;
    }

    /// Replies that have waited have moved to the output.
    #[inline]
    pub(crate) fn leave(&mut self, bytes: usize) {
        self.waiting_bytes -= bytes;
    }

    /// Bytes that wait for their turn.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether nothing more is to be sent; `more_bytes` wait besides.
    #[inline]
    pub(crate) fn is_full(&self, more_bytes: usize) -> bool {
        self.under_way > 0 && self.bytes(more_bytes) >= BYTES_MAX
    }

    /// Whether what was held back may be sent.
    pub(crate) fn has_room(&self, more_bytes: usize) -> bool {
        self.under_way == 0 || self.bytes(more_bytes) < BYTES_MAX / 2
    }

    #[inline]
    fn bytes(&self, more_bytes: usize) -> usize {
        let expected = self.under_way.saturating_mul(self.expected_bytes);
        expected.saturating_add(self.waiting_bytes).saturating_add(more_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, EXPECTED_BYTES_FIRST, EXPECTED_BYTES_MIN, Flow};

    /// Sends as much as may be under way at once; how many commands that is.
    fn fill(flow: &mut Flow) -> usize {
        let mut count = 0;
        while !flow.is_full(0) {
            flow.send(1);
            count += 1;
        }
        count
    }

    /// All that is under way comes back with so many bytes each, and moves on.
    fn answer(flow: &mut Flow, count: usize, bytes: usize) {
        for _ in 0..count {
            flow.settle(1, bytes);
            flow.leave(bytes);
        }
    }

    #[test]
    fn small_replies_open_the_way_and_large_ones_close_it() {
        let mut flow = Flow::default();
        let first = fill(&mut flow);
        assert_eq!(first, BYTES_MAX / EXPECTED_BYTES_FIRST);
        answer(&mut flow, first, 100);
        let second = fill(&mut flow);
        assert_eq!(second, BYTES_MAX / EXPECTED_BYTES_MIN);
        answer(&mut flow, second, 1 << 20);
        let third = fill(&mut flow);
        assert_eq!(third, 16);
        answer(&mut flow, third, 100 << 20);
        let fourth = fill(&mut flow);
        assert_eq!(fourth, 1, "one may always go");
        answer(&mut flow, fourth, 100);
        assert!(fill(&mut flow) < 3, "trust comes back slowly");
    }

    #[test]
    fn a_message_counts_as_its_commands() {
        let mut flow = Flow::default();
        flow.send(64);
        assert!(flow.is_full(0) && !flow.has_room(0));
        flow.settle(64, 64 << 20);
        flow.leave(64 << 20);
        assert_eq!(fill(&mut flow), 16, "one MiB each");
    }

    #[test]
    fn what_waits_counts_and_room_comes_back_at_half() {
        let mut flow = Flow::default();
        flow.send(1);
        flow.wait(BYTES_MAX / 2);
        assert!(!flow.is_full(0) && !flow.has_room(0));
        assert!(flow.is_full(BYTES_MAX / 2));
        flow.leave(BYTES_MAX / 4);
        assert!(flow.has_room(0));
        flow.settle(1, 3 * BYTES_MAX);
        assert!(!flow.is_full(0) && flow.has_room(0), "nothing is under way");
        assert_eq!(flow.waiting_bytes(), 3 * BYTES_MAX + BYTES_MAX / 4);
    }
}
