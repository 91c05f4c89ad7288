//! What the clocks of two streams of one publisher have to do with each other: by its sender reports, and where
//! there are none yet by the packets that came earliest. It never looks at what is in them.

use std::time::{Duration, Instant};

use super::{SenderClock, ticks};

/// The earliest packet is looked for among those of this long, or twice that: clocks drift, and paths change.
const WINDOW: Duration = Duration::from_secs(5);

/// A timestamp this far from where the clock expects it, in seconds, begins a new count: the stream was made anew.
const BREAK: u64 = 3;

/// Sender reports are believed if they are this close, in seconds, to what the times of arrival say.
const BELIEVED: u32 = 1;

/// The earliest packets of one stream: those that waited least on their way.
#[derive(Debug)]
pub(crate) struct EarliestArrival {
    clock_rate: u32,
    current: Option<Moment>,
    before: Option<Moment>,
    window_began: Option<Instant>,
}

/// A timestamp, and when it came.
#[derive(Clone, Copy, Debug)]
struct Moment {
    arrival: Instant,
    timestamp: u32,
}

impl EarliestArrival {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            current: None,
            before: None,
            window_began: None,
        }
    }

    /// A packet came.
    pub(crate) fn on_packet(&mut self, arrival: Instant, timestamp: u32) {
        let moment = Moment { arrival, timestamp };
        let Some(known) = self.current else {
            self.current = Some(moment);
            self.window_began = Some(arrival);
            return;
        };
        let lateness = self.lateness(known, moment);
        if lateness.unsigned_abs() > u64::from(self.clock_rate) * BREAK {
            // A packet that comes again may be late; a new clock is off for good.
            self.before = None;
            self.current = Some(moment);
            self.window_began = Some(arrival);
        } else if self
            .window_began
            .is_some_and(|began| arrival.saturating_duration_since(began) >= WINDOW)
        {
            self.before = self.current.replace(moment);
            self.window_began = Some(arrival);
        } else if lateness < 0 {
            self.current = Some(moment);
        }
    }

    /// By how many ticks `later` waited longer on its way.
    fn lateness(&self, earlier: Moment, later: Moment) -> i64 {
        let passed = later.arrival.saturating_duration_since(earlier.arrival);
        let meant = later.timestamp.wrapping_sub(earlier.timestamp) as i32;
        (ticks(passed, self.clock_rate) as i64).saturating_sub(meant.into())
    }

    fn earliest(&self) -> Option<Moment> {
        let current = self.current?;
        let Some(before) = self.before else {
            return Some(current);
        };
        let is_later = self.lateness(before, current) > 0;
        Some(if is_later { before } else { current })
    }
}

/// A stream's clock, by both accounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamClock<'a> {
    pub(crate) report: Option<SenderClock>,
    pub(crate) arrivals: &'a EarliestArrival,
}

/// What to add to the timestamps of `from` to get those that `to` has for the same moments. `None` while nothing
/// has come of one of them.
pub(crate) fn alignment(from: StreamClock<'_>, to: StreamClock<'_>) -> Option<u32> {
    let clock_rate = from.arrivals.clock_rate;
    let (first, second) = (from.arrivals.earliest()?, to.arrivals.earliest()?);
    let at_from = second
        .timestamp
        .wrapping_add(ticks(
            first.arrival.saturating_duration_since(second.arrival),
            clock_rate,
        ) as u32)
        .wrapping_sub(ticks(
            second.arrival.saturating_duration_since(first.arrival),
            clock_rate,
        ) as u32);
    let by_arrival = at_from.wrapping_sub(first.timestamp);
    let by_report = from
        .report
        .zip(to.report)
        .map(|(from, to)| reported(from, to, clock_rate));
    let is_believed = |alignment: &u32| {
        let difference = alignment.wrapping_sub(by_arrival) as i32;
        difference.unsigned_abs() <= clock_rate * BELIEVED
    };
    Some(by_report.filter(is_believed).unwrap_or(by_arrival))
}

