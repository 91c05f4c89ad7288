//! Everything on `/metrics`, declared in one table. It is told what happened, or asks the kernel about this
//! process; it never decides anything.

mod process;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use media::DropReason;
use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use protocol::ErrorCode;
use protocol::record::EndReason;
use signaling::Counts;

use crate::media_worker::WorkerStatistics;

/// From a few milliseconds on loopback to the time after which a client gives up.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// A metric of the table.
pub(crate) trait Metric: Collector + Clone + Sized + 'static {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

macro_rules! table {
    ($($field:ident: $type:ty, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        /// Every metric, to be counted in.
        pub(crate) struct Metrics {
            registry: Registry,
            /// Engines' totals are moved into counters by one scrape at a time.
            scrape: Mutex<()>,
            $(pub(crate) $field: $type,)*
        }

        impl Metrics {
            fn declared() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(
                    let $field = <$type as Metric>::make($name, $help, &[$($label),*])?;
                    registry.register(Box::new($field.clone()))?;
                )*
                Ok(Self { registry, scrape: Mutex::new(()), $($field,)* })
            }
        }

        /// Each metric's name and help, for tests.
        #[cfg(test)]
        const TABLE: &[(&str, &str)] = &[$(($name, $help),)*];
    };
}

table! {
    rooms: IntGauge, "plenum_rooms", [], "Rooms that are open.";
    participants: IntGauge, "plenum_participants", [], "Participants in rooms, those away included.";
    participants_away: IntGauge, "plenum_participants_away", [], "Participants whose signaling connection is lost and who may come back.";
    participants_waiting: IntGauge, "plenum_participants_waiting", [], "People who wait to be let into a room.";
    sessions: IntGauge, "plenum_sessions", [], "Sessions that run, in the lobby or live.";
    sessions_started: IntCounter, "plenum_sessions_started_total", [], "Sessions that became live.";
    sessions_ended: IntCounterVec, "plenum_sessions_ended_total", ["reason"], "Sessions that are over, by reason.";
    go_live_conflicts: IntCounter, "plenum_go_live_conflicts_total", [], "Requests to begin a session, with a key of their own, in a room where one ran already: answered with that one.";
    rooms_stuck: IntGauge, "plenum_rooms_stuck", [], "Rooms whose session runs in the database and nowhere else. Always 0, or a fault of Plenum's own.";
    faults: IntCounter, "plenum_faults_total", [], "Rooms closed because what must hold in them did not; what led to it is in the data directory.";
    store_commit_seconds: Histogram, "plenum_store_commit_seconds", [], "From a command to the commit of what it wrote.";
    store_waiting: IntGauge, "plenum_store_waiting_commands", [], "Commands whose writes wait for the database.";
    store_away_seconds: Gauge, "plenum_store_away_seconds", [], "How long the database has been away; 0 while it answers.";
    store_refused: IntCounter, "plenum_store_refused_commands_total", [], "Commands whose writes the database refused: each a fault of Plenum's own.";
    webhook_deliveries: IntCounterVec, "plenum_webhook_deliveries_total", ["result"], "Attempts to deliver an event to a webhook, by result: delivered, failed (and tried again later) or given_up.";
    peers: IntGaugeVec, "plenum_peers", ["state"], "Peer connections, by state: connecting (ICE and DTLS are not done) or connected.";
    tracks: IntGauge, "plenum_tracks", [], "Published tracks that have a media section.";
    relayed_tracks: IntGauge, "plenum_relayed_tracks", [], "Tracks that one media worker gets from another, for a room on several.";
    subscriptions: IntGauge, "plenum_subscriptions", [], "Tracks that are forwarded, counted once for each receiver.";
    inbound_packets: IntCounter, "plenum_inbound_packets_total", [], "RTP packets received and accepted.";
    inbound_bytes: IntCounter, "plenum_inbound_bytes_total", [], "Bytes of the RTP packets received and accepted, decrypted, headers included.";
    outbound_packets: IntCounter, "plenum_outbound_packets_total", [], "RTP packets sent, retransmissions included.";
    outbound_bytes: IntCounter, "plenum_outbound_bytes_total", [], "Bytes of the RTP packets sent, before encryption, headers included.";
    inbound_nacks: IntCounter, "plenum_inbound_nacks_total", [], "Packets that subscribers asked for again.";
    outbound_nacks: IntCounter, "plenum_outbound_nacks_total", [], "Packets asked of publishers again.";
    inbound_key_frame_requests: IntCounter, "plenum_inbound_key_frame_requests_total", [], "Key-frame requests (PLI and FIR) from subscribers.";
    outbound_key_frame_requests: IntCounter, "plenum_outbound_key_frame_requests_total", [], "Key-frame requests (PLI) to publishers.";
    inbound_retransmissions: IntCounter, "plenum_inbound_retransmissions_total", [], "Packets that were missing and that publishers sent again.";
    outbound_retransmissions: IntCounter, "plenum_outbound_retransmissions_total", [], "Packets sent again to subscribers.";
    relayed_packets: IntCounter, "plenum_relayed_packets_total", [], "RTP packets passed from one media worker to another, counted once for each that gets them.";
    link_waiting: IntGauge, "plenum_link_waiting_bytes", [], "Bytes that wait for media workers on their way from others.";
    worker_busy: IntGaugeVec, "plenum_worker_busy_percent", ["worker"], "How much of its time a media worker was at work, over the last second.";
    paths_estimated: IntGauge, "plenum_paths_estimated", [], "Peers of whose path there is an estimate: those that tell what arrives, or how much they can take.";
    path_estimate_sum: IntGauge, "plenum_path_estimate_bits_per_second", [], "What these paths carry, all together.";
    path_probes: IntCounter, "plenum_path_probes_total", [], "Short bursts sent to learn whether a path carries more.";
    path_probe_packets: IntCounter, "plenum_path_probe_packets_total", [], "Packets sent again only for such a burst.";
    path_paced_packets: IntCounter, "plenum_path_paced_packets_total", [], "Video packets that waited for room on a path.";
    path_pictures_broken_off: IntCounter, "plenum_path_pictures_broken_off_total", [], "Pictures broken off because a path did not carry them in time; they went on at a key frame.";
    data_messages: IntCounter, "plenum_data_messages_total", [], "Data-channel messages relayed, counted once for each receiver.";
    dropped: IntCounterVec, "plenum_dropped_total", ["reason"], "Datagrams, packets and commands dropped by the media plane, by reason.";
    udp_received: IntCounter, "plenum_udp_received_datagrams_total", [], "Datagrams received on the media ports.";
    udp_sent: IntCounter, "plenum_udp_sent_datagrams_total", [], "Datagrams handed to the kernel on the media ports.";
    udp_send_calls: IntCounter, "plenum_udp_send_calls_total", [], "Calls of the kernel that sent them: with GSO fewer than datagrams.";
    udp_waiting: IntGauge, "plenum_udp_waiting_datagrams", [], "Datagrams that wait for room in the kernel's send buffers.";
    udp_overflowed: IntCounter, "plenum_udp_overflowed_datagrams_total", [], "Datagrams dropped because too many waited for the kernel, oldest first.";
    udp_failed: IntCounter, "plenum_udp_failed_datagrams_total", [], "Datagrams that the kernel refused to send.";
    udp_kernel_dropped: IntCounter, "plenum_udp_kernel_dropped_datagrams_total", [], "Datagrams, or bundles of them (GRO), that the kernel received on the media ports and dropped, because the receive buffer was full.";
    udp_receive_buffer: IntGauge, "plenum_udp_receive_buffer_bytes", [], "Receive buffers that the kernel gave all media ports together.";
    udp_send_buffer: IntGauge, "plenum_udp_send_buffer_bytes", [], "Send buffers that the kernel gave all media ports together.";
    workers_overloaded: IntGauge, "plenum_workers_overloaded", [], "Media workers that leave video out because they have more to do than they can.";
    worker_shed: IntGaugeVec, "plenum_worker_left_out_percent", ["worker"], "How much of its video a media worker leaves out because it has more to do than it can, in percent of its bits.";
    overload_frames: IntCounter, "plenum_overload_dropped_frames_total", [], "Frames of video left out by an overloaded worker, counted once for each receiver.";
    overload_packets: IntCounter, "plenum_overload_dropped_packets_total", [], "The packets of those frames.";
    refused: IntCounterVec, "plenum_refused_total", ["code"], "Errors sent to clients, by code.";
    goodbyes: IntCounterVec, "plenum_goodbyes_total", ["code"], "WebSockets closed by the server, by code.";
    http_refused: IntCounterVec, "plenum_http_refused_total", ["reason"], "HTTP connections and requests refused by a limit or a setting, by reason.";
    http_connections: IntGauge, "plenum_http_connections", [], "TCP connections on the HTTP port, WebSockets included.";
    websocket_connections: IntGauge, "plenum_websocket_connections", [], "WebSockets that are open.";
    join_seconds: Histogram, "plenum_join_seconds", [], "From a peer's first offer to the end of ICE and DTLS.";
    first_packet_seconds: Histogram, "plenum_first_packet_seconds", [], "From a subscription that can be served to its first packet on the way out.";
    first_key_frame_seconds: Histogram, "plenum_first_key_frame_seconds", [], "The same of pictures alone, which begin with a key frame. What comes before is plenum_join_seconds, what comes after is the client's decoding.";
    first_frame_seconds: HistogramVec, "plenum_first_frame_seconds", ["part"], "How long people waited for their first picture after joining, as their browsers tell it, by part: connect, key_frame, decode (and show), and whole.";
    cpu_seconds: Gauge, "process_cpu_seconds_total", [], "CPU time of this process, user and system.";
    resident_bytes: IntGauge, "process_resident_memory_bytes", [], "Memory of this process that is resident.";
    build_info: IntGaugeVec, "plenum_build_info", ["version"], "Always 1; the version is in the label.";
}

