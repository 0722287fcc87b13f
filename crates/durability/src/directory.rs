//! The log's directory: which files there are, how they come and go.
//!
//! Every change is made so that a crash at any point leaves the old state or the new one:
//!
//! ```text
//!  new files     created, written, synced        (nobody lists them yet)
//!                directory synced
//!  manifest      temp-... written, synced        (still the old one counts)
//!                renamed over the manifest       <- the change happens here
//!                directory synced
//!  old files     removed                         (nobody lists them any more)
//! ```
//!
//! [`LogDirectory::open`] and [`LogDirectory::plan`] change nothing, so a start that refuses
//! leaves the files as it found them. [`LogDirectory::resume`] cuts files only after every segment
//! was walked to its end, and syncs the cuts before anything is appended: after a power loss no
//! new record can stand behind an old, incomplete transaction.
//!
//! A number of a generation is never used twice: the next one is above all that the manifest or
//! any file name carries.

use std::io::ErrorKind;

use crate::annotation::is_bare;
use crate::error::RecoveryError;
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest, Role, SHARDS_MAX, SegmentFile};
use crate::names::{LogNames, TEMPORARY};
use crate::plan::{PlannedSegment, RecoveryPlan, TornTail};
use crate::scan::{SegmentIndex, SegmentSource};
use crate::segment::Segment;
use crate::storage::{OpenMode, Storage, StorageError, read_whole};

/// The log's files, as the manifest lists them.
#[derive(Debug, Clone)]
pub struct LogDirectory {
    names: LogNames,
    manifest: Manifest,
    /// The highest generation in the manifest or in any file's name.
    generation_max: u64,
    /// Whether Redis' single file still lies in the data directory.
    adopting: bool,
    /// Segments of ours that no manifest listed, and that were removed.
    strays: Vec<Stray>,
}

/// A segment of a generation that was never committed: a server ended while it turned its log on.
/// What it has was not to be recovered from it, and it was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its path, as a `Storage` takes it.
    pub path: String,
    /// How long it was.
    pub bytes: u64,
}

/// Where a shard goes on writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The segment's path, as a `Storage` takes it.
    pub path: String,
    /// Its length: the position for [`Segment::resume`].
    pub position: u64,
    /// Its generation.
    pub generation: u64,
    /// The first transaction counter that this shard, as a home, has not used.
    pub counter: u64,
}

/// A generation that is being written beside the present one, for
/// [`LogDirectory::commit_generation`].
#[derive(Debug, Clone)]
pub struct NewGeneration {
    /// Its number.
    pub number: u64,
    /// Each shard's increment: created, and to be written from the moment its base begins.
    pub tails: Vec<Tail>,
    /// The path of each shard's base: to be created, written and synced by the caller.
    pub bases: Vec<String>,
}

impl LogDirectory {
    /// Reads the manifest. Without one, the log is empty, or is Redis' single file.
    ///
    /// Changes nothing.
    pub fn open<S: Storage>(storage: &S, names: LogNames) -> Result<Self, RecoveryError> {
        let present = storage.list(names.directory())?;
        let single = storage.list("")?.iter().any(|name| name == names.single_file());
        let generations = present.iter().filter_map(|name| names.generation(name));
        let generation_max = generations.max().unwrap_or(0);
        let mut directory = Self {
            names,
            manifest: Manifest::default(),
            generation_max,
            adopting: false,
            strays: Vec::new(),
        };
        if present.contains(&directory.names.manifest()) {
            directory.read_manifest(storage, &present, single)?;
            return Ok(directory);
        }
        directory.check_unlisted(storage, &present)?;
        if single {
            directory.adopting = true;
            directory.manifest.push(SegmentFile {
                name: directory.names.single_file().to_owned(),
                seq: 1,
                role: Role::Base,
                generation: 0,
                shard: 0,
                shards: 1,
            });
        }
        Ok(directory)
    }

    fn read_manifest<S: Storage>(
        &mut self,
        storage: &S,
        present: &[String],
        single: bool,
    ) -> Result<(), RecoveryError> {
        let path = self.names.path(&self.names.manifest());
        let text = read_whole(storage, &path, MANIFEST_BYTES_MAX)?;
        self.manifest = Manifest::parse(&text)
            .map_err(|error| RecoveryError::Manifest { name: path, error })?;
        let listed = self.manifest.files().iter().map(|file| file.generation);
        self.generation_max = self.generation_max.max(listed.max().unwrap_or(0));
        for file in self.manifest.segments() {
            if present.contains(&file.name) {
                continue;
            }
            // A crash between the manifest and the move of the single file leaves this.
            if single && file.generation == 0 && file.name == self.names.single_file() {
                self.adopting = true;
                continue;
            }
            return Err(RecoveryError::SegmentMissing { name: self.names.path(&file.name) });
        }
        Ok(())
    }

