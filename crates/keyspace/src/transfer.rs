//! Whole records: copies of them (COPY; moves are [`Keyspace::take`] and [`Keyspace::put`]), and
//! the commands that make them.

use datatypes::string::StringBytes;
use datatypes::{Cursor, Object};
use table::{OwnedPayload, PayloadRef, Taken};

use crate::{Keyspace, LoggedCommands, Step};

impl Keyspace {
    /// A copy of the live record of `key`, with its expiry and its raw flag; it counts as just
    /// made. O(1) or nearly so for a collection, whose chunks are shared until they change;
    /// O(length) for a string.
    pub fn copy(&mut self, step: &mut Step<'_>, key: &[u8]) -> Option<Taken<Object>> {
        let access = self.clock.fresh();
        let record = self.find(step, key)?;
        let payload = match record.payload() {
            PayloadRef::Bytes(bytes) => OwnedPayload::Bytes(bytes.into()),
            PayloadRef::Int(integer) => OwnedPayload::Int(integer),
            PayloadRef::Object(object) => OwnedPayload::Object(object.share()),
        };
        Some(Taken { payload, expiry: record.expiry(), access, raw: record.is_raw() })
    }

    /// A record for whoever only reads its value elsewhere, to be let go of there; or the record
    /// itself, which has to come back, where a copy would take long. Says whether it is a copy.
    ///
    /// The one place that decides what a read borrows. `touch`: it is an access of the record that
    /// stays here, for LRU and LFU; hits and misses are counted where the value is read.
    pub fn lend_to_read(
        &mut self,
        step: &mut Step<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<(Taken<Object>, bool)> {
        let mut record = self.find(step, key)?;
        if touch {
            let before = record.access();
            let access = self.clock.touched(before, &mut self.random);
            record = self.find(step, key)?;
            record.set_access(access);
        }
        let is_copy = match record.payload() {
            PayloadRef::Bytes(_) | PayloadRef::Int(_) => true,
            PayloadRef::Object(Object::String(string)) => {
                string.as_slice().len() <= LENT_COPY_BYTES_MAX
            }
            // Its chunks are shared until they change.
            PayloadRef::Object(Object::Set(_) | Object::List(_)) => true,
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
        let at_ms = record.expiry().map(|at_ms| at_ms.max(1).to_string());
        // SET replaces whatever there is; what makes another type begins with DEL.
        if let Some(value) = StringBytes::of(record.payload()) {
            match &at_ms {
                None => logged.push(db, &[b"SET", key, &value]),
                Some(at_ms) => {
                    logged.push(db, &[b"SET", key, &value, b"PXAT", at_ms.as_bytes()]);
                }
            }
        } else if let PayloadRef::Object(object) = record.payload() {
            logged.push(db, &[b"DEL", key]);
            let all = Cursor::default();
            object.commands(key, all, usize::MAX, |words| logged.push(db, words));
            if let Some(at_ms) = &at_ms {
                logged.push(db, &[b"PEXPIREAT", key, at_ms.as_bytes()]);
            }
        }
    }
}

/// A string of so many bytes is copied in some 2 us, less than it takes to put the record back.
const LENT_COPY_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use datatypes::Object;
    use datatypes::set::{Limits, Set};
    use table::{Expiry, Hasher, OwnedPayload, Payload};

    use crate::{Effects, Keyspace, LoggedCommands, Settings, Step};

    /// A set of so many members under `key`, which expires at 5000.
    fn with_set(members: usize) -> Keyspace {
        let hasher = Hasher::new(9);
        let mut keyspace = Keyspace::new(2, hasher, Settings::default());
        let limits = Limits {
            intset_entries_max: 512,
            listpack_entries_max: 128,
            listpack_value_bytes_max: 64,
            hasher,
        };
        let mut set = Set::new(b"m", 1, &limits);
        (0..members).for_each(|number| {
            set.insert(format!("m{number}").as_bytes(), &limits);
        });
        let mut effects = Effects::new();
        let mut step = Step { db: 1, now_ms: 1, effects: &mut effects };
        let set = Payload::Object(Object::Set(set));
        keyspace.set(&mut step, b"key", set, Expiry::At(5000));
        keyspace
    }

    #[test]
    fn a_set_is_logged_as_bounded_commands_and_its_expiry() {
        let keyspace = with_set(1000);
        let mut logged = LoggedCommands::default();
        keyspace.log_record(1, b"key", &mut logged);
        let commands: Vec<(usize, String)> = logged
            .iter()
            .map(|(db, bytes)| (db, String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        assert_eq!(commands.len(), 1000_usize.div_ceil(128) + 2);
        let (expiry, made) = commands.split_last().expect("there are some");
        let (removal, made) = made.split_first().expect("there are more");
        assert_eq!(removal.1, "*2\r\n$3\r\nDEL\r\n$3\r\nkey\r\n");
        assert_eq!(expiry.1, "*3\r\n$9\r\nPEXPIREAT\r\n$3\r\nkey\r\n$4\r\n5000\r\n");
        let begins = made
            .iter()
            .all(|(db, text)| *db == 1 && text.contains("\r\n$4\r\nSADD\r\n$3\r\nkey\r\n"));
        assert!(begins && expiry.0 == 1);
        let members = made.iter().map(|(_, text)| text.matches("\r\nm").count()).sum::<usize>();
        assert_eq!(members, 1000);
    }

    #[test]
    fn a_copy_is_what_the_value_was() {
        let mut keyspace = with_set(2000);
        let mut effects = Effects::new();
        let mut step = Step { db: 1, now_ms: 1, effects: &mut effects };
        let copy = keyspace.copy(&mut step, b"key").expect("it is there");
        assert_eq!(copy.expiry, Some(5000));
        let mut record = keyspace.find_mut(&mut step, b"key").expect("it is there");
        let set = record.object_mut().and_then(Object::as_set_mut).expect("it is a set");
        assert!(set.remove(b"m7"));
        let OwnedPayload::Object(object) = copy.payload else { panic!("it is an object") };
        let copied = object.as_set().expect("it is a set");
        assert!(copied.contains(b"m7") && copied.len() == 2000);
    }
}
