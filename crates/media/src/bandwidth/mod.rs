//! What the path to one peer carries: an estimate from the feedback of its client, probes to climb, and a pacer so
//! that the path's queue stays short. It chooses no layers and holds no packets.
//!
//! A peer that negotiated no transport-wide feedback costs nothing here, and one that never sends any, nor an
//! estimate of its own (REMB), is not limited.

mod delay;
mod estimator;
mod feedback;
mod history;
mod loss;
mod pacer;
mod probe;
mod throughput;

use std::time::{Duration, Instant};

pub(crate) use feedback::{TransportFeedback, receiver_estimate_bps};

use estimator::Estimator;
use history::History;
use pacer::Pacer;
use probe::{Prober, Situation};

/// How often a pacer that holds something back, or a probe that is being sent, is to be asked again.
pub(crate) const PACE: Duration = Duration::from_millis(5);

/// A client that was sent so much for so long, and has told nothing of it, gives no feedback.
const MUTE_PACKETS: u64 = 20;
const MUTE_US: u64 = 2_000_000;
/// Feedback that stops means that the path has.
const SILENCE_US: u64 = 1_000_000;
/// A receiver's own estimate (REMB) is repeated each second.
const RECEIVER_ESTIMATE_US: u64 = 5_000_000;
const REFERENCE_US: i64 = 64_000;

/// The path to one peer.
#[repr(C)] // What each packet needs comes first: see `Peer`.
pub(crate) struct Bandwidth {
    pacer: Pacer,
    path: Option<Box<Path>>,
    /// The receiver's own estimate, and when it came.
    receiver: Option<(f64, u64)>,
    start: Instant,
    /// What `us` gave last.
    asked: (Instant, u64),
    wanted_bps: f64,
}

/// What is kept where transport-wide feedback is negotiated.
#[derive(Default)]
struct Path {
    history: History,
    estimator: Estimator,
    prober: Prober,
    clock: ReceiverClock,
    sent_packets: u64,
    first_sent_us: u64,
    last_sent_us: u64,
    /// When feedback last came.
    heard_us: Option<u64>,
    silent_since_us: u64,
}

impl Bandwidth {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            asked: (now, 0),
            wanted_bps: 0.0,
            receiver: None,
            pacer: Pacer::default(),
            path: None,
        }
    }

    /// In microseconds since the start. A turn asks for each of its packets, and its time is the same for all.
    fn us(&mut self, now: Instant) -> u64 {
        if self.asked.0 != now {
            let passed = now.saturating_duration_since(self.start);
            self.asked = (now, passed.as_micros() as u64);
        }
        self.asked.1
    }

    /// Transport-wide feedback is negotiated: packets are numbered from now on.
    pub(crate) fn enable(&mut self) {
        self.path.get_or_insert_default();
    }

    /// How much would be sent if there were room, in bits per second: nothing is probed for beyond it.
    pub(crate) fn set_wanted_bps(&mut self, wanted_bps: u64) {
        self.wanted_bps = wanted_bps as f64;
    }

    /// What the path carries, in bits per second; `None` is unknown, and unlimited.
    pub(crate) fn estimate_bps(&self) -> Option<u64> {
        self.estimate().map(|bps| bps as u64)
    }

    fn estimate(&self) -> Option<f64> {
        let receiver = self.receiver.map(|(bps, _)| bps);
        let ours = self.path.as_ref().and_then(|path| path.estimate());
        match (ours, receiver) {
            (Some(ours), Some(receiver)) => Some(ours.min(receiver)),
            (ours, receiver) => ours.or(receiver),
        }
    }

    /// A packet goes out that has no number.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.pacer.on_sent(bytes);
    }

    /// Whether a packet of what is shown to a newcomer may go out now: as `may_send`, but before the first feedback
    /// at a few times the first estimate. Live video is a picture at a time, this is many at once.
    pub(crate) fn may_show(&mut self, now: Instant) -> bool {
        let is_unheard = self.receiver.is_none()
            && self
                .path
                .as_ref()
                .is_some_and(|path| path.heard_us.is_none());
        if !is_unheard {
            return self.may_send(now);
        }
        let now_us = self.us(now);
        self.estimate()
            .is_none_or(|bps| self.pacer.may_start(now_us, bps))
    }

    /// The transport-wide number of a packet that goes out now; `None` where none is negotiated.
    pub(crate) fn number(&mut self, now: Instant, bytes: usize) -> Option<u16> {
        self.spend(bytes);
        let now_us = self.us(now);
        let path = self.path.as_mut()?;
        let cluster = path.prober.current();
        if cluster != 0 {
            path.prober.on_sent(now_us, bytes);
        }
        if path.sent_packets == 0 {
            path.first_sent_us = now_us;
        }
        path.sent_packets += 1;
        path.last_sent_us = now_us;
        Some(path.history.record(now_us, bytes, cluster))
    }

    /// Whether a packet of video may go out now. Sound does not ask. Without feedback it always may.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        let is_heard = self.receiver.is_some()
            || self
                .path
                .as_ref()
                .is_some_and(|path| path.heard_us.is_some());
        if !is_heard {
            return true;
        }
        let now_us = self.us(now);
        self.estimate()
            .is_none_or(|bps| self.pacer.may_send(now_us, bps))
    }

    /// Whether video has waited for room for so long that the path carries less than there is.
    pub(crate) fn set_behind(&mut self, is_behind: bool) {
        self.pacer.set_behind(is_behind);
    }

    /// How many bytes a probe lacks now. To be asked each [`PACE`] while it is sending, and else now and then.
    pub(crate) fn poll_probe(&mut self, now: Instant) -> Option<usize> {
        let now_us = self.us(now);
        let estimate_bps = self.estimate()?;
        let path = self.path.as_mut()?;
        // Before the first feedback nobody knows whether there will be any.
        path.heard_us?;
        path.prober.poll(Situation {
            now_us,
            estimate_bps,
            wanted_bps: self.wanted_bps,
            is_congested: path.estimator.is_congested(),
            fell_us: path.estimator.fell_us(),
        })
    }

    /// Whether a probe is under way.
    pub(crate) fn is_probing(&self) -> bool {
        self.path
            .as_ref()
            .is_some_and(|path| path.prober.is_sending())
    }

    /// The client tells what arrived.
    pub(crate) fn on_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let now_us = self.us(now);
        if let Some(path) = &mut self.path {
            path.on_feedback(now_us, feedback);
        }
    }

    /// The client tells what it thinks it can take.
    pub(crate) fn on_receiver_estimate(&mut self, now: Instant, bps: u64) {
        self.receiver = Some((bps as f64, self.us(now)));
    }

    /// To be called now and then: notices that feedback has stopped.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let now_us = self.us(now);
        self.receiver = self
            .receiver
            .filter(|(_, told)| now_us.saturating_sub(*told) < RECEIVER_ESTIMATE_US);
        if let Some(path) = &mut self.path {
            path.handle_timeout(now_us);
        }
    }
}

