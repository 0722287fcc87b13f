//! The longest common subsequence of two strings: LCS.
//!
//! The textbook fills a table of numbers: `L[i][j]` is the length for the first `i` bytes of `a`
//! and the first `j` of `b`. A row never grows by more than one from one column to the next, so one
//! *bit* a cell says it all, and a row is computed a word at a time (Hyyro 2004). With `stay`
//! having bit `j` clear where `L[i][j + 1] = L[i][j] + 1`, and `same` having bit `j` set where
//! `b[j]` is the row's byte:
//!
//! ```text
//! stay' = (stay + (stay & same)) | (stay & !same)        all ones before the first row
//! ```
//!
//! The rows are kept, and the way back through them finds the subsequence. Redis goes back
//! diagonally where the two bytes are equal, else up if `L[i-1][j] > L[i][j-1]`, else left. Where
//! the bytes differ, `L[i][j]` is the greater of the two, so that "up is greater than left" says
//! that `L[i][j]` is greater than its left neighbour: the clear bit again. The bits give every
//! choice that Redis makes, with 1/32 of its memory and without its 64 times as many steps; ties
//! break the same way, and so the subsequence and the matches are the same.

/// What two strings have in common.
#[derive(Debug)]
pub struct Common<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// A row for each byte of `a`, each of `row_words`: bit `j` is clear where the row's length
    /// grows with byte `j` of `b`.
    rows: Vec<u64>,
    row_words: usize,
    len: usize,
}

/// A run of bytes that two strings have in common: `len` bytes from `a_start` in the one and from
/// `b_start` in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index of the first byte in `a`.
    pub a_start: usize,
    /// Index of the first byte in `b`.
    pub b_start: usize,
    /// Bytes, at least one.
    pub len: usize,
}

/// Bytes that Redis would allocate for the table of two strings of these lengths (below 2^62): four
/// a cell. It refuses to where they are more than `proto-max-bulk-len`.
#[must_use]
pub const fn table_bytes(a_len: usize, b_len: usize) -> u128 {
    (a_len as u128 + 1) * (b_len as u128 + 1) * 4
}

/// Compares `a` with `b`: O(|a| * |b| / 64) time, |a| * |b| / 8 bytes.
#[must_use]
pub fn compare<'a>(a: &'a [u8], b: &'a [u8]) -> Common<'a> {
    let row_words = b.len().div_ceil(64);
    let same = SameBits::new(a, b, row_words);
    let mut rows: Vec<u64> = Vec::with_capacity(a.len() * row_words);
    let mut row = vec![u64::MAX; row_words];
    for byte in a {
        let mut carry = false;
        for (word, same) in row.iter_mut().zip(same.of(*byte)) {
            let stay = *word;
            let (sum, carry_of_carry) = stay.overflowing_add(u64::from(carry));
            let (sum, carry_of_sum) = sum.overflowing_add(stay & same);
            carry = carry_of_carry | carry_of_sum;
            *word = sum | (stay & !same);
        }
        rows.extend_from_slice(&row);
    }
    let len = clear_bits(&row, b.len());
    Common { a, b, rows, row_words, len }
}

/// The clear bits among the first `columns` of a row.
fn clear_bits(row: &[u64], columns: usize) -> usize {
    let clear = |(word, bits): (usize, &u64)| {
        let used = (columns - word * 64).min(64);
        (!bits & (u64::MAX >> (64 - used))).count_ones() as usize
    };
    row.iter().enumerate().map(clear).sum()
}

impl Common<'_> {
    /// Length of the longest common subsequence.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the strings have no byte in common.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The subsequence itself: of several as long, the one that Redis gives.
    #[must_use]
    pub fn subsequence(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        for run in self.matches() {
            bytes.extend(self.a[run.a_start..run.a_start + run.len].iter().rev());
        }
        bytes.reverse();
        bytes
    }

    /// The runs that the subsequence is made of, from the end of the strings to their beginning.
    pub fn matches(&self) -> impl Iterator<Item = Match> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 && self.a[i - 1] != self.b[j - 1] {
                if self.grows(i - 1, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            let mut len = 0;
            while i > 0 && j > 0 && self.a[i - 1] == self.b[j - 1] {
                (i, j, len) = (i - 1, j - 1, len + 1);
            }
            (len > 0).then_some(Match { a_start: i, b_start: j, len })
        })
    }

    /// Whether in the row of byte `i` of `a` the length grows with byte `j` of `b`.
    fn grows(&self, i: usize, j: usize) -> bool {
        self.rows[i * self.row_words + j / 64] >> (j % 64) & 1 == 0
    }
}

