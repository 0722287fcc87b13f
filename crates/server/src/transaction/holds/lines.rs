//! Who claims a key, in order of arrival: a line for each key that somebody claims.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use super::arrivals::Ticket;
use crate::transaction::numbers::NumberMap;

/// The lines, by the keys' hashes. No line is empty.
#[derive(Default)]
pub(super) struct Lines(NumberMap<u64, Line>);

struct Line {
    front: Ticket,
    /// Who came after it, ascending. Most lines have nobody else: then this has no memory.
    rest: VecDeque<Ticket>,
}

/// Where whoever joins a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Front,
    Behind,
    /// It stood there already.
    Known,
}

impl Lines {
    #[inline]
    pub(super) fn has(&self, key: u64) -> bool {
        self.0.contains_key(&key)
    }

    /// Keys that have a line.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// The youngest of all joins the line of a key.
    pub(super) fn join(&mut self, key: u64, ticket: Ticket) -> Stand {
        match self.0.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Line { front: ticket, rest: VecDeque::new() });
                Stand::Front
            }
            Entry::Occupied(entry) => {
                let line = entry.into_mut();
                if *line.rest.back().unwrap_or(&line.front) == ticket {
                    return Stand::Known;
                }
                line.rest.push_back(ticket);
                Stand::Behind
            }
        }
    }

    /// Leaves the line of a key, if it stands there still; returns who has come to the front.
    pub(super) fn leave(&mut self, key: u64, ticket: Ticket) -> Option<Ticket> {
        let Entry::Occupied(mut entry) = self.0.entry(key) else { return None };
        let line = entry.get_mut();
        if line.front != ticket {
            if let Ok(at) = line.rest.binary_search(&ticket) {
                line.rest.remove(at);
            }
            return None;
        }
        let next = line.rest.pop_front();
        match next {
            Some(next) => line.front = next,
            None => drop(entry.remove()),
        }
        next
    }

    /// Keys for which there is room.
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Gives back what has no line, but for the room of so many keys.
    pub(super) fn give_back(&mut self, kept: usize) {
        self.0.shrink_to(kept);
    }
}
