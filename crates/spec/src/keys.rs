//! Where a command's keys are among its arguments.
//!
//! A command has zero or more key specs, each of which says where to begin ([`BeginSearch`]) and
//! how to go on from there ([`FindKeys`]): enough for every command but `SORT`, `MIGRATE` and their
//! like, which flag a spec as incomplete, and bring a [`KeyFinder`].
//!
//! ```text
//! SET key value            begin at 1, last 0 steps after it, step 1
//! MSET k v k v             begin at 1, last = end, step 2
//! ZUNION 2 a b WEIGHTS..   begin at 1, a number of keys there, the first right after
//! ```

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument (the command's name is argument 0).
    Index(u16),
    /// After this word, looked for from argument `from` (negative: from the end, backwards).
    Keyword {
        /// The word, in any case.
        word: &'static str,
        /// Where to start looking.
        from: i16,
    },
    /// It cannot be said.
    Unknown,
}

/// How keys follow from where the search began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Every `step`-th argument up to `last`, relative to the beginning (negative: from the end,
    /// -1 being the last argument); `limit` > 1 halves, thirds ... what is left.
    Range {
        /// Offset of the last key.
        last: i16,
        /// Arguments from one key to the next.
        step: u16,
        /// Divisor of the remaining arguments, 0 or 1 for none.
        limit: u16,
    },
    /// An argument says how many keys there are.
    Count {
        /// Offset of the number.
        number: u16,
        /// Offset of the first key.
        first: u16,
        /// Arguments from one key to the next.
        step: u16,
    },
    /// It cannot be said.
    Unknown,
}

/// What a command does with the keys of one spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFlags(u16);

impl KeyFlags {
    /// Reads and writes the value or its metadata.
    pub const RW: Self = Self(1);
    /// Only reads.
    pub const RO: Self = Self(1 << 1);
    /// Overwrites without reading.
    pub const OW: Self = Self(1 << 2);
    /// Deletes the key.
    pub const RM: Self = Self(1 << 3);
    /// Returns or copies or uses user data.
    pub const ACCESS: Self = Self(1 << 4);
    /// Updates user data depending on what is there.
    pub const UPDATE: Self = Self(1 << 5);
    /// Adds user data without reading what is there.
    pub const INSERT: Self = Self(1 << 6);
    /// Deletes some of the data explicitly.
    pub const DELETE: Self = Self(1 << 7);
    /// What is found is not a key (a channel, say), but routes like one.
    pub const NOT_KEY: Self = Self(1 << 8);
    /// There may be keys that this spec does not find.
    pub const INCOMPLETE: Self = Self(1 << 9);
    /// The flags depend on the arguments.
    pub const VARIABLE: Self = Self(1 << 10);

    /// All of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names in `COMMAND INFO` and `COMMAND GETKEYSANDFLAGS`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: &[(KeyFlags, &str)] = &[
            (KeyFlags::RW, "RW"),
            (KeyFlags::RO, "RO"),
            (KeyFlags::OW, "OW"),
            (KeyFlags::RM, "RM"),
            (KeyFlags::ACCESS, "access"),
            (KeyFlags::UPDATE, "update"),
            (KeyFlags::INSERT, "insert"),
            (KeyFlags::DELETE, "delete"),
            (KeyFlags::NOT_KEY, "not_key"),
            (KeyFlags::INCOMPLETE, "incomplete"),
            (KeyFlags::VARIABLE, "variable_flags"),
        ];
        NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

/// Reads a command's argument at a position below the number of its arguments.
pub type ArgumentAt<'f, 'a> = &'f dyn Fn(usize) -> &'a [u8];

/// Says what a command with so many arguments does to the keys of a spec.
pub type KeyFlagsRule = for<'a> fn(usize, ArgumentAt<'_, 'a>) -> KeyFlags;

/// Calls what it is given with the position of each key of a command with so many arguments, and
/// with what the command does to it.
pub type KeyFinder =
    for<'a> fn(usize, ArgumentAt<'_, 'a>, &mut dyn FnMut(usize, KeyFlags)) -> Result<(), KeyError>;

/// One rule that finds keys.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: BeginSearch,
    /// How to go on.
    pub find: FindKeys,
    /// What happens to the keys found, at most.
    pub flags: KeyFlags,
    /// What happens to them, where that depends on the arguments.
    pub rule: Option<KeyFlagsRule>,
    /// A remark in `COMMAND INFO`.
    pub notes: Option<&'static str>,
}

impl KeySpec {
    /// One key at argument `index`.
    #[must_use]
    pub const fn one(index: u16, flags: KeyFlags) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// Keys from argument `index` to the last argument.
    #[must_use]
    pub const fn rest(index: u16, flags: KeyFlags) -> Self {
        Self::range(index, -1, 1, flags)
    }

    /// Keys from `index`, the last at offset `last` of it, `step` apart.
    #[must_use]
    pub const fn range(index: u16, last: i16, step: u16, flags: KeyFlags) -> Self {
        let find = FindKeys::Range { last, step, limit: 0 };
        Self { begin: BeginSearch::Index(index), find, flags, rule: None, notes: None }
    }

