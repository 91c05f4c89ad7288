//! What holds between any two inputs to an engine.

use std::collections::HashMap;

use super::Engine;
use crate::Reason;
use crate::inbound::track::Publisher;

impl Engine {
    /// Assert what must always hold. For tests.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        assert_eq!(self.peers.len(), self.peer_places.len());
        assert_eq!(self.tracks.len(), self.track_places.len());
        assert_eq!(
            self.data_groups.values().map(Vec::len).sum::<usize>(),
            self.peers.len()
        );
        for (place, peer) in &self.peers {
            for outbound in &peer.outbound {
                let subscribers = &self.tracks[outbound.track].subscribers;
                let is_listed = subscribers.iter().any(|of| of.peer == place);
                let is_hidden = outbound.allotment.reason == Reason::Hidden;
                assert_eq!(is_listed, !is_hidden, "what is hidden costs nothing");
                let waiting = peer.held.key_frames(outbound.ssrc);
                assert_eq!(outbound.key_frames_waiting, waiting);
            }
        }
        for (index, track) in &self.tracks {
            match track.publisher {
                Publisher::Here(place) => assert!(self.peers[place].tracks.contains(&index)),
                Publisher::Elsewhere(worker) => {
                    assert!(worker != self.config.worker && track.relays.is_empty());
                }
            }
            let mut relays = track.relays.clone();
            relays.sort_unstable();
            relays.dedup();
            assert_eq!(relays.len(), track.relays.len(), "each packet crosses once");
            assert!(!relays.contains(&self.config.worker));
            for subscriber in &track.subscribers {
                let peer = &self.peers[subscriber.peer];
                assert!(peer.outbound.iter().any(|outbound| outbound.ssrc == subscriber.ssrc && outbound.track == index));
            }
            for place in &track.wanted_by {
                let peer = &self.peers[*place];
                let bound = peer
                    .outbound
                    .iter()
                    .filter(|outbound| outbound.track == index)
                    .count();
                let unbound = peer
                    .unbound
                    .iter()
                    .filter(|unbound| **unbound == index)
                    .count();
                assert_eq!(
                    bound + unbound,
                    1,
                    "{} is bound once or waits once",
                    track.id
                );
            }
        }
        let sounds = self.tracks.iter().filter_map(|(_, track)| track.voice);
        let mut voices: HashMap<u64, usize> = HashMap::new();
        sounds.for_each(|voice| *voices.entry(voice.room).or_default() += 1);
        for (room, loudest) in &self.loudest {
            assert_eq!(
                loudest.voices(),
                voices.remove(room).unwrap_or_default(),
                "those of this engine's publishers"
            );
            assert!(!loudest.is_empty());
            let workers = self.data_workers.get(room);
            let is_known = |worker: u8| workers.is_some_and(|known| known.contains(&worker));
            assert!(loudest.workers().all(is_known));
        }
        assert!(voices.is_empty());
        let addresses: usize = self
            .peers
            .iter()
            .map(|(_, peer)| peer.addresses().len())
            .sum();
        assert!(self.addresses.len() <= addresses);
    }
}
