//! How much comes of one inbound stream, smoothed, and how much of it is of which layers within the stream: what it
//! would cost to send it to somebody, or only some of its frames.

use std::time::{Duration, Instant};

/// What is counted together: long enough that a key frame does not look like a rate.
const WINDOW: Duration = Duration::from_millis(500);
/// After a gap this long a new measurement begins.
const GAP: Duration = Duration::from_millis(1_500);
/// Weight of a new window: a change is followed in about two seconds.
const WEIGHT: f64 = 0.3;

/// Spatial layers of one stream that are told apart: no scalability mode has more than three (WebRTC SVC).
pub(crate) const SPATIAL: usize = 4;
/// Temporal layers that are told apart; likewise.
pub(crate) const TEMPORAL: usize = 4;
/// A layer with less of the stream than one part in so many is none: it is over, or was never one.
const LEAST_PART: f64 = 50.0;

/// Something for each spatial and temporal layer.
type Layers<T> = [[T; TEMPORAL]; SPATIAL];

/// The smoothed rates of one stream.
#[derive(Debug, Default)]
pub(crate) struct Bitrate {
    since: Option<Instant>,
    bytes: Layers<u64>,
    smoothed: Option<Layers<f64>>,
}

impl Bitrate {
    /// A packet of this length has come, of these layers, spatial and temporal.
    pub(crate) fn on_packet(&mut self, now: Instant, (spatial, temporal): (u8, u8), bytes: usize) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= WINDOW {
            self.close_window(passed);
            self.since = Some(now);
            self.bytes = Layers::default();
        }
        let spatial = usize::from(spatial).min(SPATIAL - 1);
        let temporal = usize::from(temporal).min(TEMPORAL - 1);
        self.bytes[spatial][temporal] += bytes as u64;
    }

    fn close_window(&mut self, passed: Duration) {
        if passed >= GAP {
            self.smoothed = None;
            return;
        }
        let before = self.smoothed;
        let smoothed = self.smoothed.get_or_insert_default();
        let all = smoothed.iter_mut().flatten();
        for (smoothed, bytes) in all.zip(self.bytes.iter().flatten()) {
            let rate = *bytes as f64 * 8.0 / passed.as_secs_f64();
            *smoothed = match before {
                Some(_) => *smoothed + (rate - *smoothed) * WEIGHT,
                None => rate,
            };
        }
    }

    /// Bits per second; `None` until half a second was measured.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        self.within(SPATIAL - 1, TEMPORAL - 1)
    }

    /// Bits per second of the frames up to these layers, spatial and temporal.
    pub(crate) fn within(&self, spatial: usize, temporal: usize) -> Option<u64> {
        let smoothed = self.smoothed?;
        let sizes = smoothed.iter().take(spatial + 1);
        let frames = sizes.flat_map(|of| of.iter().take(temporal + 1));
        Some(frames.sum::<f64>() as u64)
    }

    /// How many spatial layers there are, as far as is known: one at least.
    pub(crate) fn spatial_layers(&self) -> usize {
        let has = |of: &[f64; TEMPORAL], least: f64| of.iter().sum::<f64>() > least;
        self.highest(|rates, least| rates.iter().rposition(|of| has(of, least)))
    }

    /// How many temporal layers there are, as far as is known: one at least.
    pub(crate) fn temporal_layers(&self) -> usize {
        let has = |rates: &Layers<f64>, temporal: usize, least: f64| {
            rates.iter().map(|of| of[temporal]).sum::<f64>() > least
        };
        self.highest(|rates, least| (0..TEMPORAL).rfind(|at| has(rates, *at, least)))
    }

    fn highest(&self, find: impl Fn(&Layers<f64>, f64) -> Option<usize>) -> usize {
        let found = self.smoothed.and_then(|rates| {
            let sum: f64 = rates.iter().flatten().sum();
            find(&rates, sum / LEAST_PART)
        });
        found.map_or(1, |highest| highest + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLY: (u8, u8) = (0, 0);

    #[test]
    fn a_steady_stream_has_its_rate_and_after_a_pause_it_is_measured_anew() {
        let start = crate::test_time::start();
        let mut bitrate = Bitrate::default();
        let mut stream = |begin: Instant, bytes: usize| {
            for packet in 0..200u32 {
                bitrate.on_packet(begin + Duration::from_millis(10) * packet, ONLY, bytes);
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
            bitrate.on_packet(start + Duration::from_millis(40) * frame, ONLY, bytes);
            let rate = bitrate.bits_per_second().unwrap_or(400_000);
            assert!((390_000..620_000).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn each_layer_has_its_part_and_what_is_over_is_forgotten() {
        let start = crate::test_time::start();
        let mut bitrate = Bitrate::default();
        assert_eq!(
            (bitrate.spatial_layers(), bitrate.temporal_layers()),
            (1, 1)
        );
        // Two sizes; of each, the frames in the order 0 2 1 2.
        let mut run = |from: u32, until: u32, sizes: u8| {
            for frame in from..until {
                let temporal = [0, 2, 1, 2][frame as usize % 4];
                for spatial in 0..sizes {
                    let now = start + Duration::from_millis(25) * frame;
                    let bytes = 1_000 * (1 + 3 * usize::from(spatial));
                    bitrate.on_packet(now, (spatial, temporal), bytes);
                }
            }
            let within = |spatial, temporal| bitrate.within(spatial, temporal).unwrap() / 1_000;
            let rates = [within(0, 0), within(0, 1), within(0, 3), within(1, 0)];
            (rates, bitrate.spatial_layers(), bitrate.temporal_layers())
        };
        assert_eq!(run(0, 400, 2), ([80, 160, 320, 400], 2, 3));
        assert_eq!(run(400, 800, 1), ([80, 160, 320, 80], 1, 3));
    }

    #[test]
    fn numbers_that_no_mode_has_are_counted_with_the_highest() {
        let start = crate::test_time::start();
        let mut bitrate = Bitrate::default();
        for packet in 0..100u32 {
            let now = start + Duration::from_millis(10) * packet;
            bitrate.on_packet(now, (255, 255), 1_000);
        }
        assert_eq!(bitrate.within(SPATIAL - 1, TEMPORAL - 2), Some(0));
        assert_eq!(bitrate.bits_per_second(), Some(800_000));
    }
}
