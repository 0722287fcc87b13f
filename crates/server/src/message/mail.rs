//! A core thread's post: its inbox, the inboxes of all, and the boxes that travel.

use std::sync::Arc;

use net::{Envelope, Inbox, Inboxes, Markers, Pool, Wake};

use crate::canary::{self, Canary};
use crate::message::{Message, Purpose};

/// Spent boxes that a core thread keeps: as many as a busy pipeline of 64 connections uses at once.
const KEPT_BOXES_MAX: usize = 2048;

/// The post of one core thread.
pub(crate) struct Mail {
    /// This thread's shard.
    pub(crate) shard: usize,
    pub(crate) inbox: Inbox<Message>,
    inboxes: Arc<Inboxes<Message>>,
    pool: Pool<Message>,
    markers: Markers<Message>,
    /// Markers that go in one by one: see [`Mail::push_late_marker`].
    #[cfg(any(test, feature = "simulation"))]
    late_markers: std::collections::VecDeque<(usize, Envelope<Message>)>,
    /// Shards that sleep and were sent something in this tick.
    wakes: Vec<usize>,
    /// Runs in bundles, messages and questions whose replies are under way: while there are,
    /// sleeping is put off.
    pub(crate) under_way: usize,
}

impl Mail {
    pub(crate) fn new(shard: usize, inbox: Inbox<Message>, all: Arc<Inboxes<Message>>) -> Self {
        Self {
            shard,
            inbox,
            inboxes: all,
            pool: Pool::new(KEPT_BOXES_MAX),
            markers: Markers::new(),
            #[cfg(any(test, feature = "simulation"))]
            late_markers: std::collections::VecDeque::new(),
            wakes: Vec::new(),
            under_way: 0,
        }
    }

    /// How many shards there are.
    #[inline]
    pub(crate) fn shards(&self) -> usize {
        self.inboxes.len()
    }

    /// An empty box.
    pub(crate) fn envelope(&mut self) -> Envelope<Message> {
        self.pool.reuse().unwrap_or_else(|| Envelope::new(Message::default()))
    }

    /// Takes a spent box back.
    pub(crate) fn recycle(&mut self, mut envelope: Envelope<Message>) {
        envelope.work.clear();
        envelope.purpose = Purpose::Run;
        self.pool.put(envelope);
    }

    /// Puts a message into the inbox of `shard`. It takes effect, logically, now.
    pub(crate) fn push(&mut self, shard: usize, envelope: Envelope<Message>) {
        let wake = self.inboxes.push(shard, envelope);
        if wake == Wake::Needed && !canary::is_out(Canary::LostWake) {
            self.wakes.push(shard);
        }
    }

    /// Adds one marker of the transaction that [`Mail::push_markers`] will enqueue.
    pub(crate) fn add_marker(&mut self, shard: usize, envelope: Envelope<Message>) {
        #[cfg(any(test, feature = "simulation"))]
        if canary::is_out(Canary::Unarmed) {
            return self.late_markers.push_back((shard, envelope));
        }
        self.markers.add(shard, envelope);
    }

    /// Enqueues the markers added since the last call, as one step.
    pub(crate) fn push_markers(&mut self) {
        let wakes = &mut self.wakes;
        self.inboxes.push_all(&mut self.markers, |shard| wakes.push(shard));
    }

    /// Enqueues one of the markers that the canary [`Canary::Unarmed`] has let wait.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn push_late_marker(&mut self) {
        if let Some((shard, envelope)) = self.late_markers.pop_front() {
            self.push(shard, envelope);
        }
    }

    /// Runs `call` on the core thread of `shard`. The box is made for it and does not go into a
    /// pool: it does not come back, and pools would move from who calls to who is called.
    pub(crate) fn call(
        &mut self,
        shard: usize,
        call: impl FnOnce(&mut crate::core::Core) + Send + 'static,
    ) {
        let mut envelope = Envelope::new(Message::default());
        envelope.purpose = Purpose::Call(Box::new(call));
        self.push(shard, envelope);
    }

    /// The shards to be woken: emptied by the caller.
    pub(crate) fn wakes(&mut self) -> &mut Vec<usize> {
        &mut self.wakes
    }
}
