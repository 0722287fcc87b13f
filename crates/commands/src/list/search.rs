//! Where an element is: LPOS.

use std::ops::ControlFlow;

use datatypes::list::{Direction, List};
use resp::number::parse_i64;
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeySpec, Reply, Spec};

use super::access::{READ, list_of, opposable};
use crate::{ShardCommand, ShardContext};

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`: where `element` is. RANK: from
/// the so-manieth on, from the back where negative. COUNT: an array of so many, 0 for all. MAXLEN:
/// looks at no more elements than these, 0 for all.
pub(super) const LPOS: ShardCommand = ShardCommand::new(
    Spec::new("lpos", Arity::at_least(3), Group::List, "6.0.6")
        .about(
            "The places of an element in a list.",
            "O(N) where N is the number of elements looked at.",
        )
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(1, READ)])
        .arguments(&[
            Argument::key("key"),
            Argument::string("element"),
            Argument::integer("rank").token("RANK").optional(),
            Argument::integer("num-matches").token("COUNT").optional(),
            Argument::integer("len").token("MAXLEN").optional(),
        ])
        .reply(Reply::NULL.or(Reply::INTEGER).or(Reply::ARRAY)),
    lpos,
);

/// What the options ask for.
struct Search {
    direction: Direction,
    /// Matches passed over.
    skipped: u64,
    /// `COUNT`: so many at most.
    matches_max: Option<usize>,
    compared_max: usize,
}

impl Search {
    fn parse(words: Arguments<'_>) -> Result<Self, CommandError> {
        let (mut rank, mut matches_max, mut compared_max) = (1, None, 0);
        let counted = |text: &[u8]| parse_i64(text).and_then(|it| usize::try_from(it).ok());
        let mut words = words.iter();
        while let Some(option) = words.next() {
            let number = words.next().ok_or(CommandError::Syntax)?;
            if option.eq_ignore_ascii_case(b"RANK") {
                rank = opposable(number)?;
                if rank == 0 {
                    return Err(CommandError::RankZero);
                }
            } else if option.eq_ignore_ascii_case(b"COUNT") {
                matches_max = Some(counted(number).ok_or(CommandError::CountNegative)?);
            } else if option.eq_ignore_ascii_case(b"MAXLEN") {
                compared_max = counted(number).ok_or(CommandError::MaxlenNegative)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let unbounded = |count: usize| if count == 0 { usize::MAX } else { count };
        Ok(Self {
            direction: if rank > 0 { Direction::Forward } else { Direction::Backward },
            skipped: rank.unsigned_abs() - 1,
            matches_max: matches_max.map(unbounded),
            compared_max: unbounded(compared_max),
        })
    }

    /// Calls `found` with the places, in order.
    fn run(&self, list: &List, element: &[u8], mut found: impl FnMut(usize)) {
        let index = match self.direction {
            Direction::Forward => 0,
            Direction::Backward => list.len().saturating_sub(1),
        };
        let (mut skipped, mut left) = (self.skipped, self.matches_max.unwrap_or(1));
        list.search(element, (index, self.compared_max), self.direction, |place| {
            if skipped > 0 {
                skipped -= 1;
                return ControlFlow::Continue(());
            }
            found(place);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
}

fn lpos(
    shard: &mut ShardContext<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<(), CommandError> {
    let search = Search::parse(arguments.from(3))?;
    let list = match shard.read(&arguments[1]) {
        Some(record) => Some(list_of(record)?),
        None => None,
    };
    let element = &arguments[2];
    if search.matches_max.is_some() {
        let (array, mut count) = (reply.deferred(), 0);
        if let Some(list) = list {
            search.run(list, element, |place| {
                reply.count(place);
                count += 1;
            });
        }
        reply.end_array(array, count);
        return Ok(());
    }
    let mut first = None;
    if let Some(list) = list {
        search.run(list, element, |place| first = Some(place));
    }
    match first {
        Some(place) => reply.count(place),
        None => reply.null(),
    }
    Ok(())
}
