//! From one list to another: LMOVE, RPOPLPUSH.

use datatypes::list::End;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeySpec, Reply, Spec};

use super::access::{ENDS, POPPED, PUSHED, end_named, end_word, list_mut, pop_name, push_name};
use super::push::push_one;
use crate::{ShardCommand, ShardContext};

pub(super) const KEYS: &[KeySpec] = &[KeySpec::one(1, POPPED), KeySpec::one(2, PUSHED)];

/// `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>`: takes the element at an end of
/// `source`, puts it at an end of `destination`, and replies it; null without `source`. Both may be
/// one.
pub(super) const LMOVE: ShardCommand = ShardCommand::new(
    Spec::new("lmove", Arity::exactly(5), Group::List, "6.2.0")
        .about("Moves an element from one list to another.", "O(1)")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(KEYS)
        .arguments(&[
            Argument::key("source"),
            Argument::key_of("destination", 1),
            Argument::one_of("wherefrom", ENDS),
            Argument::one_of("whereto", ENDS),
        ])
        .reply(Reply::BULK.or(Reply::NULL)),
    |shard, arguments, reply| {
        let shift = Shift::parse(arguments, &arguments[3], &arguments[4])?;
        shift.run_or_null(shard, reply)
    },
);

/// `RPOPLPUSH source destination`: LMOVE from the right to the left.
pub(super) const RPOPLPUSH: ShardCommand = ShardCommand::new(
    Spec::new("rpoplpush", Arity::exactly(3), Group::List, "1.2.0")
        .about("Moves the last element of a list to the front of another.", "O(1)")
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .flags(Flags::WRITE.with(Flags::DENYOOM))
        .keys(KEYS)
        .arguments(&[Argument::key("source"), Argument::key_of("destination", 1)])
        .reply(Reply::BULK.or(Reply::NULL)),
    |shard, arguments, reply| Shift::right_to_left(arguments).run_or_null(shard, reply),
);

/// What LMOVE and its kind are asked for.
pub(super) struct Shift<'a> {
    source: &'a [u8],
    target: &'a [u8],
    from: End,
    to: End,
}

impl<'a> Shift<'a> {
    /// The keys are the first two arguments; the ends are these words.
    ///
    /// # Errors
    /// A word names no end.
    pub(super) fn parse(
        arguments: Arguments<'a>,
        from: &[u8],
        to: &[u8],
    ) -> Result<Self, CommandError> {
        let (from, to) = (end_named(from)?, end_named(to)?);
        Ok(Self { from, to, ..Self::right_to_left(arguments) })
    }

    /// The keys are the first two arguments; the ends are those of RPOPLPUSH.
    pub(super) fn right_to_left(arguments: Arguments<'a>) -> Self {
        let key = |at: usize| arguments.get(at).unwrap_or_default();
        Self { source: key(1), target: key(2), from: End::Back, to: End::Front }
    }

    fn run_or_null(
        &self,
        shard: &mut ShardContext<'_>,
        reply: &mut Writer<'_>,
    ) -> Result<(), CommandError> {
        if !self.run(shard, reply)? {
            reply.null();
        }
        Ok(())
    }

    /// Moves an element and replies it. False, and nothing, without `source`.
    ///
    /// # Errors
    /// One of the keys holds something else.
    pub(super) fn run(
        &self,
        shard: &mut ShardContext<'_>,
        reply: &mut Writer<'_>,
    ) -> Result<bool, CommandError> {
        let Self { source, target, from, to } = *self;
        let limits = shard.limits.list;
        match shard.write(source) {
            Some(mut record) => list_mut(&mut record)?,
            None => return Ok(false),
        };
        if let Some(mut record) = shard.write(target) {
            list_mut(&mut record)?;
        }
        let Some(mut record) = shard.write(source) else { return Ok(false) };
        let list = list_mut(&mut record)?;
        // In a list of its own the element stays until it is back: an empty list is no value.
        let popped = list.pop(from, limits, |entry| entry.text().to_vec());
        let is_empty = list.is_empty() && source != target;
        let Some(value) = popped else { return Ok(false) };
        push_one(shard, target, to, &value)?;
        reply.bulk(&value);
        shard.list_lost(source, pop_name(from).1, (1, is_empty));
        self.log(shard, &value);
        Ok(true)
    }

    /// Each key's record says what happened to it. Keys of one slot are one record: a list that is
    /// moved around in itself is never without its last element.
    fn log(&self, shard: &mut ShardContext<'_>, value: &[u8]) {
        let Self { source, target, from, to } = *self;
        let db = shard.db;
        if shard.logs_each([source, target]) {
            shard.effects.log(db, source, &[pop_name(from).0, source]);
            shard.effects.log(db, target, &[push_name(to).0, target, value]);
        } else {
            let command: [&[u8]; 5] = [b"LMOVE", source, target, end_word(from), end_word(to)];
            shard.effects.log(db, source, &command);
        }
    }
}
