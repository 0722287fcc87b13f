//! The set itself.

use super::Limits;
use crate::members::Members;
use crate::packed::{Entry, Intset, Listpack};

/// A set. See the module's essay.
#[derive(Debug)]
pub enum Set {
    /// `intset`.
    Integers(Intset),
    /// `listpack`.
    Packed(Listpack),
    /// `hashtable`.
    Large(Box<Members<1>>),
}

impl Set {
    /// Adds a member. True: it is new. O(1) in a large set; O(length) in a small one, and when it
    /// becomes a large one.
    pub fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        if let Self::Integers(integers) = self {
            if let Entry::Integer(integer) = Entry::of(member) {
                let new = integers.insert(integer);
                self.outgrow_integers(limits);
                return new;
            }
        } else if self.is_small() && self.contains(member) {
            return false;
        }
        self.make_room_for(member, limits);
        match self {
            Self::Large(members) => members.insert([member]),
            Self::Packed(listpack) => {
                listpack.push_back(member);
                true
            }
            Self::Integers(_) => unreachable!("an intset has made room in another form"),
        }
    }

    /// Takes a member out. True: it was there. O(1) in a large set, else O(length).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Integers(integers) => {
                matches!(Entry::of(member), Entry::Integer(integer) if integers.remove(integer))
            }
            Self::Packed(listpack) => {
                let first = listpack.first();
                let Some(position) = first.and_then(|first| listpack.find(first, member, 0)) else {
                    return false;
                };
                listpack.remove(position);
                true
            }
            Self::Large(members) => members.remove(member),
        }
    }

    /// Whether it has a member. O(1) in a large set, O(log length) in an intset, else O(length).
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Integers(integers) => {
                matches!(Entry::of(member), Entry::Integer(integer) if integers.contains(integer))
            }
            Self::Packed(listpack) => {
                listpack.first().is_some_and(|first| listpack.find(first, member, 0).is_some())
            }
            Self::Large(members) => members.find(member).is_some(),
        }
    }

    /// How many members it has. O(1) (a listpack of more than 65,534 counts them).
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Packed(listpack) => listpack.len(),
            Self::Large(members) => members.len(),
        }
    }

    /// Whether it has none: then it is no value of a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        match self {
            Self::Integers(_) => "intset",
            Self::Packed(_) => "listpack",
            Self::Large(_) => "hashtable",
        }
    }

    /// Bytes on the heap, those that are shared too. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.heap_bytes(),
            Self::Packed(listpack) => listpack.heap_bytes(),
            Self::Large(members) => size_of::<Members<1>>() + members.heap_bytes(),
        }
    }

    /// The same members, now. A small set is copied, a large one is shared
    /// ([`Members::share`]).
    #[must_use]
    pub fn share(&self) -> Self {
        match self {
            Self::Integers(integers) => Self::Integers(integers.clone()),
            Self::Packed(listpack) => Self::Packed(listpack.clone()),
            Self::Large(members) => Self::Large(Box::new(members.share())),
        }
    }

    /// Each member, all at once.
    pub fn for_each(&self, mut sink: impl FnMut(Entry<'_>)) {
        match self {
            Self::Integers(integers) => integers.iter().map(Entry::Integer).for_each(sink),
            Self::Packed(listpack) => listpack.iter().for_each(sink),
            Self::Large(members) => members.iter().for_each(|member| sink(member.name())),
        }
    }

    /// About `budget` members at `position` and after; returns where to go on, 0 at the end. Begins
    /// with 0; results are below 2^48. A small set gives all its members. Members that are there
    /// from the first call to the last are handed over, whatever happens in between, unless the
    /// encoding changes from a small one, when all were handed over in one call.
    pub fn scan(&self, position: u64, budget: usize, mut sink: impl FnMut(Entry<'_>)) -> u64 {
        match self {
            Self::Integers(_) | Self::Packed(_) => {
                self.for_each(sink);
                0
            }
            Self::Large(members) => members.scan(position, budget, |member| sink(member.name())),
        }
    }

    /// Allocations that dropping it may free, more or less. O(1).
    #[must_use]
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Integers(_) | Self::Packed(_) => 1,
            Self::Large(members) => 1 + members.heap_bytes() / CHUNK_BYTES,
        }
    }

    /// Frees about `bytes`, and says whether it is done. The set is garbage from the first call on.
    #[must_use = "a set that is not done must be called again before it is dropped"]
    pub fn free_slice(&mut self, bytes: usize) -> bool {
        match self {
            Self::Integers(_) | Self::Packed(_) => true,
            Self::Large(members) => members.free_slice(bytes / CHUNK_BYTES),
        }
    }

    fn is_small(&self) -> bool {
        match self {
            Self::Integers(_) | Self::Packed(_) => true,
            Self::Large(_) => false,
        }
    }
}

/// What a chunk of a large set has, more or less.
const CHUNK_BYTES: usize = 2048;

impl PartialEq for Set {
    /// Whether both have the same members, in whatever encoding.
    fn eq(&self, other: &Self) -> bool {
        let mut equal = self.len() == other.len();
        self.for_each(|member| equal = equal && other.contains(&member.text()));
        equal
    }
}

impl Eq for Set {}
