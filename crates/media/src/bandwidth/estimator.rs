//! The bitrate that a path carries, from what feedback tells of each packet: additive and multiplicative increase
//! while nothing queues, decrease to what arrives when a queue grows (draft-ietf-rmcat-gcc-02), less what losses
//! forbid. It sends nothing and knows no clock but its argument.

use super::delay::{DelayDetector, Usage};
use super::history::Reported;
use super::loss::LossControl;
use super::probe::Outcome;
use super::throughput::Throughput;

/// Before anything is known. Probes follow at once.
pub(super) const FIRST_BPS: f64 = 1_500_000.0;
/// Sound, and no less: below it a queue is not ours to drain.
pub(super) const LEAST_BPS: f64 = 50_000.0;
const GREATEST_BPS: f64 = 200_000_000.0;

/// Slices of 20 ms over which arrivals are measured: to climb, and, when a queue stands and arrivals are what the
/// bottleneck carries, to fall.
const CLIMBING_SLICES: usize = 25;
const FALLING_SLICES: usize = 10;

/// Growth in a second far from the limit, and never beyond this times what arrives: what is not used is not
/// known to be there.
const GROWTH: f64 = 1.08;
const BEYOND_ARRIVALS: f64 = 1.5;
const BEYOND_ARRIVALS_BPS: f64 = 10_000.0;
/// Of what arrives without queueing, this is carried for sure.
const CARRIED: f64 = 0.9;
/// Near the limit: a packet of so many bits each response time, which is a round trip and this.
const STEP_BITS: f64 = 9_600.0;
const RESPONSE_US: u64 = 100_000;

/// What is left after a queue was found; and less, if the queue is long, so that it drains: each second of queue
/// takes so much more, beyond a short one.
const KEPT: f64 = 0.88;
const LEAST_KEPT: f64 = 0.6;
const SHORT_QUEUE_US: i64 = 30_000;
const KEPT_LESS_PER_SECOND: f64 = 1.0;
/// What is sent in bursts makes queues of its own. Where less is sent than was thought possible, one is not taken
/// for the whole truth: the estimate falls by steps.
const STEP_KEPT: f64 = 0.7;
const LONG_STEP_KEPT: f64 = 0.4;
const LONG_QUEUE_US: i64 = 150_000;

/// Where the limit was found lately.
#[derive(Clone, Copy)]
struct Ceiling {
    mean_bps: f64,
    /// Relative, of the normal distribution.
    deviation: f64,
}

impl Ceiling {
    fn learn(known: Option<Self>, bps: f64) -> Self {
        let Some(known) = known else {
            return Self {
                mean_bps: bps,
                deviation: 0.1,
            };
        };
        let mean_bps = 0.8 * known.mean_bps + 0.2 * bps;
        // Nothing at all may have arrived, twice.
        let off = (bps - mean_bps).abs() / mean_bps.max(1.0);
        Self {
            mean_bps,
            deviation: (0.9 * known.deviation + 0.1 * off).clamp(0.03, 0.15),
        }
    }

    fn is_beyond(self, bps: f64) -> bool {
        bps > self.mean_bps * (1.0 + 3.0 * self.deviation)
    }

    fn is_below(self, bps: f64) -> bool {
        bps < self.mean_bps * (1.0 - 3.0 * self.deviation)
    }
}

/// The estimate of one path.
pub(super) struct Estimator {
    delays: DelayDetector,
    losses: LossControl,
    arriving: Throughput,
    /// What the delays allow.
    bps: f64,
    ceiling: Option<Ceiling>,
    updated_us: u64,
    fell_us: Option<u64>,
    round_trip_us: u64,
}

impl Default for Estimator {
    fn default() -> Self {
        Self {
            delays: DelayDetector::default(),
            losses: LossControl::default(),
            arriving: Throughput::default(),
            bps: FIRST_BPS,
            ceiling: None,
            updated_us: 0,
            fell_us: None,
            round_trip_us: 100_000,
        }
    }
}

impl Estimator {
    /// A packet arrived, by the receiver's clock.
    pub(super) fn on_received(&mut self, packet: Reported, arrival_us: i64) {
        self.losses.on_received(packet.was_missing);
        self.arriving.on_packet(arrival_us, packet.bytes);
        // A probe queues on purpose.
        if packet.cluster == 0 {
            self.delays.on_packet(packet.sent_us as i64, arrival_us);
        }
    }

    /// A packet is missing, for now.
    pub(super) fn on_missing(&mut self) {
        self.losses.on_missing();
    }

    pub(super) fn on_round_trip(&mut self, round_trip_us: u64) {
        self.round_trip_us = round_trip_us.min(1_000_000);
    }

