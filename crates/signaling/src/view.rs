//! What the rooms look like from outside: for lists, metrics and tests. It changes nothing.

use protocol::{
    ConnectionId, Live, LiveRoom, Participant, ParticipantId, PeerId, RoomId, RoomInfo, RoomName,
    WaitingParticipant,
};

use crate::live::live_among;
use crate::room::Room;
use crate::rooms::Rooms;

/// How much there is, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Rooms that stay, with or without somebody in them.
    pub kept_rooms: usize,
    /// Sessions in the lobby or live.
    pub running_sessions: usize,
    /// Participants in the rooms, those away and those hidden included.
    pub participants: usize,
    /// Who wait outside, those away included.
    pub waiting: usize,
    /// Of both, those whose connection is lost.
    pub away: usize,
    /// Tracks published.
    pub tracks: usize,
    /// How often, from the start on, somebody went live or opened the lobby with another key while a
    /// session ran, and was given that session.
    pub go_live_conflicts: u64,
}

/// A room as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomView {
    /// As it is told.
    pub info: RoomInfo,
    /// Its id.
    pub id: RoomId,
    /// Those whom others may see, in the order of joining.
    pub participants: Vec<Participant>,
    /// Who is live, longest first.
    pub live: Vec<Live>,
    /// The number of the last change.
    pub last_change: u64,
    /// Comings and goings that are gathered, and told to nobody yet.
    pub gathered: usize,
    /// Who waits, as moderators are told.
    pub waiting: Vec<WaitingParticipant>,
}

impl Rooms {
    /// The rooms in which somebody is live, longest first.
    pub fn live_rooms(&self) -> Vec<LiveRoom> {
        let mut rooms: Vec<LiveRoom> = self.rooms.values().filter_map(Room::live_room).collect();
        rooms.sort_by(|one, other| {
            (one.started_at, &one.name).cmp(&(other.started_at, &other.name))
        });
        rooms
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        Counts {
            rooms: self.index.open_rooms,
            kept_rooms: self.kept.len(),
            running_sessions: self.index.running,
            participants: self.index.participants() - self.index.waiting,
            waiting: self.index.waiting,
            away: self.index.away.len(),
            tracks: self.index.tracks.len(),
            go_live_conflicts: self.conflicts,
        }
    }

    /// A room as it is now, if it is open.
    pub fn room(&self, name: &RoomName) -> Option<RoomView> {
        let room = self.rooms.get(self.names.get(name)?)?;
        let visible = || room.visible_to(None).map(|(_, participant)| participant);
        Some(RoomView {
            info: room.info(),
            id: room.record.id,
            participants: visible()
                .map(|participant| room.view(participant))
                .collect(),
            live: live_among(visible()),
            last_change: room.log.last(),
            gathered: room.gathered.len(),
            waiting: room.waiting.view(),
        })
    }

    /// The room that a peer belongs to.
    pub fn room_of(&self, peer: PeerId) -> Option<RoomId> {
        self.index.peers.get(&peer).map(|place| place.room)
    }

    /// Who has joined with a connection, and where.
    pub fn participant_of(&self, connection: ConnectionId) -> Option<(RoomId, ParticipantId)> {
        let place = self.index.connections.get(&connection)?;
        let participant = self.rooms.get(&place.room)?.participants.get(&place.seat)?;
        Some((place.room, participant.id))
    }

    /// Rooms that cannot go on by themselves: a session runs in them that nothing will end. There are
    /// none, ever; asked for by metrics, at the cost of a walk through all rooms.
    pub fn stuck(&self) -> usize {
        let rooms = self.rooms.values();
        rooms.filter(|room| self.is_stuck(room)).count()
    }

    /// Nobody runs what runs, and no time is set at which it ends.
    pub(crate) fn is_stuck(&self, room: &Room) -> bool {
        room.sessions.running().is_some() && room.participants.is_empty() && room.due.is_none()
    }

    /// Nothing is left but rooms that stay, with nobody in or waiting, and nothing running.
    pub fn is_empty(&self) -> bool {
        let is_idle = |room: &Room| {
            room.record.is_kept
                && room.participants.is_empty()
                && room.waiting.is_empty()
                && room.sessions.running().is_none()
        };
        self.rooms.values().all(is_idle)
            && self.names.len() == self.rooms.len()
            && self.index.participants() == 0
            && self.index.peers.is_empty()
            && self.index.tracks.is_empty()
    }
}
