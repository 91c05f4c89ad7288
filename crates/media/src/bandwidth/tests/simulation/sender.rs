//! One subscriber's sender and receiver: video at what the estimate allows, paced, numbered, and probed for; and
//! feedback from our own recorder each 50 ms.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::link::Sent;
use crate::bandwidth::{Bandwidth, PACE, TransportFeedback};
use crate::inbound::ArrivalRecorder;

const FRAME_US: u64 = 33_333;
const PACKET: usize = 1_100;
const SOUND_US: u64 = 20_000;
/// A picture that waited longer is dropped.
const LONGEST_WAIT_US: u64 = 800_000;
/// Each so many frames a key frame, of so many usual frames' size.
const KEY_FRAME_EACH: u64 = 90;
const KEY_FRAME_SIZE: f64 = 5.0;

/// What is sent.
#[derive(Clone)]
pub(super) enum Source {
    /// Whatever the estimate allows, up to this.
    Elastic { most_bps: f64 },
    /// The best of these that fits the estimate, with key frames; what is wanted is a little above the best.
    Layers(Vec<f64>),
    /// Always this, unnumbered and heedless: cross traffic.
    Constant(f64),
}

/// Gives bitrates for feedback: ours, or the library's for comparison.
pub(super) trait Controller {
    fn number(&mut self, now: Instant, bytes: usize) -> u16;
    fn may_send(&mut self, now: Instant) -> bool;
    fn probe(&mut self, now: Instant) -> usize;
    fn is_probing(&self) -> bool;
    fn feedback(&mut self, now: Instant, packet: &[u8]);
    fn tick(&mut self, now: Instant);
    fn want(&mut self, bps: f64);
    fn bps(&self) -> f64;
}

impl Controller for Bandwidth {
    fn number(&mut self, now: Instant, bytes: usize) -> u16 {
        Bandwidth::number(self, now, bytes).unwrap()
    }

    fn may_send(&mut self, now: Instant) -> bool {
        Bandwidth::may_send(self, now)
    }

    fn probe(&mut self, now: Instant) -> usize {
        self.poll_probe(now).unwrap_or(0)
    }

    fn is_probing(&self) -> bool {
        Bandwidth::is_probing(self)
    }

    fn feedback(&mut self, now: Instant, packet: &[u8]) {
        self.on_feedback(now, &TransportFeedback::parse(packet).unwrap());
    }

    fn tick(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn want(&mut self, bps: f64) {
        self.set_wanted_bps(bps as u64);
    }

    fn bps(&self) -> f64 {
        self.estimate_bps().map_or(f64::INFINITY, |bps| bps as f64)
    }
}

/// A sender and its receiver.
pub(super) struct Flow {
    pub(super) controller: Box<dyn Controller>,
    source: Source,
    pub(super) starts_us: u64,
    pub(super) ends_us: u64,
    next_frame_us: u64,
    frames: u64,
    next_sound_us: u64,
    waiting: VecDeque<(u64, usize)>,
    debt: f64,
    recorder: ArrivalRecorder,
    feedback: VecDeque<(u64, Vec<u8>)>,
    next_pace_us: u64,
    next_tick_us: u64,
    pub(super) layer: usize,
    /// Bytes that arrived, and how long the worst packet and the worst wait in the pacer were, since last asked.
    pub(super) arrived_bytes: u64,
    pub(super) probed_bytes: u64,
    pub(super) frames_dropped: u64,
    pub(super) worst_wait_us: u64,
}

impl Flow {
    pub(super) fn new(start: Instant, controller: Box<dyn Controller>, source: Source) -> Self {
        Self {
            controller,
            source,
            starts_us: 0,
            ends_us: u64::MAX,
            next_frame_us: 0,
            frames: 0,
            next_sound_us: 0,
            waiting: VecDeque::new(),
            debt: 0.0,
            recorder: ArrivalRecorder::new(start),
            feedback: VecDeque::new(),
            next_pace_us: 0,
            next_tick_us: 0,
            layer: 0,
            arrived_bytes: 0,
            probed_bytes: 0,
            frames_dropped: 0,
            worst_wait_us: 0,
        }
    }

