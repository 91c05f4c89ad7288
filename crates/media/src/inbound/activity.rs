//! Whether a layer is being sent, told from when its frames come and what comes beside it. It knows no packets.

use std::time::{Duration, Instant};

use crate::rtp::sequence::is_newer_timestamp;

/// Without a packet for this long a layer is not being sent.
const IDLE: Duration = Duration::from_millis(1_500);
/// It is not after this time already, where the track's other layers go on,
const LEFT_OUT: Duration = Duration::from_millis(300);
/// for as long as this many of its own frames usually take, for encoders leave out a few,
const OWN_FRAMES: u32 = 3;
/// and with so many frames: a camera that stands still, or a network that does, is silent in all layers.
const OTHER_FRAMES: u8 = 6;
/// Weight of a new interval in the usual one.
const WEIGHT: u32 = 8;

/// Whether one layer is active.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    last_packet: Option<Instant>,
    frame: Option<Frame>,
    /// Between its frames, usually.
    interval: Duration,
    /// Frames of other layers since its last packet.
    others: u8,
}

/// The newest frame.
#[derive(Clone, Copy, Debug)]
struct Frame {
    timestamp: u32,
    arrival: Instant,
}

impl Activity {
    /// A packet of the layer has come. True if it is of a newer frame than any before.
    pub(crate) fn on_packet(&mut self, arrival: Instant, timestamp: u32) -> bool {
        self.last_packet = self.last_packet.max(Some(arrival));
        self.others = 0;
        let before = self.frame;
        if before.is_some_and(|before| !is_newer_timestamp(timestamp, before.timestamp)) {
            return false;
        }
        self.frame = Some(Frame { timestamp, arrival });
        let passed = before.map(|before| arrival.saturating_duration_since(before.arrival));
        // A pause is not how often its frames come.
        if let Some(passed) = passed.filter(|passed| *passed < IDLE) {
            self.interval = (self.interval * (WEIGHT - 1) + passed) / WEIGHT;
        }
        true
    }

    /// A frame of another layer of the same track has begun.
    pub(crate) fn on_other_frame(&mut self) {
        self.others = self.others.saturating_add(1);
    }

    /// Whether the publisher sends this layer.
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        let Some(last) = self.last_packet else {
            return false;
        };
        let silent = now.saturating_duration_since(last);
        let is_left_out = self.others >= OTHER_FRAMES
            && silent >= LEFT_OUT.max(self.interval.saturating_mul(OWN_FRAMES));
        silent < IDLE && !is_left_out
    }

    /// Whether anything came ever.
    pub(crate) fn has_begun(&self) -> bool {
        self.last_packet.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: u32 = 90;

    /// A layer with a frame each so many milliseconds, for two seconds; and when its last one came.
    fn layer(interval: u32) -> (Activity, Instant) {
        let mut activity = Activity::default();
        let start = crate::test_time::start();
        let mut now = start;
        for passed in (0..=2_000).step_by(interval as usize) {
            now = start + Duration::from_millis(passed);
            assert!(activity.on_packet(now, passed as u32 * TICKS));
            assert!(!activity.on_packet(now, passed as u32 * TICKS));
        }
        (activity, now)
    }

    /// How long it is taken to be sent after its last frame, with others that come each so many milliseconds.
    fn lasting(interval: u32, others: Option<u64>) -> u64 {
        let (mut activity, last) = layer(interval);
        for passed in (0..2_000).step_by(10) {
            if others.is_some_and(|others| passed > 0 && passed % others == 0) {
                activity.on_other_frame();
            }
            if !activity.is_active(last + Duration::from_millis(passed)) {
                return passed;
            }
        }
        panic!("it is never over");
    }

    #[test]
    fn what_never_came_is_not_sent() {
        let activity = Activity::default();
        assert!(!activity.has_begun());
        assert!(!activity.is_active(crate::test_time::start()));
    }

    #[test]
    fn a_layer_that_stops_beside_others_is_over_soon_and_alone_it_is_waited_for() {
        assert_eq!(lasting(30, None), 1_500);
        assert_eq!(lasting(30, Some(30)), 300);
        assert_eq!(lasting(30, Some(100)), 600, "others must have gone on");
    }

    #[test]
    fn a_layer_of_few_frames_is_waited_for_longer() {
        let lasting = lasting(250, Some(30));
        assert!((400..760).contains(&lasting), "{lasting}");
    }

    #[test]
    fn its_next_packet_brings_it_back_even_an_old_one() {
        let (mut activity, last) = layer(30);
        for _ in 0..100 {
            activity.on_other_frame();
        }
        let now = last + Duration::from_millis(400);
        assert!(!activity.is_active(now));
        assert!(!activity.on_packet(now, 0), "an old frame");
        assert!(activity.is_active(now));
    }
}
