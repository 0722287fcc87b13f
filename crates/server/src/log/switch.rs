//! `CONFIG SET appendonly yes`: the log turned on while the server runs.
//!
//! 1. [`prepare`] (before the configuration changes; what it cannot do refuses the change) creates
//!    a generation of the log: an increment and a base for each shard, which no manifest lists yet.
//! 2. `Core::apply_config` on shard 0 pushes the *cut*: markers that enter all inboxes as one step
//!    ([`Core::push_log_cut`]). CONFIG SET is answered after that, so what a client writes from
//!    then on lies behind the cut.
//! 3. At its marker ([`Core::cut_log`]) each shard logs to its increment from now on, and begins a
//!    walk over the keys of this moment. Slices of background work ([`Core::advance_base`]) move
//!    the walk on and write the keys to the base, as they were at the cut: a record that is about
//!    to change is handed over before it changes, and a database that is emptied or exchanged stays
//!    in the walk under its number at the cut (`keyspace::Keyspace::begin_walk`).
//! 4. A base that is complete is synced by a thread of its own, as that may take seconds; the last
//!    one commits the generation. From then on a restart finds everything.
//!
//! ```text
//!  shard 0   keys | cut | base: a slice, a slice, a slice | synced |
//!            increment:   SET  INCR ...                             } commit: manifest
//!  shard 1   keys | cut | base: a slice, a slice | synced |
//! ```
//!
//! Until the commit what was logged cannot be recovered, as in Redis while it waits for its first
//! rewrite. If a shard fails, the generation is abandoned ([`LogSwitch::fail`]), every shard turns
//! its log off at its next period, and the configuration says `appendonly no` again.
//!
//! Turning the log off is `Core::end_log`, and [`Core::cancel_base`] for a generation that is being
//! written. What INFO says of all this is a [`SwitchReport`]: that of a rewrite, in Redis' terms.

mod report;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::Config;
use datatypes::string::StringBytes;
use durability::{
    BaseWriter, FileStorage, FsyncPolicy, LogDirectory, LogNames, NewGeneration, OpenMode, Segment,
    Storage, StorageError, TornTail,
};
use keyspace::Keyspace;
use table::PayloadRef;

use self::report::SwitchReport;
use crate::core::Core;
use crate::log::recovery::LOCK_NAME;
use crate::message::Purpose;
use crate::settings;
use crate::shared::Shared;

/// What CONFIG SET is answered when the log cannot be turned on (config.c).
const REFUSED: &str = "Unable to turn on AOF. Check server logs.";

/// Records handed over between two looks at the clock: some 20 us.
const WALK_RECORDS: usize = 64;

/// A base's buffer is written to the file when it has this much: a write of some 50 us.
const BUFFER_BYTES: usize = 256 * 1024;

/// The log being turned on, shared by all core threads.
#[derive(Default)]
pub(crate) struct LogSwitch {
    under_way: Mutex<Option<Switch>>,
    /// The generation that failed last; 0: none.
    failed: AtomicU64,
    /// Under a lock of its own: the other one is held while files are synced.
    report: Mutex<SwitchReport>,
    /// The locks of data directories, held while the server lives: a second server there is
    /// refused. There are several after CONFIG SET dir.
    locks: Mutex<Vec<File>>,
}

struct Switch {
    storage: FileStorage,
    directory: LogDirectory,
    new: NewGeneration,
    /// Whether the cut was pushed.
    cut: bool,
    /// Bases that are synced.
    done: usize,
}

/// What one shard contributes.
pub(crate) struct ShardSwitch {
    generation: u64,
    /// `None` once it is complete.
    base: Option<Base>,
}

/// A shard's base on its way to its file.
struct Base {
    /// Shared with the walks' sinks; borrowed by either only for the length of a call.
    writer: Rc<RefCell<BaseWriter>>,
    file: File,
}

