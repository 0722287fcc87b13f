//! The shard: a part of the keyspace and its log, and the one place where commands run on it.

use commands::{CommandLimits, Outcome, ShardCommand, ShardContext, ShardPlace, Wait};
use durability::Segment;
use keyspace::{Effects, Keyspace, LoggedCommands, Wanted};
use resp::{Arguments, CommandError, Writer};

use crate::log::Log;
use crate::log::file::LogFile;
use crate::log::switch::ShardSwitch;
use crate::message::Client;
use crate::statistics::Statistics;
use crate::tick::time::Time;
use crate::transaction::watchers::{Watcher, Watchers};
use crate::transaction::{HeldLogs, Holds};
use crate::waiting::Lines;

/// The part of the keyspace that a core thread owns. No lock guards it: no other thread reaches it.
pub(crate) struct Shard {
    pub(crate) keyspace: Keyspace,
    pub(crate) effects: Effects,
    pub(crate) log: Log,
    /// Since the log was turned on at run time.
    pub(crate) switch: Option<ShardSwitch>,
    pub(crate) place: ShardPlace,
    pub(crate) limits: CommandLimits,
    /// Keys that transactions hold, and what waits for them.
    pub(crate) holds: Holds,
    /// What the transactions that hold keys here have changed so far.
    pub(crate) held_logs: HeldLogs,
    /// WATCH.
    pub(crate) watchers: Watchers,
    /// Commands that wait for keys.
    pub(crate) waiting: Lines,
    /// What the command that ran last wants to wait for; taken by whoever let it.
    pub(crate) asked: Option<Box<Wait>>,
    /// Databases and hashes of the keys that are being brought near the processor.
    prefetched: Vec<(u32, table::Hash)>,
}

#[cfg(test)]
thread_local! {
    /// The events that the shards of a test were told of.
    pub(crate) static TOLD: std::cell::RefCell<Vec<Told>> = const {
        std::cell::RefCell::new(Vec::new())
    };
}

/// An event that a shard was told of, as a test sees it.
#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) shard: usize,
    /// Database, name and key.
    pub(crate) text: String,
}

#[cfg(test)]
impl Told {
    fn of(shard: usize, event: keyspace::Event<'_>) -> Self {
        let keyspace::Event { name, of, .. } = event;
        Self { shard, text: format!("{} {name} {}", of.db, of.key.escape_ascii()) }
    }
}

/// Keys of one command that are brought near the processor before it runs: more would drive each
/// other out of the nearest cache.
const PREFETCH_KEYS_MAX: usize = 64;

/// Records that a slice of upkeep may move: some 10 us.
const MAINTAIN_RECORDS: usize = 64;

/// A command that is to run here.
#[derive(Clone, Copy)]
pub(crate) struct ShardRequest<'a> {
    pub(crate) command: &'static ShardCommand,
    pub(crate) number: u16,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) client: Client,
    /// The moment that it sees: the tick's, or that of the transaction which it is part of.
    pub(crate) now_ms: i64,
    /// Whether it counts as a call here, and its error as one: not where several shards run it.
    pub(crate) counted: bool,
    /// Whether it may wait for keys: then, if it wants to, it has replied nothing and
    /// [`Shard::asked`] says so. Otherwise it replies what it would when its time is over.
    pub(crate) may_wait: bool,
}

/// Where what a command changed is written down.
pub(crate) enum Sink<'a> {
    /// In the log.
    Log,
    /// Here, to be logged when its transaction settles.
    Kept {
        commands: &'a mut LoggedCommands,
        /// The moment of the transaction.
        now_ms: i64,
    },
    /// Nowhere: the effects stay, for who called.
    Nothing,
}

impl Shard {
    pub(crate) fn new(keyspace: Keyspace, place: ShardPlace, limits: CommandLimits) -> Self {
        let mut shard = Self {
            keyspace,
            effects: Effects::new(),
            log: Log::off(),
            switch: None,
            place,
            limits,
            holds: Holds::default(),
            held_logs: HeldLogs::default(),
            watchers: Watchers::default(),
            waiting: Lines::default(),
            asked: None,
            prefetched: Vec::new(),
        };
        shard.want_effects();
        shard
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
        self.run_to(&mut Sink::Log, request, (statistics, time), out)
    }

