//! A chunk: up to some hundred entries in one allocation, shared by those who hold it.
//!
//! ```text
//! owners  head                            fingerprints   codes            bodies          free
//! +------+-------------------------------+--------------+----------------+---------------+-----+
//! | 8 B  | count reserve used outside    | reserve B    | PIECES times   | used B        |     |
//! |      | 2 B   2 B     4 B  8 B        |              | reserve B      |               |     |
//! +------+-------------------------------+--------------+----------------+---------------+-----+
//! ```
//!
//! Entries stand in the order in which they came. `reserve`, a multiple of 16, says for how many
//! there are fingerprints and codes, so that comparing 16 at a time never runs over. The body of an
//! entry is its pieces' bytes; where it begins is the sum of the lengths before it, which are bits
//! of the codes: eight are added at a time.
//!
//! What is changed while others hold the chunk too is copied first (`prepare`): some two kilobytes.
//! The new allocation is of a size that the allocator has a class for, so that what is left over
//! can be used.
//!
//! Long pieces lie outside, each in an allocation that copies of the chunk share.

use table::{GROUP_BYTES, Hash, Matches};
use triomphe::{Arc, HeaderSlice, ThinArc};

use super::piece::{LENGTH_BITS, PLACE_BYTES, Packed, is_outside, place_of, unpacked};
use crate::packed::Entry;

/// A chunk of entries of `PIECES` pieces each.
#[derive(Clone)]
pub(super) struct Chunk<const PIECES: usize> {
    block: Arc<HeaderSlice<Head, [u8]>>,
}

#[derive(Clone, Default)]
struct Head {
    count: u16,
    /// Entries for which there are fingerprints and codes.
    reserve: u16,
    /// Bytes of bodies.
    used: u32,
    outside: Option<Box<Outside>>,
}

/// The long pieces of a chunk, by the numbers that stand in their entries.
#[derive(Clone, Default)]
struct Outside {
    places: Vec<Option<ThinArc<(), u8>>>,
    /// What they hold, in bytes.
    bytes: usize,
}

/// Bytes of a block before the fingerprints: owners and head.
const BLOCK_HEAD_BYTES: usize = 8 + size_of::<Head>();

/// Bytes of an allocation outside beside the text: owners and length.
const OUTSIDE_HEAD_BYTES: usize = 16;

impl<const PIECES: usize> Chunk<PIECES> {
    pub(super) fn new() -> Self {
        Self::with_shape(GROUP_BYTES, 0)
    }

    /// An empty chunk with fingerprints for `reserve` entries and room for `bodies` bytes.
    fn with_shape(reserve: usize, bodies: usize) -> Self {
        let needed = reserve * (1 + PIECES) + bodies;
        let zeros = vec![0; capacity_for(needed)];
        let head = Head { reserve: reserve as u16, ..Head::default() };
        Self { block: Arc::from_header_and_vec(head, zeros) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.head().count)
    }

    /// Bytes that the entries need, beside the block's head.
    pub(super) fn bytes_used(&self) -> usize {
        self.bodies_at() + self.head().used as usize
    }

