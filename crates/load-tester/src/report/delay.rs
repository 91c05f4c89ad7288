//! Delays of a run as few numbers: the percentiles, and a curve of all of them for a plot.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Milliseconds from a packet's sending to its receipt. `null` if none came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// Packets measured.
    pub count: u64,
    /// Half of the packets took no longer.
    pub p50: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99: Option<f64>,
    /// 999 of 1,000 took no longer.
    pub p999: Option<f64>,
    /// None took longer.
    pub max: Option<f64>,
    /// How the packets are spread over the delays, in steps that grow.
    pub distribution: Vec<Share>,
}

/// The packets of one range of delays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The range's beginning.
    pub from_ms: f64,
    /// Its end, itself not in it.
    pub to_ms: f64,
    /// The packets in it.
    pub packets: u64,
}

/// Ranges of the distribution: from 10 µs, four for each doubling.
const FIRST_US: f64 = 10.0;
const RANGES_PER_DOUBLING: f64 = 4.0;

impl Delay {
    pub(super) fn of(delay_us: &Histogram<u64>) -> Self {
        let milliseconds = |us: u64| (!delay_us.is_empty()).then_some(us as f64 / 1e3);
        Self {
            count: delay_us.len(),
            p50: milliseconds(delay_us.value_at_quantile(0.5)),
            p99: milliseconds(delay_us.value_at_quantile(0.99)),
            p999: milliseconds(delay_us.value_at_quantile(0.999)),
            max: milliseconds(delay_us.max()),
            distribution: distribution(delay_us),
        }
    }
}

fn distribution(delay_us: &Histogram<u64>) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for value in delay_us.iter_recorded() {
        let range = (value.value_iterated_to() as f64 / FIRST_US)
            .max(1.0)
            .log2();
        let range = (range * RANGES_PER_DOUBLING).floor();
        let edge_us = |range: f64| FIRST_US * (range / RANGES_PER_DOUBLING).exp2();
        let edge = |range: f64| edge_us(range).round() / 1e3;
        let packets = value.count_at_value();
        match shares.last_mut() {
            Some(last) if last.from_ms == edge(range) => last.packets += packets,
            _ => shares.push(Share {
                from_ms: edge(range),
                to_ms: edge(range + 1.0),
                packets,
            }),
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::histogram;

    #[test]
    fn every_packet_is_in_one_range_of_the_distribution() {
        let mut delay_us = histogram();
        for (us, times) in [(1, 1), (10, 2), (900, 5), (1_000, 7), (59_000_000, 1)] {
            delay_us.record_n(us, times).unwrap();
        }
        let shares = distribution(&delay_us);
        let all: u64 = shares.iter().map(|share| share.packets).sum();
        assert_eq!(all, 16);
        for pair in shares.windows(2) {
            assert!(pair[0].to_ms <= pair[1].from_ms, "{pair:?}");
        }
        let at_1_ms = shares.iter().find(|share| share.to_ms > 1.0).unwrap();
        assert!(at_1_ms.packets >= 7, "{shares:?}");
    }

    #[test]
    fn no_packet_has_no_delay() {
        assert_eq!(Delay::of(&histogram()), Delay::default());
    }
}
