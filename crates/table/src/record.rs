//! A record as the caller sees it while the table stands still.

use std::marker::PhantomData;

use crate::payload::PayloadRef;
use crate::raw::RawRecord;

/// A record's share of the buckets: 64 / 9 bytes at a load of 0.85 are 8.4.
const SHARE_BYTES: usize = 8;

/// One record, looked at. While one is held the table cannot change, but for access bits.
pub struct Record<'t, V> {
    raw: RawRecord<V>,
    _table: PhantomData<&'t V>,
}

impl<V> Clone for Record<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Record<'_, V> {}

impl<'t, V> Record<'t, V> {
    /// The view of a live record. The caller narrows `'t` to its borrow of the table.
    #[inline]
    pub(crate) fn new(raw: RawRecord<V>) -> Self {
        Self { raw, _table: PhantomData }
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(self) -> &'t [u8] {
        self.raw.key()
    }

    /// What it holds.
    #[inline]
    #[must_use]
    pub fn payload(self) -> PayloadRef<'t, V> {
        self.raw.payload()
    }

    /// When it expires, unix milliseconds; `None`: never.
    #[inline]
    #[must_use]
    pub fn expiry(self) -> Option<i64> {
        self.raw.expiry()
    }

    /// 24 bits that the caller gives a meaning: LRU clock or LFU counter.
    #[inline]
    #[must_use]
    pub fn access(self) -> u32 {
        self.raw.access()
    }

    /// Sets the 24 bits of access; higher bits are dropped. Through a shared record on purpose:
    /// reading a key is an access and no change, and must not make a walk copy the record.
    #[inline]
    pub fn set_access(self, access: u32) {
        self.raw.set_access(access);
    }

    /// Whether the string is `raw` for OBJECT ENCODING.
    #[inline]
    #[must_use]
    pub fn is_raw(self) -> bool {
        self.raw.is_raw()
    }

    /// Bytes allocated for the record and its share of the table; not what an object owns.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.raw.class_bytes() + SHARE_BYTES
    }
}
