//! The listpack: a sequence of values in one piece of memory, byte for byte as Redis has it.
//!
//! ```text
//!  +---------------+-------------+---------+-----+---------+------+
//!  | total bytes   | entries     | entry   | ... | entry   | 0xff |
//!  | u32           | u16         |         |     |         |      |
//!  +---------------+-------------+---------+-----+---------+------+
//!                                |  value | back length |
//! ```
//! ([entries](super::entry); all numbers little endian.) 65,535 entries in the header means "count
//! them": more do not fit the number, and who removes some again does not know how many are left.
//!
//! DUMP and RDB files carry these very bytes, and a small list, hash, set or sorted set *is* one.
//! What is inside was written here, or went through [`Listpack::from_bytes`], which believes no
//! length; so the reading functions take the structure for granted.
//!
//! All that is not at an end moves what follows, and all that goes by index walks from the nearer
//! end: a listpack is for some hundred small entries, or for one chunk of something larger.

use std::ptr::NonNull;

use super::buffer::{BUFFER_BYTES_MAX, Buffer};
use super::entry::{END, Encoded, Entry, read_back, skip, total_bytes};

/// Bytes before the first entry.
const HEADER_BYTES: usize = 6;

/// The header's count of entries that says nothing.
const UNKNOWN: u16 = u16::MAX;

/// Bytes of a listpack without entries.
pub const LISTPACK_BYTES_MIN: usize = HEADER_BYTES + 1;

/// Bytes that no listpack grows beyond in Redis (`LISTPACK_MAX_SAFETY_LIMIT`). Who adds to one asks
/// [`Listpack::has_room_for`] first.
pub const LISTPACK_BYTES_MAX: usize = 1 << 30;

const _: () = assert!(LISTPACK_BYTES_MAX < BUFFER_BYTES_MAX);

/// A sequence of values in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Listpack {
    buffer: Buffer,
}

/// Where an entry of a listpack is. It stays so until an entry before it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(usize);