/// For each byte that `a` has, the places where `b` has it.
struct SameBits {
    /// Where in `bits` a byte's words begin, in rows.
    row_of: [u16; 256],
    bits: Vec<u64>,
    row_words: usize,
}

impl SameBits {
    fn new(a: &[u8], b: &[u8], row_words: usize) -> Self {
        let mut row_of = [u16::MAX; 256];
        let mut rows = 0;
        for byte in a {
            let row = &mut row_of[usize::from(*byte)];
            if *row == u16::MAX {
                *row = rows;
                rows += 1;
            }
        }
        let mut bits = vec![0_u64; usize::from(rows) * row_words];
        for (j, byte) in b.iter().enumerate() {
            let row = row_of[usize::from(*byte)];
            if row != u16::MAX {
                bits[usize::from(row) * row_words + j / 64] |= 1 << (j % 64);
            }
        }
        Self { row_of, bits, row_words }
    }

    /// The places of a byte of `a`.
    fn of(&self, byte: u8) -> &[u64] {
        let start = usize::from(self.row_of[usize::from(byte)]) * self.row_words;
        &self.bits[start..start + self.row_words]
    }
}

#[cfg(test)]
mod tests {
    use super::{Match, compare, table_bytes};
    use crate::seeded::random;

    /// The textbook, with Redis' way back.
    fn naive(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Match>) {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut bytes, mut matches) = (Vec::new(), Vec::<Match>::new());
        let (mut i, mut j) = (a.len(), b.len());
        let mut extends = false;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                bytes.push(a[i]);
                match matches.last_mut() {
                    Some(last) if extends => {
                        *last = Match { a_start: i, b_start: j, len: last.len + 1 }
                    }
                    _ => matches.push(Match { a_start: i, b_start: j, len: 1 }),
                }
                extends = true;
            } else {
                extends = false;
                if table[i - 1][j] > table[i][j - 1] { i -= 1 } else { j -= 1 }
            }
        }
        bytes.reverse();
        (bytes, matches)
    }

    #[test]
    fn the_example_of_the_documentation() {
        let common = compare(b"ohmytext", b"mynewtext");
        assert_eq!(common.len(), 6);
        assert_eq!(common.subsequence(), b"mytext");
        let matches: Vec<_> = common.matches().collect();
        let run = |a_start, b_start, len| Match { a_start, b_start, len };
        assert_eq!(matches, [run(4, 5, 4), run(2, 0, 2)]);
    }

    #[test]
    fn nothing_in_common() {
        for (a, b) in [("", ""), ("abc", ""), ("", "abc"), ("abc", "xyz")] {
            let common = compare(a.as_bytes(), b.as_bytes());
            assert!(common.is_empty() && common.subsequence().is_empty(), "{a} {b}");
            assert_eq!(common.matches().count(), 0);
        }
    }

    #[test]
    fn agrees_with_the_textbook() {
        let mut state = 11;
        let rounds = if cfg!(miri) { 9 } else { 600 };
        for round in 0..rounds {
            let letters = [2, 3, 26][round % 3];
            let mut word = |len_max: u64| -> Vec<u8> {
                let len = random(&mut state) % len_max;
                (0..len).map(|_| b'a' + (random(&mut state) % letters) as u8).collect()
            };
            let (a, b) = (word(200), word(200));
            let (bytes, matches) = naive(&a, &b);
            let common = compare(&a, &b);
            assert_eq!(common.len(), bytes.len());
            assert_eq!(common.subsequence(), bytes);
            assert_eq!(common.matches().collect::<Vec<_>>(), matches);
        }
    }

    #[test]
    fn the_table_of_redis() {
        assert_eq!(table_bytes(0, 0), 4);
        assert_eq!(table_bytes(9, 19), 800);
        let huge = u32::MAX as usize;
        assert!(table_bytes(huge, huge) > u128::from(u64::MAX));
    }
}