    /// Without a manifest there must be no segment with anything in it: somebody's data.
    fn check_unlisted<S: Storage>(
        &self,
        storage: &S,
        present: &[String],
    ) -> Result<(), RecoveryError> {
        for name in present.iter().filter(|name| self.names.is_segment(name)) {
            let segment = self.names.path(name);
            if !is_bare_file(storage, &segment)? {
                let name = self.names.path(&self.names.manifest());
                return Err(RecoveryError::ManifestMissing { name, segment });
            }
        }
        Ok(())
    }

    /// Whether there is nothing to recover.
    pub fn is_empty(&self) -> bool {
        self.manifest.files().is_empty()
    }

    /// The segments with records in them that were removed because no manifest lists them. Each is
    /// worth a line in the server's log.
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The segments to [`crate::scan()`], in the order in which [`Self::plan`] wants the indexes.
    pub fn segments(&self) -> Vec<SegmentSource> {
        let source = |file: &SegmentFile| SegmentSource {
            path: self.path(file),
            role: file.role,
            generation: file.generation,
            shard: file.shard,
            shards: file.shards,
        };
        self.manifest.segments().map(source).collect()
    }

    fn path(&self, file: &SegmentFile) -> String {
        if self.adopting && file.generation == 0 && file.name == self.names.single_file() {
            return file.name.clone();
        }
        self.names.path(&file.name)
    }

    /// Decides where each segment ends, for a server of `shards` shards. Changes nothing.
    ///
    /// # Panics
    /// If `indexes` are not those of [`Self::segments`], in that order.
    pub fn plan(
        &self,
        indexes: Vec<SegmentIndex>,
        shards: u16,
        torn: TornTail,
    ) -> Result<RecoveryPlan, RecoveryError> {
        let sources = indexes.iter().map(|index| &index.source);
        assert!(sources.eq(self.segments().iter()), "one index for each segment, in order");
        let mut plan = RecoveryPlan::new(indexes, shards, torn)?;
        if self.adopting {
            // It is cut where it lies, and read where it will lie.
            let single = self.names.single_file();
            plan.move_file(single, &self.names.path(single));
        }
        Ok(plan)
    }

    /// Makes the directory ready for writing by `shards` shards, as `plan` says: cuts what is to
    /// be cut, begins a generation if the last one has another number of shards (or is Redis'),
    /// and returns where each shard goes on.
    ///
    /// # Panics
    /// If `shards` is 0 or above [`SHARDS_MAX`].
    pub fn resume<S: Storage>(
        &mut self,
        storage: &S,
        plan: &RecoveryPlan,
        shards: u16,
    ) -> Result<Vec<Tail>, StorageError> {
        assert!((1..=SHARDS_MAX).contains(&shards), "a number of shards from 1 to {SHARDS_MAX}");
        for cut in plan.cuts() {
            let mut file = storage.open(&cut.path, OpenMode::Append)?;
            storage.truncate(&mut file, cut.offset)?;
        }
        self.make_directory(storage)?;
        self.adopt(storage)?;
        self.clean(storage)?;
        let Some(last) = plan.generations.last() else {
            return self.begin_empty(storage, shards);
        };
        // Makes the cuts durable, and what a killed server left in the page cache: the manifest's
        // name, too. All are about to be followed by new records, which must not outlast them.
        storage.sync_dir(self.names.directory())?;
        let ends = last.chains.iter().filter_map(|chain| chain.last());
        for end in ends.clone() {
            storage.sync(&storage.open(&end.path, OpenMode::Append)?)?;
        }
        if last.shards != shards || last.number == 0 {
            return self.begin_empty(storage, shards);
        }
        let tail = |(shard, end): (u16, &PlannedSegment)| Tail {
            path: end.path.clone(),
            position: end.end,
            generation: last.number,
            counter: plan.counter(shard),
        };
        Ok((0..shards).zip(ends).map(tail).collect())
    }

    /// Begins a generation behind what there is.
    fn begin_empty<S: Storage>(
        &mut self,
        storage: &S,
        shards: u16,
    ) -> Result<Vec<Tail>, StorageError> {
        let new = self.begin_generation(storage, shards)?;
        self.list(&new, Role::Increment);
        self.write_manifest(storage)?;
        Ok(new.tails)
    }

    /// Creates the increments of a new generation of `shards` shards, which nobody lists yet: for
    /// the log turned on at run time.
    ///
    /// All shards then begin the generation at one cut (a transaction of which all of them are
    /// participants): what runs behind it goes to the increments, and what was before is each
    /// shard's base. Were a transaction before the beginning on one shard and behind it on
    /// another, recovery would find it incomplete.
    pub fn begin_generation<S: Storage>(
        &mut self,
        storage: &S,
        shards: u16,
    ) -> Result<NewGeneration, StorageError> {
        self.make_directory(storage)?;
        let number = self.generation_max + 1;
        self.generation_max = number;
        let mut new = NewGeneration { number, tails: Vec::new(), bases: Vec::new() };
        for shard in 0..shards {
            let path = self.names.path(&self.names.segment(number, shard, Role::Increment));
            let header = Segment::header(number, shard, shards);
            let mut file = storage.open(&path, OpenMode::CreateNew)?;
            storage.append(&mut file, &header)?;
            storage.sync(&file)?;
            let position = header.len() as u64;
            new.tails.push(Tail { path, position, generation: number, counter: 0 });
            new.bases.push(self.names.path(&self.names.segment(number, shard, Role::Base)));
        }
        storage.sync_dir(self.names.directory())?;
        Ok(new)
    }

