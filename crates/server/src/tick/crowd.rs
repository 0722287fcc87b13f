//! How many clients are busy at the same time.

/// Counts connections that sent something within a millisecond.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// The millisecond that is being counted.
    unix_ms: i64,
    /// Connections in it so far.
    count: u32,
    /// Connections in the one before.
    before: u32,
}

impl Crowd {
    /// A connection sent something, for the first time in this millisecond.
    #[inline]
    pub(crate) fn add(&mut self, unix_ms: i64) {
        self.turn(unix_ms);
        self.count += 1;
    }

    /// How many there were lately: in this millisecond or in the one before.
    pub(crate) fn size(&mut self, unix_ms: i64) -> u32 {
        self.turn(unix_ms);
        self.count.max(self.before)
    }

    fn turn(&mut self, unix_ms: i64) {
        if unix_ms != self.unix_ms {
            self.before = if unix_ms == self.unix_ms + 1 { self.count } else { 0 };
            (self.unix_ms, self.count) = (unix_ms, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn the_size_is_that_of_this_or_the_last_millisecond() {
        let mut crowd = Crowd::default();
        (0..5).for_each(|_| crowd.add(10));
        assert_eq!(crowd.size(10), 5);
        crowd.add(11);
        assert_eq!(crowd.size(11), 5);
        assert_eq!(crowd.size(12), 1);
        assert_eq!(crowd.size(14), 0);
    }
}
