//! What a STORE form leaves under its destination.

use datatypes::Object;
use datatypes::set::Set;
use keyspace::EventClass;
use resp::{Arguments, Writer};
use table::{Expiry, Payload};

use crate::ShardContext;

/// Sets the destination, the first of `keys`, to `set`, whatever it held, and replies how many
/// members that has; an empty set deletes it. `name` is the event. What was there is freed, in
/// slices if it is large.
///
/// Where the keys have several slots, the log gets the set itself.
pub(super) fn store(
    shard: &mut ShardContext<'_>,
    keys: Arguments<'_>,
    set: Set,
    name: &'static str,
    reply: &mut Writer<'_>,
) {
    let (target, db) = (&keys[0], shard.db);
    let members = set.len();
    if members > 0 {
        shard.set(target, Payload::Object(Object::Set(set)), Expiry::Never);
        shard.changed(EventClass::SET, name, target);
        if shard.logs_each(keys) {
            shard.log_value(db, target);
        }
    } else if shard.remove(target) {
        shard.changed(EventClass::GENERIC, "del", target);
        if shard.logs_each(keys) {
            shard.log_gone(db, target);
        }
    }
    reply.count(members);
}