    /// Makes `new`, whose bases the caller has written and synced, the whole log; what was before
    /// becomes history and is removed.
    pub fn commit_generation<S: Storage>(
        &mut self,
        storage: &S,
        new: &NewGeneration,
    ) -> Result<(), StorageError> {
        storage.sync_dir(self.names.directory())?;
        self.manifest.retire_all();
        self.list(new, Role::Base);
        self.list(new, Role::Increment);
        self.write_manifest(storage)?;
        self.clean(storage)
    }

    /// Removes the files of a generation that will not be committed.
    pub fn abandon_generation<S: Storage>(
        &self,
        storage: &S,
        new: &NewGeneration,
    ) -> Result<(), StorageError> {
        for path in new.bases.iter().chain(new.tails.iter().map(|tail| &tail.path)) {
            remove_if_present(storage, path)?;
        }
        Ok(())
    }

    fn list(&mut self, new: &NewGeneration, role: Role) {
        let shards = new.tails.len() as u16;
        for shard in 0..shards {
            let generation = new.number;
            let name = self.names.segment(generation, shard, role);
            self.manifest.push(SegmentFile { name, seq: 0, role, generation, shard, shards });
        }
    }

    fn make_directory<S: Storage>(&self, storage: &S) -> Result<(), StorageError> {
        storage.create_dir(self.names.directory())?;
        storage.sync_dir("")
    }

    /// Moves Redis' single file into the directory, as Redis 7 does when it finds one.
    fn adopt<S: Storage>(&mut self, storage: &S) -> Result<(), StorageError> {
        if !self.adopting {
            return Ok(());
        }
        self.write_manifest(storage)?;
        let single = self.names.single_file();
        storage.rename(single, &self.names.path(single))?;
        storage.sync_dir(self.names.directory())?;
        storage.sync_dir("")?;
        self.adopting = false;
        Ok(())
    }

    /// Removes what a crash or a change of generation left behind: temporaries, history, and
    /// segments of ours that the manifest does not list. Other unlisted files are left alone.
    ///
    /// An unlisted segment is of a generation that was never committed. There is a manifest
    /// whenever one is removed: without it a segment with records in it refuses the start.
    fn clean<S: Storage>(&mut self, storage: &S) -> Result<(), StorageError> {
        let listed = |name: &str| self.manifest.segments().any(|file| file.name == name);
        for name in storage.list(self.names.directory())? {
            let path = self.names.path(&name);
            let history = self
                .manifest
                .files()
                .iter()
                .any(|file| file.role == Role::History && file.name == name);
            let stray = self.names.is_own_segment(&name) && !listed(&name) && !history;
            if stray && !is_bare_file(storage, &path)? {
                let bytes = storage.file_bytes(&storage.open(&path, OpenMode::Read)?)?;
                self.strays.push(Stray { path: path.clone(), bytes });
            }
            if name.starts_with(TEMPORARY) || history || stray {
                remove_if_present(storage, &path)?;
            }
        }
        if self.manifest.files().iter().any(|file| file.role == Role::History) {
            self.manifest.forget_history();
            self.write_manifest(storage)?;
        }
        Ok(())
    }

    fn write_manifest<S: Storage>(&self, storage: &S) -> Result<(), StorageError> {
        let manifest = self.names.manifest();
        let temporary = self.names.path(&format!("{TEMPORARY}{manifest}"));
        remove_if_present(storage, &temporary)?;
        let mut file = storage.open(&temporary, OpenMode::CreateNew)?;
        storage.append(&mut file, &self.manifest.write())?;
        storage.sync(&file)?;
        storage.rename(&temporary, &self.names.path(&manifest))?;
        storage.sync_dir(self.names.directory())
    }
}

fn remove_if_present<S: Storage>(storage: &S, path: &str) -> Result<(), StorageError> {
    match storage.remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether a segment file has nothing in it but (a beginning of) its first line.
fn is_bare_file<S: Storage>(storage: &S, path: &str) -> Result<bool, StorageError> {
    // Longer than any first line of ours, so that a longer file shows itself.
    let mut beginning = [0; 256];
    let file = storage.open(path, OpenMode::Read)?;
    let read = storage.read_at(&file, 0, &mut beginning)?;
    Ok(read < beginning.len() && is_bare(&beginning[..read]))
}
