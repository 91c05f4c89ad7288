//! Short bursts of more than is otherwise sent, to learn whether the path carries it: at the beginning, and now
//! and then while more is wanted than the estimate allows. It decides when and how much; others find the bytes.

use super::history::Reported;

/// A probe lasts so long, and has at least so many packets: fewer measure chance.
const LENGTH_US: u64 = 20_000;
const FEWEST_PACKETS: u16 = 5;
/// Of these, this share must have arrived for a result.
const ARRIVED: f64 = 0.8;
/// What is not told of after so long is not waited for.
const PATIENCE_US: u64 = 1_000_000;
/// Arrival slower than sending means that the path was full: its capacity is then a little less than that, as
/// queues must drain as well.
const FULL: f64 = 0.9;
const BELOW_FULL: f64 = 0.95;

/// A bottleneck spreads packets evenly. If nothing comes for so long, and for this share of the time in which the
/// probe came, the receiver was not let run, and the rest of the time is what counts.
const STALL_US: i64 = 10_000;
const STALL_SHARE: i64 = 2;

/// What a probe asks for, of the estimate: the first may be bold.
const FIRST_FACTOR: f64 = 3.0;
const FACTOR: f64 = 2.0;
/// A result this near to what was sent is followed by the next probe at once.
const ENCOURAGING: f64 = 0.7;
/// The pause between probes, and to what it grows while they find nothing.
const PAUSE_US: u64 = 2_000_000;
const LONGEST_PAUSE_US: u64 = 8_000_000;
/// A rise that ends in a fall this soon was none, and the next try waits longer; one that lasts so long was.
const SHORT_RISE_US: u64 = 5_000_000;
const LASTING_RISE_US: u64 = 10_000_000;
/// After the estimate fell the path gets time to recover.
const AFTER_FALL_US: u64 = 1_500_000;
/// Nobody probes for less than this much more.
const WORTHWHILE: f64 = 1.05;
/// Not even a fast path is probed with more: 100 Mbit/s for 20 ms are 250 KB.
const LARGEST_BPS: f64 = 100_000_000.0;

#[derive(Clone, Copy, Default)]
struct Cluster {
    bps: f64,
    began_us: u64,
    ended_us: Option<u64>,
    sent_packets: u16,
    sent_bytes: u32,
    last_sent_bytes: u32,
    last_sent_us: u64,
    arrived_packets: u16,
    arrived_bytes: u32,
    first_arrival_us: i64,
    first_arrival_bytes: u32,
    last_arrival_us: i64,
    /// The longest time in which nothing came, and the bytes that ended it.
    gap_us: i64,
    gap_bytes: u16,
}

/// A probe's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) bps: f64,
    /// The path was full: others may have had a part in that, and what was seen is then not all ours.
    pub(super) is_full: bool,
    /// It was the first of all.
    pub(super) is_first: bool,
}

/// What decides about the next probe.
#[derive(Clone, Copy)]
pub(super) struct Situation {
    pub(super) now_us: u64,
    pub(super) estimate_bps: f64,
    pub(super) wanted_bps: f64,
    pub(super) is_congested: bool,
    pub(super) fell_us: Option<u64>,
}

/// The probes of one path, one at a time.
#[derive(Default)]
pub(super) struct Prober {
    /// Of the present probe, or of the last one; from 1 to 255.
    id: u8,
    cluster: Option<Cluster>,
    has_measured: bool,
    next_us: u64,
    pause_us: u64,
    /// When a probe last raised the estimate, and it is not known yet whether that lasts.
    risen_us: Option<u64>,
}

impl Prober {
    /// The number of the probe that packets belong to which go out now; 0 is none.
    pub(super) fn current(&self) -> u8 {
        match &self.cluster {
            Some(cluster) if cluster.ended_us.is_none() => self.id,
            _ => 0,
        }
    }

    /// Whether packets are to be sent for a probe now or soon.
    pub(super) fn is_sending(&self) -> bool {
        self.current() != 0
    }