fn reported(from: SenderClock, to: SenderClock, clock_rate: u32) -> u32 {
    let passed = from.ntp_time.wrapping_sub(to.ntp_time) as i64;
    let ticks = (i128::from(passed) * i128::from(clock_rate) + (1 << 31)) >> 32;
    to.rtp_time
        .wrapping_add(ticks as u32)
        .wrapping_sub(from.rtp_time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    const VIDEO: u32 = 90_000;

    /// A layer with a clock of its own, seen through a path with jitter.
    struct Layer {
        offset: u32,
        arrivals: EarliestArrival,
        report: Option<SenderClock>,
    }

    impl Layer {
        fn new(offset: u32) -> Self {
            Self {
                offset,
                arrivals: EarliestArrival::new(VIDEO),
                report: None,
            }
        }

        fn timestamp(&self, milliseconds: u64) -> u32 {
            self.offset.wrapping_add((milliseconds * 90) as u32)
        }

        fn packet(&mut self, start: Instant, milliseconds: u64, delay: u64) {
            let arrival = start + Duration::from_millis(milliseconds + delay);
            let timestamp = self.timestamp(milliseconds);
            self.arrivals.on_packet(arrival, timestamp);
        }

        fn report(&mut self, start: Instant, milliseconds: u64) {
            self.report = Some(SenderClock {
                ntp_time: (0xE000_0000 << 32) + ((u128::from(milliseconds) << 32) / 1_000) as u64,
                rtp_time: self.timestamp(milliseconds),
                arrival: start + Duration::from_millis(milliseconds + 40),
            });
        }

        fn clock(&self) -> StreamClock<'_> {
            StreamClock {
                report: self.report,
                arrivals: &self.arrivals,
            }
        }
    }

    fn error(from: &Layer, to: &Layer) -> i32 {
        let known = alignment(from.clock(), to.clock()).expect("both have come");
        known.wrapping_sub(to.offset.wrapping_sub(from.offset)) as i32
    }

    #[test]
    fn sender_reports_tell_it_to_the_tick_whatever_the_jitter() {
        let (mut low, mut high) = (Layer::new(7), Layer::new(4_000_000_000));
        let start = crate::test_time::start();
        assert_eq!(alignment(low.clock(), high.clock()), None);
        low.packet(start, 0, 0);
        high.packet(start, 20, 300);
        low.report(start, 1_000);
        assert!(error(&low, &high) != 0, "one report says nothing");
        high.report(start, 1_733);
        assert!(error(&low, &high).abs() <= 1);
        assert!(error(&high, &low).abs() <= 1);
        assert_eq!(error(&low, &low), 0);
    }

    #[test]
    fn without_reports_the_earliest_packets_tell_it_to_a_few_milliseconds() {
        let start = crate::test_time::start();
        for seed in 0..20 {
            let mut random = Seeded::new(seed);
            let (mut low, mut high) = (
                Layer::new(random.next() as u32),
                Layer::new(random.next() as u32),
            );
            for frame in 0..3_000 {
                low.packet(start, frame * 33, 20 + random.below(60));
                high.packet(start, frame * 33, 20 + random.below(60));
                if frame > 100 {
                    assert!(error(&low, &high).abs() < 5 * 90, "{}", error(&low, &high));
                }
            }
        }
    }

    #[test]
    fn a_path_that_became_longer_is_learned_within_two_windows() {
        let start = crate::test_time::start();
        let (mut low, mut high) = (Layer::new(1), Layer::new(99));
        for frame in 0..600 {
            let delay = if frame < 100 { 20 } else { 220 };
            low.packet(start, frame * 33, delay);
            // The upper layer comes up late.
            if frame > 450 {
                high.packet(start, frame * 33, delay);
            }
        }
        assert_eq!(error(&low, &high), 0);
    }

    #[test]
    fn a_stream_made_anew_is_counted_anew_and_its_old_reports_are_not_believed() {
        let start = crate::test_time::start();
        let (mut low, mut high) = (Layer::new(1), Layer::new(99));
        for frame in 0..100 {
            low.packet(start, frame * 33, 20);
            high.packet(start, frame * 33, 20);
        }
        low.report(start, 3_000);
        high.report(start, 3_000);
        high.offset = 1_000_000_000;
        for frame in 100..110 {
            low.packet(start, frame * 33, 20);
            high.packet(start, frame * 33, 20);
        }
        assert_eq!(error(&low, &high), 0);
    }
}
