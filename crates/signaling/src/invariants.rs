//! What must always hold between commands, asserted. Called by tests and simulations after each command;
//! it changes nothing.

use protocol::{RoomId, RoomState};

use crate::index::{Place, Seat};
use crate::limits::{COMMANDS_REMEMBERED, PEOPLE_REMEMBERED, PRESENCE_GATHERED};
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
    due: usize,
    open_rooms: usize,
    waiting: usize,
    running: usize,
    kept: usize,
    owners: usize,
}

impl Rooms {
    /// Asserts what must hold between commands.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check_invariants(&self) {
        let mut found = Found::default();
        for (id, room) in &self.rooms {
            assert_eq!(*id, room.record.id);
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
            due: self.index.due.len(),
            open_rooms: self.index.open_rooms,
            waiting: self.index.waiting,
            running: self.index.running,
            kept: self.kept.len(),
            owners: self.owners.len(),
        };
        assert_eq!(
            held, found,
            "the index holds what the rooms hold, and no more"
        );
        assert!(self.index.participants() <= self.limits.participants);
    }

    /// Asserts the same of one room alone, if it is there: cheap enough for every command.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check_invariants_of(&self, room: RoomId) {
        if let Some(room) = self.rooms.get(&room) {
            self.check_room(room, &mut Found::default());
        }
    }

    fn check_room(&self, room: &Room, found: &mut Found) {
        let (id, record) = (room.record.id, &room.record);
        assert_eq!(
            self.names.get(&record.name),
            Some(&id),
            "a room is found by its name"
        );
        assert!(record.closed_at.is_none(), "a closed room is not here");
        assert_eq!(self.kept.contains(&id), record.is_kept);
        found.kept += usize::from(record.is_kept);
        if let Some(owner) = &record.owner {
            found.owners += 1;
            assert_eq!(self.owners.get(owner), Some(&id), "one room for each owner");
            assert!(record.is_kept, "an owner's room stays");
        }
        self.check_people(room, found);
        self.check_session(room, found);
        self.check_told(room);
        for (track, voice) in &room.speaking.voices {
            let mut tracks = room.participant(voice.seat).tracks().iter();
            assert!(tracks.any(|of| of.id == *track), "a voice is a track's");
        }
        room.log.check_invariants(self.limits.logged_changes);
        assert_eq!(room.due, room.next_due(self.limits.host_grace));
        if let Some(due) = room.due {
            found.due += 1;
            assert!(self.index.due.contains(&(due, id)), "what is due is noted");
        }
        assert!(room.recent.len() <= COMMANDS_REMEMBERED);
    }

    /// Who is in, who waits, and who may not come in.
    fn check_people(&self, room: &Room, found: &mut Found) {
        assert_eq!(
            room.is_open,
            !room.participants.is_empty(),
            "{} is open while somebody is in",
            room.record.id
        );
        found.open_rooms += usize::from(room.is_open);
        assert!(room.participants.len() <= self.limits.participants_per_room);
        assert!(room.waiting.people.len() <= self.limits.waiting_per_room);
        assert!(room.people.len() <= PEOPLE_REMEMBERED);
        assert_eq!(
            room.seats.len(),
            room.participants.len() + room.waiting.people.len(),
            "an identity is in a room once, or waits outside it once"
        );
        for (seat, participant) in &room.participants {
            self.check_seat(room, *seat, participant, found);
            self.check_participant(room, *seat, participant, found);
        }
        for (seat, waiter) in &room.waiting.people {
            found.waiting += 1;
            self.check_seat(room, *seat, &waiter.participant, found);
            assert!(waiter.participant.tracks().is_empty() && waiter.participant.peer().is_none());
            assert!(
                !room.may_be_let_in(&self.limits, *seat),
                "nobody waits who may be in"
            );
        }
    }

    /// A live room has a running session, and one; and who must be there for it to run is awaited.
    fn check_session(&self, room: &Room, found: &mut Found) {
        room.sessions.check_invariants();
        let running = room.sessions.running();
        found.running += usize::from(running.is_some());
        let is_running = matches!(room.state(), RoomState::Lobby | RoomState::Live);
        assert_eq!(
            is_running,
            running.is_some(),
            "a room's state is a session's"
        );
        if room.record.owner.is_none() {
            assert_eq!(
                room.sessions.live().is_some(),
                room.is_open,
                "the session of {} runs while somebody is in",
                room.record.id
            );
        }
        if let Some(running) = running {
            assert_eq!(running.room, room.record.id);
            assert_eq!(running.host.is_some(), room.record.owner.is_some());
        } else {
            assert!(
                room.is_open || room.people.is_empty(),
                "who was admitted was for that session"
            );
        }
        let is_missed = running.is_some() && room.host_info().is_some_and(|host| !host.present);
        assert_eq!(
            room.host_absent_since.is_some(),
            is_missed,
            "a session does not go on without its host for ever"
        );
        assert!(!self.is_stuck(room));
    }

    /// Everybody was told how the room is.
    fn check_told(&self, room: &Room) {
        let is_known = room.is_open || !room.waiting.is_empty();
        match &room.told {
            Some(told) => {
                assert!(is_known, "nobody is left who knows");
                assert_eq!(**told, room.info(), "everybody knows the room as it is");
            }
            None => assert!(!is_known, "somebody does not know the room"),
        }
        assert!(room.is_open || room.gathered.len() == 0);
        assert!(room.gathered.len() <= PRESENCE_GATHERED);
        assert_eq!(room.gathered.len() > 0, room.gathered.until().is_some());
        assert!(
            room.speaking.told == room.speakers() || room.speaking.due().is_some(),
            "the room knows who speaks, or soon will"
        );
        assert!(room.told_may_speak(), "nobody speaks who cannot");
        let mut moderators = room
            .participants
            .values()
            .filter(|of| !of.is_away() && room.is_moderator(of));
        assert!(
            room.waiting.is_empty() || moderators.all(|of| of.waiting_told == room.waiting.version),
            "moderators know who waits"
        );
    }

    /// Somebody inside or outside: found by identity, and by connection or absence.
    fn check_seat(&self, room: &Room, seat: Seat, participant: &Participant, found: &mut Found) {
        let place = Place {
            room: room.record.id,
            seat,
        };
        assert!(seat.0 < room.next_seat);
        assert_eq!(room.seats.get(&participant.identity), Some(&seat));
        assert!(
            !room.bans.contains(&participant.identity),
            "who is banned is put out"
        );
        match participant.presence {
            Presence::Present { connection } => {
                found.connections += 1;
                assert_eq!(self.index.connections.get(&connection), Some(&place));
            }
            Presence::Away { until, .. } => {
                found.away += 1;
                assert!(
                    self.index.away.contains(&(until, place)),
                    "whoever is away has a time to be gone"
                );
            }
        }
    }

    fn check_participant(
        &self,
        room: &Room,
        seat: Seat,
        participant: &Participant,
        found: &mut Found,
    ) {
        let place = Place {
            room: room.record.id,
            seat,
        };
        assert!(participant.pending.len() <= self.limits.tracks_per_participant);
        assert!(participant.pending.is_empty() || participant.may_publish());
        for track in participant.choices.keys() {
            let owner = self
                .index
                .tracks
                .get(track)
                .expect("a choice is of a track that exists");
            assert!(
                owner.room == room.record.id && owner.seat != seat,
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