/// Creates the files of a new generation, as `next` names them. `Err`: what CONFIG SET answers.
pub(crate) fn prepare(shared: &Shared, next: &Config) -> Result<(), String> {
    let mut place = shared.log_switch.lock();
    if place.is_some() {
        tracing::warn!("CONFIG SET appendonly yes: the log is being turned on or off already");
        return Err(REFUSED.to_owned());
    }
    let storage = FileStorage::new(settings::log(next).directory);
    let begun = shared.log_switch.lock_directory(&storage).and_then(|()| {
        // Only now: what another server has there is not to be touched.
        Switch::begin(storage, next, shared.shards() as u16)
    });
    let switch = begun.map_err(|error| {
        tracing::error!("The append-only log cannot be turned on: {error}");
        REFUSED.to_owned()
    })?;
    *place = Some(switch);
    drop(place);
    shared.log_switch.lock_report().begin();
    Ok(())
}

/// Gives up what [`prepare`] made, as long as no cut was pushed.
pub(crate) fn abandon(shared: &Shared) {
    if let Some(switch) = shared.log_switch.lock().take_if(|switch| !switch.cut) {
        switch.abandon();
        shared.log_switch.lock_report().call_off();
    }
}

impl Switch {
    fn begin(storage: FileStorage, config: &Config, shards: u16) -> Result<Self, String> {
        let log = settings::log(config);
        let names = LogNames::new(&log.append_directory, &log.append_file)
            .ok_or_else(|| format!("'{}' cannot name its files", log.append_file))?;
        let mut directory =
            LogDirectory::open(&storage, names).map_err(|error| error.to_string())?;
        if directory.is_empty() {
            // An empty generation with a manifest: if the server is killed before the commit, the
            // next start finds that, and not files that nobody vouches for.
            directory
                .plan(Vec::new(), shards, TornTail::Refuse)
                .map_err(|error| error.to_string())
                .and_then(|plan| {
                    let tails = directory.resume(&storage, &plan, shards);
                    tails.map_err(|error| error.to_string())
                })?;
        }
        let new =
            directory.begin_generation(&storage, shards).map_err(|error| error.to_string())?;
        Ok(Self { storage, directory, new, cut: false, done: 0 })
    }

    fn abandon(&self) {
        if let Err(error) = self.directory.abandon_generation(&self.storage, &self.new) {
            tracing::warn!("Files of an abandoned log could not be removed: {error}");
        }
    }
}

impl LogSwitch {
    fn lock(&self) -> MutexGuard<'_, Option<Switch>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_report(&self) -> MutexGuard<'_, SwitchReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the lock of a data directory while the server lives.
    pub(crate) fn hold_lock(&self, lock: File) {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    }