/// Reasons of `plenum_http_refused_total`.
pub(crate) const HTTP_REASONS: [&str; 6] = [
    "connections",
    "connections_per_address",
    "body_bytes",
    "header_time",
    "live_subscribers",
    "origin",
];

/// Results of `plenum_webhook_deliveries_total`.
const WEBHOOK_RESULTS: [&str; 3] = ["delivered", "failed", "given_up"];

/// Parts of `plenum_first_frame_seconds`; the last is the sum of the others.
const FIRST_FRAME_PARTS: [&str; 4] = ["connect", "key_frame", "decode", "whole"];
/// What a client tells beyond it is not believed.
const LONGEST_PART_MS: u32 = 60_000;

impl Metrics {
    /// All metrics, each with its labels at zero: a graph of what has not happened yet is a line, not a gap.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let metrics = Self::declared()?;
        for code in ErrorCode::ALL {
            metrics.refused.with_label_values(&[code.as_str()]);
            metrics.goodbyes.with_label_values(&[code.as_str()]);
        }
        for reason in DropReason::ALL {
            metrics.dropped.with_label_values(&[reason.as_str()]);
        }
        for reason in HTTP_REASONS {
            metrics.http_refused.with_label_values(&[reason]);
        }
        for reason in EndReason::ALL {
            metrics.sessions_ended.with_label_values(&[reason.as_str()]);
        }
        for result in WEBHOOK_RESULTS {
            metrics.webhook_deliveries.with_label_values(&[result]);
        }
        for part in FIRST_FRAME_PARTS {
            metrics.first_frame_seconds.with_label_values(&[part]);
        }
        metrics
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Ok(metrics)
    }

    /// How much there is in the rooms now.
    pub(crate) fn set_counts(&self, counts: Counts) {
        self.rooms.set(as_gauge(counts.rooms));
        self.participants.set(as_gauge(counts.participants));
        self.participants_away.set(as_gauge(counts.away));
        self.participants_waiting.set(as_gauge(counts.waiting));
        self.sessions.set(as_gauge(counts.running_sessions));
        raise(&self.go_live_conflicts, counts.go_live_conflicts);
    }

    /// A client's first picture, in milliseconds.
    pub(crate) fn observe_first_frame(&self, connect: u32, key_frame: u32, decode: u32) {
        let parts = [connect, key_frame, decode];
        if parts.iter().any(|part| *part > LONGEST_PART_MS) {
            return;
        }
        let all = parts.into_iter().chain([parts.iter().sum()]);
        for (part, ms) in FIRST_FRAME_PARTS.iter().zip(all) {
            let histogram = self.first_frame_seconds.with_label_values(&[part]);
            histogram.observe(f64::from(ms) / 1_000.0);
        }
    }

    /// What the store's writer has done and has to do, and for how long the database has been away.
    pub(crate) fn set_store(&self, figures: &store::Figures, away: Duration) {
        self.store_waiting.set(as_gauge(figures.waiting));
        self.store_away_seconds.set(away.as_secs_f64());
        raise(&self.store_refused, figures.refused + figures.turned_away);
    }

    /// The page for Prometheus, with what the workers counted so far.
    pub(crate) fn page(
        &self,
        workers: impl IntoIterator<Item = WorkerStatistics>,
    ) -> prometheus::Result<Vec<u8>> {
        let _alone = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_over(workers);
        process::observe(&self.cpu_seconds, &self.resident_bytes);
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(page)
    }

    fn take_over(&self, workers: impl IntoIterator<Item = WorkerStatistics>) {
        let mut total = WorkerStatistics::default();
        let mut dropped = [0u64; DropReason::ALL.len()];
        for (number, worker) in workers.into_iter().enumerate() {
            let number = number.to_string();
            for (gauge, percent) in [
                (&self.worker_busy, worker.busy_percent),
                (&self.worker_shed, worker.shed_percent),
            ] {
                gauge.with_label_values(&[&number]).set(as_gauge(percent));
            }
            total += worker;
            for (sum, &reason) in dropped.iter_mut().zip(DropReason::ALL) {
                *sum += worker.engine.dropped_for(reason);
            }
        }
        let (engine, udp) = (total.engine, total.udp);
        self.peers
            .with_label_values(&["connecting"])
            .set(as_gauge(engine.peers_connecting));
        self.peers
            .with_label_values(&["connected"])
            .set(as_gauge(engine.peers_connected));
        self.tracks.set(as_gauge(engine.tracks));
        self.relayed_tracks.set(as_gauge(engine.relayed_tracks));
        self.link_waiting.set(as_gauge(total.link_waiting_bytes));
        self.subscriptions.set(as_gauge(engine.subscriptions));
        self.paths_estimated.set(as_gauge(engine.paths.estimated));
        self.path_estimate_sum
            .set(as_gauge(engine.paths.estimated_bps));
        self.udp_waiting.set(as_gauge(udp.waiting));
        self.udp_receive_buffer
            .set(as_gauge(udp.receive_buffer_bytes));
        self.udp_send_buffer.set(as_gauge(udp.send_buffer_bytes));
        self.workers_overloaded.set(as_gauge(total.overloaded));
        for (counter, total) in [
            (&self.inbound_packets, engine.inbound_packets),
            (&self.inbound_bytes, engine.inbound_bytes),
            (&self.outbound_packets, engine.outbound_packets),
            (&self.outbound_bytes, engine.outbound_bytes),
            (&self.inbound_nacks, engine.inbound_nacks),
            (&self.outbound_nacks, engine.outbound_nacks),
            (
                &self.inbound_key_frame_requests,
                engine.inbound_key_frame_requests,
            ),
            (
                &self.outbound_key_frame_requests,
                engine.outbound_key_frame_requests,
            ),
            (
                &self.inbound_retransmissions,
                engine.inbound_retransmissions,
            ),
            (
                &self.outbound_retransmissions,
                engine.outbound_retransmissions,
            ),
            (&self.relayed_packets, engine.relayed_packets),
            (&self.path_probes, engine.paths.probes),
            (&self.path_probe_packets, engine.paths.probe_packets),
            (&self.path_paced_packets, engine.paths.paced_packets),
            (
                &self.path_pictures_broken_off,
                engine.paths.pictures_broken_off,
            ),
            (&self.data_messages, engine.data_messages),
            (&self.udp_received, udp.received),
            (&self.udp_sent, udp.sent),
            (&self.udp_send_calls, udp.send_calls),
            (&self.udp_overflowed, udp.overflowed),
            (&self.udp_failed, udp.failed),
            (&self.udp_kernel_dropped, udp.kernel_dropped),
            (&self.overload_frames, engine.overload_frames),
            (&self.overload_packets, engine.overload_packets),
        ] {
            raise(counter, total);
        }
        for (reason, total) in DropReason::ALL.iter().zip(dropped) {
            raise(&self.dropped.with_label_values(&[reason.as_str()]), total);
        }
    }
}

/// Counters of the engines only grow: what is new is added.
fn raise(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn as_gauge(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// One more in a gauge for as long as this is kept.
#[must_use]
pub(crate) struct Held(IntGauge);

impl Held {
    pub(crate) fn one_more(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

macro_rules! plain {
    ($($type:ty),*) => { $(impl Metric for $type {
        fn make(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
            Self::new(name, help)
        }
    })* };
}

macro_rules! labelled {
    ($($type:ty),*) => { $(impl Metric for $type {
        fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
            Self::new(Opts::new(name, help), labels)
        }
    })* };
}

plain!(Gauge, IntCounter, IntGauge);
labelled!(IntCounterVec, IntGaugeVec);

impl Metric for Histogram {
    fn make(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()))
    }
}

impl Metric for HistogramVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(
            HistogramOpts::new(name, help).buckets(SECONDS.to_vec()),
            labels,
        )
    }
}

#[cfg(test)]
mod tests;
