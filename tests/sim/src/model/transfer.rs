//! Operations that carry a value from one key to another, with its expiry.

use resp::Value as Reply;

use super::{ABSENT, View, is_failure, is_integer, is_okay};
use crate::operation::Operation;

/// Carries it, if there is one.
pub(super) fn transfer(state: &mut View<'_>, operation: &Operation, reply: Option<&Reply>) -> bool {
    match operation {
        Operation::Rename(from, to) => {
            if !state.exists(*from) {
                return is_failure(reply, "no such key");
            }
            state.carry(*from, *to);
            is_okay(reply)
        }
        Operation::RenameIfNone(from, to) => {
            if !state.exists(*from) {
                return is_failure(reply, "no such key");
            }
            if state.exists(*to) {
                return is_integer(reply, 0);
            }
            state.carry(*from, *to);
            is_integer(reply, 1)
        }
        Operation::Copy { from, to, database, replace } => {
            let (value, moment) = (state.get(*from), state.moment(*from));
            let mut target = state.other(database.unwrap_or(state.database));
            let copied = value != ABSENT && (*replace || !target.exists(*to));
            if copied {
                target.put(*to, value, moment);
            }
            is_integer(reply, usize::from(copied))
        }
        Operation::Move(key, database) => {
            if *database == state.database {
                return is_failure(reply, "are the same");
            }
            let (value, moment) = (state.get(*key), state.moment(*key));
            let moved = value != ABSENT && !state.other(*database).exists(*key);
            if moved {
                state.delete(*key);
                state.other(*database).put(*key, value, moment);
            }
            is_integer(reply, usize::from(moved))
        }
        other => unreachable!("{other:?} carries nothing"),
    }
}
