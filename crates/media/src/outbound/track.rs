//! What one peer gets of one track: which layer, under which numbers, in which media section. It knows the
//! publisher only by the packets it is given.

mod repeat;

use std::time::{Duration, Instant};

use protocol::{ParticipantId, TrackId, TrackKind, Viewport};

use super::layer_selector::{Decision, LayerSelector, Lot};
use super::retransmission::RetransmissionLimit;
use super::rewriter::{Incoming, Rewriter, Rewritten, Switch};
use super::round_trip::SentReports;
use crate::Limits;
use crate::allocation::Allotment;
use crate::bandwidth::Bandwidth;
use crate::codec::Codec;
use crate::extension::{Extension, ExtensionMap};
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::{SenderClock, ticks};
use crate::overload::Cut;
use crate::rtp::codec::dependency::Renumbered;
use crate::rtp::writer::{self, Header};
use crate::sdp::{OfferedSection, SentTrack};
use crate::transport::{OutboundIndex, Transport, rtcp};

/// Extensions that one packet carries on at most.
const EXTENSIONS: usize = 8;

/// A picture is held back until the client can take it: it has to apply the answer that names its SSRC, and
/// after the handshake to install its keys. What comes earlier is lost, and with it a key frame. Nobody shakes hands
/// before the first answer is applied; of later ones no client tells.
const ANSWER_APPLIED: Duration = Duration::from_millis(150);
/// For clients that send nothing themselves: others prove it with their first packet.
const KEYS_INSTALLED: Duration = Duration::from_millis(25);

/// The cache keeps a packet for so long (`cache.rs`): of a key frame that waits longer another one is asked for.
const KEY_FRAME_KEPT: Duration = Duration::from_secs(1);

/// What a sealed packet has besides its payload: header, extensions, and the seal of AES-GCM. Layers' bitrates
/// are counted likewise, without IP and UDP.
const OVERHEAD: usize = 40;

/// The way to one subscriber.
pub(crate) struct Way<'a> {
    pub(crate) now: Instant,
    pub(crate) transport: &'a mut Transport,
    pub(crate) bandwidth: &'a mut Bandwidth,
}

/// A payload type of the subscriber's section.
#[derive(Clone, Copy, Debug)]
struct PayloadType {
    codec: Codec,
    media: u8,
    retransmission: Option<u8>,
}

/// A subscription with a media section.
///
/// What each packet needs comes first, in six cache lines: of a subscription among hundreds none of it is in the
/// processor's caches.
#[repr(C, align(64))]
pub(crate) struct OutboundTrack {
    pub(crate) ssrc: u32,
    /// The track's stint that is being forwarded.
    stint: u32,
    /// The track's place in the engine.
    pub(crate) track: usize,
    position: OutboundIndex,
    /// The timestamp of the frame that was looked at last.
    frame: Option<u32>,
    packets: u32,
    octets: u32,
    /// The timestamp, as it came, of the last key frame that began to go out.
    key_frame: u32,
    /// The number of the last packet sent for the first time.
    last_sequence: u16,
    pub(crate) kind: TrackKind,
    /// The picture is broken off, and goes on with a key frame that is yet to come.
    pub(crate) is_broken_off: bool,
    /// What is left out of it while the worker has more to do than it can.
    pub(crate) cut: Cut,
    /// The codec of the last packet, and the payload type it has here.
    last_codec: Option<(Codec, PayloadType)>,
    /// The number of the extension for transport-wide numbers, where there is feedback about them.
    transport_number: Option<u8>,
    /// The number of RED's blocks; `None` where the section has no RED.
    red_blocks: Option<u8>,
    /// Nothing is sent before.
    held_until: Option<Instant>,
    rewriter: Rewriter,
    extensions: ExtensionMap,
    retransmissions: RetransmissionLimit,
    pub(crate) selector: LayerSelector,
    pub(crate) id: TrackId,
    pub(crate) mid: String,
    pub(crate) rtx_ssrc: u32,
    /// When it got its section.
    pub(crate) bound_at: Instant,
    /// How large the subscriber shows it, if it ever said.
    pub(crate) viewport: Option<Viewport>,
    pub(crate) allotment: Allotment,
    participant: ParticipantId,
    payload_types: Vec<PayloadType>,
    rtx_position: OutboundIndex,
    rtx_sequence: u16,
    reports: SentReports,
    /// How many key frames wait for room on the path, and when the last of them came.
    pub(crate) key_frames_waiting: usize,
    pub(crate) key_frame_came: Option<Instant>,
}

