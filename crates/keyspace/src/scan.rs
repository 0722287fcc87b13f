//! Walks over the keys of a database: SCAN, KEYS, RANDOMKEY.
//!
//! The table is ordered by hash, and a cursor is a position in that order: whatever grows, shrinks
//! or splits between two calls, a key that is there from the first call to the last is seen. A
//! cursor names that order in steps of 32 of the table's positions, so that it is short enough for
//! a double: a call begins up to 31 positions before the end of the last one, and a key that lies
//! there, one of many billions, is seen twice. Keys past their moment are not seen; like every
//! access, a walk removes those it meets.

use datatypes::Object;
use table::{POSITION_BITS, Record};

use crate::access::is_past;
use crate::{ExpiryMode, Keyspace, Step};

/// A scan position is below 2 to this power.
pub const SCAN_POSITION_BITS: u32 = 43;

/// The table's positions in one of a scan, as a power of 2.
const STEP_BITS: u32 = POSITION_BITS - SCAN_POSITION_BITS;

/// Samples taken to find a random key that is not past its moment. Those that are get removed, so
/// that the next RANDOMKEY goes further.
const RANDOM_TRIES_MAX: usize = 1000;

impl Keyspace {
    /// Visits the live records of `step.db` from `position` (0 to begin, and always below 2 to the
    /// power of [`SCAN_POSITION_BITS`]) until at least `budget` records were looked at; returns
    /// where to go on, 0 when done.
    pub fn scan(
        &mut self,
        step: &mut Step<'_>,
        position: u64,
        budget: usize,
        mut visit: impl FnMut(Record<'_, Object>),
    ) -> u64 {
        let mode = self.settings.expiry;
        let hasher = self.hasher;
        let mut found = self.active.lend_found();
        let mut look = |record: Record<'_, Object>| {
            if mode == ExpiryMode::Ignore || !is_past(record.expiry(), step.now_ms) {
                visit(record);
            } else if mode == ExpiryMode::Delete {
                found.push(hasher.hash(record.key()), record.key());
            }
        };
        let next = self.database(step.db).map_or(0, |database| {
            let mut reached = database.table.scan(position << STEP_BITS, budget, &mut look);
            // What was looked at lay within one step, at the end of what the last call looked at:
            // a call gets ahead by a step at least.
            while reached != 0 && reached >> STEP_BITS <= position {
                reached = database.table.scan(reached, budget, &mut look);
            }
            reached >> STEP_BITS
        });
        for (hash, key) in found.iter() {
            self.remove_expired(step.effects, step.db, hash, key);
        }
        self.active.take_back(found);
        next
    }

    /// A live key of `step.db`, each as likely as the next. `None` if there is none, or if a
    /// thousand tries found only keys past their moment.
    pub fn random_key(&mut self, step: &mut Step<'_>) -> Option<Vec<u8>> {
        for _ in 0..RANDOM_TRIES_MAX {
            let random = self.random.next();
            let record = self.database(step.db)?.table.sample(random)?;
            let past = is_past(record.expiry(), step.now_ms);
            let key = record.key().to_vec();
            if !past || self.settings.expiry == ExpiryMode::Ignore {
                return Some(key);
            }
            if self.settings.expiry == ExpiryMode::Delete {
                let hash = self.hasher.hash(&key);
                self.remove_expired(step.effects, step.db, hash, &key);
            }
        }
        None
    }
}
