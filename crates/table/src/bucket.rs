//! A bucket: one cache line that holds up to nine records' fingerprints and addresses.
//!
//! ```text
//!  0        9      10                                                          64
//! +--------+------+--------+--------+--------+-   -+--------+--------+--------+
//! | 9 fin- |passed| slot 0 | slot 1 | slot 2 | ... | slot 6 | slot 7 | slot 8 |
//! | ger-   | 1 B  | 6 B    | 6 B    | 6 B    |     | 6 B    | 6 B    | 6 B    |
//! | prints |      |        |        |        |     |        |        |        |
//! +--------+------+--------+--------+--------+-   -+--------+--------+--------+
//! ```
//!
//! A fingerprint of 0 means an empty slot. 9 + 1 + 9 * 6 = 64: nothing is left over, so a record's
//! share of the table is 64 / 9 bytes divided by the load (8.4 bytes at 0.85).
//!
//! `passed` counts the records whose home is this bucket or an earlier one, which found this one
//! full and live further on. A search that finds nothing here ends here when it is 0: that is why
//! a miss usually reads one line. At 255 it sticks until the segment is rebuilt.
//!
//! A slot is an address: 48 bits, of which the low three are free because records are aligned to 8.
//! They say what kind of record it is, so that walks which look for few records (expiry, teardown)
//! skip the others without reading them:
//!
//! ```text
//! bit 0  has an expiry
//! bit 1  owns an object
//! bit 2  was allocated outside the slabs
//! ```

use std::ptr::NonNull;

use crate::group::{self, GROUP_BYTES, Matches};

/// Records in a bucket.
pub(crate) const SLOTS: usize = 9;

const PASSED: usize = SLOTS;
const SLOT_BYTES: usize = 6;
const ADDRESS_BITS: u32 = 48;

/// One cache line of the table.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    bytes: [u8; 64],
}

const _: () = assert!(size_of::<Bucket>() == SLOTS + 1 + SLOTS * SLOT_BYTES);

impl Bucket {
    /// A bucket without records.
    pub(crate) const EMPTY: Self = Self { bytes: [0; 64] };

    /// The slots whose fingerprint is `fingerprint`, which is not 0.
    #[inline]
    pub(crate) fn matches(&self, fingerprint: u8) -> Matches {
        group::matches(self.group(), fingerprint).first(SLOTS)
    }

    /// The empty slots.
    #[inline]
    pub(crate) fn empty(&self) -> Matches {
        group::matches(self.group(), 0).first(SLOTS)
    }

    /// The slots that hold records.
    #[inline]
    pub(crate) fn full(&self) -> Matches {
        Matches(!self.empty().0).first(SLOTS)
    }

    /// The slots that hold records with an expiry.
    #[inline]
    pub(crate) fn expiring(&self) -> Matches {
        let expiring = self.full().filter(|&slot| self.slot(slot).is_expiring());
        Matches(expiring.fold(0, |set, slot| set | (1 << slot)))
    }

    /// What slot `slot` holds; meaningful if it is full.
    #[inline]
    pub(crate) fn slot(&self, slot: usize) -> Slot {
        assert!(slot < SLOTS);
        // Read as the upper six of eight bytes: the bucket has ten bytes before slot 0, so this
        // never reaches outside.
        let at = SLOTS + 1 + slot * SLOT_BYTES - 2;
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[at..at + 8]);
        Slot(u64::from_le_bytes(word) >> 16)
    }

    /// The fingerprint of slot `slot`.
    #[inline]
    pub(crate) fn fingerprint(&self, slot: usize) -> u8 {
        debug_assert!(slot < SLOTS);
        self.bytes[slot]
    }

    /// Puts a record into slot `slot`.
    #[inline]
    pub(crate) fn put(&mut self, slot: usize, fingerprint: u8, content: Slot) {
        debug_assert!(fingerprint != 0);
        assert!(slot < SLOTS);
        self.bytes[slot] = fingerprint;
        let at = SLOTS + 1 + slot * SLOT_BYTES;
        self.bytes[at..at + SLOT_BYTES].copy_from_slice(&content.0.to_le_bytes()[..SLOT_BYTES]);
    }

    /// Empties slot `slot`.
    #[inline]
    pub(crate) fn clear(&mut self, slot: usize) {
        debug_assert!(slot < SLOTS);
        self.bytes[slot] = 0;
    }

    /// Whether records that found this bucket full live further on (or once may have).
    #[inline]
    pub(crate) fn is_passed(&self) -> bool {
        self.bytes[PASSED] != 0
    }

    /// Notes that a record passed.
    #[inline]
    pub(crate) fn pass(&mut self) {
        self.bytes[PASSED] = self.bytes[PASSED].saturating_add(1);
    }

    /// Notes that a record that had passed is gone.
    #[inline]
    pub(crate) fn unpass(&mut self) {
        debug_assert!(self.is_passed());
        if self.bytes[PASSED] != u8::MAX {
            self.bytes[PASSED] -= 1;
        }
    }

    #[inline]
    fn group(&self) -> &[u8; GROUP_BYTES] {
        self.bytes.first_chunk().expect("a bucket is longer than a group")
    }
}