    /// How many bytes the present probe lacks, if one is due or under way.
    pub(super) fn poll(&mut self, situation: Situation) -> Option<usize> {
        self.give_up(situation.now_us);
        self.judge_rise(situation);
        if self.cluster.is_none() {
            self.cluster = Some(self.next(situation)?);
            self.id = self.id.checked_add(1).unwrap_or(1);
        }
        let cluster = self
            .cluster
            .as_mut()
            .filter(|cluster| cluster.ended_us.is_none())?;
        let passed_us = situation.now_us.saturating_sub(cluster.began_us);
        // What belongs to the next slice of time is sent with this one: else the first would have nothing.
        let due_us = (passed_us + LENGTH_US / 4).min(LENGTH_US);
        let due = (cluster.bps * due_us as f64 / 8e6) as u32;
        if cluster.sent_bytes >= due && passed_us + LENGTH_US / 4 >= LENGTH_US {
            if cluster.sent_packets >= FEWEST_PACKETS {
                cluster.ended_us = Some(situation.now_us);
                return None;
            }
            return Some(1);
        }
        Some(due.saturating_sub(cluster.sent_bytes) as usize).filter(|lacking| *lacking > 0)
    }

    fn next(&mut self, situation: Situation) -> Option<Cluster> {
        let recovers = situation
            .fell_us
            .is_some_and(|fell| situation.now_us.saturating_sub(fell) < AFTER_FALL_US);
        if situation.now_us < self.next_us
            || situation.is_congested
            || recovers
            || situation.wanted_bps < situation.estimate_bps * WORTHWHILE
        {
            return None;
        }
        let factor = if self.has_measured {
            FACTOR
        } else {
            FIRST_FACTOR
        };
        Some(Cluster {
            bps: (situation.estimate_bps * factor)
                .min(situation.wanted_bps)
                .min(LARGEST_BPS),
            began_us: situation.now_us,
            ..Cluster::default()
        })
    }

    /// A packet of the present probe went out.
    pub(super) fn on_sent(&mut self, now_us: u64, bytes: usize) {
        if let Some(cluster) = &mut self.cluster {
            cluster.sent_packets += 1;
            cluster.sent_bytes += bytes as u32;
            cluster.last_sent_bytes = bytes as u32;
            cluster.last_sent_us = now_us;
        }
    }

    /// A packet of a probe arrived.
    pub(super) fn on_received(&mut self, packet: Reported, arrival_us: i64) {
        let Some(cluster) = self
            .cluster
            .as_mut()
            .filter(|_| packet.cluster != 0 && packet.cluster == self.id)
        else {
            return;
        };
        if cluster.arrived_packets == 0 || arrival_us < cluster.first_arrival_us {
            cluster.first_arrival_us = arrival_us;
            cluster.first_arrival_bytes = packet.bytes.into();
        }
        if cluster.arrived_packets == 0 {
            cluster.last_arrival_us = arrival_us;
        }
        let gap_us = arrival_us - cluster.last_arrival_us;
        if gap_us > cluster.gap_us {
            cluster.gap_us = gap_us;
            cluster.gap_bytes = packet.bytes;
        }
        cluster.last_arrival_us = cluster.last_arrival_us.max(arrival_us);
        cluster.arrived_packets += 1;
        cluster.arrived_bytes += u32::from(packet.bytes);
    }

    /// All of a feedback was told: what the probe has found, if it is over.
    pub(super) fn outcome(&mut self, now_us: u64, estimate_bps: f64) -> Option<Outcome> {
        let cluster = self.cluster?;
        cluster.ended_us?;
        let is_enough =
            f64::from(cluster.arrived_packets) >= f64::from(cluster.sent_packets) * ARRIVED;
        if !is_enough {
            return None;
        }
        let is_whole = cluster.arrived_packets == cluster.sent_packets;
        let waited_us = now_us.saturating_sub(cluster.last_sent_us);
        // The rest is still on its way, or lost.
        if !is_whole && waited_us < PATIENCE_US / 4 {
            return None;
        }
        self.cluster = None;
        let is_first = !self.has_measured;
        let (bps, is_full) = result(&cluster)?;
        self.has_measured = true;
        let is_progress = bps > estimate_bps * WORTHWHILE;
        if is_progress {
            self.risen_us = Some(now_us);
        } else if !is_first {
            self.wait_longer();
        }
        self.next_us = if is_progress && bps > cluster.bps * ENCOURAGING {
            now_us
        } else {
            now_us + self.pause_us.max(PAUSE_US)
        };
        Some(Outcome {
            bps,
            is_full,
            is_first,
        })
    }

    fn wait_longer(&mut self) {
        self.pause_us = (self.pause_us * 2).clamp(PAUSE_US, LONGEST_PAUSE_US);
    }

