//! Finds from send and arrival times whether a queue grows on the path: the trendline filter and the overuse
//! detector with its adaptive threshold of Google congestion control (draft-ietf-rmcat-gcc-02, sections 5.1 to
//! 5.4, with the line in place of the Kalman filter, as libwebrtc has it). It does not say what to do about it.

use std::collections::VecDeque;

/// Packets sent within this time of one another are one group: their spacing says nothing of the path.
const GROUP_US: i64 = 5_000;
/// A burst that arrives as one, as radio links deliver, is one group as well, up to this long.
const BURST_US: i64 = 100_000;
/// Arrival times that jump this far are those of another clock.
const CLOCK_JUMP_US: i64 = 3_000_000;

/// Groups through which the line is laid.
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
/// The line's slope is scaled so that thresholds are those of the draft.
const GAIN: f64 = 4.0;
const LARGEST_WEIGHT: u32 = 60;

/// Of the threshold, in milliseconds, and how fast it follows the signal, each millisecond.
const FIRST_THRESHOLD: f64 = 12.5;
const THRESHOLDS: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const RISING: f64 = 0.0087;
const FALLING: f64 = 0.039;
/// A signal this far above the threshold is an outlier, which the threshold does not follow.
const OUTLIER: f64 = 15.0;
/// A queue must have grown for so long, in milliseconds.
const OVERUSE_MS: f64 = 10.0;

/// The least delay is sought in this and the last such period: the path may change.
const LEAST_DELAY_US: i64 = 10_000_000;
/// A queue is what every packet of this and the last such period waited in. What only some waited for is no queue:
/// a burst of our own, or a receiver that was not let run, and read at once what had come meanwhile.
const STANDING_US: i64 = 100_000;
/// A shorter queue is none that grows.
const LEAST_QUEUE_US: i64 = 10_000;

/// What the queue on the path does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    #[default]
    Normal,
    /// It grows.
    Over,
    /// It shrinks.
    Under,
}

#[derive(Clone, Copy)]
struct Group {
    first_sent_us: i64,
    sent_us: i64,
    first_arrival_us: i64,
    arrival_us: i64,
}

/// The state of one path.
pub(super) struct DelayDetector {
    group: Option<Group>,
    last_group: Option<Group>,
    /// Arrival and smoothed delay of the last groups, in milliseconds.
    points: VecDeque<(f64, f64)>,
    groups: u32,
    origin_us: i64,
    delay: f64,
    smoothed_delay: f64,
    threshold: f64,
    threshold_at_us: i64,
    last_trend: f64,
    growing_ms: Option<f64>,
    growing_groups: u32,
    usage: Usage,
    least: LeastDelay,
    queue: StandingQueue,
}

impl Default for DelayDetector {
    fn default() -> Self {
        Self {
            group: None,
            last_group: None,
            points: VecDeque::new(),
            groups: 0,
            origin_us: 0,
            delay: 0.0,
            smoothed_delay: 0.0,
            threshold: FIRST_THRESHOLD,
            threshold_at_us: 0,
            last_trend: 0.0,
            growing_ms: None,
            growing_groups: 0,
            usage: Usage::Normal,
            least: LeastDelay::default(),
            queue: StandingQueue::default(),
        }
    }
}

impl DelayDetector {
    /// A packet has arrived. Send and arrival time are of different clocks.
    pub(super) fn on_packet(&mut self, sent_us: i64, arrival_us: i64) {
        self.least.on_packet(sent_us, arrival_us);
        self.queue
            .on_packet(arrival_us, self.least.above(sent_us, arrival_us));
        let Some(group) = &mut self.group else {
            return self.begin(sent_us, arrival_us);
        };
        if (arrival_us - group.arrival_us).abs() > CLOCK_JUMP_US {
            *self = Self::default();
            return self.on_packet(sent_us, arrival_us);
        }
        if sent_us < group.first_sent_us {
            return;
        }
        let later_sent = sent_us - group.sent_us;
        let later_arrival = arrival_us - group.arrival_us;
        let is_burst = later_arrival < later_sent
            && later_arrival <= GROUP_US
            && arrival_us - group.first_arrival_us < BURST_US;
        if sent_us - group.first_sent_us <= GROUP_US || is_burst {
            group.sent_us = group.sent_us.max(sent_us);
            group.arrival_us = group.arrival_us.max(arrival_us);
            return;
        }
        let group = *group;
        if let Some(last) = self.last_group {
            self.on_group(
                (group.sent_us - last.sent_us) as f64 / 1_000.0,
                (group.arrival_us - last.arrival_us) as f64 / 1_000.0,
                group.arrival_us,
            );
        }
        self.last_group = Some(group);
        self.begin(sent_us, arrival_us);
    }

