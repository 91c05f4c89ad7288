//! How much comes of one layer, smoothed: what it would cost to send it to somebody.

use std::time::{Duration, Instant};

/// What is counted together: long enough that a key frame does not look like a rate.
const WINDOW: Duration = Duration::from_millis(500);
/// After a gap this long a new measurement begins.
const GAP: Duration = Duration::from_millis(1_500);
/// Weight of a new window: a change is followed in about two seconds.
const WEIGHT: f64 = 0.3;

/// A smoothed rate.
#[derive(Debug, Default)]
pub(crate) struct Bitrate {
    since: Option<Instant>,
    bytes: u64,
    smoothed: Option<f64>,
}

impl Bitrate {
    /// A packet of this length has come.
    pub(crate) fn on_packet(&mut self, now: Instant, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= WINDOW {
            self.close_window(passed);
            self.since = Some(now);
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
    }

    fn close_window(&mut self, passed: Duration) {
        if passed >= GAP {
            self.smoothed = None;
            return;
        }
        let rate = self.bytes as f64 * 8.0 / passed.as_secs_f64();
        self.smoothed = Some(match self.smoothed {
            Some(smoothed) => smoothed + (rate - smoothed) * WEIGHT,
            None => rate,
        });
    }

    /// Bits per second; `None` until half a second was measured.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        self.smoothed.map(|rate| rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_after_a_pause_it_is_measured_anew() {
        let start = crate::test_time::start();
        let mut bitrate = Bitrate::default();
        let mut stream = |begin: Instant, bytes: usize| {
            for packet in 0..200u32 {
                bitrate.on_packet(begin + Duration::from_millis(10) * packet, bytes);
                if packet == 30 {
                    assert_eq!(bitrate.bits_per_second(), None);
                }
            }
            bitrate.bits_per_second().unwrap()
        };
        assert_eq!(stream(start, 1_000), 800_000);
        assert_eq!(stream(start + Duration::from_secs(10), 100), 80_000);
    }

    #[test]
    fn one_key_frame_does_not_look_like_a_rate() {
        let start = crate::test_time::start();
        let mut bitrate = Bitrate::default();
        for frame in 0..100u32 {
            let bytes = if frame == 60 { 40_000 } else { 2_000 };
            bitrate.on_packet(start + Duration::from_millis(40) * frame, bytes);
            let rate = bitrate.bits_per_second().unwrap_or(400_000);
            assert!((390_000..620_000).contains(&rate), "{rate}");
        }
    }
}
