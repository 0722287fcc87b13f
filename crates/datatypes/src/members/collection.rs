//! The collection itself: finding, adding, removing, sharing, freeing.

use table::{Hash, Hasher, POSITION_BITS};
use triomphe::Arc;

use super::chunk::{Chunk, Member};
use super::directory::Directory;
use super::piece::{Packed, hash_of};
use super::{CHUNK_BYTES_MAX, CHUNK_ENTRIES_MAX, JOINED_SHARE, PAGE_BITS_JOINED, PAGE_BITS_MAX};

/// The chunks of an interval of positions.
pub(super) type Page<const PIECES: usize> = Directory<Chunk<PIECES>>;

/// Distinct members, each with `PIECES - 1` byte strings that it carries. See the module's essay.
pub struct Members<const PIECES: usize> {
    hasher: Hasher,
    root: Directory<Arc<Page<PIECES>>>,
    len: usize,
    /// What chunks and pages hold on the heap.
    heap_bytes: usize,
}

/// Where the chunk for a position is.
#[derive(Clone, Copy)]
struct Place {
    page: usize,
    slot: usize,
}

impl<const PIECES: usize> Members<PIECES> {
    /// Without members. `hasher` is the server's.
    #[must_use]
    pub fn new(hasher: Hasher) -> Self {
        let chunk = Chunk::new();
        let bytes = chunk.heap_bytes();
        let page = Directory::new(0, chunk);
        let heap_bytes = bytes + page_bytes(&page);
        Self { hasher, root: Directory::new(0, Arc::new(page)), len: 0, heap_bytes }
    }

    /// Adds the member that is the first of `pieces`, with what it carries. If it is there already,
    /// it carries the others from now on. True: it is new. O(1), some 10 us at worst.
    pub fn insert(&mut self, pieces: [&[u8]; PIECES]) -> bool {
        let hash = self.hasher.hash(pieces[0]);
        let packed = pieces.map(Packed::of);
        let mut place = self.locate(hash);
        if let Some(index) = self.chunk(place).find(hash, &packed[0]) {
            if PIECES > 1 {
                self.edit(place, |chunk| {
                    for (number, piece) in packed.iter().enumerate().skip(1) {
                        chunk.replace(index, number, piece);
                    }
                });
            }
            return false;
        }
        let bodies: usize = packed.iter().map(Packed::len).sum();
        while self.is_full(place, bodies) {
            self.split(place);
            place = self.locate(hash);
        }
        self.edit(place, |chunk| chunk.push(hash, &packed));
        self.len += 1;
        true
    }