    /// What it holds on the heap, all of it, whoever else holds it too.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        let outside = self.head().outside.as_ref().map_or(0, |outside| {
            let places = outside.places.capacity() * size_of::<Option<ThinArc<(), u8>>>();
            size_of::<Outside>() + places + outside.bytes
        });
        BLOCK_HEAD_BYTES + self.block.slice.len() + outside
    }

    /// What dropping it costs, in chunks without anything outside: it is one allocation, but each
    /// long piece is another, and on lines of its own.
    pub(super) fn free_effort(&self) -> usize {
        1 + self.head().outside.as_ref().map_or(0, |outside| outside.places.len())
    }

    /// The entry whose first piece is `member`.
    #[inline]
    pub(super) fn find(&self, hash: Hash, member: &Packed<'_>) -> Option<usize> {
        let (bytes, count) = (&self.block.slice, self.len());
        let (groups, _) = bytes[..self.reserve()].as_chunks::<GROUP_BYTES>();
        for (number, group) in groups.iter().enumerate() {
            let first = number * GROUP_BYTES;
            let Some(rest) = count.checked_sub(first) else { break };
            let matches: Matches = table::matches(group, fingerprint(hash));
            for position in matches.first(rest.min(GROUP_BYTES)) {
                let index = first + position;
                if self.code(0, index) == member.code && self.holds(index, member) {
                    return Some(index);
                }
            }
        }
        None
    }

    /// The entry of this number.
    #[inline]
    pub(super) fn entry(&self, index: usize) -> Member<'_, PIECES> {
        Member { chunk: self, index, at: self.body_of(index) }
    }

    /// All entries, in the order in which they came.
    pub(super) fn entries(&self) -> impl Iterator<Item = Member<'_, PIECES>> {
        let mut at = self.bodies_at();
        (0..self.len()).map(move |index| {
            let entry = Member { chunk: self, index, at };
            at += entry.len();
            entry
        })
    }

    /// Adds an entry, which is not there yet.
    pub(super) fn push(&mut self, hash: Hash, pieces: &[Packed<'_>; PIECES]) {
        let bodies: usize = pieces.iter().map(Packed::len).sum();
        let index = self.len();
        let full = index == self.reserve();
        self.prepare(self.reserve() + if full { GROUP_BYTES } else { 0 }, bodies);
        let (reserve, mut at) = (self.reserve(), self.bytes_used());
        for (number, piece) in pieces.iter().enumerate() {
            self.write_piece(at, piece);
            at += piece.len();
            self.bytes_mut()[reserve * (1 + number) + index] = piece.code;
        }
        self.bytes_mut()[index] = fingerprint(hash);
        let head = self.head_mut();
        head.count += 1;
        head.used += bodies as u32;
    }

    /// Takes an entry out. The numbers of those after it fall by one.
    pub(super) fn remove(&mut self, index: usize) {
        self.prepare(self.reserve(), 0);
        for number in 0..PIECES {
            self.drop_outside(self.code(number, index), self.piece_at(number, index));
        }
        let (count, reserve, end) = (self.len(), self.reserve(), self.bytes_used());
        let Member { at, .. } = self.entry(index);
        let bodies = self.entry(index).len();
        let bytes = self.bytes_mut();
        bytes.copy_within(at + bodies..end, at);
        for array in 0..=PIECES {
            let begin = array * reserve;
            bytes.copy_within(begin + index + 1..begin + count, begin + index);
        }
        let head = self.head_mut();
        head.count -= 1;
        head.used -= bodies as u32;
        self.shrink();
    }

    /// Puts `piece` in the place of an entry's piece of this number.
    pub(super) fn replace(&mut self, index: usize, number: usize, piece: &Packed<'_>) {
        self.prepare(self.reserve(), piece.len());
        let (at, old) = (self.piece_at(number, index), self.code(number, index));
        self.drop_outside(old, at);
        let old_len = length(old);
        let end = self.bytes_used();
        self.bytes_mut().copy_within(at + old_len..end, at + piece.len());
        self.write_piece(at, piece);
        let code_at = self.reserve() * (1 + number) + index;
        self.bytes_mut()[code_at] = piece.code;
        let head = self.head_mut();
        head.used = head.used + piece.len() as u32 - old_len as u32;
        self.shrink();
    }

    /// A new chunk of those entries of `chunks` that are `wanted`.
    pub(super) fn gather(chunks: &[&Self], mut wanted: impl FnMut(usize, usize) -> bool) -> Self {
        let mut chosen = Vec::new();
        let mut bodies = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            for entry in chunk.entries().filter(|entry| wanted(number, entry.index)) {
                bodies += entry.len();
                chosen.push(entry);
            }
        }
        let mut all = Self::with_shape(reserve_for(chosen.len()), bodies);
        for entry in chosen {
            all.push_entry(entry);
        }
        all
    }

    /// Adds an entry of another chunk; there is room for it, and nobody else has this chunk.
    fn push_entry(&mut self, entry: Member<'_, PIECES>) {
        let (reserve, index, mut at) = (self.reserve(), self.len(), self.bytes_used());
        self.bytes_mut()[index] = entry.chunk.block.slice[entry.index];
        let mut from = entry.at;
        for number in 0..PIECES {
            let code = entry.chunk.code(number, entry.index);
            let stored = &entry.chunk.block.slice[from..from + length(code)];
            self.bytes_mut()[reserve * (1 + number) + index] = code;
            if is_outside(code) {
                let text = entry.chunk.outside(stored).cloned();
                let place = self.put_outside(text);
                self.bytes_mut()[at..at + PLACE_BYTES].copy_from_slice(&place);
            } else {
                self.bytes_mut()[at..at + stored.len()].copy_from_slice(stored);
            }
            from += stored.len();
            at += stored.len();
        }
        let head = self.head_mut();
        head.count += 1;
        head.used += (from - entry.at) as u32;
    }

    /// Makes the chunk one that nobody else holds, with this reserve and room for `more` bytes.
    #[inline]
    fn prepare(&mut self, reserve: usize, more: usize) {
        let needed = reserve * (1 + PIECES) + self.head().used as usize + more;
        let fits = reserve == self.reserve() && needed <= self.block.slice.len();
        if !fits || !self.is_unique() {
            self.rebuild(reserve, if fits { self.block.slice.len() } else { capacity_for(needed) });
        }
    }

    /// Gives back what removals have left over, once that is two classes of sizes.
    fn shrink(&mut self) {
        let reserve = reserve_for(self.len());
        let needed = reserve * (1 + PIECES) + self.head().used as usize;
        let capacity = capacity_for(needed + needed / 2);
        if capacity < self.block.slice.len() {
            self.rebuild(reserve, capacity_for(needed));
        }
    }

    #[cold]
    fn rebuild(&mut self, reserve: usize, capacity: usize) {
        let mut bytes = Vec::with_capacity(capacity);
        let old = &self.block.slice;
        for array in 0..=PIECES {
            let begin = array * self.reserve();
            bytes.extend_from_slice(&old[begin..begin + self.reserve().min(reserve)]);
            bytes.resize((array + 1) * reserve, 0);
        }
        bytes.extend_from_slice(&old[self.bodies_at()..self.bytes_used()]);
        bytes.resize(capacity, 0);
        let mut head = match Arc::get_mut(&mut self.block) {
            Some(block) => std::mem::take(&mut block.header),
            None => self.head().clone(),
        };
        head.reserve = reserve as u16;
        self.block = Arc::from_header_and_vec(head, bytes);
    }

    /// Whether the text of an entry's first piece, whose code is `member`'s, is `member`'s.
    #[inline]
    fn holds(&self, index: usize, member: &Packed<'_>) -> bool {
        let at = self.body_of(index);
        let stored = &self.block.slice[at..at + member.len()];
        if member.is_outside() {
            return self.outside(stored).is_some_and(|text| text.slice == *member.text);
        }
        stored == member.inline()
    }

    fn write_piece(&mut self, at: usize, piece: &Packed<'_>) {
        if piece.is_outside() {
            let text = ThinArc::from_header_and_slice((), piece.text);
            let place = self.put_outside(Some(text));
            self.bytes_mut()[at..at + PLACE_BYTES].copy_from_slice(&place);
        } else {
            let inline = piece.inline();
            self.bytes_mut()[at..at + inline.len()].copy_from_slice(inline);
        }
    }

    fn put_outside(&mut self, text: Option<ThinArc<(), u8>>) -> [u8; PLACE_BYTES] {
        let outside = self.head_mut().outside.get_or_insert_default();
        outside.bytes += text.as_ref().map_or(0, |text| outside_bytes(text.slice.len()));
        let place = match outside.places.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                outside.places.push(None);
                outside.places.len() - 1
            }
        };
        outside.places[place] = text;
        (place as u16).to_le_bytes()
    }

    /// Lets go of what the piece of `code` at `at` has outside.
    fn drop_outside(&mut self, code: u8, at: usize) {
        if !is_outside(code) {
            return;
        }
        let place = place_of(&self.block.slice[at..at + PLACE_BYTES]);
        let head = self.head_mut();
        let Some(outside) = &mut head.outside else { return };
        let text = outside.places[place].take();
        outside.bytes -= text.map_or(0, |text| outside_bytes(text.slice.len()));
        if outside.bytes == 0 {
            head.outside = None;
        }
    }

    fn outside(&self, stored: &[u8]) -> Option<&ThinArc<(), u8>> {
        let outside = self.head().outside.as_ref()?;
        outside.places.get(place_of(stored))?.as_ref()
    }

    /// Where the body of an entry begins.
    #[inline]
    fn body_of(&self, index: usize) -> usize {
        let reserve = self.reserve();
        let codes = self.block.slice[reserve..reserve * (1 + PIECES)].chunks_exact(reserve);
        self.bodies_at() + codes.map(|codes| lengths(codes, index)).sum::<usize>()
    }

    fn piece_at(&self, number: usize, index: usize) -> usize {
        let before = (0..number).map(|number| length(self.code(number, index)));
        self.body_of(index) + before.sum::<usize>()
    }

    #[inline]
    fn code(&self, number: usize, index: usize) -> u8 {
        self.block.slice[self.reserve() * (1 + number) + index]
    }

    #[inline]
    fn bodies_at(&self) -> usize {
        self.reserve() * (1 + PIECES)
    }

    #[inline]
    fn reserve(&self) -> usize {
        usize::from(self.head().reserve)
    }

    #[inline]
    fn head(&self) -> &Head {
        &self.block.header
    }

    #[inline]
    fn is_unique(&self) -> bool {
        self.block.is_unique()
    }

    /// The head of a chunk that was prepared.
    #[inline]
    fn head_mut(&mut self) -> &mut Head {
        &mut self.block_mut().header
    }

    /// The bytes of a chunk that was prepared.
    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.block_mut().slice
    }

    #[inline]
    fn block_mut(&mut self) -> &mut HeaderSlice<Head, [u8]> {
        Arc::get_mut(&mut self.block).expect("it was prepared, so nobody else holds it")
    }
}

