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

use datatypes::Object;
use table::{Record, Table, WalkId};

use crate::Keyspace;

/// The databases whose walks are not complete.
#[derive(Default)]
pub(crate) struct Walks {
    open: Vec<Walk>,
}

struct Walk {
    place: Place,
    id: WalkId,
}

/// Where the table of a walk is.
enum Place {
    /// It is this database now.
    Database(usize),
    /// It was flushed.
    Unhooked(Box<Table<Object>>),
}

impl Keyspace {
    /// Begins a walk over the records of this moment; `sink` gives what receives those of a
    /// database, by its number. Each record is handed over exactly once, in its state of this
    /// moment, from [`Keyspace::walk`] or from within the call that is about to change it.
    ///
    /// False: it could not begin, because a walk is under way or one that was ended early is still
    /// being cleared by [`Keyspace::maintain`].
    pub fn begin_walk<Sink>(&mut self, mut sink: impl FnMut(usize) -> Sink) -> bool
    where
        Sink: FnMut(Record<'_, Object>) + 'static,
    {
        if !self.walks.open.is_empty() {
            return false;
        }
        for (db, database) in self.databases.iter_mut().enumerate() {
            let Some(database) = database else { continue };
            let Some(id) = database.table.begin_walk(sink(db)) else {
                self.end_walk();
                return false;
            };
            self.walks.open.push(Walk { place: Place::Database(db), id });
        }
        true
    }

    /// Moves the walk on by about `records` records. False when it is complete.
    pub fn walk(&mut self, records: usize) -> bool {
        let Some(mut walk) = self.walks.open.pop() else { return false };
        let table = self.table_of(&mut walk.place);
        let more = table.is_some_and(|table| table.walk(walk.id, records));
        if more {
            self.walks.open.push(walk);
        } else if let Place::Unhooked(table) = walk.place {
            self.doomed.push_table(table);
        }
        !self.walks.open.is_empty()
    }

    /// Ends the walk early: the sinks get nothing more, and are dropped.
    pub fn end_walk(&mut self) {
        for mut walk in std::mem::take(&mut self.walks.open) {
            if let Some(table) = self.table_of(&mut walk.place) {
                table.end_walk(walk.id);
            }
            if let Place::Unhooked(table) = walk.place {
                self.doomed.push_table(table);
            }
        }
    }

    fn table_of<'a>(&'a mut self, place: &'a mut Place) -> Option<&'a mut Table<Object>> {
        match place {
            Place::Database(db) => self.databases[*db].as_mut().map(|it| &mut *it.table),
            Place::Unhooked(table) => Some(table),
        }
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
