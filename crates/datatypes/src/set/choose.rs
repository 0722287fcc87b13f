//! Which encoding a set has, and when it becomes another.

use table::Hasher;

use super::Set;
use crate::members::Members;
use crate::packed::{Entry, Intset, Listpack};

/// What decides between encodings, as it is now, and what a large set needs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `set-max-intset-entries`.
    pub intset_entries_max: usize,
    /// `set-max-listpack-entries`.
    pub listpack_entries_max: usize,
    /// `set-max-listpack-value`, in bytes.
    pub listpack_value_bytes_max: usize,
    /// The server's hash function.
    pub hasher: Hasher,
}

/// An intset of more members than this becomes another form whatever the configuration says
/// (`t_set.c`, `maybeConvertIntset`).
const INTSET_ENTRIES_MAX: usize = 1 << 30;

impl Set {
    /// An empty set for about `expected` members of which `member` is the first.
    #[must_use]
    pub fn new(member: &[u8], expected: usize, limits: &Limits) -> Self {
        if expected <= limits.intset_entries_max && matches!(Entry::of(member), Entry::Integer(_)) {
            return Self::Integers(Intset::new());
        }
        if expected <= limits.listpack_entries_max {
            return Self::Packed(Listpack::new());
        }
        Self::empty_large(limits)
    }

    /// An empty set in the smallest form: what grows to an unknown length, and what it becomes is
    /// then decided by its members alone.
    #[must_use]
    pub fn smallest() -> Self {
        Self::Integers(Intset::new())
    }

    /// An empty set for some of this one's members, in the same encoding.
    #[must_use]
    pub fn empty_like(&self, limits: &Limits) -> Self {
        match self {
            Self::Integers(_) => Self::Integers(Intset::new()),
            Self::Packed(_) => Self::Packed(Listpack::new()),
            Self::Large(_) => Self::empty_large(limits),
        }
    }

    /// An empty large set: for members that are to be found again at once, whatever they are.
    #[must_use]
    pub fn empty_large(limits: &Limits) -> Self {
        Self::Large(Box::new(Members::new(limits.hasher)))
    }

    /// Makes ready for `more` members that are about to be inserted: a small set becomes a large
    /// one at once where so many alone are too many for it.
    pub fn expect(&mut self, more: usize, limits: &Limits) {
        let most = match self {
            Self::Integers(_) => limits.intset_entries_max,
            Self::Packed(_) => limits.listpack_entries_max,
            Self::Large(_) => return,
        };
        if more > most {
            *self = self.large(limits);
        }
    }

    /// Becomes an intset, if all members are integers and an intset may have so many. What is left
    /// of the old form is dropped at once: it is small then.
    pub fn become_integers(&mut self, limits: &Limits) {
        if matches!(self, Self::Integers(_)) || self.len() > limits.intset_entries_max {
            return;
        }
        let (mut integers, mut all) = (Intset::new(), true);
        self.for_each(|member| match Entry::of(&member.text()) {
            Entry::Integer(integer) if all => {
                integers.insert(integer);
            }
            Entry::Integer(_) | Entry::Bytes(_) => all = false,
        });
        if all {
            *self = Self::Integers(integers);
        }
    }

    /// The set that `members` make, in the encoding of one that was just made of them: what a STORE
    /// form leaves.
    #[must_use]
    pub fn of<'a>(members: impl ExactSizeIterator<Item = &'a [u8]>, limits: &Limits) -> Self {
        let mut members = members.peekable();
        let expected = members.len();
        let mut set = Self::new(members.peek().map_or(&[], |first| *first), expected, limits);
        members.for_each(|member| {
            set.insert(member, limits);
        });
        set
    }

    /// Gives an intset that became too long, or that is to take what is no integer, the form that
    /// it must have; and a listpack that is to take `member` and cannot.
    pub(super) fn make_room_for(&mut self, member: &[u8], limits: &Limits) {
        let form = match self {
            Self::Integers(integers) => {
                let longest = [integers.get(0), integers.get(integers.len().saturating_sub(1))]
                    .into_iter()
                    .flatten()
                    .map(|integer| Entry::Integer(integer).text().len())
                    .max()
                    .unwrap_or(0);
                let all = longest * integers.len() + member.len();
                integers.len() < limits.listpack_entries_max
                    && longest <= limits.listpack_value_bytes_max
                    && limits.takes(&Listpack::new(), member, all)
            }
            Self::Packed(listpack) => {
                if listpack.len() < limits.listpack_entries_max
                    && limits.takes(listpack, member, member.len())
                {
                    return;
                }
                false
            }
            Self::Large(_) => return,
        };
        *self = if form { self.packed() } else { self.large(limits) };
    }

    /// An intset with more members than it may have becomes a large set.
    pub(super) fn outgrow_integers(&mut self, limits: &Limits) {
        if let Self::Integers(integers) = self
            && integers.len() > limits.intset_entries_max.min(INTSET_ENTRIES_MAX)
        {
            *self = self.large(limits);
        }
    }

    /// The same members in a listpack.
    fn packed(&self) -> Self {
        let mut listpack = Listpack::new();
        self.for_each(|member| {
            listpack.insert(None, member);
        });
        Self::Packed(listpack)
    }

    /// The same members in a large set.
    fn large(&self, limits: &Limits) -> Self {
        let mut members = Members::new(limits.hasher);
        self.for_each(|member| {
            members.insert([&member.text()]);
        });
        Self::Large(Box::new(members))
    }
}

impl Limits {
    /// Whether `member` may be in a listpack, and `bytes` more have room in this one.
    fn takes(&self, listpack: &Listpack, member: &[u8], bytes: usize) -> bool {
        member.len() <= self.listpack_value_bytes_max && listpack.has_room_for(bytes)
    }
}
