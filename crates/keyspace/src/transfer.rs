//! Copies of whole records: COPY. (Moves are [`Keyspace::take`] and [`Keyspace::put`].)

use datatypes::Object;
use table::{OwnedPayload, PayloadRef, Taken};

use crate::{Keyspace, Step};

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
}

fn duplicate(object: &Object) -> Object {
    match object {
        Object::String(string) => Object::string(string.as_slice().to_vec()),
    }
}