    /// The number of keys at argument `index`, and the keys right after it.
    #[must_use]
    pub const fn counted(index: u16, flags: KeyFlags) -> Self {
        let find = FindKeys::Count { number: 0, first: 1, step: 1 };
        Self { begin: BeginSearch::Index(index), find, flags, rule: None, notes: None }
    }

    /// What happens to the keys depends on the arguments, as `rule` says.
    #[must_use]
    pub const fn depending(mut self, rule: KeyFlagsRule) -> Self {
        self.flags = self.flags.with(KeyFlags::VARIABLE);
        self.rule = Some(rule);
        self
    }

    /// What a command with so many arguments does to the keys of this spec.
    #[must_use]
    pub fn flags_in(&self, count: usize, argument: ArgumentAt<'_, '_>) -> KeyFlags {
        self.rule.map_or(self.flags, |rule| rule(count, argument))
    }

    /// With a remark.
    #[must_use]
    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = Some(notes);
        self
    }

    /// The positions of this spec's keys among `count` arguments; `argument(i)` reads argument `i`.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when the arguments contradict the spec (a number of keys that is not a
    /// number, or more keys than arguments).
    pub fn positions(
        &self,
        count: usize,
        argument: ArgumentAt<'_, '_>,
    ) -> Result<KeyPositions, KeyError> {
        let Some(begin) = self.begin_index(count, argument) else {
            return Ok(KeyPositions::NONE);
        };
        match self.find {
            FindKeys::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + usize::from(last.unsigned_abs())
                } else if limit <= 1 {
                    count.checked_sub(usize::from(last.unsigned_abs())).ok_or(KeyError::Invalid)?
                } else {
                    begin + (count - begin) / usize::from(limit) - 1
                };
                if last >= count || last < begin {
                    return Err(KeyError::Invalid);
                }
                Ok(KeyPositions { next: begin, end: last + 1, step: usize::from(step.max(1)) })
            }
            FindKeys::Count { number, first, step } => {
                let at = begin + usize::from(number);
                if at >= count {
                    return Err(KeyError::Invalid);
                }
                let keys = std::str::from_utf8(argument(at))
                    .ok()
                    .and_then(|text| text.parse::<usize>().ok())
                    .ok_or(KeyError::Invalid)?;
                let first = begin + usize::from(first);
                let step = usize::from(step.max(1));
                let end = keys.checked_mul(step).and_then(|n| n.checked_add(first));
                match end {
                    Some(end) if end <= count => Ok(KeyPositions { next: first, end, step }),
                    _ => Err(KeyError::Invalid),
                }
            }
            FindKeys::Unknown => Ok(KeyPositions::NONE),
        }
    }

    fn begin_index(&self, count: usize, argument: ArgumentAt<'_, '_>) -> Option<usize> {
        match self.begin {
            BeginSearch::Index(index) => (usize::from(index) < count).then_some(usize::from(index)),
            BeginSearch::Keyword { word, from } => {
                let matches = |at: &usize| argument(*at).eq_ignore_ascii_case(word.as_bytes());
                let found = if from >= 0 {
                    (usize::from(from.unsigned_abs())..count).find(matches)
                } else {
                    let top = count.checked_sub(usize::from(from.unsigned_abs()))?;
                    (1..=top).rev().find(matches)
                };
                found.map(|at| at + 1).filter(|at| *at < count)
            }
            BeginSearch::Unknown => None,
        }
    }
}

/// Why keys were not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The arguments contradict the key spec.
    Invalid,
}

/// The argument positions of keys: an iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPositions {
    next: usize,
    end: usize,
    step: usize,
}

impl KeyPositions {
    /// No key.
    pub const NONE: Self = Self { next: 0, end: 0, step: 1 };
}

impl Iterator for KeyPositions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        (self.next < self.end).then(|| {
            let at = self.next;
            self.next += self.step;
            at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BeginSearch, FindKeys, KeyError, KeyFlags, KeySpec};

    fn positions(spec: KeySpec, line: &str) -> Result<Vec<usize>, KeyError> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        spec.positions(words.len(), &|at| words[at]).map(Iterator::collect)
    }

    #[test]
    fn ranges() {
        assert_eq!(positions(KeySpec::one(1, KeyFlags::RO), "get a"), Ok(vec![1]));
        assert_eq!(positions(KeySpec::rest(1, KeyFlags::RO), "mget a b c"), Ok(vec![1, 2, 3]));
        let mset = KeySpec::range(1, -1, 2, KeyFlags::OW);
        assert_eq!(positions(mset, "mset a 1 b 2"), Ok(vec![1, 3]));
    }

    #[test]
    fn counts() {
        let counted = KeySpec::counted(1, KeyFlags::RO);
        assert_eq!(positions(counted, "zunion 2 a b x"), Ok(vec![2, 3]));
        assert_eq!(positions(counted, "zunion 9 a b"), Err(KeyError::Invalid));
        assert_eq!(positions(counted, "zunion x a b"), Err(KeyError::Invalid));
    }

    #[test]
    fn keywords() {
        let begin = BeginSearch::Keyword { word: "STREAMS", from: 1 };
        let find = FindKeys::Range { last: -1, step: 1, limit: 2 };
        let spec = KeySpec { begin, find, flags: KeyFlags::RO, rule: None, notes: None };
        assert_eq!(positions(spec, "xread count 5 streams a b 0 0"), Ok(vec![4, 5]));
    }
}
