//! A walk over all databases: every record of one moment, while commands go on.
//!
//! The walks of the tables do the work (`table::Table::begin_walk`); this keeps them together when
//! whole databases move. Each is of a database as it was numbered at the beginning:
//!
//! - SWAPDB: the table is to be found under another number now.
//! - FLUSHDB, FLUSHALL: the table is out of everybody's reach, so nothing of it changes any more.
//!   It is kept until its walk is complete, and only then freed. Its records are still wanted:
//!   what was copied from them into other databases has to find them again when a log is replayed.
//!
//! Either costs a look at a handful of numbers.
//!
//! A large value is not handed over at once, because that would take long, and may happen inside of
//! a command that is about to change it. It is shared instead (`datatypes::Object::share`), which
//! takes some microseconds, and the share, which is what the value was, is handed over in slices by
//! [`Keyspace::walk`], before the tables go on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use datatypes::{Cursor, Object};
use table::{PayloadRef, Record, Table, WalkId};

use crate::Keyspace;

/// The databases whose walks are not complete.
#[derive(Default)]
pub(crate) struct Walks {
    open: Vec<Walk>,
    /// `None` unless a walk is under way.
    sink: Option<SharedSink>,
}

struct Walk {
    place: Place,
    id: WalkId,
}

/// What a walk hands over: a record of the walk's moment, or a slice of one.
#[derive(Debug)]
pub struct Walked<'a> {
    /// The database, as it was numbered at the walk's beginning.
    pub db: usize,
    /// The key.
    pub key: &'a [u8],
    /// Its expiry, unix milliseconds.
    pub expiry: Option<i64>,
    /// The value, all of it.
    pub payload: PayloadRef<'a, Object>,
    /// The elements before this were handed over already: the beginning, unless the value is large.
    pub from: Cursor,
    /// About how many elements are to be taken now.
    pub elements: usize,
}

