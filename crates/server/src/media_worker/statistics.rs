//! What media workers counted, as plain numbers that can be summed. Somebody else publishes them.

use std::ops::AddAssign;

use media::Statistics;

use crate::udp::UdpStatistics;

/// What a worker counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerStatistics {
    pub(crate) engine: Statistics,
    pub(crate) udp: UdpStatistics,
    /// How much of its time the worker was at work lately.
    pub(crate) busy_percent: u64,
    /// Bytes from other workers that wait for this one.
    pub(crate) link_waiting_bytes: u64,
    /// 1 while video is left out because there is more to do than can be done; summed, how many workers do so.
    pub(crate) overloaded: u64,
    /// Percent of the video that is left out.
    pub(crate) shed_percent: u64,
}

impl AddAssign for WorkerStatistics {
    fn add_assign(&mut self, other: Self) {
        let (sum, other_engine) = (&mut self.engine, other.engine);
        sum.peers_connecting += other_engine.peers_connecting;
        sum.peers_connected += other_engine.peers_connected;
        sum.tracks += other_engine.tracks;
        sum.subscriptions += other_engine.subscriptions;
        sum.inbound_packets += other_engine.inbound_packets;
        sum.inbound_bytes += other_engine.inbound_bytes;
        sum.outbound_packets += other_engine.outbound_packets;
        sum.outbound_bytes += other_engine.outbound_bytes;
        sum.inbound_nacks += other_engine.inbound_nacks;
        sum.outbound_nacks += other_engine.outbound_nacks;
        sum.inbound_key_frame_requests += other_engine.inbound_key_frame_requests;
        sum.outbound_key_frame_requests += other_engine.outbound_key_frame_requests;
        sum.inbound_retransmissions += other_engine.inbound_retransmissions;
        sum.outbound_retransmissions += other_engine.outbound_retransmissions;
        sum.relayed_tracks += other_engine.relayed_tracks;
        sum.relayed_packets += other_engine.relayed_packets;
        sum.data_messages += other_engine.data_messages;
        sum.paths += other_engine.paths;
        for (sum, other) in sum.dropped.iter_mut().zip(other_engine.dropped) {
            *sum += other;
        }
        sum.overload_packets += other_engine.overload_packets;
        sum.overload_frames += other_engine.overload_frames;
        self.udp += other.udp;
        self.busy_percent += other.busy_percent;
        self.link_waiting_bytes += other.link_waiting_bytes;
        self.overloaded += other.overloaded;
        self.shed_percent += other.shed_percent;
    }
}

#[cfg(test)]
mod tests {
    use media::PathStatistics;

    use super::*;

    #[test]
    fn every_counter_is_summed() {
        // The numbers of a Statistics, as text: whatever field is added later is seen here.
        let numbers = |statistics: &WorkerStatistics| -> Vec<u64> {
            let text = format!("{statistics:?}");
            text.split(|c: char| !c.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect()
        };
        let mut engine = Statistics {
            peers_connecting: 1,
            peers_connected: 1,
            tracks: 1,
            subscriptions: 1,
            inbound_packets: 1,
            inbound_bytes: 1,
            outbound_packets: 1,
            outbound_bytes: 1,
            inbound_nacks: 1,
            outbound_nacks: 1,
            inbound_key_frame_requests: 1,
            outbound_key_frame_requests: 1,
            outbound_retransmissions: 1,
            inbound_retransmissions: 1,
            relayed_tracks: 1,
            relayed_packets: 1,
            data_messages: 1,
            paths: PathStatistics {
                estimated: 1,
                estimated_bps: 1,
                probes: 1,
                probe_packets: 1,
                paced_packets: 1,
                pictures_broken_off: 1,
            },
            overload_packets: 1,
            overload_frames: 1,
            ..Statistics::default()
        };
        engine.dropped.fill(1);
        let udp = UdpStatistics {
            received: 1,
            sent: 1,
            send_calls: 1,
            waiting: 1,
            overflowed: 1,
            failed: 1,
            kernel_dropped: 1,
            receive_buffer_bytes: 1,
            send_buffer_bytes: 1,
        };
        let one = WorkerStatistics {
            engine,
            udp,
            busy_percent: 1,
            link_waiting_bytes: 1,
            overloaded: 1,
            shed_percent: 1,
        };
        let mut sum = one;
        sum += one;
        assert!(
            numbers(&one).iter().all(|&number| number == 1),
            "a new field is not counted here: {one:?}"
        );
        assert!(numbers(&sum).iter().all(|&number| number == 2), "{sum:?}");
    }
}
