//! When requests are due and what they are: numbers from a seed.

/// One in so many requests is a SET, the others are GETs.
const SET_ONE_IN: u64 = 10;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Nanoseconds after the beginning of the turn.
    pub(super) due_ns: u64,
    /// Index of the connection it goes out on.
    pub(super) connection: usize,
    /// Index of its key.
    pub(super) key: u64,
    pub(super) verb: Verb,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Set,
}

/// An endless Poisson process: the time between two requests is exponential, whatever came before.
pub(super) struct Schedule {
    state: u64,
    mean_ns: f64,
    /// In nanoseconds, with a fraction: rounding each gap would shift the rate.
    now_ns: f64,
    connections: u64,
    keys: u64,
}

impl Schedule {
    /// Requests at `per_second` on average, each on a random one of `connections`, about a random
    /// one of `keys`.
    pub(super) fn new(seed: u64, per_second: u32, connections: usize, keys: u64) -> Self {
        let mean_ns = 1e9 / f64::from(per_second);
        Self { state: seed, mean_ns, now_ns: 0.0, connections: connections as u64, keys }
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Request {
        // 53 random bits: in [0, 1), so that the logarithm is of (0, 1]
        let uniform = (self.random() >> 11) as f64 / (1_u64 << 53) as f64;
        self.now_ns += -(1.0 - uniform).ln() * self.mean_ns;
        let connection = (self.random() % self.connections) as usize;
        let key = self.random() % self.keys;
        let verb = if self.random().is_multiple_of(SET_ONE_IN) { Verb::Set } else { Verb::Get };
        Request { due_ns: self.now_ns as u64, connection, key, verb }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The smallest value that at least `percent` of all are at or below (nearest rank); NaN of none.
/// `sorted` ascends.
pub(super) fn percentile(sorted: &[u64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).map_or(f64::NAN, |&value| value as f64)
}

#[cfg(test)]
mod tests {
    use super::{Schedule, Verb, percentile};

    #[test]
    fn gaps_are_exponential() {
        let mut schedule = Schedule::new(1, 10_000, 100, 1_000);
        let due: Vec<u64> = (0..100_000).map(|_| schedule.next().due_ns).collect();
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 100_000.0 - 1.0).abs() < 0.02, "mean {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "deviation {}", variance.sqrt());
        // Of an exponential distribution, 1/e is longer than the mean.
        let longer = gaps.iter().filter(|&&gap| gap > mean).count() as f64 / gaps.len() as f64;
        assert!((longer - 0.3679).abs() < 0.01, "{longer} longer than the mean");
    }

    #[test]
    fn a_seed_decides_all_and_requests_are_spread() {
        let requests = |seed| {
            let mut schedule = Schedule::new(seed, 10_000, 20, 1_000);
            (0..10_000).map(|_| schedule.next()).collect::<Vec<_>>()
        };
        let requests_of_one = requests(1);
        assert_eq!(requests_of_one, requests(1));
        assert_ne!(requests_of_one, requests(2));
        let sets = requests_of_one.iter().filter(|it| it.verb == Verb::Set).count();
        assert!((900..1_100).contains(&sets), "{sets} of 10,000 are SETs");
        for connection in 0..20 {
            let count = requests_of_one.iter().filter(|it| it.connection == connection).count();
            assert!((400..600).contains(&count), "connection {connection} has {count}");
        }
        assert!(requests_of_one.iter().all(|it| it.key < 1_000));
    }

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50.0), 50.0);
        assert_eq!(percentile(&hundred, 99.0), 99.0);
        assert_eq!(percentile(&hundred, 99.9), 100.0);
        assert_eq!(percentile(&[7], 50.0), 7.0);
        assert!(percentile(&[], 50.0).is_nan());
    }
}
