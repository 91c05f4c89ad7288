//! Peers whose paths are full, or being probed: they are asked every few milliseconds, and only while that lasts.

use std::time::Instant;

use super::Engine;
use crate::bandwidth::PACE;
use crate::delivery::Desk;

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
        let peer = &mut self.peers[place];
        peer.is_paced = false;
        let mut desk = Desk {
            now,
            statistics: &mut self.statistics,
            events: &mut self.events,
        };
        desk.release(peer, &self.tracks);
        if peer.is_waiting() {
            self.mark_paced(now, place);
        }
    }
}