    /// The same; what it changed goes to `sink`.
    #[inline]
    pub(crate) fn run_to(
        &mut self,
        sink: &mut Sink<'_>,
        request: &ShardRequest<'_>,
        (statistics, time): (&mut Statistics, &Time),
        out: &mut Vec<u8>,
    ) -> u64 {
        let began_ns = time.now_ns();
        let before = out.len();
        let result = self.apply(request, out);
        let failed = result.is_err();
        let mut counted = request.counted;
        match result {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Wait(wait)) => counted &= !self.begin_wait(wait, request, out),
            Err(error) => {
                out.truncate(before);
                Writer::new(out, request.client.protocol).error(&error);
                if request.counted {
                    statistics.count_error(&error);
                }
            }
        }
        match sink {
            Sink::Log => {
                debug_assert!(self.effects.logs() || !self.log.is_on(), "nothing would be logged");
                self.log.record(request.client.db, request.arguments, &self.effects);
            }
            Sink::Kept { commands, .. } => {
                let own = (request.client.db as usize, request.arguments.bytes());
                self.effects.logged(own).for_each(|(db, it)| commands.push_encoded(db, it));
            }
            Sink::Nothing => {}
        }
        statistics.counters.keys.changes += self.effects.dirty();
        if !matches!(sink, Sink::Nothing) {
            // The moment of what ran: a transaction's is older than this tick.
            self.forget_effects(request.now_ms);
        }
        let took_ns = time.now_ns() - began_ns;
        if counted {
            statistics.count_call(request.number, took_ns, failed);
        } else {
            statistics.ticks.note_call(request.number, took_ns);
        }
        took_ns
    }

    /// A command wants to wait. False: it must not, and was answered.
    #[cold]
    fn begin_wait(
        &mut self,
        wait: Box<Wait>,
        request: &ShardRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        if !request.may_wait {
            wait.at_once.write(&mut Writer::new(out, request.client.protocol));
            return false;
        }
        self.asked = Some(wait);
        true
    }

    /// The effects were logged: tells who watches keys or waits for them, and forgets them.
    #[inline]
    fn forget_effects(&mut self, now_ms: i64) {
        let is_heard = !self.watchers.is_empty() || !self.waiting.is_empty() || cfg!(test);
        if is_heard && !self.effects.is_plain() {
            let effects = std::mem::take(&mut self.effects);
            self.notice(&effects, now_ms);
            self.effects = effects;
        }
        self.effects.clear();
    }

    /// Tells who watches keys or waits for them what happened to them.
    fn notice(&mut self, effects: &Effects, now_ms: i64) {
        #[cfg(test)]
        TOLD.with_borrow_mut(|told| {
            told.extend(effects.events().map(|event| Told::of(self.place.index, event)));
        });
        if !self.watchers.is_empty() {
            self.watchers.notice(effects, &self.keyspace, now_ms);
        }
        if !self.waiting.is_empty() {
            self.waiting.notice(effects);
        }
    }

    /// Keeps what happened without a command, in the name of a transaction that holds keys.
    pub(crate) fn keep_background(&mut self, kept: &mut LoggedCommands, now_ms: i64) {
        for (db, command) in self.effects.before().iter() {
            kept.push_encoded(db, command);
        }
        self.forget_effects(now_ms);
    }

    /// Logs what happened without a command: keys that expired or were evicted.
    pub(crate) fn record_background(&mut self, now_ms: i64) {
        self.log.record_background(&self.effects);
        self.forget_effects(now_ms);
    }

    /// A connection watches keys of a database from now on.
    pub(crate) fn watch(&mut self, watcher: Watcher, db: u32, keys: &[Box<[u8]>], now_ms: i64) {
        for key in keys {
            self.watchers.watch(watcher, (db, key), &self.keyspace, now_ms);
        }
        self.want_effects();
    }

    /// A watcher ends. Whether a key that it watched was touched.
    pub(crate) fn end_watcher(&mut self, watcher: Watcher, now_ms: i64) -> bool {
        let dirty = self.watchers.end(watcher, &self.keyspace, now_ms);
        self.want_effects();
        dirty
    }

    /// Whether anybody watches a key.
    #[cfg(test)]
    pub(crate) fn is_watched(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// Somebody began or ceased to watch keys or to wait for them.
    pub(crate) fn want_effects(&mut self) {
        let modified = !self.watchers.is_empty() || !self.waiting.is_empty();
        let records = self.log.is_on();
        self.effects.want(Wanted { modified, records, ..self.effects.wanted() });
    }

    /// Logs to `file` from now on; see [`Log::turn_on`].
    pub(crate) fn turn_log_on(
        &mut self,
        shard: u16,
        file: Box<dyn LogFile>,
        segment: Segment,
        counter: u64,
    ) {
        self.log.turn_on(shard, file, segment, counter);
        self.want_effects();
    }

    /// Logs nothing from now on.
    pub(crate) fn turn_log_off(&mut self) {
        self.log.turn_off();
        self.want_effects();
    }

    /// What a transaction did elsewhere to keys of this shard, on what was lent to it: keeps its
    /// records for the transaction's part, tells who watches or waits for the keys, and empties
    /// `done`.
    pub(crate) fn take_over(&mut self, done: &mut Effects, kept: &mut LoggedCommands, now_ms: i64) {
        if !done.is_plain() {
            // Of a command on what was lent nothing goes to the log verbatim.
            done.logged((0, b"")).for_each(|(db, it)| kept.push_encoded(db, it));
            self.notice(done, now_ms);
        }
        done.clear();
    }

    /// Runs a command that was logged: nothing is logged or counted.
    pub(crate) fn replay(&mut self, request: &ShardRequest<'_>, out: &mut Vec<u8>) {
        if let Err(error) = self.apply(request, out) {
            out.clear();
            Writer::new(out, request.client.protocol).error(&error);
        }
        self.effects.clear();
    }

    #[inline]
    fn apply(
        &mut self,
        request: &ShardRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, CommandError> {
        let mut context = ShardContext {
            keyspace: &mut self.keyspace,
            db: request.client.db as usize,
            now_ms: request.now_ms,
            effects: &mut self.effects,
            limits: &self.limits,
            shard: self.place,
            no_touch: request.client.no_touch,
        };
        let mut writer = Writer::new(out, request.client.protocol);
        request.command.run.call(&mut context, request.arguments, &mut writer)
    }

    /// A short slice of what the keyspace has to do of itself: expiry, freeing, giving memory back.
    /// What expires is logged. True: there is more to do now.
    pub(crate) fn run_slice(&mut self, now_ms: i64) -> bool {
        self.spare_claimed();
        let expiry = self.keyspace.expire_slice(now_ms, &mut self.effects);
        self.record_background(now_ms);
        let freeing = self.keyspace.doomed_mut().free_slice(1);
        let maintaining = self.keyspace.maintain(MAINTAIN_RECORDS);
        expiry.more || freeing || maintaining
    }

    /// Has the keyspace neither expire nor evict keys that transactions hold or that somebody waits
    /// for: their values stay as they are.
    pub(crate) fn spare_claimed(&mut self) {
        if self.holds.is_idle() {
            return self.keyspace.spare_nothing();
        }
        match self.holds.claimed() {
            None => self.keyspace.spare_everything(),
            Some(keys) => self.keyspace.spare(keys),
        }
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

    /// Asks for the buckets of a command's keys: the first one's, or of all where it splits.
    #[inline]
    pub(crate) fn prefetch_buckets(
        &mut self,
        db: u32,
        command: &ShardCommand,
        arguments: Arguments<'_>,
    ) {
        if !command.splits() {
            if let Some(key) = arguments.get(1) {
                self.prefetch_bucket(db, key);
            }
            return;
        }
        let (begin, step) = command.key_range().unwrap_or((1, 1));
        let keys = arguments.from(begin).iter().step_by(step).take(PREFETCH_KEYS_MAX);
        keys.for_each(|key| self.prefetch_bucket(db, key));
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