/// An entry of a chunk.
#[derive(Clone, Copy)]
pub struct Member<'a, const PIECES: usize> {
    chunk: &'a Chunk<PIECES>,
    index: usize,
    /// Where its body begins.
    at: usize,
}

impl<'a, const PIECES: usize> Member<'a, PIECES> {
    /// The member itself: its first piece.
    #[inline]
    #[must_use]
    pub fn name(&self) -> Entry<'a> {
        self.piece(0)
    }

    /// Its piece of this number: 0 is the member.
    #[inline]
    #[must_use]
    pub fn piece(&self, number: usize) -> Entry<'a> {
        let chunk = self.chunk;
        let before = (0..number).map(|number| length(chunk.code(number, self.index)));
        let (at, code) = (self.at + before.sum::<usize>(), chunk.code(number, self.index));
        let stored = &chunk.block.slice[at..at + length(code)];
        if is_outside(code) {
            return Entry::Bytes(chunk.outside(stored).map_or(&[], |text| &text.slice));
        }
        unpacked(code, stored)
    }

    /// What tells it from all other entries, as long as nothing is changed.
    pub(super) fn identity(&self) -> (usize, usize) {
        (std::ptr::from_ref(self.chunk).addr(), self.index)
    }

    /// Bytes of its body.
    fn len(&self) -> usize {
        (0..PIECES).map(|number| length(self.chunk.code(number, self.index))).sum()
    }
}

