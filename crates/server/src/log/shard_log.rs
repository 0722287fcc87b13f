//! A shard's log: its segment, the file, and the gate that holds replies back.
//!
//! While the log is off (`appendonly no`) every position is 0 and nothing waits.

use std::io;
use std::os::fd::RawFd;

use durability::{
    Failure, FsyncPolicy, Gate, Ledger, Part as LogPart, Participants, Refusal, Segment,
    TransactionId,
};
use keyspace::{Effects, LoggedCommands};
use resp::Arguments;

use crate::canary::{self, Canary};
use crate::core::Core;
use crate::log::file::LogFile;
use crate::message::Purpose;
use crate::transaction::Part;

/// The log of one shard.
pub(crate) struct Log {
    /// `None` while the log is off.
    open: Option<Open>,
    /// Counts the transactions that this shard's connections began.
    counter: u64,
    /// Where the part that is open begins in the segment.
    part_start: u64,
    /// Whether a command was logged since [`Log::take_wrote`].
    wrote: bool,
    /// How often the log was turned on: names the present segment to the ring, so that an fsync
    /// which outlived its segment says nothing about the next one.
    openings: u32,
}

/// An fsync that is due: whoever drives the core carries it out, and tells
/// [`Log::handle_synced`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueSync {
    /// The file; `None` where it is not the system's.
    pub(crate) descriptor: Option<RawFd>,
    /// Comes back with the outcome.
    pub(crate) token: u32,
}

struct Open {
    segment: Segment,
    file: Box<dyn LogFile>,
    gate: Gate,
    /// The position that the fsync under way will reach.
    syncing_to: u64,
}

impl Log {
    /// A log that is off.
    pub(crate) fn off() -> Self {
        Self { open: None, counter: 0, part_start: 0, wrote: false, openings: 0 }
    }

    /// Goes on writing to `file`; `counter` is where transactions go on counting.
    pub(crate) fn turn_on(
        &mut self,
        shard: u16,
        file: Box<dyn LogFile>,
        segment: Segment,
        counter: u64,
    ) {
        let gate = Gate::new(shard);
        self.counter = self.counter.max(counter);
        self.openings = self.openings.wrapping_add(1);
        self.open = Some(Open { segment, file, gate, syncing_to: 0 });
    }

    /// Turns the log off: what was logged is in the file; nothing waits any more.
    pub(crate) fn turn_off(&mut self) {
        self.open = None;
    }

