//! Walks: a snapshot of the table, taken in slices while the table goes on changing.
//!
//! `begin_walk` fixes a moment. Every record of that moment is handed to the walk's sink exactly
//! once, as it was at that moment; records that come later are not. Either the walk reaches a
//! record (in the order of positions), or somebody is about to change or remove it before, and
//! then *that* call hands it to the sink first.
//!
//! ```text
//! position  0 ............ walk.position ................................ 2^48
//!           | done: change  | not yet reached: a record is                    |
//!           | at will       |  unmarked  as it was at the beginning           |
//!           |               |  marked    handed over already, or new          |
//! ```
//!
//! The design page speaks of a version per bucket. Because the table is in hash order that is not
//! needed: one comparison with the walk's position tells what was reached, and one bit of the
//! record (the *mark*) tells what was handed over early. The bit moves with its record through any
//! resize, which a bucket's version would not; and granularity is a record, so a change costs the
//! serialization of one record and not of a bucket's. Without a walk the cost is one test of a
//! pointer for null.
//!
//! Invariants: marks exist only while `Table::walk` is `Some`, only at or after its position, and
//! `marks` counts them. A walk that is ended early leaves its marks to be cleared by `maintain`
//! before the next can begin; this is why `begin_walk` can answer `None`.

use crate::bucket::Bucket;
use crate::hash::{Hash, POSITION_END};
use crate::raw::RawRecord;
use crate::record::Record;
use crate::scan::BUCKETS_PER_RECORD;
use crate::table::Table;

/// Names a walk that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkId(u64);

