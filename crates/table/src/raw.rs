//! A record in memory: the one place that reads and writes its bytes.
//!
//! [`RawRecord`] is an address with a promise: whoever makes one (`unsafe`) promises that a record
//! written by [`write()`] lives there, and that the value is not used once the record was freed or
//! moved. With that promise its methods are safe. References handed out ([`RawRecord::key`] and
//! the like) have a lifetime chosen by the caller, so the public types narrow it to their borrow of
//! the table.
//!
//! No reference to the four bytes of flags and access ever exists: they are read and written
//! through the pointer alone. That is what allows `set_access` through a shared `Record`.

use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr::NonNull;

use crate::bucket::Slot;
use crate::heap::{class_bytes, is_large};
use crate::layout::{
    FLAG_EXPIRY, FLAG_MARKED, FLAG_RAW, HEAD_BYTES, Kind, LENGTH_MAX, Layout, Shape, length_bytes,
    read_length, write_length,
};
use crate::payload::{Payload, PayloadRef};

/// Largest and most aligned object that a record can own.
const OBJECT_BYTES_MAX: usize = 16;
const OBJECT_ALIGN_MAX: usize = 8;

/// The address of a live record.
pub(crate) struct RawRecord<V> {
    start: NonNull<u8>,
    _object: PhantomData<*mut V>,
}

impl<V> Clone for RawRecord<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for RawRecord<V> {}

/// The parts of a record that are neither key nor payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// 24 bits.
    pub(crate) access: u32,
    pub(crate) raw: bool,
    pub(crate) marked: bool,
    pub(crate) expiry: Option<i64>,
}

impl<V> RawRecord<V> {
    /// Checked when the code for a `V` is generated: every write comes through `shape_of`.
    const OBJECT_FITS: () = assert!(
        size_of::<V>() <= OBJECT_BYTES_MAX && align_of::<V>() <= OBJECT_ALIGN_MAX,
        "an object is at most 16 bytes, aligned to at most 8"
    );

    /// The record at `start`.
    ///
    /// # Safety
    /// A record of payload type `V`, written by [`write()`], lives there for as long as the result
    /// or a copy of it is used.
    #[inline]
    pub(crate) unsafe fn new(start: NonNull<u8>) -> Self {
        Self { start, _object: PhantomData }
    }

    /// Where the record begins.
    #[inline]
    pub(crate) fn start(self) -> NonNull<u8> {
        self.start
    }

    /// The slot that stands for the record in a bucket.
    #[inline]
    pub(crate) fn slot(self) -> Slot {
        let flags = self.flags();
        let object = Kind::of_flags(flags) == Kind::Object;
        Slot::new(self.start, flags & FLAG_EXPIRY != 0, object, is_large(self.class_bytes()))
    }

    /// The key.
    ///
    /// The caller chooses the lifetime: the record must stay where it is, and its key unwritten,
    /// for as long (the promise of the type).
    #[inline]
    pub(crate) fn key<'a>(self) -> &'a [u8] {
        let (flags, key_bytes) = (self.flags(), self.length_at(HEAD_BYTES));
        let mut at = HEAD_BYTES + length_bytes(key_bytes);
        match Kind::of_flags(flags) {
            Kind::Bytes => at += self.length_field_bytes(at),
            Kind::Object => at = at.next_multiple_of(OBJECT_ALIGN_MAX) + size_of::<V>(),
            Kind::Int(_) => {}
        }
        if flags & FLAG_EXPIRY != 0 {
            at += 8;
        }
        self.slice(at, key_bytes)
    }

    /// The payload; the lifetime is as for `key`.
    #[inline]
    pub(crate) fn payload<'a>(self) -> PayloadRef<'a, V>
    where
        V: 'a,
    {
        let (shape, layout) = self.shape_and_layout();
        match shape.kind {
            Kind::Bytes => PayloadRef::Bytes(self.slice(layout.value, shape.value_bytes)),
            Kind::Int(log) => PayloadRef::Int(self.int_at(layout.value, log)),
            // SAFETY: a record of kind Object has an initialised V there, aligned to 8.
            Kind::Object => PayloadRef::Object(unsafe { self.object_at(layout.middle).as_ref() }),
        }
    }

