//! What must always hold between commands, asserted. Called by tests and simulations after each command;
//! it changes nothing.

use crate::index::{Place, Seat};
use crate::participant::{Participant, Presence};
use crate::peer::Peer;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::subscription::wants;

/// What a walk through all rooms finds; the index must hold as much, and no more.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    connections: usize,
    peers: usize,
    tracks: usize,
    away: usize,
}

impl Rooms {
    /// Asserts what must hold between commands.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check_invariants(&self) {
        let mut found = Found::default();
        for (id, room) in &self.rooms {
            assert_eq!(*id, room.id);
            assert_eq!(
                self.names.get(&room.name),
                Some(id),
                "an open room is found by its name"
            );
            self.check_room(room, &mut found);
        }
        assert_eq!(
            self.names.len(),
            self.rooms.len(),
            "no name outlives its room"
        );
        let held = Found {
            connections: self.index.connections.len(),
            peers: self.index.peers.len(),
            tracks: self.index.tracks.len(),
            away: self.index.away.len(),
        };
        assert_eq!(
            held, found,
            "the index holds what the rooms hold, and no more"
        );
        assert!(self.rooms.len() <= self.limits.rooms);
        assert!(self.index.participants() <= self.limits.participants);
    }

    fn check_room(&self, room: &Room, found: &mut Found) {
        assert!(
            !room.participants.is_empty(),
            "{} is closed when empty",
            room.id
        );
        assert!(room.participants.len() <= self.limits.participants_per_room);
        assert_eq!(
            room.seats.len(),
            room.participants.len(),
            "an identity is in a room once"
        );
        for (seat, participant) in &room.participants {
            assert!(seat.0 < room.next_seat);
            assert_eq!(room.seats.get(&participant.identity), Some(seat));
            self.check_participant(room, *seat, participant, found);
        }
        for (track, voice) in &room.speaking.voices {
            let mut tracks = room.participant(voice.seat).tracks().iter();
            assert!(tracks.any(|of| of.id == *track), "a voice is a track's");
        }
        assert_eq!(
            room.speaking.told,
            room.speakers(),
            "the room knows who speaks"
        );
        room.log.check_invariants(self.limits.logged_changes);
    }

    fn check_participant(
        &self,
        room: &Room,
        seat: Seat,
        participant: &Participant,
        found: &mut Found,
    ) {
        let place = Place {
            room: room.id,
            seat,
        };
        match participant.presence {
            Presence::Present { connection } => {
                found.connections += 1;
                assert_eq!(self.index.connections.get(&connection), Some(&place));
            }
            Presence::Away { until } => {
                found.away += 1;
                assert!(
                    self.index.away.contains(&(until, place)),
                    "whoever is away has a time to be gone"
                );
            }
        }
        assert!(participant.pending.len() <= self.limits.tracks_per_participant);
        assert!(participant.pending.is_empty() || participant.may_publish());
        for track in participant.choices.keys() {
            let owner = self
                .index
                .tracks
                .get(track)
                .expect("a choice is of a track that exists");
            assert!(
                owner.room == room.id && owner.seat != seat,
                "of somebody else in the room"
            );
        }
        if let Some(peer) = participant.peer() {
            found.peers += 1;
            assert_eq!(self.index.peers.get(&peer.id), Some(&place));
            self.check_published(place, participant, peer, found);
            self.check_subscribed(room, seat, participant, peer);
        }
    }

    fn check_published(
        &self,
        place: Place,
        participant: &Participant,
        peer: &Peer,
        found: &mut Found,
    ) {
        assert!(peer.unanswered.len() <= self.limits.unanswered_offers);
        assert!(peer.tracks.len() <= self.limits.tracks_per_participant);
        assert!(peer.tracks.is_empty() || participant.may_publish());
        for (number, track) in peer.tracks.iter().enumerate() {
            found.tracks += 1;
            assert_eq!(self.index.tracks.get(&track.id), Some(&place));
            let mut others = peer.tracks.iter().skip(number + 1);
            assert!(
                others.all(|other| other.mid != track.mid),
                "a section carries one track"
            );
        }
    }

    /// Whoever wants a track receives it, or receives as many as one may; nobody receives another.
    fn check_subscribed(&self, room: &Room, seat: Seat, participant: &Participant, peer: &Peer) {
        let limit = self.limits.subscriptions_per_participant;
        assert!(peer.subscribed.len() <= limit);
        let is_full = peer.subscribed.len() == limit;
        let others = room
            .participants
            .iter()
            .filter(|(owner, _)| **owner != seat);
        let mut received = 0;
        for track in others.flat_map(|(_, owner)| owner.tracks()) {
            let is_received = peer.subscribed.contains(&track.id);
            received += usize::from(is_received);
            let is_wanted = wants(participant, track.id);
            assert!(
                is_wanted == is_received || (is_wanted && is_full),
                "{:?} and {}",
                track,
                peer.id
            );
        }
        assert_eq!(
            received,
            peer.subscribed.len(),
            "only tracks of others in the room are received"
        );
    }
}
