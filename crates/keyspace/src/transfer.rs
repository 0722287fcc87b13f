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

    /// Appends the commands that make the record of `key`, past its moment or not, where it is not.
    /// None, if there is no such record. O(size of the value).
    pub fn log_record(&self, db: usize, key: &[u8], logged: &mut LoggedCommands) {
        let database = self.database(db);
        let Some(record) = database.and_then(|it| it.table.find(self.hasher.hash(key), key)) else {
            return;
        };
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

fn duplicate(object: &Object) -> Object {
    match object {
        Object::String(string) => Object::String(Box::new(LongString::from(string.as_slice()))),
    }
}
