//! A directory: things in the order of hashes, each for an interval of positions, found by bits.
//!
//! ```text
//! bits = 3   | A . . . | B . | C | D |      A: 0xx, B: 10x, C: 110, D: 111
//! ```
//!
//! There are `2^bits` slots. A thing that answers for `2^k` of them (its *span*) stands in the
//! first; the others are empty. So nothing stands twice, which sharing would mistake for a second
//! owner, and a lookup that meets an empty slot clears low bits of its number until one is full.
//!
//! Invariants: slot 0 is full; spans are aligned to their length and cover all slots; unless
//! `bits` is 0 some odd slot is full (else half of the slots would do), and `odd` counts them. The
//! slots' vector has no capacity beyond them.

/// See the module's essay.
#[derive(Clone)]
pub(super) struct Directory<T> {
    /// Bits of a position that were used up before this directory.
    depth: u32,
    bits: u32,
    /// Full slots with an odd number.
    odd: usize,
    slots: Vec<Option<T>>,
}

impl<T> Default for Directory<T> {
    /// Nothing, to be put in the place of one that is taken: not to be used.
    fn default() -> Self {
        Self { depth: 0, bits: 0, odd: 0, slots: Vec::new() }
    }
}

impl<T> Directory<T> {
    /// `thing` alone, with all positions whose first `depth` bits are those of the way here.
    pub(super) fn new(depth: u32, thing: T) -> Self {
        Self { depth, bits: 0, odd: 0, slots: vec![Some(thing)] }
    }

    /// Divides the slot's span in two: `high` gets the upper half. Doubles the directory if the
    /// span is a single slot, and returns where the lower half is then.
    pub(super) fn split(&mut self, slot: usize, high: T) -> usize {
        let mut low = slot;
        if self.span_bits(slot) == 0 {
            self.double();
            low *= 2;
        }
        let at = low + (1 << self.span_bits(low)) / 2;
        self.odd += at % 2;
        self.slots[at] = Some(high);
        low
    }

    /// The slots that a join of `slot` with its other half is about, lower first, if that half is
    /// of one piece.
    pub(super) fn halves(&self, slot: usize) -> Option<(usize, usize)> {
        let span = self.span_bits(slot);
        if span >= self.bits {
            return None;
        }
        let other = slot ^ (1 << span);
        let whole = self.slots[other].is_some() && self.span_bits(other) == span;
        whole.then(|| (slot.min(other), slot.max(other)))
    }

    /// Puts `thing` in the place of two halves, and gives back the slots that are not needed.
    pub(super) fn join(&mut self, (low, high): (usize, usize), thing: T) {
        self.slots[low] = Some(thing);
        self.slots[high] = None;
        self.odd -= high % 2;
        if self.odd == 0 {
            self.fit();
        }
    }

    /// Both halves as directories of their own. Only for one that has bits.
    pub(super) fn divided(mut self) -> (Self, Self) {
        let upper = self.slots.split_off(self.slots.len() / 2);
        let (depth, bits) = (self.depth + 1, self.bits - 1);
        let of = |slots: Vec<Option<T>>| {
            let mut half = Self { depth, bits, odd: 0, slots };
            half.fit();
            half
        };
        (of(self.slots), of(upper))
    }

    /// What [`Directory::divided`] takes apart.
    pub(super) fn united(mut low: Self, mut high: Self) -> Self {
        while low.bits < high.bits {
            low.double();
        }
        while high.bits < low.bits {
            high.double();
        }
        low.slots.append(&mut high.slots);
        let (depth, bits) = (low.depth - 1, low.bits + 1);
        let mut whole = Self { depth, bits, odd: 0, slots: low.slots };
        whole.fit();
        whole
    }

    /// The thing in a slot that is full.
    #[inline]
    pub(super) fn at(&self, slot: usize) -> &T {
        self.slots[slot].as_ref().expect("the slot is full")
    }

    /// The thing in a slot that is full.
    #[inline]
    pub(super) fn at_mut(&mut self, slot: usize) -> &mut T {
        self.slots[slot].as_mut().expect("the slot is full")
    }

    /// Takes a thing out for good: the last one. Only to free what a directory holds.
    pub(super) fn pop(&mut self) -> Option<T> {
        while let Some(slot) = self.slots.pop() {
            if slot.is_some() {
                return slot;
            }
        }
        None
    }

    /// Puts back what [`Directory::pop`] took.
    pub(super) fn push(&mut self, thing: T) {
        self.slots.push(Some(thing));
    }

    /// The slot that answers for `position`.
    #[inline]
    pub(super) fn slot_of(&self, position: u64) -> usize {
        let rest = position << (u64::BITS - table::POSITION_BITS) << self.depth;
        self.owner(rest.unbounded_shr(u64::BITS - self.bits) as usize)
    }

    /// The full slot whose span this one is in.
    #[inline]
    pub(super) fn owner(&self, slot: usize) -> usize {
        let mut slot = slot;
        while self.slots[slot].is_none() && slot > 0 {
            slot &= slot - 1;
        }
        slot
    }

    /// Bits that tell the slot's thing from all others, those before the directory included.
    pub(super) fn depth_of(&self, slot: usize) -> u32 {
        self.depth + self.bits - self.span_bits(slot)
    }

    /// Bits of a position that were used up before this directory.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// Bits of a position that tell its slots apart.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// The positions that the slot's thing answers for: the first, and how many.
    pub(super) fn interval_of(&self, slot: usize, first: u64) -> (u64, u64) {
        let left = table::POSITION_BITS - self.depth;
        let own = (slot as u64) << (left - self.bits);
        (first + own, 1 << (left - self.bits + self.span_bits(slot)))
    }

    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// What it holds on the heap, beside what the things do.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.len() * size_of::<Option<T>>()
    }

    /// All things, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// The binary logarithm of the slot's span.
    pub(super) fn span_bits(&self, slot: usize) -> u32 {
        let mut bits = 0;
        while bits < self.bits
            && slot.is_multiple_of(2 << bits)
            && self.slots[slot + (1 << bits)].is_none()
        {
            bits += 1;
        }
        bits
    }

    fn double(&mut self) {
        let mut doubled = Vec::with_capacity(self.slots.len() * 2);
        for slot in self.slots.drain(..) {
            doubled.push(slot);
            doubled.push(None);
        }
        self.slots = doubled;
        self.bits += 1;
        self.odd = 0;
    }

    /// Counts the odd slots, and halves the directory while there are none.
    fn fit(&mut self) {
        let count = |slots: &[Option<T>]| slots.iter().skip(1).step_by(2).flatten().count();
        self.odd = count(&self.slots);
        while self.bits > 0 && self.odd == 0 {
            self.slots = self.slots.drain(..).step_by(2).collect();
            self.bits -= 1;
            self.odd = count(&self.slots);
        }
        self.slots.shrink_to_fit();
    }
}
