//! One packet to one subscriber, counted; and the present picture to a newcomer, from what is kept of the layer.

use std::collections::VecDeque;
use std::time::Instant;

use slab::Slab;

use crate::event::Event;
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::Track;
use crate::peer::Peer;
use crate::statistics::Statistics;

/// Where deliveries are counted and told.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    pub(crate) statistics: &'a mut Statistics,
    pub(crate) events: &'a mut VecDeque<Event>,
}

impl Desk<'_> {
    /// Forward a packet by the peer's subscription at this place, if it is of the subscription's layer.
    pub(crate) fn deliver(&mut self, peer: &mut Peer, place: usize, forwarded: &Forwarded<'_>) {
        let outbound = &mut peer.outbound[place];
        let is_first = outbound.is_unsent();
        if !outbound.forward(&mut peer.transport, forwarded) {
            return;
        }
        self.statistics.outbound_packets += 1;
        self.statistics.outbound_bytes += forwarded.bytes as u64;
        if is_first {
            let bound_at = outbound.bound_at;
            let could_be = peer.connected_at.map_or(bound_at, |at| at.max(bound_at));
            let after = self.now.saturating_duration_since(could_be);
            self.events.push_back(Event::FirstPacketSent {
                peer: peer.id,
                track: outbound.id,
                after,
            });
        }
    }

    /// Show a newcomer the present picture of each video, once it can take it: the last key frame and what
    /// followed it, if that is little enough. Where it is not, a key frame is asked for as always.
    pub(crate) fn replay(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        if !peer.transport.is_connected() {
            return;
        }
        for place in 0..peer.outbound.len() {
            let outbound = &mut peer.outbound[place];
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
                // What came in this turn is forwarded at its end.
                if track.is_pending(target, sequence) {
                    continue;
                }
                let kept = Kept {
                    layer: target,
                    sequence,
                    arrival: self.now,
                };
                if let Some(mut forwarded) = Forwarded::read(track, kept) {
                    forwarded.newest = Some(layer.newest_timestamp());
                    self.deliver(peer, place, &forwarded);
                }
            }
        }
    }
}
