//! The arguments of one command, as places in the bytes that carry them.
//!
//! A command is never taken apart into strings: the parser notes where each argument starts and
//! ends, and [`Arguments`] reads through those notes. The first argument is the command's name.
//!
//! ```text
//! bytes  *2\r\n$3\r\nGET\r\n$5\r\nhello\r\n
//!                   ^  ^          ^    ^
//! spans            [8, 11)       [17, 22)
//! ```
//!
//! Invariant: every span lies inside the bytes, `start <= end`. A [`Span`] is two `u32`, half the
//! size of two `usize`: a command of a million arguments notes 8 MiB of places, not 16, and a
//! command can therefore not be longer than 4 GiB (the parser refuses one that would be).

use std::ops::Index;

/// Where one argument lies: bytes `start..end` of the buffer that the span was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset one past the last byte; never below `start`.
    pub end: u32,
}

impl Span {
    /// Length in bytes.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the argument is the empty string.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same place in a buffer where these bytes start `offset` later.
    ///
    /// # Panics
    /// When the result does not fit a `u32`.
    #[must_use]
    pub fn shifted(self, offset: usize) -> Self {
        let shift = |at: u32| {
            u32::try_from(at as usize + offset).expect("a buffer of commands is under 4 GiB")
        };
        Self { start: shift(self.start), end: shift(self.end) }
    }
}

/// The arguments of a command: a view of 32 bytes, free to copy.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Arguments<'a> {
    /// The arguments that `spans` mark in `bytes`.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        debug_assert!(
            spans.iter().all(|span| span.start <= span.end && span.end as usize <= bytes.len())
        );
        Self { bytes, spans }
    }

    /// How many arguments there are, the command's name included.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument at all, as in an empty inline line.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `index`, or nothing when there are not that many.
    #[inline]
    #[must_use]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.bytes[span.start as usize..span.end as usize])
    }

    /// The arguments from `index` on; none when `index` is past the end.
    #[inline]
    #[must_use]
    pub fn from(self, index: usize) -> Self {
        Self { bytes: self.bytes, spans: self.spans.get(index..).unwrap_or_default() }
    }

    /// The first `count` arguments, or all when there are fewer.
    #[inline]
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        Self { bytes: self.bytes, spans: &self.spans[..count.min(self.spans.len())] }
    }

    /// All arguments in order.
    #[inline]
    #[must_use]
    pub fn iter(self) -> Iter<'a> {
        Iter { bytes: self.bytes, spans: self.spans.iter() }
    }

    /// The bytes that the spans point into.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The places of the arguments in [`Arguments::bytes`].
    #[inline]
    #[must_use]
    pub fn spans(self) -> &'a [Span] {
        self.spans
    }
}

impl Index<usize> for Arguments<'_> {
    type Output = [u8];

    /// Argument `index`; panics when there are not that many, so check the arity first.
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.bytes[span.start as usize..span.end as usize]
    }
}

impl<'a> IntoIterator for Arguments<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for Arguments<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts = self.iter().map(|argument| argument.escape_ascii().to_string());
        formatter.debug_list().entries(texts).finish()
    }
}

/// The iterator of [`Arguments::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|span| &self.bytes[span.start as usize..span.end as usize])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back().map(|span| &self.bytes[span.start as usize..span.end as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Span};

    const SPANS: [Span; 3] =
        [Span { start: 0, end: 3 }, Span { start: 3, end: 3 }, Span { start: 4, end: 6 }];

    #[test]
    fn views_read_through_spans() {
        let arguments = Arguments::new(b"set-kv", &SPANS);
        assert_eq!(arguments.len(), 3);
        assert_eq!(arguments.get(0), Some(&b"set"[..]));
        assert_eq!(arguments.get(1), Some(&b""[..]));
        assert_eq!(&arguments[2], b"kv");
        assert_eq!(arguments.get(3), None);
        assert_eq!(arguments.iter().rev().collect::<Vec<_>>(), [&b"kv"[..], b"", b"set"]);
        assert_eq!(format!("{arguments:?}"), r#"["set", "", "kv"]"#);
    }

    #[test]
    fn tails_and_heads_clamp() {
        let arguments = Arguments::new(b"set-kv", &SPANS);
        assert_eq!(arguments.from(2).iter().collect::<Vec<_>>(), [b"kv"]);
        assert!(arguments.from(3).is_empty());
        assert!(arguments.from(99).is_empty());
        assert_eq!(arguments.first(1).iter().collect::<Vec<_>>(), [b"set"]);
        assert_eq!(arguments.first(99).len(), 3);
    }

    #[test]
    fn a_span_moves_with_its_bytes() {
        let span = Span { start: 2, end: 5 };
        assert_eq!(span.shifted(10), Span { start: 12, end: 15 });
        assert_eq!(span.len(), 3);
        assert!(!span.is_empty());
    }
}
