//! How long writes took, as plain numbers that somebody else publishes.

use std::time::Duration;

/// The upper bounds of the buckets, in milliseconds.
const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 10_000, 60_000];

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: [u64; BOUNDS_MS.len() + 1],
    sum: Duration,
}

impl Latency {
    /// Each bucket's upper bound, and how many took no longer (cumulative, without those beyond the last).
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut sum = 0;
        BOUNDS_MS
            .iter()
            .zip(self.counts)
            .map(move |(bound, count)| {
                sum += count;
                (Duration::from_millis(*bound), sum)
            })
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    pub(crate) fn observe(&mut self, duration: Duration) {
        let bucket = BOUNDS_MS
            .iter()
            .position(|bound| duration <= Duration::from_millis(*bound))
            .unwrap_or(BOUNDS_MS.len());
        self.counts[bucket] += 1;
        self.sum += duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_all_that_took_no_longer() {
        let mut latency = Latency::default();
        for milliseconds in [0, 1, 2, 60_000, 60_001] {
            latency.observe(Duration::from_millis(milliseconds));
        }
        let buckets: Vec<_> = latency.buckets().map(|(_, count)| count).collect();
        assert_eq!(buckets, [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!(latency.count(), 5);
        assert_eq!(latency.sum(), Duration::from_millis(120_004));
    }
}