/// Bytes that are not what they say they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    /// A listpack without entries.
    #[must_use]
    pub fn new() -> Self {
        let mut listpack = Self { buffer: Buffer::zeroed(LISTPACK_BYTES_MIN) };
        listpack.buffer.as_mut_slice()[HEADER_BYTES] = END;
        listpack.set_header(0);
        listpack
    }

    /// A listpack from bytes that came from outside. Every length is checked, so that no later call
    /// meets one that is wrong; values may be encoded longer than need be.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes are not one whole listpack.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let entries = count_checked(bytes).ok_or(Malformed)?;
        let mut listpack = Self { buffer: Buffer::from(bytes) };
        listpack.set_header(entries);
        Ok(listpack)
    }

    /// The listpack as Redis writes it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Bytes of the listpack.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of its allocation.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.buffer.heap_bytes()
    }

    /// Whether `bytes` more, with what their entries need besides, leave it within
    /// [`LISTPACK_BYTES_MAX`].
    #[must_use]
    pub const fn has_room_for(&self, bytes: usize) -> bool {
        bytes <= LISTPACK_BYTES_MAX - self.bytes()
    }

    /// Entries. O(1) up to 65,534 of them, else all are visited.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.header_count() {
            UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no entry.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes() == LISTPACK_BYTES_MIN
    }

    /// The first entry.
    #[inline]
    #[must_use]
    pub const fn first(&self) -> Option<Position> {
        if self.is_empty() { None } else { Some(Position(HEADER_BYTES)) }
    }

    /// The last entry.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        self.before(self.end())
    }

    /// The entry after `position`.
    #[inline]
    #[must_use]
    pub fn next(&self, position: Position) -> Option<Position> {
        let next = self.end_of(position);
        (next < self.end()).then_some(Position(next))
    }

    /// The entry before `position`.
    #[inline]
    #[must_use]
    pub fn previous(&self, position: Position) -> Option<Position> {
        self.before(position.0)
    }

    /// The entry at `index`, from 0 on. Walks from the nearer end.
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<Position> {
        let len = self.len();
        if index >= len {
            None
        } else if index <= len / 2 {
            (0..index).try_fold(self.first()?, |position, _| self.next(position))
        } else {
            (index + 1..len).try_fold(self.last()?, |position, _| self.previous(position))
        }
    }

    /// The value at `position`.
    ///
    /// # Panics
    /// When `position` is not one of this listpack.
    #[inline]
    #[must_use]
    pub fn get(&self, position: Position) -> Entry<'_> {
        self.read(position).0
    }

    /// The value at `position`, and the entry after it.
    ///
    /// # Panics
    /// When `position` is not one of this listpack.
    #[inline]
    #[must_use]
    pub fn read(&self, position: Position) -> (Entry<'_>, Option<Position>) {
        let (entry, bytes) = Entry::read(&self.as_bytes()[position.0..]).expect(POSITION);
        let next = position.0 + total_bytes(bytes);
        (entry, (next < self.end()).then_some(Position(next)))
    }

    /// All values, from either end.
    #[must_use]
    pub const fn iter(&self) -> ListpackIter<'_> {
        ListpackIter { listpack: self, start: HEADER_BYTES, end: self.end() }
    }

    /// The values from `position` on; none where that is `None`.
    #[must_use]
    pub fn iter_from(&self, position: Option<Position>) -> ListpackIter<'_> {
        let start = position.map_or_else(|| self.end(), |position| position.0);
        ListpackIter { listpack: self, start, end: self.end() }
    }

    /// The first entry from `position` on that is `value`, looking only at every (`skip` + 1)th:
    /// with `skip` 1 at the fields of a hash and not at their values.
    #[must_use]
    pub fn find(&self, position: Position, value: &[u8], skip: usize) -> Option<Position> {
        let integer = match Entry::of(value) {
            Entry::Integer(integer) => Some(integer),
            Entry::Bytes(_) => None,
        };
        let mut at = Some(position);
        while let Some(position) = at {
            let (entry, mut next) = self.read(position);
            let same = match entry {
                Entry::Integer(entry) => integer == Some(entry),
                Entry::Bytes(bytes) => bytes == value,
            };
            if same {
                return Some(position);
            }
            for _ in 0..skip {
                next = next.and_then(|next| self.next(next));
            }
            at = next;
        }
        None
    }

    /// Adds `value` at the end; the shortest text of an integer becomes one.
    ///
    /// # Panics
    /// When there is no [room](Self::has_room_for), as all that add.
    pub fn push_back(&mut self, value: &[u8]) {
        self.write(self.end(), 0, Entry::of(value), 1);
    }

    /// Adds `value` before all others.
    pub fn push_front(&mut self, value: &[u8]) {
        self.write(HEADER_BYTES, 0, Entry::of(value), 1);
    }

    /// Adds `value` before the entry at `position`, or at the end where that is `None`, and returns
    /// where it is.
    pub fn insert(&mut self, position: Option<Position>, value: Entry<'_>) -> Position {
        let at = position.map_or_else(|| self.end(), |position| position.0);
        self.write(at, 0, value, 1);
        Position(at)
    }

    /// Puts `value` in the place of the entry at `position`.
    pub fn replace(&mut self, position: Position, value: Entry<'_>) {
        self.write(position.0, self.end_of(position) - position.0, value, 0);
    }

    /// Removes the entry at `position`, and returns the one that followed it, which is there now.
    pub fn remove(&mut self, position: Position) -> Option<Position> {
        let end = self.end_of(position);
        self.cut(position.0, end, 1);
        (position.0 < self.end()).then_some(position)
    }

    /// Removes up to `count` entries from `position` on, and returns the one that followed them,
    /// which is at `position` now.
    pub fn remove_range(&mut self, position: Position, count: usize) -> Option<Position> {
        let (mut end, mut removed) = (position.0, 0);
        while removed < count && end < self.end() {
            end = self.end_of(Position(end));
            removed += 1;
        }
        self.cut(position.0, end, removed);
        (position.0 < self.end()).then_some(position)
    }

    /// Takes the entries from `index` on out, into a listpack of their own.
    #[must_use]
    pub fn split_off(&mut self, index: usize) -> Self {
        let Some(Position(at)) = self.seek(index) else { return Self::new() };
        let (end, moved) = (self.end(), self.len() - index);
        let mut tail = Self { buffer: Buffer::zeroed(LISTPACK_BYTES_MIN + end - at) };
        let bytes = tail.buffer.as_mut_slice();
        bytes[HEADER_BYTES..].copy_from_slice(&self.as_bytes()[at..]);
        tail.set_header(moved);
        self.cut(at, end, moved);
        tail
    }

    /// Adds all entries of `other` at the end.
    pub fn append(&mut self, other: &Self) {
        let entries = &other.as_bytes()[HEADER_BYTES..other.end()];
        let count = self.len() + other.len();
        self.buffer.splice(self.end(), 0, entries.len()).copy_from_slice(entries);
        self.set_header(count);
    }

    /// The pointer to the allocation; the listpack is given up.
    pub(super) fn into_raw(self) -> NonNull<u8> {
        self.buffer.into_raw()
    }

    /// The listpack that was given up.
    ///
    /// # Safety
    /// `start` came from [`into_raw`](Self::into_raw) and is used nowhere else.
    pub(super) const unsafe fn from_raw(start: NonNull<u8>) -> Self {
        // SAFETY: by contract.
        Self { buffer: unsafe { Buffer::from_raw(start) } }
    }

    /// Writes `value` over `removed` bytes from `at` on; `added` entries come to the count.
    fn write(&mut self, at: usize, removed: usize, value: Entry<'_>, added: u16) {
        let encoded = Encoded::of(value);
        encoded.write(self.buffer.splice(at, removed, encoded.total_bytes()));
        let count = self.header_count();
        // a count that no longer fits is unknown, and stays so
        self.set_header(usize::from(count.saturating_add(added)));
    }

    /// Removes the bytes from `start` to `end`, which are `removed` entries.
    fn cut(&mut self, start: usize, end: usize, removed: usize) {
        self.buffer.splice(start, end - start, 0);
        let count = match self.header_count() {
            UNKNOWN => self.iter().take(usize::from(UNKNOWN)).count(),
            count => usize::from(count) - removed,
        };
        self.set_header(count);
    }

    /// Writes the header: the bytes there are, and `count` entries, or "unknown" where that does
    /// not fit.
    fn set_header(&mut self, count: usize) {
        let bytes = self.buffer.len() as u32;
        let count = u16::try_from(count).unwrap_or(UNKNOWN);
        let header = &mut self.buffer.as_mut_slice()[..HEADER_BYTES];
        header[..4].copy_from_slice(&bytes.to_le_bytes());
        header[4..].copy_from_slice(&count.to_le_bytes());
    }

    /// What the header says of the number of entries.
    #[inline]
    const fn header_count(&self) -> u16 {
        let bytes = self.as_bytes();
        u16::from_le_bytes([bytes[4], bytes[5]])
    }

    /// Where the end mark is.
    #[inline]
    const fn end(&self) -> usize {
        self.bytes() - 1
    }

    /// Where the entry at `position` ends, back length included.
    fn end_of(&self, position: Position) -> usize {
        position.0 + skip(&self.as_bytes()[position.0..]).expect(POSITION)
    }

    /// The entry that ends at `end`.
    #[inline]
    fn before(&self, end: usize) -> Option<Position> {
        if end == HEADER_BYTES {
            return None;
        }
        let bytes = match self.as_bytes()[end - 1] {
            short @ 0..=0x7f => usize::from(short),
            _ => read_back(&self.as_bytes()[..end]).expect(POSITION),
        };
        Some(Position(end - total_bytes(bytes)))
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Entry<'a>;
    type IntoIter = ListpackIter<'a>;

    fn into_iter(self) -> ListpackIter<'a> {
        self.iter()
    }
}