    /// The embedded bytes for writing; `None` for another kind.
    ///
    /// # Safety
    /// No other reference into the payload exists while the result is used.
    #[inline]
    pub(crate) unsafe fn bytes_mut<'a>(self) -> Option<&'a mut [u8]> {
        let (shape, layout) = self.shape_and_layout();
        if shape.kind != Kind::Bytes {
            return None;
        }
        let start = self.at(layout.value).as_ptr();
        // SAFETY: the record holds that many initialised bytes there; unique by contract.
        Some(unsafe { std::slice::from_raw_parts_mut(start, shape.value_bytes) })
    }

    /// The object for writing; `None` for another kind.
    ///
    /// # Safety
    /// No other reference into the payload exists while the result is used.
    #[inline]
    pub(crate) unsafe fn object_mut<'a>(self) -> Option<&'a mut V>
    where
        V: 'a,
    {
        let (shape, layout) = self.shape_and_layout();
        if shape.kind != Kind::Object {
            return None;
        }
        // SAFETY: a record of kind Object has an initialised V there; unique by contract.
        Some(unsafe { self.object_at(layout.middle).as_mut() })
    }

    /// Moves the object out; `None` for another kind.
    ///
    /// # Safety
    /// The record is freed or overwritten (through [`write()`]) before anyone looks at its payload.
    #[inline]
    pub(crate) unsafe fn take_object(self) -> Option<V> {
        let (shape, layout) = self.shape_and_layout();
        if shape.kind != Kind::Object {
            return None;
        }
        // SAFETY: there is an initialised V, which by contract nobody will read again.
        Some(unsafe { self.object_at(layout.middle).read() })
    }

    /// Unix milliseconds.
    #[inline]
    pub(crate) fn expiry(self) -> Option<i64> {
        if self.flags() & FLAG_EXPIRY == 0 {
            return None;
        }
        let (_, layout) = self.shape_and_layout();
        Some(i64::from_le_bytes(self.array_at(layout.expiry)))
    }

    /// Overwrites the expiry of a record that has one; its layout stays as it is.
    ///
    /// # Safety
    /// The record has an expiry, and no reference into it exists that covers the expiry (keys and
    /// payloads do not).
    #[inline]
    pub(crate) unsafe fn overwrite_expiry(self, at_ms: i64) {
        debug_assert!(self.flags() & FLAG_EXPIRY != 0);
        let (_, layout) = self.shape_and_layout();
        let target = self.at(layout.expiry).cast::<[u8; 8]>();
        // SAFETY: eight bytes of the record, by contract; arrays of bytes have no alignment.
        unsafe { target.write(at_ms.to_le_bytes()) };
    }

    /// Overwrites the value's length, which must take as many bytes as the old one did.
    ///
    /// # Safety
    /// The record is of kind `Bytes`, and its allocation holds `value_bytes` initialised bytes of
    /// value under the layout that results.
    pub(crate) unsafe fn overwrite_value_length(self, value_bytes: usize) {
        let (shape, layout) = self.shape_and_layout();
        debug_assert_eq!(shape.kind, Kind::Bytes);
        debug_assert_eq!(length_bytes(shape.value_bytes), length_bytes(value_bytes));
        let written = write_length(value_bytes);
        let target = self.at(layout.middle).as_ptr();
        // SAFETY: the old length took the same number of bytes in the same place.
        unsafe { target.copy_from_nonoverlapping(written.as_ptr(), length_bytes(value_bytes)) };
    }