impl Path {
    fn estimate(&self) -> Option<f64> {
        let is_mute = self.heard_us.is_none()
            && self.sent_packets >= MUTE_PACKETS
            && self.last_sent_us - self.first_sent_us >= MUTE_US;
        (!is_mute).then(|| self.estimator.bps())
    }

    fn on_feedback(&mut self, now_us: u64, feedback: &TransportFeedback<'_>) {
        let reference_us = self.clock.reference_us(feedback.reference());
        let mut is_news = false;
        let mut last_sent_us = None;
        for told in feedback.packets() {
            let Some(reported) = self.history.report(told.number, told.arrival_us.is_some()) else {
                continue;
            };
            is_news = true;
            let Some(arrival_us) = told.arrival_us else {
                self.estimator.on_missing();
                continue;
            };
            let arrival_us = reference_us + arrival_us;
            self.estimator.on_received(reported, arrival_us);
            self.prober.on_received(reported, arrival_us);
            last_sent_us = last_sent_us.max(Some(reported.sent_us));
        }
        if !is_news {
            return;
        }
        self.heard_us = Some(now_us);
        self.silent_since_us = now_us;
        if let Some(sent) = last_sent_us {
            self.estimator.on_round_trip(now_us.saturating_sub(sent));
        }
        self.estimator.update(now_us);
        if let Some(outcome) = self.prober.outcome(now_us, self.estimator.bps()) {
            self.estimator.on_probe(outcome);
        }
    }

    fn handle_timeout(&mut self, now_us: u64) {
        let is_silent = self.heard_us.is_some()
            && self.last_sent_us > self.silent_since_us
            && now_us.saturating_sub(self.silent_since_us) > SILENCE_US;
        if is_silent {
            self.silent_since_us = now_us;
            self.estimator.on_silence();
        }
    }
}

/// The reference times of feedback: 24 bits, of a clock that a stranger says it has.
#[derive(Default)]
struct ReceiverClock {
    last: Option<(u32, i64)>,
}

impl ReceiverClock {
    /// The reference in microseconds, across its wraps.
    fn reference_us(&mut self, reference: u32) -> i64 {
        let extended = match self.last {
            None => i64::from(reference),
            Some((last, extended)) => {
                // 24 bits, signed.
                let ahead = (reference.wrapping_sub(last) << 8) as i32 >> 8;
                extended.saturating_add(ahead.into())
            }
        };
        // A clock that runs off is as good as a new one: 2^40 of 64 ms are two thousand years.
        let extended = if extended.unsigned_abs() < 1 << 40 {
            extended
        } else {
            i64::from(reference)
        };
        self.last = Some((reference, extended));
        extended * REFERENCE_US
    }
}

#[cfg(test)]
mod tests;