    fn begin(&mut self, sent_us: i64, arrival_us: i64) {
        self.group = Some(Group {
            first_sent_us: sent_us,
            sent_us,
            first_arrival_us: arrival_us,
            arrival_us,
        });
    }

    /// A group is complete: it was sent and came so many milliseconds after the one before.
    fn on_group(&mut self, sent_ms: f64, arrival_ms: f64, arrival_us: i64) {
        if self.groups == 0 {
            self.origin_us = arrival_us;
        }
        self.groups = (self.groups + 1).min(LARGEST_WEIGHT);
        self.delay += arrival_ms - sent_ms;
        self.smoothed_delay = SMOOTHING * self.smoothed_delay + (1.0 - SMOOTHING) * self.delay;
        if self.points.len() == WINDOW {
            self.points.pop_front();
        }
        let at_ms = (arrival_us - self.origin_us) as f64 / 1_000.0;
        self.points.push_back((at_ms, self.smoothed_delay));
        if self.points.len() == WINDOW
            && let Some(slope) = slope(&self.points)
        {
            self.detect(slope, sent_ms, arrival_us);
        }
    }

    fn detect(&mut self, slope: f64, sent_ms: f64, arrival_us: i64) {
        let trend = f64::from(self.groups) * slope * GAIN;
        if trend > self.threshold {
            let growing = self.growing_ms.map_or(sent_ms / 2.0, |ms| ms + sent_ms);
            self.growing_ms = Some(growing);
            self.growing_groups += 1;
            if growing > OVERUSE_MS && self.growing_groups > 1 && trend >= self.last_trend {
                self.growing_ms = Some(0.0);
                self.growing_groups = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.growing_ms = None;
            self.growing_groups = 0;
            self.usage = if trend < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_trend = trend;
        self.adapt(trend.abs(), arrival_us);
    }

    /// The threshold follows the signal, so that a jittery path, or a rival who fills the queue, does not take
    /// everything from us.
    fn adapt(&mut self, signal: f64, arrival_us: i64) {
        let passed_ms = ((arrival_us - self.threshold_at_us) as f64 / 1_000.0).clamp(0.0, 100.0);
        self.threshold_at_us = arrival_us;
        if signal > self.threshold + OUTLIER {
            return;
        }
        let pace = if signal < self.threshold {
            FALLING
        } else {
            RISING
        };
        self.threshold += pace * (signal - self.threshold) * passed_ms;
        self.threshold = self.threshold.clamp(*THRESHOLDS.start(), *THRESHOLDS.end());
    }

    pub(super) fn usage(&self) -> Usage {
        match self.usage {
            Usage::Over if self.queue_us() < LEAST_QUEUE_US => Usage::Normal,
            usage => usage,
        }
    }

    /// What each packet of late waited in queues, as far as the least delay is a path without them.
    pub(super) fn queue_us(&self) -> i64 {
        self.queue.us()
    }
}

/// The slope of the line of least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (numerator, denominator) = points.iter().fold((0.0, 0.0), |(top, bottom), point| {
        let x = point.0 - mean_x;
        (top + x * (point.1 - mean_y), bottom + x * x)
    });
    (denominator > 0.0).then(|| numerator / denominator)
}

