//! One client's `RTCPeerConnection`: its transport, what it publishes and what it receives. It decides nothing
//! about who receives what.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use protocol::{ParticipantId, PeerId, TrackKind};
use slab::Slab;

use crate::Limits;
use crate::allocation::Allocator;
use crate::bandwidth::Bandwidth;
use crate::extension::{Extension, ExtensionMap};
use crate::inbound::track::Subscriber;
use crate::inbound::{ArrivalRecorder, RateLimit, Track};
use crate::outbound::OutboundTrack;
use crate::pacing::Held;
use crate::transport::Transport;

/// What an SSRC of the client carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The track's place in the engine.
    pub(crate) track: usize,
    pub(crate) layer: usize,
    /// Retransmissions of the layer (RFC 4588).
    pub(crate) is_rtx: bool,
}

/// A section of the last offer in which the client receives, or could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceivingSection {
    pub(crate) mid: String,
    pub(crate) kind: TrackKind,
}

/// One client's `RTCPeerConnection`.
///
/// What each packet to it needs comes first, in four cache lines of its own: with hundreds of peers, fetching those
/// from memory costs more than all that is done with them.
#[repr(C, align(64))]
pub(crate) struct Peer {
    pub(crate) outbound: Vec<OutboundTrack>,
    /// What it cannot be sent yet.
    pub(crate) held: Held,
    pub(crate) id: PeerId,
    /// What its path carries.
    pub(crate) bandwidth: Bandwidth,
    pub(crate) transport: Transport,
    /// Listed to be flushed at the end of the turn.
    pub(crate) is_dirty: bool,
    /// Listed to be asked soon whether that has changed.
    pub(crate) is_paced: bool,
    /// It is to be asked for packets again, before the next tick.
    pub(crate) misses_packets: bool,
    /// It has sent something under the keys of the handshake, and so can read what comes under them.
    pub(crate) has_proven_keys: bool,
    pub(crate) publishes_data: bool,
    /// More sections were asked for since the last offer.
    pub(crate) sections_asked: bool,
    /// Subscriptions changed: look whether sections must be asked for.
    pub(crate) sections_changed: bool,
    pub(crate) participant: ParticipantId,
    pub(crate) data_group: u64,
    /// Places of its published tracks in the engine.
    pub(crate) tracks: Vec<usize>,
    pub(crate) streams: HashMap<u32, Stream>,
    /// Divides its estimate between them.
    pub(crate) allocator: Allocator,
    /// Places of tracks it should get but has no section for yet, oldest wish first.
    pub(crate) unbound: Vec<usize>,
    pub(crate) receiving: Vec<ReceivingSection>,
    pub(crate) arrivals: ArrivalRecorder,
    /// The numbers of extensions that are needed before a packet's track is known: equal in all sections of a
    /// BUNDLE (RFC 8843 section 9).
    pub(crate) extensions: ExtensionMap,
    /// When the first offer came.
    pub(crate) first_offer: Option<Instant>,
    /// When ICE and DTLS were done.
    pub(crate) connected_at: Option<Instant>,
    /// The ICE username fragment of the client's last offer: another one is a restart.
    pub(crate) remote_ufrag: String,
    pub(crate) session_id: u64,
    pub(crate) answers: u64,
    pub(crate) packets: RateLimit,
    pub(crate) bytes: RateLimit,
    pub(crate) rtcp: RateLimit,
}

