//! A record with the right to change it, and the place where one may be inserted.
//!
//! A [`RecordMut`] holds the whole table, because changing a record may move it and then its slot
//! has to follow. A walk under way was given the record's old state before the `RecordMut` was
//! handed out, so nothing here has to think of walks.

use crate::directory::Place;
use crate::hash::Hash;
use crate::payload::{Expiry, OwnedPayload, Payload, PayloadRef, Removed, Taken};
use crate::raw::{Head, RawRecord};
use crate::record::Record;
use crate::table::Table;

/// One record, with the right to change it.
pub struct RecordMut<'t, V> {
    table: &'t mut Table<V>,
    hash: Hash,
    place: Place,
    /// The record that the slot at `place` leads to.
    raw: RawRecord<V>,
}

/// What [`Table::entry`] found under a key.
pub enum Entry<'t, 'k, V> {
    /// The record.
    Occupied(RecordMut<'t, V>),
    /// Nothing, and the right to insert.
    Vacant(VacantEntry<'t, 'k, V>),
}

/// A key without record, ready to insert.
pub struct VacantEntry<'t, 'k, V> {
    table: &'t mut Table<V>,
    hash: Hash,
    /// Not a key of `table`.
    key: &'k [u8],
}

impl<'t, V> RecordMut<'t, V> {
    #[inline]
    pub(crate) fn new(
        table: &'t mut Table<V>,
        hash: Hash,
        place: Place,
        raw: RawRecord<V>,
    ) -> Self {
        Self { table, hash, place, raw }
    }

    /// Sets or takes away the expiry. Moves the record unless it had one and keeps one.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        self.raw = self.table.rewrite_expiry(self.place, self.raw, expiry);
    }

    /// Sets the 24 bits of access; higher bits are dropped.
    #[inline]
    pub fn set_access(&mut self, access: u32) {
        self.raw.set_access(access);
    }

    /// Sets the raw flag.
    #[inline]
    pub fn set_raw(&mut self, raw: bool) {
        self.raw.set_raw(raw);
    }

    /// Replaces the payload; expiry, access and raw flag stay. The old object, if any, comes back.
    pub fn set_payload(&mut self, payload: Payload<'_, V>) -> Option<V> {
        let head = self.raw.head();
        self.rewrite(payload, head)
    }

    /// The embedded bytes, to change in place; `None` unless the payload is `Bytes`.
    #[inline]
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        // SAFETY: the table is held exclusively, and the result borrows `self` exclusively.
        unsafe { self.raw.bytes_mut() }
    }

    /// Makes the embedded bytes `len` long: cut off at the end, or zeros added there. In place
    /// where the allocation allows. `None`, and no change, unless the payload is `Bytes`.
    ///
    /// # Panics
    /// If `len` is 4 GiB or more.
    pub fn resize_bytes(&mut self, len: usize) -> Option<&mut [u8]> {
        if !matches!(self.raw.payload(), PayloadRef::Bytes(_)) {
            return None;
        }
        self.raw = self.table.resize(self.place, self.raw, len);
        self.bytes_mut()
    }

    /// The object, to change in place; `None` unless the payload is `Object`.
    #[inline]
    pub fn object_mut(&mut self) -> Option<&mut V> {
        // SAFETY: the table is held exclusively, and the result borrows `self` exclusively.
        unsafe { self.raw.object_mut() }
    }

    /// Removes the record from the table.
    pub fn remove(self) -> Removed<V> {
        let expiry = self.raw.expiry();
        self.table.detach(self.hash, self.place, self.raw);
        // SAFETY: the record is released on the next line, unread.
        let object = unsafe { self.raw.take_object() };
        // SAFETY: detached above; `self` ends here.
        unsafe { self.table.release(self.raw) };
        Removed { object, expiry }
    }

    /// Removes the record and hands over all of it but the key. Embedded bytes are copied.
    pub fn take(self) -> Taken<V> {
        let (access, raw) = (self.raw.access(), self.raw.is_raw());
        let plain = match self.raw.payload() {
            PayloadRef::Bytes(bytes) => Some(OwnedPayload::Bytes(bytes.into())),
            PayloadRef::Int(integer) => Some(OwnedPayload::Int(integer)),
            PayloadRef::Object(_) => None,
        };
        let Removed { object, expiry } = self.remove();
        let payload = plain.or_else(|| object.map(OwnedPayload::Object));
        let payload = payload.expect("a payload that is not plain is an object");
        Taken { payload, expiry, access, raw }
    }

    /// The record, looked at.
    #[inline]
    #[must_use]
    pub fn as_record(&self) -> Record<'_, V> {
        Record::new(self.raw)
    }

    /// The record, looked at for as long as the table was lent.
    #[inline]
    #[must_use]
    pub fn into_record(self) -> Record<'t, V> {
        Record::new(self.raw)
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.raw.key()
    }

    /// What it holds.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> PayloadRef<'_, V> {
        self.raw.payload()
    }

    /// When it expires, unix milliseconds; `None`: never.
    #[inline]
    #[must_use]
    pub fn expiry(&self) -> Option<i64> {
        self.raw.expiry()
    }

    /// The 24 bits of access.
    #[inline]
    #[must_use]
    pub fn access(&self) -> u32 {
        self.raw.access()
    }

    /// The raw flag.
    #[inline]
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.raw.is_raw()
    }

    /// As [`Record::bytes`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.as_record().bytes()
    }

    /// The overwriting half of [`Table::set`].
    #[inline]
    pub(crate) fn overwrite(&mut self, payload: Payload<'_, V>, expiry: Expiry) -> Option<V> {
        let old = self.raw.head();
        let expiry = match expiry {
            Expiry::Keep => old.expiry,
            Expiry::Never => None,
            Expiry::At(at_ms) => Some(at_ms),
        };
        self.rewrite(payload, Head { raw: false, expiry, ..old })
    }

    #[inline]
    fn rewrite(&mut self, payload: Payload<'_, V>, head: Head) -> Option<V> {
        let object;
        (self.raw, object) = self.table.rewrite(self.place, self.raw, payload, head);
        object
    }
}

impl<'t, 'k, V> VacantEntry<'t, 'k, V> {
    #[inline]
    pub(crate) fn new(table: &'t mut Table<V>, hash: Hash, key: &'k [u8]) -> Self {
        Self { table, hash, key }
    }

    /// Inserts the record; its access is 0 and its raw flag off.
    #[inline]
    pub fn insert(self, payload: Payload<'_, V>, expiry: Option<i64>) -> RecordMut<'t, V> {
        let (place, raw) = self.table.insert(self.hash, self.key, payload, expiry);
        RecordMut::new(self.table, self.hash, place, raw)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'k [u8] {
        self.key
    }
}
