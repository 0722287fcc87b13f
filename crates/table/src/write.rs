//! Changes of one record: insert, overwrite, remove, and the moves in memory that go with them.
//!
//! A record is rewritten where it is if its size class stays the same; else a new one is written,
//! the slot turned to it, and the old one freed. Counts of expiring records follow the slot: what
//! the old slot said is subtracted, what the new one says is added ([`Table::turn`]).

use crate::bucket::Slot;
use crate::directory::Place;
use crate::hash::Hash;
use crate::heap::class_bytes;
use crate::layout::{LENGTH_MAX, Shape};
use crate::payload::{Expiry, OwnedPayload, Payload, PayloadRef, Removed, Replaced, Taken};
use crate::raw::{Head, RawRecord, shape_of, write, write_front};
use crate::record_mut::{Entry, RecordMut};
use crate::table::Table;

/// The outcome of a write: the record as it is now, and what was there before.
pub struct Stored<'t, V> {
    /// The record, to set access and raw without a second lookup.
    pub record: RecordMut<'t, V>,
    /// What it replaced.
    pub replaced: Replaced<V>,
}

impl<V> Table<V> {
    /// Inserts or overwrites. A new record has access 0, an overwritten one keeps its access. The
    /// raw flag is off afterwards.
    #[inline]
    pub fn set(
        &mut self,
        hash: Hash,
        key: &[u8],
        payload: Payload<'_, V>,
        expiry: Expiry,
    ) -> Stored<'_, V> {
        match self.entry(hash, key) {
            Entry::Occupied(mut record) => {
                let kind = record.payload().is_object();
                let object = record.overwrite(payload, expiry);
                debug_assert_eq!(kind, object.is_some());
                Stored { record, replaced: object.map_or(Replaced::Plain, Replaced::Object) }
            }
            Entry::Vacant(vacant) => {
                let expiry = match expiry {
                    Expiry::At(at_ms) => Some(at_ms),
                    Expiry::Keep | Expiry::Never => None,
                };
                Stored { record: vacant.insert(payload, expiry), replaced: Replaced::Nothing }
            }
        }
    }

    /// Removes the record under `key`; its object, if any, is handed over.
    #[inline]
    pub fn remove(&mut self, hash: Hash, key: &[u8]) -> Option<Removed<V>> {
        self.find_mut(hash, key).map(RecordMut::remove)
    }

    /// Removes the record under `key` and hands over all of it but the key. Embedded bytes are
    /// copied.
    pub fn take(&mut self, hash: Hash, key: &[u8]) -> Option<Taken<V>> {
        self.find_mut(hash, key).map(RecordMut::take)
    }

    /// Puts what [`Table::take`] gave under `key`, with its expiry, access and raw flag; replaces
    /// what is there.
    pub fn restore(&mut self, hash: Hash, key: &[u8], taken: Taken<V>) -> Stored<'_, V> {
        let bytes;
        let payload = match taken.payload {
            OwnedPayload::Bytes(owned) => {
                bytes = owned;
                Payload::Bytes(&bytes)
            }
            OwnedPayload::Int(integer) => Payload::Int(integer),
            OwnedPayload::Object(object) => Payload::Object(object),
        };
        let mut stored = self.set(hash, key, payload, Expiry::from(taken.expiry));
        stored.record.set_access(taken.access);
        stored.record.set_raw(taken.raw);
        stored
    }

    /// Inserts a record whose key is not there.
    pub(crate) fn insert(
        &mut self,
        hash: Hash,
        key: &[u8],
        payload: Payload<'_, V>,
        expiry: Option<i64>,
    ) -> (Place, RawRecord<V>) {
        let segment = self.make_room(hash.position());
        let head = Head { access: 0, raw: false, marked: self.mark_new(hash), expiry };
        let record = self.write_new(key, payload, head);
        let slot = record.slot();
        let (bucket, number) = self.directory.entry_mut(segment).place(hash, slot);
        self.len += 1;
        self.expiring_len += usize::from(expiry.is_some());
        (Place { segment, bucket, slot: number }, record)
    }

    /// Gives a record another payload and other flags; the old object, if any, comes back.
    pub(crate) fn rewrite(
        &mut self,
        place: Place,
        record: RawRecord<V>,
        payload: Payload<'_, V>,
        head: Head,
    ) -> (RawRecord<V>, Option<V>) {
        let key = record.key();
        let old_bytes = record.class_bytes();
        let new_bytes =
            class_bytes(shape_of(key.len(), &payload, head.expiry.is_some()).layout().bytes);
        // SAFETY: the record is overwritten or freed before this function ends.
        let object = unsafe { record.take_object() };
        let written = if old_bytes == new_bytes {
            // SAFETY: the allocation has the class that the new record needs; the key lies in it,
            // the payload's bytes do not (the caller has them from elsewhere, or copied them).
            unsafe { write(record.start(), key, payload, head) }
        } else {
            let written = self.write_new(key, payload, head);
            // SAFETY: allocated with this class by our heap; nobody refers to the old record: its
            // slot is turned below.
            unsafe { self.heap.free(record.start(), old_bytes) };
            written
        };
        self.turn(place, written.slot());
        (written, object)
    }

    /// Gives a record an expiry, or takes it away. Moves the record if it had none, or has none
    /// now, because the bytes behind the expiry shift.
    pub(crate) fn rewrite_expiry(
        &mut self,
        place: Place,
        record: RawRecord<V>,
        expiry: Option<i64>,
    ) -> RawRecord<V> {
        let head = record.head();
        match (head.expiry, expiry) {
            (None, None) => return record,
            (Some(_), Some(at_ms)) => {
                // SAFETY: the record has an expiry; keys and payloads do not cover it.
                unsafe { record.overwrite_expiry(at_ms) };
                return record;
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        let (key, old_bytes) = (record.key(), record.class_bytes());
        let payload = match record.payload() {
            PayloadRef::Bytes(bytes) => Payload::Bytes(bytes),
            PayloadRef::Int(integer) => Payload::Int(integer),
            PayloadRef::Object(_) => {
                // SAFETY: the old record is freed below, unread.
                let object = unsafe { record.take_object() };
                Payload::Object(object.expect("the payload was just seen to be an object"))
            }
        };
        let written = self.write_new(key, payload, Head { expiry, ..head });
        // SAFETY: allocated with this class by our heap; its slot is turned below.
        unsafe { self.heap.free(record.start(), old_bytes) };
        self.turn(place, written.slot());
        written
    }

    /// Makes embedded bytes `len` long; new ones are zero. The record is of kind `Bytes`.
    pub(crate) fn resize(
        &mut self,
        place: Place,
        record: RawRecord<V>,
        len: usize,
    ) -> RawRecord<V> {
        let (old, layout) = record.shape_and_layout();
        let new = Shape { value_bytes: len, ..old };
        let (new_layout, old_bytes) = (new.layout(), class_bytes(layout.bytes));
        let grown = len.saturating_sub(old.value_bytes);
        if class_bytes(new_layout.bytes) == old_bytes && new_layout.value == layout.value {
            // SAFETY: the class of the allocation covers the new length.
            let end = unsafe { record.start().add(layout.value + old.value_bytes.min(len)) };
            // SAFETY: `grown` bytes from there end with the new layout, inside the allocation.
            unsafe { end.write_bytes(0, grown) };
            // SAFETY: the value is initialised up to `len` now.
            unsafe { record.overwrite_value_length(len) };
            return record;
        }
        assert!(len <= LENGTH_MAX, "lengths are below 4 GiB");
        let target = self.heap.allocate(class_bytes(new_layout.bytes));
        let PayloadRef::Bytes(value) = record.payload() else { unreachable!("resized bytes only") };
        // SAFETY: both layouts are of the same kind, and the value is the last part of the new one.
        let end = unsafe { target.add(new_layout.value) };
        // SAFETY: `len` bytes from there end with the new layout, inside the allocation.
        unsafe { end.write_bytes(0, len) };
        let kept = &value[..value.len().min(len)];
        // SAFETY: as above; the old and the new allocation are different.
        unsafe { end.as_ptr().copy_from_nonoverlapping(kept.as_ptr(), kept.len()) };
        // SAFETY: the head and key go in front of the value, in a fresh allocation.
        let written = unsafe { write_front::<V>(target, record.key(), new, record.head()) };
        // SAFETY: allocated with this class by our heap; its slot is turned below.
        unsafe { self.heap.free(record.start(), old_bytes) };
        self.turn(place, written.slot());
        written
    }

    /// Takes a record out of its bucket. It is still in memory, and the caller's to free.
    pub(crate) fn detach(&mut self, hash: Hash, place: Place, record: RawRecord<V>) {
        self.unmark(record);
        let segment = self.directory.entry_mut(place.segment);
        let expiring = segment.buckets()[place.bucket].slot(place.slot).is_expiring();
        segment.displace(hash.position(), place.bucket, place.slot);
        self.len -= 1;
        self.expiring_len -= usize::from(expiring);
        self.upkeep.note_removed();
    }

    /// Frees a detached record whose object, if any, was moved out.
    ///
    /// # Safety
    /// `record` is of this table, detached, and not used afterwards.
    pub(crate) unsafe fn release(&mut self, record: RawRecord<V>) {
        let bytes = record.class_bytes();
        // SAFETY: allocated with this class by our heap, and by contract freed once.
        unsafe { self.heap.free(record.start(), bytes) };
    }

    /// Moves a record to another allocation of the same class, byte by byte.
    pub(crate) fn move_record(&mut self, place: Place, record: RawRecord<V>) {
        let bytes = record.class_bytes();
        let target = self.heap.allocate(bytes);
        let (_, layout) = record.shape_and_layout();
        // SAFETY: a record is `layout.bytes` long, the target at least that, and they are apart.
        // Bytes of padding may be uninitialised, which a copy of memory allows.
        unsafe { target.copy_from_nonoverlapping(record.start(), layout.bytes) };
        // SAFETY: the copy is a record; the old bytes are not read again, so an object is not
        // owned twice.
        let written = unsafe { RawRecord::<V>::new(target) };
        // SAFETY: allocated with this class by our heap; its slot is turned below.
        unsafe { self.heap.free(record.start(), bytes) };
        self.turn(place, written.slot());
    }

    /// Writes a record into a new allocation.
    fn write_new(&mut self, key: &[u8], payload: Payload<'_, V>, head: Head) -> RawRecord<V> {
        let layout = shape_of(key.len(), &payload, head.expiry.is_some()).layout();
        let target = self.heap.allocate(class_bytes(layout.bytes));
        // SAFETY: a fresh allocation of the class that the record needs.
        unsafe { write(target, key, payload, head) }
    }

    /// Turns a slot to another version of its record.
    fn turn(&mut self, place: Place, new: Slot) {
        let segment = self.directory.entry_mut(place.segment);
        let bucket = &mut segment.buckets_mut()[place.bucket];
        let old = bucket.slot(place.slot);
        bucket.put(place.slot, bucket.fingerprint(place.slot), new);
        if old.is_expiring() != new.is_expiring() {
            let (gained, lost) = (new.is_expiring(), old.is_expiring());
            segment.expiring = segment.expiring + u16::from(gained) - u16::from(lost);
            self.expiring_len = self.expiring_len + usize::from(gained) - usize::from(lost);
        }
    }
}
