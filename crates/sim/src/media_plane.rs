//! A media plane that only keeps the books, and is strict: it accepts no effect that names what is not
//! there. It forwards nothing; when it reports, and what, the world draws.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{MediaSection, PeerId, RoomId, TrackId};
use signaling::{MediaEffect, MediaEvent};

#[derive(Debug, Default)]
pub(crate) struct MediaPlane {
    peers: BTreeMap<PeerId, Books>,
}

#[derive(Debug)]
struct Books {
    room: RoomId,
    tracks: BTreeSet<TrackId>,
    subscriptions: BTreeSet<TrackId>,
    unanswered: usize,
}

impl MediaPlane {
    /// Carries out an effect.
    pub(crate) fn perform(&mut self, room: RoomId, effect: &MediaEffect) {
        match effect {
            MediaEffect::OpenPeer { peer, .. } => {
                let books = Books {
                    room,
                    tracks: BTreeSet::new(),
                    subscriptions: BTreeSet::new(),
                    unanswered: 0,
                };
                let before = self.peers.insert(*peer, books);
                assert!(before.is_none(), "a peer opens once");
            }
            MediaEffect::ClosePeer { peer } => self.forget_peer(*peer),
            MediaEffect::Offer { peer, .. } => self.peer(room, *peer).unanswered += 1,
            MediaEffect::Publish { peer, track, .. } => {
                assert!(!self.has(*track), "a track is published once");
                self.peer(room, *peer).tracks.insert(*track);
            }
            MediaEffect::Unpublish { peer, track } => {
                let is_theirs = self.peer(room, *peer).tracks.contains(track);
                assert!(is_theirs, "a track ends where it began");
                self.forget_track(*track);
            }
            MediaEffect::SetMuted { track, .. } => {
                assert!(self.has(*track), "what is muted exists");
            }
            MediaEffect::Subscribe { peer, track } => {
                assert!(self.has(*track), "what is received exists");
                let peer = self.peer(room, *peer);
                assert!(!peer.tracks.contains(track), "nobody receives themselves");
                let is_new = peer.subscriptions.insert(*track);
                assert!(is_new, "a track is received once");
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
                let was_there = self.peer(room, *peer).subscriptions.remove(track);
                assert!(was_there, "what ends had begun");
            }
        }
    }

    /// A room is gone.
    pub(crate) fn close_room(&self, room: RoomId) {
        let left = self.peers.values().find(|books| books.room == room);
        assert!(left.is_none(), "no media is left in a room that is gone");
    }

    /// The answer to an offer of a peer, if one waits for it.
    pub(crate) fn answer(&mut self, peer: PeerId) -> Option<MediaEvent> {
        let books = self
            .peers
            .get_mut(&peer)
            .filter(|books| books.unanswered > 0)?;
        books.unanswered -= 1;
        let sections = (0..)
            .zip(&books.subscriptions)
            .map(|(number, track)| MediaSection {
                mid: format!("r{number}"),
                track_id: *track,
            });
        Some(MediaEvent::Answered {
            peer,
            sdp: "answer".into(),
            sections: sections.collect(),
        })
    }

    /// The refusal of an offer of a peer, if one waits for its answer.
    pub(crate) fn refuse(&mut self, peer: PeerId) -> Option<MediaEvent> {
        let books = self
            .peers
            .get_mut(&peer)
            .filter(|books| books.unanswered > 0)?;
        books.unanswered -= 1;
        let reason = "it cannot be answered".into();
        Some(MediaEvent::OfferRefused { peer, reason })
    }

    /// A peer whose media is over.
    pub(crate) fn end(&mut self, peer: PeerId) -> MediaEvent {
        self.forget_peer(peer);
        let reason = "nothing was heard for 30 s".into();
        MediaEvent::PeerEnded { peer, reason }
    }

    /// A track that cannot be received.
    pub(crate) fn refuse_track(&mut self, track: TrackId) -> MediaEvent {
        self.forget_track(track);
        let reason = "its section is missing".into();
        MediaEvent::PublicationRefused { track, reason }
    }

    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    pub(crate) fn tracks(&self) -> Vec<TrackId> {
        let tracks = self.peers.values().flat_map(|books| &books.tracks);
        tracks.copied().collect()
    }

    fn forget_peer(&mut self, peer: PeerId) {
        let books = self.peers.remove(&peer).expect("only an open peer ends");
        for track in books.tracks {
            self.forget_track(track);
        }
    }

    fn forget_track(&mut self, track: TrackId) {
        for books in self.peers.values_mut() {
            books.tracks.remove(&track);
            books.subscriptions.remove(&track);
        }
    }

    fn has(&self, track: TrackId) -> bool {
        let mut all = self.peers.values();
        all.any(|books| books.tracks.contains(&track))
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
