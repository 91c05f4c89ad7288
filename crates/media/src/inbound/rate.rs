//! A limit on how much a peer may send: so many units a second, and at most a second's worth at once.

use std::time::Instant;

/// A token bucket.
pub(crate) struct RateLimit {
    per_second: f64,
    tokens: f64,
    last: Instant,
}

impl RateLimit {
    pub(crate) fn new(now: Instant, per_second: f64) -> Self {
        Self {
            per_second,
            tokens: per_second,
            last: now,
        }
    }

    /// Take this many units. False: there are not so many, and nothing is taken.
    pub(crate) fn take(&mut self, now: Instant, units: f64) -> bool {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second);
        let is_enough = self.tokens >= units;
        if is_enough {
            self.tokens -= units;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_of_a_second_is_allowed_and_then_the_rate() {
        let start = crate::test_time::start();
        let mut limit = RateLimit::new(start, 100.0);
        assert_eq!((0..200).filter(|_| limit.take(start, 1.0)).count(), 100);
        assert_eq!(
            (0..200)
                .filter(|_| limit.take(start + Duration::from_millis(100), 1.0))
                .count(),
            10
        );
    }
}
