//! How one inbound stream arrives, for receiver reports (RFC 3550 sections 6.4.1, A.3 and A.8).

use std::time::{Duration, Instant};

/// What a sender report said, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderClock {
    /// 32 bits of seconds since 1900, 32 bits of fraction, by the publisher's clock.
    pub(crate) ntp_time: u64,
    /// The same moment on the stream's own clock.
    pub(crate) rtp_time: u32,
    pub(crate) arrival: Instant,
}

/// The figures of a report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Of 256, since the report before.
    pub(crate) fraction_lost: u8,
    pub(crate) total_lost: u32,
    pub(crate) extended_sequence_number: u32,
    /// In ticks of the stream's clock.
    pub(crate) jitter: u32,
    pub(crate) last_sender_report: u32,
    /// Since then, in 1/65,536 s.
    pub(crate) delay: u32,
}

/// The count of one stream.
pub(crate) struct ReceptionCount {
    clock_rate: u32,
    base: Option<u64>,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Arrival and timestamp of the packet before.
    previous: Option<(Instant, u32)>,
    /// In ticks, times 16.
    jitter: u64,
    sender_clock: Option<SenderClock>,
}

impl ReceptionCount {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            base: None,
            highest: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            previous: None,
            jitter: 0,
            sender_clock: None,
        }
    }

    /// A packet that was not here before.
    pub(crate) fn on_packet(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        self.base.get_or_insert(sequence);
        self.highest = self.highest.max(sequence);
        self.received += 1;
        if let Some((arrival, before)) = self.previous {
            let passed = ticks(now.saturating_duration_since(arrival), self.clock_rate) as i64;
            let meant = i64::from(timestamp.wrapping_sub(before) as i32);
            // A stretch of silence, or a new stream under the same SSRC, is no jitter.
            let difference = (passed - meant)
                .unsigned_abs()
                .min(u64::from(self.clock_rate));
            self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
        }
        self.previous = Some((now, timestamp));
    }

    /// The publisher's clock, told by a sender report.
    pub(crate) fn on_sender_report(&mut self, clock: SenderClock) {
        self.sender_clock = Some(clock);
    }

    /// The publisher's clock, as last told.
    pub(crate) fn sender_clock(&self) -> Option<SenderClock> {
        self.sender_clock
    }

    /// The figures for a report now. `None` if nothing came yet.
    pub(crate) fn figures(&mut self, now: Instant) -> Option<Figures> {
        let expected = self.highest - self.base? + 1;
        let expected_since = expected - self.expected_before;
        let received_since = self.received - self.received_before;
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let (last_sender_report, delay) = match self.sender_clock {
            None => (0, 0),
            Some(clock) => {
                let delay = now.saturating_duration_since(clock.arrival);
                ((clock.ntp_time >> 16) as u32, ticks(delay, 65_536) as u32)
            }
        };
        Some(Figures {
            fraction_lost: (lost_since * 256)
                .checked_div(expected_since)
                .unwrap_or(0)
                .min(255) as u8,
            total_lost: expected.saturating_sub(self.received).min(u32::MAX.into()) as u32,
            extended_sequence_number: self.highest as u32,
            jitter: (self.jitter >> 4) as u32,
            last_sender_report,
            delay,
        })
    }
}

/// A time in ticks of a clock.
pub(crate) fn ticks(time: Duration, clock_rate: u32) -> u64 {
    (time.as_micros() as u64).saturating_mul(clock_rate.into()) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_counted_since_the_last_report_and_in_all() {
        let now = crate::test_time::start();
        let mut count = ReceptionCount::new(90_000);
        assert_eq!(count.figures(now), None);
        for sequence in [65_540, 65_541, 65_543, 65_542, 65_547] {
            count.on_packet(now, sequence, 0);
        }
        let figures = count.figures(now).unwrap();
        assert_eq!(
            (figures.total_lost, figures.fraction_lost),
            (3, (3 * 256 / 8) as u8)
        );
        assert_eq!(figures.extended_sequence_number, 65_547);
        count.on_packet(now, 65_548, 0);
        assert_eq!(count.figures(now).unwrap().fraction_lost, 0);
        assert_eq!(count.figures(now).unwrap().total_lost, 3);
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_told() {
        let now = crate::test_time::start();
        let mut count = ReceptionCount::new(48_000);
        count.on_packet(now, 1, 0);
        count.on_sender_report(SenderClock {
            ntp_time: 0x1234_5678_9ABC_DEF0,
            rtp_time: 0,
            arrival: now,
        });
        let figures = count.figures(now + Duration::from_millis(500)).unwrap();
        assert_eq!(
            (figures.last_sender_report, figures.delay),
            (0x5678_9ABC, 32_768)
        );
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_has() {
        let start = crate::test_time::start();
        let (mut even, mut uneven) = (ReceptionCount::new(48_000), ReceptionCount::new(48_000));
        for step in 0..200u32 {
            let time = start + Duration::from_millis(20) * step;
            even.on_packet(time, step.into(), step * 960);
            uneven.on_packet(
                time + Duration::from_millis(u64::from(step % 2) * 10),
                step.into(),
                step * 960,
            );
        }
        assert_eq!(even.figures(start).unwrap().jitter, 0);
        let jitter = uneven.figures(start).unwrap().jitter;
        assert!((400..=480).contains(&jitter), "{jitter}");
    }
}
