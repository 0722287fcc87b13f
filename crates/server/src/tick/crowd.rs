//! How many clients are busy at the same time, and with what.

/// Counts, by the millisecond, connections that sent something, and stages of transactions that
/// hold keys.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// The millisecond that is being counted.
    unix_ms: i64,
    /// What was in it so far.
    now: Counts,
    /// What was in the one before.
    before: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    clients: u32,
    stages: u32,
}

impl Crowd {
    /// A connection sent something, for the first time in this millisecond.
    #[inline]
    pub(crate) fn add(&mut self, unix_ms: i64) {
        self.turn(unix_ms);
        self.now.clients += 1;
    }

    /// A stage of a transaction that holds keys ran here.
    pub(crate) fn add_stage(&mut self, unix_ms: i64) {
        self.turn(unix_ms);
        self.now.stages += 1;
    }

    /// How many connections there were lately: in this millisecond or in the one before.
    pub(crate) fn size(&mut self, unix_ms: i64) -> u32 {
        self.turn(unix_ms);
        self.now.clients.max(self.before.clients)
    }

    /// The same of stages.
    pub(crate) fn stages(&mut self, unix_ms: i64) -> u32 {
        self.turn(unix_ms);
        self.now.stages.max(self.before.stages)
    }

    fn turn(&mut self, unix_ms: i64) {
        if unix_ms != self.unix_ms {
            self.before = if unix_ms == self.unix_ms + 1 { self.now } else { Counts::default() };
            (self.unix_ms, self.now) = (unix_ms, Counts::default());
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
        crowd.add_stage(14);
        assert_eq!((crowd.size(15), crowd.stages(15), crowd.stages(16)), (0, 1, 0));
    }
}