/// The least difference between arrival and send time, of this period and the one before.
#[derive(Default)]
struct LeastDelay {
    began_us: Option<i64>,
    least_us: i64,
    last_least_us: i64,
}

impl LeastDelay {
    fn on_packet(&mut self, sent_us: i64, arrival_us: i64) {
        let delay = arrival_us - sent_us;
        match self.began_us {
            None => {
                self.began_us = Some(sent_us);
                self.least_us = delay;
                self.last_least_us = delay;
            }
            Some(began) if sent_us - began > LEAST_DELAY_US => {
                self.began_us = Some(sent_us);
                self.last_least_us = self.least_us;
                self.least_us = delay;
            }
            Some(_) => self.least_us = self.least_us.min(delay),
        }
    }

    fn above(&self, sent_us: i64, arrival_us: i64) -> i64 {
        arrival_us - sent_us - self.least_us.min(self.last_least_us)
    }
}

/// The least wait of this period and the one before.
#[derive(Default)]
struct StandingQueue {
    began_us: Option<i64>,
    least_us: i64,
    last_least_us: i64,
}

impl StandingQueue {
    fn on_packet(&mut self, arrival_us: i64, waited_us: i64) {
        let is_of_this_period =
            |began: i64| (arrival_us - began).unsigned_abs() < STANDING_US as u64;
        if self.began_us.is_some_and(is_of_this_period) {
            self.least_us = self.least_us.min(waited_us);
            return;
        }
        self.last_least_us = match self.began_us {
            Some(_) => self.least_us,
            None => waited_us,
        };
        self.began_us = Some(arrival_us);
        self.least_us = waited_us;
    }

    fn us(&self) -> i64 {
        self.least_us.min(self.last_least_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups every 20 ms, each delayed by so many microseconds more than the one before.
    fn run(detector: &mut DelayDetector, from: i64, groups: i64, growth_us: i64) -> Usage {
        for group in from..from + groups {
            let sent = group * 20_000;
            detector.on_packet(sent, sent + (group - from) * growth_us);
        }
        detector.usage()
    }

    #[test]
    fn a_growing_queue_is_found_and_a_steady_one_is_none() {
        let mut detector = DelayDetector::default();
        assert_eq!(run(&mut detector, 0, 100, 0), Usage::Normal);
        assert_eq!(run(&mut detector, 100, 30, 2_000), Usage::Over);
        // What every packet of the last periods waited at least.
        assert_eq!(detector.queue_us(), 40_000);
    }

    #[test]
    fn what_a_receiver_reads_late_and_at_once_is_no_queue() {
        let mut detector = DelayDetector::default();
        for group in 0..1_000 {
            let sent = group * 20_000;
            // It runs once in 120 ms, and then reads all that has come.
            detector.on_packet(sent, (sent + 119_999) / 120_000 * 120_000);
            assert_ne!(detector.usage(), Usage::Over, "{group}");
        }
        assert!(detector.queue_us() < LEAST_QUEUE_US);
    }

    #[test]
    fn a_shrinking_queue_is_found() {
        let mut detector = DelayDetector::default();
        run(&mut detector, 0, 60, 3_000);
        assert_eq!(run(&mut detector, 60, 30, -2_000), Usage::Under);
    }

    #[test]
    fn jitter_without_a_trend_is_no_queue() {
        let mut random = crate::rtp::seeded::Seeded::new(7);
        let mut detector = DelayDetector::default();
        let mut over = 0;
        for group in 0..3_000i64 {
            let jitter = random.below(30_000) as i64;
            detector.on_packet(group * 33_000, group * 33_000 + jitter);
            over += i32::from(detector.usage() == Usage::Over);
        }
        assert!(over < 30, "{over}");
    }

    #[test]
    fn another_clock_is_a_new_start() {
        let mut detector = DelayDetector::default();
        run(&mut detector, 0, 60, 3_000);
        detector.on_packet(1_300_000, i64::MAX / 2);
        assert_eq!(detector.usage(), Usage::Normal);
        assert_eq!(detector.queue_us(), 0);
    }
}
