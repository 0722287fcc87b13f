//! Values that are being freed in slices.
//!
//! Freeing a value of 100 MB, or a database of ten million keys, takes many milliseconds. What is
//! large is put here instead of being dropped, and the core thread drops a piece of it per tick.
//! What is small is dropped at once: that is cheaper than queueing it.
//!
//! The queue is unbounded in length but not in memory: everything in it was in the keyspace before.
//! While it is long, the server gives it more slices.

use std::collections::VecDeque;

use datatypes::Object;
use table::Table;

/// An object owning no more than this is dropped at once: at 0.25 us a page of 4 KiB given back to
/// the kernel (measured in `datatypes::Object`), 64 KiB cost 4 us.
const DROPPED_AT_ONCE_BYTES_MAX: usize = 64 << 10;

/// Steps in a unit of a slice's budget: one is a record of a table, or [`STEP_BYTES`] of objects.
const STEPS_A_UNIT: usize = 64;

/// So that a unit is 512 KiB, which is what [`Object::free_slice`] frees at a time (its measurement
/// is there).
const STEP_BYTES: usize = (512 << 10) / STEPS_A_UNIT;

/// Something large, on its way out.
enum Doom {
    Object(Object),
    Table(Box<Table<Object>>),
}

/// The queue. See the module's essay.
#[derive(Default)]
pub struct Doomed {
    /// First in, first out: what is being taken apart is at the front.
    queue: VecDeque<Doom>,
    /// Objects and records in the queue.
    pending: u64,
    /// Objects and records that went through it.
    freed: u64,
}

impl Doomed {
    /// Drops `object` at once if it is small, else in slices.
    #[inline]
    pub fn push(&mut self, object: Object) {
        if object.heap_bytes() > DROPPED_AT_ONCE_BYTES_MAX {
            self.pending += 1;
            self.queue.push_back(Doom::Object(object));
        }
    }

    /// Takes a whole table apart in slices.
    pub fn push_table(&mut self, table: Box<Table<Object>>) {
        if !table.is_empty() {
            self.pending += table.len() as u64;
            self.queue.push_back(Doom::Table(table));
        }
    }

    /// `lazyfree_pending_objects`.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// `lazyfreed_objects`.
    #[must_use]
    pub const fn freed(&self) -> u64 {
        self.freed
    }

    /// Sets `lazyfreed_objects` back to 0 (`CONFIG RESETSTAT`).
    pub const fn reset_freed(&mut self) {
        self.freed = 0;
    }

    /// Whether nothing is left to free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Frees what `units` pay for, each of which takes 0.1 ms at most: 512 KiB of objects, 64
    /// records of a table, or some of both. True while there is more.
    pub fn free_slice(&mut self, units: usize) -> bool {
        let mut steps = units.saturating_mul(STEPS_A_UNIT);
        while steps > 0 {
            let taken = match self.queue.pop_front() {
                None => return false,
                Some(Doom::Object(object)) => self.free_object(object),
                Some(Doom::Table(table)) => self.free_table(table, steps.min(STEPS_A_UNIT)),
            };
            steps = steps.saturating_sub(taken.max(1));
        }
        !self.queue.is_empty()
    }

    /// Frees a piece of an object; returns how many steps that was.
    fn free_object(&mut self, mut object: Object) -> usize {
        let before = object.heap_bytes();
        if object.free_slice() {
            self.pending -= 1;
            self.freed += 1;
            return before / STEP_BYTES;
        }
        let freed = before.saturating_sub(object.heap_bytes());
        self.queue.push_front(Doom::Object(object));
        freed / STEP_BYTES
    }

    /// Takes about `records` records of a table out; returns how many these were.
    fn free_table(&mut self, mut table: Box<Table<Object>>, records: usize) -> usize {
        let before = table.len();
        let queue = &mut self.queue;
        let mut large = 0;
        let more = table.drain(records, |object| {
            if object.heap_bytes() > DROPPED_AT_ONCE_BYTES_MAX {
                large += 1;
                queue.push_back(Doom::Object(object));
            }
        });
        let taken = before - table.len();
        // a large object of the table stays pending until it is freed itself
        let gone = taken as u64 - large;
        self.pending -= gone;
        self.freed += gone;
        if more {
            self.queue.push_front(Doom::Table(table));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::Doomed;
    use datatypes::Object;
    use table::{Expiry, Hasher, Payload, Table};

    #[test]
    fn small_objects_go_at_once_and_large_ones_in_slices() {
        let mut doomed = Doomed::default();
        doomed.push(Object::string(vec![0; 60 << 10]));
        assert!(doomed.is_empty());
        doomed.push(Object::string(vec![1; 10 << 20]));
        assert_eq!((doomed.pending(), doomed.freed()), (1, 0));
        let mut slices = 0;
        while doomed.free_slice(1) {
            slices += 1;
        }
        assert!(slices >= 8, "{slices}");
        assert_eq!((doomed.pending(), doomed.freed()), (0, 1));
    }

    #[test]
    fn a_unit_pays_for_so_many_bytes_of_objects() {
        let mut doomed = Doomed::default();
        (0..20).for_each(|_| doomed.push(Object::string(vec![1; 100 << 10])));
        // five objects of 100 KiB are 500 KiB; the sixth begins within the unit
        assert!(doomed.free_slice(1));
        assert_eq!(doomed.freed(), 6);
        assert!(!doomed.free_slice(3));
        assert_eq!((doomed.pending(), doomed.freed()), (0, 20));
    }

    #[test]
    fn tables_are_taken_apart_with_their_objects() {
        let hasher = Hasher::new(1);
        let mut table = Box::new(Table::new(hasher));
        for number in 0..1000_u32 {
            let key = number.to_string();
            let hash = hasher.hash(key.as_bytes());
            let payload = if number % 100 == 0 {
                Payload::Object(Object::string(vec![1; 3 << 20]))
            } else {
                Payload::Int(1)
            };
            table.set(hash, key.as_bytes(), payload, Expiry::Never);
        }
        let mut doomed = Doomed::default();
        doomed.push_table(table);
        assert_eq!(doomed.pending(), 1000);
        let mut slices = 1;
        while doomed.free_slice(1) {
            slices += 1;
        }
        // 10 objects of 3 MiB and 1000 records
        assert!(slices >= 10 * 2 + 1000 / 64 / 4, "{slices}");
        assert_eq!((doomed.pending(), doomed.freed()), (0, 1000));
        doomed.push_table(Box::new(Table::new(hasher)));
        assert!(doomed.is_empty());
    }
}