    /// Takes a member out. True: it was there. O(1), some 10 us at worst.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let hash = self.hasher.hash(member);
        let place = self.locate(hash);
        let Some(index) = self.chunk(place).find(hash, &Packed::of(member)) else {
            return false;
        };
        self.edit(place, |chunk| chunk.remove(index));
        self.len -= 1;
        // One in eight: a look at the neighbours costs their cache lines.
        let left = self.chunk(place).len();
        if left <= CHUNK_ENTRIES_MAX / JOINED_SHARE / 2 && left.is_multiple_of(8) {
            while self.join(self.locate(hash)) {}
        }
        true
    }

    /// The member's entry. O(1).
    #[inline]
    #[must_use]
    pub fn find(&self, member: &[u8]) -> Option<Member<'_, PIECES>> {
        let hash = self.hasher.hash(member);
        let chunk = self.chunk(self.locate(hash));
        chunk.find(hash, &Packed::of(member)).map(|index| chunk.entry(index))
    }

    /// How many members there are. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none. O(1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hash function that it was made with.
    #[must_use]
    pub const fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Bytes on the heap, all of them; those that are shared too. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes + self.root.heap_bytes()
    }

    /// The same members, now: what is done to either is not seen in the other. 8 bytes copied for
    /// some 15,000 members.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { root: self.root.clone(), ..*self }
    }

    /// All entries, in no order that means anything; see [`Members::scan`] for one that does.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_, PIECES>> {
        self.chunks().flat_map(Chunk::entries)
    }

    /// Lets go of about `chunks` chunks, or of fewer that have much outside, and frees those that
    /// nobody shares.
    /// True when all are gone. The value is garbage from the first call on: to be freed further, or
    /// dropped, and asked for nothing but its heap bytes.
    pub fn free_slice(&mut self, chunks: usize) -> bool {
        let mut left = chunks.max(1);
        while left > 0 {
            let Some(mut page) = self.root.pop() else { return true };
            // Pages of others are theirs to free; this one's owner is then one fewer.
            let Some(own) = Arc::get_mut(&mut page) else {
                left -= 1;
                continue;
            };
            while left > 0 {
                let Some(chunk) = own.pop() else { break };
                self.heap_bytes = self.heap_bytes.saturating_sub(chunk.heap_bytes());
                left = left.saturating_sub(chunk.free_effort());
            }
            if left == 0 {
                self.root.push(page);
            }
        }
        false
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk<PIECES>> {
        self.root.iter().flat_map(|page| page.iter())
    }

    pub(super) fn root(&self) -> &Directory<Arc<Page<PIECES>>> {
        &self.root
    }

    #[inline]
    fn locate(&self, hash: Hash) -> Place {
        let page = self.root.slot_of(hash.position());
        Place { page, slot: self.root.at(page).slot_of(hash.position()) }
    }

    #[inline]
    fn chunk(&self, place: Place) -> &Chunk<PIECES> {
        self.root.at(place.page).at(place.slot)
    }

    /// Changes a chunk, and keeps the count of bytes.
    #[inline]
    fn edit(&mut self, place: Place, change: impl FnOnce(&mut Chunk<PIECES>)) {
        let page = Arc::make_mut(self.root.at_mut(place.page));
        let chunk = page.at_mut(place.slot);
        let before = chunk.heap_bytes();
        change(chunk);
        self.heap_bytes = self.heap_bytes + chunk.heap_bytes() - before;
    }

    /// Whether the chunk has to split before it takes an entry with so many bytes.
    #[inline]
    fn is_full(&self, place: Place, bodies: usize) -> bool {
        let chunk = self.chunk(place);
        let full = chunk.len() >= CHUNK_ENTRIES_MAX
            || (chunk.bytes_used() + bodies > CHUNK_BYTES_MAX && chunk.len() > 1);
        full && self.root.at(place.page).depth_of(place.slot) < POSITION_BITS
    }

    /// Divides a chunk by the next bit of its members' positions, and first its page if that could
    /// not tell the halves apart.
    #[cold]
    fn split(&mut self, place: Place) {
        let hasher = self.hasher;
        let page = self.root.at(place.page);
        let depth = page.depth_of(place.slot);
        if page.bits() == PAGE_BITS_MAX && depth == page.depth() + page.bits() {
            self.split_page(place.page);
            return;
        }
        let page = Arc::make_mut(self.root.at_mut(place.page));
        let before = page_bytes(page);
        let chunk = page.at(place.slot);
        let upper: Vec<bool> = chunk
            .entries()
            .map(|entry| is_upper(hash_of(entry.name(), hasher).position(), depth))
            .collect();
        let low = Chunk::gather(&[chunk], |_, index| !upper[index]);
        let high = Chunk::gather(&[chunk], |_, index| upper[index]);
        let more = low.heap_bytes() + high.heap_bytes();
        let less = chunk.heap_bytes();
        let slot = page.split(place.slot, high);
        *page.at_mut(slot) = low;
        self.heap_bytes = self.heap_bytes + more + page_bytes(page) - less - before;
    }

    fn split_page(&mut self, page: usize) {
        let whole = Arc::make_mut(self.root.at_mut(page));
        let before = page_bytes(whole);
        let (low, high) = std::mem::take(whole).divided();
        self.heap_bytes = self.heap_bytes + page_bytes(&low) + page_bytes(&high) - before;
        let slot = self.root.split(page, Arc::new(high));
        *self.root.at_mut(slot) = Arc::new(low);
    }

    /// Joins a chunk with the other half of its interval if both are small, or else its page with
    /// the other half of that one's. False: there is nothing more to join.
    #[cold]
    fn join(&mut self, place: Place) -> bool {
        let page = self.root.at(place.page);
        let Some((low, high)) = page.halves(place.slot) else {
            return self.join_pages(place.page);
        };
        let (first, second) = (page.at(low), page.at(high));
        if first.len() + second.len() > CHUNK_ENTRIES_MAX / JOINED_SHARE
            || first.bytes_used() + second.bytes_used() > CHUNK_BYTES_MAX / JOINED_SHARE
        {
            return false;
        }
        let joined = Chunk::gather(&[first, second], |_, _| true);
        let less = first.heap_bytes() + second.heap_bytes() + page_bytes(page);
        let more = joined.heap_bytes();
        let page = Arc::make_mut(self.root.at_mut(place.page));
        page.join((low, high), joined);
        self.heap_bytes = self.heap_bytes + more + page_bytes(page) - less;
        true
    }

    /// Joins a page with the other half of its interval, if both are small.
    fn join_pages(&mut self, page: usize) -> bool {
        let Some((low, high)) = self.root.halves(page) else { return false };
        let (first, second) = (self.root.at(low), self.root.at(high));
        if first.bits().max(second.bits()) > PAGE_BITS_JOINED {
            return false;
        }
        let less = page_bytes(first) + page_bytes(second);
        let mut take = |slot| std::mem::take(Arc::make_mut(self.root.at_mut(slot)));
        let (first, second) = (take(low), take(high));
        let joined = Directory::united(first, second);
        self.heap_bytes = self.heap_bytes + page_bytes(&joined) - less;
        self.root.join((low, high), Arc::new(joined));
        true
    }
}

/// Whether a position's bit after the first `depth` is set.
#[inline]
pub(super) const fn is_upper(position: u64, depth: u32) -> bool {
    position >> (POSITION_BITS - 1 - depth) & 1 == 1
}

/// What a page holds beside its chunks: its slots, its own fields, and the number of its owners.
fn page_bytes<const PIECES: usize>(page: &Page<PIECES>) -> usize {
    page.heap_bytes() + size_of::<Page<PIECES>>() + size_of::<usize>()
}

impl<const PIECES: usize> std::fmt::Debug for Members<PIECES> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Members").field("len", &self.len).finish_non_exhaustive()
    }
}