/// Fingerprints and codes that there is room for with so many entries.
fn reserve_for(count: usize) -> usize {
    count.next_multiple_of(GROUP_BYTES).max(GROUP_BYTES)
}

#[inline]
fn fingerprint(hash: Hash) -> u8 {
    hash.to_bits() as u8
}

#[inline]
fn length(code: u8) -> usize {
    usize::from(code & LENGTH_BITS)
}

/// What a text of `len` bytes outside holds on the heap.
fn outside_bytes(len: usize) -> usize {
    (OUTSIDE_HEAD_BYTES + len).next_multiple_of(8)
}

/// The sum of the lengths in the first `count` codes. There are codes, of whatever value, up to the
/// next multiple of 16.
#[inline]
fn lengths(codes: &[u8], count: usize) -> usize {
    const LENGTHS: u64 = 0x3f3f_3f3f_3f3f_3f3f;
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    /// A lane of 16 bits takes 520 words of two lengths each.
    const WORDS: usize = 256;
    let (words, _) = codes.as_chunks::<8>();
    let mut sum = 0;
    for (block, words) in words[..count.div_ceil(8)].chunks(WORDS).enumerate() {
        let mut lanes = 0_u64;
        for (index, word) in words.iter().enumerate() {
            let rest = count - (block * WORDS + index) * 8;
            let kept = LENGTHS.unbounded_shr(8 * 8_usize.saturating_sub(rest) as u32);
            let word = u64::from_le_bytes(*word) & kept;
            lanes += (word & EVEN) + (word >> 8 & EVEN);
        }
        // The four lanes come together in the topmost: 256 words sum up to 129,024 at most, so each
        // half of the lanes is added on its own.
        let pairs = (lanes & 0x0000_ffff_0000_ffff) + (lanes >> 16 & 0x0000_ffff_0000_ffff);
        sum += ((pairs & 0xffff_ffff) + (pairs >> 32)) as usize;
    }
    sum
}

/// How many bytes beside its head a block has that needs `bytes` of them: what the allocator's
/// class of that size gives. Classes are four to a doubling, and no finer than 16 bytes.
fn capacity_for(bytes: usize) -> usize {
    let needed = (BLOCK_HEAD_BYTES + bytes).max(64);
    let step = (needed.next_power_of_two() / 8).max(16);
    needed.next_multiple_of(step) - BLOCK_HEAD_BYTES
}
