//! Whole records: copies of them (COPY; moves are [`Keyspace::take`] and [`Keyspace::put`]), and
//! the commands that make them.

use datatypes::Object;
use datatypes::string::{LongString, StringBytes};
use table::{OwnedPayload, PayloadRef, Taken};

use crate::{Keyspace, LoggedCommands, Step};

impl Keyspace {
    /// A copy of the live record of `key`, with its expiry and its raw flag; it counts as just
    /// made. O(size of the value).
    pub fn copy(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<Taken<Object>> {
        let access = self.clock.fresh();
        let record = self.find(step, key)?;
        let payload = match record.payload() {
            PayloadRef::Bytes(bytes) => OwnedPayload::Bytes(bytes.into()),
            PayloadRef::Int(integer) => OwnedPayload::Int(integer),
            PayloadRef::Object(object) => OwnedPayload::Object(duplicate(object)),
        };
        Some(Taken { payload, expiry: record.expiry(), access, raw: record.is_raw() })
    }

    /// A record for whoever only reads its value elsewhere, to be let go of there; or the record
    /// itself, which has to come back, where a copy would take long. Says whether it is a copy.
    ///
    /// The one place that decides what a read borrows.
    pub fn lend_to_read(
        &mut self,
        step: &mut Step<'_>,
        key: &[u8],
    ) -> Option<(Taken<Object>, bool)> {
        let record = self.find(step, key)?;
        let is_copy = match record.payload() {
            PayloadRef::Bytes(_) | PayloadRef::Int(_) => true,
            PayloadRef::Object(Object::String(string)) => {
                string.as_slice().len() <= LENT_COPY_BYTES_MAX
            }
        };
        let lent = if is_copy { self.copy(step, key) } else { self.take(step, key) };
        lent.map(|lent| (lent, is_copy))
    }

    /// The record of `key` for whoever changes its value elsewhere: it has to come back, unless the
    /// key is gone by then.
    pub fn lend_to_write(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<Taken<Object>> {
        self.take(step, key)
    }

    /// Appends the commands that make the record of `key`, past its moment or not, whatever is
    /// there. None, if there is no such record. O(size of the value).
    pub fn log_record(&self, db: usize, key: &[u8], logged: &mut LoggedCommands) {
        let database = self.database(db);
        let Some(record) = database.and_then(|it| it.table.find(self.hasher.hash(key), key)) else {
            return;
        };
        // SET replaces whatever there is; what makes another type has to begin with DEL.
        let Some(value) = StringBytes::of(record.payload()) else { return };
        match record.expiry() {
            None => logged.push(db, &[b"SET", key, &value]),
            Some(at_ms) => {
                let at_ms = at_ms.max(1).to_string();
                logged.push(db, &[b"SET", key, &value, b"PXAT", at_ms.as_bytes()]);
            }
        }
    }
}

/// A string of so many bytes is copied in some 2 us, less than it takes to put the record back.
const LENT_COPY_BYTES_MAX: usize = 16 << 10;

fn duplicate(object: &Object) -> Object {
    match object {
        Object::String(string) => Object::String(Box::new(LongString::from(string.as_slice()))),
    }
}
