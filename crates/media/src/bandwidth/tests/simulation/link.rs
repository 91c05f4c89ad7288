//! A bottleneck: a rate, a queue that drops what does not fit, a propagation delay, losses by chance, jitter.

use std::collections::VecDeque;

use crate::rtp::seeded::Seeded;

/// A packet on its way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) flow: usize,
    pub(super) number: u16,
    pub(super) bytes: usize,
}

/// What the link does.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) bps: f64,
    /// The longest queue.
    pub(super) queue_ms: u64,
    /// One way.
    pub(super) delay_ms: u64,
    pub(super) loss_percent: u64,
    /// Added to each packet by chance, up to this; packets may overtake one another.
    pub(super) jitter_ms: u64,
}

pub(super) struct Link {
    pub(super) settings: Settings,
    random: Seeded,
    queue: VecDeque<Sent>,
    queued_bytes: usize,
    credit: f64,
    /// By time of arrival.
    arriving: Vec<(u64, Sent)>,
    pub(super) dropped: u64,
}

impl Link {
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            random: Seeded::new(seed),
            queue: VecDeque::new(),
            queued_bytes: 0,
            credit: 0.0,
            arriving: Vec::new(),
            dropped: 0,
        }
    }

    pub(super) fn send(&mut self, packet: Sent) {
        let longest = (self.settings.bps / 8.0 * self.settings.queue_ms as f64 / 1e3) as usize;
        if self.random.chance(self.settings.loss_percent)
            || self.queued_bytes + packet.bytes > longest.max(3_000)
        {
            self.dropped += 1;
            return;
        }
        self.queued_bytes += packet.bytes;
        self.queue.push_back(packet);
    }

    /// One millisecond passes. Gives what arrives in it, with its time.
    pub(super) fn step(&mut self, now_us: u64) -> Vec<(u64, Sent)> {
        let per_ms = self.settings.bps / 8_000.0;
        self.credit += per_ms;
        while let Some(first) = self.queue.front().copied() {
            if self.credit < first.bytes as f64 {
                break;
            }
            self.credit -= first.bytes as f64;
            self.queue.pop_front();
            self.queued_bytes -= first.bytes;
            let jitter = match self.settings.jitter_ms {
                0 => 0,
                most => self.random.below(most * 1_000),
            };
            // Within the millisecond, each at its place.
            let within = 1_000 - (self.credit / per_ms * 1_000.0).min(1_000.0) as u64;
            let arrival = now_us + within + self.settings.delay_ms * 1_000 + jitter;
            self.arriving.push((arrival, first));
        }
        if self.queue.is_empty() {
            self.credit = self.credit.min(per_ms);
        }
        let mut arrived: Vec<_> = Vec::new();
        self.arriving.retain(|entry| {
            let is_there = entry.0 <= now_us;
            if is_there {
                arrived.push(*entry);
            }
            !is_there
        });
        arrived.sort_by_key(|(at, _)| *at);
        arrived
    }

    /// How long a packet that came now would wait.
    pub(super) fn queue_ms(&self) -> f64 {
        self.queued_bytes as f64 * 8e3 / self.settings.bps
    }
}
