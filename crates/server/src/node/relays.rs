//! Which tracks must cross from one worker to another, and for whom: the first who wants a track on another
//! worker begins it, the last ends it. It commands no worker.

use std::collections::{HashMap, HashSet};

use protocol::{ParticipantId, PeerId, RoomId, TrackId, TrackSource};

use crate::placement::Worker;

/// Peers and tracks of all workers. As many as the rooms' limits let there be.
#[derive(Debug, Default)]
pub(super) struct Relays {
    peers: HashMap<PeerId, Peer>,
    tracks: HashMap<TrackId, Track>,
}

/// A peer with its place.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) room: RoomId,
    pub(super) worker: Worker,
    pub(super) participant: ParticipantId,
    published: Vec<TrackId>,
    /// What it wants from other workers.
    wants: HashSet<TrackId>,
}

/// A published track, as another worker has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) publisher: PeerId,
    pub(super) source: TrackSource,
    pub(super) muted: bool,
}

#[derive(Debug)]
struct Track {
    published: Published,
    /// Who wants it on which other workers. Nobody is no entry.
    wanted: Vec<(Worker, HashSet<PeerId>)>,
}

/// A track that crosses from one worker to another from now on, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    pub(super) track: TrackId,
    pub(super) from: Worker,
    pub(super) to: Worker,
}

impl Relays {
    /// A peer has a place.
    pub(super) fn open_peer(
        &mut self,
        peer: PeerId,
        room: RoomId,
        worker: Worker,
        participant: ParticipantId,
    ) {
        let entry = Peer {
            room,
            worker,
            participant,
            published: Vec::new(),
            wants: HashSet::new(),
        };
        let before = self.peers.insert(peer, entry);
        debug_assert!(before.is_none(), "{peer} is opened twice");
    }

    /// A peer, while it has a place.
    pub(super) fn peer(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    /// A peer is gone. Gives it with what crosses no longer: first what it wanted, and was the last to want,
    /// then what it published.
    pub(super) fn close_peer(
        &mut self,
        id: PeerId,
    ) -> Option<(Peer, Vec<Crossing>, Vec<Crossing>)> {
        let peer = self.peers.remove(&id)?;
        let wanted = peer.wants.iter();
        let unwanted = wanted
            .filter_map(|track| self.release(id, peer.worker, *track))
            .collect();
        let published = peer.published.iter();
        let ended = published
            .flat_map(|track| self.forget(*track, peer.worker))
            .collect();
        Some((peer, unwanted, ended))
    }

    /// A peer publishes a track.
    pub(super) fn publish(&mut self, track: TrackId, published: Published) {
        if let Some(peer) = self.peers.get_mut(&published.publisher) {
            peer.published.push(track);
            let wanted = Vec::new();
            self.tracks.insert(track, Track { published, wanted });
        }
    }

    /// What is known of a track, and on which worker it is published.
    pub(super) fn track(&self, track: TrackId) -> Option<(Published, &Peer)> {
        let published = self.tracks.get(&track)?.published;
        Some((published, self.peers.get(&published.publisher)?))
    }

    /// A track is no more. Gives where it crossed to.
    pub(super) fn unpublish(&mut self, track: TrackId) -> Vec<Crossing> {
        let Some(publisher) = self.tracks.get(&track).map(|of| of.published.publisher) else {
            return Vec::new();
        };
        let Some(peer) = self.peers.get_mut(&publisher) else {
            return Vec::new();
        };
        peer.published.retain(|published| *published != track);
        let worker = peer.worker;
        self.forget(track, worker)
    }

    fn forget(&mut self, id: TrackId, from: Worker) -> Vec<Crossing> {
        let wanted = self.tracks.remove(&id).map(|track| track.wanted);
        let mut crossings = Vec::new();
        for (to, peers) in wanted.unwrap_or_default() {
            for peer in peers {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.wants.remove(&id);
                }
            }
            let track = id;
            crossings.push(Crossing { track, from, to });
        }
        crossings
    }

    /// A track is muted or heard. Gives the workers that have to know.
    pub(super) fn set_muted(&mut self, track: TrackId, muted: bool) -> Vec<Worker> {
        let Some(track) = self.tracks.get_mut(&track) else {
            return Vec::new();
        };
        track.published.muted = muted;
        let home = self.peers.get(&track.published.publisher);
        let elsewhere = track.wanted.iter().map(|(worker, _)| *worker);
        home.map(|peer| peer.worker)
            .into_iter()
            .chain(elsewhere)
            .collect()
    }

    /// A peer wants a track. If that begins a crossing, here it is.
    pub(super) fn want(&mut self, id: PeerId, track: TrackId) -> Option<Crossing> {
        let from = self.track(track)?.1.worker;
        let peer = self.peers.get_mut(&id)?;
        let to = peer.worker;
        if to == from {
            return None;
        }
        peer.wants.insert(track);
        let wanted = &mut self.tracks.get_mut(&track)?.wanted;
        if let Some((_, peers)) = wanted.iter_mut().find(|(worker, _)| *worker == to) {
            peers.insert(id);
            return None;
        }
        wanted.push((to, HashSet::from([id])));
        Some(Crossing { track, from, to })
    }

    /// A peer wants a track no longer. If that ends a crossing, here it is.
    pub(super) fn unwant(&mut self, id: PeerId, track: TrackId) -> Option<Crossing> {
        let peer = self.peers.get_mut(&id)?;
        if !peer.wants.remove(&track) {
            return None;
        }
        let to = peer.worker;
        self.release(id, to, track)
    }

    fn release(&mut self, peer: PeerId, to: Worker, track: TrackId) -> Option<Crossing> {
        let from = self.track(track)?.1.worker;
        let wanted = &mut self.tracks.get_mut(&track)?.wanted;
        let at = wanted.iter().position(|(worker, _)| *worker == to)?;
        wanted[at].1.remove(&peer);
        if !wanted[at].1.is_empty() {
            return None;
        }
        wanted.swap_remove(at);
        Some(Crossing { track, from, to })
    }

    /// What must hold between any two effects.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        for (id, peer) in &self.peers {
            for track in &peer.published {
                assert_eq!(self.tracks[track].published.publisher, *id);
            }
            for track in &peer.wants {
                let wanted = &self.tracks[track].wanted;
                let here = wanted.iter().find(|(worker, _)| *worker == peer.worker);
                assert!(here.is_some_and(|(_, peers)| peers.contains(id)));
            }
        }
        for (id, track) in &self.tracks {
            let home = &self.peers[&track.published.publisher];
            assert!(home.published.contains(id));
            for (worker, peers) in &track.wanted {
                assert!(*worker != home.worker && !peers.is_empty());
                assert!(peers.iter().all(|peer| {
                    let peer = &self.peers[peer];
                    peer.worker == *worker && peer.wants.contains(id)
                }));
            }
        }
    }
}