/// What receives the records of a walk, and those that wait. The sinks of the tables and the
/// keyspace share it, each borrowing it only for the length of a call.
type SharedSink = Rc<RefCell<Receiving<dyn FnMut(Walked<'_>) -> Option<Cursor>>>>;

struct Receiving<Sink: ?Sized> {
    /// Large values, of which slices are still to be handed over: first in, first out.
    kept: VecDeque<Kept>,
    sink: Sink,
}

/// A share of a large value, on its way to the sink.
struct Kept {
    db: usize,
    key: Box<[u8]>,
    expiry: Option<i64>,
    share: Object,
    from: Cursor,
}

/// Elements of a large value that take as long as a small record.
const ELEMENTS_A_RECORD: usize = 4;

/// Where the table of a walk is.
enum Place {
    /// It is this database now.
    Database(usize),
    /// It was flushed.
    Unhooked(Box<Table<Object>>),
}

impl Keyspace {
    /// Begins a walk over the records of this moment. Each is handed to `sink` exactly once, in its
    /// state of this moment, from [`Keyspace::walk`] or from within the call that is about to
    /// change it; but a large collection in slices, from [`Keyspace::walk`] only. `sink` takes
    /// about as many elements as [`Walked`] says, and returns where to go on: `None` once it has
    /// the last.
    ///
    /// False: it could not begin, because a walk is under way or one that was ended early is still
    /// being cleared by [`Keyspace::maintain`].
    pub fn begin_walk(&mut self, sink: impl FnMut(Walked<'_>) -> Option<Cursor> + 'static) -> bool {
        if self.walks.sink.is_some() {
            return false;
        }
        let sink: SharedSink = Rc::new(RefCell::new(Receiving { kept: VecDeque::new(), sink }));
        for (db, database) in self.databases.iter_mut().enumerate() {
            let Some(database) = database else { continue };
            let of_table = Rc::clone(&sink);
            let begun = database.table.begin_walk(move |record: Record<'_, Object>| {
                of_table.borrow_mut().take(db, record);
            });
            let Some(id) = begun else {
                self.end_walk();
                return false;
            };
            self.walks.open.push(Walk { place: Place::Database(db), id });
        }
        self.walks.sink = Some(sink);
        true
    }

    /// Moves the walk on by about `records` records, or by as much of a large value. False when it
    /// is complete.
    pub fn walk(&mut self, records: usize) -> bool {
        let Some(sink) = &self.walks.sink else { return false };
        let waiting = sink.borrow_mut().hand_over_slice(records.saturating_mul(ELEMENTS_A_RECORD));
        match waiting {
            Waiting::None => {}
            Waiting::More => return true,
            Waiting::Done(share) => {
                self.doomed.push_uncounted(share);
                return true;
            }
        }
        let Some(mut walk) = self.walks.open.pop() else {
            self.walks.sink = None;
            return false;
        };
        let table = self.table_of(&mut walk.place);
        let more = table.is_some_and(|table| table.walk(walk.id, records));
        if more {
            self.walks.open.push(walk);
        } else if let Place::Unhooked(table) = walk.place {
            self.doomed.push_table(table);
        }
        let over = self.walks.open.is_empty()
            && self.walks.sink.as_ref().is_none_or(|sink| sink.borrow().kept.is_empty());
        if over {
            self.walks.sink = None;
        }
        !over
    }

    /// Ends the walk early: the sink gets nothing more, and is dropped.
    pub fn end_walk(&mut self) {
        for mut walk in std::mem::take(&mut self.walks.open) {
            if let Some(table) = self.table_of(&mut walk.place) {
                table.end_walk(walk.id);
            }
            if let Place::Unhooked(table) = walk.place {
                self.doomed.push_table(table);
            }
        }
        if let Some(sink) = self.walks.sink.take() {
            let kept = std::mem::take(&mut sink.borrow_mut().kept);
            kept.into_iter().for_each(|kept| self.doomed.push_uncounted(kept.share));
        }
    }

    fn table_of<'a>(&'a mut self, place: &'a mut Place) -> Option<&'a mut Table<Object>> {
        match place {
            Place::Database(db) => self.databases[*db].as_mut().map(|it| &mut *it.table),
            Place::Unhooked(table) => Some(table),
        }
    }
}

/// What became of the large values that wait.
enum Waiting {
    /// There is none.
    None,
    /// A slice of the first was handed over.
    More,
    /// So was the last slice of this one.
    Done(Object),
}

impl Receiving<dyn FnMut(Walked<'_>) -> Option<Cursor>> {
    /// The walk has come to a record, or it is about to change.
    fn take(&mut self, db: usize, record: Record<'_, Object>) {
        let (key, expiry, payload) = (record.key(), record.expiry(), record.payload());
        let from = Cursor::default();
        match payload {
            PayloadRef::Object(object) if object.is_large() => {
                let share = object.share();
                self.kept.push_back(Kept { db, key: key.into(), expiry, share, from });
            }
            PayloadRef::Bytes(_) | PayloadRef::Int(_) | PayloadRef::Object(_) => {
                let elements = usize::MAX;
                let rest = (self.sink)(Walked { db, key, expiry, payload, from, elements });
                debug_assert_eq!(rest, None, "a small value is taken at once");
            }
        }
    }

    /// Hands over some elements of the first large value that waits.
    fn hand_over_slice(&mut self, elements: usize) -> Waiting {
        let Some(mut kept) = self.kept.pop_front() else { return Waiting::None };
        let rest = (self.sink)(Walked {
            db: kept.db,
            key: &kept.key,
            expiry: kept.expiry,
            payload: PayloadRef::Object(&kept.share),
            from: kept.from,
            elements,
        });
        let Some(from) = rest else { return Waiting::Done(kept.share) };
        kept.from = from;
        self.kept.push_front(kept);
        Waiting::More
    }
}

impl Walks {
    /// Database `db` is being emptied: `table` is kept if a walk is under way in it, else it comes
    /// back.
    pub(crate) fn unhook(
        &mut self,
        db: usize,
        table: Box<Table<Object>>,
    ) -> Option<Box<Table<Object>>> {
        let is_of = |walk: &&mut Walk| matches!(walk.place, Place::Database(at) if at == db);
        match self.open.iter_mut().find(is_of) {
            Some(walk) => {
                walk.place = Place::Unhooked(table);
                None
            }
            None => Some(table),
        }
    }

    /// Two databases have changed places.
    pub(crate) fn swap(&mut self, first: usize, second: usize) {
        for walk in &mut self.open {
            if let Place::Database(db) = &mut walk.place {
                *db = match *db {
                    db if db == first => second,
                    db if db == second => first,
                    db => db,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests;
