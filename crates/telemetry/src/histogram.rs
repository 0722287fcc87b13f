//! A latency histogram in fixed memory: buckets as wide as a 128th of their value, or finer.
//!
//! The buckets are those of the HDR histogram with which Redis measures commands (1 ns to 1 s, two
//! significant digits), so that LATENCY HISTOGRAM and the percentiles come out the same:
//!
//! ```text
//!   values          bucket width    bucket indices
//!   0 .. 255        1               0 .. 255          (rows 0 and 1)
//!   256 .. 511      2               256 .. 383        (row 2)
//!   512 .. 1023     4               384 .. 511        (row 3)
//!   ...
//!   2^29 .. 2^30-1  2^22            2944 .. 3071      (row 23)
//! ```
//!
//! A row is 128 counts, 1 KiB, allocated when the first value falls into it: a command's latencies
//! span a few powers of two, so a few KiB serve it. Recording is a shift and an addition.

use std::array;

/// Counts in a row.
const ROW: usize = 128;

/// Rows: two for the values below 256, one for each power of two from 2^8 to 2^29.
const ROWS: usize = 2 + 22;

/// Shortest and longest latency told apart, in nanoseconds (Redis server.h,
/// `LATENCY_HISTOGRAM_MIN_VALUE` and `_MAX_VALUE`); what is outside counts as the nearer one.
const MIN_NS: u64 = 1;
const MAX_NS: u64 = 1_000_000_000;

/// First level of the cumulative distribution; each further one is twice the one before.
const FIRST_LEVEL_NS: u64 = 1024;

/// How often which latency occurred. About 1 KiB for each power of two that occurred.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// None where nothing was counted.
    rows: [Option<Box<[u64; ROW]>>; ROWS],
    /// Sum of all counts.
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// A histogram with nothing in it; allocates nothing.
    pub fn new() -> Self {
        Self { rows: array::from_fn(|_| None), total: 0 }
    }

    /// Counts one latency.
    pub fn record(&mut self, latency_ns: u64) {
        let index = index_of(latency_ns.clamp(MIN_NS, MAX_NS));
        let row = self.rows[index / ROW].get_or_insert_with(|| Box::new([0; ROW]));
        row[index % ROW] += 1;
        self.total += 1;
    }

    /// Adds another core thread's counts to these.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.rows.iter_mut().zip(&other.rows) {
            let Some(theirs) = theirs else { continue };
            let mine = mine.get_or_insert_with(|| Box::new([0; ROW]));
            for (mine, theirs) in mine.iter_mut().zip(theirs.iter()) {
                *mine += theirs;
            }
        }
        self.total += other.total;
    }

    /// How many latencies were counted.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes allocated for counts.
    pub fn allocated_bytes(&self) -> usize {
        self.rows.iter().flatten().count() * size_of::<[u64; ROW]>()
    }

    /// The latency, in nanoseconds, that `percent` of all did not exceed (rounded up to the end of
    /// its bucket); 0 if there is none. `percent` is 0 to 100; 0 gives the least, 100 the greatest.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.total as f64 + 0.5) as u64;
        let mut seen = 0;
        for (index, count) in self.counted() {
            seen += count;
            if seen >= wanted.max(1) {
                return if percent <= 0.0 { lowest_of(index) } else { highest_of(index) };
            }
        }
        0
    }

    /// The cumulative distribution: microseconds, and how many latencies did not exceed them; only
    /// where the number changes. This is what LATENCY HISTOGRAM lists.
    ///
    /// The levels are the powers of two from 1,024 ns, each standing for the end of the bucket that
    /// it falls in, in whole microseconds: 1, 2, 4, 8, 16, 33, 66, 132 and so on.
    pub fn cumulative_us(&self) -> Vec<(u64, u64)> {
        let (mut pairs, mut seen) = (Vec::new(), 0);
        let mut counted = self.counted().peekable();
        let levels = (0..).map(|power| FIRST_LEVEL_NS << power);
        for level in levels.take_while(|&level| level <= MAX_NS) {
            let before = seen;
            while let Some((_, count)) = counted.next_if(|&(index, _)| index <= index_of(level)) {
                seen += count;
            }
            if seen > before {
                pairs.push((highest_of(index_of(level)) / 1000, seen));
            }
        }
        // What lies above the last level is told at the end of the last bucket.
        if seen < self.total {
            pairs.push((highest_of(ROW * ROWS - 1) / 1000, self.total));
        }
        pairs
    }

    /// Indices and counts of the buckets that hold something, in ascending order.
    fn counted(&self) -> impl Iterator<Item = (usize, u64)> {
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter_map(|(number, row)| Some((number * ROW, row.as_ref()?)));
        rows.flat_map(|(base, row)| row.iter().enumerate().map(move |(i, &n)| (base + i, n)))
            .filter(|&(_, count)| count > 0)
    }
}

/// How many times the width of the bucket of `value` doubles from 1.
const fn doublings(value: u64) -> u32 {
    // Values below 256 have width 1, those of 256 to 511 (highest bit 8) width 2.
    (value | 0xff).ilog2() - 7
}