    /// Whether the log is on.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.open.is_some()
    }

    /// The segment, while the log is on.
    pub(crate) fn segment(&self) -> Option<&Segment> {
        self.open.as_ref().map(|open| &open.segment)
    }

    /// Changes `appendfsync`.
    pub(crate) fn set_policy(&mut self, policy: FsyncPolicy) {
        if let Some(open) = &mut self.open {
            open.segment.set_policy(policy);
        }
    }

    /// Why no writes should be taken.
    #[inline]
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.open.as_ref().and_then(|open| open.segment.refusal())
    }

    /// Whether what is not written yet never will be: an fsync failed.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.failure == Failure::Sync)
    }

    /// Replies that depend on more than this position will never leave: an fsync failed, here or
    /// where a transaction has another part. `u64::MAX` while nothing is lost.
    #[inline]
    pub(crate) fn lost_position(&self) -> u64 {
        self.open.as_ref().map_or(u64::MAX, |open| open.gate.lost_position())
    }

    /// Whether a command was logged since the last call. What expires by itself does not count: no
    /// reply says anything of it.
    #[inline]
    pub(crate) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Names a new transaction that a connection of this shard begins.
    pub(crate) fn next_transaction(&mut self, home: u16) -> TransactionId {
        self.counter += 1;
        TransactionId::new(home, self.counter)
    }

    /// Logs a command that ran, as its effects say. Several records of it are one unit.
    #[inline]
    pub(crate) fn record(&mut self, db: u32, arguments: Arguments<'_>, effects: &Effects) {
        let Some(open) = &mut self.open else { return };
        if effects.is_plain() {
            if effects.logs_verbatim() {
                self.wrote = true;
                open.record(db, arguments.bytes());
            }
            return;
        }
        self.wrote |= effects.logs_command();
        open.record_all(effects.before());
        if effects.logs_verbatim() {
            open.record(db, arguments.bytes());
        }
        open.record_unit(effects.records());
    }

    /// Logs what happened without a command: keys that expired or were evicted.
    pub(crate) fn record_background(&mut self, effects: &Effects) {
        if canary::is_out(Canary::UnloggedExpiry) {
            return;
        }
        let Some(open) = &mut self.open else { return };
        open.record_all(effects.before());
    }

    /// Logs what a transaction kept that has no part here: keys that expired under it.
    pub(crate) fn record_kept(&mut self, kept: &LoggedCommands) {
        let Some(open) = &mut self.open else { return };
        open.record_all(kept);
    }

    /// A part of a transaction over several shards begins.
    pub(crate) fn begin_part(&mut self, part: &Part) {
        if canary::is_out(Canary::UnmarkedParts) {
            return;
        }
        if let Some(open) = &mut self.open {
            self.wrote = true;
            self.part_start = open.segment.begin_part(part.id, &part.participants);
        }
    }

    /// The part ends.
    pub(crate) fn end_part(&mut self, part: &Part) {
        if canary::is_out(Canary::UnmarkedParts) {
            return;
        }
        if let Some(open) = &mut self.open {
            let (id, participants) = (part.id, part.participants);
            let (start, end) = (self.part_start, open.segment.end_part());
            open.gate.begin(LogPart { id, start, end, participants });
        }
    }

    /// Several commands follow that are one unit.
    pub(crate) fn begin_unit(&mut self) {
        if let Some(open) = &mut self.open {
            open.segment.begin_unit();
        }
    }

    /// The unit ends.
    pub(crate) fn end_unit(&mut self) {
        if let Some(open) = &mut self.open {
            open.segment.end_unit();
        }
    }

    /// Logs this shard's part of a transaction over several, all at once.
    pub(crate) fn record_part(
        &mut self,
        id: TransactionId,
        participants: &Participants,
        logged: &LoggedCommands,
    ) {
        let Some(open) = &mut self.open else { return };
        self.wrote = true;
        let start = open.segment.begin_part(id, participants);
        open.record_unit(logged);
        let end = open.segment.end_part();
        open.gate.begin(LogPart { id, start, end, participants: *participants });
    }

    /// The ledger has retired parts of this shard, or found them lost.
    pub(crate) fn listen(&mut self, ledger: &Ledger) {
        if let Some(open) = &mut self.open {
            open.gate.listen(ledger);
        }
    }

    /// The position behind everything logged so far.
    #[inline]
    pub(crate) fn appended(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.segment.appended())
    }

    /// Up to which position this shard's own records are written (`appendfsync always`: on disk).
    pub(crate) fn acknowledged(&self) -> u64 {
        self.open.as_ref().map_or(u64::MAX, |open| open.segment.acknowledged())
    }

    /// Up to which position replies may leave.
    #[inline]
    pub(crate) fn release_position(&self) -> u64 {
        match &self.open {
            None => u64::MAX,
            Some(_) if canary::is_out(Canary::ReplyBeforeWrite) => u64::MAX,
            Some(open) if canary::is_out(Canary::ReplyBeforeSync) => {
                open.gate.release_position(open.segment.written())
            }
            Some(open) if canary::is_out(Canary::PartWithoutGate) => open.segment.acknowledged(),
            Some(open) => open.gate.release_position(open.segment.acknowledged()),
        }
    }

    /// Does what an fsync that was due asks for: in a simulator, which has no ring.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn sync_file(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.sync())
    }

    /// The fsync that was due has ended: `result` is negative, an error's number, if it failed.
    pub(crate) fn handle_synced(&mut self, token: u32, result: i32) {
        let Some(open) = self.open.as_mut().filter(|_| token == self.openings) else { return };
        if result < 0 {
            let error = io::Error::from_raw_os_error(-result);
            tracing::error!(
                "Syncing the append-only segment failed: {error}. Writes are refused until a \
                 restart: what the disk has is unknown."
            );
            open.segment.handle_sync_error(&error);
            open.gate.lose_from(open.segment.acknowledged());
        } else {
            open.segment.handle_synced(open.syncing_to);
        }
    }

    /// When to come back though nothing happens: unix milliseconds.
    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        self.open.as_ref().and_then(|open| open.segment.next_wake_ms())
    }

    /// Writes all that is pending and waits for it to be on disk: at the end of the server.
    pub(crate) fn finish(&mut self, now_ms: u64) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.write(now_ms);
        if let Some(refusal) = open.segment.refusal() {
            return Err(io::Error::other(refusal.reason.clone()));
        }
        open.file.sync()
    }
}