/// What receives the records of a walk.
type Sink<V> = Box<dyn FnMut(Record<'_, V>)>;

/// A walk under way, or the rest of one that was ended early.
pub(crate) struct Walk<V> {
    id: WalkId,
    /// Every record below was handed over.
    position: u64,
    /// Records with the mark.
    marks: usize,
    /// `None` once the walk was ended early.
    sink: Option<Sink<V>>,
}

impl<V> Table<V> {
    /// Begins a walk over the records of this moment. `sink` gets each exactly once, in its state
    /// of this moment: from [`Table::walk`], or from within the call that is about to change it. A
    /// table has at most one walk; `None` if one is under way, or if one that was ended early is
    /// still being cleared by [`Table::maintain`].
    pub fn begin_walk(&mut self, sink: impl FnMut(Record<'_, V>) + 'static) -> Option<WalkId> {
        if self.walk.is_some() || self.drained.is_some() {
            return None;
        }
        self.walks += 1;
        let id = WalkId(self.walks);
        let walk = Walk { id, position: 0, marks: 0, sink: Some(Box::new(sink)) };
        self.walk = Some(Box::new(walk));
        Some(id)
    }

    /// Hands about `budget` more records to the sink, and looks at no more than `10 * budget`
    /// buckets. False when the walk is complete (then it is over, its sink dropped), or when `id`
    /// is not of the walk under way.
    pub fn walk(&mut self, id: WalkId, budget: usize) -> bool {
        self.is_walking(id) && self.advance(budget)
    }

    /// Ends a walk early and drops its sink. Does nothing if `id` is not of the walk under way.
    pub fn end_walk(&mut self, id: WalkId) {
        if self.is_walking(id)
            && let Some(walk) = &mut self.walk
        {
            walk.sink = None;
            if walk.marks == 0 {
                self.walk = None;
            }
        }
    }

    /// Whether `id` is of the walk under way.
    #[must_use]
    pub fn is_walking(&self, id: WalkId) -> bool {
        self.walk.as_ref().is_some_and(|walk| walk.id == id && walk.sink.is_some())
    }

    /// Clears marks that a walk ended early has left; true while there are more.
    pub(crate) fn clear_marks(&mut self, budget: usize) -> bool {
        self.walk.as_ref().is_some_and(|walk| walk.sink.is_none()) && self.advance(budget)
    }

    /// Called before a record is changed or removed.
    #[inline]
    pub(crate) fn protect(&mut self, hash: Hash, record: RawRecord<V>) {
        assert!(self.drained.is_none(), "a table under drain takes no changes");
        if let Some(walk) = &mut self.walk {
            walk.protect(hash, record);
        }
    }

    /// Called for a new record: whether it is to be written with the mark.
    #[inline]
    pub(crate) fn mark_new(&mut self, hash: Hash) -> bool {
        let Some(walk) = &mut self.walk else { return false };
        let marked = walk.sink.is_some() && walk.position <= hash.position();
        walk.marks += usize::from(marked);
        marked
    }

    /// Called when a record goes away.
    #[inline]
    pub(crate) fn unmark(&mut self, record: RawRecord<V>) {
        if let Some(walk) = &mut self.walk
            && record.is_marked()
        {
            walk.marks -= 1;
        }
    }

    /// Moves the walk on; ends it and answers false at the end of the order, or when an ended walk
    /// has no marks left.
    fn advance(&mut self, budget: usize) -> bool {
        let Some(mut walk) = self.walk.take() else { return false };
        let mut seen = 0;
        for _ in 0..budget.max(1).saturating_mul(BUCKETS_PER_RECORD) {
            walk.position = self.visit_home(walk.position, Bucket::full, |_, record| {
                seen += 1;
                walk.visit(record);
            });
            if walk.position >= POSITION_END || (walk.sink.is_none() && walk.marks == 0) {
                debug_assert_eq!(walk.marks, 0, "marks are at or after the position");
                return false;
            }
            if seen >= budget {
                break;
            }
        }
        self.walk = Some(walk);
        true
    }
}

impl<V> Walk<V> {
    /// The walk has come to a record.
    fn visit(&mut self, record: RawRecord<V>) {
        if record.is_marked() {
            record.set_marked(false);
            self.marks -= 1;
        } else if let Some(sink) = &mut self.sink {
            sink(Record::new(record));
        }
    }

    /// A record is about to change.
    #[cold]
    fn protect(&mut self, hash: Hash, record: RawRecord<V>) {
        let Some(sink) = &mut self.sink else { return };
        if self.position <= hash.position() && !record.is_marked() {
            record.set_marked(true);
            self.marks += 1;
            sink(Record::new(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use crate::bucket::Bucket;
    use crate::{Expiry, Hash, Hasher, Payload, PayloadRef, Table};

    type Given = Rc<RefCell<Vec<i64>>>;

    /// A table with one record, of the value 1, and a walk that has come to so many positions
    /// behind it.
    fn walking(behind: i64) -> (Table<Box<u8>>, Hash, Given) {
        let mut table = Table::new(Hasher::new(3));
        let hash = table.hash(b"key");
        table.set(hash, b"key", Payload::Int(1), Expiry::Never);
        let given = Given::default();
        let sink = Rc::clone(&given);
        let begun = table.begin_walk(move |record| {
            let PayloadRef::Int(value) = record.payload() else { panic!("an integer") };
            sink.borrow_mut().push(value);
        });
        assert!(begun.is_some());
        let walk = table.walk.as_mut().expect("it has begun");
        walk.position = hash.position().checked_add_signed(behind).expect("within the order");
        (table, hash, given)
    }

    fn finish(table: &mut Table<Box<u8>>) {
        while table.advance(1) {}
    }

    #[test]
    fn a_record_at_the_walks_very_position_is_not_reached_yet() {
        for behind in [-1, 0] {
            let (mut table, hash, given) = walking(behind);
            table.set(hash, b"key", Payload::Int(2), Expiry::Never);
            assert_eq!(*given.borrow(), [1], "as it was, before it changes: {behind}");
            finish(&mut table);
            assert_eq!(*given.borrow(), [1], "once: {behind}");

            let (mut table, hash, given) = walking(behind);
            table.remove(hash, b"key");
            assert_eq!(*given.borrow(), [1], "before it goes: {behind}");
            // What comes instead is not of the walk's moment.
            table.set(hash, b"key", Payload::Int(2), Expiry::Never);
            finish(&mut table);
            assert_eq!(*given.borrow(), [1], "and not what is new: {behind}");

            let (mut table, _, given) = walking(behind);
            finish(&mut table);
            assert_eq!(*given.borrow(), [1], "if nobody changes it: {behind}");
        }
        let (mut table, hash, given) = walking(1);
        table.set(hash, b"key", Payload::Int(2), Expiry::Never);
        finish(&mut table);
        assert!(given.borrow().is_empty(), "what was reached may change");
    }

    #[test]
    fn a_home_shows_what_lies_at_the_position_asked_for() {
        let (table, hash, _) = walking(0);
        for (position, shown) in [(hash.position(), 1), (hash.position() + 1, 0)] {
            let mut seen = 0;
            table.visit_home(position, Bucket::full, |_, _| seen += 1);
            assert_eq!(seen, shown);
        }
    }
}
