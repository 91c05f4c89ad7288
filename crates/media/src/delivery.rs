//! One packet to one subscriber, counted; and the present picture to a newcomer, from what is kept of the layer.

use std::collections::VecDeque;
use std::time::Instant;

use protocol::PeerId;
use slab::Slab;

use crate::event::Event;
use crate::inbound::{Track, track::Payload};
use crate::outbound::{Forwarded, OutboundTrack, vp8_of};
use crate::peer::Peer;
use crate::rtp::codec::is_key_frame_start;
use crate::rtp::packet::Packet;
use crate::statistics::Statistics;
use crate::transport::Transport;

/// Where deliveries are counted and told.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    pub(crate) statistics: &'a mut Statistics,
    pub(crate) events: &'a mut VecDeque<Event>,
}

impl Desk<'_> {
    /// Forward a packet to a subscriber, if it is of the subscriber's layer. True if it went out.
    pub(crate) fn deliver(
        &mut self,
        peer: PeerId,
        connected_at: Option<Instant>,
        transport: &mut Transport,
        outbound: &mut OutboundTrack,
        forwarded: &Forwarded<'_>,
    ) -> bool {
        let is_first = outbound.is_unsent();
        if !outbound.forward(transport, forwarded) {
            return false;
        }
        self.statistics.outbound_packets += 1;
        self.statistics.outbound_bytes += forwarded.bytes as u64;
        if is_first {
            let could_be = connected_at.map_or(outbound.bound_at, |at| at.max(outbound.bound_at));
            let after = self.now.saturating_duration_since(could_be);
            self.events.push_back(Event::FirstPacketSent {
                peer,
                track: outbound.id,
                after,
            });
        }
        true
    }

    /// Show a newcomer the present picture of each video, once it can take it: the last key frame and what
    /// followed it, if that is little enough. Where it is not, a key frame is asked for as always.
    pub(crate) fn replay(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        if !peer.transport.is_connected() {
            return;
        }
        for outbound in &mut peer.outbound {
            if !outbound.release(self.now) {
                continue;
            }
            let track = &tracks[outbound.track];
            let Some(target) = outbound.selector.target() else {
                continue;
            };
            let Some(layer) = track.layers.get(target) else {
                continue;
            };
            let Some(sequences) = layer.replay(self.now) else {
                continue;
            };
            for sequence in sequences {
                let Some(plain) = layer.cache.get(sequence) else {
                    continue;
                };
                let Some(packet) = Packet::parse(plain) else {
                    continue;
                };
                let Some(Payload::Media { codec, .. }) = track.payload(packet.payload_type) else {
                    continue;
                };
                let forwarded = Forwarded {
                    layer: target,
                    sequence,
                    arrival: self.now,
                    packet: &packet,
                    bytes: plain.len(),
                    codec,
                    starts_key_frame: is_key_frame_start(codec, packet.payload),
                    vp8: vp8_of(codec, packet.payload),
                    extensions: &track.extensions,
                };
                self.deliver(
                    peer.id,
                    peer.connected_at,
                    &mut peer.transport,
                    outbound,
                    &forwarded,
                );
            }
        }
    }
}
