//! The round trip to a subscriber, by the sender reports it was sent and its echo of them (RFC 3550 section 6.4.1).
//! By our own clock at both ends: the reports themselves carry the publisher's, whose packets come unevenly.

use std::time::{Duration, Instant};

/// Reports are a second apart: whoever echoes an older one tells of the network as it was.
const REMEMBERED: usize = 4;
/// An echo that took longer is a receiver's fault of reckoning.
const LONGEST: Duration = Duration::from_secs(5);

/// The last sender reports to one subscriber.
#[derive(Default)]
pub(crate) struct SentReports {
    sent: [Option<(u32, Instant)>; REMEMBERED],
    next: usize,
}

impl SentReports {
    /// A report goes out, with this time in it.
    pub(crate) fn on_sent(&mut self, now: Instant, ntp_time: u64) {
        self.sent[self.next] = Some((middle(ntp_time), now));
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The round trip, as a reception report tells it: the middle bits of the report's time, and how long it lay
    /// at the subscriber, in 1/65,536 s. `None` for a report that was not sent, or an impossible time.
    pub(crate) fn round_trip(
        &self,
        now: Instant,
        last_report: u32,
        delay: u32,
    ) -> Option<Duration> {
        let (_, sent) = self
            .sent
            .iter()
            .flatten()
            .find(|(known, _)| *known == last_report)?;
        let lay = Duration::from_micros((u64::from(delay) * 1_000_000) >> 16);
        let round_trip = now.checked_duration_since(*sent)?.checked_sub(lay)?;
        (round_trip < LONGEST).then_some(round_trip)
    }
}

/// The 32 bits in the middle of an NTP time, by which a report is named.
fn middle(ntp_time: u64) -> u32 {
    (ntp_time >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_round_trip_is_the_time_since_the_report_less_the_time_it_lay_there() {
        let start = crate::test_time::start();
        let mut reports = SentReports::default();
        reports.on_sent(start, 7 << 32);
        reports.on_sent(start + SECOND, 8 << 32);
        let now = start + SECOND * 3 / 2;
        // Half a second lay there 3/8.
        let told = reports.round_trip(now, 8 << 16, 3 << 13);
        assert_eq!(told, Some(Duration::from_millis(125)));
        let told = reports.round_trip(now, 7 << 16, 11 << 13);
        assert_eq!(told, Some(Duration::from_millis(125)));
    }

    #[test]
    fn what_was_never_sent_or_lay_longer_than_it_was_away_tells_nothing() {
        let start = crate::test_time::start();
        let mut reports = SentReports::default();
        assert_eq!(reports.round_trip(start, 0, 0), None);
        reports.on_sent(start, 7 << 32);
        let now = start + SECOND;
        assert_eq!(reports.round_trip(now, 9 << 16, 0), None);
        assert_eq!(reports.round_trip(now, 7 << 16, 2 << 16), None);
        assert_eq!(reports.round_trip(now + LONGEST, 7 << 16, 0), None);
        for later in 0..REMEMBERED as u64 {
            reports.on_sent(now, (20 + later) << 32);
        }
        assert_eq!(reports.round_trip(now, 7 << 16, 0), None, "forgotten");
    }
}
