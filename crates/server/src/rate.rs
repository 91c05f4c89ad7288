//! How often something may happen: a bucket that refills with time. It is told the time and never asks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::network;

/// So many at once, and so many a second in the long run.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(now: Instant, per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self {
            per_second: f64::from(per_second),
            burst,
            left: burst,
            at: now,
        }
    }

    /// Take one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let is_allowed = self.left >= 1.0;
        if is_allowed {
            self.left -= 1.0;
        }
        is_allowed
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + elapsed * self.per_second).min(self.burst);
        self.at = self.at.max(now);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= self.burst
    }
}

/// A bucket for each address that lately did something. Addresses whose bucket is full again are
/// forgotten; with too many that are not, new ones are refused.
#[derive(Debug)]
pub(crate) struct AddressRates {
    per_second: u32,
    buckets: HashMap<IpAddr, Bucket>,
    swept: Instant,
}

/// About 6 MB.
const MOST_ADDRESSES: usize = 65_536;
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl AddressRates {
    pub(crate) fn new(now: Instant, per_second: u32) -> Self {
        Self {
            per_second,
            buckets: HashMap::new(),
            swept: now,
        }
    }

    /// Take one for this address, if there is one.
    pub(crate) fn take(&mut self, now: Instant, address: IpAddr) -> bool {
        if now.saturating_duration_since(self.swept) >= SWEEP_INTERVAL {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.swept = now;
        }
        let address = network(address);
        if self.buckets.len() >= MOST_ADDRESSES && !self.buckets.contains_key(&address) {
            return false;
        }
        let rate = self.per_second;
        self.buckets
            .entry(address)
            .or_insert_with(|| Bucket::full(now, rate, rate))
            .take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start, 10, 3);
        assert_eq!(
            [(); 4].map(|()| bucket.take(start)),
            [true, true, true, false]
        );
        let later = start + Duration::from_millis(100);
        assert_eq!([(); 2].map(|()| bucket.take(later)), [true, false]);
        let much_later = start + Duration::from_secs(60);
        assert_eq!(
            [(); 4].map(|()| bucket.take(much_later)),
            [true, true, true, false]
        );
    }

    #[test]
    fn one_address_does_not_use_up_the_rate_of_another_and_is_forgotten() {
        let start = Instant::now();
        let mut rates = AddressRates::new(start, 1);
        let [a, b] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        assert!(rates.take(start, a) && rates.take(start, b) && !rates.take(start, a));
        let later = start + Duration::from_secs(2);
        assert!(rates.take(later, a));
        assert_eq!(rates.buckets.len(), 1);
    }
}
