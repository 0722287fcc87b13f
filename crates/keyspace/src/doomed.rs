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

/// So many bytes that are no object's are dropped at once: those of a command with large values
/// come again with the next command, and the allocator keeps their memory for it.
const BYTES_AT_ONCE_MAX: usize = 1 << 20;

/// Steps in a unit of a slice's budget: one is a record of a table, or [`STEP_BYTES`] of objects.
const STEPS_A_UNIT: usize = 64;

/// So that a unit is 512 KiB, which is what [`Object::free_slice`] frees at a time (its measurement
/// is there).
const STEP_BYTES: usize = (512 << 10) / STEPS_A_UNIT;

/// Records of a table taken out before the steps are counted: their objects may be 64 KiB each, and
/// then 16 of them are two units.
const RECORDS_AT_ONCE: usize = 16;

/// Something large, on its way out.
enum Doom {
    Object(Object),
    /// No value of a key: bytes, or a share of one. Not counted.
    Uncounted(Object),
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

    /// Drops bytes that were no value of a key, an input buffer for instance, in the same way. They
    /// do not count as pending or freed objects.
    pub fn push_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.len() > BYTES_AT_ONCE_MAX {
            self.queue.push_back(Doom::Uncounted(Object::string(bytes)));
        }
    }

    /// Drops what is no value of a key, a share of one for instance, in the same way, uncounted.
    pub fn push_uncounted(&mut self, object: Object) {
        if object.heap_bytes() > DROPPED_AT_ONCE_BYTES_MAX {
            self.queue.push_back(Doom::Uncounted(object));
        }
    }

    /// Takes a whole table apart in slices. One without records may still have the memory of those
    /// that it had.
    pub fn push_table(&mut self, table: Box<Table<Object>>) {
        if table.bytes_reserved() > 0 {
            self.pending += table.len() as u64;
            self.queue.push_back(Doom::Table(table));
        }
    }

    /// Frees what is in the queue of another keyspace too, after what is in this one.
    pub fn take_over(&mut self, other: &mut Self) {
        self.queue.append(&mut other.queue);
        self.pending += std::mem::take(&mut other.pending);
        self.freed += std::mem::take(&mut other.freed);
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

    /// Frees what `units` pay for, each of which takes some 0.1 ms: 512 KiB of objects, 64 records
    /// of a table, 1 MiB of a table's memory, or some of each. The last thing begun may take a unit
    /// more. True while there is more.
    pub fn free_slice(&mut self, units: usize) -> bool {
        let mut steps = units.saturating_mul(STEPS_A_UNIT);
        while steps > 0 {
            let taken = match self.queue.pop_front() {
                None => return false,
                Some(Doom::Object(object)) => self.free_object(object, true),
                Some(Doom::Uncounted(object)) => self.free_object(object, false),
                Some(Doom::Table(table)) => self.free_table(table),
            };
            steps = steps.saturating_sub(taken.max(1));
        }
        !self.queue.is_empty()
    }

    /// Frees a piece of an object; returns how many steps that was. `counted`: as an object.
    fn free_object(&mut self, mut object: Object, counted: bool) -> usize {
        let before = object.heap_bytes();
        if object.free_slice() {
            self.pending -= u64::from(counted);
            self.freed += u64::from(counted);
            return before / STEP_BYTES;
        }
        self.queue.push_front(if counted { Doom::Object(object) } else { Doom::Uncounted(object) });
        STEPS_A_UNIT
    }

    /// Takes some records of a table out; returns how many steps that was. Large objects among them
    /// come next, before the rest of the table: so the queue stays short.
    fn free_table(&mut self, mut table: Box<Table<Object>>) -> usize {
        let before = table.len();
        let mut large = Vec::new();
        let mut dropped_bytes = 0;
        let drained = table.drain(RECORDS_AT_ONCE, |object| {
            let bytes = object.heap_bytes();
            if bytes > DROPPED_AT_ONCE_BYTES_MAX {
                large.push(object);
            } else {
                dropped_bytes += bytes;
            }
        });
        // a large object of the table stays pending until it is freed itself
        let gone = (before - table.len() - large.len()) as u64;
        self.pending -= gone;
        self.freed += gone;
        if drained.more {
            self.queue.push_front(Doom::Table(table));
        }
        large.into_iter().for_each(|object| self.queue.push_front(Doom::Object(object)));
        drained.spent + dropped_bytes / STEP_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::{Doom, Doomed};
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
    fn what_another_queue_had_comes_after() {
        let (mut doomed, mut other) = (Doomed::default(), Doomed::default());
        doomed.push(Object::string(vec![1; 1 << 20]));
        other.push(Object::string(vec![1; 2 << 20]));
        doomed.take_over(&mut other);
        assert!(other.is_empty() && other.pending() == 0);
        assert_eq!((doomed.pending(), reserved_bytes(&doomed)), (2, (3 << 20) + 2 * 24));
        while doomed.free_slice(1) {}
        assert_eq!((doomed.pending(), doomed.freed()), (0, 2));
    }

    #[test]
    fn bytes_go_in_slices_and_do_not_count() {
        let mut doomed = Doomed::default();
        doomed.push_bytes(vec![1; 1 << 20]);
        assert!(doomed.is_empty());
        doomed.push_bytes(vec![1; 10 << 20]);
        let mut slices = 1;
        while doomed.free_slice(1) {
            slices += 1;
        }
        assert!((10..30).contains(&slices), "{slices}");
        assert_eq!((doomed.pending(), doomed.freed()), (0, 0));
    }

    #[test]
    fn a_unit_pays_for_so_many_bytes_of_objects() {
        let mut doomed = Doomed::default();
        (0..20).for_each(|_| doomed.push(Object::string(vec![1; 100 << 10])));
        // five objects of 100 KiB are 500 KiB; the sixth begins within the unit
        assert!(doomed.free_slice(1));
        assert_eq!(doomed.freed(), 6);
        assert!(!doomed.free_slice(usize::MAX));
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

    /// A table of `keys` keys with values of 100 bytes, and what is left of it in the queue.
    fn table_of(keys: u32) -> Box<Table<Object>> {
        let hasher = Hasher::new(1);
        let mut table = Box::new(Table::new(hasher));
        for number in 0..keys {
            let key = number.to_string();
            let hash = hasher.hash(key.as_bytes());
            table.set(hash, key.as_bytes(), Payload::Bytes(&[b'v'; 100]), Expiry::Never);
        }
        table
    }

    fn reserved_bytes(doomed: &Doomed) -> usize {
        let bytes = |doom: &Doom| match doom {
            Doom::Object(object) | Doom::Uncounted(object) => object.heap_bytes(),
            Doom::Table(table) => table.bytes_reserved(),
        };
        doomed.queue.iter().map(bytes).sum()
    }

    #[test]
    fn a_unit_gives_back_a_mebibyte_of_a_table() {
        let mut doomed = Doomed::default();
        doomed.push_table(table_of(100_000));
        assert!(reserved_bytes(&doomed) > 10 << 20);
        loop {
            let before = reserved_bytes(&doomed);
            let more = doomed.free_slice(1);
            let freed = before - reserved_bytes(&doomed);
            // the unit's first step may be the table's last records, with their segment
            assert!(freed <= (1 << 20) + (16 << 10), "{freed} bytes at once");
            if !more {
                break;
            }
        }
        assert_eq!((doomed.pending(), doomed.freed()), (0, 100_000));
    }

    #[test]
    fn a_table_without_records_is_freed_in_slices_too() {
        let mut table = table_of(100_000);
        for number in 0..100_000_u32 {
            let key = number.to_string();
            table.remove(table.hash(key.as_bytes()), key.as_bytes());
        }
        assert!(table.is_empty());
        let mut doomed = Doomed::default();
        doomed.push_table(table);
        assert_eq!(doomed.pending(), 0);
        let mut slices = 1;
        while doomed.free_slice(1) {
            slices += 1;
        }
        assert!(slices > 10, "{slices}");
    }

    #[test]
    fn large_objects_of_a_table_do_not_pile_up() {
        let hasher = Hasher::new(1);
        let mut table = Box::new(Table::new(hasher));
        for number in 0..1000_u32 {
            let key = number.to_string();
            let payload = Payload::Object(Object::string(vec![1; 100 << 10]));
            table.set(hasher.hash(key.as_bytes()), key.as_bytes(), payload, Expiry::Never);
        }
        let mut doomed = Doomed::default();
        doomed.push_table(table);
        while doomed.free_slice(1) {
            assert!(doomed.queue.len() < 32, "{}", doomed.queue.len());
        }
        assert_eq!(doomed.freed(), 1000);
    }
}
