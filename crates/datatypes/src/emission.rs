//! Emitting a value in slices: as its elements, or as the commands that make it.
//!
//! Whoever writes a value out (the log's base, a copy that travels as commands, later RDB and DUMP)
//! asks for some elements at a time and gets a [`Cursor`] to go on with. A value that may change in
//! between is shared first ([`Object::share`]): the share is what it was.
//!
//! Commands are bounded, so that no record of a log grows with the value: [`COMMAND_ELEMENTS_MAX`]
//! elements, and not many more than [`COMMAND_BYTES_MAX`] bytes unless one element has them.

use crate::Object;
use crate::packed::Entry;

/// Where the emission of a value goes on; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u64);

/// What a value consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// All of a string.
    String(&'a [u8]),
    /// A member of a set.
    Member(Entry<'a>),
    /// What is at some place of a list: in order.
    Item(Entry<'a>),
}

/// Elements in one command.
pub const COMMAND_ELEMENTS_MAX: usize = 128;

/// Bytes of elements after which a command takes no more of them.
pub const COMMAND_BYTES_MAX: usize = 16 << 10;

/// A value of more elements than this is large: it is not emitted in one go while others wait. So
/// many take some 50 us.
const SMALL_ELEMENTS_MAX: usize = 1000;

impl Object {
    /// Whether emitting it at once would take long: then it is shared, and the share emitted in
    /// slices. A string is always emitted whole: it is one element.
    #[must_use]
    pub fn is_large(&self) -> bool {
        match self {
            Self::String(_) => false,
            Self::Set(set) => set.len() > SMALL_ELEMENTS_MAX,
            Self::List(list) => list.len() > SMALL_ELEMENTS_MAX,
        }
    }

    /// Hands over about `budget` elements from `cursor` on. Returns where to go on, `None` at the
    /// end. A small form of a collection is handed over whole, whatever the budget.
    pub fn elements(
        &self,
        cursor: Cursor,
        budget: usize,
        mut sink: impl FnMut(Element<'_>),
    ) -> Option<Cursor> {
        match self {
            Self::String(string) => {
                sink(Element::String(string.as_slice()));
                None
            }
            Self::Set(set) => {
                let next = set.scan(cursor.0, budget, |member| sink(Element::Member(member)));
                (next != 0).then_some(Cursor(next))
            }
            Self::List(list) => {
                let next = list.emit(cursor.0 as usize, budget, |item| sink(Element::Item(item)));
                next.map(|next| Cursor(next as u64))
            }
        }
    }

    /// Hands over commands that make the elements from `cursor` on, about `budget` of them, of the
    /// value under `key`; each as its words. All commands from the beginning to the end, applied
    /// where there is no such key, make the value. Returns as [`Object::elements`] does.
    pub fn commands(
        &self,
        key: &[u8],
        cursor: Cursor,
        budget: usize,
        mut sink: impl FnMut(&[&[u8]]),
    ) -> Option<Cursor> {
        let name: &[u8] = match self {
            Self::String(_) => b"SET",
            Self::Set(_) => b"SADD",
            Self::List(_) => b"RPUSH",
        };
        let mut gathered = Gathered::default();
        let next = self.elements(cursor, budget, |element| {
            match element {
                Element::String(bytes) => return sink(&[name, key, bytes]),
                Element::Member(entry) | Element::Item(entry) => gathered.push(&entry.text()),
            }
            if gathered.is_full() {
                gathered.hand_over(name, key, &mut sink);
            }
        });
        gathered.hand_over(name, key, &mut sink);
        next
    }
}

/// The words of a command after its key.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Where each word ends.
    ends: Vec<usize>,
}

impl Gathered {
    fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= COMMAND_ELEMENTS_MAX || self.bytes.len() >= COMMAND_BYTES_MAX
    }

    /// Hands the command over, if it has words, and begins another.
    fn hand_over(&mut self, name: &[u8], key: &[u8], sink: &mut impl FnMut(&[&[u8]])) {
        if self.ends.is_empty() {
            return;
        }
        let mut words = vec![name, key];
        let mut begin = 0;
        words.extend(self.ends.iter().map(|&end| {
            let word = &self.bytes[begin..end];
            begin = end;
            word
        }));
        sink(&words);
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use table::Hasher;

    use super::{COMMAND_BYTES_MAX, COMMAND_ELEMENTS_MAX, Cursor};
    use crate::Object;
    use crate::list::{End, List, ListLimits};
    use crate::set::{Limits, Set};

    fn limits() -> Limits {
        Limits {
            intset_entries_max: 512,
            listpack_entries_max: 128,
            listpack_value_bytes_max: 64,
            hasher: Hasher::new(3),
        }
    }

    #[test]
    fn commands_make_the_value_of_its_moment_and_are_bounded() {
        for (count, bytes) in [(1, 3), (100, 10), (5000, 16), (300, 1000)] {
            let mut set = Set::new(b"x", 1, &limits());
            let text = |number: usize| format!("{number:0bytes$}x").into_bytes();
            (0..count).for_each(|number| assert!(set.insert(&text(number), &limits())));
            let members: BTreeSet<Vec<u8>> = (0..count).map(text).collect();
            let mut object = Object::Set(set);
            let share = object.share();
            let (mut cursor, mut made, mut slices) = (Cursor::default(), BTreeSet::new(), 0);
            loop {
                let next = share.commands(b"key", cursor, 300, |words| {
                    assert_eq!(words[..2], [&b"SADD"[..], b"key"]);
                    let payload: usize = words[2..].iter().map(|word| word.len()).sum();
                    assert!((1..=COMMAND_ELEMENTS_MAX).contains(&(words.len() - 2)));
                    assert!(payload < COMMAND_BYTES_MAX + bytes + 2);
                    words[2..].iter().for_each(|word| assert!(made.insert(word.to_vec())));
                });
                slices += 1;
                // What happens meanwhile is not seen.
                let Object::Set(set) = &mut object else { unreachable!("it is a set") };
                set.insert(format!("new {slices}").as_bytes(), &limits());
                set.remove(&text(slices));
                let Some(next) = next else { break };
                cursor = next;
            }
            assert_eq!(made, members);
            assert!(slices >= count / 400, "{slices} slices of {count}");
            assert_eq!(share.is_large(), count > 1000);
        }
    }

    #[test]
    fn commands_make_a_list_in_its_order() {
        let limits = ListLimits::of(-2);
        for (count, bytes) in [(1, 3), (100, 10), (5000, 16), (300, 1000)] {
            let text = |number: usize| format!("{number:0bytes$}x").into_bytes();
            let items: Vec<Vec<u8>> = (0..count).map(text).collect();
            let mut list = List::new();
            list.push(End::Back, items.iter().map(Vec::as_slice), limits);
            let mut object = Object::List(list);
            let share = object.share();
            let (mut cursor, mut made, mut slices) = (Cursor::default(), Vec::new(), 0);
            loop {
                let next = share.commands(b"key", cursor, 300, |words| {
                    assert_eq!(words[..2], [&b"RPUSH"[..], b"key"]);
                    let payload: usize = words[2..].iter().map(|word| word.len()).sum();
                    assert!((1..=COMMAND_ELEMENTS_MAX).contains(&(words.len() - 2)));
                    assert!(payload < COMMAND_BYTES_MAX + bytes + 2);
                    made.extend(words[2..].iter().map(|word| word.to_vec()));
                });
                slices += 1;
                // What happens meanwhile is not seen.
                let Object::List(list) = &mut object else { unreachable!("it is a list") };
                list.push(End::Front, [&b"new"[..]].into_iter(), limits);
                list.pop(End::Back, limits, |_| ());
                let Some(next) = next else { break };
                cursor = next;
            }
            assert_eq!(made, items);
            assert_eq!(slices, count.div_ceil(300));
            assert_eq!(share.is_large(), count > 1000);
        }
    }

    #[test]
    fn a_string_is_one_command() {
        let object = Object::string(vec![b'x'; 100_000]);
        let mut made = Vec::new();
        let next = object.commands(b"key", Cursor::default(), 1, |words| {
            made.push(words.iter().map(|word| word.len()).collect::<Vec<_>>());
        });
        assert_eq!((next, made), (None, vec![vec![3, 3, 100_000]]));
    }
}
