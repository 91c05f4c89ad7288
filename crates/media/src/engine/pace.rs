//! Peers whose paths are full, or being probed, or whose pictures are held back for a moment: they are asked every few
//! milliseconds, and only while that lasts.

use std::time::Instant;

use super::Engine;
use crate::bandwidth::PACE;
use crate::delivery::Desk;
use crate::upkeep;

impl Engine {
    /// Ask this peer again soon.
    pub(super) fn mark_paced(&mut self, now: Instant, place: usize) {
        let Some(peer) = self.peers.get_mut(place).filter(|peer| !peer.is_paced) else {
            return;
        };
        peer.is_paced = true;
        self.paced.push(place);
        self.next_pace.get_or_insert(now + PACE);
    }

    /// Send what there is room for now.
    pub(super) fn pace(&mut self, now: Instant) {
        self.next_pace = None;
        for place in std::mem::take(&mut self.paced) {
            // Another peer may have come to this place.
            if self.peers.get(place).is_some_and(|peer| peer.is_paced) {
                self.serve(now, place, |engine| engine.send_held(now, place));
            }
        }
    }

    fn send_held(&mut self, now: Instant, place: usize) {
        self.peers[place].is_paced = false;
        self.send_what_may_go(now, place);
    }

    fn send_what_may_go(&mut self, now: Instant, place: usize) {
        let peer = &mut self.peers[place];
        let mut desk = Desk {
            now,
            statistics: &mut self.statistics,
            events: &mut self.events,
        };
        desk.release(peer, &self.tracks);
        desk.replay(peer, &self.tracks);
        if peer.is_waiting() {
            self.mark_paced(now, place);
        }
    }

    /// The client has sent something under the keys of the handshake: if that is the first, it is shown its pictures
    /// now, or they are asked for.
    pub(super) fn note_proven_keys(&mut self, now: Instant, place: usize) {
        let Some(peer) = self.peers.get_mut(place) else {
            return;
        };
        if std::mem::replace(&mut peer.has_proven_keys, true) {
            return;
        }
        let first_offer = peer.first_offer;
        let outbound = peer.outbound.iter_mut();
        outbound.for_each(|outbound| outbound.on_keys_proven(first_offer));
        self.send_what_may_go(now, place);
        upkeep::want_key_frames(now, &self.peers[place], &mut self.tracks);
        self.ask_for_key_frames(now, place);
    }
}
