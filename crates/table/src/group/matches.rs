//! What a comparison answers: a set of positions in a group.

/// Bytes that are compared: the fingerprints and whatever lies behind them.
pub const GROUP_BYTES: usize = 16;

/// A set of positions in a group, given out in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matches(pub(crate) u32);

impl Matches {
    /// Those of the first `count` positions.
    #[inline]
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        Self(self.0 & ((1 << count) - 1))
    }
}

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let position = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(position)
    }
}
