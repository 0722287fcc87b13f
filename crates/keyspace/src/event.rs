//! Classes of keyspace events, with the letters of `notify-keyspace-events`.
//!
//! The bits and letters are those of Redis, so that a configuration means the same here. `K` and
//! `E` say through which channels events go out; the other letters say which events there are.

/// A set of event classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClass(u16);

impl EventClass {
    /// No class.
    pub const NONE: Self = Self(0);
    /// `K`: publish on `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish on `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of no type: del, expire, rename ...
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const ZSET: Self = Self(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: a read found no key. Not part of `A`.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: modules.
    pub const MODULE: Self = Self(1 << 13);
    /// `n`: a key appeared. Not part of `A`.
    pub const NEW: Self = Self(1 << 14);
    /// `A`: all but `m` and `n`.
    pub const ALL: Self = Self(0b0010_0111_1111_1100);

    const LETTERS: [(Self, u8); 14] = [
        (Self::GENERIC, b'g'),
        (Self::STRING, b'$'),
        (Self::LIST, b'l'),
        (Self::SET, b's'),
        (Self::HASH, b'h'),
        (Self::ZSET, b'z'),
        (Self::EXPIRED, b'x'),
        (Self::EVICTED, b'e'),
        (Self::STREAM, b't'),
        (Self::MODULE, b'd'),
        (Self::NEW, b'n'),
        (Self::KEYSPACE, b'K'),
        (Self::KEYEVENT, b'E'),
        (Self::KEY_MISS, b'm'),
    ];

    /// All of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    #[inline]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Reads the value of `notify-keyspace-events`: `None` if a letter is unknown.
    #[must_use]
    pub fn parse(letters: &[u8]) -> Option<Self> {
        letters.iter().try_fold(Self::NONE, |set, letter| {
            if *letter == b'A' {
                return Some(set.with(Self::ALL));
            }
            let known = Self::LETTERS.iter().find(|(_, known)| known == letter);
            known.map(|(class, _)| set.with(*class))
        })
    }

    /// The letters of the set, as `CONFIG GET` shows them: `A` where all of it are there.
    #[must_use]
    pub fn letters(self) -> String {
        let all = self.has(Self::ALL);
        let mut text = String::from(if all { "A" } else { "" });
        for (class, letter) in Self::LETTERS {
            if self.has(class) && !(all && Self::ALL.has(class)) {
                text.push(char::from(letter));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::EventClass;

    #[test]
    fn letters_and_back() {
        for text in ["", "KEA", "g$", "AKE", "Kx", "AKEmn"] {
            let set = EventClass::parse(text.as_bytes()).expect("known letters");
            assert_eq!(EventClass::parse(set.letters().as_bytes()), Some(set), "{text}");
        }
        let text = |letters: &[u8]| EventClass::parse(letters).map(EventClass::letters);
        assert_eq!(text(b"KEA").as_deref(), Some("AKE"));
        assert_eq!(text(b"g$lshzxetd").as_deref(), Some("A"));
        assert_eq!(text(b"mA").as_deref(), Some("Am"));
        assert_eq!(EventClass::parse(b"Kq"), None);
    }

    #[test]
    fn all_leaves_out_misses_and_new_keys() {
        assert!(!EventClass::ALL.has(EventClass::KEY_MISS));
        assert!(!EventClass::ALL.has(EventClass::NEW));
        assert!(EventClass::ALL.has(EventClass::MODULE));
    }
}