/// The numbers that a new outbound track begins with: random, so that nobody can guess them (RFC 3550
/// section 5.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstNumbers {
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

impl OutboundTrack {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        now: Instant,
        id: TrackId,
        track: usize,
        kind: TrackKind,
        participant: ParticipantId,
        section: &OfferedSection,
        numbers: FirstNumbers,
        limits: &Limits,
    ) -> Self {
        let payload_types: Vec<PayloadType> = section
            .codecs
            .iter()
            .map(|offered| PayloadType {
                codec: offered.codec,
                media: offered.payload_type,
                retransmission: offered.rtx_payload_type,
            })
            .collect();
        let clock_rate = section
            .codecs
            .first()
            .map_or(90_000, |offered| offered.codec.clock_rate());
        let extensions = section.outbound_extensions();
        let has_feedback = section.codecs.iter().any(|offered| offered.transport_cc);
        Self {
            id,
            track,
            kind,
            mid: section.mid.clone(),
            ssrc: numbers.ssrc,
            rtx_ssrc: numbers.rtx_ssrc,
            bound_at: now,
            selector: LayerSelector::new(),
            cut: Cut::Nothing,
            frame: None,
            viewport: None,
            allotment: Allotment::default(),
            held_until: (kind == TrackKind::Video).then_some(now + ANSWER_APPLIED),
            participant,
            red_blocks: red_blocks(&payload_types),
            payload_types,
            last_codec: None,
            stint: 0,
            transport_number: extensions
                .id(Extension::TransportSequenceNumber)
                .filter(|_| has_feedback),
            extensions,
            // The first sequence number is in the lower half, so that a receiver cannot take an early
            // reordering for a rollover (RFC 3711 section 3.3.1).
            rewriter: Rewriter::new(numbers.sequence & 0x7FFF, numbers.timestamp, clock_rate),
            position: OutboundIndex::default(),
            rtx_position: OutboundIndex::default(),
            rtx_sequence: numbers.sequence & 0x3FFF,
            last_sequence: 0,
            is_broken_off: false,
            packets: 0,
            octets: 0,
            key_frame: 0,
            key_frames_waiting: 0,
            key_frame_came: None,
            retransmissions: RetransmissionLimit::new(limits.retransmissions_of_one_packet),
            reports: SentReports::default(),
        }
    }

    /// What the answer says of the section.
    pub(crate) fn description(&self) -> SentTrack {
        SentTrack {
            stream_id: self.participant.to_string(),
            track_id: self.id.to_string(),
            ssrc: self.ssrc,
            rtx_ssrc: self
                .payload_types
                .iter()
                .any(|kind| kind.retransmission.is_some())
                .then_some(self.rtx_ssrc),
            cname: self.participant.to_string(),
        }
    }

    /// The subscriber's number for a codec. RED is taken off where the section has none. H.264 is sent under another profile of the same packetization if
    /// need be: the stream itself says which it is, and decoders read that.
    fn payload_type(&mut self, codec: Codec) -> Option<PayloadType> {
        if let Some((last, kind)) = self.last_codec
            && last == codec
        {
            return Some(kind);
        }
        let kind = self.find_payload_type(codec)?;
        self.last_codec = Some((codec, kind));
        Some(kind)
    }

    fn find_payload_type(&self, codec: Codec) -> Option<PayloadType> {
        let exact = self.payload_types.iter().find(|kind| kind.codec == codec);
        let similar = || {
            if codec == Codec::Red {
                let mut all = self.payload_types.iter();
                return all.find(|kind| kind.codec == Codec::Opus);
            }
            let Codec::H264 {
                packetization_mode, ..
            } = codec
            else {
                return None;
            };
            self.payload_types.iter().find(
                |kind| matches!(kind.codec, Codec::H264 { packetization_mode: mode, .. } if mode == packetization_mode),
            )
        };
        exact.or_else(similar).copied()
    }

    /// Whether a packet is left out for want of time; if so, how many frames and packets that is less to send. A
    /// frame that has begun is finished, and after the cut a key frame is waited for.
    pub(crate) fn leaves_out(&mut self, forwarded: &Forwarded<'_>) -> Option<(u64, u64)> {
        let layer = Some(forwarded.kept.layer);
        let is_cut = self.cut == Cut::Everything && self.kind == TrackKind::Video;
        // Of the layers beside the one that is sent, packets come in between its own.
        if layer != self.selector.current().or(self.selector.target()) {
            return is_cut.then_some((0, 0));
        }
        let is_new = self.frame.replace(forwarded.timestamp) != Some(forwarded.timestamp);
        if !is_cut || (self.selector.current() == layer && !is_new) {
            return None;
        }
        self.selector.pause();
        Some((is_new.into(), 1))
    }

    /// See `Peer::fetch`.
    pub(crate) fn fetch(&self) -> u64 {
        let extension = self.extensions.id(Extension::AudioLevel).unwrap_or(0);
        let layer = self.selector.current().unwrap_or(0);
        self.rewriter.fetch() ^ u64::from(self.ssrc) ^ u64::from(extension) ^ layer as u64
    }

    /// Forward a packet if it belongs to this subscriber's layer. True if it went out.
    pub(crate) fn forward(&mut self, way: &mut Way<'_>, forwarded: &Forwarded<'_>) -> bool {
        if self.is_held() {
            return false;
        }
        let Some(payload_type) = self.payload_type(forwarded.codec) else {
            return false;
        };
        let Some(lot) = self.select(forwarded) else {
            return false;
        };
        let emptied = is_unwanted(lot, forwarded).then(|| forwarded.emptied());
        let forwarded = emptied.as_ref().unwrap_or(forwarded);
        let Kept {
            layer,
            sequence,
            arrival,
        } = forwarded.kept;
        let incoming = Incoming {
            sequence,
            timestamp: forwarded.timestamp,
            arrival,
        };
        let frame = &forwarded.frame.numbers;
        let Some(numbers) = self.rewriter.rewrite(layer as u8, incoming, frame) else {
            return false;
        };
        let number = self.number(way, forwarded);
        let mut position = self.position;
        let ssrc = self.ssrc;
        let sequence_number = numbers.sequence_number;
        way.transport
            .send_rtp(&mut position, ssrc, sequence_number, |buffer| {
                let marker = forwarded.ends_picture(Some(lot));
                let header = header(payload_type.media, marker, ssrc, numbers);
                self.write(buffer, &header, None, number, forwarded, numbers)
            });
        self.position = position;
        self.last_sequence = sequence_number;
        self.is_broken_off = false;
        if forwarded.frame.starts_key_frame {
            self.key_frame = forwarded.timestamp;
        }
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(forwarded.payload.len() as u32);
        self.retransmissions.on_sent(forwarded.payload.len());
        true
    }

    /// What becomes of a packet: `None` if it is not for this subscriber, and the stream closes over it. What is
    /// unwanted and has an outbound number all the same goes out empty.
    fn select(&mut self, forwarded: &Forwarded<'_>) -> Option<Lot> {
        let Kept {
            layer, sequence, ..
        } = forwarded.kept;
        let frame = &forwarded.frame;
        let decision = self.selector.on_packet(layer, frame.starts_key_frame);
        if decision == Decision::Drop {
            return None;
        }
        if decision == Decision::Switch || self.stint != forwarded.stint {
            self.stint = forwarded.stint;
            self.rewriter.switch(Switch {
                source: layer as u8,
                to_track: forwarded.to_track_clock,
                newest: forwarded.newest,
            });
        }
        let lot = self
            .selector
            .on_frame(forwarded.timestamp, frame, forwarded.structure);
        let is_closed = is_unwanted(lot, forwarded)
            && self.rewriter.skip(layer as u8, sequence, &frame.numbers);
        (!is_closed).then_some(lot)
    }

    /// A packet's transport-wide number, as its extension.
    fn number(&self, way: &mut Way<'_>, packet: &Forwarded<'_>) -> Option<(u8, [u8; 2])> {
        let bytes = packet.payload.len() + OVERHEAD;
        let Some(id) = self.transport_number else {
            way.bandwidth.spend(bytes);
            return None;
        };
        let number = way.bandwidth.number(way.now, bytes)?;
        Some((id, number.to_be_bytes()))
    }

    /// Append a packet under this subscriber's numbers. Gives the length of its header.
    fn write(
        &self,
        buffer: &mut Vec<u8>,
        header: &Header,
        original_sequence: Option<u16>,
        number: Option<(u8, [u8; 2])>,
        packet: &Forwarded<'_>,
        numbers: Rewritten,
    ) -> usize {
        let start = buffer.len();
        let mut extensions = [(0u8, &[][..]); EXTENSIONS];
        let mut count = 0;
        let dependency = packet
            .extensions
            .dependency()
            .map(|value| Renumbered::new(value, numbers.frame.frame_number));
        if let Some((id, number)) = &number {
            extensions[0] = (*id, number);
            count = 1;
        }
        for (extension, value) in packet.extensions.iter() {
            let value = match (&dependency, extension) {
                (Some(rewritten), Extension::DependencyDescriptor) => rewritten.bytes(),
                _ => value,
            };
            if let Some(ours) = self.extensions.id(extension)
                && count < EXTENSIONS
            {
                extensions[count] = (ours, value);
                count += 1;
            }
        }
        let payload_at = writer::write_header(buffer, header, &extensions[..count]);
        if let Some(original) = original_sequence {
            buffer.extend_from_slice(&original.to_be_bytes());
        }
        let body_at = buffer.len();
        match (&packet.red, self.red_blocks) {
            (Some(red), None) => buffer.extend_from_slice(red.primary(packet.payload)),
            (Some(red), Some(blocks)) => {
                buffer.extend_from_slice(packet.payload);
                red.renumber(&mut buffer[body_at..], blocks);
            }
            (None, _) => buffer.extend_from_slice(packet.payload),
        }
        packet.frame.write(&mut buffer[body_at..], numbers.frame);
        payload_at - start
    }

    /// Append a sender report: the publisher's clock as the subscriber's timestamps have it, so that sound and
    /// picture of one participant stay together.
    pub(crate) fn write_sender_report(
        &mut self,
        now: Instant,
        layer: usize,
        clock: SenderClock,
        clock_rate: u32,
        out: &mut Vec<u8>,
    ) {
        if self.packets == 0 {
            return;
        }
        let passed = now.saturating_duration_since(clock.arrival);
        let ntp_passed = (passed.as_micros() << 32) / 1_000_000;
        let source_timestamp = clock
            .rtp_time
            .wrapping_add(ticks(passed, clock_rate) as u32);
        let Some(rtp_time) = self.rewriter.timestamp(layer as u8, source_timestamp) else {
            return;
        };
        let ntp_time = clock.ntp_time.wrapping_add(ntp_passed as u64);
        self.reports.on_sent(now, ntp_time);
        let cname = self.participant.to_string();
        rtcp::write_sender_report(
            out,
            self.ssrc,
            ntp_time,
            rtp_time,
            self.packets,
            self.octets,
            &cname,
        );
    }

    /// A reception report of the subscriber: it echoes one of our reports.
    pub(crate) fn on_reception(&mut self, now: Instant, last_report: u32, delay: u32) {
        if let Some(round_trip) = self.reports.round_trip(now, last_report, delay) {
            self.retransmissions.on_round_trip(round_trip);
        }
    }

    /// The handshake is done, which could begin when the answer to the first offer was applied.
    pub(crate) fn on_connected(&mut self, now: Instant, first_offer: Option<Instant>) {
        if self.is_held() && Some(self.bound_at) == first_offer {
            self.held_until = Some(now + KEYS_INSTALLED);
        }
    }

    /// The client has sent something under the keys of the handshake.
    pub(crate) fn on_keys_proven(&mut self, first_offer: Option<Instant>) {
        self.held_until
            .take_if(|_| Some(self.bound_at) == first_offer);
    }

    /// Whether the client cannot take the picture yet.
    pub(crate) fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Whether nothing is waited for: sound begins with whatever comes.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_begun = self.selector.needs_key_frame().is_none();
        !self.is_held() && (is_begun || self.kind == TrackKind::Audio)
    }

    /// Hold the picture back no longer than it need be.
    pub(crate) fn release(&mut self, now: Instant) {
        self.held_until.take_if(|until| *until <= now);
    }

    /// Whether the client tells when each packet arrived.
    pub(crate) fn has_feedback(&self) -> bool {
        self.transport_number.is_some()
    }

    /// Whether a packet would be forwarded, as far as can be said before the packets that wait: it is of the layer
    /// that is sent, or of one that follows a key frame.
    pub(crate) fn may_want(&self, forwarded: &Forwarded<'_>) -> bool {
        let layer = forwarded.kept.layer;
        let current = self.selector.current();
        let is_sought = |target: usize| layer == target || (current.is_none() && layer < target);
        let has_begun = forwarded.frame.starts_key_frame || self.key_frames_waiting > 0;
        current == Some(layer) || (has_begun && self.selector.target().is_some_and(is_sought))
    }

    /// The last key frame that began to go out: its layer and its timestamp as it came. `None`: nothing goes out.
    pub(crate) fn key_frame(&self) -> Option<(usize, u32)> {
        Some((self.selector.current()?, self.key_frame))
    }

    /// Whether a key frame waits for room on the path that will do when its turn comes: another would only make the
    /// wait longer.
    pub(crate) fn has_key_frame_waiting(&self, now: Instant) -> bool {
        let is_young = |came: Instant| now.saturating_duration_since(came) < KEY_FRAME_KEPT;
        self.key_frames_waiting > 0 && self.key_frame_came.is_some_and(is_young)
    }

    /// What was to be sent is dropped: the picture goes on at the next key frame.
    pub(crate) fn break_off(&mut self) {
        self.selector.start_again();
        self.is_broken_off = true;
    }

    /// Nothing was sent yet.
    pub(crate) fn is_unsent(&self) -> bool {
        self.packets == 0
    }
}

fn red_blocks(payload_types: &[PayloadType]) -> Option<u8> {
    let number = |codec| payload_types.iter().find(|kind| kind.codec == codec);
    number(Codec::Red)?;
    number(Codec::Opus).map(|opus| opus.media)
}

/// Frames that the subscriber does not take, and padding that probes the publisher's path.
fn is_unwanted(lot: Lot, forwarded: &Forwarded<'_>) -> bool {
    lot == Lot::Dropped || forwarded.payload.is_empty()
}

fn header(payload_type: u8, marker: bool, ssrc: u32, numbers: Rewritten) -> Header {
    Header {
        marker,
        payload_type,
        sequence_number: numbers.sequence_number,
        timestamp: numbers.timestamp,
        ssrc,
    }
}
