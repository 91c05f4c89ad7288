//! What is due by the clock, peer by peer, and what of it does not wait for its tick.

use std::time::Instant;

use super::ending::overdue;
use super::{EARLIER, Engine, LATER, TICK, TICKS, TICKS_OF_REST, audible, relay};
use crate::allocation::assign;
use crate::delivery::Desk;
use crate::inbound::track::Publisher;
use crate::upkeep;

impl Engine {
    /// Do what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_pace_due(now) {
            self.pace(now);
        }
        if !self.is_tick_due(now) {
            return;
        }
        // After a long turn one tick makes up for all that were missed.
        self.last_tick = now;
        self.ticks = self.ticks.wrapping_add(1);
        self.resting.resize(self.peers.capacity(), false);
        for place in 0..self.peers.capacity() {
            let is_its_turn = (self.ticks.wrapping_add(place)).is_multiple_of(TICKS_OF_REST);
            if self.resting[place] && !is_its_turn {
                continue;
            }
            let Some(peer) = self.peers.get(place) else {
                continue;
            };
            let is_due = is_its_turn
                || !peer.is_at_rest(&self.tracks)
                || overdue(now, peer, &self.config).is_some();
            if is_due {
                self.serve(now, place, |engine| engine.look_after(now, place));
            } else if peer.only_hears() {
                self.resting[place] = true;
            }
        }
        relay::look_after_all(self, now);
        if self.ticks.is_multiple_of(TICKS_OF_REST) {
            audible::repeat(self);
        }
        // Who came since is to do without as the others are.
        if self.shed_percent > 0 && self.ticks.is_multiple_of(TICKS) {
            self.shed(now);
        }
    }

    pub(super) fn look_after(&mut self, now: Instant, place: usize) {
        // A peer may have ended since the list was made.
        let Some(peer) = self.peers.get_mut(place) else {
            return;
        };
        if let Some(reason) = overdue(now, peer, &self.config) {
            return self.end_peer(now, place, Some(reason));
        }
        if peer.transport.wants_timeouts()
            && let Some(event) = peer.transport.handle_timeout(now)
        {
            self.handle_transport_event(now, place, event);
        }
        let Some(peer) = self.peers.get_mut(place) else {
            return;
        };
        assign::assign(now, place, peer, &mut self.tracks);
        let mut desk = Desk {
            now,
            statistics: &mut self.statistics,
            events: &mut self.events,
        };
        desk.replay(peer, &self.tracks);
        desk.release(peer, &self.tracks);
        upkeep::want_key_frames(now, peer, &mut self.tracks);
        let is_waiting = peer.is_waiting();
        if is_waiting {
            self.mark_paced(now, place);
        }
        let Some(peer) = self.peers.get_mut(place) else {
            return;
        };
        if (self.ticks.wrapping_add(place)).is_multiple_of(TICKS) {
            upkeep::report(now, peer, &mut self.tracks);
        }
        if !peer.tracks.is_empty() {
            assign::note_publisher(now, place, &mut self.peers, &mut self.tracks);
            relay::tell_speaking(self, place);
            assign::tell_publisher(now, place, &self.peers, &mut self.tracks, &mut self.events);
            self.look_after_publisher(now, place);
        }
    }

    /// What is due of a track, wherever its publisher is.
    pub(super) fn look_after_track(&mut self, now: Instant, index: usize) {
        match self.tracks[index].publisher {
            Publisher::Here(place) => self.look_after_publisher(now, place),
            Publisher::Elsewhere(_) => relay::look_after(self, now, index),
        }
    }

    pub(super) fn look_after_publisher(&mut self, now: Instant, place: usize) {
        let peer = &mut self.peers[place];
        upkeep::serve_publisher(
            now,
            peer,
            &mut self.tracks,
            &mut self.statistics,
            &mut self.events,
        );
        if peer.transport.has_output() {
            self.mark_dirty(place);
        }
    }

    /// New subscriptions of a peer: a layer for each, and a fresh key frame for when it can take pictures.
    pub(super) fn prepare_pictures(&mut self, now: Instant, place: usize) {
        assign::note_publisher(now, place, &mut self.peers, &mut self.tracks);
        let peer = &mut self.peers[place];
        peer.allocator.is_dirty = true;
        assign::assign(now, place, peer, &mut self.tracks);
        upkeep::prepare_pictures(now, peer, &mut self.tracks);
        self.ask_for_key_frames(now, place);
    }

    /// A new subscriber does not wait for the next tick: each of its milliseconds is one without a picture.
    pub(super) fn ask_for_key_frames(&mut self, now: Instant, place: usize) {
        let outbound = self.peers[place].outbound.iter();
        let tracks: Vec<usize> = outbound.map(|outbound| outbound.track).collect();
        let mut publishers = Vec::new();
        for track in tracks {
            match self.tracks[track].publisher {
                Publisher::Here(publisher) => publishers.push(publisher),
                Publisher::Elsewhere(_) => relay::look_after(self, now, track),
            }
        }
        publishers.sort_unstable();
        publishers.dedup();
        for publisher in publishers {
            self.look_after_publisher(now, publisher);
        }
    }

    /// When `handle_timeout` is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tick = (!self.peers.is_empty()).then_some(self.last_tick + TICK + LATER)?;
        Some(self.next_pace.map_or(tick, |pace| pace.min(tick)))
    }

    /// Whether `handle_timeout` would do something: some milliseconds before it must, so that a thread that is awake
    /// need not wake again for it.
    pub fn is_timeout_due(&self, now: Instant) -> bool {
        !self.peers.is_empty() && (self.is_pace_due(now) || self.is_tick_due(now))
    }

    fn is_pace_due(&self, now: Instant) -> bool {
        self.next_pace.is_some_and(|due| due <= now)
    }

    fn is_tick_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_tick) >= TICK - EARLIER
    }
}