impl Open {
    /// Appends a record. All go this way: none may be about keys of several slots.
    #[inline]
    fn record(&mut self, db: u32, command: &[u8]) {
        #[cfg(debug_assertions)]
        crate::log::one_slot::check(command);
        self.segment.record(db, command);
    }

    fn record_all(&mut self, commands: &LoggedCommands) {
        for (db, command) in commands.iter() {
            self.record(db as u32, command);
        }
    }

    /// Appends the records of one step: a unit, if there are several and none is open.
    fn record_unit(&mut self, commands: &LoggedCommands) {
        let unit = commands.len() > 1 && !self.segment.in_unit();
        if unit {
            self.segment.begin_unit();
        }
        self.record_all(commands);
        if unit {
            self.segment.end_unit();
        }
    }

    /// Writes the tick's batch. Failures are the segment's to remember.
    fn write(&mut self, now_ms: u64) {
        if let Some(length) = self.segment.poll_truncate() {
            let result = self.file.set_length(length);
            self.segment.handle_truncated(&result);
        }
        let was_refusing = self.segment.refusal().is_some();
        while let Some(bytes) = self.segment.poll_write(now_ms) {
            match self.file.append(bytes) {
                Ok(bytes) => self.segment.handle_written(bytes),
                Err(error) => {
                    if !was_refusing {
                        tracing::error!(
                            "Writing the append-only segment failed: {error}. Writes are refused \
                             until it succeeds; it is tried again each second."
                        );
                    }
                    self.segment.handle_write_error(&error, now_ms);
                }
            }
        }
        if was_refusing && self.segment.refusal().is_none() {
            tracing::warn!("Writing the append-only segment works again: writes are accepted.");
        }
    }
}

impl Core {
    /// Writes what the tick logged, tells the ledger and who depends on it which parts of
    /// transactions are written or lost, and says whether an fsync is due.
    pub(crate) fn write_log(&mut self) -> Option<DueSync> {
        let now_ms = self.time.unix_ms() as u64;
        let token = self.shard.log.openings;
        let open = self.shard.log.open.as_mut()?;
        open.write(now_ms);
        let due = open.segment.poll_sync(now_ms).map(|position| {
            open.syncing_to = position;
            DueSync { descriptor: open.file.descriptor(), token }
        });
        // Before anybody hears of a loss.
        let refusal = open.segment.refusal().map(|refusal| refusal.reason.as_str());
        self.shared.publish_log_refusal(self.mail.shard, refusal);
        let acknowledged = open.segment.acknowledged();
        if open.gate.has_news(acknowledged) {
            let others = open.gate.tell(&mut self.shared.ledger(), acknowledged);
            for shard in others.iter() {
                let mut envelope = self.mail.envelope();
                envelope.purpose = Purpose::LedgerMoved;
                self.mail.push(usize::from(shard), envelope);
            }
        }
        due
    }
}
