//! How a peer ends, and a track: every trace of them goes out of the engine.

use std::time::Instant;

use super::{Engine, audible};
use crate::peer::Peer;
use crate::statistics::DropReason;
use crate::{Config, Event};

impl Engine {
    pub(super) fn end_after_panic(&mut self, now: Instant, place: usize) {
        tracing::error!(place, "a panic while serving a peer; the peer is ended");
        self.statistics.drop_for(DropReason::Panic);
        self.end_peer(now, place, Some("a fault of the server"));
    }

    /// End a peer: its tracks, its subscriptions, its addresses. With a reason it is reported.
    pub(super) fn end_peer(&mut self, now: Instant, place: usize, reason: Option<&str>) {
        let Some(mut peer) = self.peers.try_remove(place) else {
            return;
        };
        peer.transport.close(now);
        if let Some(path) = peer.transport.ice.path() {
            self.farewells.push((path, peer.transport.take_outbox()));
        }
        for address in peer.addresses() {
            self.addresses.remove(address, place);
        }
        self.peer_places.remove(&peer.id);
        if let Some(group) = self.data_groups.get_mut(&peer.data_group) {
            group.retain(|other| *other != place);
            if group.is_empty() {
                self.data_groups.remove(&peer.data_group);
            }
        }
        self.dirty.retain(|dirty| *dirty != place);
        for (_, track) in &mut self.tracks {
            track
                .subscribers
                .retain(|subscriber| subscriber.peer != place);
            track.wanted_by.retain(|wanted| *wanted != place);
        }
        for track in peer.tracks {
            self.end_track(track);
        }
        if let Some(reason) = reason {
            self.events.push_back(Event::PeerEnded {
                peer: peer.id,
                reason: reason.to_owned(),
            });
        }
    }

    /// Forget a track, and every subscription to it. The publisher's own list is the caller's to mend.
    pub(super) fn end_track(&mut self, index: usize) {
        let Some(track) = self.tracks.try_remove(index) else {
            return;
        };
        self.track_places.remove(&track.id);
        if let Some(voice) = track.voice
            && let Some(room) = self.loudest.get_mut(&voice.room)
        {
            room.remove(voice.key);
            audible::forget_empty(self, voice.room);
        }
        for place in track.wanted_by {
            let Some(peer) = self.peers.get_mut(place) else {
                continue;
            };
            peer.retain_outbound(|outbound| outbound.track != index);
            peer.unbound.retain(|unbound| *unbound != index);
        }
    }
}

/// Why a peer's time is over, if it is.
pub(super) fn overdue(now: Instant, peer: &Peer, config: &Config) -> Option<&'static str> {
    let limits = &config.limits;
    let first_offer = peer.first_offer?;
    if !peer.transport.is_connected() {
        let waited = now.saturating_duration_since(first_offer);
        return (waited > limits.connect_time).then_some("ICE and DTLS were not done in time");
    }
    let silent = now.saturating_duration_since(peer.transport.ice.last_consent());
    (silent > limits.consent_time).then_some("nothing was heard from the client")
}
