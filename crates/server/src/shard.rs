//! The shard: a part of the keyspace and its log, and the one place where commands run on it.

use commands::{CommandLimits, Outcome, ShardCommand, ShardContext, ShardPlace};
use keyspace::{Effects, Keyspace};
use resp::{Arguments, CommandError, Writer};

use crate::log::Log;
use crate::log_switch::ShardSwitch;
use crate::message::Client;
use crate::statistics::Statistics;
use crate::time::Time;

/// The part of the keyspace that a core thread owns. No lock guards it: no other thread reaches it.
pub(crate) struct Shard {
    pub(crate) keyspace: Keyspace,
    pub(crate) effects: Effects,
    pub(crate) log: Log,
    /// Since the log was turned on at run time.
    pub(crate) switch: Option<ShardSwitch>,
    pub(crate) place: ShardPlace,
    pub(crate) limits: CommandLimits,
    /// Hashes of the keys that are being brought near the processor.
    prefetched: Vec<(u32, table::Hash)>,
}

/// Records that a slice of upkeep may move: some 10 us.
const MAINTAIN_RECORDS: usize = 64;

/// A command that is to run here.
#[derive(Clone, Copy)]
pub(crate) struct ShardRequest<'a> {
    pub(crate) command: &'static ShardCommand,
    pub(crate) number: u16,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) client: Client,
}

impl Shard {
    pub(crate) fn new(keyspace: Keyspace, place: ShardPlace, limits: CommandLimits) -> Self {
        let (effects, log) = (Effects::new(), Log::off());
        Self { keyspace, effects, log, switch: None, place, limits, prefetched: Vec::new() }
    }

    /// Runs a command: its reply, or its error, is appended to `out`, what it changed to the log.
    /// Returns how long it took, in nanoseconds.
    #[inline]
    pub(crate) fn run(
        &mut self,
        request: &ShardRequest<'_>,
        statistics: &mut Statistics,
        time: &Time,
        out: &mut Vec<u8>,
    ) -> u64 {
        let began_ns = time.now_ns();
        let before = out.len();
        let result = self.apply(request, time, out);
        let failed = result.is_err();
        if let Err(error) = result {
            out.truncate(before);
            Writer::new(out, request.client.protocol).error(&error);
            statistics.count_error(&error);
        }
        self.log.record(request.client.db, request.arguments, &self.effects);
        statistics.counters.keys.changes += self.effects.dirty();
        self.effects.clear();
        let took_ns = time.now_ns() - began_ns;
        statistics.count_call(request.number, took_ns, failed);
        took_ns
    }

    /// Runs a command that was logged: nothing is logged or counted.
    pub(crate) fn replay(&mut self, request: &ShardRequest<'_>, time: &Time, out: &mut Vec<u8>) {
        if let Err(error) = self.apply(request, time, out) {
            out.clear();
            Writer::new(out, request.client.protocol).error(&error);
        }
        self.effects.clear();
    }

    #[inline]
    fn apply(
        &mut self,
        request: &ShardRequest<'_>,
        time: &Time,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, CommandError> {
        let mut context = ShardContext {
            keyspace: &mut self.keyspace,
            db: request.client.db as usize,
            now_ms: time.unix_ms(),
            effects: &mut self.effects,
            limits: &self.limits,
            shard: self.place,
            no_touch: request.client.no_touch,
        };
        let mut writer = Writer::new(out, request.client.protocol);
        (request.command.run)(&mut context, request.arguments, &mut writer)
    }

    /// A short slice of what the keyspace has to do of itself: expiry, freeing, giving memory back.
    /// What expires is logged. True: there is more to do now.
    pub(crate) fn run_slice(&mut self, now_ms: i64) -> bool {
        let expiry = self.keyspace.expire_slice(now_ms, &mut self.effects);
        self.log.record_background(&self.effects);
        self.effects.clear();
        let freeing = self.keyspace.doomed_mut().free_slice(1);
        let maintaining = self.keyspace.maintain(MAINTAIN_RECORDS);
        expiry.more || freeing || maintaining
    }

    /// Keys of all databases.
    pub(crate) fn keys(&self) -> usize {
        (0..self.keyspace.database_count()).map(|db| self.keyspace.key_count(db)).sum()
    }

    /// Begins a round of prefetching.
    pub(crate) fn prefetch_begin(&mut self) {
        self.prefetched.clear();
    }

    /// Asks for the bucket of `key`.
    #[inline]
    pub(crate) fn prefetch_bucket(&mut self, db: u32, key: &[u8]) {
        let hash = self.keyspace.hash(key);
        self.keyspace.prefetch(db as usize, hash);
        self.prefetched.push((db, hash));
    }

    /// Asks for the records of the keys whose buckets were asked for.
    pub(crate) fn prefetch_records(&self) {
        for (db, hash) in &self.prefetched {
            self.keyspace.prefetch_record(*db as usize, *hash);
        }
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shard").field("keys", &self.keys()).finish()
    }
}
