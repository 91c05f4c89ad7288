//! One packet to one subscriber, counted; and the present picture to a newcomer, from what is kept of the layer.

use std::collections::VecDeque;
use std::time::Instant;

use protocol::TrackKind;
use slab::Slab;

use crate::bandwidth::Bandwidth;
use crate::event::Event;
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::{Layer, Track};
use crate::outbound::{LayerSelector, Way};
use crate::overload::Cut;
use crate::pacing;
use crate::peer::Peer;
use crate::statistics::Statistics;

/// Where deliveries are counted and told.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    pub(crate) statistics: &'a mut Statistics,
    pub(crate) events: &'a mut VecDeque<Event>,
}

impl Desk<'_> {
    /// Forward a packet by the peer's subscription at this place, if it is of the subscription's layer: now, or
    /// when there is room for it.
    pub(crate) fn deliver(&mut self, peer: &mut Peer, place: usize, forwarded: &Forwarded<'_>) {
        self.send_or_hold(peer, place, forwarded, Bandwidth::may_send);
    }

    fn send_or_hold(
        &mut self,
        peer: &mut Peer,
        place: usize,
        forwarded: &Forwarded<'_>,
        may_go: fn(&mut Bandwidth, Instant) -> bool,
    ) {
        if pacing::must_wait(self.now, peer, place, forwarded, may_go) {
            self.statistics.paths.paced_packets += 1;
        } else {
            self.send(peer, place, forwarded);
        }
    }

    /// Forward a packet now, if it is of the subscription's layer.
    pub(crate) fn send(&mut self, peer: &mut Peer, place: usize, forwarded: &Forwarded<'_>) {
        let outbound = &mut peer.outbound[place];
        if let Some((frames, packets)) = outbound.leaves_out(forwarded) {
            self.statistics.overload_frames += frames;
            self.statistics.overload_packets += packets;
            return;
        }
        let is_first = outbound.is_unsent();
        let mut way = Way {
            now: self.now,
            transport: &mut peer.transport,
            bandwidth: &mut peer.bandwidth,
        };
        if !outbound.forward(&mut way, forwarded) {
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
                kind: outbound.kind,
                after,
            });
        }
    }

    /// Show the present picture of each video to whoever waits for a key frame of it, newcomers as soon as they
    /// can take it: the last one and what followed it, if that is little enough. Where it is not, a key frame is
    /// asked for as always.
    pub(crate) fn replay(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        if !peer.transport.is_connected() {
            return;
        }
        for place in 0..peer.outbound.len() {
            let outbound = &mut peer.outbound[place];
            outbound.release(self.now);
            let is_shown = !outbound.is_held() && outbound.cut != Cut::Everything;
            // What was too much for the path is not sent once more.
            if outbound.kind != TrackKind::Video || !is_shown || outbound.is_broken_off {
                continue;
            }
            let track = &tracks[outbound.track];
            let Some(layer) = replayed(self.now, track, &outbound.selector) else {
                continue;
            };
            // Asked last: what is asked for is taken into the account.
            if peer.held.is_empty() && peer.bandwidth.may_show(self.now) {
                self.replay_layer(peer, place, track, layer);
            }
        }
    }

    fn replay_layer(&mut self, peer: &mut Peer, place: usize, track: &Track, layer: usize) {
        let Some(sequences) = track.layers[layer].replay(self.now) else {
            return;
        };
        for sequence in sequences {
            let kept = Kept {
                layer,
                sequence,
                arrival: self.now,
            };
            // What came in this turn is forwarded at its end.
            let forwarded = match track.is_pending(layer, sequence) {
                true => None,
                false => Forwarded::read(track, kept),
            };
            if let Some(mut forwarded) = forwarded {
                forwarded.newest = Some(track.layers[layer].newest_timestamp());
                self.send_or_hold(peer, place, &forwarded, Bandwidth::may_show);
            }
            // The key frame did not begin it: it was lost, or is not for this subscriber.
            if peer.outbound[place].selector.current() != Some(layer) {
                return;
            }
        }
    }
}

/// The layer of which somebody waits for a key frame, if it can be shown from what is kept; to those who have
/// nothing to see, one below it as well. A screen at rest is silent, a layer beside others is no longer sent.
fn replayed(now: Instant, track: &Track, selector: &LayerSelector) -> Option<usize> {
    let wanted = selector.wants_key_frame()?;
    let lowest = match selector.current() {
        Some(_) => wanted,
        None => 0,
    };
    let is_kept = |index: &usize| {
        let layer = track.layers.get(*index);
        let is_sent = |layer: &Layer| track.layers.len() == 1 || layer.is_active(now);
        layer.is_some_and(|layer| is_sent(layer) && layer.is_to_be_shown(now))
    };
    (lowest..=wanted).rev().find(is_kept)
}
