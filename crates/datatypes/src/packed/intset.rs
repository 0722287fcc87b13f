//! The intset: sorted integers in one piece of memory, byte for byte as Redis has it.
//!
//! ```text
//!  +----------------+----------+---------+---------+-----
//!  | width of each: | integers | integer | integer | ...     all little endian, ascending,
//!  | 2, 4 or 8, u32 | u32      |         |         |         each once
//!  +----------------+----------+---------+---------+-----
//! ```
//! The width is that of the widest integer that was ever in it: one that does not fit widens all of
//! them, and none are narrowed again. An integer that needs a wider encoding than all others is
//! before or behind them all, so widening and inserting are one pass.

use super::buffer::Buffer;
use super::listpack::Malformed;

/// Bytes before the first integer.
const HEADER_BYTES: usize = 8;

/// A set of integers in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intset {
    buffer: Buffer,
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl Intset {
    /// A set without integers.
    #[must_use]
    pub fn new() -> Self {
        let mut set = Self { buffer: Buffer::zeroed(HEADER_BYTES) };
        set.set_header(size_of::<i16>(), 0);
        set
    }

    /// An intset from bytes that came from outside, with all checked. One without integers is
    /// refused, as Redis does: it never writes such a set.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes are not one whole intset, sorted, with no integer twice.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let width = bytes.first_chunk().map_or(0, |width| u32::from_le_bytes(*width)) as usize;
        let len = bytes.get(4..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
        let len = u32::from_le_bytes(*len) as usize;
        let whole = matches!(width, 2 | 4 | 8)
            && len > 0
            && len.checked_mul(width) == Some(bytes.len() - HEADER_BYTES);
        if !whole {
            return Err(Malformed);
        }
        let set = Self { buffer: Buffer::from(bytes) };
        if set.iter().zip(set.iter().skip(1)).all(|(before, after)| before < after) {
            Ok(set)
        } else {
            Err(Malformed)
        }
    }

    /// The intset as Redis writes it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Bytes of its allocation.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.buffer.heap_bytes()
    }

    /// Integers in the set.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        let bytes = self.as_bytes();
        u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer at `index`, in ascending order. A fair random member is one at a random index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.read(index))
    }

    /// Whether `integer` is in the set. O(log n).
    #[must_use]
    pub fn contains(&self, integer: i64) -> bool {
        self.search(integer).is_ok()
    }

    /// All integers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        (0..self.len()).map(|index| self.read(index))
    }

    /// Puts `integer` into the set, and says whether it was not there.
    pub fn insert(&mut self, integer: i64) -> bool {
        let Err(index) = self.search(integer) else { return false };
        let (width, needed, len) = (self.width(), width_of(integer), self.len());
        if needed > width {
            self.widen(needed);
        }
        let width = width.max(needed);
        let at = HEADER_BYTES + index * width;
        let room = self.buffer.splice(at, 0, width);
        room.copy_from_slice(&integer.to_le_bytes()[..width]);
        self.set_header(width, len + 1);
        true
    }

    /// Takes `integer` out of the set, and says whether it was there.
    pub fn remove(&mut self, integer: i64) -> bool {
        let Ok(index) = self.search(integer) else { return false };
        let (width, len) = (self.width(), self.len());
        self.buffer.splice(HEADER_BYTES + index * width, width, 0);
        self.set_header(width, len - 1);
        true
    }

    /// Where `integer` is, or where it would be. Integers beyond both ends, which a growing series
    /// brings, are found at once.
    fn search(&self, integer: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        match high.checked_sub(1).map(|last| self.read(last)) {
            Some(last) if integer <= last => {}
            _ => return Err(high),
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.read(middle).cmp(&integer) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The integer at `index`, which is below the length.
    #[inline]
    fn read(&self, index: usize) -> i64 {
        let integers = &self.as_bytes()[HEADER_BYTES..];
        match self.width() {
            2 => i64::from(i16::from_le_bytes(chunk(integers, index))),
            4 => i64::from(i32::from_le_bytes(chunk(integers, index))),
            _ => i64::from_le_bytes(chunk(integers, index)),
        }
    }

    /// Gives each integer `width` bytes, from the last on, so that none is overwritten unread.
    fn widen(&mut self, width: usize) {
        let (old, len) = (self.width(), self.len());
        self.buffer.splice(HEADER_BYTES + len * old, 0, len * (width - old));
        for index in (0..len).rev() {
            let integer = self.read(index).to_le_bytes();
            let at = HEADER_BYTES + index * width;
            self.buffer.as_mut_slice()[at..at + width].copy_from_slice(&integer[..width]);
        }
        self.set_header(width, len);
    }

    /// Bytes of each integer.
    #[inline]
    const fn width(&self) -> usize {
        self.as_bytes()[0] as usize
    }

    /// Writes the header.
    fn set_header(&mut self, width: usize, len: usize) {
        let header = &mut self.buffer.as_mut_slice()[..HEADER_BYTES];
        header[..4].copy_from_slice(&(width as u32).to_le_bytes());
        header[4..].copy_from_slice(&(len as u32).to_le_bytes());
    }
}

/// Bytes that `integer` needs.
const fn width_of(integer: i64) -> usize {
    if integer as i16 as i64 == integer {
        2
    } else if integer as i32 as i64 == integer {
        4
    } else {
        8
    }
}

/// The `index`th piece of `N` bytes.
#[inline]
fn chunk<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
    let start = index * N;
    bytes[start..start + N].try_into().expect("N bytes")
}

#[cfg(test)]
mod tests;