    /// What goes out in this millisecond.
    pub(super) fn step(&mut self, flow: usize, now_us: u64, now: Instant, out: &mut Vec<Sent>) {
        if now_us < self.starts_us || now_us >= self.ends_us {
            return;
        }
        while self.feedback.front().is_some_and(|(at, _)| *at <= now_us) {
            let (_, packet) = self.feedback.pop_front().unwrap();
            self.controller.feedback(now, &packet);
        }
        if now_us >= self.next_tick_us {
            self.next_tick_us = now_us + 20_000;
            self.controller.tick(now);
            self.probe(flow, now, out);
        }
        if let Source::Constant(bps) = self.source {
            self.debt += bps / 8_000.0;
            while self.debt > PACKET as f64 {
                self.debt -= PACKET as f64;
                out.push(sent(flow, 0, PACKET));
            }
            return;
        }
        if now_us >= self.next_sound_us {
            self.next_sound_us = now_us + SOUND_US;
            let number = self.controller.number(now, 120);
            out.push(sent(flow, number, 120));
        }
        if now_us >= self.next_frame_us {
            self.next_frame_us = now_us + FRAME_US;
            self.frame(now_us);
        }
        self.pace(flow, now_us, now, out);
    }

    fn frame(&mut self, now_us: u64) {
        self.frames += 1;
        let bps = match &self.source {
            Source::Elastic { most_bps } => {
                self.controller.want(*most_bps);
                self.controller.bps().min(*most_bps) - 48_000.0
            }
            Source::Layers(layers) => {
                let best = layers[layers.len() - 1];
                self.controller.want(best * 1.2);
                let estimate = self.controller.bps();
                // A layer is kept a little longer than it would be taken.
                let fits = |(index, layer): &(usize, &f64)| {
                    let room = if *index > self.layer { 1.1 } else { 1.0 };
                    **layer * room + 50_000.0 <= estimate
                };
                self.layer = layers.iter().enumerate().filter(fits).count().max(1) - 1;
                let size = match self.frames % KEY_FRAME_EACH {
                    1 => KEY_FRAME_SIZE,
                    _ => 1.0,
                };
                layers[self.layer] * size
            }
            Source::Constant(_) => return,
        };
        self.debt += bps.max(20_000.0) / 8e6 * FRAME_US as f64;
        while self.debt > 0.0 {
            let bytes = PACKET.min(self.debt.max(100.0) as usize);
            self.debt -= bytes as f64;
            self.waiting.push_back((now_us, bytes));
        }
    }

    fn pace(&mut self, flow: usize, now_us: u64, now: Instant, out: &mut Vec<Sent>) {
        if now_us < self.next_pace_us && self.waiting.back().is_none_or(|(at, _)| *at != now_us) {
            return;
        }
        self.next_pace_us = now_us + PACE.as_micros() as u64;
        while let Some(&(since, bytes)) = self.waiting.front() {
            let waited = now_us - since;
            if waited > LONGEST_WAIT_US {
                self.waiting.retain(|(at, _)| *at != since);
                self.frames_dropped += 1;
                continue;
            }
            if !self.controller.may_send(now) {
                break;
            }
            self.worst_wait_us = self.worst_wait_us.max(waited);
            self.waiting.pop_front();
            let number = self.controller.number(now, bytes);
            out.push(sent(flow, number, bytes));
        }
        if self.controller.is_probing() {
            self.probe(flow, now, out);
        }
    }

    fn probe(&mut self, flow: usize, now: Instant, out: &mut Vec<Sent>) {
        let mut lacking = self.controller.probe(now);
        while lacking > 0 {
            let number = self.controller.number(now, PACKET);
            out.push(sent(flow, number, PACKET));
            self.probed_bytes += PACKET as u64;
            lacking = lacking.saturating_sub(PACKET);
        }
    }

    /// A packet arrives.
    pub(super) fn arrive(&mut self, at: Instant, packet: Sent) {
        self.arrived_bytes += packet.bytes as u64;
        if !matches!(self.source, Source::Constant(_)) {
            self.recorder.on_packet(at, 1, packet.number);
        }
    }

    /// The receiver's feedback, which comes back after `delay_us`.
    pub(super) fn report(&mut self, now_us: u64, now: Instant, delay_us: u64) {
        if self.recorder.is_due(now) {
            let mut packet = Vec::new();
            self.recorder.write(now, 1, &mut packet);
            self.feedback.push_back((now_us + delay_us, packet));
        }
    }
}

fn sent(flow: usize, number: u16, bytes: usize) -> Sent {
    Sent {
        flow,
        number,
        bytes,
    }
}

/// A moment of the simulation.
pub(super) fn moment(start: Instant, us: u64) -> Instant {
    start + Duration::from_micros(us)
}