/// The values of a listpack.
#[derive(Clone, Debug)]
pub struct ListpackIter<'a> {
    listpack: &'a Listpack,
    start: usize,
    end: usize,
}

impl<'a> Iterator for ListpackIter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.start >= self.end {
            return None;
        }
        let (entry, bytes) = Entry::read(&self.listpack.as_bytes()[self.start..]).expect(POSITION);
        self.start += total_bytes(bytes);
        Some(entry)
    }
}

impl DoubleEndedIterator for ListpackIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start >= self.end {
            return None;
        }
        let position = self.listpack.before(self.end)?;
        self.end = position.0;
        Some(self.listpack.get(position))
    }
}

/// What a caller who keeps to the contracts never sees.
const POSITION: &str = "a position of this listpack";

/// The number of entries, if `bytes` are one whole listpack.
fn count_checked(bytes: &[u8]) -> Option<usize> {
    let total = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    if bytes.len() != total || !(LISTPACK_BYTES_MIN..=LISTPACK_BYTES_MAX).contains(&total) {
        return None;
    }
    let (entries, end) = bytes.split_at(total - 1);
    let claimed = u16::from_le_bytes([entries[4], entries[5]]);
    let (mut at, mut count) = (HEADER_BYTES, 0);
    while at < entries.len() {
        let (_, bytes) = Entry::read(&entries[at..])?;
        let next = at + total_bytes(bytes);
        if read_back(entries.get(at + bytes..next)?)? != bytes {
            return None;
        }
        at = next;
        count += 1;
    }
    (end == [END] && (claimed == UNKNOWN || usize::from(claimed) == count)).then_some(count)
}

#[cfg(test)]
mod tests;