    /// Takes the lock of a data directory, unless this server has it.
    fn lock_directory(&self, storage: &FileStorage) -> Result<(), String> {
        match storage.lock(LOCK_NAME) {
            Ok(lock) => {
                self.hold_lock(lock);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
                let wanted = std::fs::metadata(storage.path(LOCK_NAME)).ok();
                let is_wanted = |lock: &File| {
                    let pair = wanted.as_ref().zip(lock.metadata().ok());
                    pair.is_some_and(|(it, own)| (it.dev(), it.ino()) == (own.dev(), own.ino()))
                };
                match locks.iter().any(is_wanted) {
                    true => Ok(()),
                    false => Err("another server uses the data directory".to_owned()),
                }
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// What INFO says.
    pub(crate) fn report(&self) -> SwitchReport {
        *self.lock_report()
    }

    /// The generation whose cut is to be pushed now, once.
    fn take_cut(&self) -> Option<u64> {
        let mut place = self.lock();
        let switch = place.as_mut().filter(|switch| !switch.cut)?;
        switch.cut = true;
        Some(switch.new.number)
    }

    /// Takes the switch out, if it is of `generation`.
    fn take(&self, generation: u64) -> Option<Switch> {
        let mut place = self.lock();
        place.take_if(|switch| switch.new.number == generation)
    }

    /// A shard could not do its part: the generation is given up.
    fn fail(&self, generation: u64, reason: &str) {
        if let Some(switch) = self.take(generation) {
            tracing::error!("The append-only log was not turned on: {reason}");
            self.failed.store(generation, Ordering::Release);
            switch.abandon();
            self.lock_report().end(false);
        }
    }

    /// A shard's base is complete and synced; the last one commits the generation.
    fn finish(&self, generation: u64, shards: usize) {
        let mut place = self.lock();
        let Some(switch) = place.as_mut().filter(|it| it.new.number == generation) else { return };
        switch.done += 1;
        if switch.done < shards {
            return;
        }
        let committed = switch.directory.commit_generation(&switch.storage, &switch.new);
        drop(place);
        match committed {
            Ok(()) => {
                drop(self.take(generation));
                self.lock_report().end(true);
                tracing::info!("The append-only log is on: generation {generation} is complete");
            }
            // The manifest may list it already: no file is removed.
            Err(error) => {
                tracing::error!("The append-only log was not turned on: {error}");
                drop(self.take(generation));
                self.failed.store(generation, Ordering::Release);
                self.lock_report().end(false);
            }
        }
    }
}

impl Core {
    /// Pushes the cut, if a generation was prepared: shard 0, when it takes the configuration over.
    pub(crate) fn push_log_cut(&mut self) {
        let Some(generation) = self.shared.log_switch.take_cut() else { return };
        for shard in 0..self.mail.shards() {
            let mut envelope = self.mail.envelope();
            envelope.purpose = Purpose::Call(Box::new(move |core| {
                // A value that is lent to a transaction would be missing from the base.
                core.call_unheld(move |core| core.cut_log(generation));
            }));
            self.mail.add_marker(shard, envelope);
        }
        self.mail.push_markers();
    }

    /// The cut has come to this shard.
    fn cut_log(&mut self, generation: u64) {
        let (enabled, policy) = {
            let config = self.shared.config();
            (config.log.enabled, settings::fsync_policy(&config))
        };
        if self.has_failed_log() {
            self.leave_log();
        }
        if !enabled || self.shard.log.is_on() {
            // It was turned off again meanwhile, before some shard began: nobody else gives it up.
            self.call_off(generation);
            return;
        }
        let shared = Arc::clone(&self.shared);
        let result = {
            let place = shared.log_switch.lock();
            let switch = place.as_ref().filter(|switch| switch.new.number == generation);
            let Some(switch) = switch else { return };
            self.begin_base(switch, policy).map_err(|error| error.to_string())
        };
        if let Err(reason) = result {
            shared.log_switch.fail(generation, &reason);
        }
    }

    /// Logs to the increment from now on, and begins the walks.
    fn begin_base(&mut self, switch: &Switch, policy: FsyncPolicy) -> Result<(), StorageError> {
        let (shard, generation) = (self.mail.shard, switch.new.number);
        let tail = &switch.new.tails[shard];
        let increment = switch.storage.open(&tail.path, OpenMode::Append)?.into_file();
        let file = switch.storage.open(&switch.new.bases[shard], OpenMode::CreateNew)?.into_file();
        let writer = BaseWriter::new(generation, shard as u16, self.mail.shards() as u16);
        let writer = Rc::new(RefCell::new(writer));
        begin_walk(&mut self.shard.keyspace, &writer)
            .map_err(|error| StorageError::new("walk", &tail.path, error))?;
        let segment = Segment::resume(tail.position, policy, self.time.unix_ms() as u64);
        // Positions begin anew.
        self.let_waiting_go();
        self.shared.ledger().begin_segment(shard as u16);
        self.shard.turn_log_on(shard as u16, Box::new(increment), segment, tail.counter);
        self.shard.switch = Some(ShardSwitch { generation, base: Some(Base { writer, file }) });
        self.background.pending = true;
        Ok(())
    }

    /// A slice of the base that is being written, until `until_ns`. True: there is more.
    pub(crate) fn advance_base(&mut self, until_ns: u64) -> bool {
        let Some(switch) = &mut self.shard.switch else { return false };
        let Some(base) = &mut switch.base else { return false };
        let time = &self.time;
        let advanced = base.advance(&mut self.shard.keyspace, || time.now_ns() >= until_ns);
        match advanced {
            Ok(true) => return true,
            Ok(false) => {
                let (generation, base) = (switch.generation, switch.base.take());
                self.sync_base(generation, base);
            }
            Err(error) => {
                let generation = switch.generation;
                self.shared.log_switch.fail(generation, &error.to_string());
            }
        }
        false
    }

    /// Makes a complete base durable, on a thread of its own.
    fn sync_base(&self, generation: u64, base: Option<Base>) {
        let Some(Base { file, .. }) = base else { return };
        let (shared, shards) = (Arc::clone(&self.shared), self.mail.shards());
        let sync = move || match file.sync_data() {
            Ok(()) => shared.log_switch.finish(generation, shards),
            Err(error) => shared.log_switch.fail(generation, &error.to_string()),
        };
        let spawned = std::thread::Builder::new().name("log-base".to_owned()).spawn(sync);
        if let Err(error) = spawned {
            self.shared.log_switch.fail(generation, &error.to_string());
        }
    }

    /// Turns this shard's log off if the generation that it logs to has failed: once a period.
    pub(crate) fn leave_failed_log(&mut self) {
        if self.has_failed_log() {
            self.shared.config().log.enabled = false;
            self.leave_log();
        }
    }

    /// Whether this shard logs to a generation that has failed.
    fn has_failed_log(&self) -> bool {
        let failed = self.shared.log_switch.failed.load(Ordering::Acquire);
        self.shard.switch.as_ref().is_some_and(|switch| switch.generation == failed)
    }

    fn leave_log(&mut self) {
        self.cancel_base();
        self.shard.turn_log_off();
        self.shared.publish_log_refusal(self.mail.shard, None);
    }

    /// The log is being turned off: what of a new generation is not complete is given up.
    pub(crate) fn cancel_base(&mut self) {
        let Some(switch) = self.shard.switch.take() else { return };
        if switch.base.is_some() {
            self.shard.keyspace.end_walk();
        }
        self.call_off(switch.generation);
    }

    /// Gives `generation` up, if it is still under way: nobody wants it any more.
    fn call_off(&self, generation: u64) {
        if let Some(switch) = self.shared.log_switch.take(generation) {
            switch.abandon();
            self.shared.log_switch.lock_report().call_off();
        }
    }
}

/// Begins the walk that gives `writer` the keys of this moment.
fn begin_walk(keyspace: &mut Keyspace, writer: &Rc<RefCell<BaseWriter>>) -> io::Result<()> {
    let writer = Rc::clone(writer);
    let began = keyspace.begin_walk(move |record| {
        let (db, key) = (record.db as u32, record.key);
        let mut writer = writer.borrow_mut();
        let expiry = record.expiry.map(|at_ms| at_ms.max(1).unsigned_abs());
        if let Some(value) = StringBytes::of(record.payload) {
            writer.string(db, key, &value, expiry);
            return None;
        }
        let PayloadRef::Object(object) = record.payload else {
            unreachable!("what is embedded is a string")
        };
        let add = |words: &[&[u8]]| writer.command(db, words);
        let rest = object.commands(key, record.from, record.elements, add);
        if let (None, Some(at_ms)) = (rest, expiry) {
            writer.expire(db, key, at_ms);
        }
        rest
    });
    if began {
        return Ok(());
    }
    Err(io::Error::other("an earlier walk is still being cleared: try again"))
}

impl Base {
    /// Moves the walk on until it is complete or `is_over`, and writes what it gave. True: there
    /// is more to do.
    fn advance(
        &mut self,
        keyspace: &mut Keyspace,
        mut is_over: impl FnMut() -> bool,
    ) -> io::Result<bool> {
        while keyspace.walk(WALK_RECORDS) {
            if self.writer.borrow().buffered_bytes() >= BUFFER_BYTES {
                self.write()?;
            }
            if is_over() {
                return Ok(true);
            }
        }
        self.write()?;
        Ok(false)
    }

    /// Writes the buffer to the file.
    fn write(&mut self) -> io::Result<()> {
        let mut writer = self.writer.borrow_mut();
        let bytes = writer.poll_write().len();
        self.file.write_all(writer.poll_write())?;
        writer.handle_written(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
