//! What has come and has not gone yet, in order of arrival.
//!
//! Each arrival has a place of its own, which the next one takes once it is free; the places are
//! linked from the oldest to the youngest. A ticket names place and number, so that it cannot be
//! taken for that of whoever has the place next.

use std::ops::{Index, IndexMut};

/// No place.
const NOWHERE: usize = usize::MAX;

/// Names an arrival. Whoever came earlier has the smaller ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    /// How many came before, ever.
    number: u64,
    place: usize,
}

/// The arrivals.
pub(super) struct Arrivals<T> {
    places: Vec<Place<T>>,
    oldest: usize,
    youngest: usize,
    /// The place that became free last; `younger` of a free place is the next free one.
    free: usize,
    /// Of the next arrival.
    number: u64,
}

struct Place<T> {
    /// Whose this is, or was last.
    number: u64,
    /// `None`: the place is free.
    value: Option<T>,
    older: usize,
    younger: usize,
}

impl<T> Arrivals<T> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.oldest == NOWHERE
    }

    /// What the next arrival's ticket will be.
    pub(super) fn next_ticket(&self) -> Ticket {
        let place = if self.free == NOWHERE { self.places.len() } else { self.free };
        Ticket { number: self.number, place }
    }

    /// A ticket for somebody who comes now and does not stay here.
    pub(super) fn pass_by(&mut self) -> Ticket {
        let ticket = Ticket { number: self.number, place: NOWHERE };
        self.number += 1;
        ticket
    }

    /// Somebody comes, younger than all others.
    pub(super) fn add(&mut self, value: T) -> Ticket {
        let ticket = self.next_ticket();
        let (number, older) = (ticket.number, self.youngest);
        let filled = Place { number, value: Some(value), older, younger: NOWHERE };
        match self.places.get_mut(ticket.place) {
            Some(place) => self.free = std::mem::replace(place, filled).younger,
            None => self.places.push(filled),
        }
        match self.places.get_mut(older) {
            Some(older) => older.younger = ticket.place,
            None => self.oldest = ticket.place,
        }
        self.youngest = ticket.place;
        self.number += 1;
        ticket
    }

    /// Somebody goes; `None`: it has gone before.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.places.get_mut(ticket.place).filter(|it| it.number == ticket.number)?;
        let value = place.value.take()?;
        let (older, younger) = (place.older, place.younger);
        place.younger = std::mem::replace(&mut self.free, ticket.place);
        match self.places.get_mut(older) {
            Some(older) => older.younger = younger,
            None => self.oldest = younger,
        }
        match self.places.get_mut(younger) {
            Some(younger) => younger.older = older,
            None => self.youngest = older,
        }
        Some(value)
    }

    /// For how many there is room.
    pub(super) fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// Nobody is there: gives back all but the room for so many.
    pub(super) fn give_back(&mut self, kept: usize) {
        debug_assert!(self.is_empty(), "a place is somebody's");
        self.places.clear();
        self.places.shrink_to(kept);
        self.free = NOWHERE;
    }

    /// Whoever has this ticket, unless it has gone.
    pub(super) fn find(&mut self, ticket: Ticket) -> Option<&mut T> {
        let place = self.places.get_mut(ticket.place)?;
        if place.number == ticket.number { place.value.as_mut() } else { None }
    }

    #[inline]
    pub(super) fn oldest(&self) -> Option<Ticket> {
        self.ticket_at(self.oldest)
    }

    /// Who came next of those that are there; `ticket` is there, too.
    pub(super) fn younger(&self, ticket: Ticket) -> Option<Ticket> {
        self.ticket_at(self.places[ticket.place].younger)
    }

    /// From the oldest to the youngest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ticket, &T)> {
        let tickets = std::iter::successors(self.oldest(), |ticket| self.younger(*ticket));
        tickets.map(|ticket| (ticket, &self[ticket]))
    }

    fn ticket_at(&self, place: usize) -> Option<Ticket> {
        self.places.get(place).map(|it| Ticket { number: it.number, place })
    }
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        Self { places: Vec::new(), oldest: NOWHERE, youngest: NOWHERE, free: NOWHERE, number: 0 }
    }
}

/// Whoever has this ticket and is there.
impl<T> Index<Ticket> for Arrivals<T> {
    type Output = T;

    fn index(&self, ticket: Ticket) -> &T {
        let place = &self.places[ticket.place];
        debug_assert_eq!(place.number, ticket.number, "the place is somebody else's");
        place.value.as_ref().expect("who has a ticket is there")
    }
}

impl<T> IndexMut<Ticket> for Arrivals<T> {
    fn index_mut(&mut self, ticket: Ticket) -> &mut T {
        let place = &mut self.places[ticket.place];
        debug_assert_eq!(place.number, ticket.number, "the place is somebody else's");
        place.value.as_mut().expect("who has a ticket is there")
    }
}
