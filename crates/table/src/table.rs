//! The table: how a key is found, and the parts that the other files work on.
//!
//! A lookup reads an entry of the directory (16 bytes, in cache), one bucket (a cache line), and
//! for a fingerprint that matches the record itself. A miss ends in the bucket unless records that
//! belong there had to move on. What changes the table is in `write` (one record), `resize`
//! (segments), `upkeep` (giving memory back) and `drain` (taking it apart).

use std::marker::PhantomData;

use crate::bucket::SLOTS;
use crate::directory::{Directory, Place};
use crate::hash::{Hash, Hasher};
use crate::heap::Heap;
use crate::raw::RawRecord;
use crate::record::Record;
use crate::record_mut::{Entry, RecordMut, VacantEntry};
use crate::upkeep::Upkeep;
use crate::walk::Walk;

/// The hash table of one database on one shard: key bytes to record.
///
/// Neither `Send` nor `Sync`: it is made on its core thread and stays there. Allocates nothing
/// but a small fixed part until the first record. `V` is the object type: at most 16 bytes,
/// aligned to at most 8 (checked at compile time).
///
/// Every call that takes a `hash` expects the hash of its `key` by the table's [`Hasher`].
pub struct Table<V> {
    pub(crate) hasher: Hasher,
    pub(crate) directory: Directory,
    pub(crate) heap: Heap,
    /// Records; equals the sum of the owners' `len`.
    pub(crate) len: usize,
    /// Records with an expiry; equals the sum of the owners' `expiring`.
    pub(crate) expiring_len: usize,
    /// The walk under way, or one ended early whose marks are being cleared.
    pub(crate) walk: Option<Box<Walk<V>>>,
    /// Walks begun so far.
    pub(crate) walks: u64,
    pub(crate) upkeep: Upkeep,
    /// Buckets of the last segment that `drain` has emptied; `None` when not draining.
    pub(crate) drained: Option<usize>,
    pub(crate) _owns: PhantomData<(V, *mut u8)>,
}

/// The two lines of a record that a lookup is about to read: of 56 or 64 bytes most cross a line.
const LINE_BYTES: usize = 64;

impl<V> Table<V> {
    /// An empty table. All tables of a server are given the same hasher.
    #[must_use]
    pub fn new(hasher: Hasher) -> Self {
        Self {
            hasher,
            directory: Directory::new(),
            heap: Heap::new(),
            len: 0,
            expiring_len: 0,
            walk: None,
            walks: 0,
            upkeep: Upkeep::new(),
            drained: None,
            _owns: PhantomData,
        }
    }

    /// The record under `key`, to change it: one lookup. During a walk this hands the old state to
    /// the walk's sink first, changed or not: for access alone use [`Table::find`] and
    /// [`Record::set_access`].
    #[inline]
    pub fn find_mut(&mut self, hash: Hash, key: &[u8]) -> Option<RecordMut<'_, V>> {
        let (place, record) = self.locate(hash, key)?;
        self.protect(hash, record);
        Some(RecordMut::new(self, hash, place, record))
    }

    /// The record under `key` or the right to insert one, with one lookup. An occupied entry is
    /// treated by a walk as [`Table::find_mut`] says.
    #[inline]
    pub fn entry<'t, 'k>(&'t mut self, hash: Hash, key: &'k [u8]) -> Entry<'t, 'k, V> {
        match self.locate(hash, key) {
            Some((place, record)) => {
                self.protect(hash, record);
                Entry::Occupied(RecordMut::new(self, hash, place, record))
            }
            None => Entry::Vacant(VacantEntry::new(self, hash, key)),
        }
    }

    /// The record under `key`.
    #[inline]
    #[must_use]
    pub fn find(&self, hash: Hash, key: &[u8]) -> Option<Record<'_, V>> {
        self.locate(hash, key).map(|(_, record)| Record::new(record))
    }

    /// Whether there is a record under `key`.
    #[inline]
    #[must_use]
    pub fn contains(&self, hash: Hash, key: &[u8]) -> bool {
        self.locate(hash, key).is_some()
    }

    /// First stage of a batch lookup: asks for the bucket's cache line. Call it for all keys of a
    /// batch, then [`Table::prefetch_record`] for all, then look them up.
    #[inline]
    pub fn prefetch(&self, hash: Hash) {
        if let Some(segment) = self.directory.get(hash.position()) {
            prefetch_line(segment.bucket_address(hash.position()));
        }
    }

    /// Second stage: reads the bucket and asks for the first record whose fingerprint matches.
    #[inline]
    pub fn prefetch_record(&self, hash: Hash) {
        let Some(segment) = self.directory.get(hash.position()) else { return };
        let bucket = &segment.buckets()[segment.home(hash.position())];
        if let Some(slot) = bucket.matches(hash.fingerprint()).next() {
            let record = bucket.slot(slot).address().as_ptr().cast_const();
            prefetch_line(record);
            prefetch_line(record.wrapping_add(LINE_BYTES));
        }
    }

    /// The hash function given at construction.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// The hash of `key`, to be handed to the other calls.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> Hash {
        self.hasher.hash(key)
    }

    /// Records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Records that have an expiry.
    #[must_use]
    pub fn expiring_len(&self) -> usize {
        self.expiring_len
    }

    /// Bytes used: records rounded to their size class, buckets, directory. Not what objects own.
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        self.heap.bytes_used() + self.directory.bytes()
    }

    /// Of [`Table::bytes_used`], what does not come from the global allocator: the records in
    /// slabs. Who adds up a process's memory adds this to what the allocator says.
    #[must_use]
    pub fn bytes_mapped(&self) -> usize {
        self.heap.bytes_mapped()
    }

    /// Bytes held from the system for them; parts that were never written are not resident.
    #[must_use]
    pub fn bytes_reserved(&self) -> usize {
        self.heap.bytes_reserved() + self.directory.bytes()
    }

    /// Finds a record and where it is.
    #[inline]
    pub(crate) fn locate(&self, hash: Hash, key: &[u8]) -> Option<(Place, RawRecord<V>)> {
        let segment = self.directory.get(hash.position())?;
        let buckets = segment.buckets();
        let fingerprint = hash.fingerprint();
        let mut index = segment.home(hash.position());
        for _ in 0..buckets.len() {
            let bucket = &buckets[index];
            for slot in bucket.matches(fingerprint) {
                let record = self.record_at(bucket.slot(slot));
                if record.key() == key {
                    let segment = self.directory.owner(hash.position())?;
                    return Some((Place { segment, bucket: index, slot }, record));
                }
            }
            if !bucket.is_passed() {
                return None;
            }
            index = if index + 1 == buckets.len() { 0 } else { index + 1 };
        }
        None
    }

    /// The record that a full slot of one of our buckets leads to.
    #[inline]
    pub(crate) fn record_at(&self, slot: crate::bucket::Slot) -> RawRecord<V> {
        // SAFETY: full slots lead to live records written by this table; the result is used only
        // until the table changes that record.
        unsafe { RawRecord::new(slot.address()) }
    }

    /// Slots of all buckets.
    pub(crate) fn slots(&self) -> usize {
        self.directory.buckets() * SLOTS
    }
}

/// Asks for the cache line at `address`, which need not be a valid one.
#[inline]
pub(crate) fn prefetch_line(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address has no effect that a program can observe.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