    /// All of one feedback was told.
    pub(super) fn update(&mut self, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.updated_us);
        self.updated_us = now_us;
        match self.delays.usage() {
            Usage::Over => self.fall(now_us),
            Usage::Normal => self.climb(passed_us.min(1_000_000)),
            // The queue drains: what fills it must not be sent before it is empty.
            Usage::Under => {}
        }
        let has_queue = self.delays.queue_us() > LONG_QUEUE_US;
        self.losses.update(now_us, self.bps, has_queue);
    }

    fn fall(&mut self, now_us: u64) {
        // The last fall must have had time to be seen.
        let pause_us = self.round_trip_us.clamp(50_000, 300_000);
        if self
            .fell_us
            .is_some_and(|fell| now_us.saturating_sub(fell) < pause_us)
        {
            return;
        }
        let Some(arriving) = self.arriving.bps(FALLING_SLICES) else {
            return;
        };
        self.fell_us = Some(now_us);
        let queue_us = self.delays.queue_us();
        let too_long = (queue_us - SHORT_QUEUE_US).max(0) as f64 / 1e6;
        let kept = (KEPT - KEPT_LESS_PER_SECOND * too_long).max(LEAST_KEPT);
        let mut bps = arriving * kept;
        let step = match queue_us < LONG_QUEUE_US {
            true => STEP_KEPT,
            false => LONG_STEP_KEPT,
        };
        bps = bps.max(self.bps * step);
        if self
            .ceiling
            .is_some_and(|ceiling| ceiling.is_below(arriving))
        {
            self.ceiling = None;
        }
        self.ceiling = Some(Ceiling::learn(self.ceiling, arriving));
        self.bps = bps.min(self.bps).max(LEAST_BPS);
    }

    fn climb(&mut self, passed_us: u64) {
        let Some(arriving) = self.arriving.bps(CLIMBING_SLICES) else {
            return;
        };
        // What arrives without queueing is carried; it is measured over few pictures, and so a little too much.
        if self.delays.queue_us() < SHORT_QUEUE_US {
            self.bps = self.bps.max(arriving * CARRIED).min(GREATEST_BPS);
        }
        let known_to_be_there = arriving * BEYOND_ARRIVALS + BEYOND_ARRIVALS_BPS;
        if self.bps >= known_to_be_there {
            return;
        }
        if self
            .ceiling
            .is_some_and(|ceiling| ceiling.is_beyond(arriving))
        {
            self.ceiling = None;
        }
        let passed = passed_us as f64 / 1e6;
        let risen = match self.ceiling {
            Some(_) => {
                let response = (self.round_trip_us + RESPONSE_US) as f64 / 1e6;
                self.bps + STEP_BITS / response * passed
            }
            None => self.bps * GROWTH.powf(passed) + 1_000.0 * passed,
        };
        self.bps = risen.min(known_to_be_there).min(GREATEST_BPS);
    }

    /// What a probe has shown. The first also lowers what was only assumed, if it found the path full: one that did
    /// not has asked for no more than is wanted.
    pub(super) fn on_probe(&mut self, outcome: Outcome) {
        if self.delays.usage() == Usage::Over {
            return;
        }
        let seen = outcome.bps.clamp(LEAST_BPS, GREATEST_BPS);
        let bps = match outcome {
            Outcome {
                is_first: true,
                is_full: true,
                ..
            } => seen,
            // Half of what is more: the rest may be another's.
            Outcome { is_full: true, .. } => self.bps.max((self.bps + seen) / 2.0),
            _ => self.bps.max(seen),
        };
        if bps != self.bps {
            self.bps = bps;
            self.ceiling = self.ceiling.filter(|ceiling| !ceiling.is_beyond(bps));
        }
        self.losses.lift_to(bps);
    }

    /// Nothing is heard of what is sent: the path may be gone.
    pub(super) fn on_silence(&mut self) {
        self.bps = (self.bps / 2.0).max(LEAST_BPS);
    }

    /// The estimate, in bits per second.
    pub(super) fn bps(&self) -> f64 {
        let limit = self.losses.limit_bps().unwrap_or(f64::INFINITY);
        self.bps.min(limit).max(LEAST_BPS)
    }

    /// Whether a queue stands on the path, or losses limit: no time for probes.
    pub(super) fn is_congested(&self) -> bool {
        self.delays.usage() != Usage::Normal || self.losses.limit_bps().is_some()
    }

    /// When the estimate last fell, in microseconds.
    pub(super) fn fell_us(&self) -> Option<u64> {
        self.fell_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_at_which_twice_nothing_came_is_forgotten_as_soon_as_something_does() {
        let nothing = Ceiling::learn(None, 0.0);
        assert!(Ceiling::learn(Some(nothing), 0.0).is_beyond(1.0));
    }
}