    fn judge_rise(&mut self, situation: Situation) {
        let Some(risen_us) = self.risen_us else {
            return;
        };
        if let Some(fell_us) = situation.fell_us.filter(|fell_us| *fell_us > risen_us) {
            self.risen_us = None;
            if fell_us - risen_us < SHORT_RISE_US {
                self.wait_longer();
                self.next_us = self.next_us.max(fell_us + self.pause_us);
            }
        } else if situation.now_us.saturating_sub(risen_us) > LASTING_RISE_US {
            self.risen_us = None;
            self.pause_us = 0;
        }
    }

    /// A probe of which too little is told, or for which there was nothing to send, is over.
    fn give_up(&mut self, now_us: u64) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        let since = cluster.ended_us.unwrap_or(cluster.began_us);
        if now_us.saturating_sub(since) > PATIENCE_US {
            self.cluster = None;
            self.wait_longer();
            self.next_us = now_us + self.pause_us;
        }
    }
}

/// The lesser of how fast a probe was sent and how fast it came: the first packet's bytes took no time.
fn result(cluster: &Cluster) -> Option<(f64, bool)> {
    let mut arriving_us = cluster.last_arrival_us - cluster.first_arrival_us;
    let sending_us = cluster.last_sent_us.saturating_sub(cluster.began_us);
    let sent = f64::from(cluster.sent_bytes - cluster.last_sent_bytes) * 8e6;
    let mut arrived = f64::from(
        cluster
            .arrived_bytes
            .saturating_sub(cluster.first_arrival_bytes),
    ) * 8e6;
    if arriving_us > 2_000_000 {
        return None;
    }
    if cluster.gap_us >= STALL_US && cluster.gap_us * STALL_SHARE >= arriving_us {
        arriving_us -= cluster.gap_us;
        arrived -= f64::from(cluster.gap_bytes) * 8e6;
    }
    // What was sent in no time went as fast as it was meant to.
    let sent_bps = match sending_us {
        0..2_000 => cluster.bps,
        _ => (sent / sending_us as f64).min(cluster.bps),
    };
    // A path that spreads nothing is faster than the clock can tell.
    let arrived_bps = match arriving_us {
        ..1_000 => f64::INFINITY,
        _ => arrived / arriving_us as f64,
    };
    Some(if arrived_bps < sent_bps * FULL {
        (arrived_bps * BELOW_FULL, true)
    } else {
        (arrived_bps.min(sent_bps), false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty packets of 1,000 bytes, sent within 20 ms, that came at these times in milliseconds.
    fn measured(arrivals_ms: impl Iterator<Item = i64>) -> f64 {
        let mut prober = Prober::default();
        let situation = Situation {
            now_us: 1_000_000,
            estimate_bps: 4e6,
            wanted_bps: 8e6,
            is_congested: false,
            fell_us: None,
        };
        assert!(prober.poll(situation).is_some());
        for packet in 0..20 {
            prober.on_sent(1_000_000 + packet * 1_000, 1_000);
        }
        let ended = Situation {
            now_us: 1_020_000,
            ..situation
        };
        assert_eq!(prober.poll(ended), None);
        for arrival_ms in arrivals_ms {
            let packet = Reported {
                sent_us: 1_000_000,
                bytes: 1_000,
                cluster: prober.id,
                was_missing: false,
            };
            prober.on_received(packet, arrival_ms * 1_000);
        }
        prober.outcome(1_100_000, 4e6).unwrap().bps
    }

    #[test]
    fn a_bottleneck_spreads_a_probe_and_a_receiver_that_stood_still_does_not() {
        // 1,000 bytes each 4 ms.
        let narrow = measured((0..20).map(|packet| packet * 4));
        assert!((1.8e6..2.0e6).contains(&narrow), "{narrow}");
        let wide = measured(0..20);
        assert!(wide > 7e6, "{wide}");
        let stalled =
            measured((0..20).map(|packet| if packet < 7 { packet } else { packet.max(90) }));
        assert!(stalled > 7e6, "{stalled}");
        // A narrow path is found behind a stall, too.
        let both = measured((0..20).map(|packet| {
            if packet < 5 {
                packet * 4
            } else {
                100 + packet * 4
            }
        }));
        assert!((1.7e6..2.1e6).contains(&both), "{both}");
    }
}
