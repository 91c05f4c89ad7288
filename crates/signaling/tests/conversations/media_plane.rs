//! A media plane that only keeps the books, and is strict: it accepts no effect that names what is not
//! there. It forwards nothing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{PeerId, RoomId, TrackId};
use signaling::MediaEffect;

#[derive(Debug, Default)]
pub(crate) struct MediaPlane {
    pub(crate) peers: BTreeMap<PeerId, Books>,
}

#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) room: RoomId,
    pub(crate) tracks: BTreeSet<TrackId>,
    pub(crate) subscriptions: BTreeSet<TrackId>,
    pub(crate) unanswered: usize,
}

impl MediaPlane {
    pub(crate) fn perform(&mut self, room: RoomId, effect: &MediaEffect) {
        match effect {
            MediaEffect::OpenPeer { peer, .. } => {
                let books = Books {
                    room,
                    tracks: BTreeSet::new(),
                    subscriptions: BTreeSet::new(),
                    unanswered: 0,
                };
                assert!(
                    self.peers.insert(*peer, books).is_none(),
                    "a peer opens once"
                );
            }
            MediaEffect::ClosePeer { peer } => self.forget_peer(*peer),
            MediaEffect::Offer { peer, .. } => self.peer(room, *peer).unanswered += 1,
            MediaEffect::Publish { peer, track, .. } => {
                assert!(!self.has(*track), "a track is published once");
                self.peer(room, *peer).tracks.insert(*track);
            }
            MediaEffect::Unpublish { peer, track } => {
                assert!(
                    self.peer(room, *peer).tracks.contains(track),
                    "a track ends where it began"
                );
                self.forget_track(*track);
            }
            MediaEffect::SetMuted { track, .. } => assert!(self.has(*track)),
            MediaEffect::Subscribe { peer, track } => {
                assert!(self.has(*track), "what is received exists");
                let peer = self.peer(room, *peer);
                assert!(!peer.tracks.contains(track), "nobody receives themselves");
                assert!(
                    peer.subscriptions.insert(*track),
                    "a track is received once"
                );
            }
            MediaEffect::SetViewport { peer, viewports } => {
                let peer = self.peer(room, *peer);
                assert!(!viewports.is_empty(), "something is said");
                for viewport in viewports {
                    let is_received = peer.subscriptions.contains(&viewport.track_id);
                    assert!(is_received, "what is shown is received");
                }
            }
            MediaEffect::Unsubscribe { peer, track } => {
                assert!(
                    self.peer(room, *peer).subscriptions.remove(track),
                    "what ends had begun"
                );
            }
        }
    }

    pub(crate) fn forget_peer(&mut self, peer: PeerId) {
        let books = self.peers.remove(&peer).expect("only an open peer ends");
        for track in books.tracks {
            self.forget_track(track);
        }
    }

    pub(crate) fn forget_track(&mut self, track: TrackId) {
        for books in self.peers.values_mut() {
            books.tracks.remove(&track);
            books.subscriptions.remove(&track);
        }
    }

    pub(crate) fn tracks(&self) -> Vec<TrackId> {
        self.peers
            .values()
            .flat_map(|books| books.tracks.iter().copied())
            .collect()
    }

    fn has(&self, track: TrackId) -> bool {
        self.peers
            .values()
            .any(|books| books.tracks.contains(&track))
    }

    fn peer(&mut self, room: RoomId, peer: PeerId) -> &mut Books {
        let books = self
            .peers
            .get_mut(&peer)
            .expect("an effect names an open peer");
        assert_eq!(books.room, room, "a peer is of one room");
        books
    }
}
