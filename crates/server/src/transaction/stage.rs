//! One stage of a held transaction on one of its shards.
//!
//! A stage is a run in the tick's bundle of the transaction's home. Its steps, each of which may be
//! missing, come in this order: claim keys; take back what was lent; run commands; lend keys;
//! settle. The same box goes home with what there is to tell. What the commands changed is logged
//! when the transaction settles, as one part, so that recovery has all of it or nothing.

use durability::{Participants, TransactionId};
use keyspace::Effects;
use resp::CommandError;

use super::holds::{Claimed, Hashes};
use super::lend::Lent;
use super::send::Shares;
use crate::core::Core;
use crate::memory::kept::KEPT_BYTES_MAX;
use crate::message::{Message, Queued, Work};
use crate::shard::Sink;
use crate::transaction::watchers::Watcher;
use crate::waiting::Lining;

/// What a held transaction wants of a shard, and what it is told.
pub(crate) struct Stage {
    pub(crate) id: TransactionId,
    /// The moment of the transaction, unix milliseconds: one for all that it does.
    pub(crate) now_ms: i64,
    /// Which of the stages that are under way together this is.
    pub(crate) index: u16,
    /// What it claims before all else: then it is the marker.
    pub(crate) claim: Option<Claimed>,
    /// Whose WATCH is to be checked: it ends with this.
    pub(crate) watcher: Option<Watcher>,
    /// Values that come back, or come anew.
    pub(crate) back: Vec<Lent>,
    /// What a command did to keys of this shard, on what was lent to it.
    pub(crate) done: Effects,
    /// Keys whose values are wanted; on the way home, with the values.
    pub(crate) lent: Vec<Lent>,
    /// What changes in the lines of who waits, when it settles.
    pub(crate) lining: Option<Lining>,
    /// The last stage: the participants that log a part, and the shard lets go.
    pub(crate) settle: Option<Participants>,
    /// What its home is told when it was run.
    pub(crate) report: StageReport,
}

/// What the home of a transaction is told of a stage, besides replies and values.
pub(crate) struct StageReport {
    /// A watched key was touched.
    pub(crate) dirty: bool,
    /// What the commands that are shares of a transaction's took.
    pub(crate) shares: Shares,
    /// Why the part that settled it is not in the log: it refuses writes.
    pub(crate) refused: Option<CommandError>,
}

impl Default for Stage {
    /// A stage of no transaction in particular.
    fn default() -> Self {
        Self {
            id: TransactionId::new(0, 0),
            now_ms: 0,
            index: 0,
            claim: None,
            watcher: None,
            back: Vec::new(),
            done: Effects::new(),
            lent: Vec::new(),
            lining: None,
            settle: None,
            report: StageReport { dirty: false, shares: Shares::new(), refused: None },
        }
    }
}

impl Stage {
    /// Makes it a stage that wants nothing yet. The memory of its vectors serves again.
    pub(crate) fn begin(&mut self, id: TransactionId, now_ms: i64) {
        let (mut back, mut lent) = (std::mem::take(&mut self.back), std::mem::take(&mut self.lent));
        let mut done = std::mem::take(&mut self.done);
        back.clear();
        lent.clear();
        done.clear();
        *self = Self { id, now_ms, back, done, lent, ..Self::default() };
    }

    /// The shard claims a key with this hash.
    pub(crate) fn claim_key(&mut self, hash: u64) {
        match self.claim.get_or_insert_with(|| Claimed::Keys(Hashes::new())) {
            Claimed::Keys(hashes) => hashes.push(hash),
            Claimed::Everything => {}
        }
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let lent_bytes = self.back.capacity().max(self.lent.capacity()) * size_of::<Lent>();
        lent_bytes.max(self.done.capacity()) <= KEPT_BYTES_MAX
    }

    /// Whether it settles its transaction, and may have left a part in the log.
    pub(crate) fn may_be_logged(&self) -> bool {
        self.settle.is_some_and(|writers| !writers.is_empty())
    }
}

/// The transaction that a message which waits for its turn is the marker of: other stages claim
/// nothing, and so never wait.
pub(crate) fn transaction_of(message: &Message) -> Option<TransactionId> {
    message.work.runs.sole_stage().map(|stage| stage.id)
}

impl Core {
    /// Runs a stage, whose claim is granted. The replies of its commands are appended to `reply`.
    pub(crate) fn run_stage(
        &mut self,
        work: &Work,
        commands: &[Queued],
        stage: &mut Stage,
        reply: &mut Vec<u8>,
    ) {
        if let Some(watcher) = stage.watcher.take() {
            stage.report.dirty = self.shard.end_watcher(watcher, self.time.unix_ms());
        }
        self.crowd.add_stage(self.time.unix_ms());
        let (id, now_ms) = (stage.id, stage.now_ms);
        let mut logged = self.shard.held_logs.take(id);
        for lent in stage.back.drain(..) {
            self.take_back(lent, now_ms);
        }
        self.shard.take_over(&mut stage.done, &mut logged, now_ms);
        if !commands.is_empty() {
            let mut sink = Sink::Kept { commands: &mut logged, now_ms };
            stage.report.shares = self.run_staged(work, commands, reply, &mut sink);
        }
        let touch = !work.client.no_touch;
        for lent in &mut stage.lent {
            self.lend(lent, (now_ms, touch), &mut logged);
        }
        let Some(participants) = stage.settle else {
            return self.shard.held_logs.keep(id, logged);
        };
        if participants.contains(self.mail.shard as u16) {
            self.shard.log.record_part(id, &participants, &logged);
        } else {
            // It only read, and met keys past their moment.
            self.shard.log.record_kept(&logged);
        }
        self.shard.held_logs.recycle(logged);
        if let Some(lining) = stage.lining.take() {
            // Before the keys are let go, so that nothing appears unnoticed.
            self.change_lines(lining);
        }
        self.shard.holds.release(id);
        self.end_unit();
        self.run_released();
    }
}
