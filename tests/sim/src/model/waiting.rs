//! Operations that wait for keys.

use resp::Value as Reply;

use super::{ABSENT, Texts, View};
use crate::operation::{Key, Operation};

/// Takes a value if there is one; a reply without one says that there is none.
pub(super) fn wait(
    texts: &Texts,
    state: &mut View<'_>,
    operation: &Operation,
    reply: Option<&Reply>,
) -> bool {
    let waited: &[Key] = match operation {
        Operation::Take { keys, .. } => keys,
        Operation::TakeOver { from, .. } => std::slice::from_ref(from),
        other => unreachable!("{other:?} does not wait"),
    };
    let Some(key) = waited.iter().copied().find(|key| state.exists(*key)) else {
        return reply.is_none_or(|reply| *reply == Reply::Null);
    };
    let value = state.get(key);
    if let Operation::TakeOver { to, .. } = operation {
        state.carry(key, *to);
        return reply.is_none_or(|reply| texts.is(reply, value));
    }
    state.delete(key);
    debug_assert_ne!(value, ABSENT, "a key that exists has a value");
    reply.is_none_or(|reply| match reply.as_array() {
        // The key by its number: `world.rs` has seen to that.
        Some([Reply::Integer(number), taken]) => *number == key as i64 && texts.is(taken, value),
        _ => false,
    })
}