/// The address of a record with its three bits of kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    const EXPIRING: u64 = 1;
    const OBJECT: u64 = 2;
    const LARGE: u64 = 4;

    /// The slot for a record.
    ///
    /// # Panics
    /// If the address needs more than 48 bits: neither x86-64 nor AArch64 Linux hands out such an
    /// address unless asked to.
    #[inline]
    pub(crate) fn new(record: NonNull<u8>, expiring: bool, object: bool, large: bool) -> Self {
        let address = record.as_ptr().expose_provenance() as u64;
        assert!(address >> ADDRESS_BITS == 0 && address.is_multiple_of(8), "address not in form");
        let kind = u64::from(expiring) * Self::EXPIRING
            + u64::from(object) * Self::OBJECT
            + u64::from(large) * Self::LARGE;
        Self(address | kind)
    }

    /// The record's address.
    #[inline]
    pub(crate) fn address(self) -> NonNull<u8> {
        let pointer = std::ptr::with_exposed_provenance_mut((self.0 & !7) as usize);
        NonNull::new(pointer).expect("slots are made from records, which are not at zero")
    }

    /// Whether the record has an expiry.
    #[inline]
    pub(crate) fn is_expiring(self) -> bool {
        self.0 & Self::EXPIRING != 0
    }

    /// Whether the record is plain bytes in a slab: forgetting the slab forgets it.
    #[inline]
    pub(crate) fn is_slab_only(self) -> bool {
        self.0 & (Self::OBJECT | Self::LARGE) == 0
    }

    /// Whether the record was allocated outside the slabs.
    #[inline]
    pub(crate) fn is_large(self) -> bool {
        self.0 & Self::LARGE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_what_is_put_and_leave_the_others_alone() {
        let mut memory = [0_u64; SLOTS];
        let mut bucket = Bucket::EMPTY;
        let pointers: Vec<_> = memory.iter_mut().map(|word| NonNull::from(word).cast()).collect();
        for (slot, &pointer) in pointers.iter().enumerate() {
            let content = Slot::new(pointer, slot % 2 == 1, slot % 3 == 1, slot % 5 == 1);
            bucket.put(slot, slot as u8 + 1, content);
        }
        bucket.pass();
        assert_eq!(bucket.full().count(), SLOTS);
        for (slot, &pointer) in pointers.iter().enumerate() {
            assert_eq!(bucket.slot(slot).address(), pointer);
            assert_eq!(bucket.slot(slot).is_expiring(), slot % 2 == 1);
            assert_eq!(bucket.slot(slot).is_large(), slot % 5 == 1);
            assert_eq!(bucket.matches(slot as u8 + 1).collect::<Vec<_>>(), [slot]);
        }
        assert_eq!(bucket.expiring().collect::<Vec<_>>(), [1, 3, 5, 7]);
        bucket.clear(4);
        assert_eq!(bucket.empty().collect::<Vec<_>>(), [4]);
        assert!(bucket.matches(5).next().is_none());
    }

    #[test]
    fn passed_sticks_at_its_top() {
        let mut bucket = Bucket::EMPTY;
        for _ in 0..300 {
            bucket.pass();
        }
        for _ in 0..300 {
            bucket.unpass();
        }
        assert!(bucket.is_passed());
        let mut bucket = Bucket::EMPTY;
        bucket.pass();
        bucket.unpass();
        assert!(!bucket.is_passed());
    }
}
