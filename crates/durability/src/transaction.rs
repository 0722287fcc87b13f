//! What a part of a transaction carries in its segment: who it is, and who else has a part.
//!
//! A transaction that wrote on several shards leaves one *part* in the segment of each. A part
//! names its transaction and all participants, so that recovery can tell from the files alone
//! whether every part arrived.

use std::fmt;

use crate::manifest::SHARDS_MAX;

/// Names one transaction within a generation: the shard that began it and that shard's count.
///
/// The generation is not repeated here: parts are only ever matched between the segments of one
/// generation, and each segment says in its first line which that is. Counts go on after a
/// restart (`Tail::counter` of recovery), so an id is never used twice in a generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

impl TransactionId {
    /// Counts are below this: 48 bits, a million transactions a second for nine years.
    pub const COUNTER_MAX: u64 = (1 << 48) - 1;

    /// The transaction number `counter` that shard `home` began.
    ///
    /// # Panics
    /// If `counter` is beyond [`Self::COUNTER_MAX`].
    pub fn new(home: u16, counter: u64) -> Self {
        assert!(counter <= Self::COUNTER_MAX, "a transaction counter has 48 bits");
        Self(u64::from(home) << 48 | counter)
    }

    /// The shard that began it.
    pub fn home(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// That shard's count.
    pub fn counter(self) -> u64 {
        self.0 & Self::COUNTER_MAX
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.home(), self.counter())
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const WORDS: usize = SHARDS_MAX as usize / 64;

/// The set of shards that have a part of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Participants {
    words: [u64; WORDS],
}

impl Participants {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a shard.
    ///
    /// # Panics
    /// If `shard` is not below [`SHARDS_MAX`].
    pub fn insert(&mut self, shard: u16) {
        self.words[usize::from(shard) / 64] |= 1 << (shard % 64);
    }

    /// Takes a shard out.
    pub(crate) fn remove(&mut self, shard: u16) {
        self.words[usize::from(shard) / 64] &= !(1 << (shard % 64));
    }

    /// The shards that are in one or the other.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|index| self.words[index] | other.words[index]) }
    }

    /// Whether `shard` is in the set.
    pub fn contains(&self, shard: u16) -> bool {
        let word = self.words.get(usize::from(shard) / 64);
        word.is_some_and(|word| word >> (shard % 64) & 1 == 1)
    }

    /// How many shards are in the set.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The shards, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..SHARDS_MAX).filter(|&shard| self.contains(shard))
    }

    /// The highest shard in the set.
    pub(crate) fn highest(&self) -> Option<u16> {
        let (index, word) = self.words.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        u16::try_from(index as u32 * 64 + word.ilog2()).ok()
    }

    /// Appends the set as a lower-case hexadecimal number whose bit `i` stands for shard `i`,
    /// without leading zeros: `3` for shards 0 and 1.
    pub(crate) fn write_hex(&self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut begun = false;
        for word in self.words.iter().rev() {
            for nibble in (0..16).rev() {
                let digit = (word >> (nibble * 4) & 15) as usize;
                begun |= digit != 0;
                if begun {
                    out.push(DIGITS[digit]);
                }
            }
        }
        if !begun {
            out.push(b'0');
        }
    }

    /// Reads what [`Self::write_hex`] wrote; `None` for anything else.
    pub(crate) fn from_hex(digits: &[u8]) -> Option<Self> {
        let canonical = digits == b"0" || digits.first().is_some_and(|&digit| digit != b'0');
        if !canonical || digits.len() > WORDS * 16 {
            return None;
        }
        let mut set = Self::new();
        for (index, &digit) in digits.iter().rev().enumerate() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            set.words[index / 16] |= u64::from(value) << (index % 16 * 4);
        }
        Some(set)
    }
}

impl FromIterator<u16> for Participants {
    fn from_iter<I: IntoIterator<Item = u16>>(shards: I) -> Self {
        let mut set = Self::new();
        for shard in shards {
            set.insert(shard);
        }
        set
    }
}

impl fmt::Debug for Participants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_both_halves() {
        let id = TransactionId::new(1023, TransactionId::COUNTER_MAX);
        assert_eq!((id.home(), id.counter()), (1023, TransactionId::COUNTER_MAX));
        assert_eq!(TransactionId::new(3, 17).to_string(), "3-17");
    }

    #[test]
    fn a_set_survives_its_text() {
        for shards in [vec![], vec![0], vec![0, 1], vec![3, 63, 64], vec![5, 1023]] {
            let set: Participants = shards.iter().copied().collect();
            let mut text = Vec::new();
            set.write_hex(&mut text);
            assert_eq!(Participants::from_hex(&text), Some(set), "{shards:?}");
            assert_eq!(set.iter().collect::<Vec<_>>(), shards);
            assert_eq!(set.len() as usize, shards.len());
            assert_eq!(set.highest(), shards.last().copied());
        }
    }

    #[test]
    fn only_one_text_stands_for_a_set() {
        for text in ["", "03", "G", "A", "-1", "3 "] {
            assert_eq!(Participants::from_hex(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Participants::from_hex(&[b'f'; 257]), None);
    }
}