    /// The 24 bits of access.
    #[inline]
    pub(crate) fn access(self) -> u32 {
        let [a, b, c] = self.array_at(1);
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Sets the access; bits above the 24th are dropped.
    #[inline]
    pub(crate) fn set_access(self, access: u32) {
        let [a, b, c, _] = access.to_le_bytes();
        // SAFETY: bytes 1..4 of a live record; no reference ever covers them, and the table is not
        // shared between threads.
        unsafe { self.at(1).cast::<[u8; 3]>().write([a, b, c]) };
    }

    /// The raw flag.
    #[inline]
    pub(crate) fn is_raw(self) -> bool {
        self.flags() & FLAG_RAW != 0
    }

    /// Sets the raw flag.
    #[inline]
    pub(crate) fn set_raw(self, raw: bool) {
        self.set_flag(FLAG_RAW, raw);
    }

    /// The mark of the walk.
    #[inline]
    pub(crate) fn is_marked(self) -> bool {
        self.flags() & FLAG_MARKED != 0
    }

    /// Sets the mark of the walk.
    #[inline]
    pub(crate) fn set_marked(self, marked: bool) {
        self.set_flag(FLAG_MARKED, marked);
    }

    /// Everything but key and payload.
    #[inline]
    pub(crate) fn head(self) -> Head {
        Head {
            access: self.access(),
            raw: self.is_raw(),
            marked: self.is_marked(),
            expiry: self.expiry(),
        }
    }

    /// Bytes allocated for the record.
    #[inline]
    pub(crate) fn class_bytes(self) -> usize {
        let (_, layout) = self.shape_and_layout();
        class_bytes(layout.bytes)
    }

    /// The shape, read back from memory, and the layout that follows from it.
    #[inline]
    pub(crate) fn shape_and_layout(self) -> (Shape, Layout) {
        let flags = self.flags();
        let kind = Kind::of_flags(flags);
        let key_bytes = self.length_at(HEAD_BYTES);
        let value_bytes = match kind {
            Kind::Bytes => self.length_at(HEAD_BYTES + length_bytes(key_bytes)),
            Kind::Object | Kind::Int(_) => 0,
        };
        let expiring = flags & FLAG_EXPIRY != 0;
        let object_bytes = size_of::<V>();
        let shape = Shape { kind, expiring, key_bytes, value_bytes, object_bytes };
        (shape, shape.layout())
    }

    #[inline]
    fn flags(self) -> u8 {
        // SAFETY: the first byte of a live record.
        unsafe { self.start.read() }
    }

    #[inline]
    fn set_flag(self, flag: u8, on: bool) {
        let flags = if on { self.flags() | flag } else { self.flags() & !flag };
        // SAFETY: the first byte of a live record; no reference ever covers it, and the table is
        // not shared between threads.
        unsafe { self.start.write(flags) };
    }

    /// The byte at `offset`, which lies inside the record.
    #[inline]
    fn at(self, offset: usize) -> NonNull<u8> {
        // SAFETY: offsets come from the record's own layout, so they lie inside its allocation.
        unsafe { self.start.add(offset) }
    }

    #[inline]
    fn object_at(self, offset: usize) -> NonNull<V> {
        debug_assert!(offset.is_multiple_of(OBJECT_ALIGN_MAX));
        self.at(offset).cast()
    }

    #[inline]
    fn array_at<const N: usize>(self, offset: usize) -> [u8; N] {
        // SAFETY: the layout has N initialised bytes there; arrays of bytes have no alignment.
        unsafe { self.at(offset).cast::<[u8; N]>().read() }
    }

    #[inline]
    fn length_at(self, offset: usize) -> usize {
        let [first] = self.array_at(offset);
        read_length(first, |index| self.array_at::<1>(offset + index)[0])
    }

    #[inline]
    fn length_field_bytes(self, offset: usize) -> usize {
        length_bytes(self.length_at(offset))
    }

    #[inline]
    fn int_at(self, offset: usize, log: u8) -> i64 {
        match log {
            0 => i64::from(i8::from_le_bytes(self.array_at(offset))),
            1 => i64::from(i16::from_le_bytes(self.array_at(offset))),
            2 => i64::from(i32::from_le_bytes(self.array_at(offset))),
            _ => i64::from_le_bytes(self.array_at(offset)),
        }
    }

    #[inline]
    fn slice<'a>(self, offset: usize, bytes: usize) -> &'a [u8] {
        // SAFETY: the layout has that many initialised bytes there, and by the promise of the type
        // they stay as they are while the result is used.
        unsafe { std::slice::from_raw_parts(self.at(offset).as_ptr(), bytes) }
    }
}

/// The shape of a record to be written.
///
/// # Panics
/// If the key or the value is 4 GiB long or longer.
#[inline]
pub(crate) fn shape_of<V>(key_bytes: usize, payload: &Payload<'_, V>, expiring: bool) -> Shape {
    const { RawRecord::<V>::OBJECT_FITS };
    let (kind, value_bytes) = match payload {
        Payload::Bytes(bytes) => (Kind::Bytes, bytes.len()),
        Payload::Int(integer) => (Kind::of_int(*integer), 0),
        Payload::Object(_) => (Kind::Object, 0),
    };
    assert!(key_bytes <= LENGTH_MAX && value_bytes <= LENGTH_MAX, "lengths are below 4 GiB");
    Shape { kind, expiring, key_bytes, value_bytes, object_bytes: size_of::<V>() }
}

/// Writes a record.
///
/// # Safety
/// * `start` is the start of an allocation of the class that `shape_of` key, payload and expiry
///   needs, aligned to 8, which nobody else refers to.
/// * `key` is readable. It may lie in that allocation (a record that is written over itself); then
///   nothing but the key is taken over, and an object that was there was moved out before.
/// * A `Payload::Bytes` does not lie in that allocation.
#[inline]
pub(crate) unsafe fn write<V>(
    start: NonNull<u8>,
    key: *const [u8],
    payload: Payload<'_, V>,
    head: Head,
) -> RawRecord<V> {
    let shape = shape_of(key.len(), &payload, head.expiry.is_some());
    // SAFETY: the contract is the same, but for the value, which is written now.
    let record = unsafe { write_front::<V>(start, key, shape, head) };
    let layout = shape.layout();
    match payload {
        // SAFETY: the layout ends with the value, which by contract lies elsewhere now.
        Payload::Bytes(bytes) => unsafe { put(record.at(layout.value), bytes) },
        Payload::Int(integer) => {
            let bytes = &integer.to_le_bytes()[..layout.bytes - layout.value];
            // SAFETY: the layout ends with the integer.
            unsafe { put(record.at(layout.value), bytes) };
        }
        // SAFETY: the layout has room for a V there, aligned to 8.
        Payload::Object(object) => unsafe { record.object_at(layout.middle).write(object) },
    }
    record
}

/// Writes everything of a record but the payload itself, which the caller writes next, or has
/// written, in its place.
///
/// # Safety
/// As for [`write()`], with the class that `shape` needs; `shape` fits `key` and `head`.
#[inline]
pub(crate) unsafe fn write_front<V>(
    start: NonNull<u8>,
    key: *const [u8],
    shape: Shape,
    head: Head,
) -> RawRecord<V> {
    debug_assert!(shape.key_bytes == key.len() && shape.expiring == head.expiry.is_some());
    let layout = shape.layout();
    // SAFETY: by contract the allocation is as long as the layout; until the record is complete
    // `record` only serves to add offsets.
    let record = unsafe { RawRecord::<V>::new(start) };
    // The key goes first: what follows may be written over where it was.
    // SAFETY: both ranges are valid by contract, and `copy` allows them to overlap.
    unsafe { key.cast::<u8>().copy_to(record.at(layout.key).as_ptr(), key.len()) };

    let mut flags = shape.kind.to_flags();
    let set = [(FLAG_EXPIRY, shape.expiring), (FLAG_RAW, head.raw), (FLAG_MARKED, head.marked)];
    for (flag, on) in set {
        flags |= if on { flag } else { 0 };
    }
    // SAFETY: the first byte of the allocation.
    unsafe { start.write(flags) };
    record.set_access(head.access);
    let length = &write_length(key.len())[..length_bytes(key.len())];
    // SAFETY: the layout has that many bytes for the key's length, in front of everything else.
    unsafe { put(record.at(HEAD_BYTES), length) };
    if shape.kind == Kind::Bytes {
        let length = &write_length(shape.value_bytes)[..length_bytes(shape.value_bytes)];
        // SAFETY: the layout has that many bytes for the value's length.
        unsafe { put(record.at(layout.middle), length) };
    }
    if let Some(at_ms) = head.expiry {
        // SAFETY: the layout has eight bytes for the expiry.
        unsafe { put(record.at(layout.expiry), &at_ms.to_le_bytes()) };
    }
    record
}

/// Copies `bytes` to `target`.
///
/// # Safety
/// `target` is valid for writing that many bytes, and they do not overlap `bytes`.
#[inline]
unsafe fn put(target: NonNull<u8>, bytes: &[u8]) {
    // SAFETY: by contract.
    unsafe { target.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}