impl Peer {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        now: Instant,
        id: PeerId,
        participant: ParticipantId,
        data_group: u64,
        publishes_data: bool,
        transport: Transport,
        session_id: u64,
        limits: &Limits,
    ) -> Self {
        Self {
            id,
            participant,
            data_group,
            publishes_data,
            transport,
            tracks: Vec::new(),
            streams: HashMap::new(),
            outbound: Vec::new(),
            allocator: Allocator::default(),
            unbound: Vec::new(),
            receiving: Vec::new(),
            sections_asked: false,
            sections_changed: false,
            arrivals: ArrivalRecorder::new(now),
            extensions: ExtensionMap::default(),
            first_offer: None,
            connected_at: None,
            has_proven_keys: false,
            remote_ufrag: String::new(),
            session_id,
            answers: 0,
            packets: RateLimit::new(now, limits.inbound_packets_per_second.into()),
            bytes: RateLimit::new(now, limits.inbound_bytes_per_second as f64),
            rtcp: RateLimit::new(now, limits.rtcp_packets_per_second.into()),
            misses_packets: false,
            bandwidth: Bandwidth::new(now),
            held: Held::default(),
            is_paced: false,
            is_dirty: false,
        }
    }

    /// The subscription that the client knows by this SSRC, its own or that of its retransmissions.
    pub(crate) fn outbound_by_ssrc(&mut self, ssrc: u32) -> Option<&mut OutboundTrack> {
        self.outbound
            .iter_mut()
            .find(|outbound| outbound.ssrc == ssrc || outbound.rtx_ssrc == ssrc)
    }

    /// The place in `outbound` of a subscription, if it is there: where it was seen last, or looked for.
    pub(crate) fn outbound_place(&self, subscriber: &Subscriber) -> Option<usize> {
        let is_it = |outbound: &OutboundTrack| outbound.ssrc == subscriber.ssrc;
        match self.outbound.get(subscriber.outbound).is_some_and(is_it) {
            true => Some(subscriber.outbound),
            false => self.outbound.iter().position(is_it),
        }
    }

    /// Reads a little of each cache line that forwarding by one of its subscriptions needs, so that they are there
    /// when it begins. What it gives means nothing, and is only not to be optimized away.
    pub(crate) fn fetch(&self, outbound: usize) -> u64 {
        let outbound = self.outbound.get(outbound).map_or(0, OutboundTrack::fetch);
        outbound ^ self.transport.fetch() ^ u64::from(self.held.is_empty())
    }

    /// Keep only the subscriptions of which this is true. Gives the others.
    pub(crate) fn retain_outbound(
        &mut self,
        mut keep: impl FnMut(&OutboundTrack) -> bool,
    ) -> Vec<OutboundTrack> {
        self.outbound
            .extract_if(.., |outbound| !keep(outbound))
            .collect()
    }

    /// How many sections of this kind are there to receive in, and carry nothing.
    pub(crate) fn free_sections(&self, kind: TrackKind) -> usize {
        let is_free = |section: &&ReceivingSection| {
            section.kind == kind
                && !self
                    .outbound
                    .iter()
                    .any(|outbound| outbound.mid == section.mid)
        };
        self.receiving.iter().filter(is_free).count()
    }

    /// The peer has an SSRC for a stream; a few are enough for anybody.
    pub(crate) fn learn_stream(&mut self, ssrc: u32, stream: Stream, limit: usize) -> bool {
        if self.streams.len() >= limit && !self.streams.contains_key(&ssrc) {
            return false;
        }
        self.streams.insert(ssrc, stream);
        true
    }

    /// Whether nothing of the peer is due before long: it is connected, publishes nothing, nothing has changed, and
    /// all that it receives is flowing and has one layer only. Then no other layer stops or begins, and no key frame is
    /// waited for; more or fewer frames or sizes of the one are weighed with the estimate, as often as it is looked
    /// after at rest. Whatever must be looked at more often says so here.
    pub(crate) fn is_at_rest(&self, tracks: &Slab<Track>) -> bool {
        let is_at_rest = |outbound: &OutboundTrack| {
            let has_layers = tracks
                .get(outbound.track)
                .is_some_and(|track| track.layers.len() > 1);
            outbound.is_at_rest() && !has_layers
        };
        self.tracks.is_empty()
            && !self.allocator.is_dirty
            && !self.transport.wants_timeouts()
            && self.outbound.iter().all(is_at_rest)
    }

    /// Whether it receives nothing but sound, which never waits for anything once it flows.
    pub(crate) fn only_hears(&self) -> bool {
        self.outbound
            .iter()
            .all(|outbound| outbound.kind == TrackKind::Audio)
    }

    /// The number of the transport-wide sequence number extension.
    pub(crate) fn transport_sequence_number(&self) -> Option<u8> {
        self.extensions.id(Extension::TransportSequenceNumber)
    }

    /// Addresses that have proven themselves to be this client's.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.transport.ice.validated().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    const LINE: usize = 64;

    #[test]
    fn what_each_packet_needs_of_a_peer_is_in_four_cache_lines() {
        assert_eq!(offset_of!(Peer, bandwidth), LINE);
        assert_eq!(offset_of!(Peer, transport) % LINE, 0);
        assert_eq!(offset_of!(Transport, ice), LINE);
    }

    #[test]
    fn what_each_packet_needs_of_a_subscription_is_in_its_first_six_cache_lines() {
        // Of the selector, which comes last, the layer that is sent and the one that is wanted.
        let end = offset_of!(OutboundTrack, selector) + 2 * size_of::<Option<usize>>();
        assert!(end <= 6 * LINE, "{end}");
    }
}