/// The bucket of `value`, which is at most [`MAX_NS`].
const fn index_of(value: u64) -> usize {
    let doublings = doublings(value);
    doublings as usize * ROW + (value >> doublings) as usize
}

/// The least value of a bucket.
const fn lowest_of(index: usize) -> u64 {
    if index < 2 * ROW {
        return index as u64;
    }
    // Inverse of `index_of`: in row r >= 2 the width doubled r - 1 times, and the shifted value is
    // 128 to 255.
    ((ROW + index % ROW) as u64) << (index / ROW - 1)
}

/// The greatest value of a bucket.
const fn highest_of(index: usize) -> u64 {
    let row = index / ROW;
    let width = if row < 2 { 1 } else { 1 << (row - 1) };
    lowest_of(index) + width - 1
}

#[cfg(test)]
mod tests {
    use super::{Histogram, MAX_NS, ROW, ROWS, highest_of, index_of, lowest_of};

    #[test]
    fn buckets_tile_the_range() {
        let mut next = 0;
        for index in 0..ROW * ROWS {
            let (low, high) = (lowest_of(index), highest_of(index));
            assert_eq!(low, next, "bucket {index} begins where the one before ends");
            assert_eq!((index_of(low), index_of(high)), (index, index));
            assert!(high - low <= low / 128, "bucket {index} is narrow");
            next = high + 1;
        }
        assert_eq!(next, 1 << 30);
        assert!(index_of(MAX_NS) < ROW * ROWS);
    }

    #[test]
    fn percentiles_agree_with_sorting() {
        let mut histogram = Histogram::new();
        let mut values = Vec::new();
        let mut state = 1_u64;
        for _ in 0..5000 {
            // A plain congruential sequence; high bits spread over six powers of ten.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            values.push(1 + (state >> 40) % 10_u64.pow(1 + (state >> 33) as u32 % 6));
        }
        for &value in &values {
            histogram.record(value);
        }
        values.sort_unstable();
        for percent in [0.001, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let rank = ((percent / 100.0 * 5000.0 + 0.5) as usize).max(1);
            let exact = values[rank - 1];
            assert_eq!(histogram.percentile_ns(percent), highest_of(index_of(exact)), "{percent}");
        }
        assert_eq!(histogram.percentile_ns(0.0), lowest_of(index_of(values[0])));
    }

    #[test]
    fn empty_and_extreme() {
        let mut histogram = Histogram::new();
        assert_eq!((histogram.percentile_ns(50.0), histogram.cumulative_us()), (0, vec![]));
        assert_eq!(histogram.allocated_bytes(), 0);
        histogram.record(0);
        histogram.record(u64::MAX);
        assert_eq!(histogram.total(), 2);
        assert_eq!(histogram.percentile_ns(0.0), 1);
        assert_eq!(histogram.percentile_ns(100.0), 1_002_438_655, "the end of a second's bucket");
        assert_eq!(histogram.cumulative_us(), [(1, 1), (1_073_741, 2)]);
        assert_eq!(histogram.allocated_bytes(), 2048);
    }

    /// The levels as Redis 7.2 prints them: the end of the bucket of each power of two.
    #[test]
    fn the_distribution_has_redis_levels() {
        let mut histogram = Histogram::new();
        for power in 9..30 {
            histogram.record(1 << power);
        }
        let levels: Vec<_> = histogram.cumulative_us().into_iter().map(|(us, _)| us).collect();
        let first = [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908];
        assert_eq!(levels[..first.len()], first);
        assert_eq!(histogram.cumulative_us().first(), Some(&(1, 2)), "512 and 1024");
        assert_eq!(histogram.cumulative_us().last().map(|&(_, count)| count), Some(21));
        let mut gap = Histogram::new();
        gap.record(1031);
        gap.record(1032);
        gap.record(100_000);
        assert_eq!(gap.cumulative_us(), [(1, 1), (2, 2), (132, 3)]);
    }

    /// What redis 7.0.15 replied after DEBUG SLEEP of these lengths (and a tenth of a millisecond).
    #[test]
    fn long_latencies_come_out_as_from_redis() {
        let mut histogram = Histogram::new();
        for tenths in [7, 1, 2, 3, 5] {
            histogram.record(tenths * 100_000_000 + 100_000);
        }
        let listed = [(135_266, 1), (270_532, 2), (541_065, 4), (1_073_741, 5)];
        assert_eq!(histogram.cumulative_us(), listed);
        let percentiles = [50.0, 99.0, 99.9].map(|percent| histogram.percentile_ns(percent));
        assert_eq!(percentiles, [301_989_887, 700_448_767, 700_448_767]);
    }

    #[test]
    fn merging_is_recording_both() {
        let (mut one, mut other, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for value in (1..20_000).step_by(7) {
            if value % 3 == 0 {
                one.record(value)
            } else {
                other.record(value * 50)
            }
            both.record(if value % 3 == 0 { value } else { value * 50 });
        }
        one.merge(&other);
        assert_eq!(one.total(), both.total());
        assert_eq!(one.cumulative_us(), both.cumulative_us());
        for percent in [1.0, 50.0, 99.0] {
            assert_eq!(one.percentile_ns(percent), both.percentile_ns(percent));
        }
    }
}
